#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that a node changes between iptables and nftables for sets and rules without a failed
# connection, from kube-proxy's layout as well, and that what others do to the table is repaired.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

restart() {
	daemon_end TERM
	must "a restart with --netfilter=$1 succeeds" daemon_start --netfilter="$1"
}

# change_to NETFILTER SENTENCE
change_to() {
	begin_loops
	loops_go_on
	restart "$1"
	check "$2: no work is pending" eventually 60 settled
	loops_go_on
	end_loops "$2"
}

# Rules and sets of ours, or kube-proxy's, in the one interface and in the other.
in_iptables() {
	{ rules | grep KUBE; in_node ipset list -n; } | grep .
}

in_nftables() {
	in_node nft list tables | grep ipvsctl-svc
}

only_in_nftables() {
	not in_iptables && in_nftables
}

only_in_iptables() {
	not in_nftables && in_iptables
}

# For the interface that the daemon uses.
plan_agrees() {
	in_node "$SVC" plan --diff --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a -o json |
		json_says --arg netfilter "$1" '.netfilter == $netfilter and .differences == []'
}

# What is in the tables, in any order.
table() {
	{ in_node nft list table ip ipvsctl-svc; in_node nft list table ip6 ipvsctl-svc; } | sort
}

as_before() {
	diff "$WORK/table" <(table) && settled
}

# disturb SENTENCE COMMAND...: what it changes is back soon.
disturb() {
	local sentence=$1
	shift
	in_node "$@" || note "$sentence: the kernel refused it"
	check "repaired: $sentence" eventually 60 as_before
}

answers_client() {
	local answers
	answers=$(ask client -n 4 tcp 10.96.0.10 80)
	echo "$answers"
	[ "$(names "$answers")" = "a c" ]
}

# closed_by NAME HOOK SENTENCE: a table of others whose policy drops at that hook. Our rules do not open it, and
# the remedy of the warning does. Neighbour discovery stays, as in every such firewall: the pods find their
# router by it, for IPv4 too.
closed_by() {
	check "without $3 there is no warning" not warns_of "$1"
	in_node nft add table inet foreign
	in_node nft add chain inet foreign c "{ type filter hook $2 priority 10; policy drop; }"
	in_node nft add rule inet foreign c meta l4proto icmpv6 accept
	check "$3 is named" warns_of "$1"
	check "$3 stops a Service" not answers_client
	check "the warning about $3 tells a remedy" remedy "$1"
	check "after its remedy $3 is no longer named" not warns_of "$1"
	check "after its remedy $3 lets the Service answer" eventually 20 answers_client
	in_node nft delete table inet foreign
}

lab_up
in_node ipvsadm -Ln >/dev/null 2>&1 || skip_all "this kernel has no ip_vs"
in_node nft list ruleset >/dev/null 2>&1 || skip_all "this kernel has no nf_tables"
write_services
must "the daemon starts with iptables" daemon_start --netfilter=iptables
check "sets and rules are in iptables" only_in_iptables
check "plan finds them there" plan_agrees iptables
change_to nftables "to nftables"
check "sets and rules are in nftables only" eventually 30 only_in_nftables
check "plan finds them there, too" plan_agrees nftables
table >"$WORK/table"
restart nftables
check "a restart changes nothing" as_before
check "a restart writes nothing" grep -q "msg=\"in sync\".* operations=0 " "$DAEMON_LOG"

begin_loops
loops_go_on
disturb "a flushed ruleset" nft flush ruleset
disturb "a deleted table" nft delete table ip ipvsctl-svc
disturb "a flushed chain" nft flush chain ip ipvsctl-svc nat-KUBE-SERVICES
disturb "an inserted rule" nft insert rule ip6 ipvsctl-svc filter-INPUT drop
disturb "a deleted element" \
	nft delete element ip ipvsctl-svc KUBE-CLUSTER-IP '{ 10.96.0.10 . tcp . 80 }'
disturb "a foreign element" nft add element ip ipvsctl-svc KUBE-IPVS-IPS '{ 198.51.100.99 }'
for name in "${!loop_pids[@]}"; do
	loop_end "$name"
done

daemon_end TERM
must "the daemon starts with the range of cluster IPs" \
	daemon_start --netfilter=nftables --service-cluster-ip-range=10.96.0.0/12,fd00:96::/112
closed_by input-drop input "a policy of INPUT"
closed_by forward-drop forward "a policy of FORWARD"
closed_by output-drop output "a policy of OUTPUT"

change_to iptables "to iptables"
check "sets and rules are in iptables only" eventually 30 only_in_iptables
change_to auto "to the one that is found"
check "iptables is found" only_in_iptables
daemon_end TERM

in_node "$SVCD" --cleanup >>"$DAEMON_LOG" 2>&1
check "--cleanup removes everything of iptables" not in_iptables
must "the daemon starts with nftables" daemon_start --netfilter=nftables
daemon_end TERM
in_node "$SVCD" --cleanup >>"$DAEMON_LOG" 2>&1
check "--cleanup removes everything of nftables" not in_nftables
tap_done
