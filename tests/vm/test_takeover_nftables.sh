#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the takeover from kube-proxy's IPVS mode with sets and rules in nftables, and the way back. In
# software emulation, where it takes minutes, test_takeover.sh and test_netfilter.sh have to do.
if [ "${VM_ACCEL:-}" = tcg ]; then
	. "$(dirname "$0")/tap.sh"
	skip_all "it takes too long in software emulation"
fi
NETFILTER=nftables exec "$(dirname "$0")/test_takeover.sh"
