#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the choice of the backend: IPVS if the kernel has it, else iptables with a warning
# everywhere.
. "$(dirname "$0")/lab.sh"

# weighted_slice NUMBER WEIGHT ADDRESS
weighted_slice() {
	slice "weighted-$1" weighted IPv4 "[{port: 8080}]" "{addresses: [$3]}" |
		sed "s/metadata: {/&annotations: {ipvsctl.io\/weight: \"$2\"}, /"
}

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  ports: [{port: 80, nodePort: 30080}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: busy, annotations: {ipvsctl.io/scheduler: lc, ipvsctl.io/drain-timeout: 5s}}
		spec:
		  clusterIP: 10.96.0.20
		  ports: [{port: 80}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: weighted}
		spec:
		  clusterIP: 10.96.0.30
		  ports: [{port: 80}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec:
		  clusterIP: 10.96.0.40
		  sessionAffinity: ClientIP
		  ports: [{port: 80}]
		---
		apiVersion: v1
		kind: List
		items:
		$(weighted_slice 1 3 $POD_A)
		$(weighted_slice 2 1 $POD_C)
		$(weighted_slice 3 0 $POD_B)
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}, {addresses: [$POD_B]}, \
		{addresses: [$POD_C]}")
		$(slice web-1 web IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}, {addresses: [$POD_C]}")
		$(slice busy-1 busy IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}")
	END
}

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" "$@"
}

status_has() {
	local said
	said=$(status) # with Services that are Degraded its exit code is 1
	echo "$said"
	grep -Eq -- "$1" <<<"$said"
}

metric() {
	in_node curl -s http://127.0.0.1:10249/metrics | grep "^$1 "
}

# fails_with TEXT COMMAND...
fails_with() {
	local text=$1 status
	shift
	"$@" >"$WORK/said" 2>&1
	status=$?
	cat "$WORK/said"
	[ $status = 1 ] && grep -q -- "$text" "$WORK/said"
}

# iptables_metric NAME [LABEL]: prints its value.
iptables_metric() {
	metric "kubeproxy_sync_proxy_rules_iptables_$1{ip_family=\"IPv4\"${2:+,$2}}" | sed 's/.* //'
}

# rules_are_counted TABLE: whether the metric equals the number of rules in the daemon's chains.
rules_are_counted() {
	local counted there
	counted=$(iptables_metric total "table=\"$1\"")
	there=$(in_node iptables-save -t "$1" | grep -c '^-A KUBE-')
	echo "counted $counted of $there"
	[ "$there" -gt 0 ] && [ "$counted" = "$there" ]
}

failures_are_counted() {
	local all partial
	all=$(iptables_metric restore_failures_total)
	partial=$(iptables_metric partial_restore_failures_total)
	echo "all $all partial $partial"
	[ "$all" -gt 0 ] && [ "$partial" = "$all" ]
}

answers() {
	equal "$1" "$(names "$(ask client -n 40 tcp 10.96.0.10 80)") $(names "$(
		ask client -n 40 tcp $NODE_IP 30080)")" "a c a c"
}

chosen_without_ipvs() {
	check "an explicit --backend=ipvs fails with the reason and the remedy" \
		fails_with 'IPVS cannot be used: .*module ip_vs.*--backend=auto' \
		daemon_run --once --backend ipvs
	equal "a failed --backend=ipvs writes nothing" "$(in_node iptables-save | grep -c KUBE)" 0
	check "with --netfilter=nftables the fallback is the nftables backend" \
		daemon_run --once --backend auto --netfilter nftables
	check "its rules are there" eval 'in_node nft list table ip ipvsctl-svc | grep -q KUBE-SPREAD-'
	must "--backend=auto falls back to iptables" daemon_start --backend auto \
		--metrics-bind-address 127.0.0.1:10249
	equal "the fallback is logged once" "$(grep -c 'going on with iptables' "$DAEMON_LOG")" 1
	answers "the Services answer"
	check "status shows the backend iptables" status_has '^Node: node-a   Backend: iptables '
	check "plan compares with the backend that the daemon has chosen" eval 'in_node "$SVC" plan --diff \
		--manifests "$MANIFESTS" --status-socket "$STATUS_SOCKET" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a -o json | json_says ".backend == \"iptables\" and .differences == []"'
	check "status warns of the fallback, with the reason and the remedy" \
		status_has '^Warning: IPVS cannot be used.*ip_vs'
	equal "the metric reports the fallback" \
		"$(metric ipvsctl_backend_fallback)" "ipvsctl_backend_fallback 1"
}

event_told() {
	in_node curl -s --data '{"get": "events"}' http://127.0.0.1:6443/_control |
		json_says '[.events[].object | select(.reason == "IPVSUnavailable")] |
			length == 1 and (.[0] | .type == "Warning" and .regarding.kind == "Node" and
			.regarding.name == "node-a" and (.note | test("ip_vs")))'
}

told_to_the_cluster() {
	lab_again
	must "the API server starts" api_start
	order '{"put": {"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
		{"type": "InternalIP", "address": "'$NODE_IP'"}]}}}'
	must "the daemon follows the API server with iptables" daemon_start --backend auto \
		--conntrack-max-per-core 0
	check "an Event of the node reports the fallback" eventually 20 event_told
	unset KUBECONFIG
}

chosen_with_ipvs() {
	must "--backend=auto uses IPVS" daemon_start --backend auto \
		--metrics-bind-address 127.0.0.1:10249
	equal "the log has no warning of a fallback to iptables" \
		"$(grep -c "going on with iptables" "$DAEMON_LOG")" 0
	answers "the Services answer"
	check "status shows the backend ipvs" status_has '^Node: node-a   Backend: ipvs '
	equal "the metric reports no fallback" \
		"$(metric ipvsctl_backend_fallback)" "ipvsctl_backend_fallback 0"
}

asked_for() {
	local table
	must "the daemon starts with --backend=iptables" daemon_start --backend iptables \
		--metrics-bind-address 127.0.0.1:10249
	equal "--backend=iptables logs no warning" "$(grep -c 'level=warn' "$DAEMON_LOG")" 0
	check "status has no warning with --backend=iptables" not status_has '^Warning: IPVS'
	answers "the Services answer"
	equal "the metric reports the backend iptables" \
		"$(metric 'ipvsctl_backend_info{backend="iptables"}')" \
		'ipvsctl_backend_info{backend="iptables"} 1'
	equal "the metric reports no fallback with --backend=iptables" \
		"$(metric ipvsctl_backend_fallback)" \
		"ipvsctl_backend_fallback 0"
	for table in nat filter; do
		check "the metrics count the rules of $table" eventually 60 rules_are_counted $table
	done
	equal "the metrics count no failure" "$(iptables_metric restore_failures_total)" 0
	check "status names the requests that iptables cannot fulfil" status_has \
		'^Limits: default/busy: scheduler "lc": endpoints are chosen by chance; drain timeout:'
	check "the Service's state is Degraded" \
		status_has 'busy .* random .* Degraded.*no scheduler "lc"'
}

# The probability of fewer than 110 or more than 190 of 200 is 1e-10.
in_proportion() {
	local answers a b
	answers=$(ask client -n 200 tcp 10.96.0.30 80)
	a=$(grep -c '^a ' <<<"$answers") b=$(grep -c '^b ' <<<"$answers")
	echo "a $a b $b of $(wc -l <<<"$answers")"
	[ "$a" -gt 110 ] && [ "$a" -lt 190 ] && [ "$b" = 0 ]
}

# So often that chance is ruled out.
sticks() {
	local first
	first=$(names "$(ask client -n 20 -s "$1" tcp 10.96.0.40 80)")
	echo "$first"
	[[ $first = [abc] ]]
}

chosen_by_chance() {
	local i
	check "traffic is in proportion to weights, and weight 0 gets none" in_proportion
	for i in 10 11 12 13; do
		check "session affinity holds for client $i" sticks 192.168.50.$i
	done
}

# A chain to which a foreign rule jumps cannot be deleted.
failed() {
	local chain
	chain=$(in_node iptables-save -t nat | sed -n 's/^:\(KUBE-SVC-[A-Z2-7]*\) .*/\1/p' | head -n 1)
	must "a foreign rule jumps to a chain of the daemon" \
		in_node iptables-restore -w 60 --noflush <<-END
			*nat
			:FOREIGN - [0:0]
			-A FOREIGN -j $chain
			COMMIT
		END
	manifest services.yaml <<-END
		apiVersion: v1
		kind: List
		items: []
	END
	check "rejections by iptables are counted" eventually 60 failures_are_counted
	must "the foreign rule is deleted" in_node iptables -w 60 -t nat -F FOREIGN
}

cleaned_up() {
	daemon_end TERM
	check "--cleanup succeeds" daemon_run --cleanup
	equal "--cleanup leaves no rule" "$(in_node iptables-save | grep -c KUBE-)" 0
	equal "--cleanup leaves no set" "$(in_node ipset list -n | grep -c KUBE-)" 0
}

lab_up
write_services
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	chosen_with_ipvs
else
	chosen_without_ipvs
	told_to_the_cluster
fi
lab_again
write_services
asked_for
chosen_by_chance
failed
cleaned_up
tap_done
