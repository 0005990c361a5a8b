#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the packages for Debian, on Debian: they are built twice, checked, installed in an empty
# system, used, upgraded under connections, and purged. tests/vm/run-here calls it like a scenario;
# PACKAGE_SUITE is the release of the empty system (default: this machine's).

# The mounts below end with the script, before its directory is deleted.
[ -n "${APART:-}" ] || APART=1 exec unshare -m "$0"

here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
. "$here/vm/lab.sh"
. "$here/vm/moving.sh"

SUITE=${PACKAGE_SUITE:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
mirror=$(sed -n 's|^deb \([^ ]*\) .*|\1|p; s|^URIs: *\([^ ]*\).*|\1|p' /etc/apt/sources.list \
	/etc/apt/sources.list.d/* 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || skip_all "no mirror of Debian is known"
packages_need debootstrap debhelper dpkg-dev lintian meson scdoc autopkgtest >&2

ROOT=$WORK/root

same_packages() {
	local package
	for package in "$WORK"/one/*.deb; do
		cmp "$package" "$WORK/two/${package##*/}" || return
	done
}

lintian_is_content() {
	! lintian --allow-root "$WORK"/one/*.changes | grep -E '^[EW]:'
}

# It is a mount of its own, as `ip netns` needs one.
empty_system() {
	mkdir "$ROOT"
	mount --bind "$ROOT" "$ROOT"
	debootstrap --variant=minbase "$SUITE" "$ROOT" "$mirror" >"$WORK/debootstrap.log" 2>&1 || {
		tail "$WORK/debootstrap.log"
		return 1
	}
	# Services must not start by themselves, here or on a machine without systemd.
	printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
	chmod +x "$ROOT/usr/sbin/policy-rc.d"
	mount -t proc proc "$ROOT/proc"
	mount --bind /sys "$ROOT/sys"
	mkdir -p "$ROOT$WORK"
	mount --bind "$WORK" "$ROOT$WORK"
}

in_root() {
	DEBIAN_FRONTEND=noninteractive chroot "$ROOT" "$@"
}

# As this machine has no systemd to do it, programs of the system are started by hand.
use_installed_programs() {
	printf '#!/bin/sh\nexec chroot %s /usr/sbin/ipvsctl-svcd "$@"\n' "$ROOT" >"$WORK/svcd"
	printf '#!/bin/sh\nexec chroot %s /usr/bin/ipvsctl-svc "$@"\n' "$ROOT" >"$WORK/svc"
	chmod +x "$WORK/svcd" "$WORK/svc"
	SVCD=$WORK/svcd
	SVC=$WORK/svc
}

files() {
	find "$ROOT" -xdev \( -path "$ROOT/var/cache" -o -path "$ROOT/var/lib/dpkg" -o \
		-path "$ROOT/var/log" -o -path "$ROOT/var/lib/apt" -o -path "$ROOT/tmp" \) -prune -o -print |
		grep -v "^$ROOT/etc/ld.so.cache" | sort
}

# The next version, in which nothing else has changed.
next_version() {
	local package=$1
	dpkg-deb -R "$package" "$WORK/next"
	sed -i 's/^Version: .*/&+next/' "$WORK/next/DEBIAN/control"
	dpkg-deb -b "$WORK/next" "$WORK/next.deb"
}

version() {
	in_root dpkg-query -W -f '${Version}' ipvsctl-svc
}

still_held() {
	hold_ask
	echo "$HELD"
	[ "$(grep -c '^[ac] ' <<<"$HELD")" = 100 ]
}

upgrade() {
	must "the next version is built" next_version "$1"
	begin_loops
	hold_open 100 client tcp 10.96.0.10 80
	must "it is installed over the running one" in_root dpkg -i "$WORK/next.deb"
	check "the daemon goes on during that" kill -0 "$DAEMON_PID"
	equal "it is the next version" "$(version)" "$before+next"
	daemon_end TERM
	must "it starts" daemon_start
	end_loops "upgrade"
	check "100 connections were held during it" still_held
	hold_close
}

remove() {
	local rules
	daemon_end TERM
	rules=$(rules | grep -c KUBE-)
	must "the package is removed and purged" in_root apt-get -qq purge ipvsctl-svc
	equal "the kernel keeps what it has" "$(rules | grep -c KUBE-)" "$rules"
	equal "no file is left" "$(comm -13 "$WORK/files" <(files))" ""
}

must "the packages are built" packages_build "$WORK/one"
must "and again, elsewhere" packages_build "$WORK/two"
check "both are the same, byte by byte" same_packages
check "lintian finds no error and no warning" lintian_is_content

must "there is an empty system" empty_system
cp "$WORK"/one/*.deb "$WORK/"
package=$(echo "$WORK"/ipvsctl-svc_*.deb)
must "what it depends on is installed" in_root apt-get -qq satisfy \
	"$(dpkg-deb -f "$package" Depends), $(dpkg-deb -f "$package" Recommends)"
files >"$WORK/files"
must "the package is installed" in_root apt-get -qq install "$package"
before=$(version)
use_installed_programs
lab_up
write_services
must "the daemon starts without systemd" daemon_start
equal "a page comes through the VIP" "$(names "$(ask client -n 40 tcp 10.96.0.10 80)")" "a c"
upgrade "$package"
remove
check "the test of the package passes" autopkgtest -q "$WORK"/one/*.deb "$WORK/one/source" -- \
	chroot "$ROOT"
tap_done
