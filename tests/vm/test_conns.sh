#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests "conns" and "top" beside what ipvsadm prints, and "conns" with netfilter's connection table beside
# what the clients see.
. "$(dirname "$0")/lab.sh"

svc() {
	in_node "$SVC" "$1" --socket "$STATUS_SOCKET" "${@:2}"
}

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web, namespace: shop}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalTrafficPolicy: Local
		  ports: [{name: http, port: 80, nodePort: 30080}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: sticky}
		spec:
		  type: LoadBalancer
		  clusterIP: 10.96.0.70
		  externalTrafficPolicy: Local
		  sessionAffinity: ClientIP
		  ports: [{port: 80}]
		status: {loadBalancer: {ingress: [{ip: 203.0.113.70}]}}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: dns}
		spec: {clusterIP: 10.96.0.53, ports: [{port: 53, protocol: UDP}]}
	END
	manifest slices.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(sed 's/metadata: {/metadata: {namespace: shop, /' <<<"$(
		slice web-1 web IPv4 "[{name: http, port: 8080}]" \
			"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_B], nodeName: node-a}"
		slice web-6 web IPv6 "[{name: http, port: 8080}]" "{addresses: ['$POD_A6'], nodeName: node-a}"
	)")
		$(slice sticky-1 sticky IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
		$(slice dns-1 dns IPv4 "[{port: 5353, protocol: UDP}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_B], nodeName: node-a}")
	END
}

connect() {
	keep_open web 6 client tcp 10.96.0.10 80
	keep_open six 2 client tcp fd00:96::10 80
	keep_open port 3 client tcp $NODE_IP 30080
	keep_open sticky 2 client tcp 10.96.0.70 80
	keep_open pod 2 b tcp 203.0.113.70 80
	ask client -n 3 udp 10.96.0.53 53 >"$WORK/asked"
	ask client -n 2 tcp 10.96.0.10 80 >>"$WORK/asked"
}

# "TCP ESTABLISHED 192.168.50.10:40000 10.96.0.10:80 10.244.1.11:8080" for each connection
by_ipvsadm() {
	in_node ipvsadm -Lnc | awk 'NR > 2 { print $1, $3, $4, $5, $6 }' | sort
}

by_conns() {
	svc conns --list -o json | jq -r '
		def place: if .fwmark then
				"\(.fwmark / 16777216 | floor).\(.fwmark / 65536 | floor % 256)." +
				"\(.fwmark / 256 | floor % 256).\(.fwmark % 256):0"
			elif .address | contains(":") then "[\(.address)]:\(.port)"
			else "\(.address):\(.port)" end;
		"\(.vip.fwmark as $m | if $m then "IP" else .protocol end) \(.state) " +
		"\(.client | place) \(.vip | place) \(.endpoint | place)"' | sort
}

same_list() {
	diff -u <(by_ipvsadm) <(by_conns)
}

# "10.244.1.11 TEMPLATES ACTIVE INACTIVE" for each address that has any: a template of a firewall mark has
# no port.
totals_by_ipvsadm() {
	in_node ipvsadm -Ln --persistent-conn | awk '
		$1 == "->" && $2 != "RemoteAddress:Port" {
			sub(/:[0-9]*$/, "", $2)
			templates[$2] += $4; active[$2] += $5; inactive[$2] += $6
		}
		END {
			for (i in active)
				if (templates[i] + active[i] + inactive[i])
					print i, templates[i], active[i], inactive[i]
		}' | sort
}

totals_by_conns() {
	svc conns -o json | jq -r '[.services[], .virtualServers[]] |
		map(.at = (.endpoint | if .address | contains(":")
			then "[\(.address)]" else .address end)) |
		group_by(.at)[] | "\(.[0].at) \(map(.templates) | add) " +
			"\(map(.active) | add) \(map(.inactive) | add)"' | sort
}

same_totals() {
	diff -u <(totals_by_ipvsadm) <(totals_by_conns)
}

# By Service and endpoint, the connections that are established, from a table.
established_by() { # TABLE
	svc conns --table "$1" -o json |
		jq -c '.services[] | select(.active > 0) | [.namespace, .name, .endpoint, .active]' | sort
}

same_by_conntrack() {
	diff -u <(established_by ipvs) <(established_by conntrack)
}

# The connections that "ipvsadm -L --stats" counts at web's cluster IP.
counted() {
	in_node ipvsadm -Ln --stats -t 10.96.0.10:80 | awk '$1 == "TCP" { print $3 }'
}

# "top" counts what "--stats" counted meanwhile, except for the rounding of a rate for each second.
top_agrees() {
	local before after
	before=$(counted)
	svc top -i $((2 * PATIENCE)) -o json >"$WORK/top" &
	sleep 0.5
	ask client -n 40 tcp 10.96.0.10 80 >/dev/null
	wait $!
	after=$(counted)
	note "ipvsadm counts $((after - before)) connections"
	jq -c '.services[] | select(.name == "web" and .namespace == "shop")' "$WORK/top"
	json_says --argjson n $((after - before)) '.seconds as $s | .services[] |
		select(.name == "web") | .connectionsPerSecond * $s - $n | fabs <= $s' <"$WORK/top"
}

# Virtual servers of another program: at an address of the node, and of a firewall mark.
foreign_servers() {
	in_node ip addr add 198.51.100.7/32 dev lo
	in_node iptables -t mangle -A PREROUTING -d 198.51.100.7 -p tcp -j MARK --set-mark 7
	in_node ipvsadm -A -t $NODE_IP:9999 -s rr
	in_node ipvsadm -a -t $NODE_IP:9999 -r $POD_B:8080 -m
	in_node ipvsadm -A -f 7 -s rr -p 600
	in_node ipvsadm -a -f 7 -r $POD_B:8080 -m
}

with_ipvs() {
	must "the daemon starts" daemon_start --backend=ipvs
	foreign_servers
	connect
	keep_open foreign 1 client tcp $NODE_IP 9999
	keep_open marked 1 client tcp 198.51.100.7 8080
	check "conns lists the connections of ipvsadm -Lnc" eventually 10 same_list
	equal "with templates of a virtual server and of a firewall mark" \
		"$(by_conns | grep ':0 .*:' | awk '{ print $1 }' | sort -u)" $'IP\nTCP'
	check "conns counts by endpoint what ipvsadm counts" eventually 10 same_totals
	check "netfilter's table has the same connections of Services" eventually 10 same_by_conntrack
	check "top agrees with ipvsadm -L --stats" top_agrees
	equal "every connection has the name of its Service, a foreign one none" \
		"$(svc conns -o json | jq -c '[.services[] | "\(.namespace)/\(.name)"] | unique')
$(svc conns -o json | jq -c '.virtualServers[] | [.vip, .endpoint, .active]')" \
		"[\"default/dns\",\"default/sticky\",\"shop/web\"]
[{\"address\":\"$NODE_IP\",\"port\":9999},{\"address\":\"$POD_B\",\"port\":8080},1]
[{\"address\":\"198.51.100.7\",\"port\":8080},{\"address\":\"$POD_B\",\"port\":8080},1]
[{\"fwmark\":7,\"family\":\"IPv4\"},{\"address\":\"$POD_B\",\"port\":0},0]"
	names_are_selected
	daemon_end TERM
	check "without the daemon conns lists the same connections" eventually 10 same_list
	check "conns says that names are missing" grep -q 'showing addresses without names' \
		<<<"$(svc conns 2>&1 >/dev/null)"
	check "a name without the daemon exits with 3" ends_with 3 svc conns web
}

names_are_selected() {
	equal "a Service is selected by its name" \
		"$(svc conns shop/web -o json | jq -c '.active >= 11, ([.services[].name] | unique)')" \
		'true
["web"]'
	check "an endpoint is selected by its address" grep -Eq "^shop +web +80/TCP +$POD_A:8080 " \
		<<<"$(svc conns $POD_A --no-headers)"
	check "an unknown Service exits with 5" ends_with 5 svc conns nothing
}

# The connections of web to each pod that the clients hold: "2 $POD_A:8080"
held() {
	# shellcheck disable=SC2086 # lines
	printf '%s\n' ${KEPT_ALL} | sort | uniq -c | awk '{ print $1, $2 }'
}

# The connections that are established, by the pod that serves them.
established() {
	svc conns shop/web -o json | jq -r --arg a $POD_A --arg b $POD_B --arg a6 $POD_A6 '
		[.services[] | select(.states.ESTABLISHED) |
			{pod: (.endpoint.address | if . == $b then "b" else "a" end),
			 n: .states.ESTABLISHED}] |
		group_by(.pod)[] | "\(map(.n) | add) \(.[0].pod)"'
}

same_as_held() {
	diff -u <(held) <(established)
}

with_netfilter() { # BACKEND
	local name
	lab_again
	write_services
	must "$1: the daemon starts" daemon_start --backend="$1"
	connect
	KEPT_ALL=
	for name in web six port; do
		keep_ask $name
		KEPT_ALL+=$(cut -d' ' -f1 <<<"$KEPT")$'\n'
	done
	check "$1: conns finds the connections that the clients hold" eventually 10 same_as_held
	equal "$1: its table is netfilter's" "$(svc conns -o json | jq -r .table)" conntrack
	check "$1: datagrams are counted" json_says \
		'[.services[] | select(.name == "dns") | .inactive] | add == 3' < <(svc conns -o json)
	names_are_selected
	daemon_end TERM
	check "$1: the daemon cleans up" daemon_run --backend="$1" --cleanup
}

lab_up
write_services
if modprobe -q ip_vs || [ -e /proc/net/ip_vs ]; then
	with_ipvs
else
	skip "conns lists the connections of ipvsadm -Lnc" "this kernel has no ip_vs"
fi
with_netfilter nftables
if modprobe -q xt_set || grep -q '^set$' /proc/net/ip_tables_matches 2>/dev/null; then
	with_netfilter iptables
else
	skip "iptables: conns finds the connections that the clients hold" "xt_set is missing"
fi
tap_done
