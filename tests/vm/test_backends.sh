#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# From one backend to the other by a restart: clients that connect in a tight loop see nothing of it,
# and of the one before nothing is left.
. "$(dirname "$0")/lab.sh"

NODE="(192\.168\.(50|60)\.1|fd00:(50|60)::1)"

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  ports: [{port: 80, nodePort: 30080}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: near}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.20
		  externalTrafficPolicy: Local
		  ports: [{port: 80, nodePort: 30081}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: lb}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.50
		  allocateLoadBalancerNodePorts: false
		  loadBalancerSourceRanges: [192.168.50.11/32]
		  ports: [{port: 80}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: talk}
		spec: {clusterIP: 10.96.0.40, ports: [{port: 53, protocol: UDP}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: none}
		spec: {clusterIP: 10.96.0.30, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}, \
		{addresses: [$POD_C], nodeName: node-b}")
		$(slice web-6 web IPv6 "[{port: 8080}]" "{addresses: ['$POD_A6'], nodeName: node-a}, \
		{addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice lb-1 lb IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}, \
		{addresses: [$POD_C], nodeName: node-b}")
		$(slice talk-1 talk IPv4 "[{port: 5353, protocol: UDP}]" "{addresses: [$POD_A]}")
		$(slice near-1 near IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}, \
		{addresses: [$POD_C], nodeName: node-b}")
	END
}

begin_loops() {
	loop_start cluster client tcp 10.96.0.10 80
	loop_start node node tcp 10.96.0.10 80
	loop_start port client tcp $NODE_IP 30080
	loop_start near client -s 192.168.50.12 tcp $NODE_IP 30081
	loop_start lb client -s 192.168.50.11 tcp 203.0.113.10 80
	loop_start outsider client -s 192.168.50.13 tcp 203.0.113.10 80
	loop_start cluster-6 client tcp fd00:96::10 80
	loop_start port-6 client tcp $NODE_IP6 30080
	loop_start none client tcp 10.96.0.30 80
}

end_loops() {
	check "$1: no connection to a cluster IP failed" loop_never_failed cluster "[ac] $NODE"
	check "nor one of the node" loop_never_failed node "[ac] $NODE"
	check "nor one to a NodePort" loop_never_failed port "[ac] $NODE"
	check "nor one of policy Local, whose client keeps its address" \
		loop_never_failed near "a 192\.168\.50\.12"
	check "nor one of a client that the load balancer lets in" loop_never_failed lb "[ac] $NODE"
	check "the others never got through" loop_never_answered outsider
	check "no connection over IPv6 failed" loop_never_failed cluster-6 "[ac] $NODE"
	check "nor one to a NodePort" loop_never_failed port-6 "[ac] $NODE"
	check "what has no endpoints never answered" loop_never_answered none
}

# settled_on BACKEND: nothing waits to be done.
settled_on() {
	settled && in_node "$SVC" status --socket "$STATUS_SOCKET" -o json |
		jq -e '.backend == "'"$1"'"'
}

# The same socket, which goes on sending.
still_talks() {
	hold_ask
	echo "$HELD"
	[[ $HELD = "a "* ]]
}

change_to() {
	begin_loops
	hold_open 1 client udp 10.96.0.40 53
	sleep $((PATIENCE / 2 + 1))
	daemon_end TERM
	must "a restart with --backend $1" daemon_start --backend "$1" --drain-timeout 2s
	check "comes to rest" eventually 60 settled_on "$1"
	sleep $((PATIENCE / 2 + 1))
	end_loops "to $1"
	check "a client that goes on sending UDP from one port is answered" \
		eventually 20 still_talks
	hold_close
}

without_ipvs() {
	[ "$(ipvs)" = "" ] || {
		ipvs
		return 1
	}
}

rules() {
	in_node iptables-save
	in_node ip6tables-save
}

without_rules() {
	rules | tee "$WORK/last" | not grep -E 'KUBE-(SVC-|SVL-|SEP-|EXT-|DISPATCH|NODEPORTS)'
}

# What a fresh start of that backend writes, to compare with.
fresh() {
	lab_again
	write_services
	must "a fresh start with --backend $1" daemon_start --backend "$1"
	rules | grep -E '^(:KUBE|-A)' | sed 's/ \[[0-9:]*\]$//' | sort >"$WORK/rules-$1"
	in_node ipset save | sed 's/ initval .*//' | sort >"$WORK/sets-$1"
}

as_fresh() {
	diff -u "$WORK/rules-$1" <(rules | grep -E '^(:KUBE|-A)' |
		sed 's/ \[[0-9:]*\]$//' | sort) &&
		diff -u "$WORK/sets-$1" <(in_node ipset save | sed 's/ initval .*//' | sort)
}

lab_up
in_node ipvsadm -Ln >/dev/null 2>&1 || skip_all "this kernel has no ip_vs"
fresh ipvs
fresh iptables
change_to ipvs
check "no chain of iptables is left" eventually 60 without_rules
check "all is as after a fresh start" as_fresh ipvs
change_to iptables
check "no virtual server is left" eventually 60 without_ipvs
check "all is as after a fresh start" as_fresh iptables
tap_done
