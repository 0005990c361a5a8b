#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that Services take only their own ports of external addresses that have another owner: every
# flow of external.table with real packets, the answers to ARP and neighbour discovery, and path MTU
# discovery. BACKEND is the backend to use.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/outside.sh"
. "$(dirname "$0")/flows.sh"

BACKEND=${BACKEND:-ipvs}
TABLE=$(dirname "$0")/external.table

NAMESPACE=([client]=client [node]=node [a]=a [b]=b [c]=c [d]=d [node-b]=node-b [far]=far)
ADDRESS=([a4]=$POD_A [b4]=$POD_B [c4]=$POD_C [d4]=$POD_D [a6]=$POD_A6 [b6]=$POD_B6
	[c6]=$POD_C6 [d6]=$POD_D6 [client4]=$CLIENT_IP [client6]=$CLIENT_IP6)
outside_addresses

table_line() {
	:
}

destination() {
	DESTINATION="${ADDRESS[${1%:*}$2]:-} ${1##*:}"
	[ "${DESTINATION% *}" != "" ] || broken "there is no $1"
}

# ---- The Services ----

EXTERNAL="$FAR, $NEAR, $NODE_B, $NOBODY, $NOBODY_HERE, $POOL,
	'$FAR6', '$NEAR6', '$NODE_B6', '$NOBODY6', '$NOBODY_HERE6', '$POOL6'"

# service NAME PORT ENDPOINTS4 ENDPOINTS6 [SPEC]: writes a Service with these external addresses.
service() {
	local n=$2 ports
	ports="[{name: t, port: 8080}, {name: u, port: 5353, protocol: UDP}, {name: s, port: 9000, protocol: SCTP}]"
	manifest "$1.yaml" <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: $1}
		spec:
		  clusterIP: 10.96.0.$n
		  clusterIPs: [10.96.0.$n, "fd00:96::$n"]
		  externalIPs: [$EXTERNAL]
		  ports:
		  - {name: t, port: $n}
		  - {name: u, port: $n, protocol: UDP}
		  - {name: s, port: $n, protocol: SCTP}
		  ${5:-}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice "$1-4" "$1" IPv4 "$ports" "$3")
		$(slice "$1-6" "$1" IPv6 "$ports" "$4")
	END
}

services() {
	local all="{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}"
	local all6="{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}"
	service both 80 "$all" "$all6"
	service local 81 "$all" "$all6" "externalTrafficPolicy: Local"
	service none 82 "" ""
	# For transfers; pod a is behind a link with a small MTU.
	manifest store.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: store}
		spec:
		  clusterIP: 10.96.0.83
		  clusterIPs: [10.96.0.83, "fd00:96::83"]
		  externalIPs: [$EXTERNAL]
		  ports: [{name: t, port: 83}, {name: u, port: 83, protocol: UDP}]
		---
		apiVersion: v1
		kind: List
		items:
		$(slice store-4 store IPv4 "[{name: t, port: 7000}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: [$POD_B], nodeName: node-a}")
		$(slice store-6 store IPv6 "[{name: t, port: 7000}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: ['$POD_B6'], nodeName: node-a}")
	END
}

# ---- ARP and neighbour discovery ----

owns() {
	equal "only $1 says on the link that it has $2" "$(who_has "$2" "$3" | sort -u)" "$1"
}

not_node() {
	equal "the node does not say on the link that it has $1" "$(who_has "$1" "$2")" ""
}

links() {
	owns near "$NEAR" "$NEAR"
	owns near "$NEAR6" "$NEAR6"
	not_node "$FAR" "$NODE_IP_3"
	not_node "$NODE_B" "$NODE_IP_3"
	not_node "$NOBODY_HERE" "$NODE_IP_3"
	not_node "$NOBODY" "$NODE_IP_3"
	not_node "$FAR6" fd00:70::1
	not_node "$NOBODY_HERE6" fd00:70::1
}

# ---- Path MTU ----

# moves SENTENCE FROM up|down ADDRESS
moves() {
	check "$1" inside "$2" "$PEER" transfer $((10000 * PATIENCE)) "$3" 300000 "$4" 83
}

# learns FROM MTU ADDRESS [SIZE]: whether the sender of datagrams that must not be fragmented learns
# the MTU.
learns() {
	equal "$1 learns the MTU of an endpoint's link through $3" \
		"$(inside "$1" "$PEER" datagram $((10000 * PATIENCE)) "${4:-1400}" "$3" 83)" "mtu $2"
}

path_mtu() {
	local address
	lab_background "$WORK/store" b "$PEER" store 7000
	must "a store serves" eventually 20 grep -q serving "$WORK/store"
	# The endpoint sends through the small link between gw and far.
	for address in "$POOL" "$POOL6"; do
		moves "a client behind a link with a small MTU receives from $address" far down "$address"
		moves "a client behind a link with a small MTU sends to $address" far up "$address"
	done
	# The link to the endpoint is small, which the endpoint does not know.
	ip -n "$LAB-node" link set pod-b mtu 1300
	for address in "$FAR" "$NEAR" "$NODE_B" "$NOBODY" "$FAR6" "$NEAR6" "$NODE_B6" "$NOBODY6"; do
		moves "a client sends to an endpoint behind a link with a small MTU: $address" client up "$address"
		learns client 1300 "$address"
	done
	for address in "$FAR" "$FAR6"; do
		moves "a pod sends to an endpoint behind a link with a small MTU: $address" a up "$address"
		learns a 1300 "$address"
		moves "the node sends to an endpoint behind a link with a small MTU: $address" \
			node up "$address"
	done
	ip -n "$LAB-node" link set pod-b mtu 1500
}

# The pool is the node's as a whole, and so are ICMP messages to it. They pass a firewall that accepts
# no more than neighbour discovery.
path_mtu_of_pool() {
	local address
	in_node iptables -P INPUT DROP
	in_node ip6tables -P INPUT DROP
	in_node ip6tables -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT
	in_node ip6tables -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT
	# The endpoint forgets what it has learnt; of IPv6 only with the route.
	inside b sysctl -qw net.ipv4.route.flush=1
	ip -n "$LAB-b" route del ::/0
	ip -n "$LAB-b" route add ::/0 via fe80::1 dev eth0
	for address in "$POOL" "$POOL6"; do
		moves "a client behind a link with a small MTU receives through a firewall from $address" \
			far down "$address"
	done
	ip -n "$LAB-node" link set pod-b mtu 1280
	learns far 1280 "$POOL" 1260
	learns far 1280 "$POOL6" 1240
	ip -n "$LAB-node" link set pod-b mtu 1500
	in_node iptables -P INPUT ACCEPT
	in_node ip6tables -P INPUT ACCEPT
	in_node ip6tables -D INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT
	in_node ip6tables -D INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT
}

# flows_asked OPTIONS: the daemon still runs with them.
flows_asked() {
	case $1 in
	by-default)
		equal "the node answers no ping for others" "$(echoes)" 0
		links
		path_mtu
		;;
	with-whole-pools)
		path_mtu_of_pool
		;;
	esac
}

lab_up
outside_up
flows_read
services
flows_run
tap_done
