#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# json_says() of tests/vm/tap.sh, with the jq of this machine. Prints TAP.
set -uo pipefail
. "$(dirname "$0")/vm/tap.sh"
command -v jq >/dev/null || {
	echo "1..0 # SKIP jq is not installed"
	exit
}

says() {
	json_says "${@:2}" <<<"$1" >/dev/null 2>&1
}

n=0
# expect WORDS 0|1 COMMAND...
expect() {
	local got=0
	"${@:3}" || got=1
	n=$((n + 1))
	[ "$got" = "$2" ] && echo "ok $n - $1" || echo "not ok $n - $1"
}

expect "what is true is said" 0 says '{"a": 1}' '.a == 1'
expect "what is false is not" 1 says '{"a": 2}' '.a == 1'
expect "nobody says anything" 1 says '' '.a == 1'
expect "two texts are not one" 1 says '{"a": 1} {"a": 1}' '.a == 1'
expect "half a text is none" 1 says '{"a": 1' '.a == 1'
expect "options stand before the filter" 0 says '{"a": "x"}' --arg want x '.a == $want'
echo "1..$n"
