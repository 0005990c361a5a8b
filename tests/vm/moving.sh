# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For scenarios in which a node moves from one program or backend to another; source it after
# lab.sh. It has the Services, clients that connect to them all the time, and the state after a
# fresh start.

# The addresses of masqueraded clients at the endpoints.
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
		spec: {clusterIP: 10.96.0.30, clusterIPs: [10.96.0.30, "fd00:96::30"], ports: [{port: 80}]}
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
	loop_start none client tcp 10.96.0.30 80
	loop_start cluster-6 client tcp fd00:96::10 80
	loop_start port-6 client tcp $NODE_IP6 30080
}

# end_loops SENTENCE: checks that no client has seen an error.
end_loops() {
	check "$1: no connection to a cluster IP failed" loop_never_failed cluster "[ac] $NODE"
	check "$1: no connection of the node failed" loop_never_failed node "[ac] $NODE"
	check "$1: no connection to a NodePort failed" loop_never_failed port "[ac] $NODE"
	check "$1: no connection with policy Local failed or lost its client address" \
		loop_never_failed near "a 192\.168\.50\.12"
	check "$1: no admitted connection to the load balancer address failed" \
		loop_never_failed lb "[ac] $NODE"
	check "$1: other clients never reached the load balancer address" \
		loop_never_answered outsider
	check "$1: a Service without endpoints never answered" loop_never_answered none
	check "$1: no connection over IPv6 failed" loop_never_failed cluster-6 "[ac] $NODE"
	check "$1: no connection to a NodePort over IPv6 failed" \
		loop_never_failed port-6 "[ac] $NODE"
}

rules() {
	in_node iptables-save
	in_node ip6tables-save
}

# state BACKEND: writes the sets and rules of both interfaces to files.
state() {
	rules | grep -E '^(:KUBE|-A)' | sed 's/ \[[0-9:]*\]$//' | sort >"$WORK/rules-$1"
	in_node ipset save | sed 's/ initval .*//' | sort >"$WORK/sets-$1"
	in_node nft list tables | grep ipvsctl-svc | while read -r _ family name; do
		in_node nft list table "$family" "$name"
	done | sort >"$WORK/nftables-$1"
}

# fresh BACKEND: records the state after a start on an empty node, for as_fresh BACKEND to compare
# with.
fresh() {
	lab_again
	write_services
	must "a fresh start with --backend $1 succeeds" daemon_start --backend "$1"
	state "$1"
}

as_fresh() {
	local part
	state now
	for part in rules sets nftables; do
		diff -u "$WORK/$part-$1" "$WORK/$part-now" || return
	done
}

# settled_on BACKEND: whether this backend has no pending work.
settled_on() {
	settled && in_node "$SVC" status --socket "$STATUS_SOCKET" -o json |
		json_says '.backend == "'"$1"'"'
}

# A client that keeps sending from one socket.
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
	must "a restart with --backend $1 succeeds" daemon_start --backend "$1" --drain-timeout 2s
	check "no work is pending after the restart with --backend $1" eventually 60 settled_on "$1"
	check "change to $1: the kernel refused nothing" not grep "the kernel refused" "$DAEMON_LOG"
	sleep $((PATIENCE / 2 + 1))
	end_loops "change to $1"
	check "change to $1: a client that keeps sending UDP from one port gets answers" \
		eventually 20 still_talks
	hold_close
}
