# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# For scripts that must work on a fresh Debian 12: the packages that they need, and questions about
# the machine and the build.

PACKAGES_BUILD=(gcc meson ninja-build pkg-config libc6-dev libnl-3-dev libnl-genl-3-dev
	libipset-dev libyaml-dev libjansson-dev
	libcurl4-openssl-dev zlib1g-dev libevent-dev libcmocka-dev scdoc)
PACKAGES_TESTS=(openssl python3 python3-jsonschema nghttp2-proxy valgrind man-db zsh fish)
PACKAGES_LAB=(iproute2 netbase procps kmod util-linux ipvsadm ipset iptables nftables conntrack curl jq
	strace python3 python3-jsonschema)
PACKAGES_VM=(qemu-system-x86 busybox-static cpio kmod xz-utils)

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

package_missing() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" != installed ]
}

# packages_need PACKAGE...: installs the missing ones and changes nothing else.
packages_need() {
	local package missing=()
	command -v dpkg-query >/dev/null || die "this script installs packages on Debian only; it needs: $*"
	for package in "$@"; do
		package_missing "$package" && missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "run this script as root, or first run: apt-get install ${missing[*]}"
	echo "Installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -q update && apt-get -q install -y --no-install-recommends "${missing[@]}"; } \
		>"${TMPDIR:-/tmp}/apt.$$" 2>&1 || {
		tail -n 20 "${TMPDIR:-/tmp}/apt.$$" >&2
		die "apt-get could not install ${missing[*]}"
	}
	rm -f "${TMPDIR:-/tmp}/apt.$$"
}

# Whether IPVS works on the running kernel. This loads the module if there is one.
kernel_has_ipvs() {
	[ "$(id -u)" = 0 ] && unshare --net ipvsadm -Ln >/dev/null 2>&1
}

# Whether the iptables backend works on the running kernel: iptables and ipset in network namespaces.
kernel_has_sets() {
	[ "$(id -u)" = 0 ] && unshare --net sh -c 'ipset create x hash:ip,port &&
		iptables -A INPUT -m conntrack --ctstate NEW -m set --match-set x dst,dst' >/dev/null 2>&1
}

# The same for nftables.
kernel_has_maps() {
	[ "$(id -u)" = 0 ] && unshare --net nft "add table ip x; add chain ip x y {
		type nat hook prerouting priority -101; }; add map ip x z { type ipv4_addr : ipv4_addr; };
		add rule ip x y dnat to ip daddr map @z" >/dev/null 2>&1
}

# list_kernel_tests BUILD .name|.filename[0]: the unit tests that need a kernel with IPVS.
list_kernel_tests() {
	meson introspect --targets "$1" | jq -r ".[] | select(.name | test(\"^test_.*_kernel$\")) | $2"
}

# packages_build DIRECTORY: builds the packages for Debian of a copy of the sources there, without
# their tests.
packages_build() {
	mkdir -p "$1/source"
	tar -C "$(dirname "${BASH_SOURCE[0]}")/.." --exclude='./build*' --exclude=./.git -c . | tar -C "$1/source" -x
	(cd "$1/source" && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc -b) >"$1/log" 2>&1 || {
		tail -n 30 "$1/log"
		return 1
	}
}
