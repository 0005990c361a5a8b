#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests options of the daemon that affect the kernel, and the errors when the kernel rejects them.
. "$(dirname "$0")/lab.sh"

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  ports: [{port: 80, nodePort: 30080}]
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}, \
		{addresses: [$POD_C], nodeName: node-b}")
		$(slice web-6 web IPv6 "[{port: 8080}]" "{addresses: ['$POD_A6'], nodeName: node-a}, \
		{addresses: ['$POD_C6'], nodeName: node-b}")
	END
}

# fails_with STATUS TEXT COMMAND...: whether it ends with this status and prints this text.
fails_with() {
	local want=$1 text=$2 status
	shift 2
	"$@" >"$WORK/said" 2>&1
	status=$?
	cat "$WORK/said"
	echo "exit status $status"
	[ $status = "$want" ] && grep -Eq -- "$text" "$WORK/said"
}

first_line_says() {
	local text=$1
	shift
	"$@" >"$WORK/said" 2>&1
	cat "$WORK/said"
	head -n 1 "$WORK/said" | grep -q -- "$text"
}

refusals() {
	check "an unknown scheduler is rejected with a list of the kernel's schedulers" \
		fails_with 1 'scheduler.*rr.*sed' daemon_run --once --scheduler fastest
	equal "an unknown scheduler is rejected before the first write" "$(ipvs)" ""
	check "an unknown option is rejected" \
		fails_with 2 no-such-option daemon_run --no-such-option
	check "a missing directory is named" \
		fails_with 1 /no/such/directory in_node "$SVCD" --manifests /no/such/directory --once
	check "without CAP_NET_ADMIN the first line names it" first_line_says CAP_NET_ADMIN \
		in_node setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
		"$SVCD" --manifests "$MANIFESTS" --once
}

once() {
	check "--once succeeds" daemon_run --once --cluster-cidr "$CLUSTER_CIDR"
	equal "--once programs the Service" \
		"$(real_servers "-t 10.96.0.10:80")" "$POD_A:8080 $POD_C:8080"
	equal "packets are forwarded and tracked" \
		"$(in_node sysctl -n net.ipv4.ip_forward net.ipv4.vs.conntrack \
			net.ipv4.vs.expire_nodest_conn net.ipv4.vs.expire_quiescent_template |
			tr '\n' ' ')" "1 1 1 1 "
	manifest bad.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: bad}
		spec: {clusterIP: 10.96.0.66, ports: [{port: 70000}]}
	END
	check "--once fails and names a mistake in a manifest" \
		fails_with 1 'bad.*port' daemon_run --once
	rm "$MANIFESTS/bad.yaml"
	# The kernel treats this as a broadcast address, which cannot be a real server.
	manifest impossible.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: impossible}
		spec: {clusterIP: 10.96.0.67, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice impossible-1 impossible IPv4 "[{port: 8080}]" \
		"{addresses: [192.168.50.255]}, {addresses: [$POD_A]}")
	END
	check "--once fails and names an object that the kernel rejects" \
		fails_with 1 '192\.168\.50\.255' daemon_run --once
	equal "the other objects are programmed" "$(real_servers "-t 10.96.0.67:80")" "$POD_A:8080"
	rm "$MANIFESTS/impossible.yaml"
	check "--once succeeds after the object is removed" daemon_run --once
}

node_port_addresses() {
	check "--nodeport-addresses takes CIDRs" daemon_run --once --cluster-cidr "$CLUSTER_CIDR" \
		--nodeport-addresses 192.168.60.0/24
	equal "NodePorts answer on addresses in these CIDRs" \
		"$(names "$(ask client -n 2 tcp $NODE_IP_2 30080)")" "a c"
	check "NodePorts answer on no other address" unanswered client tcp $NODE_IP 30080
}

vip_mode_address() {
	local from
	must "the daemon starts with --vip-mode=address" daemon_start --vip-mode=address
	check "VIPs are addresses of kube-ipvs0" grep -q 'inet 10.96.0.10/32' \
		<<<"$(in_node ip addr show kube-ipvs0)"
	check "VIPs of IPv6 are addresses of kube-ipvs0" grep -q 'inet6 fd00:96::10/128' \
		<<<"$(in_node ip addr show kube-ipvs0)"
	equal "--vip-mode=address adds no route" "$(in_node ip route show table all proto 200)" ""
	for from in client node a b; do
		equal "a VIP carries traffic from $from" \
			"$(names "$(ask $from -n 4 tcp 10.96.0.10 80)")" "a c"
		equal "an IPv6 VIP carries traffic from $from" \
			"$(names "$(ask $from -n 4 tcp fd00:96::10 80)")" "a c"
	done
	hold_open 2 client tcp 10.96.0.10 80
	daemon_end TERM
	must "the daemon starts with --vip-mode=route" daemon_start --vip-mode=route
	equal "the addresses of kube-ipvs0 are removed" \
		"$(in_node ip -o addr show kube-ipvs0 | grep -v fe80)" ""
	hold_ask
	equal "connections continue when the mode changes" "$(names "$HELD")" "a c"
	hold_close
	equal "new connections work after the mode has changed" \
		"$(names "$(ask client -n 4 tcp 10.96.0.10 80)")" "a c"
	daemon_end TERM
}

masquerade_all() {
	must "the daemon starts with --masquerade-all" daemon_start --masquerade-all
	equal "--masquerade-all masquerades pods" \
		"$(ask a -n 4 tcp 10.96.0.10 80 | grep -c " $POD_A$")" 0
	daemon_end TERM
}

# IPVS sends packets to endpoints through OUTPUT.
output_drops() {
	must "the daemon starts before a firewall" daemon_start
	check "without a firewall there is no warning" not warns_of output-drop
	in_node iptables -P OUTPUT DROP
	kill -HUP "$DAEMON_PID"
	check "a policy of OUTPUT that drops is named" eventually 20 warns_of output-drop
	check "it does drop" unanswered client tcp 10.96.0.10 80
	in_node iptables -A OUTPUT -d 10.244.0.0/16 -j ACCEPT
	kill -HUP "$DAEMON_PID"
	check "once pods are accepted it is no longer named" eventually 20 not warns_of output-drop
	equal "and the Service answers" "$(names "$(ask client -n 4 tcp 10.96.0.10 80)")" "a c"
	in_node iptables -D OUTPUT -d 10.244.0.0/16 -j ACCEPT
	in_node iptables -P OUTPUT ACCEPT
	daemon_end TERM
}

reserved() {
	in_node sysctl -n net.ipv4.ip_local_reserved_ports
}

is_reserved() {
	[ "$(reserved)" = "$1" ]
}

# The kernel may choose three ports, the first and the second one before the third.
source_ports() {
	in_node sysctl -qw net.ipv4.ip_local_port_range="30078 30081"
	in_node sysctl -qw net.ipv4.ip_local_reserved_ports=30079
	lab_background "$WORK/serve-client" client "$PEER" serve client tcp:7000
	must "the client serves" eventually 20 grep -q serving "$WORK/serve-client"
	must "the daemon starts where NodePorts are source ports" daemon_start
	check "the NodePort is reserved" eventually 20 is_reserved 30079-30080
	hold_open 2 node tcp $CLIENT_IP 7000
	equal "connections of the node never use a NodePort as source port" \
		"$(cut -d' ' -f1 <<<"$HELD" | tr '\n' ' ')" "client client "
	hold_close
	daemon_end TERM
	equal "the NodePort stays reserved without the daemon" "$(reserved)" 30079-30080
	must "the daemon starts again" daemon_start --drain-timeout 0s
	rm "$MANIFESTS/web.yaml"
	check "the port of a deleted Service is given back" eventually 20 is_reserved 30079
	write_web
	check "and reserved again" eventually 20 is_reserved 30079-30080
	daemon_end TERM
	check "--cleanup succeeds" in_node "$SVCD" --cleanup
	equal "--cleanup leaves the ports that others have reserved" "$(reserved)" 30079
}

says_that_it_lives() {
	[ "$(grep -c '^WATCHDOG=1' "$WORK_LAB/notify")" -ge 3 ]
}

service_manager() {
	WATCHDOG_USEC=300000 must "the daemon starts under a service manager's watchdog" daemon_start
	check "it says again and again that it lives" eventually 10 says_that_it_lives
	daemon_end TERM
	WATCHDOG_USEC=300000 WATCHDOG_PID=1 must "a watchdog is meant for another process" daemon_start
	check "the daemon does not answer it" not says_that_it_lives
	daemon_end TERM
}

lab_up
write_web
refusals
once
node_port_addresses
vip_mode_address
masquerade_all
output_drops
source_ports
service_manager
tap_done
