#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lint.sh BUILD
#
# Runs clang-format over all C files and clang-tidy over src/ (about two minutes of CPU time). BUILD
# is a build directory with compile_commands.json. Prints TAP; a tool that is missing is a SKIP.
set -uo pipefail

build=$(realpath "$1")
cd "$(dirname "$0")/.." || exit 1

# Another version breaks lines at other places.
FORMAT_VERSION=14

# report NUMBER SENTENCE STATUS OUTPUT
report() {
	if [ "$3" = 0 ]; then
		echo "ok $1 - $2"
		return
	fi
	echo "not ok $1 - $2"
	grep -v ' warnings\? generated\.$' <<<"$4" | head -n 60 | sed 's/^/# /'
	bad=1
}

# The clang-format of the right version, whatever its name is.
find_format() {
	local program
	for program in "clang-format-$FORMAT_VERSION" clang-format; do
		if "$program" --version 2>/dev/null | grep -q "version $FORMAT_VERSION\."; then
			echo "$program"
			return
		fi
	done
	return 1
}

bad=0
echo 1..2

sentence="all C files are formatted as .clang-format says"
if format=$(find_format); then
	said=$(find include src tests -name '*.[ch]' -print0 |
		xargs -0 "$format" --dry-run -Werror 2>&1)
	report 1 "$sentence" $? "$said"
else
	echo "ok 1 - $sentence # SKIP clang-format $FORMAT_VERSION is not installed"
fi

sentence="clang-tidy finds nothing in src"
if command -v clang-tidy >/dev/null; then
	said=$(find src -name '*.c' -print0 |
		xargs -0 -P "$(nproc)" -n 8 clang-tidy -p "$build" --quiet 2>&1)
	report 2 "$sentence" $? "$said"
else
	echo "ok 2 - $sentence # SKIP clang-tidy is not installed"
fi
exit $bad
