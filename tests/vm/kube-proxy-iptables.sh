# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# kube-proxy's iptables mode with the Services of moving.sh, for scenarios to source behind moving.sh.

# What it has of its own for each IP family.
kube_proxy_family() {
	if [ "$1" = 4 ]; then
		IPTABLES=iptables WEB_IP=10.96.0.10 NONE_IP=10.96.0.30 WEB_PODS=("$POD_A" "$POD_C")
		POD_CIDR=${CLUSTER_CIDR%,*} ELSEWHERE=
	else
		IPTABLES=ip6tables WEB_IP=fd00:96::10 NONE_IP=fd00:96::30 WEB_PODS=("$POD_A6" "$POD_C6")
		POD_CIDR=${CLUSTER_CIDR#*,} ELSEWHERE="! -d ::1/128"
	fi
}

# socket ADDRESS: prints address and port of an endpoint.
socket() {
	if [[ $1 == *:* ]]; then
		echo "[$1]:8080"
	else
		echo "$1:8080"
	fi
}

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
	echo "KUBE-SEP-$(hash "default/$1tcp$(socket "$2")")"
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
		echo "-A $chain -m comment --comment \"default/$service -> $(socket "$address")\" $chance" \
			"-j $(sep "$service" "$address")"
	done
}

# endpoint SERVICE ADDRESS: prints the chain of an endpoint.
endpoint() {
	local chain comment="-m comment --comment default/$1"
	chain=$(sep "$1" "$2")
	echo "-A $chain $comment -s $2 -j KUBE-MARK-MASQ"
	echo "-A $chain $comment -m tcp -p tcp -j DNAT --to-destination $(socket "$2")"
}

# cluster_ip SERVICE ADDRESS
cluster_ip() {
	local match="-m tcp -p tcp -d $2 --dport 80" svc pod
	svc=$(chain SVC "$1")
	echo "-A KUBE-SERVICES -m comment --comment \"default/$1 cluster IP\" $match -j $svc"
	echo "-A $svc -m comment --comment \"default/$1 cluster IP\" $match ! -s $POD_CIDR" \
		"-j KUBE-MARK-MASQ"
	endpoints "$svc" "$1" "${WEB_PODS[@]}"
	for pod in "${WEB_PODS[@]}"; do
		endpoint "$1" "$pod"
	done
}

node_port() {
	echo "-A KUBE-NODEPORTS -m comment --comment default/$1 -m tcp -p tcp --dport $2 -j $(chain EXT "$1")"
}

# external SERVICE: prints the chain of external traffic.
external() {
	echo "-A $(chain EXT "$1") -m comment --comment" \
		"\"masquerade traffic for default/$1 external destinations\" -j KUBE-MARK-MASQ"
	echo "-A $(chain EXT "$1") -j $(chain SVC "$1")"
}

# The Services that have IPv4 only.
nat_rules_of_ipv4() {
	local near lb
	near=$(chain EXT near) lb=$(chain FW lb)
	cluster_ip near 10.96.0.20
	cluster_ip lb 10.96.0.50
	node_port near 30081
	echo "-A $near -m comment --comment \"pod traffic for default/near external destinations\"" \
		"-s $POD_CIDR -j $(chain SVC near)"
	echo "-A $near -m comment --comment \"masquerade LOCAL traffic for default/near external" \
		"destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
	echo "-A $near -m comment --comment \"route LOCAL traffic for default/near external" \
		"destinations\" -m addrtype --src-type LOCAL -j $(chain SVC near)"
	echo "-A $near -j $(chain SVL near)"
	endpoints "$(chain SVL near)" near $POD_A
	external lb
	echo "-A KUBE-SERVICES -m comment --comment \"default/lb loadbalancer IP\"" \
		"-m tcp -p tcp -d 203.0.113.10 --dport 80 -j $lb"
	echo "-A $lb -m comment --comment \"default/lb loadbalancer IP\" -s 192.168.50.11/32" \
		"-j $(chain EXT lb)"
	echo "-A $lb -m comment --comment" \
		"\"other traffic to default/lb will be dropped by KUBE-PROXY-FIREWALL\""
}

nat_rules() {
	cluster_ip web $WEB_IP
	node_port web 30080
	external web
	[ $IPTABLES = ip6tables ] || nat_rules_of_ipv4
	echo '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be' \
		"the last rule in this chain\" -m addrtype --dst-type LOCAL $ELSEWHERE -j KUBE-NODEPORTS"
}

# kube_proxy_document [TABLE]: prints what it feeds to iptables-restore, or the part of a table, with
# the jumps from built-in chains, for the family of kube_proxy_family.
kube_proxy_document() {
	kube_proxy_tables | sed -n "/^\\*${1:-[a-z]*}\$/,/^COMMIT/p"
}

kube_proxy_tables() {
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
		-A KUBE-SERVICES -m comment --comment "default/none has no endpoints" -m tcp -p tcp -d $NONE_IP --dport 80 -j REJECT
	END
	[ $IPTABLES = ip6tables ] ||
		echo "-A KUBE-PROXY-FIREWALL -m comment --comment" \
			"\"default/lb traffic not accepted by $(chain FW lb)\"" \
			"-m tcp -p tcp -d 203.0.113.10 --dport 80 -j DROP"
	cat <<-END
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

# Adds its jumps where they are not there.
kube_proxy_adds_jumps() {
	local family table line
	for family in 4 6; do
		kube_proxy_family $family
		while read -r line; do
			case $line in
			\**) table=${line#\*} ;;
			-I*)
				eval "set -- ${line#-I }"
				in_node $IPTABLES -w 5 -t "$table" -C "$@" 2>/dev/null ||
					in_node $IPTABLES -w 5 -t "$table" -I "$@" || return
				;;
			esac
		done < <(kube_proxy_document)
	done
}

# kube_proxy_begin: kube-proxy runs, and has something to sync all the time.
kube_proxy_begin() {
	mkdir -p "$WORK_LAB/kube-proxy"
	rm -f "$WORK_LAB/kube-proxy/"*
	(
		WORK=$WORK_LAB/kube-proxy
		while kill -0 $$ && [ ! -e "$WORK/end" ]; do
			for family in 4 6; do
				kube_proxy_syncs $family || echo "IPv$family" >>"$WORK/refused"
			done
		done 2>"$WORK/log"
	) &
	KUBE_PROXY_PID=$!
}

# kube_proxy_end: ends it. REFUSED has the families of the syncs that were refused.
kube_proxy_end() {
	touch "$WORK_LAB/kube-proxy/end"
	wait "$KUBE_PROXY_PID"
	REFUSED=$(cat "$WORK_LAB/kube-proxy/refused" 2>/dev/null)
}

# kube_proxy_syncs FAMILY [TABLE]: writes its rules, and deletes chains of Services that are not among
# them.
kube_proxy_syncs() {
	kube_proxy_family "$1"
	kube_proxy_document "${@:2}" | grep -v '^-I' >"$WORK/rules"
	in_node $IPTABLES-save -t nat | grep -oE '^:KUBE-(SVC|SVL|SEP|FW|EXT)-[^ ]*' |
		grep -vFxf <(grep -oE '^:[^ ]*' "$WORK/rules") >"$WORK/stale"
	sed -i '$d' "$WORK/rules"
	sed 's/$/ - [0:0]/' "$WORK/stale" >>"$WORK/rules"
	sed 's/^:/-X /' "$WORK/stale" >>"$WORK/rules"
	echo COMMIT >>"$WORK/rules"
	in_node $IPTABLES-restore -w 5 --noflush --counters <"$WORK/rules"
}
