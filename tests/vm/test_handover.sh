#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the way back to kube-proxy's IPVS mode under traffic: --hand-over leaves what kube-proxy
# would have made, kube-proxy's own commands succeed on it, and no connection breaks.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/kube-proxy.sh"

NODE="(192\.168\.(50|60)\.1|fd00:(50|60)::1)"

services() {
	local list
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web, annotations: {ipvsctl.io/scheduler: lc, ipvsctl.io/drain-timeout: 30m}}
		spec: {type: LoadBalancer, clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd00:96::10"],
		  externalIPs: [198.51.100.9, "fd00:51::9"], ports: [{port: 80, nodePort: 30080}]}
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}, {ip: "fd00:113::10"}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec: {clusterIP: 10.96.0.11, sessionAffinity: ClientIP, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: local}
		spec: {type: NodePort, clusterIP: 10.96.0.12, externalIPs: [198.51.100.7], externalTrafficPolicy: Local,
		  ports: [{port: 80, nodePort: 30081}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: elsewhere}
		spec: {clusterIP: 10.96.0.13, externalIPs: [198.51.100.8], externalTrafficPolicy: Local, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: ranged}
		spec: {type: LoadBalancer, clusterIP: 10.96.0.20, allocateLoadBalancerNodePorts: false,
		  loadBalancerSourceRanges: [192.168.50.11/32], ports: [{port: 80}]}
		status: {loadBalancer: {ingress: [{ip: 203.0.113.20}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: dns}
		spec: {clusterIP: 10.96.0.53, ports: [{port: 53, protocol: UDP}]}
	END
	list="{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}"
	manifest slices.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "$list$1")
		$(slice web-6 web IPv6 "[{port: 8080}]" \
			"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" "$list")
		$(slice local-1 local IPv4 "[{port: 8080}]" "$list")
		$(slice elsewhere-1 elsewhere IPv4 "[{port: 8080}]" "{addresses: [$POD_C], nodeName: node-b}")
		$(slice ranged-1 ranged IPv4 "[{port: 8080}]" "$list")
		$(slice dns-1 dns IPv4 "[{port: 5353, protocol: UDP}]" "$list")
	END
}

hand_over() {
	daemon_run --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a --drain-timeout $((15 * PATIENCE))s \
		--hand-over "$@" >>"$DAEMON_LOG" 2>&1
}

# Prints the objects of the daemon that kube-proxy does not know.
unknown_to_kube_proxy() {
	kernel_state | grep -E -e 'proto 200' -e '-f [0-9]' -e NO-LOCAL -e LOCAL-MARK -e EXTERNAL-PORT \
		-e NO-ENDPOINTS -e 'KUBE-IPVS-(PODS|NODE|EXTERNAL|TAKEN)' -e kube-ipvs1 -e fwmark \
		-e 'table 2512' -e KUBE-DISPATCH -e ipvsctl
	in_node iptables-save -t mangle | grep KUBE
	in_node ip6tables-save -t mangle | grep KUBE
}

# Prints the chains with names of Kubernetes and the jumps to them.
layout() {
	local program
	for program in iptables-save ip6tables-save; do
		in_node $program | grep -E '^(\*|:KUBE-|-A [A-Z]+ .*-j KUBE-)' | sed 's/ \[[0-9:]*\]$//'
	done
}

addresses() {
	in_node ip -o addr show dev kube-ipvs0 | sed -nE 's/.* inet6? ([^ ]*) .*/\1/p' | sort
}

# Whether an endpoint answers. Its scheduler may choose the same one each time.
served() {
	[[ $(names "$(ask client -n 4 tcp 198.51.100.9 80)") =~ ^(a|c|a c)$ ]]
}

# Prints the number of the first matching line in the log of links.
line_of() {
	grep -nE -- "$1" "$WORK_LAB/links" | head -n 1 | cut -d: -f1
}

address_stands_before_the_route_goes() {
	local vip route address
	for vip in 10.96.0.10 203.0.113.10 198.51.100.9 198.51.100.7 fd00:96::10 fd00:113::10; do
		address=$(line_of "^[0-9]+: kube-ipvs0.* inet6? $vip/")
		route=$(line_of "^Deleted local $vip .*proto 200")
		echo "$vip: address in line $address, route gone in line $route"
		[ -n "$route" ] && [ -n "$address" ] && [ "$address" -lt "$route" ] || return
	done
}

hand_over_waits() {
	grep -q 'waiting for the end of connections' "$DAEMON_LOG"
}

VIPS="10.96.0.10/32 10.96.0.11/32 10.96.0.12/32 10.96.0.13/32 10.96.0.20/32 10.96.0.53/32
198.51.100.7/32 198.51.100.8/32 198.51.100.9/32 203.0.113.10/32 203.0.113.20/32
fd00:113::10/128 fd00:51::9/128 fd00:96::10/128"

lab_up
# A table never goes away once it exists.
for program in iptables-restore ip6tables-restore; do
	for table in mangle nat filter; do
		in_node $program --noflush <<<$'*'$table$'\n-A OUTPUT -m mark --mark 0x77 -j RETURN\nCOMMIT'
	done
done
BEFORE=$(kernel_state)
services ", {addresses: [$POD_B], nodeName: node-a}"
must "the daemon starts" daemon_start
declare -A before
keep_open client 6 client -s 192.168.50.12 tcp 10.96.0.10 80
before[client]=$KEPT
services ""
check "an endpoint drains" eventually 60 ipvs_has "-a -t 10.96.0.10:80 -r $POD_B:8080 -m -w 0"
keep_open lb 2 client -s 192.168.50.13 tcp 203.0.113.10 80
before[lb]=$KEPT
keep_open port 2 client -s 192.168.50.14 tcp $NODE_IP 30080
before[port]=$KEPT
keep_open external 2 client -s 192.168.50.17 tcp 198.51.100.9 80
before[external]=$KEPT
keep_open pod 2 b tcp 10.96.0.10 80
before[pod]=$KEPT
keep_open node 2 node tcp 10.96.0.10 80
before[node]=$KEPT
keep_open udp 1 client -s 192.168.50.16 udp 10.96.0.53 53
before[udp]=$KEPT
keep_open client-6 2 client -s fd00:50::12 tcp fd00:96::10 80
before[client-6]=$KEPT
keep_open marked 4 b tcp 198.51.100.7 80
before[marked]=$KEPT
equal "a pod reaches all endpoints behind a firewall mark" "$(names "$KEPT")" "a c"
loop_start client client tcp 10.96.0.10 80
loop_start lb client -s 192.168.50.15 tcp 203.0.113.10 80
loop_start external client -s 192.168.50.11 tcp 198.51.100.9 80
loop_start local client tcp 198.51.100.7 80
loop_start port client tcp $NODE_IP 30080
loop_start pod b tcp 10.96.0.10 80
loop_start node node tcp 10.96.0.10 80
loop_start local-pod b tcp 198.51.100.7 80
loop_start local-node node tcp 198.51.100.7 80
loop_start client-6 client -s $CLIENT_IP6 tcp fd00:96::10 80
loop_start external-6 client -s fd00:50::17 tcp fd00:51::9 80
loop_start outsider client tcp 203.0.113.20 80
lab_background "$WORK_LAB/links" node ip -o monitor address route
loops_go_on
check "--hand-over refuses while the daemon runs" not hand_over
check "kube-proxy's sets can be made while the daemon has them" kube_proxy_creates_sets
daemon_end TERM
unknown=$(unknown_to_kube_proxy)
check "SIGTERM leaves what kube-proxy does not know" test -n "$unknown"

manifest broken.yaml <<<"apiVersion: v1
kind: Service
metadata: {name: 12}"
check "--hand-over refuses incomplete input" not hand_over
equal "a refused hand-over changes nothing" "$(unknown_to_kube_proxy)" "$unknown"
rm "$MANIFESTS/broken.yaml"

loops_go_on
keep_ask udp # or IPVS would forget the flow on a slow machine
hand_over &
over=$!
check "--hand-over waits for connections behind firewall marks" eventually 60 hand_over_waits
keep_ask marked
equal "connections behind a firewall mark continue" "$KEPT" "${before[marked]}"
equal "new connections of pods go where kube-proxy leads them" \
	"$(names "$(ask b -n 4 tcp 198.51.100.7 80)")" a
check "... while no rule refers to marks" not grep -F LOCAL-MARK <<<"$(kernel_state)"
loops_go_on
wait $over
equal "--hand-over succeeds" $? 0
keep_ask marked
check "connections behind a firewall mark have ended" not grep -qx "[ac] .*" <<<"$KEPT"
loops_go_on
check "each address is there before its route goes" address_stands_before_the_route_goes
equal "nothing is left that kube-proxy does not know" "$(unknown_to_kube_proxy)" ""
equal "kube-ipvs0 has all addresses" "$(addresses)" "$(tr ' ' '\n' <<<"$VIPS" | sort)"
equal "an external address with the policy Local and no endpoint here has all endpoints, as with kube-proxy" \
	"$(real_servers "-t 198.51.100.8:80")" "$POD_C:8080"
check "a Service has kube-proxy's scheduler" ipvs_has "-A -t 10.96.0.10:80 -s rr"
check "an endpoint that drained still drains" \
	ipvs_has "-a -t 10.96.0.10:80 -r $POD_B:8080 -m -w 0"
keep_ask udp
equal "connections continue: udp" "$KEPT" "${before[udp]}"
sets=$(in_node ipset save)
chains=$(layout)

# ---- kube-proxy starts ----

check "kube-proxy can make its sets" kube_proxy_creates_sets
check "kube-proxy can make its rules" kube_proxy_rules
loops_go_on
equal "there was no set to make" "$(in_node ipset save)" "$sets"
equal "there was no chain and no jump to make" "$(layout)" "$chains"
check "clients that connect all the time saw no error" loop_never_failed client "[ac] $NODE"
check "clients of the load balancer address saw no error" loop_never_failed lb "[ac] $NODE"
check "clients of an external address saw no error" loop_never_failed external "[ac] $NODE"
check "clients of an external address with the policy Local saw no error" \
	loop_never_failed local "a 192\.168\.50\.1[0-7]"
check "clients of a NodePort saw no error" loop_never_failed port "[ac] $NODE"
check "pods saw no error" loop_never_failed pod "[ac] ($POD_B|$NODE)"
check "the node saw no error" loop_never_failed node "[ac] $NODE"
check "pods saw no error at an external address with the policy Local" \
	loop_never_failed local-pod "[ac] ($POD_B|$NODE)"
check "the node saw no error at an external address with the policy Local" \
	loop_never_failed local-node "[ac] ($NODE|198\.51\.100\.7)"
check "IPv6 clients saw no error" loop_never_failed client-6 "[ac] $NODE"
check "IPv6 clients of an external address saw no error" loop_never_failed external-6 "[ac] $NODE"
check "clients without permission never got an answer" loop_never_answered outsider
for name in client lb port external pod node client-6; do
	keep_ask "$name"
	equal "connections continue: $name" "$KEPT" "${before[$name]}"
done

# ---- And back, and gone ----

must "the daemon takes over again" daemon_start
check "Services are served" served
daemon_end TERM
check "--hand-over of what nobody holds on to ends at once" hand_over
equal "nothing is left that kube-proxy does not know, again" "$(unknown_to_kube_proxy)" ""
check "--cleanup succeeds" in_node "$SVCD" --cleanup
equal "--cleanup complains of nothing" "$(complaints)" ""
equal "--cleanup leaves the state from before the start" "$(kernel_state)" "$BEFORE"
tap_done
