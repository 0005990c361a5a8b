#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a start without the API server: no connection is lost, and its Services are programmed when
# it returns.
. "$(dirname "$0")/lab.sh"

# The size of the connection tracking table cannot be changed in a namespace.
OPTIONS=(--drain-timeout 0 --conntrack-max-per-core 0)

put_slice() {
	order '{"put": {"kind": "EndpointSlice", "metadata": {"name": "web-1", "namespace": "default",
		"labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
		"ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
		"endpoints": [{"addresses": ["'"$1"'"]}, {"addresses": ["'"$2"'"]}]}}'
}

put_cluster() {
	order '{"put": [{"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
		{"type": "InternalIP", "address": "'$NODE_IP'"}]}},
		{"kind": "Service", "metadata": {"name": "web", "namespace": "default"},
		"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10", "ports": [
		{"port": 80, "protocol": "TCP"}]}}]}'
	put_slice $POD_A $POD_C
}

backends() {
	names "$(ask client -n 4 tcp 10.96.0.10 80)"
}

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq -r "$1"
}

warns() {
	status '.warnings[]' | grep "cannot follow services: .*127.0.0.1:6443"
}

follows_all() {
	local warnings
	warnings=$(status '.warnings[]') && ! grep "cannot follow" <<<"$warnings"
}

# probe PATH: prints the HTTP status of the health server.
probe() {
	in_node curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:10256$1"
}

serving() {
	lab_up
	must "an API server starts" api_start
	put_cluster
	must "the daemon follows it" daemon_start "${OPTIONS[@]}"
	equal "connections reach what it holds" "$(backends)" "a c"
	equal "the node is healthy" "$(probe /healthz)" 200
}

gone() {
	order '{"down": true}'
	check "when it goes, status says so" eventually 20 warns
	equal "the daemon stays alive" "$(probe /livez)" 200
	equal "connections go on" "$(backends)" "a c"
	daemon_end TERM
	BEFORE=$(kernel_state)
}

started_without() {
	daemon_begin "${OPTIONS[@]}"
	check "a daemon that starts without it says so" eventually 30 warns
	equal "it leaves the kernel's state as it is" "$(kernel_state)" "$BEFORE"
	equal "it counts no operation" "$(status .summary.operations)" 0
	equal "connections go on" "$(backends)" "a c"
	equal "the node is not healthy, as it is with kube-proxy, before its object was seen" \
		"$(probe /healthz)" 503
	equal "the daemon itself is" "$(probe /livez)" 200
	check "it does not say that it is ready" not grep READY "$WORK_LAB/notify"
}

came() {
	put_slice $POD_A $POD_B
	order '{"down": false}'
	check "when the server comes, the daemon becomes ready" eventually 60 daemon_is_ready
	equal "what changed meanwhile is true" "$(real_servers "-t 10.96.0.10:80")" \
		"$POD_A:8080 $POD_B:8080"
	equal "and nothing else was written" "$(status .summary.operations)" 2
	check "status warns no more" eventually 60 follows_all
	equal "the node is healthy" "$(probe /healthz)" 200
	equal "connections follow" "$(backends)" "a b"
}

serving
gone
started_without
came
tap_done
