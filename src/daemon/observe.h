/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_OBSERVE_H
#define DAEMON_OBSERVE_H

#include <event2/event.h>
#include <stdbool.h>

#include "server/health.h"
#include "server/health_check.h"
#include "server/metrics.h"
#include "server/monitor.h"

/* What others see of the daemon: health, metrics, and the health checks of Services. */

struct daemon;

struct observe {
	struct health health;
	struct metrics metrics;
	struct monitor *monitor;
	struct health_check_server *health_checks[2]; /* IPv4, IPv6 */
	struct health_check_list checks;
	struct address_list addresses;
	uint64_t sync_at;      /* us, of the first operation since all was true; 0: all is */
	uint64_t last_sync_us; /* how long it took until all was true again */
	uint64_t changed_at;   /* us, of the oldest change that is not in the kernel yet; 0: none */
	uint64_t audits;       /* of the engine, that were measured */
	uint64_t service_changes, slice_changes; /* of the store, that are true */
	struct metrics_tables rules_written[2];	 /* IPv4, IPv6; ever, until the last sync */
	uint64_t resolves; /* of the engine, when the health checks were looked at last */
};

void observe_init(struct daemon *d);
void observe_done(struct daemon *d);
/* The store changed. */
void observe_change(struct daemon *d);
/* A step is through that began at start_us; `wrote`: it began operations. */
void observe_step(struct daemon *d, uint64_t start_us, bool wrote);
/* The connection table was cleaned of that many entries of one family, which began at start_us. */
void observe_flows(struct daemon *d, int family, uint64_t start_us, unsigned deleted);

#endif
