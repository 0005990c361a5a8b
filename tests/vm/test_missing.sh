#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests kernels that lack one thing of several: the daemon names it, and does without where it can.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

[ -n "${VM_ACCEL:-}" ] || skip_all "it hides modules of the whole machine"
. "$(dirname "$0")/hiding.sh"

case $(modinfo -n ip_vs 2>/dev/null) in /*) ;; *) skip_all "ip_vs is no module of this kernel" ;; esac
lacks_alias=/run/modprobe.d/ipvsctl-alias.conf

finish() {
	rm -f "$lacks_alias"
	show_modules
	lab_down
}

# says TEXT OPTION...: the daemon does not start, and says that.
says() {
	local text=$1
	shift
	! daemon_run --once "$@" >"$WORK/said" 2>&1 || return
	cat "$WORK/said"
	grep -q -- "$text" "$WORK/said"
}

# The namespaces of the scenario before may take a while to go, and use modules until then.
unload_ipvs() {
	lsmod | cut -d' ' -f1 | grep '^ip_vs_' | xargs -r rmmod
	rmmod ip_vs
	[ ! -e /proc/net/ip_vs ]
}

# As before Linux 5.14, which had no alias for the netlink family.
without_alias() {
	mkdir -p "${lacks_alias%/*}"
	echo 'alias net-pf-16-proto-16-family-IPVS off' >"$lacks_alias"
	must "IPVS is not loaded" eventually 60 unload_ipvs
	check "a daemon that needs IPVS loads it" daemon_run --once --backend ipvs
	check "it has a virtual server" eval 'in_node ipvsadm -Ln | grep -q 10.96.0.10:80'
	rm "$lacks_alias"
}

without_rr() {
	daemon_run --cleanup
	must "rr is hidden" eventually 60 hide_modules ip_vs_rr
	check "--backend=ipvs names the scheduler's module" says 'module ip_vs_rr' --backend ipvs
	must "the daemon starts by default" daemon_start
	check "it says that it goes on without IPVS, for want of that module" \
		grep -q 'going on with iptables.*module ip_vs_rr' "$DAEMON_LOG"
	daemon_end TERM
	must "with another scheduler it uses IPVS" daemon_start --scheduler lc
	check "the virtual servers have it" eval 'in_node ipvsadm -Ln | grep -q "10.96.0.10:80 lc"'
	daemon_end TERM
	check "a slip in --scheduler is an error that tells what there is" \
		says 'no scheduler .*lcc.*; it has: wrr, lc' --scheduler lcc
	show_modules
}

without_sets() {
	must "ip_set is hidden" eventually 60 hide_modules 'ip_set|xt_set'
	check "--cleanup removes the virtual servers" daemon_run --cleanup
	check "no virtual server is left" [ -z "$(in_node ipvsadm -Sn)" ]
	check "--cleanup of iptables succeeds, too" daemon_run --cleanup --netfilter iptables
	check "and of the iptables backend" daemon_run --cleanup --backend iptables
	show_modules
}

trap finish EXIT
lab_up
write_services
without_alias
without_rr
daemon_run --cleanup
daemon_run --once --netfilter nftables --backend ipvs
without_sets
tap_done
