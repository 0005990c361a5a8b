# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Reads a table of flows and asks each with real packets; source it after lab.sh. A row is
#
#   FROM,.. TO FAMILIES PROTOCOLS REACHED [SEEN]
#
# as flows.table explains. A script that uses it sets BACKEND, TABLE, and NAMESPACE and ADDRESS for
# the names in the table: "a4" is the IPv4 address of a. It defines two functions:
#
#   destination TO FAMILY   sets DESTINATION to "ADDRESS PORT"
#   table_line LINE         is told of each line of the table
#
# It calls flows_read, writes its Services, and calls flows_run.

declare -A NAMESPACE ADDRESS
# A flow is "FROM TO FAMILY PROTOCOL"; it leads to "REACHED SEEN".
lines=()
declare -A instead=() reason=()
flows=() # under the options at hand
declare -A wanted=()
options=
has_sctp=false
no_sctp="this kernel has no sctp module"

broken() {
	echo "Bail out! $TABLE: $*"
	exit 1
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

# flows_read: reads the table into `lines`.
flows_read() {
	local line words
	! lab_has_sctp || has_sctp=true
	# Now and then an association cannot be set up, because conntrack treats its packets as
	# invalid.
	if $has_sctp && [ "$BACKEND" = iptables ]; then
		has_sctp=false
		no_sctp="connection tracking takes some packets of SCTP for invalid"
	fi
	while read -r line; do
		[[ $line != "" && $line != "#"* ]] || continue
		lines+=("$line")
		read -ra words <<<"$line"
		table_line "$line"
		[[ $line != "instead $BACKEND "* ]] || each want_instead "${words[@]:2}"
	done <"$TABLE"
}

# ---- Asking ----

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
		inside "${name##*/ask-}" "$PEER" survey $((2000 * PATIENCE)) <"$name" >"$name.heard" &
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
	elif [[ " ${ADDRESS[node$family]} ${ADDRESS[node2$family]} ${ADDRESS[node3$family]:-} " = *" $address "* ]]; then
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
		# A router may say that it does not find an address of nobody, or say so now and then.
		[ "$reached $CAME" != "dropped unreachable" ] || CAME=dropped
		[[ " ${came[*]} " = *" $CAME "* ]] || came+=("$CAME")
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

# ask_in_doubt: asks the first few flows that came elsewhere once more, each alone: two clients of one
# virtual server that ask in step hear one of two servers each.
ask_in_doubt() {
	local all=("${flows[@]}") heard=() again=() i
	for i in "${!all[@]}"; do
		heard[i]=${answers[i]:-nothing}
		# shellcheck disable=SC2086
		leads_to "${all[i]}" "${wanted[${all[i]}]}" ${heard[i]} >/dev/null || again+=("$i")
	done
	for i in "${again[@]:0:4}"; do
		flows=("${all[i]}")
		ask_all
		heard[i]=${answers[0]:-nothing}
	done
	flows=("${all[@]}")
	answers=("${heard[@]}")
}

# flows_ask NAME: asks the flows that were read since the last call, with the options of that name.
flows_ask() {
	local i flow sentence answers
	[ ${#flows[@]} != 0 ] || return 0
	ask_all
	ask_in_doubt
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

# start_with NAME [BACKEND,..] OPTION...: starts the daemon, if this backend is one of those named,
# and with the options ONLY alone if that is set.
start_with() {
	local name=$1 backends=,
	shift
	if [[ ${1:-} = [a-z]* ]]; then
		backends=",$1,"
		shift
	fi
	options=
	[ -z "$DAEMON_PID" ] || daemon_end TERM
	[ "${ONLY:-$name}" = "$name" ] || return 0
	if [ "$backends" != , ] && [[ $backends != *",$BACKEND,"* ]]; then
		skip "$name" "not for $BACKEND"
		return
	fi
	must "the daemon starts $name" daemon_start --backend "$BACKEND" "$@"
	# A socket may get the port of an earlier one, which conntrack remembers with other options.
	in_node conntrack -F 2>/dev/null
	options=$name
}

# flows_run: starts the daemon with each line of options, and asks the rows that follow.
flows_run() {
	local line words
	for line in "${lines[@]}"; do
		read -ra words <<<"$line"
		if [ "${words[0]}" = options ]; then
			flows_ask "$options" && flows_asked "$options"
			start_with "${words[@]:1}"
		elif [[ -n $options && ${words[2]} =~ ^[46]+$ ]]; then
			each want "${words[@]}"
		fi
	done
	flows_ask "$options"
	flows_asked "$options"
}

# A script may define this anew: the daemon still runs with the options of that name.
flows_asked() {
	:
}
