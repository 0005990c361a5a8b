#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that each weakness in weaknesses.md names a test, and that these tests exist. Prints TAP.
set -eu
cd "$(dirname "$0")/.."

table=tests/weaknesses.md
n=0 bad=0
point() { # STATUS SENTENCE
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		bad=1
		echo "not ok $n - $2"
	fi
}

exists() { # FILE-OR-FOLDER NAME
	if [ -d "$1" ]; then
		[ -e "$1/$2" ]
	else
		grep -qF -e "$2" "$1"
	fi
}

names=$(grep '^| ' $table | grep -o '`tests/[^`]*`' | tr -d '`')
while IFS= read -r name; do
	status=0
	exists "${name%%:*}" "${name#*:}" || status=1
	point $status "$name exists"
done <<END
$names
END
without=$(grep '^| ' $table | grep -v '`tests/' | grep -cv '^| \(kube-proxy\|fault\) | tests |$\|^| ---' || true)
point "$without" "each weakness has a test"
echo "1..$n"
exit $bad
