#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the takeover from kube-proxy's iptables mode under traffic, by either backend: clients see
# no error, and no active rule of kube-proxy is left.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

# ---- kube-proxy ----

# hash TEXT: prints the hash for the name of a chain.
hash() {
	printf %s "$1" | openssl dgst -sha256 -binary | base32 -w 0 | head -c 16
}

# chain SVC|SVL|EXT|FW SERVICE
chain() {
	echo "KUBE-$1-$(hash "default/$2tcp")"
}

# sep SERVICE ADDRESS
sep() {
	echo "KUBE-SEP-$(hash "default/$1tcp$2:8080")"
}

# endpoints CHAIN SERVICE ADDRESS...: prints the chain that chooses one at random.
endpoints() {
	local chain=$1 service=$2 n address chance
	shift 2
	for ((n = $#; n > 0; n--)); do
		address=$1
		shift
		chance=
		[ $n = 1 ] || chance="-m statistic --mode random --probability 0.5000000000"
		echo "-A $chain -m comment --comment \"default/$service -> $address:8080\" $chance" \
			"-j $(sep "$service" "$address")"
	done
}

# endpoint SERVICE ADDRESS: prints the chain of an endpoint.
endpoint() {
	local chain comment="-m comment --comment default/$1"
	chain=$(sep "$1" "$2")
	echo "-A $chain $comment -s $2 -j KUBE-MARK-MASQ"
	echo "-A $chain $comment -m tcp -p tcp -j DNAT --to-destination $2:8080"
}

# cluster_ip SERVICE ADDRESS
cluster_ip() {
	local match="-m tcp -p tcp -d $2 --dport 80" svc
	svc=$(chain SVC "$1")
	echo "-A KUBE-SERVICES -m comment --comment \"default/$1 cluster IP\" $match -j $svc"
	echo "-A $svc -m comment --comment \"default/$1 cluster IP\" $match ! -s 10.244.0.0/16" \
		"-j KUBE-MARK-MASQ"
	endpoints "$svc" "$1" $POD_A $POD_C
	endpoint "$1" $POD_A
	endpoint "$1" $POD_C
}

node_port() {
	echo "-A KUBE-NODEPORTS -m comment --comment default/$1 -m tcp -p tcp --dport $2 -j $(chain EXT "$1")"
}

nat_rules() {
	local ext web near lb
	web=$(chain EXT web) near=$(chain EXT near) lb=$(chain FW lb)
	cluster_ip web 10.96.0.10
	cluster_ip near 10.96.0.20
	cluster_ip lb 10.96.0.50
	node_port web 30080
	node_port near 30081
	for ext in web lb; do
		echo "-A $(chain EXT $ext) -m comment --comment" \
			"\"masquerade traffic for default/$ext external destinations\" -j KUBE-MARK-MASQ"
		echo "-A $(chain EXT $ext) -j $(chain SVC $ext)"
	done
	echo "-A $near -m comment --comment \"pod traffic for default/near external destinations\"" \
		"-s 10.244.0.0/16 -j $(chain SVC near)"
	echo "-A $near -m comment --comment \"masquerade LOCAL traffic for default/near external" \
		"destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
	echo "-A $near -m comment --comment \"route LOCAL traffic for default/near external" \
		"destinations\" -m addrtype --src-type LOCAL -j $(chain SVC near)"
	echo "-A $near -j $(chain SVL near)"
	endpoints "$(chain SVL near)" near $POD_A
	echo "-A KUBE-SERVICES -m comment --comment \"default/lb loadbalancer IP\"" \
		"-m tcp -p tcp -d 203.0.113.10 --dport 80 -j $lb"
	echo "-A $lb -m comment --comment \"default/lb loadbalancer IP\" -s 192.168.50.11/32" \
		"-j $(chain EXT lb)"
	echo "-A $lb -m comment --comment" \
		"\"other traffic to default/lb will be dropped by KUBE-PROXY-FIREWALL\""
	echo '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be' \
		'the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'
}

kube_proxy_rules() {
	cat <<-END
		*mangle
		:KUBE-PROXY-CANARY - [0:0]
		COMMIT
		*filter
		:KUBE-SERVICES - [0:0]
		:KUBE-EXTERNAL-SERVICES - [0:0]
		:KUBE-FORWARD - [0:0]
		:KUBE-NODEPORTS - [0:0]
		:KUBE-PROXY-FIREWALL - [0:0]
		:KUBE-PROXY-CANARY - [0:0]
		-A KUBE-SERVICES -m comment --comment "default/none has no endpoints" -m tcp -p tcp -d 10.96.0.30 --dport 80 -j REJECT
		-A KUBE-PROXY-FIREWALL -m comment --comment "default/lb traffic not accepted by $(chain FW lb)" -m tcp -p tcp -d 203.0.113.10 --dport 80 -j DROP
		-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
		-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
		-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-I INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
		-I FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
		-I INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
		-I FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-I OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
		-I INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
		-I OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
		-I FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
		COMMIT
		*nat
		:KUBE-SERVICES - [0:0]
		:KUBE-NODEPORTS - [0:0]
		:KUBE-POSTROUTING - [0:0]
		:KUBE-MARK-MASQ - [0:0]
		:KUBE-PROXY-CANARY - [0:0]
	END
	nat_rules >"$WORK/nat"
	grep -o 'KUBE-[A-Z]*-[A-Z2-7]\{16\}' "$WORK/nat" | sort -u | sed 's/.*/:& - [0:0]/'
	cat "$WORK/nat"
	cat <<-END
		-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
		-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
		-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
		-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
		-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		-I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
		COMMIT
	END
}

kube_proxy() {
	in_node sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
	kube_proxy_rules >"$WORK/rules"
	in_node iptables-restore -w 5 --noflush --counters <"$WORK/rules"
}

leftovers_named() {
	grep 'KUBE-PROXY-CANARY' "$DAEMON_LOG"
}

taken_over_by() {
	fresh "$1"
	lab_again
	write_services
	kube_proxy
	begin_loops
	equal "connections work with kube-proxy's rules" \
		"$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
	must "--backend $1 takes over" daemon_start --backend "$1"
	check "no work is pending after the takeover by $1" eventually 60 settled
	sleep $((PATIENCE / 2 + 1))
	end_loops "takeover by $1"
	check "status names the rest of kube-proxy's rules" leftovers_named
	check "cleanup --of kube-proxy removes the rest" in_node "$SVC" cleanup --of kube-proxy \
		--socket "$STATUS_SOCKET"
	check "the state equals that of a fresh start with $1" as_fresh "$1"
	equal "connections work after the takeover by $1" \
		"$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
}

lab_up
taken_over_by iptables
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	taken_over_by ipvs
fi
tap_done
