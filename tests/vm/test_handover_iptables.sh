#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the way back to kube-proxy's iptables mode under traffic: --hand-over leaves what kube-proxy
# would have made, its sync succeeds on it, and no connection breaks.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"
. "$(dirname "$0")/kube-proxy-iptables.sh"

hand_over() {
	daemon_run --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a --backend iptables \
		--drain-timeout $((15 * PATIENCE))s --hand-over >>"$DAEMON_LOG" 2>&1
}

# Prints the objects of the daemon that kube-proxy's iptables mode does not know.
unknown_to_kube_proxy() {
	kernel_state | grep -E -e 'proto 200' -e kube-ipvs -e DISPATCH -e SOURCE-RANGES -e '^create KUBE' \
		-e '^:KUBE-NODE-PORT' -e match-set -e ipvsctl
}

# Prints the chains of the node and the jumps to them.
layout() {
	rules | grep -E '^(\*|:KUBE-|-A [A-Z]+ .*-j KUBE-)' | grep -v CANARY | sed 's/ \[[0-9:]*\]$//'
}

# Counts packets of an admitted client that come to the node itself, before and behind table filter.
count_admitted() {
	in_node nft -f - <<-END
		table ip count {
			chain before {
				type filter hook input priority -1
				ip saddr 192.168.50.11 ip daddr 203.0.113.10 counter
			}
			chain behind {
				type filter hook input priority 1
				ip saddr 192.168.50.11 ip daddr 203.0.113.10 counter
			}
		}
	END
}

# counted CHAIN
counted() {
	in_node nft list chain ip count "$1" | grep -oE 'packets [0-9]+'
}

# from BACKEND: hands over to kube-proxy's iptables mode.
from() {
	local name chains
	local -A before
	lab_again
	for name in iptables-restore ip6tables-restore; do
		in_node $name --noflush <<<$'*nat\n-A OUTPUT -m mark --mark 0x77 -j RETURN\nCOMMIT'
		in_node $name --noflush <<<$'*filter\n-A OUTPUT -m mark --mark 0x77 -j RETURN\nCOMMIT'
		in_node $name --noflush <<<$'*mangle\n-A OUTPUT -m mark --mark 0x77 -j RETURN\nCOMMIT'
	done
	BEFORE=$(kernel_state)
	write_services
	must "the daemon starts with --backend $1" daemon_start --backend "$1"
	if [ "$1" = iptables ]; then # connections through IPVS end with it
		keep_open client 4 client -s 192.168.50.14 tcp 10.96.0.10 80
		before[client]=$KEPT
		keep_open port 2 client -s 192.168.50.15 tcp $NODE_IP 30080
		before[port]=$KEPT
		keep_open node 2 node tcp 10.96.0.10 80
		before[node]=$KEPT
		keep_open pod 2 b tcp 10.96.0.10 80
		before[pod]=$KEPT
		keep_open client-6 2 client tcp fd00:96::10 80
		before[client-6]=$KEPT
	fi
	count_admitted
	begin_loops
	loops_go_on
	daemon_end TERM
	if [ "$1" = iptables ]; then
		check "kube-proxy's sync is refused on what SIGTERM leaves" not kube_proxy_syncs 4 nat
		check "... with IPv6, too" not kube_proxy_syncs 6 nat
		loops_go_on
	fi
	check "--hand-over succeeds" hand_over
	loops_go_on
	equal "no packet of an admitted client was dropped" "$(counted behind)" "$(counted before)"
	equal "nothing is left that kube-proxy does not know" "$(unknown_to_kube_proxy)" ""
	chains=$(layout)
	check "kube-proxy can add its jumps" kube_proxy_adds_jumps
	equal "there was no jump to add" "$(layout)" "$chains"
	for name in 4 6 4 6; do
		check "kube-proxy can write its rules of IPv$name" kube_proxy_syncs $name
		loops_go_on
	done
	end_loops "hand-over from $1"
	for name in "${!before[@]}"; do
		keep_ask "$name"
		equal "connections continue: $name" "$KEPT" "${before[$name]}"
	done
	kube_proxy_begin
	check "--hand-over can be repeated, also while kube-proxy runs" hand_over
	kube_proxy_end
	equal "no sync of kube-proxy is refused meanwhile" "$REFUSED" ""
	check "--hand-over had nothing to try again" not grep -E 'level=(error|warning)' "$DAEMON_LOG"
	check "--cleanup succeeds" in_node "$SVCD" --cleanup
	equal "--cleanup complains of nothing" "$(complaints)" ""
	check "cleanup --of kube-proxy succeeds" in_node "$SVC" cleanup --of kube-proxy \
		--socket "$STATUS_SOCKET"
	equal "both leave the state from before the start" "$(kernel_state)" "$BEFORE"
}

lab_up
# In software emulation only what cannot run outside as well (tests/run.sh).
[ "${VM_ACCEL:-}" = tcg ] || from iptables
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	from ipvs
	# It takes long.
	[ "${VM_ACCEL:-}" = tcg ] || NETFILTER=nftables from ipvs
fi
tap_done
