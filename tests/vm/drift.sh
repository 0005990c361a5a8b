# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For scenarios in which another program deletes or changes the daemon's objects; source it after
# lab.sh. `reference` is the state() that must return.

LONG=30 # seconds, times PATIENCE: nothing here may fail because a machine is slow

# variant_works nft|legacy: whether the node has that variant of iptables.
variant_works() {
	in_node "iptables-$1-save" -t nat >/dev/null 2>&1
}

# use_variant nft|legacy: the plain names stand for this variant from now on.
use_variant() {
	local program dir=$WORK/variant-$1
	mkdir -p "$dir"
	for program in iptables ip6tables; do
		ln -sf "$(type -P "$program-$1")" "$dir/$program"
		ln -sf "$(type -P "$program-$1-save")" "$dir/$program-save"
		ln -sf "$(type -P "$program-$1-restore")" "$dir/$program-restore"
	done
	PATH=$dir:$PATH
	hash -r
}

drift() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq .summary.drift
}

# As kernel_state, but independent of the order of chains and of deleted empty built-in chains.
state() {
	kernel_state | grep -v -e '^\*' -e '^COMMIT' -e '^:[A-Z]* ACCEPT' | sort -s -k1,2
}

is_as_before() {
	diff -u <(echo "$reference") <(state)
}

drift_grew() {
	[ "$(drift)" -gt "$1" ]
}

# repaired SENTENCE NEWS COMMAND...: runs the command, then NEWS so that the daemon notices; checks
# that the daemon repairs and counts the damage.
repaired() {
	local sentence=$1 news=$2 before start
	shift 2
	before=$(drift)
	in_node "$@" || note "failed: $*"
	start=$EPOCHREALTIME
	$news
	check "$sentence: the repair is counted" eventually $LONG drift_grew "$before"
	note "counted after $((${EPOCHREALTIME/./} - ${start/./})) us"
	check "$sentence: the state is restored" eventually $LONG is_as_before
}

hangup() {
	kill -HUP "$DAEMON_PID"
}

# noticed SENTENCE COMMAND...: checks that the daemon notices and repairs the damage at once.
noticed() {
	repaired "$1" true "${@:2}"
}

# audited SENTENCE COMMAND...: checks that the next audit repairs the damage.
audited() {
	repaired "$1" hangup "${@:2}"
}
