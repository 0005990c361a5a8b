/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STALE_WATCH_H
#define CORE_STALE_WATCH_H

#include <stdbool.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/stale.h"

/*
 * Remembers where the connection table may hold stale entries: the UDP addresses and ports
 * (frontends) that appeared, went, or got other endpoints since the table was cleaned last. Only
 * these are looked for. The first time that it sees a Service all its frontends count, because an
 * earlier run may have ended before it cleaned.
 */

struct stale_watch;
struct stale_service;
struct stale_watch *stale_watch_new(void);
void stale_watch_free(struct stale_watch *w);

/*
 * Compares what the Service's UDP ports lead to with what it was the last time, which is remembered
 * in *at (NULL at first, and again when there are no UDP ports any more). To be called when `who`,
 * the Service's claimant, is up to date, for every change; without served ports it has none.
 */
void stale_watch_service(struct stale_watch *w, struct stale_service **at,
	const struct claimant *who, const struct served_ports *served);
/* Something else changed about this frontend, such as that it went from the kernel. */
void stale_watch_add(struct stale_watch *w, const struct ip *ip, uint16_t port, uint8_t proto);

/* There is something to look for. */
bool stale_watch_any(const struct stale_watch *w);
/*
 * Fills the list, which is zeroed, and finishes it. Where several Services have a frontend the
 * oldest decides, as in the ledger; one of nobody's any more leads nowhere, so all its entries are
 * stale; one of a Service without serving endpoints is left out until it has some.
 */
void stale_watch_list(struct stale_watch *w, struct stale_list *ret);
/* The list of the last call was dealt with. */
void stale_watch_clear(struct stale_watch *w);

#endif
