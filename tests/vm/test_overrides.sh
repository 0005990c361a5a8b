#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests drain, weight and resume with each backend that the kernel has: new connections follow them,
# those that exist stay, and they outlive the daemon.
. "$(dirname "$0")/lab.sh"

ENDPOINT=$POD_C:8080

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: other}
		spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec: {clusterIP: 10.96.0.30, sessionAffinity: ClientIP, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}, {addresses: [$POD_C]}")
		$(slice other-1 other IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}, {addresses: [$POD_C]}")
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" "{addresses: [$POD_A]}, {addresses: [$POD_C]}")
	END
}

svc() {
	in_node "$SVC" "$@" --socket "$STATUS_SOCKET"
}

# only NAMES [ADDRESS]: 20 new connections are answered by these backends, and by no other.
only() {
	local answers
	answers=$(ask client -n 20 tcp "${2:-10.96.0.10}" 80)
	names "$answers"
	echo
	[ "$(names "$answers")" = "$1" ]
}

override_is() {
	svc status -o json | jq -c .overrides | tee "$WORK/last" | grep -qF "$1"
}

plan_agrees() {
	in_node "$SVC" plan --diff --manifests "$MANIFESTS" --backend "$1" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a --status-socket "$STATUS_SOCKET" -o json |
		json_says '.differences == []'
}

without_it() {
	svc status -o json | jq -e '.overrides == []'
}

drains() {
	hold_open 8 client tcp 10.96.0.10 80
	local held=$HELD
	check "$1: both endpoints are asked" only "a c"
	check "$1: drain succeeds" svc drain "$ENDPOINT"
	check "$1: new connections go to the other endpoint" eventually 5 only a
	check "$1: so they do with session affinity" only a 10.96.0.30
	hold_ask
	check "$1: connections that exist stay" [ "$HELD" = "$held" ]
	hold_close
	check "$1: status tells it" override_is '"weight":0,"secondsLeft":null,"user":0'
	check "$1: plan wants no change" plan_agrees "$1"
	check "$1: explain tells it" eval 'svc explain default/web | grep "drained by an operator"'
	check "$1: metrics tell it" eval 'in_node curl -s http://127.0.0.1:10249/metrics | grep "^ipvsctl_overrides 1$"'
}

outlives_the_daemon() {
	loop_start all client tcp 10.96.0.10 80
	daemon_end TERM
	must "$1: the daemon starts again" daemon_start "${options[@]}"
	loops_go_on
	check "$1: through a restart it gets no new connection" loop_never_failed all 'a .*'
	check "$1: resume succeeds" svc resume "$ENDPOINT"
	check "$1: both endpoints are asked again" eventually 5 only "a c"
	check "$1: nothing is overridden any more" without_it
}

of_one_service() {
	check "$1: drain of one Service succeeds" svc drain "$POD_C" --service default/web
	check "$1: that Service leaves the endpoint out" eventually 5 only a
	check "$1: another one does not" only "a c" 10.96.0.20
	check "$1: a weight replaces it" svc weight "$POD_C" 3 --service default/web
	check "$1: the endpoint is asked again" eventually 5 only "a c"
	check "$1: its weight is that" eval 'svc explain default/web | grep "weight 3.*set by an operator"'
	check "$1: resume without a Service ends it" svc resume "$POD_C"
	check "$1: drain for a time succeeds" svc drain "$ENDPOINT" --for $((2 * PATIENCE))s
	check "$1: it is drained" eventually 5 only a
	check "$1: its time ends" eventually 30 only "a c"
	check "$1: nothing is left of it" without_it
}

complaints() {
	check "an endpoint that no Service has is not found" ends_with 5 svc drain 10.244.9.9:80
	check "nothing to resume is not found" ends_with 5 svc resume "$ENDPOINT"
	check "an address is needed" ends_with 2 svc drain web
	check "a weight has a range" ends_with 2 svc weight "$ENDPOINT" 65536
	check "another user may not" ends_with 4 in_node setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$SVC" drain "$ENDPOINT" --socket "$STATUS_SOCKET"
	check "the last endpoint's drain warns" eval \
		'svc drain $POD_A && svc drain $POD_C | grep "Warning: no endpoint is left"'
	check "resume of both succeeds" eval 'svc resume $POD_A && svc resume $POD_C'
}
# In the slow machine, IPVS alone: the other backends are tested on the kernel without it.
backends=()
[ "${VM_ACCEL:-}" = tcg ] || backends=(nftables iptables)
lab_up
! in_node ipvsadm -Ln >/dev/null 2>&1 || backends+=(ipvs)
write_services
for backend in "${backends[@]}"; do
	options=(--backend "$backend" --metrics-bind-address 127.0.0.1:10249)
	must "$backend: the daemon starts" daemon_start "${options[@]}"
	drains "$backend"
	outlives_the_daemon "$backend"
	of_one_service "$backend"
	[ "$backend" != "${backends[0]}" ] || complaints
	daemon_end TERM
done
tap_done
