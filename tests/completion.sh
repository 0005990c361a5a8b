#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# completion.sh IPVSCTL-SVC IPVSCTL-SVCD: tests the completion for bash, which uses --help, the width
# of --help, and the options before the command. Prints TAP.
set -u
svc=$(realpath "$1") svcd=$(realpath "$2")
cd "$(dirname "$0")/.." || exit 1
. examples/bash-completion/ipvsctl-svc
n=0 bad=0

# completes WORDS PATTERN COUNT: the last word has COUNT completions that match PATTERN.
completes() {
	local line=() found
	read -ra line <<<"$1"
	[ "${1% }" = "$1" ] || line+=("")
	COMP_WORDS=("${line[@]}") COMP_CWORD=$((${#line[@]} - 1)) COMPREPLY=()
	_ipvsctl_svc "$program"
	found=$(printf '%s\n' "${COMPREPLY[@]}" | grep -cx -e "$2")
	n=$((n + 1))
	if [ "$found" = "$3" ]; then
		echo "ok $n - \"$1\" has $3 completions like $2"
	else
		bad=1
		echo "not ok $n - \"$1\" has $3 completions like $2"
		printf '# %s\n' "${COMPREPLY[@]}"
	fi
}

program=$svc
completes "ipvsctl-svc " "status\|plan" 2
completes "ipvsctl-svc st" ".*" 1
completes "ipvsctl-svc cleanup --d" "--dry-run" 1
completes "ipvsctl-svc status --s" "--socket\|--sort-by" 2
completes "ipvsctl-svc plan --sch" "--scheduler" 1
completes "ipvsctl-svc plan man" "..*" 0
program=$svcd
completes "ipvsctl-svcd --kubec" "--kubeconfig" 1
completes "ipvsctl-svcd --log-l" "--log-level" 1
completes "ipvsctl-svcd --no-such" "..*" 0

# narrow COMMAND...: no line of its --help is wider than 100 columns.
narrow() {
	n=$((n + 1))
	if "$@" --help | awk 'length > 100 { print "# " $0; bad = 1 } END { exit bad || !NR }'; then
		echo "ok $n - ${*##*/} --help fits into 100 columns"
	else
		bad=1
		echo "not ok $n - ${*##*/} --help fits into 100 columns"
	fi
}

narrow "$svcd"
narrow "$svc"
for command in status explain plan preflight top conns doctor cleanup; do
	narrow "$svc" $command
done

# says WORDS PATTERN CODE: ipvsctl-svc prints a line like that and exits with that code.
says() {
	local out code
	# shellcheck disable=SC2086 # words
	out=$("$svc" $1 2>&1)
	code=$?
	n=$((n + 1))
	if [ $code = "$3" ] && grep -q -e "$2" <<<"$out"; then
		echo "ok $n - \"ipvsctl-svc $1\" says \"$2\""
	else
		bad=1
		echo "not ok $n - \"ipvsctl-svc $1\" says \"$2\""
		echo "$out" | sed 's/^/# /'
	fi
}

says "--version" "^ipvsctl-svc [0-9]" 0
says "-h" "^Usage: ipvsctl-svc COMMAND" 0
says "--version=false status --help" "^Usage: ipvsctl-svc status" 0
says "--help=false --version=true" "^ipvsctl-svc [0-9]" 0
says "--help=false" "^Usage: ipvsctl-svc COMMAND" 2
says "--version=maybe" "^ipvsctl-svc: --version: \"maybe\" is neither true nor false" 2
says "dance" "^ipvsctl-svc: no command \"dance\"" 2
echo "1..$n"
exit $bad
