#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the takeover from kube-proxy's IPVS mode under traffic: no connection breaks, existing
# objects are kept, differences are repaired, and foreign objects stay, also when kube-proxy's state
# is cleaned up. With NETFILTER=nftables its sets and rules are replaced by a table of nftables, and
# on the way back by its own.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/kube-proxy.sh"

NODE="(192\.168\.(50|60)\.1|fd00:(50|60)::1)"

# ---- kube-proxy ----

members() {
	local vip
	cat <<-END
		add KUBE-CLUSTER-IP 10.96.0.10,tcp:80
		add KUBE-CLUSTER-IP 10.96.0.11,tcp:80
		add KUBE-CLUSTER-IP 10.96.0.12,tcp:80
		add KUBE-CLUSTER-IP 10.96.0.20,tcp:80
		add KUBE-CLUSTER-IP 10.96.0.53,udp:53
		add KUBE-CLUSTER-IP 10.96.0.99,tcp:80
		add KUBE-EXTERNAL-IP-LOCAL 198.51.100.7,tcp:80
		add KUBE-LOAD-BALANCER 203.0.113.10,tcp:80
		add KUBE-LOAD-BALANCER 203.0.113.20,tcp:80
		add KUBE-LOAD-BALANCER-FW 203.0.113.20,tcp:80
		add KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.20,tcp:80,192.168.50.11
		add KUBE-NODE-PORT-TCP 30080
		add KUBE-LOOP-BACK $POD_A,tcp:8080,$POD_A
		add KUBE-LOOP-BACK $POD_A,udp:5353,$POD_A
	END
	for vip in "${VIPS[@]}"; do
		echo "add KUBE-IPVS-IPS $vip"
	done
	cat <<-END
		add KUBE-6-CLUSTER-IP fd00:96::10,tcp:80
		add KUBE-6-CLUSTER-IP fd00:96::99,tcp:80
		add KUBE-6-LOAD-BALANCER fd00:113::10,tcp:80
		add KUBE-6-NODE-PORT-TCP 30080
		add KUBE-6-LOOP-BACK $POD_A6,tcp:8080,$POD_A6
	END
	for vip in "${VIPS6[@]}"; do
		echo "add KUBE-6-IPVS-IPS $vip"
	done
}

# virtual_server -t|-u ADDRESS PORT OPTIONS ENDPOINT...
virtual_server() {
	local type=$1 vs=$2:$3 options=$4 endpoint
	shift 4
	echo "-A $type $vs $options"
	for endpoint in "$@"; do
		echo "-a $type $vs -r $endpoint -m -w 1"
	done
}

virtual_servers() {
	local address
	virtual_server -t 10.96.0.10 80 "-s rr" $POD_A:8080 $POD_B:8080 $POD_C:8080
	virtual_server -t 203.0.113.10 80 "-s wlc" $POD_A:8080 $POD_C:8080
	for address in $NODE_IP $NODE_IP_2; do
		virtual_server -t $address 30080 "-s rr" $POD_A:8080 $POD_C:8080
	done
	virtual_server -t 10.96.0.11 80 "-s rr -p 10800" $POD_A:8080 $POD_C:8080
	virtual_server -t 10.96.0.12 80 "-s rr" $POD_A:8080 $POD_C:8080
	virtual_server -t 198.51.100.7 80 "-s rr" $POD_A:8080
	virtual_server -t 10.96.0.20 80 "-s rr" $POD_A:8080 $POD_C:8080
	virtual_server -t 203.0.113.20 80 "-s rr" $POD_A:8080 $POD_C:8080
	virtual_server -u 10.96.0.53 53 "-s rr" $POD_A:5353 $POD_C:5353
	virtual_server -t 10.96.0.99 80 "-s rr" $POD_C:8080
	for address in $NODE_IP6 fd00:60::1; do
		virtual_server -t "[$address]" 30080 "-s rr" "[$POD_A6]:8080" "[$POD_C6]:8080"
	done
	virtual_server -t "[fd00:96::10]" 80 "-s rr" "[$POD_A6]:8080" "[$POD_C6]:8080"
	virtual_server -t "[fd00:113::10]" 80 "-s wlc" "[$POD_A6]:8080" "[$POD_C6]:8080"
	virtual_server -t "[fd00:96::99]" 80 "-s rr" "[$POD_C6]:8080"
}

VIPS=(10.96.0.10 10.96.0.11 10.96.0.12 10.96.0.20 10.96.0.53 10.96.0.99
	198.51.100.7 203.0.113.10 203.0.113.20)
VIPS6=(fd00:96::10 fd00:96::99 fd00:113::10)

kube_proxy() {
	local vip
	in_node sysctl -qw net.ipv4.vs.conntrack=1 net.ipv4.vs.expire_nodest_conn=1 \
		net.ipv4.vs.expire_quiescent_template=1 net.ipv4.ip_forward=1
	in_node ip link add kube-ipvs0 txqueuelen 0 type dummy
	for vip in "${VIPS[@]}"; do
		echo "addr add $vip/32 dev kube-ipvs0"
	done | in_node ip -batch -
	for vip in "${VIPS6[@]}"; do
		echo "addr add $vip/128 dev kube-ipvs0 nodad"
	done | in_node ip -batch -
	{
		kube_proxy_sets inet KUBE-
		kube_proxy_sets inet6 KUBE-6-
		members
	} | in_node ipset restore
	kube_proxy_rules
	virtual_servers | in_node ipvsadm -R
}

# The same state as Kubernetes objects.
services() {
	local list
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec: {type: LoadBalancer, clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd00:96::10"],
		  ports: [{port: 80, nodePort: 30080}]}
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}, {ip: "fd00:113::10"}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec: {clusterIP: 10.96.0.11, sessionAffinity: ClientIP, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: local}
		spec: {clusterIP: 10.96.0.12, externalIPs: [198.51.100.7], externalTrafficPolicy: Local, ports: [{port: 80}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: ranged}
		spec: {type: LoadBalancer, clusterIP: 10.96.0.20, allocateLoadBalancerNodePorts: false,
		  loadBalancerSourceRanges: [192.168.50.11/32], ports: [{port: 80}]}
		status: {loadBalancer: {ingress: [{ip: 203.0.113.20}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: dns}
		spec: {clusterIP: 10.96.0.53, ports: [{port: 53, protocol: UDP}]}
	END
	list="{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}"
	manifest slices.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "$list")
		$(slice web-6 web IPv6 "[{port: 8080}]" \
			"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" "$list")
		$(slice local-1 local IPv4 "[{port: 8080}]" "$list")
		$(slice ranged-1 ranged IPv4 "[{port: 8080}]" "$list")
		$(slice dns-1 dns IPv4 "[{port: 5353, protocol: UDP}]" "$list")
	END
}

# ---- Foreign objects ----

others() {
	in_node sh -ec "
		ipvsadm -A -t 192.0.2.1:80 -s wlc -p 300
		ipvsadm -a -t 192.0.2.1:80 -r $POD_B:8080 -m -w 5
		ipvsadm -A -f 77 -s sh
		ipset create FOREIGN hash:ip
		ipset add FOREIGN 192.0.2.9
		ip link add foreign0 type dummy
		ip addr add 192.0.2.1/32 dev foreign0
		ip link set foreign0 up
		iptables -t nat -N KUBE-HOSTPORTS
		iptables -t nat -A PREROUTING -j KUBE-HOSTPORTS
		iptables -N KUBE-FIREWALL
		iptables -A INPUT -j KUBE-FIREWALL
		iptables -t mangle -A OUTPUT -m mark --mark 0x77 -j RETURN
	"
}

# Prints the foreign objects that are missing.
others_lost() {
	comm -23 <(sort <<<"$OTHERS") <(kernel_state | sort)
}

# Prints the objects of kube-proxy or the daemon that are left.
left() {
	kernel_state | grep -E 'KUBE-|kube-ipvs0|proto 200|10\.96\.0\.|203\.0\.113\.|fd00:96:|fd00:113:' |
		grep -vE 'KUBE-(HOSTPORTS|FIREWALL)'
}

# ---- The takeover ----

# vs_connections VS: prints the number of its connections since it was created.
vs_connections() {
	in_node ipvsadm -Ln --stats --exact -t "$1" | awk -v vs="$1" '$2 == vs { print $3 }'
}

# The kernel adds up the counters of the CPUs only every two seconds.
counted() {
	[ "$(vs_connections "$1")" = "$2" ]
}

# Prints the number of the first matching line in the log of links.
line_of() {
	grep -nE -- "$1" "$WORK_LAB/links" | head -n 1 | cut -d: -f1
}

route_stands_before_the_address_goes() {
	local vip route address
	for vip in 10.96.0.10 203.0.113.10 198.51.100.7 fd00:96::10 fd00:113::10; do
		route=$(line_of "^local $vip .*proto 200")
		address=$(line_of "Deleted.*kube-ipvs0.* inet6? $vip/")
		echo "$vip: route in line $route, address gone in line $address"
		[ -n "$route" ] && [ -n "$address" ] && [ "$route" -lt "$address" ] || return
	done
}

# addresses: prints the addresses on kube-ipvs0.
addresses() {
	in_node ip -o addr show dev kube-ipvs0
}

no_address() {
	not grep inet <<<"$(addresses)"
}

drained() {
	in_node ipvsadm -e -t 10.96.0.10:80 -r $POD_B:8080 -m -w 0
}

# Each client has an address of its own; see take_over().
begin_loops() {
	loop_start client client tcp 10.96.0.10 80
	loop_start lb client -s 192.168.50.17 tcp 203.0.113.10 80
	loop_start local client -s 192.168.50.11 tcp 198.51.100.7 80
	loop_start port client tcp $NODE_IP_2 30080
	loop_start pod b tcp 10.96.0.10 80
	loop_start node node tcp 10.96.0.10 80
	loop_start client-6 client -s $CLIENT_IP6 tcp fd00:96::10 80
	loop_start lb-6 client -s fd00:50::17 tcp fd00:113::10 80
	loop_start port-6 client -s fd00:50::11 tcp fd00:60::1 30080
	loop_start outsider client tcp 203.0.113.20 80
	loops_go_on
}

# end_loops SENTENCE
end_loops() {
	loops_go_on
	check "$1: clients that connect all the time saw no error" \
		loop_never_failed client "[ac] $NODE"
	check "$1: clients of the load balancer address saw no error" \
		loop_never_failed lb "[ac] $NODE"
	check "$1: clients of an external address with the policy Local kept their address" \
		loop_never_failed local "a 192\.168\.50\.11"
	check "$1: clients of a NodePort saw no error" loop_never_failed port "[ac] $NODE"
	check "$1: pods saw no error" loop_never_failed pod "[ac] ($POD_B|$NODE)"
	check "$1: the node saw no error" loop_never_failed node "[ac] $NODE"
	check "$1: IPv6 clients saw no error" loop_never_failed client-6 "[ac] $NODE"
	check "$1: IPv6 clients of the load balancer address saw no error" \
		loop_never_failed lb-6 "[ac] $NODE"
	check "$1: IPv6 clients of a NodePort saw no error" loop_never_failed port-6 "[ac] $NODE"
	check "$1: clients without permission never got an answer" loop_never_answered outsider
}

# continues SENTENCE: connections in the array "before" do.
continues() {
	local name
	for name in "${!before[@]}"; do
		keep_ask "$name"
		equal "$1: connections continue: $name" "$KEPT" "${before[$name]}"
	done
}

# Prints the sets and rules of kube-proxy or the daemon that are in ipset and iptables.
left_in_iptables() {
	left | grep KUBE-
}

# Prints the table of nftables.
table() {
	in_node nft list tables | grep ipvsctl-svc
}

kube_proxy_syncs() {
	kube_proxy_creates_sets && kube_proxy_rules
}

# To iptables and back by restarts, and then to kube-proxy.
way_back() {
	local NETFILTER=iptables
	begin_loops
	keep_ask udp # or IPVS would forget the flow on a slow machine
	daemon_end TERM
	must "a restart with --netfilter=iptables succeeds" daemon_start --drain-timeout 30m
	end_loops "back to iptables"
	continues "back to iptables"
	check "no table of nftables is left" not table
	NETFILTER=nftables
	daemon_end TERM
	must "a restart with --netfilter=nftables succeeds" daemon_start --drain-timeout 30m
	equal "no set and no rule is left in iptables" "$(left_in_iptables)" ""
	begin_loops
	keep_ask udp
	daemon_end TERM
	check "--hand-over succeeds" daemon_run --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a --netfilter=nftables --drain-timeout 30m --hand-over
	check "no table of nftables is left for kube-proxy" not table
	check "kube-proxy's sync succeeds" kube_proxy_syncs
	end_loops "back to kube-proxy"
	continues "back to kube-proxy"
	equal "foreign objects stay on the way back" "$(others_lost)" ""
	must "the daemon takes over again" daemon_start --drain-timeout 30m
	equal "no set and no rule of kube-proxy is left again" "$(left_in_iptables)" ""
}

take_over() {
	local mode=$1
	local -A before
	lab_again
	# A table never goes away once it exists.
	in_node iptables-restore <<<$'*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT'
	others
	OTHERS=$(kernel_state)
	kube_proxy
	services
	# Each client has an address of its own, because IPVS finds the connection of an answer only
	# by client address, client port and endpoint (ip_vs_conn_out_get()).
	keep_open client 6 client -s 192.168.50.12 tcp 10.96.0.10 80
	before[client]=$KEPT
	equal "$mode: connections through kube-proxy's state reach all endpoints before one of them is removed" \
		\
		"$(names "$KEPT")" "a b c"
	drained
	keep_open lb 2 client -s 192.168.50.13 tcp 203.0.113.10 80
	before[lb]=$KEPT
	keep_open port 2 client -s 192.168.50.14 tcp $NODE_IP 30080
	before[port]=$KEPT
	keep_open pod 2 b tcp 10.96.0.10 80
	before[pod]=$KEPT
	keep_open node 2 node tcp 10.96.0.10 80
	before[node]=$KEPT
	keep_open sticky 2 client -s 192.168.50.15 tcp 10.96.0.11 80
	before[sticky]=$KEPT
	keep_open udp 1 client -s 192.168.50.16 udp 10.96.0.53 53
	before[udp]=$KEPT
	keep_open client-6 2 client -s fd00:50::12 tcp fd00:96::10 80
	before[client-6]=$KEPT
	keep_open port-6 2 client -s fd00:50::14 tcp $NODE_IP6 30080
	before[port-6]=$KEPT
	eventually 60 counted 10.96.0.11:80 2
	eventually 60 counted "[$NODE_IP6]:30080" 2
	begin_loops
	lab_background "$WORK_LAB/links" node ip -o monitor address route
	must "the daemon starts" daemon_start --vip-mode "$mode" --drain-timeout 30m
	end_loops "takeover"
	continues "takeover"
	equal "a correct virtual server is kept" \
		"$(vs_connections 10.96.0.11:80)" 2
	equal "a correct IPv6 virtual server is kept" "$(vs_connections "[$NODE_IP6]:30080")" 2
	equal "a client keeps its endpoint by session affinity" \
		"$(names "$(ask client -n 4 -s 192.168.50.15 tcp 10.96.0.11 80)")" "$(names "${before[sticky]}")"
	check "a draining real server keeps draining" \
		ipvs_has "-a -t 10.96.0.10:80 -r $POD_B:8080 -m -w 0"
	check "a wrong scheduler is repaired" eventually 60 ipvs_has "-A -t 203.0.113.10:80 -s rr"
	check "a wrong scheduler is repaired for IPv6" \
		eventually 60 ipvs_has "-A -t [fd00:113::10]:80 -s rr"
	check "a virtual server without a Service is removed" eventually 60 ipvs_lacks 10.96.0.99
	check "an IPv6 virtual server without a Service is removed" \
		eventually 60 ipvs_lacks fd00:96::99
	check "the set members of a virtual server without a Service are removed" \
		not grep -qF -e 10.96.0.99 -e fd00:96::99 <<<"$(in_node ipset save)"
	check "rules that are not wanted are removed" \
		not grep -qF -- "--vaddr" <<<"$(in_node iptables-save)"
	if [ "${NETFILTER:-}" = nftables ]; then
		equal "no set and no rule of kube-proxy is left" "$(left_in_iptables)" ""
		check "sets and rules are in nftables" table
	fi
	if [ "$mode" = route ]; then
		check "no address is left on kube-ipvs0" eventually 60 no_address
		check "each address is removed after its route was added" \
			route_stands_before_the_address_goes
	else
		check "the addresses on kube-ipvs0 stay" grep -qF 10.96.0.10/32 <<<"$(addresses)"
		check "the IPv6 addresses on kube-ipvs0 stay" \
			grep -qF fd00:96::10/128 <<<"$(addresses)"
		check "the address of no Service is removed" \
			not grep -qF -e 10.96.0.99/32 -e fd00:96::99/128 <<<"$(addresses)"
	fi
	equal "foreign objects stay" "$(others_lost)" ""
	check "cleanup --of kube-proxy keeps the adopted state" \
		in_node "$SVC" cleanup --of kube-proxy --socket "$STATUS_SOCKET"
	equal "clients are served after cleanup --of kube-proxy" \
		"$(names "$(ask client -n 4 tcp 10.96.0.10 80)")" "a c"
	[ "${NETFILTER:-}" != nftables ] || [ "$mode" != route ] || way_back
	daemon_end TERM
	check "--cleanup succeeds" in_node "$SVCD" --cleanup
	equal "--cleanup leaves nothing of kube-proxy or the daemon" "$(left)" ""
	equal "--cleanup leaves all foreign objects" "$(others_lost)" ""
	[ "${NETFILTER:-}" != nftables ] || check "--cleanup leaves no table of nftables" not table
}

# Keeps what it complains of in $WORK_LAB/complaints.
clean_up_kube_proxy() {
	in_node "$SVC" cleanup --of kube-proxy --socket "$STATUS_SOCKET" 2>"$WORK_LAB/complaints"
}

clean_up() {
	lab_again
	in_node iptables-restore <<<$'*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT'
	others
	OTHERS=$(kernel_state)
	kube_proxy
	in_node iptables -N KUBE-EXTERNAL-SERVICES
	in_node iptables -A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES
	check "cleanup --dry-run prints the objects to remove" \
		not in_node "$SVC" cleanup --of kube-proxy --dry-run --socket "$STATUS_SOCKET"
	check "cleanup --dry-run removes nothing" ipvs_has "-A -t 10.96.0.10:80 -s rr"
	check "cleanup --of kube-proxy succeeds if no daemon has run" clean_up_kube_proxy
	equal "cleanup --of kube-proxy complains of nothing" "$(cat "$WORK_LAB/complaints")" ""
	equal "cleanup --of kube-proxy leaves nothing of kube-proxy" "$(left)" ""
	equal "cleanup --of kube-proxy leaves all foreign objects" "$(others_lost)" ""
	check "a second cleanup --of kube-proxy has nothing to do" \
		in_node "$SVC" cleanup --of kube-proxy --dry-run --socket "$STATUS_SOCKET"
}

lab_up
take_over route
# In software emulation of a CPU, what the interface of netfilter has no part in is tested once.
[ "${NETFILTER:-}${VM_ACCEL:-}" = nftablestcg ] || take_over address
[ "${NETFILTER:-}" = nftables ] || clean_up
tap_done
