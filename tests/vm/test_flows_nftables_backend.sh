#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests flows.table with the nftables backend, without the programs of ipset and iptables, and in a
# virtual machine without their modules and ip_vs. In software emulation it has the default options
# only.
. "$(dirname "$0")/hiding.sh"

[ "${VM_ACCEL:-}" != tcg ] || export ONLY=by-default
hide_programs
[ -z "${VM_ACCEL:-}" ] || hide_modules "$modules_of_iptables|ip_vs" ||
	echo "# a module is in use, and stays"
trap show_modules EXIT
BACKEND=nftables NETFILTER=nftables "$(dirname "$0")/test_flows.sh"
