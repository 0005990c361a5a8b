#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests flows.table with IPVS, and sets and rules in nftables: in software emulation with the default
# options only.
[ "${VM_ACCEL:-}" != tcg ] || export ONLY=by-default
NETFILTER=nftables exec "$(dirname "$0")/test_flows.sh"
