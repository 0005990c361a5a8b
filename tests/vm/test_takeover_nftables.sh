#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the takeover from kube-proxy's IPVS mode with sets and rules in nftables, and the way back.
NETFILTER=nftables exec "$(dirname "$0")/test_takeover.sh"
