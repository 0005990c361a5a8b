# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Test points in TAP for shell scripts. Each point is a sentence that is true or false.

tap_points=0
tap_failures=0

# note TEXT...: prints a comment.
note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

tap_point() {
	local verdict=$1 sentence=$2
	tap_points=$((tap_points + 1))
	[ "$verdict" = ok ] || tap_failures=$((tap_failures + 1))
	echo "$verdict $tap_points - $sentence"
}

# check SENTENCE COMMAND...: passes if the command succeeds; else prints its output. The command
# does not run in a subshell, so it may be a function that sets variables.
check() {
	local sentence=$1
	shift
	if "$@" >"$WORK/tap" 2>&1; then
		tap_point ok "$sentence"
		return 0
	fi
	tap_point "not ok" "$sentence"
	note "failed: $*"
	note "$(cat "$WORK/tap")"
	return 1
}

# json_says [OPTION...] FILTER: whether standard input is a JSON text for which jq's filter is true.
# "jq -e" of jq 1.6 is content where nobody has written anything.
json_says() {
	jq -e -s "${@:1:$#-1}" "length == 1 and (.[0] | ${!#})"
}

# must SENTENCE COMMAND...: as check, and ends the program if it fails.
must() {
	check "$@" && return
	echo "Bail out! the rest makes no sense without it"
	exit 1
}

# equal SENTENCE GOT WANT: passes if both texts are equal; else prints the difference.
equal() {
	if [ "$2" = "$3" ]; then
		tap_point ok "$1"
	else
		tap_point "not ok" "$1"
		note "difference from wanted (-) to found (+):"
		note "$(diff -u <(printf '%s\n' "$3") <(printf '%s\n' "$2") | tail -n +4 | head -n 60)"
	fi
}

# skip SENTENCE REASON: counts this point as skipped.
skip() {
	tap_points=$((tap_points + 1))
	echo "ok $tap_points - $1 # SKIP $2"
}

# skip_all REASON: ends the program, which cannot run here.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

not() {
	! "$@"
}

# ends_with STATUS COMMAND...: whether the command ends with this exit status.
ends_with() {
	local want=$1 status
	shift
	"$@"
	status=$?
	echo "exit status $status"
	[ $status = "$want" ]
}

tap_done() {
	echo "1..$tap_points"
	[ "$tap_failures" = 0 ]
}
