/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_ORPHAN_H
#define CORE_ORPHAN_H

#include <stdbool.h>

#include "core/fact.h"
#include "publisher.h"

/*
 * An orphan is a fact of ours that an earlier run left in the kernel and that nobody has claimed
 * since. While the input is incomplete its Service may be in what could not be read, so it stays,
 * unless what could be read contradicts it:
 *
 * 1. What belongs to the node, such as its sets and rules, depends on no Service.
 * 2. A frontend, with the set members that tell how its packets are treated, belongs to the Service
 *    that has it or asks for it now.
 * 3. How an address is made local is decided by the Services that have it.
 * 4. A real server belongs to the Service that has its virtual server, unless more endpoints of
 *    that Service may be in what could not be read.
 */
bool orphan_stays(const struct publisher *p, const struct fact_key *key);

#endif
