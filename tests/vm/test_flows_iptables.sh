#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same flows, carried by the iptables backend, which needs no IPVS.
BACKEND=iptables exec "$(dirname "$0")/test_flows.sh"
