#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that rules stand only while something needs them: connections survive their coming and going,
# and no packet passes by those that guard a Service.
. "$(dirname "$0")/lab.sh"

# service NAME SPEC STATUS PORTS ENDPOINTS
service() {
	manifest "$1.yaml" <<-END
		apiVersion: v1
		kind: List
		items:
		- {apiVersion: v1, kind: Service, metadata: {name: $1}, spec: {$2}, status: {$3}}
		$(slice "$1-1" "$1" IPv4 "[{$4}]" "$5")
	END
}

ON_NODE="{addresses: [$POD_A], nodeName: node-a}"
ELSEWHERE="{addresses: [$POD_C], nodeName: node-b}"

# ranged RANGE: a Service that only this range may reach.
ranged() {
	service ranged "type: LoadBalancer, clusterIP: 10.96.0.20, allocateLoadBalancerNodePorts: false,
		loadBalancerSourceRanges: [$1], ports: [{port: 80}]" \
		"loadBalancer: {ingress: [{ip: 203.0.113.10}]}" "port: 8080" "$ON_NODE"
}

# local_dns ENDPOINTS: clients from outside may only use endpoints of this node; pods may use all.
local_dns() {
	service dns "type: LoadBalancer, clusterIP: 10.96.0.53, externalTrafficPolicy: Local,
		healthCheckNodePort: 30999, ports: [{port: 53, nodePort: 30053, protocol: UDP}]" \
		"loadBalancer: {ingress: [{ip: 203.0.113.53}]}" "port: 5353, protocol: UDP" "$1"
}

no_endpoints_here() {
	service elsewhere "clusterIP: 10.96.0.30, internalTrafficPolicy: Local, ports: [{port: 80}]" "" \
		"port: 8080" "$ELSEWHERE"
}

# Prints the jumps of ours outside of table nat, as "FORWARD KUBE-FORWARD", without those for ports of external
# addresses.
jumps() {
	{
		in_node iptables-save -t filter
		in_node iptables-save -t mangle
	} | sed -nE 's/^-A ([A-Z]+) .*-j (KUBE-[A-Z-]+)$/\1 \2/p' | grep -vE 'KUBE-IPVS-(EXTERNAL|TAKEN)'
}

jumps_are() {
	diff <(printf '%s\n' "$@" | sort) <(jumps | sort) && settled
}

FEW=("INPUT KUBE-IPVS-FILTER" "FORWARD KUBE-FORWARD")
RANGES=("INPUT KUBE-PROXY-FIREWALL" "FORWARD KUBE-PROXY-FIREWALL" "OUTPUT KUBE-IPVS-NODE")
POLICIES=("PREROUTING KUBE-IPVS-PODS" "OUTPUT KUBE-IPVS-NODE")

# change SENTENCE COMMAND...: no connection breaks.
change() {
	local sentence=$1
	shift
	"$@"
	sleep $((PATIENCE / 2 + 1))
	keep_ask web
	check "$sentence: a connection of a pod goes on" [ "$(names "$KEPT")" = "a c" ]
}

gone() {
	rm "$MANIFESTS/$1"
}

answers() {
	[ "$(names "$(ask "$@")")" = "a" ]
}

dropped_by_ranges() {
	in_node iptables -t filter -vxnL KUBE-SOURCE-RANGES-FIREWALL | awk '$3 == "DROP" { print $1 }'
}

# A packet with SYN and FIN, which connection tracking takes for no part of any connection.
send_invalid() {
	inside client python3 - "$1" "$2" <<-'END'
		import socket, struct, sys
		source, to = (socket.inet_aton(a) for a in sys.argv[1:])
		tcp = lambda sum: struct.pack("!HHLLBBHHH", 4321, 80, 1, 0, 0x50, 0x03, 1024, sum, 0)
		data = source + to + struct.pack("!BBH", 0, 6, 20) + tcp(0)
		total = sum(struct.unpack("!16H", data))
		total = (total & 0xffff) + (total >> 16)
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
		s.bind((sys.argv[1], 0))
		s.sendto(tcp(~(total + (total >> 16)) & 0xffff), (sys.argv[2], 0))
	END
}

invalid_is_dropped() {
	local before
	before=$(dropped_by_ranges)
	send_invalid "$1" 203.0.113.10
	eventually 10 more_dropped "$before"
}

more_dropped() {
	[ "$(dropped_by_ranges)" -gt "$1" ]
}

track_not() {
	in_node nft add table ip foreign
	in_node nft add chain ip foreign raw '{ type filter hook prerouting priority raw; }'
	in_node nft add rule ip foreign raw ip saddr "$1" notrack
}

still_asks() {
	keep_ask dns
	echo "$KEPT"
	[ "$(names "$KEPT")" = "$1" ]
}

lab_up
in_node ipvsadm -Ln >/dev/null 2>&1 || skip_all "this kernel has no ip_vs"
service web "clusterIP: 10.96.0.10, ports: [{port: 80}]" "" "port: 8080" "$ON_NODE, $ELSEWHERE"
must "the daemon starts" daemon_start --drain-timeout 1s
check "with a cluster IP alone, few rules stand" jumps_are "${FEW[@]}"
keep_open web 2 b tcp 10.96.0.10 80
loop_start web b tcp 10.96.0.10 80

change "source ranges" ranged 192.168.50.11/32
check "source ranges bring their rules" eventually 20 jumps_are "${FEW[@]}" "${RANGES[@]}"
check "who is admitted gets answers" answers client -s 192.168.50.11 tcp 203.0.113.10 80
check "nobody else does" unanswered client -s 192.168.50.12 tcp 203.0.113.10 80
check "an invalid packet from elsewhere is dropped" invalid_is_dropped 192.168.50.12
in_node iptables -P INPUT DROP
keep_open dropping 1 client -s 192.168.50.11 tcp 203.0.113.10 80
check "behind a closed INPUT, ports of an address that stays with its owner are answered" [ "$(names "$KEPT")" = "a" ]
keep_ask web
check "and an older connection goes on" [ "$(names "$KEPT")" = "a c" ]
in_node iptables -P INPUT ACCEPT
# Replies to the node itself did not come in until now.
loop_start node node tcp 10.96.0.10 80
keep_open ranged 1 client -s 192.168.50.11 tcp 203.0.113.10 80
change "another range" ranged 192.168.50.12/32
keep_ask ranged
check "a connection from the old range goes on" [ "$(names "$KEPT")" = "a" ]
check "no new one comes from there" unanswered client -s 192.168.50.11 tcp 203.0.113.10 80
if in_node nft list ruleset >/dev/null 2>&1; then
	track_not 192.168.50.0/24
	check "packets that are not tracked are checked, too" \
		unanswered client -s 192.168.50.11 tcp 203.0.113.10 80
	in_node nft delete table ip foreign
else
	skip "packets that are not tracked are checked, too" "this kernel has no nf_tables"
fi

change "a local policy" local_dns "$ON_NODE"
check "it brings its rules" eventually 20 jumps_are "${FEW[@]}" \
	"INPUT KUBE-PROXY-FIREWALL" "FORWARD KUBE-PROXY-FIREWALL" "${POLICIES[@]}" "INPUT KUBE-NODE-PORT"
keep_open dns 1 b udp 203.0.113.53 53
check "a flow of a pod is answered" [ "$(names "$KEPT")" = "a" ]
change "its endpoint moves" local_dns "$ELSEWHERE"
check "the flow of the pod follows its endpoint to another node" eventually 20 still_asks c
check "a client from outside gets no answer from there" unanswered client udp 203.0.113.53 53

change "no source ranges" gone ranged.yaml
check "their rules are gone" eventually 20 jumps_are "${FEW[@]}" "${POLICIES[@]}" "INPUT KUBE-NODE-PORT"
change "no endpoints here" no_endpoints_here
check "it is dropped" unanswered b tcp 10.96.0.30 80
change "no local policy" gone dns.yaml
check "the rules stay while one Service needs them" eventually 20 jumps_are "${FEW[@]}" "${POLICIES[@]}"
change "no policy at all" gone elsewhere.yaml
check "few rules stand in the end" eventually 20 jumps_are "${FEW[@]}"
check "no connection of a pod failed" loop_never_failed web "[ac] (10\.244\.1\.12|192\.168\.60\.1)"
check "no connection of the node failed" loop_never_failed node "[ac] 192\.168\.(50|60)\.1"
tap_done
