#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests every flow of flows.table with real packets. BACKEND is the backend to use.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/flows.sh"

BACKEND=${BACKEND:-ipvs}
TABLE=${TABLE:-$(dirname "$0")/flows.table}

NAMESPACE=([client]=client [stranger]=client [node]=node [a]=a [b]=b [c]=c [d]=d)
ADDRESS=([a4]=$POD_A [b4]=$POD_B [c4]=$POD_C [d4]=$POD_D [a6]=$POD_A6 [b6]=$POD_B6
	[c6]=$POD_C6 [d6]=$POD_D6 [client4]=$CLIENT_IP [client6]=$CLIENT_IP6
	[stranger4]=192.168.50.11 [stranger6]=fd00:50::11 [localhost4]=127.0.0.1 [localhost6]=::1
	[node4]=$NODE_IP [node6]=$NODE_IP6 [node24]=$NODE_IP_2 [node26]=fd00:60::1)
declare -A NODE_OF=([a]=node-a [c]=node-b)
declare -A TARGET_PORT=([tcp]=8080 [udp]=5353 [sctp]=9000)
declare -A STATE=(
	[:terminating]=', conditions: {ready: false, serving: true, terminating: true}'
	[:gone]=', conditions: {ready: false, serving: false, terminating: true}'
	[:starting]=', conditions: {ready: false, serving: true, terminating: false}')

declare -A number=() # of a Service, which is in all its addresses

table_line() {
	local words
	read -ra words <<<"$1"
	[ "${words[0]}" != service ] || number[${words[1]}]=$((${#number[@]} + 1))
}

# ---- Services as manifests ----

endpoint() {
	local name=${1%%:*} state=${1:1}
	if [ "$state" = :hinted ]; then
		state=", hints: {forNodes: [{name: ${NODE_OF[$name]}}]}"
	else
		state=${STATE[${state:-none}]:-}
	fi
	printf '{addresses: ["%s"], nodeName: %s%s}, ' "${ADDRESS[$name$2]}" "${NODE_OF[$name]}" \
		"$state"
}

# Prints the ports of a Service, or of its slices.
ports() {
	local proto=$1
	printf '{name: %s, protocol: %s, port: %s%s}, ' "$proto" "${proto^^}" "$2" "$3"
}

# service NAME TYPE FAMILIES PROTOCOLS ENDPOINTS [SPEC]: prints its objects as items of a List.
service() {
	local name=$1 type=$2 families=$3 protos=${4//,/ } endpoints=${5//none/} n=${number[$1]}
	local spec=${*:6} status="" node_port="" proto word family list
	spec="clusterIP: 10.96.0.$n${spec:+, $spec}"
	if [ "$families" = 46 ]; then
		spec+=", clusterIPs: [10.96.0.$n, 'fd00:96::$n'], ipFamilies: [IPv4, IPv6]"
	fi
	if [ "$type" != ClusterIP ]; then
		spec+=", externalIPs: [198.51.100.$n, 'fd00:51::$n']"
	fi
	if [ "$type" = LoadBalancer ]; then
		spec+=", type: LoadBalancer, healthCheckNodePort: $((32000 + n))"
		node_port=", nodePort: $((30000 + n))"
		status=", status: {loadBalancer: {ingress: [{ip: 203.0.113.$n}, {ip: 'fd00:113::$n'}]}}"
	fi
	list=$(for proto in $protos; do ports "$proto" 80 "$node_port"; done)
	echo "- {apiVersion: v1, kind: Service, metadata: {name: $name}," \
		"spec: {$spec, ports: [$list]}$status}"
	list=$(for proto in $protos; do ports "$proto" "${TARGET_PORT[$proto]}"; done)
	for family in 4 6; do
		slice "$name-$family" "$name" "IPv$family" "[$list]" \
			"$(for word in ${endpoints//,/ }; do endpoint "$word" $family; done)"
	done
}

write_services() {
	local line
	{
		echo "apiVersion: v1"
		echo "kind: List"
		echo "items:"
		for line in "${lines[@]}"; do
			# shellcheck disable=SC2086
			[[ $line != "service "* ]] || service ${line#service }
		done
	} | manifest services.yaml
}

# Sets DESTINATION to "ADDRESS PORT" for SERVICE.ADDRESS[:PORT] or host:PORT of the table.
destination() {
	local to=${1%:*} family=$2 port=80 n address
	n=${number[${to%.*}]:-}
	[ -n "$n" ] || [ "$to" = host ] || broken "there is no $1"
	case ${to#*.}$family in
	host?) address=${ADDRESS[node$family]} ;;
	cluster4) address=10.96.0.$n ;;
	cluster6) address=fd00:96::$n ;;
	ext4) address=198.51.100.$n ;;
	ext6) address=fd00:51::$n ;;
	lb4) address=203.0.113.$n ;;
	lb6) address=fd00:113::$n ;;
	at-node2?) address=${ADDRESS[node2$family]} ;;
	health?) address=${ADDRESS[node$family]} port=$((32000 + n)) ;;
	node? | node2? | localhost?) address=${ADDRESS[${to#*.}$family]} port=$((30000 + n)) ;;
	*) broken "there is no $1" ;;
	esac
	[ "$to" = "$1" ] || port=${1##*:}
	DESTINATION="$address $port"
}

prepare_lab() {
	local name
	lab_up
	lab_background "$WORK/serve-node" node "$PEER" serve host tcp:80 tcp:9999 udp:80 udp:9999
	eventually 20 grep -q serving "$WORK/serve-node"
	for name in client node b; do
		inside $name sysctl -qw net.ipv4.ping_group_range="0 0"
	done
	# Send every refusal, even the hundredth within a second.
	in_node sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0
	# Drop packets to these ports, so that the daemon must open health check node ports. From
	# nftables nobody can open what iptables drops.
	for name in iptables ip6tables; do
		[ "${NETFILTER:-}" != nftables ] || break
		in_node $name -A INPUT -p tcp --dport 32000:32767 -j DROP
	done
}

prepare_lab
flows_read
write_services
flows_run
tap_done
