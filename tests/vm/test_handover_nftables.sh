#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the way to kube-proxy's nftables mode: it starts and syncs, and then --cleanup removes what is
# left of the daemon. No connection fails, and nothing of kube-proxy changes.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

# table FAMILY ADDRESSES WEB_IP POD_CIDR LOOPBACK POD...: prints what kube-proxy has for the Service
# web, as far as packets meet it.
table() {
	cat <<-END
		table $1 kube-proxy {
			set cluster-ips { type $2; elements = { $3 }; }
			map service-ips {
				type $2 . inet_proto . inet_service : verdict
				elements = { $3 . tcp . 80 : goto service-web }
			}
			map service-nodeports {
				type inet_proto . inet_service : verdict
				elements = { tcp . 30080 : goto external-web }
			}
			chain service-web {
				meta l4proto tcp dnat $1 to numgen random mod 2 map { 0 : $6 . 8080, 1 : $7 . 8080 }
			}
			chain external-web {
				meta mark set meta mark or 0x4000
				goto service-web
			}
			chain services {
				$1 daddr @cluster-ips $1 saddr != $4 meta mark set meta mark or 0x4000
				$1 daddr . meta l4proto . th dport vmap @service-ips
				fib daddr type local $1 daddr != $5 meta l4proto . th dport vmap @service-nodeports
			}
			chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
			chain nat-output { type nat hook output priority -100; jump services; }
			chain nat-postrouting {
				type nat hook postrouting priority srcnat
				meta mark and 0x4000 != 0 meta mark set meta mark xor 0x4000 masquerade fully-random
			}
			chain cluster-ips-check { $1 daddr @cluster-ips reject; }
			chain filter-forward {
				type filter hook forward priority filter
				ct state new jump cluster-ips-check
			}
			chain filter-output {
				type filter hook output priority filter
				ct state new jump cluster-ips-check
			}
		}
	END
}

kube_proxy_syncs() {
	{
		table ip ipv4_addr 10.96.0.10 "${CLUSTER_CIDR%,*}" 127.0.0.0/8 $POD_A $POD_C
		table ip6 ipv6_addr fd00:96::10 "${CLUSTER_CIDR#*,}" ::1 $POD_A6 $POD_C6
	} | in_node nft -f -
}

kube_proxy_ends() {
	in_node nft delete table ip kube-proxy
	in_node nft delete table ip6 kube-proxy
}

kube_proxy_state() {
	in_node nft list table ip kube-proxy
	in_node nft list table ip6 kube-proxy
}

# When it starts, it removes what it knows of its other modes, as far as it can.
kube_proxy_cleans_up() {
	local name
	for name in iptables ip6tables; do
		in_node $name -w 5 -t nat -D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		in_node $name -w 5 -t nat -D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
		in_node $name -w 5 -t nat -D POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
		in_node $name -w 5 -D FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
		in_node $name-save -t nat | sed -n 's/^:\(KUBE-[SEF][A-Z]*-[A-Z2-7]\{16\}\) .*/\1/p' >"$WORK/chains"
		{
			echo "*nat"
			sed 's/.*/:& - [0:0]/' "$WORK/chains"
			sed 's/^/-X /' "$WORK/chains"
			echo COMMIT
		} | in_node $name-restore --noflush
	done
	in_node ipvsadm -C
	in_node ip link del kube-ipvs0
} 2>/dev/null

# after BACKEND
after() {
	lab_again
	write_services
	must "the daemon starts with --backend $1" daemon_start --backend "$1"
	daemon_end TERM
	kube_proxy_cleans_up
	must "kube-proxy syncs" kube_proxy_syncs
	loop_start cluster client tcp 10.96.0.10 80
	loop_start node node tcp 10.96.0.10 80
	loop_start pod b tcp 10.96.0.10 80
	loop_start port client tcp $NODE_IP 30080
	loop_start cluster-6 client tcp fd00:96::10 80
	loop_start port-6 client tcp $NODE_IP6 30080
	keep_open client 4 client -s 192.168.50.14 tcp 10.96.0.10 80
	before=$KEPT state=$(kube_proxy_state)
	loops_go_on
	check "--cleanup succeeds" in_node "$SVCD" --cleanup
	equal "--cleanup complains of nothing" "$(complaints)" ""
	if [ "$1" = iptables ]; then
		equal "--cleanup names the setting that opens 127.0.0.1" \
			"$(grep -o route_localnet "$WORK/tap")" route_localnet
	fi
	loops_go_on
	for name in cluster node port cluster-6 port-6; do
		check "after $1: no connection failed: $name" loop_never_failed $name "[ac] $NODE"
	done
	check "after $1: no connection failed: pod" loop_never_failed pod "[ac] $POD_B"
	keep_ask client
	equal "after $1: connections continue" "$KEPT" "$before"
	equal "after $1: kube-proxy's tables are as they were" "$(kube_proxy_state)" "$state"
	equal "after $1: nothing of the daemon is left" \
		"$(kernel_state | grep -E -e 'proto 200' -e kube-ipvs -e KUBE -e ipvsctl)" ""
	kube_proxy_ends
}

lab_up
kube_proxy_syncs 2>/dev/null || skip_all "nft cannot do here what kube-proxy's nftables mode needs"
kube_proxy_ends
after iptables
if in_node ipvsadm -Ln >/dev/null 2>&1; then
	after ipvs
fi
tap_done
