#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quickstart.sh [--vm]
#
# Shows the programs at work, in a few minutes, on a fresh Debian 12 as root:
#
#  1. installs missing packages and builds the programs;
#  2. sets up a client, a node and two backends in network namespaces;
#  3. runs the daemon with examples/manifests/;
#  4. fetches a page through the Service and shows the status;
#  5. cleans up.
#
# The network of the host is not changed. On a kernel without ip_vs the daemon falls back to iptables, or
# where that does not work to nftables; with --vm, steps 2 to 5 run in a virtual machine whose kernel has ip_vs. If the environment has SVCD
# and SVC, the paths of the two programs, step 1 is left out.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tests/packages.sh"

build=$root/build/release
svcd=${SVCD:-$build/src/daemon/ipvsctl-svcd}
svc=${SVC:-$build/src/cli/ipvsctl-svc}

say() {
	printf '\n== %s\n' "$*"
}

# ---- The network ----

# in_ns NAME COMMAND...
in_ns() {
	ip netns exec "$scene-$1" "${@:2}"
}

# wire NAME ADDRESS: creates a namespace with this address and a link to the node.
wire() {
	ip netns add "$scene-$1"
	ip link add eth0 netns "$scene-$1" type veth peer name "to-$1" netns "$scene-node"
	in_ns "$1" ip link set lo up
	in_ns "$1" ip link set eth0 up
	in_ns "$1" ip address add "$2" dev eth0
	in_ns node ip link set "to-$1" up
}

lay_out() {
	local i
	ip netns add "$scene-node"
	in_ns node ip link set lo up
	wire client 192.168.50.10/24
	in_ns node ip address add 192.168.50.1/24 dev to-client
	in_ns client ip route add default via 192.168.50.1
	for i in 1 2; do
		wire "backend-$i" "10.244.1.1$i/32"
		in_ns node ip route add "10.244.1.1$i/32" dev "to-backend-$i"
		in_ns "backend-$i" ip route add 192.168.50.1/32 dev eth0
		in_ns "backend-$i" ip route add default via 192.168.50.1
	done
}

serve_pages() {
	local i
	for i in 1 2; do
		mkdir "$work/backend-$i"
		echo "Hello from backend-$i" >"$work/backend-$i/index.html"
		ip netns exec "$scene-backend-$i" /usr/bin/python3 -m http.server 8080 \
			--directory "$work/backend-$i" >/dev/null 2>&1 &
	done
	for i in 1 2; do
		in_ns node curl -s -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused \
			"http://10.244.1.1$i:8080/"
	done
}

take_down() {
	local status=$? name pid
	trap - EXIT
	if [ "$status" != 0 ]; then
		echo "The quickstart failed. The log of the daemon:" >&2
		cat "$work/log" >&2 || :
	fi
	# Not xargs: the program kill is in a package that may be missing.
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null || :
	done
	wait
	for name in client node backend-1 backend-2; do
		ip netns del "$scene-$name" 2>/dev/null || :
	done
	rm -rf "${work:?}"
	return "$status"
}

both_answered() {
	[ "$(sort -u "$work/pages" | grep -c Hello)" = 2 ]
}

# fetch NAME URL: fetches a page at least four times, until both backends have answered. Without IPVS
# backends are chosen at random, so it may take more attempts.
fetch() {
	local i
	say "The client fetches $2 ($1)"
	: >"$work/pages"
	for i in {1..40}; do
		in_ns client curl -sS --max-time 20 "$2" | tee -a "$work/pages"
		[ "$i" -lt 4 ] || ! both_answered || return 0
	done
	die "only one of the two backends answered"
}

show_kernel() {
	if in_ns node ipvsadm -Ln >"$work/ipvs" 2>/dev/null; then
		say "What the kernel holds: ipvsadm -Ln"
		cat "$work/ipvs"
	elif grep -q "going on with the nftables backend" "$work/log"; then
		say "What the kernel holds instead of IPVS: nft list map ip ipvsctl-svc KUBE-ENDPOINTS"
		in_ns node nft list map ip ipvsctl-svc KUBE-ENDPOINTS
	else
		say "What the kernel holds instead of IPVS: iptables-save -t nat (the chains of the Service)"
		in_ns node iptables-save -t nat |
			grep -E -- '-A KUBE-(DISPATCH|NODEPORTS|EXT-|SVC-|SEP-)'
	fi
}

nothing_is_left() {
	! in_ns node iptables-save 2>/dev/null | grep -q KUBE- &&
		! in_ns node nft list tables | grep -q ipvsctl-svc &&
		[ -z "$(in_ns node ipvsadm -Sn 2>/dev/null)" ]
}

start_daemon() {
	local i
	ip netns exec "$scene-node" "$svcd" --manifests "$root/examples/manifests" \
		--hostname-override node-a --cluster-cidr 10.244.0.0/16 \
		--status-socket "$work/status.sock" >"$work/log" 2>&1 &
	daemon=$!
	for i in {1..600}; do
		if in_ns node ip route show table local | grep -q 10.96.0.80; then
			cat "$work/log"
			return
		fi
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	die "the daemon did not program the Service"
}

play() {
	scene=scene$$
	work=$(mktemp -d)
	trap take_down EXIT
	say "Setting up a client, a node and two backends in network namespaces"
	lay_out
	serve_pages
	cat <<-'END'
		client 192.168.50.10 --- 192.168.50.1 node --- backend-1 10.244.1.11
		                                       \------ backend-2 10.244.1.12
	END

	say "On the node: ipvsctl-svcd --manifests examples/manifests"
	start_daemon

	fetch "the ClusterIP" http://10.96.0.80/
	fetch "the NodePort" http://192.168.50.1:30080/

	say "ipvsctl-svc status"
	in_ns node "$svc" status -A --socket "$work/status.sock"
	say "ipvsctl-svc doctor"
	in_ns node "$svc" doctor --socket "$work/status.sock" || : # where it falls back
	show_kernel

	say "Cleaning up: ipvsctl-svcd --cleanup"
	kill "$daemon"
	wait "$daemon" || :
	in_ns node "$svcd" --cleanup
	nothing_is_left || die "--cleanup left rules or virtual servers in the kernel"
	take_down
	say "Success: the Service answered on its ClusterIP and its NodePort; nothing is left behind."
}

# ---- Preparation ----

prepare() {
	local told
	[ "$(id -u)" = 0 ] || die "run this script as root: network namespaces and IPVS need it"
	[ -z "${SVCD:-}" ] || [ -z "${SVC:-}" ] || return 0
	say "Installing missing packages, building in $build"
	packages_need "${PACKAGES_BUILD[@]}" "${PACKAGES_LAB[@]}"
	# meson says on standard output what is missing or too old.
	if [ ! -e "$build/build.ninja" ] && ! told=$(meson setup "$build" "$root" 2>&1); then
		tail -n 5 <<<"$told" >&2
		die "the build cannot be configured; run meson setup $build to see why"
	fi
	meson compile -C "$build" ipvsctl-svcd ipvsctl-svc >/dev/null ||
		die "the build failed; run meson compile -C $build to see why"
}

in_vm() {
	packages_need "${PACKAGES_VM[@]}"
	"$root/tests/vm/fetch-kernel"
	"$root/tests/vm/vmtest" "$root/examples/quickstart.sh" --play
}

vm=
case ${1:-} in
'') ;;
--vm) vm=1 ;;
--play)
	play
	exit
	;;
*) die "usage: quickstart.sh [--vm]" ;;
esac

prepare
if [ -n "$vm" ]; then
	say "Starting a virtual machine with Debian's kernel, which has ip_vs"
	in_vm
elif kernel_has_ipvs; then
	say "This kernel has ip_vs"
	play
elif kernel_has_sets; then
	say "This kernel has no ip_vs: the daemon will FALL BACK TO IPTABLES (see IPVS with --vm)"
	play
elif kernel_has_maps; then
	say "Neither ip_vs nor iptables works: the daemon will FALL BACK TO NFTABLES (see IPVS with --vm)"
	play
else
	say "This kernel has neither ip_vs nor nf_tables: starting a virtual machine"
	in_vm
fi
