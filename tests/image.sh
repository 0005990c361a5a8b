#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the root file system of the image: it is made twice of a package that is built here, its
# bill of materials is checked, and its programs run in it, alone. What a container engine adds is
# not tested. tests/vm/run-here calls it like a scenario.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
. "$here/vm/tap.sh"

packages_need binutils debhelper dpkg-dev meson nftables python3 scdoc >&2
root=$WORK/one/rootfs
bill=$root/usr/share/doc/ipvsctl-svc/sbom.spdx.json
manifests=$here/../examples/manifests

make_rootfs() {
	"$here/../examples/image/rootfs" "$WORK"/build/ipvsctl-svc_*.deb "$WORK/$1"
}

make_again() {
	mkdir "$WORK/two"
	cp -r "$WORK/one/packages" "$WORK/two/"
	make_rootfs two
}

# in_node BACKEND: programs the example's Service in a network namespace, and prints its rules.
in_node() {
	# shellcheck disable=SC2016
	unshare -m -n sh -ec 'mount -t proc proc "$1/proc"
		mount --bind "$2" "$1/etc/ipvsctl-svc"
		chroot "$1" /usr/sbin/ipvsctl-svcd --once --manifests /etc/ipvsctl-svc --backend "$3"
		nft list ruleset' sh "$root" "$manifests" "$1"
}

serves() {
	in_node "$1" >"$WORK/rules" || return
	cat "$WORK/rules"
	grep -q "$2" "$WORK/rules"
}

runs() {
	chroot "$root" "$@" >"$WORK/said" 2>&1
	cat "$WORK/said"
	grep -q "$(sed -n "s/^  version: '\(.*\)',/\1/p" "$here/../meson.build")" "$WORK/said"
}

# What is not in the image, whatever its directory.
absent() {
	local found
	found=$(find "$root" -name sh -o -name bash -o -name dash -o -name busybox -o -name 'apt*' -o -name 'dpkg*' -o \
		-name 'perl*')
	echo "$found"
	[ -z "$found" ]
}

# The files of the image, but for the bill itself, with their checksums.
files_there() {
	(cd "$root" && find . -type f ! -path "./${bill#"$root/"}" -exec sha256sum {} + | sort)
}

files_listed() {
	jq -r '.files[] | (.checksums[] | select(.algorithm == "SHA256").checksumValue) + "  " + .fileName' "$bill" | sort
}

bill_says() {
	json_says "$1" <"$bill"
}

must "the package is built" packages_build "$WORK/build"
must "the root file system is made of it" make_rootfs one
must "and again" make_again
check "both are the same, byte by byte" cmp "$WORK/one/rootfs.tar" "$WORK/two/rootfs.tar"
note "$(stat -c %s "$WORK/one/rootfs.tar") bytes, $(gzip -c "$WORK/one/rootfs.tar" | wc -c) compressed"

check "there is no shell and no package manager" absent
check "the daemon runs" runs /usr/sbin/ipvsctl-svcd --version
check "the command line runs" runs /usr/bin/ipvsctl-svc --version
check "modules can be loaded" chroot "$root" /usr/sbin/modprobe --version
for variant in nft legacy; do
	for name in iptables ip6tables; do
		check "$name-$variant runs" chroot "$root" "/usr/sbin/$name-$variant" -V
	done
done
if kernel_has_maps; then
	check "it programs nftables" serves nftables '10\.96\.0\.80 '
else
	skip "it programs nftables" "this kernel has no nftables"
fi
if kernel_has_sets; then
	check "it programs iptables" serves iptables 'KUBE-SERVICES'
else
	skip "it programs iptables" "this kernel has no iptables with sets"
fi

# What SPDX 2.3 requires: https://spdx.github.io/spdx-spec/v2.3/
check "the bill is a document of SPDX 2.3" bill_says '.spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and
	.SPDXID == "SPDXRef-DOCUMENT" and (.name | length > 0) and (.documentNamespace | test("^https://[^#]+$")) and
	(.creationInfo.created | test("^[0-9-]{10}T[0-9:]{8}Z$")) and
	all(.creationInfo.creators[]; test("^(Tool|Person|Organization): "))'
check "each package has what is required" bill_says 'all(.packages[]; .name and .versionInfo and .downloadLocation and
	.licenseConcluded and .licenseDeclared and .copyrightText and
	(.filesAnalyzed == false or .packageVerificationCode.packageVerificationCodeValue) and
	all(.externalRefs[]?; .referenceCategory and .referenceType and (.referenceLocator | startswith("pkg:deb/debian/"))))'
check "each file has what is required" bill_says 'all(.files[]; (.fileName | startswith("./")) and
	any(.checksums[]; .algorithm == "SHA1" and (.checksumValue | test("^[0-9a-f]{40}$"))))'
check "each name is unique and well-formed" bill_says '[.packages[], .files[] | .SPDXID] |
	all(.[]; test("^SPDXRef-[A-Za-z0-9.-]+$")) and (length == (unique | length))'
check "relations join what is in it" bill_says '([.SPDXID, (.packages[], .files[] | .SPDXID)] | map({key: ., value: 1}) |
	from_entries) as $known | all(.relationships[]; .relationshipType and $known[.spdxElementId] and $known[.relatedSpdxElement])'
check "each file is from a package" bill_says '([.relationships[] | select(.relationshipType == "GENERATED_FROM").spdxElementId] |
	sort) == ([.files[].SPDXID] | sort)'
equal "it lists the files that are there" "$(files_listed)" "$(files_there)"
tap_done
