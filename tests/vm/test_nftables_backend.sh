#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the backend nftables: that it is chosen where neither IPVS nor iptables works, session
# affinity, changes by others, and the moves from and to the backend iptables. flows.table is tested by
# test_flows_nftables_backend.sh.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

. "$(dirname "$0")/hiding.sh"

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" "$@"
}

status_has() {
	status | tee "$WORK/last" | grep -Eq -- "$1"
}

# sticky TIMEOUT ADDRESS...: a Service with session affinity and these endpoints.
sticky() {
	local timeout=$1
	shift
	manifest sticky.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.70
		  sessionAffinity: ClientIP
		  sessionAffinityConfig: {clientIP: {timeoutSeconds: $timeout}}
		  ports: [{port: 80, nodePort: 30070}]
		---
		apiVersion: v1
		kind: List
		items:
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" \
			"$(for ip in "$@"; do echo "{addresses: [$ip]},"; done)")
	END
	eventually 60 settled
}

# whom SOURCE [ADDRESS PORT]: prints the endpoints that answer 20 connections.
whom() {
	names "$(ask client -n 20 -s "$1" tcp "${2:-10.96.0.70}" "${3:-80}")"
}

keeps() {
	local now
	now=$(whom "$1" "${@:3}")
	echo "$now instead of $2"
	[ "$now" = "$2" ]
}

is_one() {
	[[ $1 = [abc] ]]
}

repaired() {
	in_node nft list table ip ipvsctl-svc | sort | diff "$WORK/before" - >/dev/null
}

# mended SENTENCE COMMAND...: carries out a change by hand, which is mended.
mended() {
	in_node nft list table ip ipvsctl-svc | sort >"$WORK/before"
	if in_node "${@:2}" 2>"$WORK/last"; then
		check "$1 is mended" eventually 60 repaired
	elif grep -q "Operation not permitted" "$WORK/last"; then
		skip "$1 is mended" "this kernel lets nobody else change the table"
	else
		check "$1" false
	fi
}

plan_agrees() {
	in_node "$SVC" plan --diff --backend nftables --manifests "$MANIFESTS" \
		--cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a -o json |
		tee "$WORK/last" | json_says '.differences == []'
}

loud_fallback() {
	grep -q 'level=warning msg="IPVS cannot be used, going on with the nftables backend' \
		"$DAEMON_LOG" && grep -q 'level=warning msg="ipset and iptables cannot be used' \
		"$DAEMON_LOG" && status_has "^Warning: IPVS cannot be used, so nftables is "
}

[ "${VM_ACCEL:-}" != tcg ] || skip_all "it needs no kernel with IPVS, and runs outside"
lab_up
in_node nft list tables >/dev/null 2>&1 || skip_all "this kernel has no nf_tables"
write_services

# ---- The choice ----

must "the programs of ipset and iptables are hidden" hide_programs
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	must "the daemon starts without them" daemon_start --backend nftables
else
	must "the daemon starts without them and without IPVS" daemon_start
	check "it says loudly that it falls back to nftables, and why" loud_fallback
fi
check "status shows the backend nftables" status_has '^Node: node-a   Backend: nftables \(kernel '
equal "a client reaches both endpoints of a cluster IP" \
	"$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
equal "and of a NodePort over IPv6" "$(names "$(ask client -n 40 tcp $NODE_IP6 30080)")" "a c"
check "explain names the chain that chooses" eval \
	'in_node "$SVC" explain web --socket "$STATUS_SOCKET" | grep -q "(chain nat-KUBE-SPREAD-2"'
must "the programs are shown again" show_programs

# ---- Session affinity ----

must "a Service with session affinity is served" sticky 60 $POD_A $POD_B
first=$(whom 192.168.50.11)
check "a client always gets the same endpoint" is_one "$first"
must "another endpoint is added" sticky 60 $POD_A $POD_B $POD_C
check "the client keeps its endpoint" keeps 192.168.50.11 "$first"
port=$(whom 192.168.50.11 $NODE_IP 30070)
check "the same holds for the NodePort" is_one "$port"
daemon_end TERM
must "the daemon starts again" daemon_start --backend nftables
check "the client keeps its endpoint over a restart" keeps 192.168.50.11 "$first"
rest=($POD_A $POD_B $POD_C)
[ "$first" != a ] || rest=($POD_B $POD_C)
[ "$first" != b ] || rest=($POD_A $POD_C)
must "its endpoint is deleted" sticky 60 "${rest[@]}"
second=$(whom 192.168.50.11)
check "the client gets another one" is_one "$second"
check "which it keeps" keeps 192.168.50.11 "$second"
check "nobody gets the deleted one" eval '[[ $(
	for i in 10 11 12 13; do whom 192.168.50.$i; done) != *$first* ]]'
must "affinity ends after two seconds without a connection" sticky 2 $POD_A $POD_B $POD_C
whom 192.168.50.11 >"$WORK/last"
check "clients are forgotten" eventually 60 eval \
	'! in_node nft list map ip ipvsctl-svc KUBE-CLIENTS | grep -q "192.168.50.11 . 10.96.0.70 .*expires"'
must "the Service is deleted" eval 'rm "$MANIFESTS/sticky.yaml"; eventually 60 settled'
check "with it goes what noted clients" eventually 60 not in_node nft list map ip ipvsctl-svc KUBE-CLIENTS

# ---- Changes by others ----

mended "a deleted slot" nft delete element ip ipvsctl-svc KUBE-ENDPOINTS \
	"{ 10.96.0.10 . tcp . 80 . 0 }"
mended "a deleted entry" nft delete element ip ipvsctl-svc KUBE-DISPATCH "{ 10.96.0.10 . tcp . 80 }"
mended "a flushed chain" nft flush chain ip ipvsctl-svc nat-KUBE-SPREAD-2
mended "a flushed map" nft flush map ip ipvsctl-svc KUBE-SPREADS
mended "a deleted table" nft delete table ip ipvsctl-svc
daemon_end TERM
must "the daemon starts once more" daemon_start --backend nftables
check "a restart writes nothing" eval 'status -o json | tee "$WORK/last" | json_says ".summary.operations == 0"'

check "plan compares, with or without IPVS, and finds no difference" plan_agrees

# ---- From and to iptables ----

fresh iptables
fresh nftables
change_to iptables
check "the state equals that of a fresh start with iptables" eventually 60 as_fresh iptables
change_to nftables
check "the state equals that of a fresh start with nftables" eventually 60 as_fresh nftables
daemon_end TERM
check "--cleanup succeeds" daemon_run --cleanup --netfilter nftables
equal "--cleanup leaves no table" "$(in_node nft list tables | grep -c ipvsctl-svc)" 0
tap_done
