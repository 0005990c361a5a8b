#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the RPM with the rpm of Debian, which lacks the macros of distributions that use it: those
# for meson and systemd are made here, and what the RPM needs to be built is not looked for.
# tests/vm/run-here calls it like a scenario.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
. "$here/vm/tap.sh"

packages_need rpm meson scdoc >&2
top=$WORK/top
spec=$here/../examples/rpm/ipvsctl-svc.spec

macros() {
	cat <<-'END'
		%_unitdir /usr/lib/systemd/system
		%_vpath_builddir build
		%meson meson setup --prefix=/usr --sysconfdir=/etc --libdir=/usr/lib64 --mandir=/usr/share/man --buildtype=plain %{_vpath_builddir}
		%meson_build ninja -C %{_vpath_builddir}
		%meson_install DESTDIR=%{buildroot} ninja -C %{_vpath_builddir} install
		%systemd_requires Requires: systemd
		%systemd_post() systemctl preset %1 || :
		%systemd_preun() systemctl disable --now %1 || :
		%systemd_postun_with_restart() systemctl try-restart %1 || :
	END
}

build() {
	local name
	name=$(sed -n 's/^Version: //p' "$spec")
	mkdir -p "$top/SOURCES"
	tar -C "$here/.." --exclude='./build*' --exclude=./.git --exclude=./debian \
		--transform "s|^\.|ipvsctl-svc-$name|" -cJf "$top/SOURCES/ipvsctl-svc-$name.tar.xz" .
	macros >"$WORK/macros"
	rpmbuild --nodeps --load "$WORK/macros" -D "_topdir $top" -D "_mandir /usr/share/man" \
		-D 'debug_package %{nil}' -bb "$spec"
}

owns() {
	rpm -qlp "$top"/RPMS/*/*.rpm | tee "$WORK/list"
	grep -qx "$1" "$WORK/list"
}

must "the RPM is built, and every file that is installed belongs to it" build
for path in /usr/bin/ipvsctl-svc /usr/sbin/ipvsctl-svcd /usr/lib/systemd/system/ipvsctl-svcd.service \
	/usr/lib/modules-load.d/ipvsctl-svc.conf /etc/ipvsctl-svc/manifests.d; do
	check "it has $path" owns "$path"
done
equal "its version is that of the sources" "$(rpm -qp --qf '%{version}' "$top"/RPMS/*/*.rpm)" \
	"$(sed -n "s/^  version: '\(.*\)',/\1/p" "$here/../meson.build")"
tap_done
