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
	check "plan on an empty kernel exits with 1, because it differs" ends_with 1 plan
	equal "plan changes nothing in the kernel" "$(kernel_state)" "$before"
	equal "the JSON of plan has the virtual server" \
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
	check "explain says that the kernel holds the Service" grep -q 'in the kernel$' <<<"$text"
	check "explain names the endpoints of packets from pods, unmasqueraded" \
		grep -Eq -- "-> $POD_A:8080 .*source address kept" <<<"$text"
	check "explain names the endpoints of packets from elsewhere, masqueraded" \
		grep -Eq -- "-> $POD_A:8080 .*masqueraded" <<<"$text"
	check "explain says why another endpoint is left out" \
		grep -q "x  $POD_B:8080  left out: not ready" <<<"$text"
	equal "explain --from shows one source, in JSON" \
		"$(explain shop/web:http --from "$POD_A" -o json |
			jq -c '.services[0].ports[0].addresses[0].paths[] |
				[.from, .verdict, .endpoints[0].masquerade]')" \
		'["pod","forwarded",true]'
	check "explain says that packets are rejected without endpoints" \
		grep -q 'from outside: rejected: no endpoint can answer' \
		<<<"$(explain -n default idle)"
	equal "top counts by Service" \
		"$(svc top --socket "$STATUS_SOCKET" -i 0.1 -o json |
			jq -c '[.source, (.services[] | select(.name == "web") |
				.namespace, .port, .connectionsPerSecond)]')" \
		'["daemon","shop",80,0]'
	check "explain of an address of no Service exits with 5" ends_with 5 explain 10.96.0.10:81
	check "explain of a malformed address exits with 2" ends_with 2 explain 10.96.0.10
}

with_daemon() {
	local status
	must "the daemon starts without audits" daemon_start --audit-interval=0
	check "plan exits with 0 if the kernel is in sync" ends_with 0 plan
	in_node ipvsadm -d -t 10.96.0.10:80 -r $POD_A:8080
	check "plan exits with 1 if another program changed the kernel" ends_with 1 plan
	in_node ipvsadm -a -t 10.96.0.10:80 -r $POD_A:8080 -m -w 1
	status=$(svc status --socket "$STATUS_SOCKET" -A)
	check "status shows a Service" \
		grep -Eq '^shop +web +80/TCP +ClusterIP +10\.96\.0\.10 +rr +1/2 ' <<<"$status"
	check "status shows a Service without endpoints" \
		grep -Eq '^default +idle .*NoEndpoints' <<<"$status"
	check "status -n shows one namespace" \
		not grep -q ^default <<<"$(svc status --socket "$STATUS_SOCKET" -n shop)"
	check "status of an unknown name exits with 5" \
		ends_with 5 svc status --socket "$STATUS_SOCKET" -n shop nothing
	equal "status -o json names its source" \
		"$(svc status --socket "$STATUS_SOCKET" -o json | jq -r .source)" daemon
	equal "curl can read the status from the socket" \
		"$(in_node curl -s --unix-socket "$STATUS_SOCKET" http://x/v1/status | jq -r .kind)" \
		Status
	check "an unknown command exits with 2" ends_with 2 svc dance
	explains
}

# It names one address of one family; the machine has more.
with_a_node_object() {
	manifest near.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: near}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.20
		  clusterIPs: [10.96.0.20, "fd00:96::20"]
		  externalTrafficPolicy: Local
		  ports: [{port: 80, nodePort: 30081}]
		---
		$(slice near-1 near IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}" | sed 's|^- ||')
		---
		apiVersion: v1
		kind: Node
		metadata: {name: node-a}
		status: {addresses: [{type: InternalIP, address: $NODE_IP}]}
	END
	check "the Service is programmed" eventually 10 eval 'in_node ipvsadm -Ln | grep -q 10.96.0.20:80'
	check "plan takes the addresses that the machine has, as the daemon does" eventually 10 ends_with 0 plan
}

without_daemon() {
	local status
	daemon_end TERM
	status=$(svc status --socket "$STATUS_SOCKET" -A 2>&1)
	check "status reads the kernel if the daemon does not run" grep -q 10.96.0.10 <<<"$status"
	check "status says that the daemon does not run" grep -qi kernel <<<"$status"
	check "top shows virtual servers if the daemon does not run" \
		grep -q '10.96.0.10:80/TCP' <<<"$(svc top --socket "$STATUS_SOCKET" -i 0.1)"
	check "explain fails if the daemon does not run" \
		ends_with 3 svc explain --socket "$STATUS_SOCKET" shop/web
}

lab_up
write_web
plans
with_daemon
with_a_node_object
without_daemon
tap_done
