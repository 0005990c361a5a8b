#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [DIRECTORY]
#
# Everything: installs what is missing (on Debian 12, as root), builds with sanitizers and without,
# and runs all tests: unit, golden and fuzz corpus with the sanitizers, then the scenarios with the
# real programs against a real IPVS - of this kernel if it has ip_vs, else in a virtual machine with
# Debian's kernel, and on this one what the daemon does without IPVS. DIRECTORY is for everything
# that is built (default: build of this checkout).
#
# Ends with one line, "N passed, N failed, N skipped", and exit status 0 if nothing failed.
set -uo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$source_root/tests/packages.sh"

# These take longest: they begin once a processor is free for a second virtual machine.
LONG=(test_order.sh test_drift.sh test_takeover.sh test_flows.sh)
# These show something on a kernel without IPVS, too.
HERE=(test_fallback.sh test_flows_iptables.sh test_iptables.sh test_iptables_mode.sh test_output.sh
	test_quickstart.sh)

build=${1:-$source_root/build}
declare -A vm_pids
vm_failed=0

# setup DIRECTORY OPTION...: configures it; an old one keeps its options and what it compiled.
setup() {
	local dir=$1
	shift
	[ -e "$dir/build.ninja" ] || meson setup "$dir" "$source_root" "$@" >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log"
		die "cannot configure $dir"
	}
	# What meson tells about the targets is then of today.
	ninja -C "$dir" build.ninja >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log"
		die "cannot configure $dir anew"
	}
}

# compile DIRECTORY TARGET...
compile() {
	meson compile -C "$1" "${@:2}" >"$1.log" 2>&1 || {
		grep -E -A5 'error|FAILED|warning' "$1.log" | tail -n 60
		die "cannot build in $1; see $1.log"
	}
}

run_unit() {
	local log=$build/sanitize/meson-logs/testlog.json
	rm -f "$log"
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	meson test -C "$build/sanitize" --no-rebuild --quiet >"$build/sanitize.log" 2>&1
	if [ ! -s "$log" ]; then
		tail -n 20 "$build/sanitize.log"
		echo "Bail out! meson test ran nothing" | "$source_root/tests/tally" "$counts" unit
		return
	fi
	"$source_root/tests/tally" "$counts" unit "$log"
}

# start_vm NAME ARGUMENT...: scenarios, in the background while there is something else to do; their
# output goes to a file.
start_vm() {
	local name=$1
	shift
	"$source_root/tests/vm/run" -b "$build/release" -d "$build/vm" "$@" >"$build/vm-$name.log" 2>&1 &
	vm_pids[$name]=$!
}

finish_vm() {
	local log=$build/vm-$1.log status=0
	tail -n +1 -f --pid="${vm_pids[$1]}" "$log" | "$source_root/tests/tally" "$counts" vm
	wait "${vm_pids[$1]}" || status=$?
	unset "vm_pids[$1]"
	if [ "$status" != 0 ] && ! grep -q '^not ok' "$log"; then
		echo "FAIL vm: ended with status $status"
		tail -n 60 "$log"
		vm_failed=$((vm_failed + 1))
	fi
}

# What the iptables backend does where there is no IPVS can be seen on such a kernel only.
run_here() {
	if ! kernel_has_sets; then
		echo "This kernel has no iptables with sets: nothing is shown of the iptables backend on it."
		return
	fi
	"$source_root/tests/vm/run-here" "$build/release" \
		"${HERE[@]/#/$source_root/tests/vm/}" |
		"$source_root/tests/tally" "$counts" here
}

finish() {
	[ ${#vm_pids[@]} = 0 ] || kill "${vm_pids[@]}" 2>/dev/null
	rm -f "${counts:?}"
}

mkdir -p "$build" || exit
build=$(readlink -f "$build")
counts=$(mktemp) || exit
trap finish EXIT
trap 'exit 130' INT TERM HUP

packages_need "${PACKAGES_BUILD[@]}" "${PACKAGES_TESTS[@]}" "${PACKAGES_LAB[@]}"
echo "Building in $build"
setup "$build/release"
# Some unit tests need a kernel with IPVS, so they go along into the virtual machine.
mapfile -t kernel_tests < <(list_kernel_tests "$build/release" .name)
compile "$build/release" ipvsctl-svcd ipvsctl-svc peer "${kernel_tests[@]}"
native=
if kernel_has_ipvs; then
	native=1
	echo "This kernel has ip_vs: the scenarios run on it, in network namespaces."
else
	echo "This kernel has no ip_vs: the scenarios run in a virtual machine."
	packages_need "${PACKAGES_VM[@]}"
	start_vm first "${LONG[@]/#/-x}"
fi
setup "$build/sanitize" -Db_sanitize=address,undefined
compile "$build/sanitize"
run_unit
if [ -n "$native" ]; then
	start_vm first
else
	run_here
	start_vm long "${LONG[@]/#/$source_root/tests/vm/}"
fi
echo "Scenarios:"
finish_vm first
[ -n "$native" ] || finish_vm long

read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p, f, s }' "$counts")
failed=$((failed + vm_failed))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
