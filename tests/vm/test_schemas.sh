#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that what the commands print with -o json, of a node that is alive, is what docs/schemas says.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/moving.sh"

FITS=$(dirname "$0")/../fits

# fits NAME COMMAND OPTION...: the output of the command is what that schema says.
fits() {
	local name=$1
	shift
	in_node "$SVC" "$@" -o json >"$WORK/json"
	"$FITS" "$name" <"$WORK/json"
}

# What IPVS makes different.
with_the_daemon() {
	check "$1: status" fits status status --socket "$STATUS_SOCKET"
	check "$1: connections" fits connections conns --socket "$STATUS_SOCKET"
	check "$1: each connection" fits connection conns --list --socket "$STATUS_SOCKET"
	[ "$1" != ipvs ] || check "traffic" fits top top -i 0.1 --socket "$STATUS_SOCKET"
}

with_any_backend() {
	check "$1: an address explained" fits explanation explain 10.96.0.10:80 --socket "$STATUS_SOCKET"
	check "$1: a Service with a Local policy explained" \
		fits explanation explain default/near --socket "$STATUS_SOCKET"
	check "$1: the plan and how the kernel differs" fits plan plan --diff --backend "$1" \
		--manifests "$MANIFESTS" --status-socket "$STATUS_SOCKET"
	check "$1: the plan for kube-proxy" fits plan plan --diff --hand-over --manifests "$MANIFESTS"
	check "$1: preflight" fits preflight preflight --manifests "$MANIFESTS"
	check "$1: doctor" fits diagnosis doctor --socket "$STATUS_SOCKET"
}

without_the_daemon() {
	[ "$1" = ipvs ] || return
	check "status of the kernel" fits status status --socket "$STATUS_SOCKET"
	check "connections without the daemon" fits connections conns --socket "$STATUS_SOCKET"
	check "traffic without names" fits top top -i 0.1 --socket "$STATUS_SOCKET"
}

lab_up
write_services
# The slow machine has to do with IPVS only.
backends=()
[ "${VM_ACCEL:-}" = tcg ] || backends=(nftables iptables)
! in_node ipvsadm -Ln >/dev/null 2>&1 || backends+=(ipvs)
for backend in "${backends[@]}"; do
	must "$backend: the daemon starts" daemon_start --backend "$backend"
	must "$backend: an endpoint is drained" \
		in_node "$SVC" drain "$POD_A:8080" --for 1h --socket "$STATUS_SOCKET"
	hold_open 2 client tcp 10.96.0.10 80
	with_the_daemon "$backend"
	[ "${VM_ACCEL:-}" = tcg ] || with_any_backend "$backend"
	hold_close
	daemon_end TERM
	without_the_daemon "$backend"
done
tap_done
