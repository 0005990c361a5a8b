# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Compares what ipvsctl-svc preflight announces with what the daemon does, for scenarios to source
# behind lab.sh.

# told FILTER: prints a part of REPORT, a file with the JSON of preflight.
told() {
	jq -r "$1" "$REPORT"
}

# net OPERATIONS: prints how many objects of each kind come or go, and how many are changed in place,
# without those that the kernel deletes with their parent. Chains that drop packets while a virtual
# server changes come and go in between.
net() {
	awk '$2 == "rs" || $2 == "addr" { next }
		$1 == "set" { set[$2] += $3; next }
		{ net[$2] += $1 == "add" ? $3 : -$3 }
		END { for (k in net) if (net[k]) print k, net[k]; for (k in set) print k, "changed", set[k] }' |
		sort
}

# Prints this for the operations that the report announces.
announced() {
	told '.differences[] | .change + " " + (.fact | split(" ")[0]) + " 1"' | net
}

# The same for those that the daemon has counted, whose metrics are at 127.0.0.1:10249.
done_by_daemon() {
	in_node curl -s http://127.0.0.1:10249/metrics |
		sed -nE 's/^ipvsctl_kernel_operations_total\{kind="(.*)",op="(.*)"\} ([1-9][0-9]*)$/\2 \1 \3/p' |
		net
}
