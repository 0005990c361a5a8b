#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the kernel's schedulers and session affinity.
. "$(dirname "$0")/lab.sh"

# service NAME ADDRESS ANNOTATIONS SPEC ENDPOINT...: "web 10.96.0.10 '' '' 10.244.1.11 ..."
service() {
	local name=$1 address=$2 annotations=$3 spec=$4 endpoint list=
	shift 4
	for endpoint in "$@"; do
		list+="{addresses: [$endpoint]}, "
	done
	manifest "$name.yaml" <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: $name, annotations: {$annotations}}
		spec: {clusterIP: $address, ports: [{port: 80}]${spec:+, $spec}}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice "$name-1" "$name" IPv4 "[{port: 8080}]" "$list")
	END
}

alternates() {
	local answers
	answers=$(ask client -n 6 tcp "$1" 80 | cut -d' ' -f1)
	echo "$answers"
	[ "$(sort <<<"$answers" | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = "2 2 2 " ] &&
		[ "$(head -n 3 <<<"$answers")" = "$(tail -n 3 <<<"$answers")" ]
}

# Each client stays on one backend, and the clients use more than one.
keeps_clients() {
	local i answers all=
	for i in 0 1 2 3 4 5 6 7; do
		answers=$(names "$(ask client -n 3 -s 192.168.50.1$i tcp "$1" 80)")
		echo "192.168.50.1$i: $answers"
		[ "$(wc -w <<<"$answers")" = 1 ] || return
		all+=$answers$'\n'
	done
	[ "$(sort -u <<<"$all" | grep -c .)" -gt 1 ]
}

# One backend has four connections. A second backend is added and gets the next four.
prefers_idle() {
	local name=$1 address=$2 annotation=$3
	service "$name" "$address" "$annotation" "" "$POD_A"
	eventually 5 ipvs_has "-a -t $address:80 -r $POD_A:8080 -m -w 1" || return
	hold_open 4 client tcp "$address" 80
	[ "$(names "$HELD")" = a ] || return
	service "$name" "$address" "$annotation" "" "$POD_A" "$POD_B"
	eventually 5 ipvs_has "-a -t $address:80 -r $POD_B:8080 -m -w 1" || return
	ask client -n 4 tcp "$address" 80 >"$WORK/new"
	hold_ask
	hold_close
	names "$(cat "$WORK/new")"
	[ "$(names "$(cat "$WORK/new")")" = b ] && [ "$(names "$HELD")" = a ]
}

lab_up
service alternate 10.96.1.1 "" "" $POD_A $POD_B $POD_C
service source 10.96.1.2 "ipvsctl.io/scheduler: sh" "" $POD_A $POD_B $POD_C
service router 10.96.1.3 "kube-router.io/service.scheduler: wlc" "" $POD_A
service strange 10.96.1.4 "ipvsctl.io/scheduler: best" "" $POD_A $POD_B
service sticky 10.96.1.5 "" "sessionAffinity: ClientIP,
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}" $POD_A $POD_B $POD_C
service default-time 10.96.1.6 "" "sessionAffinity: ClientIP" $POD_A
must "the daemon starts" daemon_start

check "the default scheduler is rr" ipvs_has "-A -t 10.96.1.1:80 -s rr"
check "rr alternates" alternates 10.96.1.1
check "an annotation chooses sh" ipvs_has "-A -t 10.96.1.2:80 -s sh -b sh-fallback"
check "sh keeps a client on its backend" keeps_clients 10.96.1.2
check "kube-router's annotation works" ipvs_has "-A -t 10.96.1.3:80 -s wlc"
check "sed prefers the idle backend" prefers_idle sed 10.96.2.1 "ipvsctl.io/scheduler: sed"

check "session affinity becomes persistence with its timeout" \
	ipvs_has "-A -t 10.96.1.5:80 -s rr -p 60"
check "the default timeout of session affinity is three hours" \
	ipvs_has "-A -t 10.96.1.6:80 -s rr -p 10800"
check "persistence keeps a client on its backend" keeps_clients 10.96.1.5

check "a scheduler that the kernel lacks falls back to the default" \
	ipvs_has "-A -t 10.96.1.4:80 -s rr"
answers=$(ask client -n 4 tcp 10.96.1.4 80)
equal "a Service with a missing scheduler carries traffic" "$(names "$answers")" "a b"
check "status names the missing scheduler" \
	grep -q best <<<"$(in_node "$SVC" status --socket "$STATUS_SOCKET" -o json strange)"
check "the log names the missing scheduler" grep -q "best" "$DAEMON_LOG"

daemon_end TERM
must "the daemon starts with another default scheduler" daemon_start --scheduler lc
check "a Service without an annotation gets the new default" \
	eventually 5 ipvs_has "-A -t 10.96.1.1:80 -s lc"
check "a Service with an annotation keeps its scheduler" \
	ipvs_has "-A -t 10.96.1.2:80 -s sh -b sh-fallback"
check "lc prefers the idle backend" prefers_idle lc 10.96.2.2 ""
daemon_end TERM
must "kube-proxy's name of the option works" daemon_start --ipvs-scheduler=wrr
check "kube-proxy's name of the option has the same meaning" \
	eventually 5 ipvs_has "-A -t 10.96.1.1:80 -s wrr"
tap_done
