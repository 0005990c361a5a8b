#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Counts the programs of iptables that a start runs.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"
. "$(dirname "$0")/kube-proxy.sh"
. "$(dirname "$0")/kube-proxy-iptables.sh"

# count_programs [VARIANT]: makes programs before those of PATH, which write down that they run. The
# plain names are those of the variant.
count_programs() {
	local name path
	rm -rf "$WORK/counted"
	mkdir "$WORK/counted"
	for name in {iptables,ip6tables}{,-nft,-legacy}{,-save,-restore}; do
		path=$name
		[[ -z "${1:-}" || $name = *-nft* || $name = *-legacy* ]] ||
			path=${name/tables/tables-$1}
		path=$(type -P "$path") || continue
		# shellcheck disable=SC2016
		printf '#!/bin/sh\necho "${0##*/} $*" >>"%s"\nexec "%s" "$@"\n' \
			"$WORK/programs" "$path" >"$WORK/counted/$name"
	done
	chmod +x "$WORK"/counted/*
}

# start BACKEND: programs Services once; "$WORK/programs" has the programs that it took.
start() {
	: >"$WORK/programs"
	PATH=$WORK/counted:$PATH enter node "$SVCD" --manifests "$MANIFESTS" --once \
		--backend "$1" --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a
}

# ran_at_most NUMBER
ran_at_most() {
	cat "$WORK/programs"
	[ "$(wc -l <"$WORK/programs")" -le "$1" ]
}

only_asked_and_read() {
	cat "$WORK/programs"
	! grep -vE '^ip6?tables(-save)? ?(-V)?$' "$WORK/programs"
}

# counted_with BACKEND
counted_with() {
	local with="with --backend $1"
	lab_again
	write_services
	must "$with a start on an empty node succeeds" eval "(start $1)"
	check "$with it runs six programs: two -V, two trials, two that write" ran_at_most 6
	must "$with a restart succeeds" eval "(start $1)"
	check "$with a restart that finds all in place runs four: two -V, two that read" ran_at_most 4
	check "$with it neither tries nor writes anything" only_asked_and_read
	in_node iptables -t nat -F KUBE-POSTROUTING
	must "$with a restart repairs what others changed" eval "(start $1)"
	check "$with it tries and writes what it did not find" ran_at_most 6
	check "$with nothing is left after --cleanup" in_node "$SVCD" --cleanup --backend "$1"
	lab_again
	write_services
	must "$with there are the rules of kube-proxy's $1 mode" kube_proxy_left "$1"
	must "$with a takeover succeeds" eval "(start $1)"
	check "$with it runs 16 programs, most of them to write step by step" ran_at_most 16
	must "$with a restart after it succeeds" eval "(start $1)"
	check "$with it runs four, or six to try what kube-proxy needs no more" ran_at_most 6
}

# kube_proxy_left MODE
kube_proxy_left() {
	local family
	in_node sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
	if [ "$1" = ipvs ]; then
		kube_proxy_creates_sets && kube_proxy_rules
		return
	fi
	for family in 4 6; do
		kube_proxy_family $family
		kube_proxy_document >"$WORK/rules"
		in_node "$IPTABLES-restore" -w 5 --noflush --counters <"$WORK/rules" || return
	done
}

lab_again() {
	lab_down
	lab_up
}

count_programs
lab_up
counted_with iptables
if [ -d /proc/sys/net/ipv4/vs ] || modprobe -q ip_vs; then
	counted_with ipvs
else
	skip "starts of the IPVS backend" "this kernel has no ip_vs"
fi
if in_node iptables-legacy -S >/dev/null 2>&1 && in_node ip6tables-legacy -S >/dev/null 2>&1; then
	count_programs legacy
	lab_again
	write_services
	must "with iptables-legacy a start on an empty node succeeds" eval "(start iptables)"
	check "with iptables-legacy it runs six programs" ran_at_most 6
	must "with iptables-legacy a restart succeeds" eval "(start iptables)"
	check "with iptables-legacy it reads once, and tries table mangle, which nobody has made" \
		ran_at_most 6
else
	skip "starts with iptables-legacy" "it does not work here"
fi
tap_done
