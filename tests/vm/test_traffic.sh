#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests traffic to every kind of Service, from everywhere, in both families.
. "$(dirname "$0")/lab.sh"

# Services of every kind. The endpoints of "web" are in three overlapping slices.
write_manifests() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  ipFamilies: [IPv4, IPv6]
		  externalIPs: [198.51.100.7, "fd00:51::7"]
		  ports:
		  - {name: http, port: 80, targetPort: 8080, nodePort: 30080}
		  - {name: admin, port: 81, targetPort: 8081, nodePort: 30081}
		status:
		  loadBalancer:
		    ingress:
		    - {ip: 203.0.113.10, ipMode: VIP}
		    - {ip: 203.0.113.11, ipMode: Proxy}
		    - {ip: 203.0.113.12}
		    - {ip: "fd00:113::10", ipMode: VIP}
		    - {hostname: lb.example.com}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: guarded}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.60
		  loadBalancerSourceRanges: [192.168.50.10/32]
		  ports: [{port: 80}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.60}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: dns, namespace: kube-system}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.53
		  clusterIPs: [10.96.0.53, "fd00:96::53"]
		  ports:
		  - {name: dns, port: 53, protocol: UDP, nodePort: 30053}
		  - {name: dns-tcp, port: 53, protocol: TCP, nodePort: 30053}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: signal}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.90
		  clusterIPs: [10.96.0.90, "fd00:96::90"]
		  ports:
		  - {name: assoc, port: 90, protocol: SCTP, nodePort: 30090}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: self}
		spec:
		  clusterIP: 10.96.0.20
		  clusterIPs: [10.96.0.20, "fd00:96::20"]
		  ports:
		  - {port: 80}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: here}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.30
		  externalTrafficPolicy: Local
		  ports:
		  - {port: 80, nodePort: 30030}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: empty}
		spec:
		  clusterIP: 10.96.0.40
		  ports:
		  - {port: 80}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: headless}
		spec: {clusterIP: None, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: alias}
		spec: {type: ExternalName, externalName: db.example.com}
	END
	manifest slices.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{name: http, port: 8080}, {name: admin, port: 8081}]" \
		"{addresses: [$POD_A], nodeName: node-a}")
		$(slice web-2 web IPv4 "[{name: http, port: 8080}, {name: admin, port: 8081}]" \
		"{addresses: [$POD_B], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice web-3 web IPv4 "[{name: http, port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_B], nodeName: node-a}")
		$(slice web-6 web IPv6 "[{name: http, port: 8080}, {name: admin, port: 8081}]" \
		"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice guarded-1 guarded IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}")
		$(slice headless-1 headless IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}")
		$(slice self-1 self IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}")
		$(slice self-6 self IPv6 "[{port: 8080}]" "{addresses: ['$POD_A6'], nodeName: node-a}")
		$(slice here-1 here IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice signal-1 signal IPv4 "[{name: assoc, port: 9000, protocol: SCTP}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice signal-6 signal IPv6 "[{name: assoc, port: 9000, protocol: SCTP}]" \
		"{addresses: ['$POD_B6'], nodeName: node-a}")
		- apiVersion: v1
		  kind: Endpoints
		  metadata: {name: dns, namespace: kube-system}
		  subsets:
		  - addresses: [{ip: $POD_A, nodeName: node-a}, {ip: $POD_C, nodeName: node-b}]
		    ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 8080}]
		- apiVersion: discovery.k8s.io/v1
		  kind: EndpointSlice
		  metadata:
		    name: dns-6
		    namespace: kube-system
		    labels: {kubernetes.io/service-name: dns}
		  addressType: IPv6
		  ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 8080}]
		  endpoints: [{addresses: ["$POD_B6"], nodeName: node-a}]
	END
}

# answers_from WANTED ANSWERS: whether exactly these backends answered, and every time.
answers_from() {
	echo "$2"
	[ "$(names "$2")" = "$1" ]
}

# carries SENTENCE WANTED FROM COUNT PROTO ADDRESS PORT
carries() {
	local answers
	answers=$(ask "$3" -n "${@:4}")
	check "$1" answers_from "$2" "$answers"
}

# Prints the client addresses that the backends saw.
seen() {
	ask "$@" | cut -d' ' -f2 | sort -u
}

cluster_ips() {
	local from
	# A pod of another node uses its own node's proxy.
	for from in client node a b; do
		carries "a ClusterIP carries TCP from $from" "a b c" "$from" 6 tcp 10.96.0.10 80
	done
	carries "a second named port leads to its own target port" \
		"a b c" client 3 tcp 10.96.0.10 81
	carries "a ClusterIP carries UDP" "a c" client 4 udp 10.96.0.53 53
	carries "the node itself reaches UDP through the ClusterIP" "a c" node 4 udp 10.96.0.53 53
	carries "the same port carries both TCP and UDP" "a c" client 4 tcp 10.96.0.53 53
	for from in client node a b; do
		carries "an IPv6 ClusterIP carries TCP from $from" \
			"a c" "$from" 4 tcp fd00:96::10 80
	done
	carries "an IPv6 ClusterIP carries UDP" "b" client 2 udp fd00:96::53 53
	equal "three overlapping slices become three real servers" \
		"$(real_servers "-t 10.96.0.10:80")" "$POD_A:8080 $POD_B:8080 $POD_C:8080"
	check "a Service without endpoints refuses connections" refused client tcp 10.96.0.40 80
	check "a port of a VIP that no Service has is refused" refused client tcp 10.96.0.10 82
}

node_ports() {
	local address
	for address in $NODE_IP $NODE_IP_2; do
		carries "a NodePort answers on $address" "a b c" client 6 tcp "$address" 30080
		carries "the second NodePort answers on $address" \
			"a b c" client 3 tcp "$address" 30081
		carries "a UDP NodePort answers on $address" "a c" client 4 udp "$address" 30053
	done
	for address in $NODE_IP6 fd00:60::1; do
		carries "a NodePort answers on $address" "a c" client 4 tcp "$address" 30080
		carries "a UDP NodePort answers on $address" "b" client 2 udp "$address" 30053
	done
	carries "a pod reaches a NodePort of its node" "a b c" a 6 tcp $NODE_IP 30080
	carries "the node reaches its own NodePort" "a b c" node 6 tcp $NODE_IP 30080
	carries "a NodePort of policy Local answers from local pods" "a" client 4 tcp $NODE_IP 30030
	equal "a NodePort of policy Local keeps the client's address" \
		"$(seen client -s $CLIENT_IP tcp $NODE_IP 30030)" "$CLIENT_IP"
}

external_addresses() {
	carries "a load balancer address with ipMode VIP carries traffic" "a b c" \
		client 6 tcp 203.0.113.10 80
	carries "a load balancer address without ipMode carries traffic" \
		"a b c" client 3 tcp 203.0.113.12 81
	carries "an IPv6 load balancer address carries traffic" "a c" client 2 tcp fd00:113::10 80
	carries "a pod reaches the load balancer's address" "a b c" b 6 tcp 203.0.113.10 80
	equal "a load balancer address with ipMode Proxy is not programmed" \
		"$(ipvs | grep -c 203.0.113.11)" 0
	carries "source ranges admit their clients" "a" client 2 -s $CLIENT_IP tcp 203.0.113.60 80
	check "source ranges admit no other client" \
		unanswered client -s 192.168.50.11 tcp 203.0.113.60 80
	carries "an external IP carries traffic" "a b c" client 6 tcp 198.51.100.7 80
	carries "an IPv6 external IP carries traffic" "a c" client 2 tcp fd00:51::7 81
	carries "the node reaches an external IP" "a b c" node 3 tcp 198.51.100.7 80
}

source_addresses() {
	equal "pods are seen with their own address" "$(seen a tcp 10.96.0.53 53)" "$POD_A"
	equal "clients from outside are masqueraded on a ClusterIP" \
		"$(seen client -n 4 tcp 10.96.0.53 53 | grep -c "^192.168.50.10$")" 0
	equal "clients from outside are masqueraded on a NodePort" \
		"$(seen client -n 4 tcp $NODE_IP 30080 | grep -c "^192.168.50.10$")" 0
	carries "a pod reaches itself through its Service" "a" a 3 tcp 10.96.0.20 80
	carries "a pod reaches itself through its Service over IPv6" "a" a 3 tcp fd00:96::20 80
	carries "a pod reaches itself through a Service with other pods" \
		"a b c" a 6 tcp 10.96.0.10 80
}

sctp() {
	if ! lab_has_sctp; then
		skip "SCTP" "this kernel has no sctp module"
		return
	fi
	carries "a ClusterIP carries SCTP" "a c" client 4 -s $CLIENT_IP sctp 10.96.0.90 90
	carries "a NodePort carries SCTP" "a c" client 4 -s $CLIENT_IP sctp $NODE_IP 30090
	carries "an IPv6 ClusterIP carries SCTP" "b" client 2 -s $CLIENT_IP6 sctp fd00:96::90 90
}

not_proxied() {
	local status
	status=$(in_node "$SVC" status -A --socket "$STATUS_SOCKET" 2>&1)
	check "status says that the headless Service is not proxied" \
		grep -Eq '^default +headless .*NotProxied' <<<"$status"
	check "status says that the ExternalName is not proxied" \
		grep -Eq '^default +alias .*NotProxied' <<<"$status"
}

lab_up
write_manifests
must "the daemon starts and reports that it is ready" daemon_start
cluster_ips
node_ports
external_addresses
source_addresses
sctp
not_proxied
tap_done
