# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The network outside of the cluster: owners of addresses that Services may name, too. Source it
# after lab.sh, and call outside_up after lab_up.
#
#                          node-b 192.168.60.2 fd00:60::2, as in lab.sh
#                            |
#   client --------------- node 192.168.70.1 fd00:70::1
#                            |  eth3
#                            +--- near 192.168.70.20 fd00:70::20
#                            |
#                           gw 192.168.70.254 fd00:70::254
#                            |  MTU 1300
#                           far 198.51.100.7 fd00:51::7
#
# gw is the default gateway of the node, and a bridge between the node and near. far is not on a
# link of the node, near is. Nobody has 203.0.113.9 and fd00:113::9, for which gw has no route, and
# 192.168.70.99 and fd00:70::99. gw sends what is for 203.0.113.64/26 and fd00:113:64::/64 to the
# node, as a router does for a load balancer's addresses.
#
# Each owner serves the ports 22 and 80 of TCP, UDP and SCTP, and so does the node.

FAR=198.51.100.7 FAR6=fd00:51::7
NEAR=192.168.70.20 NEAR6=fd00:70::20
GW=192.168.70.254 GW6=fd00:70::254
NODE_B=192.168.60.2 NODE_B6=fd00:60::2
NOBODY=203.0.113.9 NOBODY6=fd00:113::9
NOBODY_HERE=192.168.70.99 NOBODY_HERE6=fd00:70::99
POOL=203.0.113.65 POOL6=fd00:113:64::65
NODE_IP_3=192.168.70.1

outside_network() {
	local name
	lab_namespaces_add gw near far
	ip link add eth3 netns "$LAB-node" type veth peer name lan-node netns "$LAB-gw"
	ip link add eth0 netns "$LAB-near" type veth peer name lan-near netns "$LAB-gw"
	ip link add eth0 netns "$LAB-far" type veth peer name wan netns "$LAB-gw"
	ip -n "$LAB-gw" -batch - <<-END
		link set lo up
		link add lan type bridge
		link set lan-node master lan
		link set lan-near master lan
		link set lan-node up
		link set lan-near up
		link set lan up
		addr add $GW/24 dev lan
		addr add $GW6/64 dev lan nodad
		link set wan mtu 1300
		link set wan up
		addr add 198.51.100.1/24 dev wan
		addr add fd00:51::1/64 dev wan nodad
		route add 192.168.50.0/24 via $NODE_IP_3
		route add 192.168.60.0/24 via $NODE_IP_3
		route add 10.244.0.0/16 via $NODE_IP_3
		route add 203.0.113.64/26 via $NODE_IP_3
		route add fd00:50::/64 via fd00:70::1
		route add fd00:60::/64 via fd00:70::1
		route add fd00:10:244::/48 via fd00:70::1
		route add fd00:113:64::/64 via fd00:70::1
	END
	ip -n "$LAB-node" -batch - <<-END
		addr add $NODE_IP_3/24 dev eth3
		addr add fd00:70::1/64 dev eth3 nodad
		link set eth3 up
		route replace default via $GW
		route del ::/0
		route add ::/0 via $GW6
	END
	ip -n "$LAB-near" -batch - <<-END
		link set lo up
		addr add $NEAR/24 dev eth0
		addr add $NEAR6/64 dev eth0 nodad
		link set eth0 up
		route add default via $NODE_IP_3
		route add ::/0 via fd00:70::1
	END
	# far announces the segment size of its own link, but sends no packets that gw cannot forward.
	ip -n "$LAB-far" -batch - <<-END
		link set lo up
		addr add $FAR/24 dev eth0
		addr add $FAR6/64 dev eth0 nodad
		link set eth0 up
		route add default via 198.51.100.1 mtu 1300 advmss 1460
		route add ::/0 via fd00:51::1 mtu 1300 advmss 1440
	END
	inside gw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	# Let none of them limit its ICMP messages, even the hundredth within a second; and let root
	# ping from everywhere.
	for name in client node node-b a b c d gw near far; do
		inside $name sysctl -qw net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0 \
			net.ipv4.ping_group_range="0 0"
	done
}

outside_serve() {
	local name ports=(tcp:22 tcp:80 udp:22 udp:80)
	! lab_has_sctp || ports+=(sctp:22 sctp:80)
	for name in node node-b gw near far; do
		lab_background "$WORK/serve-$name" $name "$PEER" serve $name "${ports[@]}"
	done
	for name in node node-b gw near far; do
		eventually 20 grep -q serving "$WORK/serve-$name" || return
	done
}

outside_up() {
	if ! outside_network || ! outside_serve; then
		note "$(cat "$WORK"/serve-*)"
		echo "Bail out! the network outside could not be built"
		exit 1
	fi
}

# outside_again: replaces the lab by a new one.
outside_again() {
	lab_again
	outside_up
}

# mac NAME INTERFACE: prints its link-layer address.
mac() {
	ip -n "$LAB-$1" -br link show dev "$2" | awk '{ print $3 }'
}

# who_has ADDRESS WITNESS: prints the hosts on the node's link to gw that say that they have the
# address, until the witness has said that it has its own.
who_has() {
	local source=$GW answer
	[[ $1 != *:* ]] || source=$GW6
	inside gw "$PEER" who-has $((2000 * PATIENCE)) lan "$source" "$1" "$2" | while read -r answer; do
		case $answer in
		"$(mac node eth3)") echo node ;;
		"$(mac near eth0)") echo near ;;
		*) echo "$answer" ;;
		esac
	done
}

# echoes: prints how many echo requests the node has received itself.
echoes() {
	in_node awk '$1 == "Icmp:" && $2 ~ /[0-9]/ { n += $10 } $1 == "Icmp6InEchos" { n += $2 }
		END { print n + 0 }' /proc/net/snmp /proc/net/snmp6
}

# outside_addresses: enters the owners and the node into ADDRESS, for tables of flows.
outside_addresses() {
	ADDRESS+=([node4]=$NODE_IP [node6]=$NODE_IP6 [node24]=$NODE_IP_2 [node26]=fd00:60::1
		[node34]=$NODE_IP_3 [node36]=fd00:70::1 [far4]=$FAR [far6]=$FAR6
		[near4]=$NEAR [near6]=$NEAR6 [gw4]=$GW [gw6]=$GW6 [node-b4]=$NODE_B [node-b6]=$NODE_B6
		[pool4]=$POOL [pool6]=$POOL6 [nobody4]=$NOBODY [nobody6]=$NOBODY6
		[nobody-here4]=$NOBODY_HERE [nobody-here6]=$NOBODY_HERE6)
}
