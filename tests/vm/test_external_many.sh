#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests many external addresses that others own: COUNT of them in one Service, and as many in
# Services of ten. All of them are taken, and nothing else; a restart has nothing to do; and nothing
# is left behind.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/outside.sh"

COUNT=${COUNT:-500}
LONG=300 # seconds, times PATIENCE

# addresses FIRST: prints COUNT addresses, half of them of IPv6.
addresses() {
	awk -v first="$1" -v n="$COUNT" 'BEGIN {
		for (i = 0; i < n; i += 2) {
			printf "100.%d.%d.%d\n", first, i / 256, i % 256
			printf "fd00:100:%x::%x\n", first, i + 1
		}
	}'
}

# services FIRST COUNT NAME: prints Services with so many of the addresses each.
services() {
	addresses "$1" | awk -v each="$2" -v name="$3" -v pod="$POD_A" -v pod6="$POD_A6" '
	function slice(service, family, address) {
		printf "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s-%s, ", service, tolower(family)
		printf "labels: {kubernetes.io/service-name: %s}}, addressType: %s, ", service, family
		printf "ports: [{port: 8080}], endpoints: [{addresses: [\"%s\"], nodeName: node-a}]}\n", address
	}
	{
		list = list "\"" $1 "\", "
		if (NR % each)
			next
		n++
		ip = "10.97." int(n / 256) "." n % 256
		printf "---\n{apiVersion: v1, kind: Service, metadata: {name: %s-%d}, spec: {ports: [{port: 80}], ", name, n
		printf "clusterIP: %s, clusterIPs: [%s, \"fd00:97::%x\"], externalIPs: [%s]}}\n", ip, ip, n, list
		slice(name "-" n, "IPv4", pod)
		slice(name "-" n, "IPv6", pod6)
		list = ""
	}'
}

# ---- What the kernel has, as lists of addresses ----

routes() {
	in_node ip route show table 2512 2>/dev/null | awk '$1 == "local" { print $2 }'
	in_node ip -6 route show table 2512 2>/dev/null | awk '$1 == "local" { print $2 }'
}

held() {
	in_node ip -o addr show dev kube-ipvs1 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }'
}

members() {
	in_node ipset save | sed -n 's/^add KUBE-\(6-\)\{0,1\}EXTERNAL-PORT \(.*\),tcp:80$/\2/p'
}

virtual_servers() {
	in_node ipvsadm -Sn | sed -n 's/^-A -t \[\{0,1\}\([^]]*\)\]\{0,1\}:80 .*/\1/p' | grep -e '^100\.' -e '^fd00:100'
}

# has LIST COMMAND...: whether the command prints exactly these lines, in any order.
has() {
	diff <(sort <<<"$1") <("${@:2}" | sort) | head -n 10 | tee "$WORK/last"
	[ ! -s "$WORK/last" ]
}

# exact SENTENCE ADDRESSES
exact() {
	check "$1: exactly these addresses have a route" has "$2" routes
	check "$1: exactly these ports are taken" has "$2" members
	check "$1: exactly these virtual servers stand" has "$2" virtual_servers
	check "$1: exactly these IPv4 addresses are held" has "$(grep -v : <<<"$2")" held
	check "$1: none of them is taken as a whole" not grep -E '^local (100\.|fd00:100)' \
		<<<"$(in_node ip route show table local; in_node ip -6 route show table local)"
}

operations() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq .summary.operations
}

lab_up
outside_up
services 64 "$COUNT" one | sed 's/10\.97\./10.98./g; s/fd00:97:/fd00:98:/g' | manifest one.yaml
start=$SECONDS
must "the daemon starts with $COUNT addresses in one Service" daemon_start
note "after $((SECONDS - start)) s"
exact "one Service" "$(addresses 64)"
start=$SECONDS
services 65 10 ten | manifest tens.yaml
check "as many in Services of ten are programmed" \
	eventually $LONG eval '[ "$(members | wc -l)" = '$((2 * COUNT))' ] && settled'
note "after $((SECONDS - start)) s"
exact "two times as many" "$(addresses 64; addresses 65)"
equal "one of them is served" "$(names "$(ask client tcp "$(addresses 65 | tail -n 2 | head -n 1)" 80)")" a
equal "one of IPv6 is served" "$(names "$(ask client tcp "$(addresses 65 | tail -n 1)" 80)")" a
daemon_end KILL
must "the daemon starts again" daemon_start
equal "a restart has nothing to do" "$(operations)" 0
start=$SECONDS
rm "$MANIFESTS/one.yaml"
check "the large Service is removed" \
	eventually $LONG eval '[ "$(members | wc -l)" = '"$COUNT"' ] && settled'
note "after $((SECONDS - start)) s"
exact "the others" "$(addresses 65)"
daemon_end TERM
check "--cleanup succeeds" in_node "$SVCD" --cleanup
equal "--cleanup leaves no route" "$(routes)" ""
equal "--cleanup leaves no port" "$(members)" ""
equal "--cleanup leaves no held address" "$(held)" ""
check "--cleanup leaves no policy rule" not grep 2512 <<<"$(in_node ip rule; in_node ip -6 rule)"
tap_done
