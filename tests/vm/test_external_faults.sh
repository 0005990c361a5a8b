#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests external addresses that have other owners under settings of the node that decide about
# routes, and that the daemon repairs and counts what others delete or change.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/outside.sh"
. "$(dirname "$0")/flows.sh"
. "$(dirname "$0")/drift.sh"

BACKEND=ipvs
NAMESPACE=([client]=client [node]=node [b]=b [node-b]=node-b)
ADDRESS=([b4]=$POD_B [b6]=$POD_B6 [client4]=$CLIENT_IP [client6]=$CLIENT_IP6
	[c4]=$POD_C [c6]=$POD_C6)
outside_addresses
! lab_has_sctp || has_sctp=true

destination() {
	DESTINATION="${ADDRESS[${1%:*}$2]} ${1##*:}"
}

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [$FAR, $NEAR, "$FAR6", "$NEAR6"]
		  ports: [{name: t, port: 80}, {name: u, port: 80, protocol: UDP}]
		status: {loadBalancer: {ingress: [{ip: $NODE_B}, {ip: "$NODE_B6"}]}}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-4 web IPv4 "[{name: t, port: 8080}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice web-6 web IPv6 "[{name: t, port: 8080}, {name: u, port: 5353, protocol: UDP}]" \
		"{addresses: ['$POD_A6'], nodeName: node-a}, {addresses: ['$POD_C6'], nodeName: node-b}")
	END
}

# served NAME: asks for the Service from everywhere, and for the owners' other ports.
served() {
	services_want
	each want client,b far:22 46 tcp far kept
	each want node near:22 46 tcp near node
	flows_ask "$1"
}

services_want() {
	each want client,b far:80 46 tcp,udp a,c node
	each want client,node near:80 46 tcp a,c node
	each want b,node node-b:80 46 tcp a,c node
}

# ---- Settings that the daemon leaves alone ----

# with NAME COMMAND UNDO: runs the command on the node, asks all flows, and takes it back.
with() {
	in_node sh -ec "$2" || note "failed: $2"
	${ASK:-served} "with $1"
	in_node sh -c "$3"
}

# with_rules NAME RULE...: as `with`, for rules of both families.
with_rules() {
	local name=$1 rule program add='' del=''
	shift
	for rule in "$@"; do
		for program in iptables ip6tables; do
			add+="$program -w $rule && "
			del="$program -w ${rule/-[AI] /-D }; $del"
		done
	done
	with "$name" "${add}true" "$del"
}

# What belongs to the owners is forwarded, so it needs the administrator's rules.
only_services_are_served() {
	services_want
	each want client,b far:22 46 tcp dropped
	flows_ask "$1"
}

settings() {
	local conf=net.ipv4.conf.all
	with "rp_filter 1" "sysctl -qw $conf.rp_filter=1" "sysctl -qw $conf.rp_filter=0"
	with "rp_filter 1 and src_valid_mark 1" \
		"sysctl -qw $conf.rp_filter=1 $conf.src_valid_mark=1" \
		"sysctl -qw $conf.rp_filter=0 $conf.src_valid_mark=0"
	# The same question as firewalld's "fib saddr . mark . iif oif missing drop".
	with_rules "a check of the reverse path with the mark" \
		"-t mangle -A PREROUTING -m rpfilter --validmark --invert -j DROP"
	with_rules "CONNMARK" "-t mangle -I PREROUTING -j CONNMARK --restore-mark" \
		"-t mangle -A INPUT -j CONNMARK --save-mark" \
		"-t mangle -A POSTROUTING -j CONNMARK --save-mark"
	ASK=only_services_are_served with "FORWARD policy DROP" \
		"iptables -w -P FORWARD DROP; ip6tables -w -P FORWARD DROP" \
		"iptables -w -P FORWARD ACCEPT; ip6tables -w -P FORWARD ACCEPT"
	with "table local behind other rules" \
		"ip rule add pref 100 lookup local && ip rule del pref 0 lookup local &&
		ip -6 rule add pref 100 lookup local && ip -6 rule del pref 0 lookup local" \
		"ip rule add pref 0 lookup local; ip rule del pref 100 lookup local
		ip -6 rule add pref 0 lookup local; ip -6 rule del pref 100 lookup local"
}

# The overlay's own packets go to node-b's address, which is a load balancer address of the Service.
overlay() {
	ip -n "$LAB-node" -batch - <<-END
		link add vx0 type vxlan id 7 local $NODE_IP_2 remote $NODE_B dstport 8472
		addr add 10.250.0.1/30 dev vx0
		link set vx0 up
		route replace 10.244.2.0/24 via 10.250.0.2
	END
	ip -n "$LAB-node-b" -batch - <<-END
		link add vx0 type vxlan id 7 local $NODE_B remote $NODE_IP_2 dstport 8472
		addr add 10.250.0.2/30 dev vx0
		link set vx0 up
		route add 10.244.1.0/24 via 10.250.0.1
	END
	ADDRESS[node34]=10.250.0.1
	each want client,node,b node-b:80 4 tcp,udp a,c node
	each want client,node,b far:80 4 tcp,udp a,c node
	each want b c:8080 4 tcp c kept
	each want client,b node-b:22 4 tcp node-b kept
	flows_ask "with an overlay to the owner"
}

# ---- Damage that the daemon repairs ----

repairs() {
	reference=$(state)
	noticed "policy rules that are deleted" sh -c "ip rule del pref 90; ip -6 rule del pref 90"
	noticed "policy rules that are flushed" sh -c "
		ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default
		ip -6 rule flush; ip -6 rule add pref 32766 lookup main"
	noticed "tables of routes that are flushed" \
		sh -c "ip route flush table 2512; ip -6 route flush table 2512"
	noticed "the device of held addresses that is set up" ip link set kube-ipvs1 up
	noticed "the device of held addresses that is deleted" ip link del kube-ipvs1
	noticed "a held address that is deleted" ip addr del $FAR/32 dev kube-ipvs1
	audited "a foreign address that becomes local" ip route add local $FAR/32 dev kube-ipvs1 table local
	audited "ports of a foreign address that are changed" sh -c "
		ipset del KUBE-EXTERNAL-PORT $FAR,tcp:80; ipset add KUBE-EXTERNAL-PORT $FAR,tcp:22"
	noticed "a rule that is deleted" iptables -w -t mangle -F KUBE-IPVS-EXTERNAL
	served "after the repairs"
}

warning() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq -r '.warnings[]' | tee "$WORK/last" |
		grep -E "$1" || {
		cat "$WORK/last"
		return 1
	}
}

no_warning() {
	not warning "$1"
}

# Rules of others, which are not the daemon's to delete.
disturbed() {
	in_node ip rule add pref 50 fwmark 0x1000/0x1000 lookup main
	check "status warns of another's policy rule for the same mark" eventually $LONG warning "mark-bit: .*priority 50"
	in_node ip rule del pref 50
	check "the warning goes with that rule" eventually $LONG no_warning "mark-bit: .*priority 50"
	check "the other's rule was not deleted by the daemon" not in_node ip rule del pref 50
}

# Prints the objects that only foreign addresses need.
foreign_objects() {
	kernel_state | grep -E '2512|fwmark|kube-ipvs1|KUBE-(6-)?EXTERNAL-PORT|KUBE-IPVS-(EXTERNAL|TAKEN)'
}

all_gone() {
	settled && [ "$(foreign_objects)" = "" ]
}

leftovers() {
	local before address
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [$NODE_IP, "$NODE_IP6"]
		  ports: [{name: t, port: 80}]
	END
	check "nothing of foreign addresses is left when no Service has one" eventually $LONG all_gone
	equal "" "$(foreign_objects)" ""
	before=$(state)
	for address in $FAR $FAR6; do
		manifest more.yaml <<-END
			apiVersion: v1
			kind: Service
			metadata: {name: more}
			spec:
			  clusterIP: 10.96.0.11
			  clusterIPs: [10.96.0.11, "fd00:96::11"]
			  externalIPs: ["$address"]
			  ports: [{port: 80}]
		END
		check "the address $address gets its objects" eventually $LONG served_for "$address"
		rm "$MANIFESTS/more.yaml"
		check "and nothing is left of them" eventually $LONG all_gone
		equal "the state is as before" "$(state)" "$before"
	done
	daemon_end TERM
	check "--cleanup succeeds" in_node "$SVCD" --cleanup
	equal "--cleanup leaves nothing" "$(foreign_objects)" ""
}

# served_for ADDRESS: whether the objects of its family stand, and no others.
served_for() {
	local family=inet v4=1 v6=0
	[[ $1 != *:* ]] || { family=inet6 v4=0 v6=1; }
	foreign_objects
	[ "$(in_node ip rule | grep -c 2512)" = $v4 ] &&
		[ "$(in_node ip -6 rule | grep -c 2512)" = $v6 ] &&
		in_node ipset save | grep -q "^create KUBE-.*EXTERNAL-PORT .* family $family" && settled
}

lab_up
outside_up
write_services
must "the daemon starts" daemon_start --audit-interval 0s
served "by default"
settings
repairs
disturbed
overlay
leftovers
tap_done
