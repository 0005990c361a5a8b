#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# matrix.sh [--list] [ROW...]
#
# Builds and tests on the platforms of the README's table (default: all rows, an hour or more), as
# root on an amd64 machine with Debian. --list prints the rows.
#
#   bullseye, bookworm, trixie, sid
#       The userland of a Debian release, with its compiler, libraries, iptables (both variants), nft
#       and jq: unit tests, golden cases, the tests of nf_tables and iptables on this kernel, and the
#       quickstart.
#   i386
#       Unit tests and golden cases with 32 bits, on Debian 12.
#   arm64, s390x
#       Cross-built on Debian 12; unit tests and golden cases in emulation (qemu-user).
#   musl
#       Every source file compiles with the headers of musl and those of the libraries. Debian has
#       no libraries that are linked with musl, so no program is built.
#   kernel-5.10, kernel-6.1, kernel-6.12, kernel-newest
#       Debian's kernels in a virtual machine: nf_tables, and IPVS with both interfaces to netfilter.
#
# Nothing is installed but debootstrap and, for kernels, what tests/vm/run needs. The systems and
# builds are kept in MATRIX_DIR, a directory outside of this checkout; without it in a temporary
# directory. DEBIAN_MIRROR is where Debian comes from (default: http://deb.debian.org).
#
# Each row ends with "ROW: N passed, N failed, N skipped". A row that cannot run says "not tested" with
# the reason, and counts as one skipped. The exit status is 0 if nothing failed.
set -uo pipefail

source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$source_root/tests/packages.sh"

ROWS=(bullseye bookworm trixie sid i386 arm64 s390x musl kernel-5.10 kernel-6.1 kernel-6.12 kernel-newest)
# Packages with libraries, of the machine that the programs are for.
LIBRARIES=(libc6-dev libnl-3-dev libnl-genl-3-dev libipset-dev libyaml-dev libjansson-dev
	libcurl4-openssl-dev zlib1g-dev libevent-dev libcmocka-dev)
# Not for emulation, which does not report that a program cannot be executed (exec), has memory of its
# own (metrics) and cannot ask for the state of a connection (http2). One case of manifest_watch fails
# there, too; why is not known.
NOT_EMULATED=(exec metrics http2 manifest_watch)
# These take minutes or hours there.
SLOW_IN_EMULATION=(engine_random ledger_random kube_random engine_sets publish_part)
# Of the suite "kernel", what does not depend on the userland alone.
USERLAND_TESTS=(iptables_kernel iptables_trial_kernel nftables_kernel foreign_gate_kernel ipset_kernel
	leftovers_kernel)
KERNEL_SCENARIOS=(test_netfilter.sh test_no_iptables.sh test_flows_nftables_backend.sh test_backends.sh)

not_tested() {
	echo "not tested: $*"
	echo "0 0 1" >>"$counts"
}

# A point of a row that is not TAP: point GOOD|BAD WORDS.
point() {
	if [ "$1" = good ]; then
		echo "1 0 0" >>"$counts"
	else
		echo "FAIL $row: ${*:2}"
		echo "0 1 0" >>"$counts"
	fi
}

# inside ROOT COMMAND: runs it in that system, with this checkout in /src. What is mounted for it is
# gone afterwards.
inside() {
	# shellcheck disable=SC2016
	unshare --mount --propagation private bash -c '
		mkdir -p "$0/src" "$0/run" && mount --bind "$0" "$0" && mount --bind "$1" "$0/src" &&
			mount -o remount,bind,ro "$0/src" && mount -t proc proc "$0/proc" &&
			mount --rbind /dev "$0/dev" && mount -t sysfs sysfs "$0/sys" &&
			mount -t tmpfs tmpfs "$0/run" && mkdir "$0/run/netns" &&
			exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
				LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=TAP bash -c "$2"' \
		"$1" "$source_root" "$2"
}

# system NAME SUITE ARCHITECTURE PACKAGE...: makes the system $dir/NAME unless it is there.
system() {
	local root=$dir/$1 suite=$2 arch=$3 mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
	shift 3
	# One that was made with other packages is of no use.
	[ "$(cat "$root/complete" 2>/dev/null)" != "$*" ] || return 0
	rm -rf "${root:?}"
	debootstrap --variant=minbase --arch="$arch" --include="$(IFS=, && echo "$*")" "$suite" "$root" \
		"$mirror/debian" >"$root.log" 2>&1 || return
	echo "$*" >"$root/complete"
}

# foreign ROOT ARCHITECTURE PACKAGE...: adds packages to a system.
foreign() {
	local root=$1 arch=$2
	shift 2
	[ "$(cat "$root/complete-$arch" 2>/dev/null)" != "$*" ] || return 0
	{
		chroot "$root" dpkg --add-architecture "$arch" && chroot "$root" apt-get -q update &&
			DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -q install -y \
				--no-install-recommends "$@"
	} >"$root.log" 2>&1 || return
	echo "$*" >"$root/complete-$arch"
}

# build ROOT [OPTION...]: builds in /build of the system.
build() {
	local root=$1
	shift
	inside "$root" "{ [ -e /build/build.ninja ] || meson setup $* /build /src; } && nice ninja -C /build" \
		>"$root.build.log" 2>&1 && return
	grep -E -A4 'error:|ERROR|FAILED' "$root.build.log" | head -n 40
	point bad "it does not build; see $root.build.log"
	return 1
}

# run_tests ROOT ARGUMENT...: of "meson test"
run_tests() {
	local root=$1 log=$1/build/meson-logs/testlog.json status=0
	shift
	rm -f "$log"
	inside "$root" "nice meson test -C /build --no-rebuild $*" >"$root.test.log" 2>&1 || status=$?
	[ ! -s "$log" ] || "$source_root/tests/tally" "$counts" "$row" "$log" | grep -v '^ok'
	# It may have ended before the last test.
	if [ "$status" != 0 ] && ! awk '$2 { exit 1 }' "$counts"; then
		return
	elif [ "$status" != 0 ] || [ ! -s "$log" ]; then
		tail -n 10 "$root.test.log"
		point bad "meson test ended with status $status; see $root.test.log"
	fi
}

# tests_but ROOT SUITES NAME...: prints the names of all tests of the suites but these.
tests_but() {
	local root=$1 suites=$2
	shift 2
	inside "$root" "meson introspect --tests /build" |
		python3 -c 'import json, sys
for t in json.load(sys.stdin):
	if {s.split(":")[-1] for s in t["suite"]} & set(sys.argv[1].split(",")) and t["name"] not in sys.argv[2:]:
		print(t["name"])' "$suites" "$@"
}

test_userland() {
	local root=$dir/$row
	system "$row" "$row" amd64 "${PACKAGES_BUILD[@]}" openssl python3 nghttp2-proxy \
		"${PACKAGES_LAB[@]}" musl-tools || {
		not_tested "debootstrap failed: $(tail -n 1 "$root.log")"
		return
	}
	build "$root" || return
	run_tests "$root" --suite unit --suite golden
	if kernel_has_sets; then
		run_tests "$root" "${USERLAND_TESTS[@]}"
		if inside "$root" "SVCD=/build/src/daemon/ipvsctl-svcd SVC=/build/src/cli/ipvsctl-svc \
				timeout 300 bash /src/examples/quickstart.sh" >"$root.quickstart.log" 2>&1; then
			point good
		else
			tail -n 20 "$root.quickstart.log"
			point bad "the quickstart fails"
		fi
	else
		not_tested "iptables, nft and the quickstart: this kernel has no iptables with sets"
	fi
}

test_i386() {
	system i386 bookworm i386 "${PACKAGES_BUILD[@]}" openssl python3 nghttp2-proxy iproute2 jq procps || {
		not_tested "debootstrap failed: $(tail -n 1 "$dir/i386.log")"
		return
	}
	build "$dir/i386" || return
	run_tests "$dir/i386" --suite unit --suite golden
}

# cross ARCHITECTURE GNU-NAME QEMU-NAME ENDIANNESS
cross() {
	local arch=$1 gnu=$2 qemu=$3 endian=$4 root=$dir/$1 names
	# The system itself is amd64, for a compiler at full speed.
	system "$arch" bookworm amd64 meson ninja-build pkg-config scdoc openssl python3 nghttp2-proxy \
		iproute2 jq procps gcc libc6-dev qemu-user-static &&
		foreign "$root" "$arch" "gcc-$gnu" "${LIBRARIES[@]/%/:$arch}" || {
		not_tested "the system cannot be made: $(tail -n 1 "$root.log")"
		return
	}
	cat >"$root/cross.ini" <<-END
		[binaries]
		c = '$gnu-gcc'
		ar = '$gnu-ar'
		strip = '$gnu-strip'
		pkgconfig = 'pkg-config'
		exe_wrapper = 'qemu-$qemu-static'
		[properties]
		pkg_config_libdir = '/usr/lib/$gnu/pkgconfig'
		[host_machine]
		system = 'linux'
		cpu_family = '$qemu'
		cpu = '$qemu'
		endian = '$endian'
	END
	build "$root" --cross-file /cross.ini || return
	mapfile -t names < <(tests_but "$root" unit "${NOT_EMULATED[@]}" "${SLOW_IN_EMULATION[@]}" \
		fake_api kube_proxy_layout print_config completion)
	run_tests "$root" -t 4 "${names[@]}"
	# The scripts start the program by its name, which needs a wrapper.
	for program in cli/ipvsctl-svc daemon/ipvsctl-svcd; do
		printf '#!/bin/sh\nexec qemu-%s-static /build/src/%s "$@"\n' "$qemu" "$program" \
			>"$root/${program#*/}"
		chmod +x "$root/${program#*/}"
	done
	inside "$root" "nice /src/tests/golden/run /ipvsctl-svc" 2>&1 |
		"$source_root/tests/tally" "$counts" "$row/golden" | grep -v '^ok'
	for name in "${NOT_EMULATED[@]}" "${SLOW_IN_EMULATION[@]}"; do
		echo "SKIP $row: test_$name is not for emulation"
		echo "0 0 1" >>"$counts"
	done
}

test_musl() {
	local root=$dir/bookworm
	system bookworm bookworm amd64 "${PACKAGES_BUILD[@]}" openssl python3 nghttp2-proxy \
		"${PACKAGES_LAB[@]}" musl-tools || {
		not_tested "debootstrap failed: $(tail -n 1 "$root.log")"
		return
	}
	# musl-gcc has the headers of musl only; glibc's must not come with those of the libraries.
	inside "$root" 'rm -rf /headers && mkdir /headers && cd /headers &&
		ln -s /usr/include/{linux,asm-generic,libipset,event2,yaml.h,jansson.h,zlib.h,zconf.h,libmnl,mtd} . &&
		ln -s /usr/include/evutil.h /usr/include/libnl3/netlink /usr/include/event.h . &&
		ln -s /usr/include/x86_64-linux-gnu/{asm,curl,jansson_config.h} . 2>/dev/null; ls /usr/include/*/jansson_config.h /usr/include/jansson_config.h 2>/dev/null |
			head -n 1 | xargs -I{} ln -sf {} .
		cd /src && for f in src/*/*.c; do
			if musl-gcc -std=gnu17 -Wall -Wextra -Wno-missing-field-initializers -D_GNU_SOURCE \
				"-DVERSION=\"0\"" -DHAVE_CURLOPT_CAINFO_BLOB -DHAVE_CURLOPT_PROTOCOLS_STR \
				-DHAVE_CURLOPT_QUICK_EXIT -DHAVE_CURL_URL_STRERROR -Iinclude -I"${f%/*}" \
				-isystem /headers -Werror=implicit-function-declaration -fsyntax-only "$f"; then
				echo "ok - $f"
			else
				echo "not ok - $f"
			fi
		done; set -- src/*/*.c; echo "1..$#"' 2>&1 | "$source_root/tests/tally" "$counts" "$row" | grep -v '^ok'
}

# test_kernel SUITE
test_kernel() {
	local suite=$1 release=$dir/release name files=()
	for name in "${KERNEL_SCENARIOS[@]}"; do
		files+=("$source_root/tests/vm/$name")
	done
	"$source_root/tests/vm/fetch-kernel" -s "$suite" "$dir/vm-$suite" >"$dir/vm-$suite.log" 2>&1 || {
		not_tested "the kernel cannot be had: $(tail -n 1 "$dir/vm-$suite.log")"
		return
	}
	packages_need "${PACKAGES_BUILD[@]}" "${PACKAGES_LAB[@]}" "${PACKAGES_VM[@]}"
	# It may be the build of another checkout.
	grep -qsF "regenerate $source_root " "$release/build.ninja" || rm -rf "${release:?}"
	{ [ -e "$release/build.ninja" ] || meson setup "$release" "$source_root"; } >"$release.log" 2>&1 &&
		nice ninja -C "$release" >>"$release.log" 2>&1 || {
		point bad "the programs do not build; see $release.log"
		return
	}
	echo "Linux $(cd "$dir/vm-$suite/kernel/lib/modules" && echo *)"
	"$source_root/tests/vm/run" -V -b "$release" -d "$dir/vm-$suite" -k "$suite" \
		"$release/tests/unit/test_nftables_kernel" "${files[@]}" 2>&1 |
		tee "$dir/$row.log" | "$source_root/tests/tally" "$counts" "$row" | grep -v '^ok'
}

# run_row: the one that is in `row`
run_row() {
	[ "$(id -u)" = 0 ] || {
		not_tested "it needs root"
		return
	}
	[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || {
		not_tested "it needs an amd64 machine with Debian"
		return
	}
	packages_need debootstrap
	case $row in
	bullseye | bookworm | trixie | sid) test_userland ;;
	i386) test_i386 ;;
	arm64) cross arm64 aarch64-linux-gnu aarch64 little ;;
	s390x) cross s390x s390x-linux-gnu s390x big ;;
	musl) test_musl ;;
	kernel-5.10) test_kernel bullseye ;;
	kernel-6.1) test_kernel bookworm ;;
	kernel-6.12) test_kernel trixie ;;
	kernel-newest) test_kernel sid ;;
	esac
}

finish() {
	rm -f "${counts:-}" "${total:-}"
	[ -z "$temporary" ] || rm -rf "${temporary:?}"
}

temporary=
if [ "${1:-}" = --list ]; then
	printf '%s\n' "${ROWS[@]}"
	exit
fi
for row in "$@"; do
	[[ " ${ROWS[*]} " = *" $row "* ]] || die "there is no row $row; --list prints them"
done
[ $# != 0 ] || set -- "${ROWS[@]}"
trap finish EXIT
trap 'exit 130' INT TERM HUP
[ -n "${MATRIX_DIR:-}" ] || temporary=$(mktemp -d /var/tmp/matrix.XXXXXX) || exit
dir=${MATRIX_DIR:-$temporary}
mkdir -p "$dir" || exit
dir=$(readlink -f "$dir")
counts=$(mktemp) && total=$(mktemp) || exit

sum() {
	awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$1"
}

for row in "$@"; do
	echo "---- $row"
	: >"$counts"
	run_row
	echo "$row: $(sum "$counts")"
	cat "$counts" >>"$total"
done
echo "total: $(sum "$total")"
awk '$2 { exit 1 }' "$total"
