#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests a restart with the other backend, of which the one with IPVS has its sets and rules in
# nftables.
NETFILTER=nftables exec "$(dirname "$0")/test_backends.sh"
