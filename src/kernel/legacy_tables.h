/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LEGACY_TABLES_H
#define KERNEL_LEGACY_TABLES_H

#include <stdint.h>

/*
 * A hash of all rules of a family in the tables of the legacy variant of iptables, without their
 * counters; `tables` is a mask of enum table. Asking for a table loads it. Returns 0 if they cannot
 * be read.
 */
uint64_t legacy_tables_hash(int family, unsigned tables);

#endif
