#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests what hostile or careless neighbours do to the daemon itself: a log that nobody reads, clients
# that flood its ports or do not read, a second daemon, and what a killed daemon left.
. "$(dirname "$0")/lab.sh"

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec: {clusterIP: $1, ports: [{port: 80}]}
	END
}

# fails_with STATUS TEXT COMMAND...: whether it ends with this status and prints this text.
fails_with() {
	local want=$1 text=$2 status
	shift 2
	"$@" >"$WORK/said" 2>&1
	status=$?
	cat "$WORK/said"
	[ $status = "$want" ] && grep -Eq -- "$text" "$WORK/said"
}

grew_less_than() { # KIB-BEFORE MIB
	local now
	now=$(daemon_memory)
	echo "$1 KiB before, $now KiB now"
	[ $((now - $1)) -lt $(($2 * 1024)) ]
}

probe_answers() {
	in_node curl -sS -m $((5 * PATIENCE)) -o /dev/null "http://$HEALTHZ/livez"
}

# ---- The log ----

lab_up
LOG_PIPE=$WORK_LAB/log
mkfifo "$LOG_PIPE"
exec {UNREAD}<>"$LOG_PIPE"
fill_pipe "$LOG_PIPE"
must "the daemon starts with a log that nobody reads" daemon_start --log-level debug \
	--healthz-bind-address "$HEALTHZ"
write_web 10.96.0.10
check "it programs a Service" eventually 30 ipvs_has "-A -t 10.96.0.10:80 -s rr"
check "it answers probes" probe_answers
kill -HUP "$DAEMON_PID"
write_web 10.96.0.11
check "it goes on after SIGHUP" eventually 30 ipvs_has "-A -t 10.96.0.11:80 -s rr"
daemon_end TERM
equal "SIGTERM ends it" $? 0
exec {UNREAD}>&-
unset LOG_PIPE

# ---- Other daemons ----

must "the daemon starts" daemon_start --healthz-bind-address "$HEALTHZ"
check "a second daemon with another socket names the first" fails_with 1 \
	"process $DAEMON_PID .* serves this network namespace already" \
	in_node "$SVCD" --manifests "$MANIFESTS" --status-socket "$WORK_LAB/other.sock"
check "--once does so, too" fails_with 1 "process $DAEMON_PID" daemon_run --once
check "--cleanup does so, too" fails_with 1 "process $DAEMON_PID" daemon_run --cleanup
check "nothing was removed" ipvs_has "-A -t 10.96.0.11:80 -s rr"
check "the first daemon still answers" settled

# ---- Clients ----

BEFORE=$(daemon_memory)
flood 5 'GET /healthz HTTP/1.1\r\n\r\n' 20 &
FLOOD=$!
sleep 2
check "while clients send requests and do not read, probes are answered" probe_answers
check "memory stays small" grew_less_than "$BEFORE" 32
wait $FLOOD
flood 5 '' 900 &
FLOOD=$!
sleep 2
check "while a flood of connections stands, probes are answered" probe_answers
wait $FLOOD
flood 5 'GET /healthz HT' 900 &
FLOOD=$!
sleep 2
check "while a flood of half requests stands, probes are answered" eventually 10 probe_answers
write_web 10.96.0.12
check "the daemon goes on programming" eventually 30 ipvs_has "-A -t 10.96.0.12:80 -s rr"
wait $FLOOD
check "memory stays small after the floods" grew_less_than "$BEFORE" 32
daemon_end TERM

# ---- A trial that was killed ----

leave_trial() {
	in_node ipvsadm -A -f 2147483646 -s rr &&
		in_node ipvsadm -a -f 2147483646 -r 192.0.2.1:20000 -m -w 1 &&
		in_node ipvsadm -A -f 2147483647 -s sh
}
no_trial_is_left() {
	not ipvs_has '-A -f 2147483646 -s rr' && not ipvs_has '-A -f 2147483647 -s sh'
}
backend() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq -r .backend
}

ROOT_SVCD=$SVCD
cat >"$WORK_LAB/svcd" <<END
#!/bin/sh
exec setpriv --bounding-set -sys_admin "$ROOT_SVCD" "\$@"
END
chmod +x "$WORK_LAB/svcd"
for SVCD in "$ROOT_SVCD" "$WORK_LAB/svcd"; do
	must "${SVCD##*/}: a killed trial leaves virtual servers" leave_trial
	must "${SVCD##*/}: the daemon starts" daemon_start
	equal "${SVCD##*/}: it uses IPVS" "$(backend)" ipvs
	check "${SVCD##*/}: the virtual servers are gone" no_trial_is_left
	daemon_end KILL
	must "${SVCD##*/}: another trial leaves them" leave_trial
	check "${SVCD##*/}: --cleanup succeeds" daemon_run --cleanup
	equal "${SVCD##*/}: --cleanup removes them, too" "$(ipvs)" ""
done
tap_done
