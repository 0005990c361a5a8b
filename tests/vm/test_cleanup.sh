#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that --cleanup removes all objects of the daemon and leaves all others.
. "$(dirname "$0")/lab.sh"

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [198.51.100.7, "fd00:51::7"]
		  loadBalancerSourceRanges: [192.168.50.0/24]
		  healthCheckNodePort: 30999
		  externalTrafficPolicy: Local
		  sessionAffinity: ClientIP
		  ports:
		  - {name: http, port: 80, nodePort: 30080}
		  - {name: dns, port: 53, nodePort: 30053, protocol: UDP}
		  - {name: signal, port: 90, nodePort: 30090, protocol: SCTP}
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}, {ip: "fd00:113::10"}]}}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}, \
		{name: signal, port: 9000, protocol: SCTP}]" "{addresses: [$POD_A], nodeName: node-a}")
		$(slice web-6 web IPv6 "[{name: http, port: 8080}]" \
		"{addresses: ['$POD_A6'], nodeName: node-a}")
	END
}

# Virtual servers, sets, rules, addresses and routes of other programs; some resemble the daemon's.
foreign_things() {
	local tables
	in_node sh -ec "
		ipvsadm -A -t 192.0.2.1:80 -s wlc -p 300
		ipvsadm -a -t 192.0.2.1:80 -r $POD_B:8080 -m -w 5
		ipvsadm -A -t $NODE_IP:9999 -s rr
		ipvsadm -A -t [fd00:77::1]:80 -s rr
		ipvsadm -A -f 77 -s sh
		ipset create FOREIGN hash:ip
		ipset add FOREIGN 192.0.2.9
		ipset create KUBE-ROUTER-SVIP hash:ip,port family inet6
		ip link add foreign0 type dummy
		ip addr add 192.0.2.1/32 dev foreign0
		ip -6 addr add fd00:77::1/128 dev foreign0
		ip route add local 192.0.2.2/32 dev lo
		ip link set foreign0 up
		ip route add 192.0.2.128/25 dev foreign0 proto static
	"
	for tables in iptables ip6tables; do
		in_node sh -ec "
			$tables -t nat -N KUBE-HOSTPORTS
			$tables -t nat -A PREROUTING -j KUBE-HOSTPORTS
			$tables -t nat -A POSTROUTING -m mark --mark 0x77 -j MASQUERADE
			$tables -N KUBE-FIREWALL
			$tables -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
			$tables -A INPUT -j KUBE-FIREWALL
			$tables -A FORWARD -m comment --comment foreign -j ACCEPT
			$tables -t mangle -N KUBE-PROXY-CANARY
			$tables -t mangle -A OUTPUT -m mark --mark 0x77 -j RETURN
		"
	done
}

# Prints the foreign state that is left: the lines of $BEFORE that are still there.
foreign_remains() {
	comm -23 <(sort <<<"$BEFORE") <(kernel_state | sort)
}

# round SENTENCE OPTION...: starts the daemon on an empty node, and cleans up.
round() {
	local what=$1
	shift
	must "$what: the daemon starts beside foreign state" daemon_start "$@"
	equal "$what: its Service carries traffic" \
		"$(names "$(ask client -n 2 tcp 10.96.0.10 80; ask client -n 2 tcp fd00:96::10 80)")" a
	equal "$what: foreign state stays while the daemon runs" "$(foreign_remains)" ""
	equal "$what: status shows foreign virtual servers" \
		"$(in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq '.foreign | length')" 4
	daemon_end TERM
	check "$what: --cleanup succeeds" in_node "$SVCD" --cleanup
	equal "$what: --cleanup complains of nothing" "$(complaints)" ""
	equal "$what: --cleanup leaves exactly the state from before the start" \
		"$(kernel_state)" "$BEFORE"
	check "$what: --cleanup removes the device" not in_node ip link show kube-ipvs0
	check "$what: a second --cleanup succeeds" in_node "$SVCD" --cleanup
	equal "$what: a second --cleanup changes nothing" "$(kernel_state)" "$BEFORE"
}

lab_up
# Create all tables first, because a table never goes away once it exists.
foreign_things
BEFORE=$(kernel_state)
write_services
round "VIPs as routes" --vip-mode=route
round "VIPs as addresses" --vip-mode=address

must "the daemon starts again" daemon_start
daemon_end KILL
check "--cleanup after a kill succeeds" in_node "$SVCD" --cleanup
equal "--cleanup after a kill leaves nothing" "$(kernel_state)" "$BEFORE"
tap_done
