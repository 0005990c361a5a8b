#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# test_churn.sh with the changes of a whole day. It only runs if it is named, and takes an hour or
# more in an emulated machine: use -t of tests/vm/run.
export CHANGES=100000
exec "$(dirname "$0")/test_churn.sh"
