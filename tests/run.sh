#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [DIRECTORY]
#
# Runs everything: installs missing packages (on Debian 12, as root), builds with and without
# sanitizers, and runs all tests:
#
#  1. unit tests, golden cases and fuzz corpus, with the sanitizers;
#  2. that no work grows faster than its input;
#  3. clang-format and clang-tidy, where they are installed;
#  4. the iptables backend on this kernel, if it has no ip_vs, the packages, the
#     chart, the image and the alerts;
#  5. build, unit tests and quickstart with Debian 11's userland (one row of tests/matrix.sh);
#  6. the scenarios of tests/vm with the real programs and a real IPVS: on this kernel if it has
#     ip_vs, else in a virtual machine with Debian's kernel.
#
# Everything is built in DIRECTORY (default: build, in this checkout). The last line is
# "N passed, N failed, N skipped"; the exit status is 0 if nothing failed.
set -uo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$source_root/tests/packages.sh"

# These scenarios take longest. A second virtual machine runs them once a CPU is free for it.
LONG=(test_order.sh test_drift.sh test_takeover.sh test_takeover_nftables.sh test_flows.sh
	test_flows_nftables.sh test_handover.sh test_handover_iptables.sh test_external_moves.sh)
# These scenarios also test something on a kernel without IPVS.
HERE=(test_doctor.sh test_external_iptables.sh test_fallback.sh test_flows_iptables.sh test_flows_nftables_backend.sh
	test_handover_iptables.sh test_nftables_backend.sh
	test_handover_nftables.sh test_iptables.sh test_iptables_mode.sh test_output.sh
	test_overrides.sh test_own_changes.sh test_owners_iptables.sh test_quickstart.sh test_schemas.sh)

build=${1:-$source_root/build}
declare -A vm_pids
lint_pid=
vm_failed=0

# setup DIRECTORY OPTION...: configures a build directory. One that exists keeps its options and
# objects.
setup() {
	local dir=$1
	shift
	[ -e "$dir/build.ninja" ] || meson setup "$dir" "$source_root" "$@" >"$dir.log" 2>&1 || {
		tail -n 20 "$dir.log"
		die "cannot configure $dir"
	}
	# list_kernel_tests asks meson for the targets, which may have changed since.
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

# start_vm NAME ARGUMENT...: starts scenarios in the background, with their output in a file.
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

start_lint() {
	nice -n 19 "$source_root/tests/lint.sh" "$build/release" >"$build/lint.log" 2>&1 &
	lint_pid=$!
}

finish_lint() {
	wait "$lint_pid"
	lint_pid=
	"$source_root/tests/tally" "$counts" lint <"$build/lint.log"
}

# The iptables backend as a fallback can only be tested on a kernel without IPVS.
run_here() {
	if kernel_has_sets; then
		"$source_root/tests/vm/run-here" "$build/release" \
			"${HERE[@]/#/$source_root/tests/vm/}" "$source_root/tests/package.sh" \
			"$source_root/tests/rpm.sh" "$source_root/tests/charts.sh" "$source_root/tests/image.sh" \
			"$source_root/tests/monitoring.sh"
	else
		printf '# ---- %s\n1..0 # SKIP this kernel has no iptables with sets\n' "${HERE[@]}"
	fi | "$source_root/tests/tally" "$counts" here
}

# The row of the matrix with the oldest of everything; it takes up to three minutes.
run_matrix() {
	MATRIX_DIR=$build/matrix "$source_root/tests/matrix.sh" bullseye >"$build/matrix.log" 2>&1
	grep -E '^(FAIL|SKIP|not tested|bullseye:)' "$build/matrix.log"
	sed -nE 's/^total: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$build/matrix.log" |
		grep . >>"$counts" || echo "Bail out! see $build/matrix.log" | "$source_root/tests/tally" "$counts" matrix
}

finish() {
	[ ${#vm_pids[@]} = 0 ] || kill "${vm_pids[@]}" 2>/dev/null
	[ -z "$lint_pid" ] || kill "$lint_pid" 2>/dev/null
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
# Unit tests that need a kernel with IPVS run in the virtual machine, too.
mapfile -t kernel_tests < <(list_kernel_tests "$build/release" .name)
compile "$build/release" ipvsctl-svcd ipvsctl-svc peer growth "${kernel_tests[@]}"
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
"$source_root/tests/growth/run" "$build/release" | "$source_root/tests/tally" "$counts" growth
start_lint
if [ -n "$native" ]; then
	finish_lint
	run_matrix
	start_vm first
else
	run_here
	run_matrix
	finish_lint
	start_vm long "${LONG[@]/#/$source_root/tests/vm/}"
fi
echo "Scenarios:"
finish_vm first
[ -n "$native" ] || finish_vm long

read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p, f, s }' "$counts")
failed=$((failed + vm_failed))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
