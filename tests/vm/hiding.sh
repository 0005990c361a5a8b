# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Takes away programs and modules, for scenarios on a machine that lacks them. Programs are hidden in a
# mount namespace of the script's own, in which it starts again.

[ -n "${APART:-}" ] || APART=1 exec unshare -m "$0"

HIDING=/run/modprobe.d/ipvsctl-test.conf

# hidden_programs: prints the paths of ipset and of all programs of iptables.
hidden_programs() {
	compgen -c | grep -E '^(ipset|x?ip6?tables.*)$' | sort -u | xargs -n1 which
}

hide_programs() {
	local path
	for path in $(hidden_programs); do
		mount --bind /bin/false "$path" || return
	done
}

show_programs() {
	hidden_programs | xargs -n1 umount
}

# hide_modules PATTERN: unloads the modules of that name, and keeps them from being loaded again, on
# the whole machine: only in a virtual one.
hide_modules() {
	local name i
	mkdir -p "${HIDING%/*}"
	while read -r name; do
		echo "install ${name//-/_} /bin/false"
	done < <(find "/lib/modules/$(uname -r)/kernel" -name '*.ko*' -printf '%f\n' | sed 's/\.ko.*//' |
		grep -E "^($1)") >>"$HIDING"
	for i in 1 2 3; do
		sed 's/install \(.*\) .*/\1/' "$HIDING" | grep -Fxf <(cut -d' ' -f1 /proc/modules) |
			xargs -r -n1 rmmod 2>/dev/null
	done
	! grep -qE "^($1)" /proc/modules
}

show_modules() {
	rm -f "$HIDING"
}

modules_of_iptables='ip_set|xt_|ipt_|ip6t_|x_tables|ip_tables|ip6_tables|iptable_|ip6table_|nft_compat|br_netfilter'
