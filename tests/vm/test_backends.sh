#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a restart with the other backend: clients that connect in a tight loop see no error, and
# nothing of the old backend is left.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

# settled_on BACKEND: whether this backend has no pending work.
settled_on() {
	settled && in_node "$SVC" status --socket "$STATUS_SOCKET" -o json |
		jq -e '.backend == "'"$1"'"'
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
	sleep $((PATIENCE / 2 + 1))
	end_loops "change to $1"
	check "change to $1: a client that keeps sending UDP from one port gets answers" \
		eventually 20 still_talks
	hold_close
}

without_ipvs() {
	[ "$(ipvs)" = "" ] || {
		ipvs
		return 1
	}
}

without_rules() {
	rules | tee "$WORK/last" | not grep -E 'KUBE-(SVC-|SVL-|SEP-|EXT-|DISPATCH|PORT-DISPATCH)'
}

lab_up
in_node ipvsadm -Ln >/dev/null 2>&1 || skip_all "this kernel has no ip_vs"
fresh ipvs
fresh iptables
change_to ipvs
check "no chain of iptables is left" eventually 60 without_rules
check "the state equals that of a fresh start with IPVS" as_fresh ipvs
change_to iptables
check "no virtual server is left" eventually 60 without_ipvs
check "the state equals that of a fresh start with iptables" as_fresh iptables
tap_done
