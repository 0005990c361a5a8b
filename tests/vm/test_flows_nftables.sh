#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests flows.table with IPVS, and sets and rules in nftables.
NETFILTER=nftables exec "$(dirname "$0")/test_flows.sh"
