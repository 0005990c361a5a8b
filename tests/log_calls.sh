#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that the fields of each log call are what base/log.h describes: `key=word key="text"` with
# its conversions. Prints TAP.
set -eu
cd "$(dirname "$0")/.."
. tests/source_tap.sh

conversion='%(\.[0-9]+)?(z|l|ll)?[sduxmc]'
value="(([^ \"%\\\\]|$conversion)+|\\\\\"([^\"%\\\\]|$conversion)*\\\\\")"
field="[a-z_0-9]+=$value"

# The formats of a file, one a line: the strings of its log calls that begin with a key or a conversion.
formats() { # FILE
	tr '\n\t' '  ' <"$1" | sed -E 's/([^\\])" +"/\1/g' | grep -oE 'log_(error|warn|info|debug|write)\([^;]*;' |
		grep -oE '"([^"\\]|\\.)*"' | sed 's/^"//; s/"$//' | grep -E '^([a-z_0-9]+=|%)' || true
}

point "the fields of log calls can be taken apart" "$(
	grep -rlE 'log_(error|warn|info|debug|write)\(' src | grep -v '^src/base/' | while read -r file; do
		formats "$file" | grep -vxE "$field( $field)*" | sed "s|^|$file: |" || true
	done
)"
points_end
