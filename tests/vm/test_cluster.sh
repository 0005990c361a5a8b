#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the set-up of examples/kubernetes: an API server, an init process with full privileges, a
# daemon with two capabilities and read-only kernel settings, Events, metrics, and a changing
# configuration.
. "$(dirname "$0")/lab.sh"

API=http://127.0.0.1:6443
PROGRAMMED='kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}'

order() {
	in_node curl -sf --data-binary "$1" "$API/_control"
}

put() {
	order "{\"put\": $1}" >/dev/null
}

api_up() {
	mkfifo "$WORK_LAB/orders"
	enter node python3 tests/fake/apiserver --port 6443 <>"$WORK_LAB/orders" >"$WORK_LAB/api.log" 2>&1 &
	lab_pids+=($!)
	eventually 10 in_node curl -sf "$API/version"
}

# put_service NAME ADDRESS ANNOTATIONS MORE
put_service() {
	put "{\"kind\": \"Service\", \"metadata\": {\"namespace\": \"shop\", \"name\": \"$1\", \"uid\": \"uid-$1\",
		\"annotations\": {$3}}, \"spec\": {\"clusterIP\": \"$2\", \"clusterIPs\": [\"$2\"],
		\"ports\": [{\"name\": \"\", \"protocol\": \"TCP\", \"port\": 80}] $4}}"
}

# put_slice SERVICE ADDRESS [TIME]: sets the endpoint, changed at TIME.
put_slice() {
	put "{\"kind\": \"EndpointSlice\", \"metadata\": {\"namespace\": \"shop\", \"name\": \"$1-1\",
		\"labels\": {\"kubernetes.io/service-name\": \"$1\"},
		\"annotations\": {${3:+\"endpoints.kubernetes.io/last-change-trigger-time\": \"$3\"}}},
		\"addressType\": \"IPv4\", \"ports\": [{\"name\": \"\", \"protocol\": \"TCP\", \"port\": 8080}],
		\"endpoints\": [{\"addresses\": [\"$2\"], \"nodeName\": \"node-a\", \"conditions\": {\"ready\": true}}]}"
}

a_cluster() {
	put "{\"kind\": \"Node\", \"metadata\": {\"name\": \"node-a\"}, \"status\": {\"addresses\":
		[{\"type\": \"InternalIP\", \"address\": \"$NODE_IP\"}]}}"
	put_service web 10.96.0.10 '"ipvsctl.io/scheduler": "fastest"' ''
	put_slice web "$POD_A"
	put_service lb 10.96.0.11 '' ', "type": "LoadBalancer", "externalTrafficPolicy": "Local",
		"healthCheckNodePort": 30999'
	put_slice lb "$POD_A"
}

# The size of the connection tracking table cannot be changed in a namespace.
configure() {
	cat >"$WORK_LAB/kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: lab
		contexts: [{name: lab, context: {cluster: lab, user: lab}}]
		clusters: [{name: lab, cluster: {server: "$API"}}]
		users: [{name: lab, user: {}}]
	END
	cat >"$WORK_LAB/config.new" <<-END
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		clientConnection: {kubeconfig: $WORK_LAB/kubeconfig}
		clusterCIDR: 10.244.0.0/16
		oomScoreAdj: 0
		conntrack: {maxPerCore: 0, min: 0}
		ipvs: {scheduler: $1}
		ipvsctl: {statusSocket: $STATUS_SOCKET}
	END
	mv "$WORK_LAB/config.new" "$WORK_LAB/config.yaml"
}

# start_unprivileged: starts the daemon with the capabilities of the DaemonSet's container.
start_unprivileged() {
	lab_background "$WORK_LAB/notify" node "$PEER" notify "$WORK_LAB/notify.sock"
	eventually 10 test -S "$WORK_LAB/notify.sock"
	# shellcheck disable=SC2016
	NOTIFY_SOCKET=$WORK_LAB/notify.sock enter node unshare -m sh -c '
		mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys &&
		exec setpriv --no-new-privs --bounding-set=-all,+net_admin,+net_raw --inh-caps=-all "$@"' sh \
		"$SVCD" --config "$WORK_LAB/config.yaml" --hostname-override node-a >>"$DAEMON_LOG" 2>&1 </dev/null &
	DAEMON_PID=$!
	eventually 60 daemon_is_ready
	kill -0 "$DAEMON_PID"
}

# has_event REASON KIND NAME: whether the API server got this Event.
has_event() {
	order '{"get": "events"}' | tee "$WORK/last" |
		json_says --arg r "$1" --arg k "$2" --arg n "$3" 'any(.events[].object;
			.reason == $r and .regarding.kind == $k and .regarding.name == $n)' >/dev/null || {
		cat "$WORK/last"
		return 1
	}
}

event_field() {
	order '{"get": "events"}' | jq -r --arg r "$1" '[.events[].object | select(.reason == $r)][0] | '"$2"
}

# metric NAME: prints its value.
metric() {
	in_node curl -sf http://127.0.0.1:10249/metrics | awk -v name="$1" '$1 == name { print $2 }'
}

metric_is() {
	local value
	value=$(metric "$1")
	echo "$1 $value"
	[ "$value" = "$2" ]
}

privileges() {
	check "--init-only succeeds" \
		in_node "$SVCD" --init-only --config "$WORK_LAB/config.yaml" --hostname-override node-a
	equal "--init-only writes kernel settings" \
		"$(in_node sysctl -n net.ipv4.ip_forward net.ipv4.vs.conntrack | tr '\n' ' ')" "1 1 "
	equal "--init-only writes nothing else" "$(ipvs)" ""
	must "the daemon starts with two capabilities" start_unprivileged
	equal "Services are served" "$(names "$(ask client -n 2 tcp 10.96.0.10 80)")" a
}

events() {
	check "an Event reports the start" eventually 10 has_event Starting Node node-a
	check "an Event reports the scheduler that the kernel lacks" \
		eventually 10 has_event SchedulerMissing Service web
	equal "that Event has the Service's uid" \
		"$(event_field SchedulerMissing .regarding.uid)" uid-web
	check "an Event reports the port that is in use" \
		eventually 10 has_event FailedToStartServiceHealthcheck Service lb
}

# Lists and Events are counted; watches are not measured.
requests_are_counted() {
	local got posted
	got=$(metric 'rest_client_requests_total{code="200",host="127.0.0.1:6443",method="GET"}')
	posted=$(metric 'rest_client_request_duration_seconds_count{host="127.0.0.1:6443",verb="POST"}')
	echo "got $got posted $posted"
	[ "$got" -ge 3 ] && [ "$posted" -ge 1 ]
}

metrics() {
	local before resource
	before=$(metric ipvsctl_audit_duration_seconds_count)
	check "audits are measured" test "${before:-0}" -ge 1
	check "no change is pending" metric_is kubeproxy_sync_proxy_rules_endpoint_changes_pending 0
	equal "changes are counted" "$(metric kubeproxy_sync_proxy_rules_service_changes_total) $(
		metric kubeproxy_sync_proxy_rules_endpoint_changes_total)" "2 2"
	check "changes from before the start do not count as latency" metric_is "$PROGRAMMED" 0
	for resource in services endpointslices nodes; do
		check "the watch of $resource is healthy" \
			metric_is "ipvsctl_watch_healthy{resource=\"$resource\"}" 1
	done
	check "requests are counted" eventually 60 requests_are_counted
	put_slice web "$POD_B" "$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)"
	check "the latency of a change begins with its trigger" \
		eventually 10 metric_is "$PROGRAMMED" 1
	check "the change is counted" metric_is kubeproxy_sync_proxy_rules_endpoint_changes_total 3
	equal "the change is programmed" "$(names "$(ask client -n 2 tcp 10.96.0.10 80)")" b
}

node_deleted() {
	order '{"delete": {"kind": "Node", "metadata": {"name": "node-a"}}}' >/dev/null
	check "the node stays eligible when its Node object is deleted" \
		in_node curl -sf http://127.0.0.1:10256/healthz
	equal "Services stay when the Node object is deleted" \
		"$(names "$(ask client -n 2 tcp 10.96.0.10 80)")" b
}

configuration_changes() {
	local status pid=$DAEMON_PID
	printf 'ipvs: [' >"$WORK_LAB/config.bad"
	mv "$WORK_LAB/config.bad" "$WORK_LAB/config.yaml"
	check "a configuration that becomes invalid is logged" \
		eventually 10 grep -q 'has become invalid' "$DAEMON_LOG"
	check "the daemon keeps running with an invalid configuration" kill -0 "$pid"
	configure lc
	DAEMON_PID=
	wait "$pid"
	status=$?
	equal "a changed configuration ends the daemon" $status 1
	check "the daemon logs why it ends" grep -q 'configuration file has changed' "$DAEMON_LOG"
	equal "the kernel's state stays when the daemon ends" \
		"$(names "$(ask client -n 2 tcp 10.96.0.10 80)")" b
}

lab_up
must "the API server answers" api_up
a_cluster
configure rr
lab_background "$WORK_LAB/taken" node "$PEER" serve taken tcp:30999
eventually 5 grep -q serving "$WORK_LAB/taken"
privileges
events
metrics
node_deleted
configuration_changes
tap_done
