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
		"endpoints": [{"addresses": ["'"$1"'"], "nodeName": "node-a"},
		{"addresses": ["'"$2"'"], "nodeName": "'"$3"'"}]}}'
}

put_cluster() {
	order '{"put": [{"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
		{"type": "InternalIP", "address": "'$NODE_IP'"}]}},
		{"kind": "Service", "metadata": {"name": "web", "namespace": "default"},
		"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10", "ports": [
		{"port": 80, "protocol": "TCP"}]}}]}'
	put_slice $POD_A $POD_C node-b
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
	must "the API server starts" api_start
	put_cluster
	must "the daemon starts with the API server" daemon_start "${OPTIONS[@]}"
	equal "connections reach its Services" "$(backends)" "a c"
	equal "the node is healthy" "$(probe /healthz)" 200
}

gone() {
	order '{"down": true}'
	check "status warns when the API server is gone" eventually 20 warns
	equal "the daemon keeps running without the API server" "$(probe /livez)" 200
	equal "connections continue without the API server" "$(backends)" "a c"
	daemon_end TERM
	BEFORE=$(kernel_state)
}

started_without() {
	daemon_begin "${OPTIONS[@]}"
	check "a daemon that starts without the API server logs it" eventually 30 warns
	equal "a start without the API server changes nothing in the kernel" \
		"$(kernel_state)" "$BEFORE"
	equal "a start without the API server makes no operation" "$(status .summary.operations)" 0
	equal "connections continue after a start without the API server" "$(backends)" "a c"
	equal "/healthz fails before the Node object was seen, as in kube-proxy" \
		"$(probe /healthz)" 503
	equal "/livez succeeds before the Node object was seen" "$(probe /livez)" 200
	check "the daemon does not report that it is ready" not grep READY "$WORK_LAB/notify"
}

came() {
	put_slice $POD_A $POD_B node-a
	order '{"down": false}'
	check "the daemon becomes ready when the API server returns" eventually 60 daemon_is_ready
	equal "changes that were made meanwhile are programmed" \
		"$(real_servers "-t 10.96.0.10:80")" \
		"$POD_A:8080 $POD_B:8080"
	# Two real servers, and the member by which the new endpoint reaches itself.
	equal "nothing else is changed in the kernel" "$(status .summary.operations)" 3
	check "status no longer warns" eventually 60 follows_all
	equal "the node is healthy" "$(probe /healthz)" 200
	equal "connections reach the new endpoint" "$(backends)" "a b"
}

serving
gone
started_without
came
tap_done
