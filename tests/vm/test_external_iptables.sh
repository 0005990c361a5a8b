#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests external.table with the iptables backend, which needs no IPVS.
BACKEND=iptables exec "$(dirname "$0")/test_external.sh"
