#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests flows.table with the nftables backend, which needs neither IPVS nor iptables: in software
# emulation with the default options only.
[ "${VM_ACCEL:-}" != tcg ] || export ONLY=by-default
BACKEND=nftables NETFILTER=nftables exec "$(dirname "$0")/test_flows.sh"
