#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a restart with the other backend: clients that connect in a tight loop see no error, and
# nothing of the old backend is left.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

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
fresh nftables
fresh ipvs
fresh iptables
change_to ipvs
check "no chain of iptables is left" eventually 60 without_rules
check "the state equals that of a fresh start with IPVS" as_fresh ipvs
change_to nftables
check "no virtual server is left with nftables" eventually 60 without_ipvs
check "the state equals that of a fresh start with nftables" as_fresh nftables
change_to ipvs
check "the state equals that of a fresh start with IPVS again" eventually 60 as_fresh ipvs
change_to iptables
check "no virtual server is left" eventually 60 without_ipvs
check "the state equals that of a fresh start with iptables" as_fresh iptables
tap_done
