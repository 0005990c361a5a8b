#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests random changes of Services and endpoints in bad company: the daemon is killed and restarted,
# with manifests or with an API server in turn; files break and the API server fails (see churn.py);
# others delete the daemon's objects and flush tables, sets, routes and IPVS; nobody reads its log,
# and its health port is flooded. Whenever all of that pauses, `plan` finds no difference. In the end
# the state is that of a new daemon with the same manifests in a new namespace, and memory has not
# grown.
#
# CHANGES is the number of changed objects, SEED selects them; long_churn.sh runs for a whole day.
. "$(dirname "$0")/lab.sh"

CHANGES=${CHANGES:-900}
SEED=${SEED:-1}
ROUND=$((CHANGES < 30000 ? CHANGES / 3 : 5000)) # changes between two rests, each half with its faults
ROUNDS=$((CHANGES / ROUND))
KILLS=$((2 + ROUND / 1000))    # in each round of the first third
DELETIONS=$((4 + ROUND / 500)) # in each round

# ---- Changes ----

# churn N: begins to change N objects; churned waits for the end.
churn() {
	echo "$1" >&"${CHURN[1]}"
}

# After a restore of the API server the daemon is told to read everything again; see INPUTS in
# man/ipvsctl-svc-services.7.scd.
RESTORES=0
churned() {
	local before=$RESTORES
	read -r -u "${CHURN[0]}" OBJECTS BROKEN API_FAULTS RESTORES || return
	[ "$RESTORES" = "$before" ] || [ -z "$DAEMON_PID" ] || kill -HUP "$DAEMON_PID"
}

# any: prints one random line of the input. The caller sets CHOICE, because this runs in a subshell.
any() {
	awk -v n="$CHOICE" '{ lines[NR] = $0 } END { if (NR) print lines[n % NR + 1] }'
}

# Delete an object of the daemon; it may be gone already.
delete_something() {
	local words
	CHOICE=$RANDOM
	case $1 in
	ipvs)
		read -r -a words < <(in_node ipvsadm -Sn | grep -v "$OTHERS_VIP" | any)
		case ${words[0]} in
		-A) in_node ipvsadm -D "${words[@]:1:2}" ;;
		-a) in_node ipvsadm -d "${words[@]:1:4}" ;;
		esac
		;;
	set)
		read -r -a words < <(in_node ipset save | grep '^add KUBE' | any)
		in_node ipset del "${words[@]:1:2}"
		;;
	route)
		in_node ip route del table local "$(in_node ip route show table local proto 200 |
			awk '{ print $2 }' | any)" proto 200
		;;
	rules)
		in_node iptables -t nat -F KUBE-SERVICES
		in_node ip6tables -t filter -F
		;;
	esac 2>/dev/null
	DELETED=$((DELETED + 1))
}

# Others flush what is the daemon's, and with it foreign objects, which they make again.
flush_something() {
	local program table set
	case $1 in
	ipvs) in_node ipvsadm -C ;;
	sets) in_node ipset flush ;;
	routes)
		in_node ip route flush table local proto 200
		in_node ip -6 route flush table local proto 200
		in_node ip route flush table 2512 # --external-table
		;;
	device) in_node ip link del kube-ipvs0 ;;
	flows) in_node conntrack -F ;;
	rules | all)
		for program in iptables ip6tables; do
			for table in nat filter mangle; do
				in_node $program -w -t $table -F
				in_node $program -w -t $table -X
			done
		done
		;;&
	all) # sets can be destroyed as long as no rule refers to them
		for set in $(in_node ipset list -n); do
			in_node ipset destroy "$set"
		done
		;;
	esac 2>/dev/null
	others 2>/dev/null
	FLUSHES=$((FLUSHES + 1))
}

# Only the sets tell which virtual servers are the daemon's. If members are deleted and the daemon
# is killed before its audit, a virtual server is left behind. So wait for the audit first.
meddle() {
	local i kinds=(ipvs set route rules) flushed=(ipvs sets routes device flows rules all)
	churn $((ROUND / 2))
	for ((i = 0; i < DELETIONS; i++)); do
		sleep 0.5
		if ((i % 2)); then
			flush_something "${flushed[RANDOM % 7]}"
		else
			delete_something "${kinds[RANDOM % 4]}"
		fi
	done
	churned
	kill -HUP "$DAEMON_PID"
	rests
}

# begin SOURCE: begins to start the daemon with "manifests" or "api"; start SOURCE waits for it.
OPTIONS=(--drain-timeout 1s --audit-interval 5s --log-level debug --healthz-bind-address "$HEALTHZ")
use() {
	KUBECONFIG=
	[ "$1" = manifests ] || api_use 127.0.0.1
}

begin() {
	use "$1"
	daemon_begin "${OPTIONS[@]}"
}

start() {
	use "$1"
	daemon_start "${OPTIONS[@]}"
}

restart() {
	daemon_end TERM
	start "$1"
}

# Every second daemon is killed before it is ready.
killed() {
	local i sources=(manifests api)
	churn $((ROUND / 2))
	for ((i = 0; i < KILLS; i++)); do
		sleep "0.$((RANDOM % 10))"
		daemon_end KILL
		begin "${sources[RANDOM % 2]}"
		sleep "0.$((RANDOM % 10))"
		daemon_end KILL
		KILLED=$((KILLED + 2))
		start "${sources[RANDOM % 2]}" || return
	done
	churned
}

undisturbed() {
	churn $((ROUND / 2))
	churned
}

# The log goes to a reader that is stopped and continued.
log_begin() {
	LOG_PIPE=$WORK_LAB/log
	mkfifo "$LOG_PIPE"
	exec {LOG_FD}<>"$LOG_PIPE"
	cat <"$LOG_PIPE" >>"$DAEMON_LOG" &
	LOG_READER=$!
	lab_pids+=("$LOG_READER")
}

log_block() {
	kill -STOP "$LOG_READER"
	fill_pipe "$LOG_PIPE"
}

log_unblock() {
	kill -CONT "$LOG_READER"
}

log_tells_loss() {
	grep 'lost lines of the log' "$DAEMON_LOG"
}

flood_health_port() {
	local texts=('GET /healthz HTTP/1.1\r\n\r\n' 'GET /healthz HT' '')
	local counts=(20 900 900) i=$((RANDOM % 3))
	flood 3 "${texts[i]}" "${counts[i]}" &
	FLOOD=$!
	FLOODS=$((FLOODS + 1))
}

# bad_company COMMAND: runs it while nobody reads the log and the health port is flooded.
bad_company() {
	local status=0
	: >"$DAEMON_LOG"
	log_block
	flood_health_port
	"$1" || status=1
	wait "$FLOOD"
	log_unblock
	eventually 10 log_tells_loss && return $status
}

# round COMMAND: half of the changes with deletions in between, then COMMAND with the other half.
round() {
	bad_company meddle && bad_company "$1" && rests
}

# ---- Results ----

# The exit status of "status" is 1 for conflicts, too, which are expected here.
at_rest() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json >"$WORK/status"
	json_says '.summary | .pending == 0 and .failing == 0 and .draining == 0 or error(tojson)' \
		<"$WORK/status" &&
		in_node "$SVC" plan --diff --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
			--hostname-override node-a
}

rests() {
	eventually 60 at_rest
}

# As kernel_state, with marks replaced by the first set member that leads to them, because the mark
# of a Service depends on the marks in use when it was created. ipvsadm prints marks as signed
# numbers.
names_of_marks() {
	local member mark
	in_node ipset save | sort | awk '$4 == "skbmark" { print $3, $5 }' |
		while read -r member mark; do
			mark=${mark%/*}
			printf 's| -f %d | -f %s |\ns|skbmark %s/.*|mark of %s|\n' \
				$(((mark ^ 1 << 31) - (1 << 31))) "$member" "$mark" "$member"
		done
}

state() {
	local state
	state=$(kernel_state)
	sed -f <(names_of_marks) <<<"$state" | sort
}

unreclaimable() {
	awk '/^SUnreclaim/ { print $2 }' /proc/meminfo
}

# A foreign object, which must stay to the end.
OTHERS_VIP=192.0.2.99:80
others() {
	in_node ipvsadm -A -t $OTHERS_VIP -s rr
	in_node ipset create -exist OTHERS hash:ip
	in_node iptables -C INPUT -s 192.0.2.99 -j DROP 2>/dev/null ||
		in_node iptables -A INPUT -s 192.0.2.99 -j DROP
}

report() {
	note "$SECONDS s, $OBJECTS objects, $DELETED deletions, $FLUSHES flushes, $KILLED kills," \
		"$FLOODS floods, $BROKEN broken files, $API_FAULTS faults of the API server," \
		"$(daemon_memory) KiB"
}

# steady SOURCE LAST: rounds until the LAST one with a daemon that stays.
steady() {
	local source=$1 pid rss slabs
	must "$source: the daemon restarts" restart "$source"
	must "$source: the state is in sync after changes, deletions and flushes" bad_company meddle
	pid=$DAEMON_PID rss=$(daemon_memory) slabs=$(unreclaimable)
	for (( ; i <= $2; i++)); do
		must "$source: the state is in sync after changes in bad company ($i)" round undisturbed
		report
	done
	equal "$source: the daemon was not restarted" \
		"$DAEMON_PID $(kill -0 "$pid" && echo lives)" "$pid lives"
	note "resident memory of the daemon: $rss, then $(daemon_memory) KiB"
	note "unreclaimable slabs of the kernel: $slabs, then $(unreclaimable) KiB"
	check "$source: the daemon's memory has not grown" \
		test "$(daemon_memory)" -le $((rss + rss / 2))
	check "$source: the kernel's memory has not grown" \
		test "$(unreclaimable)" -le $((slabs + 32768))
}

note "seed $SEED: $CHANGES changes, in rounds of $ROUND"
RANDOM=$SEED
KILLED=0
DELETED=0
FLUSHES=0
FLOODS=0
lab_up
others
log_begin
coproc CHURN { enter node "$(dirname "$0")/churn.py" "$MANIFESTS" "$SEED"; }
churn 500
churned
must "the daemon starts" start manifests
for ((i = 1; i <= ROUNDS / 3; i++)); do
	must "the state is in sync after changes in bad company and kills ($i)" round killed
	report
done
steady api $((ROUNDS * 2 / 3))
steady manifests "$ROUNDS"
found=$(state)

cp -r "$MANIFESTS" "$WORK/manifests"
unset LOG_PIPE
lab_again
others
mv "$WORK"/manifests/* "$MANIFESTS"
must "a new daemon starts in a new namespace" start manifests
check "the new daemon has no pending work" rests
check "the state is large enough to compare" test "$(wc -l <<<"$found")" -gt 100
equal "both daemons made the same state" "$found" "$(state)"
daemon_end TERM
tap_done
