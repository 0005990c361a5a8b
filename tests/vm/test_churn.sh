#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests random changes of Services and endpoints while the daemon is killed and its objects are
# deleted by hand. Whenever the changes pause, `plan --diff` finds no difference. In the end the
# state is that of a new daemon with the same manifests in a new namespace, and memory has not
# grown.
#
# CHANGES is the number of changed objects, SEED selects them; long_churn.sh runs for a whole day.
. "$(dirname "$0")/lab.sh"

CHANGES=${CHANGES:-1000}
SEED=${SEED:-1}
ROUND=$((CHANGES < 10000 ? CHANGES / 2 : 5000)) # changes between two rests
ROUNDS=$((CHANGES / ROUND))
KILLS=2     # in each round of the first half
DELETIONS=4 # in each round

# ---- Changes ----

# churn N: begins to change N objects; churned waits for the end.
churn() {
	echo "$1" >&"${CHURN[1]}"
}

churned() {
	read -r -u "${CHURN[0]}" OBJECTS
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

# Only the sets tell which virtual servers are the daemon's. If members are deleted and the daemon
# is killed before its audit, a virtual server is left behind. So wait for the audit first.
meddle() {
	local i kinds=(ipvs set route rules)
	churn $((ROUND / 2))
	for ((i = 0; i < DELETIONS; i++)); do
		sleep 0.5
		delete_something "${kinds[RANDOM % 4]}"
	done
	churned
	kill -HUP "$DAEMON_PID"
	rests
}

start() {
	daemon_start --drain-timeout 1s --audit-interval 5s
}

killed() {
	local i
	churn $((ROUND / 2))
	for ((i = 0; i < KILLS; i++)); do
		sleep "0.$((RANDOM % 10))"
		daemon_end KILL
		KILLED=$((KILLED + 1))
		start || return
	done
	churned
}

undisturbed() {
	churn $((ROUND / 2))
	churned
}

# round COMMAND: half of the changes with deletions in between, then COMMAND with the other half.
round() {
	meddle && "$1" && rests
}

# ---- Results ----

# The exit status of "status" is 1 for conflicts, too, which are expected here.
at_rest() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json >"$WORK/status"
	jq -e '.summary | .pending == 0 and .failing == 0 and .draining == 0 or error(tojson)' \
		"$WORK/status" &&
		in_node "$SVC" plan --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
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

rss() {
	awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON_PID/status"
}

unreclaimable() {
	awk '/^SUnreclaim/ { print $2 }' /proc/meminfo
}

# A foreign object, which must stay to the end.
OTHERS_VIP=192.0.2.99:80
others() {
	in_node ipvsadm -A -t $OTHERS_VIP -s rr
	in_node ipset create OTHERS hash:ip
	in_node iptables -A INPUT -s 192.0.2.99 -j DROP
}

note "seed $SEED: $CHANGES changes, in rounds of $ROUND"
RANDOM=$SEED
KILLED=0
DELETED=0
lab_up
others
coproc CHURN { "$(dirname "$0")/churn.py" "$MANIFESTS" "$SEED"; }
churn 500
churned
must "the daemon starts" start

for ((i = 1; i <= ROUNDS / 2; i++)); do
	must "the state is in sync after changes, deletions and kills ($i)" round killed
	note "$SECONDS s, $OBJECTS objects, $DELETED deletions, $KILLED kills, $(rss) KiB"
done
pid=$DAEMON_PID
rss_before=$(rss)
slabs_before=$(unreclaimable)
for (( ; i <= ROUNDS; i++)); do
	must "the state is in sync after changes and deletions ($i)" round undisturbed
	note "$SECONDS s, $OBJECTS objects, $DELETED deletions, $(rss) KiB"
done
equal "the daemon was not restarted in the second half" \
	"$DAEMON_PID $(kill -0 "$pid" && echo lives)" "$pid lives"
note "resident memory of the daemon: $rss_before, then $(rss) KiB"
note "unreclaimable slabs of the kernel: $slabs_before, then $(unreclaimable) KiB"
check "the daemon's memory has not grown" test "$(rss)" -le $((rss_before + rss_before / 2))
check "the kernel's memory has not grown" test "$(unreclaimable)" -le $((slabs_before + 32768))
found=$(state)

cp -r "$MANIFESTS" "$WORK/manifests"
lab_again
others
mv "$WORK"/manifests/* "$MANIFESTS"
must "a new daemon starts in a new namespace" start
check "the new daemon has no pending work" rests
check "the state is large enough to compare" test "$(wc -l <<<"$found")" -gt 100
equal "both daemons made the same state" "$found" "$(state)"
daemon_end TERM
tap_done
