/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STALE_WATCH_H
#define CORE_STALE_WATCH_H

#include <stdbool.h>

#include "core/fact.h"
#include "core/ledger.h"
#include "core/stale.h"

/*
 * Remembers which UDP frontends (addresses and ports) may have stale entries in the connection
 * table: those that appeared, vanished or got other endpoints since the table was cleaned last. All
 * frontends of a Service count as new at first sight, because an earlier run may have ended before
 * it cleaned the table.
 */

struct stale_watch;
struct stale_service;
struct stale_watch *stale_watch_new(void);
void stale_watch_free(struct stale_watch *w);

/*
 * Compares the frontends and endpoints of the Service's UDP ports with those of the last call,
 * which *at remembers; *at is NULL at first, and while there are no UDP ports. To be called for
 * every change of the Service; without served ports when the Service is deleted.
 */
void stale_watch_service(
	struct stale_watch *w, struct stale_service **at, const struct served_ports *served);
/* Something else changed about this frontend, for instance it was deleted from the kernel. */
void stale_watch_add(struct stale_watch *w, const struct ip *ip, uint16_t port, uint8_t proto);

/* Whether there is a frontend to look for. */
bool stale_watch_any(const struct stale_watch *w);
/*
 * Fills a list, in which only `translated` may be set, with the frontends to look for, and finishes
 * it. A frontend that no Service has any more gets no endpoints, so all its entries are stale. So
 * does, without IPVS, one whose Service has no serving endpoints: as long as a client sends, its entry
 * leads to an endpoint that is gone. IPVS ends such flows itself, so with it the frontend is left out
 * until it has endpoints.
 */
void stale_watch_list(struct stale_watch *w, struct stale_list *ret);
/* The connection table was cleaned with the last list. */
void stale_watch_clear(struct stale_watch *w);

#endif
