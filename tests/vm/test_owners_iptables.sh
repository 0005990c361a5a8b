#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests owners.table with the iptables backend, which needs no IPVS.
here=$(dirname "$0")
. "$here/tap.sh"
[ "${VM_ACCEL:-}" != tcg ] || skip_all "software emulation; tests/run.sh runs it outside as well"
BACKEND=iptables exec "$here/test_owners.sh"
