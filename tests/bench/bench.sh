#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Functions for all measurements.
. "$here/../vm/lab.sh"

ENDPOINTS=10

# seconds COMMAND...: runs it, sets SECONDS_TAKEN, and returns its exit status.
seconds() {
	local start=$EPOCHREALTIME end status
	"$@"
	status=$?
	end=$EPOCHREALTIME
	SECONDS_TAKEN=$(awk -v us=$((${end/./} - ${start/./})) 'BEGIN { printf "%.2f", us / 1e6 }')
	return $status
}

divide() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.0f", a / b }'
}

data() {
	local dir=$WORK/$1
	[ -d "$dir" ] || "$here/generate" "$1" $ENDPOINTS "$dir"
	MANIFESTS=$WORK/now
	rm -rf "$MANIFESTS"
	cp -r "$dir/manifests" "$MANIFESTS"
}

row() {
	printf '| %s | %s |\n' "$1" "$2"
}

operations() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq .summary.operations
}

LAB=bench$$
WORK_LAB=$WORK
STATUS_SOCKET=$WORK/status.sock
DAEMON_LOG=$WORK/daemon.log
trap lab_down EXIT
