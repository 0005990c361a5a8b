#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that the daemon repairs and counts objects that another program deletes or changes, and
# leaves foreign ones.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/drift.sh"

VS=(-t 10.96.0.10:80)

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [198.51.100.7]
		  loadBalancerSourceRanges: [192.168.50.0/24]
		  ports: [{port: 80, nodePort: 30080}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_B], nodeName: node-a}")
		$(slice web-6 web IPv6 "[{port: 8080}]" "{addresses: ['$POD_A6'], nodeName: node-a}")
	END
}

# Foreign objects on the node.
foreign_things() {
	in_node sh -ec "
		ipset create FOREIGN hash:ip
		ipset add FOREIGN 192.0.2.9
		ip link add foreign0 type dummy
		ip addr add 192.0.2.1/32 dev foreign0
		ip route add local 192.0.2.2/32 dev lo
		iptables -t nat -N FOREIGN
		iptables -t nat -A FOREIGN -s 192.0.2.9 -j RETURN
		iptables -t nat -A OUTPUT -j FOREIGN
	"
}

foreign_server() {
	in_node sh -ec "
		ipvsadm -A -t 192.0.2.1:80 -s wlc -p 300
		ipvsadm -a -t 192.0.2.1:80 -r $POD_B:8080 -m -w 5
	"
}

metric() {
	in_node curl -sf http://127.0.0.1:10249/metrics | awk '$1 == "ipvsctl_drift_total" { print $2 }'
}

begin() { # OPTION...
	lab_again
	foreign_things
	foreign_server
	write_web
	must "the daemon starts with $*" daemon_start --metrics-bind-address 127.0.0.1:10249 "$@"
	reference=$(state)
}

links() {
	noticed "a VIP's route that is deleted" ip route del table local 10.96.0.10
	noticed "an IPv6 VIP's route that is deleted" ip -6 route del table local fd00:96::10
	noticed "the device that is deleted" ip link del kube-ipvs0
}

flush_tables() {
	local program table
	for program in iptables ip6tables; do
		for table in nat filter mangle; do
			echo "$program -w -t $table -F; $program -w -t $table -X"
		done
	done
}

rules() {
	noticed "a rule that is deleted" iptables -w -t nat -D KUBE-SERVICES 1
	noticed "a rule that is added" iptables -w -t nat -I KUBE-POSTROUTING -j ACCEPT
	noticed "a jump that is deleted" iptables -w -t nat -D PREROUTING 1
	noticed "a chain that is flushed" iptables -w -F KUBE-FORWARD
	noticed "an IPv6 table that is flushed" ip6tables -w -t nat -F
	equal "foreign objects stay" \
		"$(in_node iptables-save -t nat | grep -e '^-A FOREIGN' -e '-j FOREIGN$')" \
		"-A OUTPUT -j FOREIGN
-A FOREIGN -s 192.0.2.9/32 -j RETURN"
	# Flushing all tables deletes the foreign rule, too, so do without it from here on.
	in_node sh -c "iptables -w -t nat -D OUTPUT -j FOREIGN
		iptables -w -t nat -F FOREIGN; iptables -w -t nat -X FOREIGN"
	reference=$(grep -v -e '^:FOREIGN' -e '^-A FOREIGN' -e '-j FOREIGN$' <<<"$reference")
	noticed "all tables that are flushed, as a firewall does" sh -c "$(flush_tables)"
	equal "clients are served after all tables were flushed" \
		"$(names "$(ask client -n 4 tcp 198.51.100.7 80)")" "a b"
}

sets_and_servers() {
	audited "a set member that is deleted" ipset del KUBE-CLUSTER-IP 10.96.0.10,tcp:80
	audited "a set member that is added" ipset add KUBE-CLUSTER-IP 10.96.0.99,tcp:80
	audited "a set that is flushed" ipset flush KUBE-LOAD-BALANCER
	audited "a virtual server that is deleted" ipvsadm -D "${VS[@]}"
	audited "a virtual server that gets another scheduler" ipvsadm -E "${VS[@]}" -s wlc
	audited "a real server that is deleted" ipvsadm -d "${VS[@]}" -r $POD_A:8080
	audited "a real server that gets another weight" \
		ipvsadm -e "${VS[@]}" -r $POD_A:8080 -m -w 7
	audited "IPVS that is emptied" sh -c "ipvsadm -C; ipvsadm -A -t 192.0.2.1:80 -s wlc -p 300
		ipvsadm -a -t 192.0.2.1:80 -r $POD_B:8080 -m -w 5"
	equal "the metric counts the same as the status" "$(metric)" "$(drift)"
}

# Asks for ever and prints a line for each answer.
keep_asking() {
	while true; do
		inside client "$PEER" ask -w 1000 tcp 10.96.0.10 80
	done
}

answers_since() { # LINE: ten in a row are good
	tail -n +"$1" "$WORK_LAB/answers" | tail -n 10 | grep -c '^[ab] ' | grep -qx 10
}

half_of_all() {
	local asking before
	keep_asking >"$WORK_LAB/answers" 2>&1 &
	asking=$!
	lab_pids+=("$asking")
	check "a client keeps connecting" eventually $LONG answers_since 1
	before=$(drift)
	in_node sh -c "
		ip link del kube-ipvs0
		ip route del table local 10.96.0.10
		iptables -w -F
		ip6tables -w -t nat -F
		ipset flush KUBE-CLUSTER-IP
		ipset flush KUBE-IPVS-IPS
		ipvsadm -D -t 10.96.0.10:80
		ipvsadm -D -t $NODE_IP:30080
	"
	check "half of the tables that are emptied at once come back" \
		eventually $LONG is_as_before
	check "the repairs of the emptied tables are counted" test "$(drift)" -ge $((before + 8))
	check "the client is served after the tables were emptied" \
		eventually $LONG answers_since "$(wc -l <"$WORK_LAB/answers")"
	kill "$asking"
	wait "$asking" 2>/dev/null
}

begin --audit-interval 0s
links
rules
sets_and_servers
begin --audit-interval 1s
half_of_all
# Use the variant that no other program uses on this node.
if variant_works legacy; then
	use_variant legacy
	begin --audit-interval 0s
	rules
else
	skip "the legacy variant" "this kernel does not have it"
fi
tap_done
