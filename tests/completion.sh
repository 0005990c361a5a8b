#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# completion.sh IPVSCTL-SVC IPVSCTL-SVCD: tests the completion for bash, which uses --help, and the
# width of --help. Prints TAP.
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
for command in status explain plan top cleanup; do
	narrow "$svc" $command
done
echo "1..$n"
exit $bad
