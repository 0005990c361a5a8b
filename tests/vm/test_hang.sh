#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests an iptables that hangs: the daemon keeps answering, and repairs afterwards.
. "$(dirname "$0")/lab.sh"

lab_up

# Runs the real program, unless the file exists.
HANG=$WORK_LAB/hang
mkdir "$WORK_LAB/bin"
cat >"$WORK_LAB/bin/iptables-restore" <<END
#!/bin/sh
[ -e $HANG ] && exec sleep 600
exec $(command -v iptables-restore) "\$@"
END
chmod +x "$WORK_LAB/bin/iptables-restore"

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
	END
}

hanging() {
	pgrep -P "$DAEMON_PID" -x sleep
}

services() {
	in_node timeout $((30 * PATIENCE)) "$SVC" status --socket "$STATUS_SOCKET" -o json |
		jq '.services | length'
}

mark_masq() {
	in_node iptables-save -t nat | grep -- '-A KUBE-MARK-MASQ'
}

PATH=$WORK_LAB/bin:$PATH
check "the daemon starts" daemon_start
must "another program empties a chain" in_node iptables -w 5 -t nat -F KUBE-MARK-MASQ
touch "$HANG"
kill -HUP "$DAEMON_PID"
check "iptables-restore hangs" eventually 30 hanging
equal "the daemon answers status requests" "$(services)" 0
write_web
check "the daemon reads a changed manifest" eventually 30 eval 'test "$(services)" = 1'
check "the daemon writes nothing before iptables-restore has ended" \
	not ipvs_has "-A -t 10.96.0.10:80 -s rr"
rm "$HANG"
kill -KILL "$(hanging)"
check "the chain is repaired afterwards" eventually 30 mark_masq
check "the Service is programmed afterwards" eventually 30 ipvs_has "-A -t 10.96.0.10:80 -s rr"
touch "$HANG"
must "another program empties the chain again" in_node iptables -w 5 -t nat -F KUBE-MARK-MASQ
kill -HUP "$DAEMON_PID"
check "iptables-restore hangs again" eventually 30 hanging
daemon_end TERM
equal "SIGTERM ends the daemon although iptables-restore hangs" $? 0
tap_done
