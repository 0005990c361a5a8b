#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# test_churn.sh with the changes of a whole day; runs only where it is named, and takes long: give
# tests/vm/run an hour and more with -t, where the machine is emulated.
export CHANGES=100000
exec "$(dirname "$0")/test_churn.sh"
