# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Sourced by the checks of the source tree: test points in TAP, and the end of the program.

n=0 bad=0
point() { # SENTENCE WHAT-IS-WRONG
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		bad=1
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

points_end() {
	echo "1..$n"
	exit $bad
}
