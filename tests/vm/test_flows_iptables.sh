#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests flows.table with the iptables backend, which needs no IPVS.
BACKEND=iptables exec "$(dirname "$0")/test_flows.sh"
