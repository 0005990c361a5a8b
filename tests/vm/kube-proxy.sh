# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What kube-proxy's IPVS mode does in each of its syncs, for scenarios to source behind lab.sh.

# What it feeds to iptables-restore.
KUBE_PROXY_RULES=$(dirname "${BASH_SOURCE[0]}")/kube-proxy.rules

# kube_proxy_sets FAMILY PREFIX: prints its sets of one family for `ipset restore`.
kube_proxy_sets() {
	local name
	for name in CLUSTER-IP:ip,port EXTERNAL-IP:ip,port EXTERNAL-IP-LOCAL:ip,port \
		LOAD-BALANCER:ip,port LOAD-BALANCER-FW:ip,port LOAD-BALANCER-LOCAL:ip,port \
		NODE-PORT-SCTP-HASH:ip,port NODE-PORT-LOCAL-SCTP-HASH:ip,port \
		LOOP-BACK:ip,port,ip LOAD-BALANCER-SOURCE-IP:ip,port,ip \
		LOAD-BALANCER-SOURCE-CIDR:ip,port,net IPVS-IPS:ip; do
		echo "create $(cut -c -31 <<<"$2${name%%:*}") hash:${name#*:} family $1 hashsize 1024 maxelem 65536"
	done
	for name in NODE-PORT-TCP NODE-PORT-LOCAL-TCP NODE-PORT-UDP NODE-PORT-LOCAL-UDP \
		HEALTH-CHECK-NODE-PORT; do
		echo "create $2$name bitmap:port range 0-65535"
	done
}

# Prints the rules for IPv6.
kube_proxy_rules6() {
	sed -E -e 's/--match-set KUBE-/&6-/' -e 's/(--match-set [^ ]{31})[^ ]*/\1/' \
		-e 's/127\.0\.0\.0\/8/::1\/128/' -e 's/10\.244\.0\.0\/16/fd00:10:244::\/48/' \
		-e '/--vaddr/d' "$KUBE_PROXY_RULES"
}

# kube_proxy_jump TABLE FROM TO COMMENT: adds a jump in both families, unless it is there.
kube_proxy_jump() {
	local program rule=("$2" -t "$1" -m comment --comment "$4" -j "$3")
	for program in iptables ip6tables; do
		in_node $program -w 5 -C "${rule[@]}" 2>/dev/null ||
			in_node $program -w 5 -I "${rule[@]}" || return
	done
}

# Makes its chains, jumps and rules.
kube_proxy_rules() {
	local program table chain
	while read -r table chain; do
		for program in iptables ip6tables; do
			in_node $program -w 5 -N "$chain" -t "$table" 2>/dev/null
			[ $? -le 1 ] || return
		done
	done < <(sed -nE 's/^\*(.*)/\1/;T chain;h;b;:chain;/^:/{s/^:([^ ]*).*/\1/;G;s/(.*)\n(.*)/\2 \1/p}' \
		"$KUBE_PROXY_RULES")
	kube_proxy_jump nat OUTPUT KUBE-SERVICES "kubernetes service portals" &&
		kube_proxy_jump nat PREROUTING KUBE-SERVICES "kubernetes service portals" &&
		kube_proxy_jump nat POSTROUTING KUBE-POSTROUTING "kubernetes postrouting rules" &&
		kube_proxy_jump filter FORWARD KUBE-FORWARD "kubernetes forwarding rules" &&
		kube_proxy_jump filter INPUT KUBE-NODE-PORT "kubernetes health check rules" &&
		kube_proxy_jump filter INPUT KUBE-PROXY-FIREWALL "kube-proxy firewall rules" &&
		kube_proxy_jump filter FORWARD KUBE-PROXY-FIREWALL "kube-proxy firewall rules" &&
		kube_proxy_jump filter INPUT KUBE-IPVS-FILTER "kubernetes ipvs access filter" &&
		kube_proxy_jump filter OUTPUT KUBE-IPVS-OUT-FILTER "kubernetes ipvs access filter" &&
		in_node iptables-restore -w 5 --noflush --counters \
			<"$KUBE_PROXY_RULES" &&
		kube_proxy_rules6 | in_node ip6tables-restore -w 5 --noflush --counters
}

# Makes its sets where there are none. Any other set of one of these names is an error, which ends
# the sync.
kube_proxy_creates_sets() {
	local line
	while read -r line; do
		# shellcheck disable=SC2086
		in_node ipset $line -exist || return
	done < <(kube_proxy_sets inet KUBE-; kube_proxy_sets inet6 KUBE-6-)
}
