#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks the man pages: none is longer than one can look through, each is installed, and what they
# refer to exists. Prints TAP.
set -eu
cd "$(dirname "$0")/.."
. tests/source_tap.sh

most=400 # rendered lines

if command -v scdoc >/dev/null && command -v man >/dev/null; then
	page=$(mktemp)
	trap 'rm -f "$page"' EXIT
	point "no page is longer than $most lines of 80 columns" "$(
		for source in man/*.scd; do
			scdoc <"$source" >"$page"
			lines=$(MANWIDTH=80 man -l "$page" 2>/dev/null | wc -l)
			[ "$lines" -le $most ] || echo "$source: $lines lines"
		done
	)"
else
	n=$((n + 1))
	echo "ok $n - no page is longer than $most lines of 80 columns # SKIP scdoc or man is missing"
fi
point "each page is installed" "$(
	for source in man/*.scd; do
		name=$(basename "$source" .scd)
		grep -q "'$name'" man/meson.build || echo "not in man/meson.build: $name"
	done
)"
point "each page has the name and section of its file" "$(
	for source in man/*.scd; do
		name=$(basename "$source" .scd)
		[ "$(head -n 1 "$source")" = "${name%.*}(${name##*.})" ] || head -n 1 "$source"
	done
)"
point "pages of ours that are referred to exist" "$(
	grep -rhoE '\*?ipvsctl-svc[a-z.-]*\*?\([1-8]\)' man src include tests examples docs README.md |
		tr -d '*' | sort -u | while IFS='()' read -r name section; do
		[ -f "man/$name.$section.scd" ] || echo "missing: $name($section)"
	done
)"
# "*SECTION* in *page*(N)", also across a line break; without a page it is a section of the same one.
point "sections that are referred to exist" "$(
	for source in man/*.scd; do
		tr '\n\t' '  ' <"$source" |
			grep -oE '\*[A-Z][A-Z -]+[A-Z]\*( in +\*[a-z.-]+\*\([1-8]\))?' |
			sed -E 's/ in +/|/; s/\*//g; s/  +/ /g' | sort -u |
			while IFS='|' read -r section page; do
				file=man/$(echo "$page" | sed 's/(\(.\))/.\1/').scd
				if [ -n "$page" ]; then
					grep -qx "# $section" "$file" ||
						echo "$source: no section $section in $file"
				elif ! grep -qx "# $section" "$source"; then
					grep -lx "# $section" man/*.scd |
						sed "s|^|$source: $section is in |"
				fi
			done
	done
)"
points_end
