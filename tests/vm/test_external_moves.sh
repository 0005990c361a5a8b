#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that no connection to an external address fails while the way changes in which the node
# takes it: whole or port by port, with IPVS or iptables, on another host's interface or on this
# node's.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/outside.sh"

CONNECTIONS=1000 # at least so many for each change
# The addresses of masqueraded clients at the endpoints. A node that has the external address itself
# connects from there.
NODE="(192\.168\.(50|60|70)\.1|fd00:(50|60|70)::1|$FAR|$FAR6)"

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [$FAR, $NEAR, "$FAR6", "$NEAR6"]
		  ports: [{name: t, port: 80}, {name: u, port: 80, protocol: UDP}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: near}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.20
		  externalTrafficPolicy: Local
		  allocateLoadBalancerNodePorts: false
		  ports: [{port: 81}]
		status: {loadBalancer: {ingress: [{ip: $FAR}]}}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-4 web IPv4 "[{name: t, port: 8080}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice web-6 web IPv6 "[{name: t, port: 8080}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice near-4 near IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
	END
}

# ---- Clients that connect all the time ----

# Each has an address of its own, because IPVS finds the connection of an answer only by client
# address, client port and endpoint (ip_vs_conn_out_get()).
begin_loops() {
	loop_start client client tcp $FAR 80
	loop_start client-6 client -s $CLIENT_IP6 tcp $FAR6 80
	loop_start local client -s 192.168.50.12 tcp $FAR 81
	loop_start datagrams client -s 192.168.50.13 udp $FAR 80
	loop_start pod b tcp $FAR 80
	loop_start pod-6 b tcp $FAR6 80
	loop_start node node tcp $FAR 80
	loop_start node-6 node tcp $NEAR6 80
	loop_start beside client -s 192.168.50.14 tcp $NEAR 22
}

# The loops print one line for four connections.
loops_have() {
	[ $((4 * $(cat "$WORK_LAB"/loop-* | wc -l))) -ge "$1" ]
}

# loop_good SENTENCE NAME PATTERN
loop_good() {
	check "$1: no connection failed: $2" loop_never_failed "$2" "$3"
	TOTAL=$((TOTAL + $(awk '{ n += $1 } END { print n + 0 }' <<<"$LOOP")))
}

# end_loops SENTENCE [PATTERN]: PATTERN is who answers beside the Services, ENDS how a connection of
# the node may end.
end_loops() {
	TOTAL=0
	loop_good "$1" client "[ac] $NODE"
	loop_good "$1" client-6 "[ac] $NODE"
	loop_good "$1" local "a 192\.168\.50\.12"
	loop_good "$1" datagrams "[ac] $NODE"
	loop_good "$1" pod "[ac] $NODE"
	loop_good "$1" pod-6 "[ac] $NODE"
	loop_good "$1" node "[ac] $NODE${ENDS:+|$ENDS}"
	loop_good "$1" node-6 "[ac] $NODE"
	if [ -n "${2:-}" ]; then
		loop_good "$1" beside "$2"
	else
		loop_end beside
	fi
	check "$1: there were at least $CONNECTIONS connections" test $TOTAL -ge $CONNECTIONS
}

# change NAME PATTERN COMMAND...: runs the command while clients connect.
change() {
	local name=$1 pattern=$2
	shift 2
	begin_loops
	loops_go_on
	"$@"
	check "$name: all of it is programmed" eventually 60 settled
	eventually 60 loops_have $CONNECTIONS
	end_loops "$name" "$pattern"
}

restart() {
	daemon_end TERM
	must "a restart with $* succeeds" daemon_start --drain-timeout 30m "$@"
}

# ---- Connections that stay ----

keep() {
	keep_open client 2 client -s 192.168.50.15 tcp $FAR 80
	before[client]=$KEPT
	keep_open pod-6 2 b tcp $FAR6 80
	before[pod-6]=$KEPT
	keep_open udp 1 client -s 192.168.50.16 udp $FAR 80
	before[udp]=$KEPT
}

# kept SENTENCE NAME...
kept() {
	local name
	for name in "${@:2}"; do
		keep_ask "$name"
		equal "$1: connections continue: $name" "$KEPT" "${before[$name]}"
	done
}

# ---- Changes ----

# Prints what shows how the node takes the addresses.
ways() {
	in_node ip route show table all | grep -e "^local $FAR " -e "^local $NEAR " | sort
	in_node ip -6 route show table all | grep -e "^local $FAR6 " -e "^local $NEAR6 " | sort
	in_node ip -o addr | grep -Fe "$FAR/" -e "$NEAR/" -e "$FAR6/" -e "$NEAR6/" | sed 's/^[0-9]*: //'
	in_node ip rule | grep 2512
}

taken_by_ports() {
	[ "$(ways | grep -c 'table 2512')" = 4 ] && not grep 'table local' <<<"$(ways)"
}

taken_whole() {
	[ "$(ways | grep -c '^local .*proto 200')" = 4 ] && not grep -e 2512 -e kube-ipvs1 <<<"$(ways)"
}

not_taken() {
	[ "$(ways)" = "" ]
}

address_comes() {
	in_node ip addr add $FAR/32 dev eth0
	in_node ip addr add $FAR6/128 dev eth0 nodad
	check "an address comes to the node: it is held no more, and its ports stay ready" \
		eventually 60 eval 'settled && not grep -e "kube-ipvs1 .*$FAR/" <<<"$(ways)" &&
			[ "$(ways | grep -c "table 2512")" = 4 ]'
}

address_goes() {
	in_node ip addr del $FAR/32 dev eth0
	in_node ip addr del $FAR6/128 dev eth0
	check "an address goes to its owner: its ports are taken" \
		eventually 60 eval 'settled && taken_by_ports'
}

declare -A before
lab_up
outside_up
write_services
must "the daemon starts with --external-addresses=local" daemon_start --external-addresses=local
check "the addresses are taken as a whole" taken_whole
keep
change "to ports" "" restart
check "only the ports are taken" taken_by_ports
kept "to ports" client pod-6 udp
change "the address comes" "near 192\.168\.50\.14" address_comes
# A connection that the node has open has this address at its end, and dies with it.
ENDS="timeout|reset" change "the address goes" "near 192\.168\.50\.14" address_goes
kept "an address that came and went" client pod-6 udp
change "to iptables" "near 192\.168\.50\.14" restart --backend iptables
kept "to iptables" client pod-6
restart --backend iptables --drain-timeout 0
check "no address is taken with iptables when nothing drains" eventually 60 not_taken
change "to IPVS" "near 192\.168\.50\.14" restart --backend ipvs
check "only the ports are taken with IPVS again" taken_by_ports
change "to whole addresses" "" restart --external-addresses=local
check "the addresses are taken as a whole again" taken_whole
tap_done
