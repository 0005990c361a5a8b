#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests every flow of flows.table with real packets. BACKEND is the backend to use.
. "$(dirname "$0")/lab.sh"

BACKEND=${BACKEND:-ipvs}
TABLE=${TABLE:-$(dirname "$0")/flows.table}

# The addresses of the names in the table: "a4" is the IPv4 address of a.
declare -A NAMESPACE=([client]=client [stranger]=client [node]=node [a]=a [b]=b [c]=c [d]=d)
declare -A ADDRESS=([a4]=$POD_A [b4]=$POD_B [c4]=$POD_C [d4]=$POD_D [a6]=$POD_A6 [b6]=$POD_B6
	[c6]=$POD_C6 [d6]=$POD_D6 [client4]=$CLIENT_IP [client6]=$CLIENT_IP6
	[stranger4]=192.168.50.11 [stranger6]=fd00:50::11 [localhost4]=127.0.0.1 [localhost6]=::1
	[node4]=$NODE_IP [node6]=$NODE_IP6 [node24]=$NODE_IP_2 [node26]=fd00:60::1)
declare -A NODE_OF=([a]=node-a [c]=node-b)
declare -A TARGET_PORT=([tcp]=8080 [udp]=5353 [sctp]=9000)
declare -A STATE=(
	[:terminating]=', conditions: {ready: false, serving: true, terminating: true}'
	[:gone]=', conditions: {ready: false, serving: false, terminating: true}'
	[:starting]=', conditions: {ready: false, serving: true, terminating: false}')

# The contents of the table. A flow is "FROM TO FAMILY PROTOCOL"; it leads to "REACHED SEEN".
lines=()
declare -A number=() # of a Service, which is in all its addresses
declare -A instead=() reason=()
flows=() # under the options at hand
declare -A wanted=()

broken() {
	echo "Bail out! $TABLE: $*"
	exit 1
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

# ---- The table ----

# each CALL FROM,.. TO FAMILIES PROTOCOL,.. WORD...: calls CALL "FLOW" WORD... for each combination.
each() {
	local call=$1 to=$3 families=$4 from proto family
	local froms=${2//,/ } protos=${5//,/ }
	shift 5
	for from in $froms; do
		[ -n "${NAMESPACE[$from]:-}" ] || broken "who is $from?"
		for proto in $protos; do
			for family in 4 6; do
				[[ $families != *$family* ]] || "$call" "$from $to $family $proto" "$@"
			done
		done
	done
}

want_instead() {
	local leads_to="${*:2}"
	instead[$1]=${leads_to%% #*}
	reason[$1]=${leads_to#*# }
}

want() {
	[ -z "${wanted[$1]:-}" ] || broken "$1 is there twice"
	flows+=("$1")
	wanted[$1]=${instead[$1]:-${*:2}}
}

read_table() {
	local line words
	while read -r line; do
		[[ $line != "" && $line != "#"* ]] || continue
		lines+=("$line")
		read -ra words <<<"$line"
		case $line in
		"service "*) number[${words[1]}]=$((${#number[@]} + 1)) ;;
		"instead $BACKEND "*) each want_instead "${words[@]:2}" ;;
		esac
	done <"$TABLE"
}

# ---- Asking ----

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

# Asks all flows at once from all sides; `answers` has the answers to each.
ask_all() {
	local i words reached commas many source name pids=() line
	rm -f "$WORK"/ask-*
	for i in "${!flows[@]}"; do
		read -ra words <<<"${flows[i]}"
		destination "${words[1]}" "${words[2]}"
		reached=${wanted[${flows[i]}]%% *}
		commas=${reached//[^,]/}
		many=$((${#commas} + 1))
		[ "$reached" != dropped ] || many=0
		source=${ADDRESS[${words[0]}${words[2]}]}
		# The node chooses its own source address.
		[ "${words[0]}" != node ] || source=-
		echo "$i ${words[3]} $DESTINATION $source $many" \
			>>"$WORK/ask-${NAMESPACE[${words[0]}]}"
	done
	for name in "$WORK"/ask-*; do
		inside "${name##*-}" "$PEER" survey $((2000 * PATIENCE)) <"$name" >"$name.heard" &
		pids+=($!)
	done
	wait "${pids[@]}"
	answers=()
	while read -r i line; do
		answers[i]=$line
	done < <(cat "$WORK"/ask-*.heard)
}

# Sets CAME to the result of ANSWER ("NAME@ADDRESS" or a word) as the client sees it.
translate() {
	local from=$1 family=$2 address=${3#*@}
	CAME=${3%%@*}
	if [ "$CAME" = timeout ]; then
		CAME=dropped
	elif [[ " ${ADDRESS[node$family]} ${ADDRESS[node2$family]} " = *" $address "* ]]; then
		CAME+=@node
	elif [ "$address" = "${ADDRESS[$from$family]}" ]; then
		CAME+=@kept
	elif [ "$CAME" != "$3" ]; then
		CAME+=@$address
	fi
}

# leads_to FLOW WANTED ANSWER...: checks that all answers are as wanted.
leads_to() {
	local words reached=${2%% *} seen=${2#* } came=() name expected=()
	read -ra words <<<"$1"
	for name in "${@:3}"; do
		translate "${words[0]}" "${words[2]}" "$name"
		came+=("$CAME")
	done
	echo "came: ${came[*]}"
	if [[ $reached = *'|'* ]]; then
		[ ${#came[@]} = 1 ] && [[ "|$reached|" = *"|${came[0]%@*}|"* ]]
		return
	fi
	for name in ${reached//,/ }; do
		if [ "$name" = "${words[0]}" ]; then
			expected+=("$name@node")
		elif [ "$seen" != "$2" ]; then
			expected+=("$name@$seen")
		else
			expected+=("$name")
		fi
	done
	[ ${#came[@]} = ${#expected[@]} ] || return
	for name in "${expected[@]}"; do
		[[ " ${came[*]} " = *" $name "* ]] || return
	done
}

# Asks the flows that were read since the last call, with the options of that name.
run_flows() {
	local i flow sentence answers
	[ ${#flows[@]} != 0 ] || return 0
	ask_all
	for i in "${!flows[@]}"; do
		flow=${flows[i]}
		sentence="$1: $flow: ${wanted[$flow]}${reason[$flow]:+ (${reason[$flow]})}"
		if [[ $flow = *" sctp" ]] && ! $has_sctp; then
			skip "$sentence" "$no_sctp"
			continue
		fi
		# shellcheck disable=SC2086
		check "$sentence" leads_to "$flow" "${wanted[$flow]}" ${answers[i]:-nothing}
	done
	flows=()
	wanted=()
}

# start_with NAME [BACKEND,..] OPTION...: starts the daemon, if this backend is one of those named.
start_with() {
	local name=$1 backends=,
	shift
	if [[ ${1:-} = [a-z]* ]]; then
		backends=",$1,"
		shift
	fi
	options=
	[ -z "$DAEMON_PID" ] || daemon_end TERM
	if [ "$backends" != , ] && [[ $backends != *",$BACKEND,"* ]]; then
		skip "$name" "not for $BACKEND"
		return
	fi
	must "the daemon starts $name" daemon_start --backend "$BACKEND" "$@"
	# A socket may get the port of an earlier one, which conntrack remembers with other options.
	in_node conntrack -F 2>/dev/null
	options=$name
}

prepare_lab() {
	local name
	lab_up
	lab_background "$WORK/serve-node" node "$PEER" serve host tcp:80 tcp:9999 udp:80 udp:9999
	eventually 2 grep -q serving "$WORK/serve-node"
	for name in client node b; do
		inside $name sysctl -qw net.ipv4.ping_group_range="0 0"
	done
	# Send every refusal, even the hundredth within a second.
	in_node sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0
	# Drop packets to these ports, so that the daemon must open health check node ports.
	for name in iptables ip6tables; do
		in_node $name -A INPUT -p tcp --dport 32000:32767 -j DROP
	done
}

prepare_lab
has_sctp=false
no_sctp="this kernel has no sctp module"
! lab_has_sctp || has_sctp=true
# Now and then an association cannot be set up, because conntrack treats its packets as invalid.
if $has_sctp && [ "$BACKEND" = iptables ]; then
	has_sctp=false
	no_sctp="connection tracking takes some packets of SCTP for invalid"
fi
read_table
write_services
options=
for line in "${lines[@]}"; do
	read -ra words <<<"$line"
	case $line in
	"service "* | "instead "*) ;;
	"options "*)
		run_flows "$options"
		start_with "${words[@]:1}"
		;;
	*) [ -z "$options" ] || each want "${words[@]}" ;;
	esac
done
run_flows "$options"
tap_done
