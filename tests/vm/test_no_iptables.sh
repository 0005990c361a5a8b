#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a machine such as a stock Enterprise Linux 10: ip_vs and nf_tables, but neither ip_set nor
# any module or program of iptables; and the same machine without ip_vs.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

[ -n "${VM_ACCEL:-}" ] || skip_all "it hides modules of the whole machine"
. "$(dirname "$0")/hiding.sh"

answers() {
	[[ $(ask "$@" | cut -d' ' -f1) = [ac] ]]
}

event_told() {
	in_node curl -s --data '{"get": "events"}' http://127.0.0.1:6443/_control |
		json_says '[.events[].object | select(.reason == "IptablesUnavailable")] |
			length == 1 and (.[0] | .type == "Warning" and .regarding.kind == "Node" and
			(.note | test("install the package iptables")))'
}

modprobe -q nf_tables || skip_all "this kernel has no nf_tables"
hide_programs
trap 'show_modules; lab_down' EXIT
hide_modules "$modules_of_iptables" || skip_all "a module is in use"
lab_up
in_node ipvsadm -Ln >/dev/null 2>&1 || skip_all "this kernel has no ip_vs"
write_services
must "the daemon starts by default" daemon_start
check "it says loudly that it uses nftables" \
	grep -q 'level=warning msg="ipset and iptables cannot be used, going on with nftables' "$DAEMON_LOG"
check "status says so" eval 'in_node "$SVC" status --socket "$STATUS_SOCKET" |
	grep -q "^Node: node-a   Backend: ipvs with nftables "'
check "status warns of it, with the reason and the remedy" eval \
	'in_node "$SVC" status --socket "$STATUS_SOCKET" |
		grep "^Warning: ipset and iptables cannot be used, so nftables is" | grep -q "install the package iptables"'
check "a client reaches a cluster IP" answers client tcp 10.96.0.10 80
check "a client reaches a cluster IP over IPv6" answers client tcp fd00:96::10 80
check "a client reaches a NodePort" answers client tcp $NODE_IP 30080
check "the node reaches a cluster IP" answers node tcp 10.96.0.10 80
equal "policy Local keeps the client's address" \
	"$(ask client -s 192.168.50.12 tcp $NODE_IP 30081)" "a 192.168.50.12"
check "an admitted client reaches the load balancer address" \
	answers client -s 192.168.50.11 tcp 203.0.113.10 80
equal "another one does not" "$(ask client -s 192.168.50.13 tcp 203.0.113.10 80)" timeout
check "a Service without endpoints refuses" refused client tcp 10.96.0.30 80
check "UDP works" answers client udp 10.96.0.40 53
daemon_end TERM
must "the API server starts" api_start
order '{"put": {"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
	{"type": "InternalIP", "address": "'$NODE_IP'"}]}}}'
must "the daemon follows the API server" daemon_start --conntrack-max-per-core 0
check "an Event of the node tells the reason" eventually 20 event_told
daemon_end TERM
unset KUBECONFIG
check "--netfilter=iptables is an error that names what is missing" eval \
	'enter node "$SVCD" --manifests "$MANIFESTS" --netfilter=iptables --once 2>&1 |
		grep -q "install the package iptables"'

quickstart() {
	SVCD=$SVCD SVC=$SVC "$(dirname "$0")/../../examples/quickstart.sh" --play >"$WORK/said" 2>&1
}

check "the quickstart succeeds" quickstart
check "with IPVS and nftables" grep -q "Backend: ipvs with nftables " "$WORK/said"
lab_down
must "ip_vs is hidden, too" hide_modules ip_vs
lab_up
write_services
must "the daemon starts without IPVS" daemon_start
check "it says loudly that it uses the nftables backend" grep -q \
	'level=warning msg="IPVS cannot be used, going on with the nftables backend' "$DAEMON_LOG"
check "status says so, too" eval 'in_node "$SVC" status --socket "$STATUS_SOCKET" |
	grep -q "^Node: node-a   Backend: nftables (kernel "'
check "without IPVS a client reaches a cluster IP" answers client tcp 10.96.0.10 80
check "without IPVS a client reaches a NodePort over IPv6" answers client tcp $NODE_IP6 30080
check "without IPVS the node reaches a cluster IP" answers node tcp 10.96.0.10 80
check "without IPVS UDP works" answers client udp 10.96.0.40 53
daemon_end TERM
check "the quickstart succeeds without IPVS" quickstart
check "with the nftables backend" grep -q "Backend: nftables (kernel " "$WORK/said"
tap_done
