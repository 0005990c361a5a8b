# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A small cluster in network namespaces, for the scenarios (test_*.sh) to source:
#
#   client ----------------- node ---------------------- node-b --- pod c
#   192.168.50.10 to .17     192.168.50.1 192.168.60.1   192.168.60.2   10.244.2.21
#   fd00:50::10 to ::17      fd00:50::1   fd00:60::1     fd00:60::2     fd00:10:244:2::21
#                              |        |        |
#                            pod a    pod b    pod d     Pods are routed, not bridged: so a reply
#                   10.244.1.11      10.244.1.12         from one pod to another passes the node.
#             fd00:10:244:1::11      fd00:10:244:1::12   Pod d, 10.244.3.31 fd00:10:244:3::31, stands
#                                                        for one of a third node, behind eth2.
#
# The daemon runs on "node". Each call of lab_up makes a new lab with a new IPVS, because deleted
# real servers stay in IPVS's trash for minutes and slow it down.
#
# tests/vm/run-here sets PEER, SVCD, SVC (the programs), WORK (an empty directory), PATIENCE (the
# factor of timeouts on a slow machine) and SLOW (the factor of asserted durations).

. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

POD_A=10.244.1.11
POD_B=10.244.1.12
POD_C=10.244.2.21
POD_D=10.244.3.31
POD_A6=fd00:10:244:1::11
POD_B6=fd00:10:244:1::12
POD_C6=fd00:10:244:2::21
POD_D6=fd00:10:244:3::31
NODE_IP=192.168.50.1
NODE_IP_2=192.168.60.1
NODE_IP6=fd00:50::1
CLIENT_IP=192.168.50.10
CLIENT_IP6=fd00:50::10
CLUSTER_CIDR=10.244.0.0/16,fd00:10:244::/48

lab_number=0
lab_namespaces=()
lab_pids=()
DAEMON_PID=

# ---- Waiting ----

# eventually SECONDS COMMAND...: repeats the command until it succeeds; fails after that time.
eventually() {
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			# Run it again for its output.
			"$@"
			return
		fi
		sleep 0.02
	done
}

# ---- Namespaces ----

# inside NAMESPACE COMMAND...: runs it in client, node, node-b, a, b, c or d.
inside() {
	local name=$1
	shift
	nsenter --net="/run/netns/$LAB-$name" -- "$@"
}

in_node() {
	inside node "$@"
}

# enter NAMESPACE COMMAND...: as inside, but replaces this (sub)shell, so that its process can be
# killed.
enter() {
	local name=$1
	shift
	exec nsenter --net="/run/netns/$LAB-$name" -- "$@"
}

# pod NAME NODE ADDRESS ADDRESS6 DEVICE: a namespace with one interface, routed through its node.
lab_pod() {
	local name=$LAB-$1 node=$LAB-$2
	ip link add eth0 netns "$name" type veth peer name "$5" netns "$node"
	ip -n "$node" -batch - <<-END
		addr add fe80::1/64 dev $5 nodad
		link set $5 up
		route add $3/32 dev $5
		route add $4/128 dev $5
	END
	ip -n "$name" -batch - <<-END
		link set lo up
		addr add $3/32 dev eth0
		addr add $4/128 dev eth0 nodad
		link set eth0 up
		route add 0.0.0.0/0 via inet6 fe80::1 dev eth0
		route add ::/0 via fe80::1 dev eth0
	END
}

# lab_namespaces_add NAME...: makes namespaces, which lab_down deletes.
lab_namespaces_add() {
	local name
	lab_namespaces+=("$@")
	printf "netns add $LAB-%s\n" "$@" | ip -batch -
	# Without duplicate address detection an address works at once.
	for name in "$@"; do
		inside "$name" sysctl -qw net.ipv6.conf.default.accept_dad=0
	done
}

lab_network() {
	local i
	lab_namespaces_add client node node-b a b c d
	ip link add eth0 netns "$LAB-client" type veth peer name eth0 netns "$LAB-node"
	ip link add eth1 netns "$LAB-node" type veth peer name eth0 netns "$LAB-node-b"
	{
		for i in 0 1 2 3 4 5 6 7; do
			echo "addr add 192.168.50.1$i/24 dev eth0"
			echo "addr add fd00:50::1$i/64 dev eth0 nodad"
		done
		echo "link set lo up"
		echo "link set eth0 up"
		echo "route add default via $NODE_IP"
		echo "route add ::/0 via $NODE_IP6"
	} | ip -n "$LAB-client" -batch -
	ip -n "$LAB-node" -batch - <<-END
		link set lo up
		addr add $NODE_IP/24 dev eth0
		addr add $NODE_IP6/64 dev eth0 nodad
		addr add $NODE_IP_2/24 dev eth1
		addr add fd00:60::1/64 dev eth1 nodad
		link set eth0 up
		link set eth1 up
		route add default via $CLIENT_IP
		route add ::/0 via $CLIENT_IP6
		route add 10.244.2.0/24 via 192.168.60.2
		route add fd00:10:244:2::/64 via fd00:60::2
	END
	ip -n "$LAB-node-b" -batch - <<-END
		link set lo up
		addr add 192.168.60.2/24 dev eth0
		addr add fd00:60::2/64 dev eth0 nodad
		link set eth0 up
		route add default via $NODE_IP_2
		route add ::/0 via fd00:60::1
	END
	# The daemon must enable IPv4 forwarding on the node.
	inside node sysctl -qw net.ipv6.conf.all.forwarding=1
	inside node-b sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	lab_pod a node "$POD_A" "$POD_A6" pod-a
	lab_pod b node "$POD_B" "$POD_B6" pod-b
	lab_pod c node-b "$POD_C" "$POD_C6" pod-c
	lab_pod d node "$POD_D" "$POD_D6" eth2
}

# lab_background LOG NAMESPACE COMMAND...: runs it until lab_down; sets BACKGROUND_PID.
lab_background() {
	local log=$1
	shift
	enter "$@" >"$log" 2>&1 </dev/null &
	BACKGROUND_PID=$!
	lab_pids+=("$BACKGROUND_PID")
}

lab_serve() {
	local pod ports=(tcp:8080 tcp:8081 tcp:8443 udp:5353)
	! modprobe -q sctp || ports+=(sctp:9000)
	for pod in a b c; do
		lab_background "$WORK/serve-$pod" "$pod" "$PEER" serve "$pod" "${ports[@]}"
	done
	for pod in a b c; do
		eventually 20 grep -q serving "$WORK/serve-$pod" || return
	done
}

lab_has_sctp() {
	grep -qw SCTP /proc/net/protocols
}

# lab_up: makes a new lab with servers in all pods, and an empty directory MANIFESTS. At the end of the
# scenario it is removed; a scenario that has more to undo sets its trap, with lab_down in it, before.
lab_up() {
	lab_number=$((lab_number + 1))
	LAB=lab$$-$lab_number
	WORK_LAB=$WORK/$lab_number
	MANIFESTS=$WORK_LAB/manifests
	STATUS_SOCKET=$WORK_LAB/status.sock
	DAEMON_LOG=$WORK_LAB/daemon.log
	mkdir -p "$MANIFESTS"
	: >"$DAEMON_LOG"
	[ -n "$(trap -p EXIT)" ] || trap lab_down EXIT
	if ! lab_network || ! lab_serve; then
		note "$(cat "$WORK"/serve-*)"
		echo "Bail out! the lab could not be built"
		exit 1
	fi
}

lab_down() {
	local pid name
	if [ "$tap_failures" != 0 ] && [ -s "${DAEMON_LOG:-}" ]; then
		note "end of the daemon's log:"
		note "$(tail -n 30 "$DAEMON_LOG")"
	fi
	for pid in "${lab_pids[@]}" $DAEMON_PID; do
		kill -KILL "$pid" 2>/dev/null
	done
	for pid in "${lab_pids[@]}" $DAEMON_PID; do
		wait "$pid" 2>/dev/null
	done
	lab_pids=()
	DAEMON_PID=
	# A process that is left, such as the child of one that was killed, would keep the namespace, with
	# all that it uses of the kernel's modules.
	for name in "${lab_namespaces[@]}"; do
		for pid in $(ip netns pids "$LAB-$name" 2>/dev/null); do
			kill -KILL "$pid" 2>/dev/null
		done
		ip netns del "$LAB-$name" 2>/dev/null
	done
	lab_namespaces=()
}

# lab_again: replaces the lab by a new one.
lab_again() {
	lab_down
	lab_up
}

# ---- Traffic ----

# ask FROM [OPTION...] PROTO ADDRESS PORT: prints the answers, one per line ("a 192.168.50.10").
ask() {
	local from=$1
	shift
	inside "$from" "$PEER" ask -w $((2000 * PATIENCE)) "$@"
}

# refused FROM PROTO ADDRESS PORT: whether the connection is refused at once.
refused() {
	inside "$1" "$PEER" ask -w $((2000 * PATIENCE)) "${@:2}" | tee "$WORK/last" |
		grep -qx refused || {
		cat "$WORK/last"
		return 1
	}
}

# unanswered FROM PROTO ADDRESS PORT: whether nothing serves there: refused, dropped or unreachable.
unanswered() {
	inside "$1" "$PEER" ask -w $((500 * PATIENCE)) "${@:2}" | tee "$WORK/last" |
		grep -Eqx 'refused|timeout|unreachable' || {
		cat "$WORK/last"
		return 1
	}
}

# names ANSWERS: prints the backends that answered, sorted, in one line.
names() {
	printf '%s\n' "$1" | cut -d' ' -f1 | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# hold_open COUNT FROM ARGUMENTS: opens connections and keeps them; HELD has their backends.
# hold_ask asks again on the same connections; hold_close closes them.
hold_open() {
	local count=$1 from=$2
	shift 2
	HOLD_COUNT=$count
	coproc HOLD { inside "$from" "$PEER" hold -n "$count" -w $((2000 * PATIENCE)) "$@"; }
	hold_read
}

hold_read() {
	local line i
	HELD=
	for ((i = 0; i < HOLD_COUNT; i++)); do
		read -r -t $((10 * PATIENCE)) -u "${HOLD[0]}" line || line="no answer"
		HELD+=${HELD:+$'\n'}$line
	done
}

hold_ask() {
	echo again >&"${HOLD[1]}"
	hold_read
}

hold_close() {
	local pid=$HOLD_PID fd=${HOLD[1]}
	exec {fd}>&-
	wait "$pid"
}

# keep_open NAME COUNT FROM ARGUMENTS: as hold_open, for several groups at a time. keep_ask NAME
# asks again on the same connections; KEPT has the backends.
declare -A keep_count keep_fd
keep_open() {
	local name=$1 count=$2 from=$3 fd
	shift 3
	mkfifo "$WORK_LAB/keep-$name"
	exec {fd}<>"$WORK_LAB/keep-$name"
	keep_fd[$name]=$fd
	keep_count[$name]=$count
	enter "$from" "$PEER" hold -n "$count" -w $((2000 * PATIENCE)) "$@" \
		>"$WORK_LAB/kept-$name" 2>&1 <&"$fd" &
	lab_pids+=($!)
	keep_read "$name" "$count"
}

keep_has() {
	[ "$(wc -l <"$WORK_LAB/kept-$1")" -ge "$2" ]
}

keep_read() {
	eventually 10 keep_has "$1" "$2" >/dev/null
	KEPT=$(tail -n "${keep_count[$1]}" "$WORK_LAB/kept-$1")
}

keep_ask() {
	local lines
	lines=$(wc -l <"$WORK_LAB/kept-$1")
	echo again >&"${keep_fd[$1]}"
	keep_read "$1" $((lines + keep_count[$1]))
}

# loop_start NAME FROM [OPTION...] PROTO ADDRESS PORT: asks repeatedly until loop_end. Each loop has
# client ports of its own, because IPVS confuses connections of one client port to two virtual
# servers with a common endpoint.
declare -A loop_pids
loop_number=0
loop_start() {
	local name=$1 from=$2 first
	shift 2
	first=$((10000 + 4000 * (loop_number % 12)))
	[ $first -lt 30000 ] || first=$((first + 3000)) # where NodePorts are
	loop_number=$((loop_number + 1))
	lab_background "$WORK_LAB/loop-$name" "$from" "$PEER" loop -w $((2000 * PATIENCE)) -p $first "$@"
	loop_pids[$name]=$BACKGROUND_PID
	eventually 60 loop_asked "$name" 1
}

# loop_asked NAME LINES: whether the loop has printed that many lines.
loop_asked() {
	[ "$(wc -l <"$WORK_LAB/loop-$1")" -ge "$2" ]
}

# loops_go_on: waits until each loop has asked some more.
loops_go_on() {
	local name
	local -A lines
	for name in "${!loop_pids[@]}"; do
		lines[$name]=$(wc -l <"$WORK_LAB/loop-$name")
	done
	for name in "${!loop_pids[@]}"; do
		eventually 60 loop_asked "$name" $((lines[$name] + 4))
	done
}

# loop_end NAME: ends the loop. LOOP has the answers and their numbers, one per line.
loop_end() {
	kill -TERM "${loop_pids[$1]}"
	wait "${loop_pids[$1]}" 2>/dev/null
	unset "loop_pids[$1]"
	LOOP=$(grep -v '^asking$' "$WORK_LAB/loop-$1")
}

# loop_never_failed NAME PATTERN: whether there were answers, and all match the whole pattern, such
# as "[ab] 192.168.50.1".
loop_never_failed() {
	loop_end "$1"
	echo "$LOOP"
	[ -n "$LOOP" ] && not grep -Evqx "[0-9]+ ($2)" <<<"$LOOP"
}

# loop_never_answered NAME: whether all attempts were refused or timed out.
loop_never_answered() {
	loop_end "$1"
	echo "$LOOP"
	[ -z "$LOOP" ] || not grep -Evqx '[0-9]+ (refused|reset|timeout|unreachable)' <<<"$LOOP"
}

# ---- The API server ----

# api_use ADDRESS: daemon_start uses the API server there.
api_use() {
	local host=$1
	[[ $host != *:* ]] || host="[$host]"
	KUBECONFIG=$WORK_LAB/kubeconfig
	echo '{apiVersion: v1, kind: Config, current-context: c,
		contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}],
		clusters: [{name: c, cluster: {server: "http://'"$host"':6443"}}]}' >"$KUBECONFIG"
}

# api_start [NAMESPACE ADDRESS]: starts the fake API server there (default: on the node).
# daemon_start then uses it.
api_start() {
	local where=${1:-node} address=${2:-127.0.0.1}
	api_use "$address"
	mkfifo "$WORK_LAB/orders"
	exec {API_ORDERS}<>"$WORK_LAB/orders"
	enter "$where" python3 "$(dirname "${BASH_SOURCE[0]}")/../fake/apiserver" \
		--address "$address" --port 6443 <"$WORK_LAB/orders" >"$WORK_LAB/answers" 2>&1 &
	lab_pids+=($!)
	API_ANSWERS=1
	eventually 20 api_answered
}

api_answered() {
	[ "$(wc -l <"$WORK_LAB/answers")" -ge $API_ANSWERS ]
}

# order JSON: sends an order to the fake API server; see tests/fake/apiserver.
order() {
	tr -d '\n' <<<"$1" >&"$API_ORDERS"
	echo >&"$API_ORDERS"
	API_ANSWERS=$((API_ANSWERS + 1))
	eventually 10 api_answered
}

# ---- The daemon ----

# manifest NAME <TEXT: replaces that file by an atomic rename.
manifest() {
	cat >"$WORK_LAB/new"
	mv "$WORK_LAB/new" "$MANIFESTS/$1"
}

# slice NAME SERVICE FAMILY PORTS ENDPOINTS: prints an EndpointSlice as an item of a list, in one
# line.
slice() {
	printf -- '- {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s, ' "$1"
	printf 'labels: {kubernetes.io/service-name: %s}}, addressType: %s, ' "$2" "$3"
	printf 'ports: %s, endpoints: [%s]}\n' "$4" "$5"
}

# daemon_run OPTION...: runs the daemon in the foreground, for --once, --cleanup and wrong options.
daemon_run() {
	in_node "$SVCD" --manifests "$MANIFESTS" --status-socket "$STATUS_SOCKET" "$@"
}

daemon_is_ready() {
	grep -q '^READY=1' "$WORK_LAB/notify" || ! kill -0 "$DAEMON_PID" 2>/dev/null
}

# daemon_begin OPTION...: starts the daemon with the API server of KUBECONFIG or with the manifests.
# Its log is appended to DAEMON_LOG, or goes to the pipe LOG_PIPE.
daemon_begin() {
	local input=(--manifests "$MANIFESTS")
	[ -z "${KUBECONFIG:-}" ] || input=(--kubeconfig "$KUBECONFIG")
	rm -f "$WORK_LAB/notify.sock" "$WORK_LAB/notify"
	lab_background "$WORK_LAB/notify" node "$PEER" notify "$WORK_LAB/notify.sock"
	eventually 10 test -S "$WORK_LAB/notify.sock"
	NOTIFY_SOCKET=$WORK_LAB/notify.sock enter node "$SVCD" "${input[@]}" \
		--status-socket "$STATUS_SOCKET" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a ${NETFILTER:+--netfilter="$NETFILTER"} "$@" \
		>>"${LOG_PIPE:-$DAEMON_LOG}" 2>&1 </dev/null &
	DAEMON_PID=$!
}

# Prints the warnings and errors of the daemon that the last check ran, except for its own priority.
complaints() {
	grep -E 'level=(warning|error)' "$WORK/tap" | grep -v 'OOM score'
}

# daemon_start OPTION...: as daemon_begin, and waits until the daemon is ready.
daemon_start() {
	daemon_begin "$@"
	eventually 120 daemon_is_ready && kill -0 "$DAEMON_PID"
}

# warns_of NAME: `status` reports that trap.
warns_of() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" | tee "$WORK/last" | grep -q "^Warning: $1: "
}

# remedy NAME: runs the commands that `status` tells against that trap.
remedy() {
	local commands command
	commands=$(in_node "$SVC" status --socket "$STATUS_SOCKET" |
		sed -n "s/^Warning: $1: .*; remedy: //p")
	while read -r command; do
		note "$command"
		# shellcheck disable=SC2086 # it is a list of words
		in_node $command || return
	done <<<"${commands// and /$'\n'}"
}

# fill_pipe PIPE: writes filler until the next line finds no room.
fill_pipe() {
	python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
try:
    while True: os.write(fd, b"x" * 511 + b"\n")
except BlockingIOError: pass' "$1"
}

# daemon_memory: prints the resident memory of the daemon in KiB.
daemon_memory() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$DAEMON_PID/status"
}

# flood SECONDS TEXT CONNECTIONS: opens connections to the daemon's port HEALTHZ, sends the text again
# and again on each of them, reads nothing, and closes them after that time.
HEALTHZ=127.0.0.1:10256
flood() {
	in_node python3 - "$HEALTHZ" "$@" <<-'END'
		import select, socket, sys, time
		where, seconds, text, count = sys.argv[1:]
		host, port = where.split(":")
		text, end, socks = text.encode().decode("unicode_escape").encode(), time.time() + float(seconds), []
		while time.time() < end:
		    if len(socks) < int(count):
		        s = socket.socket()
		        s.setblocking(False)
		        s.connect_ex((host, int(port)))
		        socks.append(s)
		    for s in select.select([], socks, [], 0.01)[1] if text else []:
		        try:
		            s.send(text * 1000)
		        except OSError:
		            socks.remove(s)
	END
}

# settled: whether the daemon has read its input and has no pending work.
settled() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json |
		json_says '.input.synced and .summary.pending == 0 and .summary.failing == 0'
}

# daemon_end SIGNAL: sends it to the daemon and waits; returns the daemon's exit status.
daemon_end() {
	local pid=$DAEMON_PID
	kill "-$1" "$pid"
	DAEMON_PID=
	wait "$pid" 2>/dev/null
}

# ---- The kernel's state, by other tools ----

# Prints IPVS as ipvsadm -Sn does, sorted.
ipvs() {
	in_node ipvsadm -Sn | sort
}

# ipvs_has LINE: whether IPVS has exactly this line, such as "-A -t 10.96.0.10:80 -s rr".
ipvs_has() {
	ipvs | tee "$WORK/last" | grep -qxF -- "$1" || {
		cat "$WORK/last"
		return 1
	}
}

# ipvs_is LINE...: whether IPVS has these lines and no others.
ipvs_is() {
	diff -u <(printf '%s\n' "$@" | sort) <(ipvs)
}

# ipvs_lacks TEXT: whether no line of IPVS has this text.
ipvs_lacks() {
	not grep -F -- "$1" <<<"$(ipvs)"
}

# Prints the real servers of a virtual server that get connections: for "-t 10.96.0.10:80",
# "10.244.1.11:8080 ...". Draining ones have weight 0 and are left out.
real_servers() {
	ipvs | awk -v vs="$1 " 'index($0, "-a " vs) == 1 && $8 != 0 { print $5 }' | tr '\n' ' ' |
		sed 's/ $//'
}

# Prints everything that the daemon could write on the node, in a form that can be compared: without
# link-local addresses, which are random, and without the random start values of sets.
kernel_state() {
	in_node ipvsadm -Sn | sort
	in_node ipset save | sed 's/ initval .*//' | sort
	in_node iptables-save | grep -v '^#' | sed 's/ \[[0-9:]*\]$//'
	in_node ip6tables-save | grep -v '^#' | sed 's/ \[[0-9:]*\]$//'
	{
		in_node ip -o addr show | sed 's/^[0-9]*: //; s/  */ /g; s/valid_lft.*//'
		in_node ip -o link show type dummy | sed 's/^[0-9]*: \([^ ]* [^ ]*\) .*/\1/'
		in_node ip rule
		in_node ip -6 rule
		in_node ip route show table all | sort
		in_node ip -6 route show table all | sort
	} | grep -v -e fe80: -e ff00::
}
