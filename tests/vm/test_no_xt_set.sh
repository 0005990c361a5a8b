#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a kernel that has ip_set, and all that iptables needs but the match on a set.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

[ -n "${VM_ACCEL:-}" ] || skip_all "it hides a module of the whole machine"
. "$(dirname "$0")/hiding.sh"

no_trial_is_left() {
	! in_node iptables-save | grep IPVSCTL && [ -z "$(in_node ipset list -n)" ]
}

answers() {
	[[ $(ask "$@" | cut -d' ' -f1) = [ac] ]]
}

case $(modinfo -n xt_set 2>/dev/null) in /*) ;; *) skip_all "xt_set is no module of this kernel" ;; esac
modprobe -q nf_tables && modprobe -q ip_set || skip_all "this kernel has no nf_tables or no ip_set"
trap 'show_modules; lab_down' EXIT
hide_modules xt_set || skip_all "xt_set is in use"
lab_up
write_services
must "the daemon starts by default" daemon_start
check "it says loudly that it uses nftables, and what is missing" \
	grep -q 'going on with nftables.*--match-set .*(kernel module xt_set' "$DAEMON_LOG"
check "a client reaches a cluster IP" answers client tcp 10.96.0.10 80
check "the trial of iptables left nothing" no_trial_is_left
daemon_end TERM
check "--netfilter=iptables is an error that names what is missing" eval \
	'enter node "$SVCD" --manifests "$MANIFESTS" --netfilter=iptables --once 2>&1 |
		grep -q "(kernel module xt_set"'
tap_done
