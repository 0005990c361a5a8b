/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_PUBLICATION_H
#define CORE_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/fact.h"
#include "core/ledger.h"
#include "core/marks.h"

/*
 * The facts that the engine claims for one Service, and its memory of the Service from one change
 * to the next. The engine owns and writes it; everybody else reads it through slot.published.
 */
struct publication {
	struct list link;	  /* on the publisher's list */
	struct slot *slot;	  /* whose `published` this is */
	struct claimant claimant; /* its name is the slot's */
	struct fact *facts;	  /* claimed, sorted */
	size_t n_facts;
	int64_t drain_timeout; /* of the Service as published; see struct service */
	bool degraded;	       /* the scheduler that it asked for is missing */
	struct port_marks marks;
	struct stale_service *stale; /* of its UDP ports, see core/stale_watch.h; NULL: none */
	struct fact_key *lost;	     /* frontends that older Services have */
	size_t n_lost;
};

/* The Service claims the fact, even if an older claimant decides its value. False for NULL. */
bool publication_claims(const struct publication *p, const struct fact_key *key);

#endif
