#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the iptables backend with both variants of iptables: traffic, connections that outlive their
# endpoint, and drift.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/drift.sh"

# web ADDRESS...: sets the endpoints of the changing Service.
web() {
	manifest web-slice.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{name: t, port: 8080}, {name: u, protocol: UDP, port: 5353}]" \
		"$(printf '{addresses: [%s], nodeName: node-a}, ' "$@")")
	END
}

services() {
	web $POD_A $POD_C
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [198.51.100.7]
		  ports:
		  - {name: t, port: 80, nodePort: 30080}
		  - {name: u, protocol: UDP, port: 53, nodePort: 30053}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: near}
		spec:
		  type: LoadBalancer
		  externalTrafficPolicy: Local
		  loadBalancerSourceRanges: [192.168.50.11/32]
		  clusterIP: 10.96.0.20
		  ports: [{port: 80, nodePort: 30081}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.20}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: none}
		spec: {clusterIP: 10.96.0.30, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-6 web IPv6 "[{name: t, port: 8080}]" \
		"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice near-1 near IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
	END
}

# answers SENTENCE BACKENDS FROM ARGUMENTS: asks so often that every backend answers.
answers() {
	equal "$VARIANT: $1" "$(names "$(ask "$3" -n 40 "${@:4}")")" "$2"
}

# web_answers BACKENDS: checks the backends after the rules have changed.
web_answers() {
	local found
	found=$(names "$(ask client -n 40 tcp 10.96.0.10 80)")
	echo "$found"
	[ "$found" = "$1" ]
}

packets() {
	answers "a client reaches a cluster IP" "a c" client tcp 10.96.0.10 80
	answers "by UDP" "a c" client udp 10.96.0.10 53
	answers "by IPv6" "a c" client tcp fd00:96::10 80
	answers "the node reaches it" "a c" node tcp 10.96.0.10 80
	answers "and a pod, itself too" "a c" a tcp 10.96.0.10 80
	answers "a client reaches an external IP" "a c" client tcp 198.51.100.7 80
	answers "a NodePort" "a c" client tcp $NODE_IP 30080
	answers "and one of UDP" "a c" client udp $NODE_IP_2 30053
	equal "$VARIANT: policy Local keeps the client's address" \
		"$(ask client tcp $NODE_IP 30081)" "a $CLIENT_IP"
	equal "$VARIANT: a load balancer address admits its source ranges" \
		"$(ask client -s 192.168.50.11 tcp 203.0.113.20 80)" "a 192.168.50.11"
	check "$VARIANT: a load balancer address admits no other client" \
		unanswered client tcp 203.0.113.20 80
	check "$VARIANT: a Service without endpoints refuses" refused client tcp 10.96.0.30 80
}

connections() {
	local before
	hold_open 40 client tcp 10.96.0.10 80
	before=$HELD
	equal "$VARIANT: both endpoints have connections" "$(names "$HELD")" "a c"
	web $POD_B $POD_C
	check "$VARIANT: a removed endpoint gets no new connections" \
		eventually $LONG web_answers "b c"
	hold_ask
	equal "$VARIANT: connections to a removed endpoint continue" "$HELD" "$before"
	hold_close
	web $POD_A $POD_C
	check "$VARIANT: an endpoint that returns gets new connections" \
		eventually $LONG web_answers "a c"
}

# Prints the chain that chooses an endpoint of web's TCP port.
web_chain() {
	in_node iptables-save -t nat | grep -m 1 -o '^-A KUBE-SVC-[^ ]* .*"default/web:t ' | cut -d' ' -f2
}

repairs() {
	local svc
	check "$VARIANT: the daemon has no pending work" eventually $LONG settled
	svc=$(web_chain)
	reference=$(state 2>/dev/null)
	noticed "$VARIANT: the rules of a Service that are deleted" iptables -w -t nat -F "$svc"
	noticed "$VARIANT: a jump that is deleted" iptables -w -t nat -D PREROUTING 1
	noticed "$VARIANT: a table that is flushed" \
		sh -c "iptables -w -t nat -F; iptables -w -t nat -X"
	audited "$VARIANT: a set member that is deleted" ipset del KUBE-CLUSTER-IP 10.96.0.10,tcp:80
	check "$VARIANT: the Service is served as before" web_answers "a c"
}

# Checks that only this variant has rules.
rules_stand() {
	local other
	other=$([ "$VARIANT" = nft ] && echo legacy || echo nft)
	equal "$VARIANT: this variant has the rules" \
		"$(in_node "iptables-$VARIANT-save" | grep -c '^:KUBE-SERVICES ')" 2
	equal "$VARIANT: the other variant has no rules" \
		"$(in_node "iptables-$other-save" 2>/dev/null | grep -c KUBE-)" 0
}

# A firewall that drops in FORWARD by default, as those of Docker and ufw do, and what accepts pods.
firewall() {
	check "$VARIANT: without a firewall there is no warning" not warns_of forward-drop
	in_node iptables -P FORWARD DROP
	kill -HUP "$DAEMON_PID"
	check "$VARIANT: a policy of FORWARD that drops is named" eventually 20 warns_of forward-drop
	check "$VARIANT: it does drop" unanswered b tcp 10.96.0.20 80
	in_node iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT
	in_node iptables -A FORWARD -d 10.244.0.0/16 -j ACCEPT
	kill -HUP "$DAEMON_PID"
	check "$VARIANT: once others accept pods it is no longer named" \
		eventually 20 not warns_of forward-drop
	answers "and Services answer" "a c" b tcp 10.96.0.20 80
	in_node iptables -P FORWARD ACCEPT
	in_node iptables -D FORWARD -s 10.244.0.0/16 -j ACCEPT
	in_node iptables -D FORWARD -d 10.244.0.0/16 -j ACCEPT
}

# A table of nftables whose policy drops: our rules do not open it, and the remedy of the warning does.
foreign_firewall() {
	in_node nft add table inet foreign
	in_node nft add chain inet foreign f '{ type filter hook forward priority 10; policy drop; }'
	check "$VARIANT: a table of others that drops is named" warns_of forward-drop
	check "$VARIANT: it does drop, too" unanswered b tcp 10.96.0.20 80
	check "$VARIANT: the warning tells a remedy" remedy forward-drop
	check "$VARIANT: after its remedy it is no longer named" not warns_of forward-drop
	answers "and Services answer again" "a c" b tcp 10.96.0.20 80
	in_node nft delete table inet foreign
}

with_variant() {
	VARIANT=$1
	lab_again
	if ! variant_works "$VARIANT"; then
		skip "$VARIANT" "this kernel has no such tables"
		return
	fi
	use_variant "$VARIANT"
	services
	must "$VARIANT: the daemon starts" daemon_start --backend iptables --audit-interval 0s
	rules_stand
	packets
	connections
	repairs
	firewall
	if in_node nft list ruleset >/dev/null 2>&1; then
		foreign_firewall
	else
		skip "$VARIANT: a table of others that drops is named" "this kernel has no nf_tables"
	fi
	daemon_end TERM
	check "$VARIANT: --cleanup succeeds" daemon_run --backend iptables --cleanup
	equal "$VARIANT: --cleanup leaves nothing" \
		"$(in_node iptables-save | grep KUBE-; in_node ip6tables-save | grep KUBE-)" ""
}

# The test passes there, but reading and writing all these rules repeatedly takes minutes.
[ "${VM_ACCEL:-}" != tcg ] || skip_all "software emulation; tests/run.sh runs it outside as well"
lab_up
with_variant nft
with_variant legacy
tap_done
