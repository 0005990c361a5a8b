#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the takeover from kube-proxy's iptables mode under traffic, by either backend: clients see
# no error, and no active rule of kube-proxy is left.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"
. "$(dirname "$0")/kube-proxy-iptables.sh"
. "$(dirname "$0")/preflight.sh"

kube_proxy() {
	local family
	in_node sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1 \
		net.ipv6.conf.all.forwarding=1
	for family in 4 6; do
		kube_proxy_family $family
		kube_proxy_document >"$WORK/rules"
		in_node $IPTABLES-restore -w 5 --noflush --counters <"$WORK/rules"
	done
}

# announce BACKEND: asks preflight what a takeover would do.
announce() {
	REPORT=$WORK_LAB/report
	in_node "$SVC" preflight --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a ${NETFILTER:+--netfilter="$NETFILTER"} --backend "$1" -o json \
		>"$REPORT"
}

leftovers_named() {
	grep 'KUBE-PROXY-CANARY' "$DAEMON_LOG"
}

# taken_over_by BACKEND [WORDS]
taken_over_by() {
	local by=$1${2:+ $2}
	fresh "$1"
	lab_again
	write_services
	kube_proxy
	begin_loops
	equal "connections work with kube-proxy's rules" \
		"$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
	check "preflight: $by can take over" announce "$1"
	equal "preflight sees kube-proxy's mode, and names what it leaves" \
		"$(told '"\(.kubeProxy.mode) \(.leftovers | map(select(test("CANARY"))) | length)"')" "iptables 6"
	must "--backend $by takes over" daemon_start --backend "$1" \
		--metrics-bind-address 127.0.0.1:10249
	check "no work is pending after the takeover by $by" eventually 60 settled
	equal "the daemon does what preflight announced, and no more" "$(done_by_daemon)" "$(announced)"
	sleep $((PATIENCE / 2 + 1))
	end_loops "takeover by $by"
	check "the log names the rest of kube-proxy's rules" leftovers_named
	check "cleanup --of kube-proxy removes the rest" in_node "$SVC" cleanup --of kube-proxy \
		--socket "$STATUS_SOCKET"
	check "the state equals that of a fresh start with $by" as_fresh "$1"
	equal "connections work after the takeover by $by" \
		"$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
}

# Keeps what it complains of in $WORK_LAB/complaints.
clean_up_kube_proxy() {
	in_node "$SVC" cleanup --of kube-proxy --socket "$STATUS_SOCKET" 2>"$WORK_LAB/complaints"
}

# No order of deletion is tried that iptables refuses.
cleaned_up() {
	kube_proxy
	check "cleanup --of kube-proxy succeeds if no daemon has run" clean_up_kube_proxy
	equal "cleanup --of kube-proxy complains of nothing" "$(cat "$WORK_LAB/complaints")" ""
	equal "cleanup --of kube-proxy leaves no chain of kube-proxy" "$(rules | grep KUBE)" ""
}

lab_up
cleaned_up
taken_over_by iptables
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	taken_over_by ipvs
	NETFILTER=nftables taken_over_by ipvs "with nftables"
fi
tap_done
