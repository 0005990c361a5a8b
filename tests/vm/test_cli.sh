#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests ipvsctl-svc with a live kernel, with and without the daemon.
. "$(dirname "$0")/lab.sh"

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web, namespace: shop}
		spec:
		  clusterIP: 10.96.0.10
		  ports: [{name: http, port: 80}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: idle}
		spec: {clusterIP: 10.96.0.11, ports: [{port: 80}]}
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata:
		  name: web-1
		  namespace: shop
		  labels: {kubernetes.io/service-name: web}
		addressType: IPv4
		ports: [{name: http, port: 8080}]
		endpoints:
		- {addresses: [$POD_A], nodeName: node-a}
		- {addresses: [$POD_B], nodeName: node-a, conditions: {ready: false}}
	END
}

svc() {
	in_node "$SVC" "$@"
}

plan() {
	svc plan --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a "$@"
}

plans() {
	local before
	before=$(kernel_state)
	check "plan on an empty kernel ends with 1: it differs" ends_with 1 plan
	equal "and touches nothing" "$(kernel_state)" "$before"
	equal "its JSON names what is wanted" \
		"$(plan -o json | jq -c '[.virtualServers[] | select(.address == "10.96.0.10") |
			[.service, .port, .protocol, .scheduler, .realServers[].address]]')" \
		"[[\"shop/web:http\",80,\"TCP\",\"rr\",\"$POD_A\"]]"
}

explain() {
	svc explain --socket "$STATUS_SOCKET" "$@"
}

explains() {
	local text
	text=$(explain 10.96.0.10:80)
	check "explain finds the Service of an address" grep -q '^Service shop/web,' <<<"$text"
	check "says that the kernel holds it" grep -q 'in the kernel$' <<<"$text"
	check "names who gets packets from pods, unmasqueraded" \
		grep -Eq -- "-> $POD_A:8080 .*source address kept" <<<"$text"
	check "and those from elsewhere, masqueraded" \
		grep -Eq -- "-> $POD_A:8080 .*masqueraded" <<<"$text"
	check "and why another does not" grep -q "x  $POD_B:8080  left out: not ready" <<<"$text"
	equal "one source can be asked for, in JSON" \
		"$(explain shop/web:http --from "$POD_A" -o json |
			jq -c '.services[0].ports[0].addresses[0].paths[] |
				[.from, .verdict, .endpoints[0].masquerade]')" \
		'["pod","forwarded",true]'
	check "without endpoints packets are rejected" \
		grep -q 'from outside: rejected: no endpoint can answer' \
		<<<"$(explain -n default idle)"
	equal "top counts by Service" \
		"$(svc top --socket "$STATUS_SOCKET" -i 0.1 -o json |
			jq -c '[.source, (.services[] | select(.name == "web") |
				.namespace, .port, .connectionsPerSecond)]')" \
		'["daemon","shop",80,0]'
	check "what no Service has ends with 5" ends_with 5 explain 10.96.0.10:81
	check "what makes no sense ends with 2" ends_with 2 explain 10.96.0.10
}

with_daemon() {
	local status
	must "the daemon starts, and repairs nothing meanwhile" daemon_start --audit-interval=0
	check "plan ends with 0 when the kernel is as planned" ends_with 0 plan
	in_node ipvsadm -d -t 10.96.0.10:80 -r $POD_A:8080
	check "and with 1 when somebody changed it" ends_with 1 plan
	in_node ipvsadm -a -t 10.96.0.10:80 -r $POD_A:8080 -m -w 1
	status=$(svc status --socket "$STATUS_SOCKET" -A)
	check "status shows a Service" \
		grep -Eq '^shop +web +80/TCP +ClusterIP +10\.96\.0\.10 +rr +1/2 ' <<<"$status"
	check "and one without endpoints" grep -Eq '^default +idle .*NoEndpoints' <<<"$status"
	check "status -n shows one namespace" \
		not grep -q ^default <<<"$(svc status --socket "$STATUS_SOCKET" -n shop)"
	check "status of a name that is not there ends with 5" \
		ends_with 5 svc status --socket "$STATUS_SOCKET" -n shop nothing
	equal "status -o json says who told" \
		"$(svc status --socket "$STATUS_SOCKET" -o json | jq -r .source)" daemon
	equal "the socket serves curl's HTTP as well" \
		"$(in_node curl -s --unix-socket "$STATUS_SOCKET" http://x/v1/status | jq -r .kind)" \
		Status
	check "an unknown command ends with 2" ends_with 2 svc dance
	explains
}

without_daemon() {
	local status
	daemon_end TERM
	status=$(svc status --socket "$STATUS_SOCKET" -A 2>&1)
	check "without the daemon status reads the kernel" grep -q 10.96.0.10 <<<"$status"
	check "and says so" grep -qi kernel <<<"$status"
	check "top then shows virtual servers" \
		grep -q '10.96.0.10:80/TCP' <<<"$(svc top --socket "$STATUS_SOCKET" -i 0.1)"
	check "explain needs it" ends_with 3 svc explain --socket "$STATUS_SOCKET" shop/web
}

lab_up
write_web
plans
with_daemon
without_daemon
tap_done
