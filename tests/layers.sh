#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Which layer may include which: a table, compared with the #include lines of the source and with
# the picture in the README. Prints TAP.
set -eu
cd "$(dirname "$0")/.."
. tests/source_tap.sh

# LAYER -> LAYERS THAT IT MAY INCLUDE, beside itself.
allowed='base ->
core -> base
decode -> core base
manifest -> decode core base
api -> decode core base
kernel -> core base
config -> decode core base
report -> core base
server -> core base
daemon -> server api manifest kernel config report core base
cli -> daemon api manifest kernel config report decode core base'

# core is pure: no clock, no descriptor, no library but libc, no log.
impure='base/(log|clock)\.h|event2/|curl/|yaml|jansson|netlink/|libipset/|libnetfilter|time\.h|sys/|unistd|fcntl|poll|net/|linux/'

# The edges of one layer as the source has them, with the places.
includes_of() { # LAYER
	grep -rnE '^#include "[a-z_]+/' "src/$1" "include/$1" 2>/dev/null |
		sed -E 's|^([^:]+:[0-9]+):#include "([a-z_]+)/.*|\2 \1|'
}

layers=$(echo "$allowed" | sed 's/ ->.*//')
point "the table names every layer" "$(
	for dir in src/*/; do
		echo "$layers" | grep -qx "$(basename "$dir")" || echo "not in the table: $dir"
	done
)"
for layer in $layers; do
	may=" $layer $(echo "$allowed" | sed -n "s/^$layer -> *//p") "
	point "$layer includes only what the table allows" "$(
		includes_of "$layer" | while read -r target place; do
			case "$may" in *" $target "*) ;; *) echo "$place includes $target" ;; esac
		done
	)"
done
point "each allowed edge is used" "$(
	echo "$allowed" | while read -r layer _ targets; do
		for target in $targets; do
			includes_of "$layer" | grep -q "^$target " || echo "$layer -> $target"
		done
	done
)"
point "core is pure" "$(grep -rnE "^#include [<\"]($impure)" include/core src/core || true)"
point "the README's picture is the table" "$(
	picture=$(sed -n 's/^\([a-z]*\) *──> *\(.*\)$/\1 -> \2/p' README.md | sed 's/  .*//')
	table=$(echo "$allowed" | grep -- '-> .')
	[ "$(echo "$picture" | sort)" = "$(echo "$table" | sort)" ] ||
		printf 'README:\n%s\ntable:\n%s\n' "$picture" "$table"
)"
points_end
