#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that an audit takes no change of the daemon's own for drift, however both fall together.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

CHANGES=60

count() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq ".summary.$1"
}

# change NUMBER: gives a Service another address, node port, policy and other endpoints.
change() {
	local list= policy=Cluster i
	[ $(($1 % 2)) = 0 ] || policy=Local
	for ((i = RANDOM % 40; i >= 0; i--)); do
		list+="{addresses: [10.244.7.$((RANDOM % 200 + 1))], nodeName: node-a}, "
	done
	manifest own.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		- {apiVersion: v1, kind: Service, metadata: {name: own},
		  spec: {type: NodePort, clusterIP: 10.96.1.$(($1 % 5 + 1)), externalTrafficPolicy: $policy,
		  ports: [{port: 80, nodePort: $((30100 + $1 % 7))}]}}
		$(slice own-1 own IPv4 "[{port: 8080}]" "$list")
	END
}

audited() {
	[ "$(count audits)" -ge "$1" ]
}

# without_drift OPTION...
without_drift() {
	local i
	must "the daemon starts with $*" daemon_start "$@" --audit-interval 1s
	for ((i = 0; i < CHANGES; i++)); do
		change $i
		sleep 0.0$((RANDOM % 9 + 1))
	done
	check "$*: audits follow" eventually 60 audited $(($(count audits) + 2))
	equal "$*: nothing is counted as drift" "$(count drift)" 0
	daemon_end TERM
	daemon_run --cleanup >/dev/null 2>&1
}

lab_up
write_services
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	without_drift --backend=ipvs --netfilter=iptables
	without_drift --backend=ipvs --netfilter=nftables
fi
# The slow machine has to do with IPVS only.
if [ "${VM_ACCEL:-}" != tcg ]; then
	without_drift --backend=iptables
	without_drift --backend=nftables
fi
tap_done
