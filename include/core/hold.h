/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/adapter.h"

/*
 * Between taking away the old scheduler of a virtual server and giving it the new one the kernel
 * waits for an RCU grace period and refuses every new connection (ip_vs_edit_service() sets the
 * scheduler to NULL and calls synchronize_rcu()). So that nobody is refused, new connections are
 * led away for that time: those of TCP and SCTP to an address are dropped, as where a Local policy
 * has no endpoint, and their clients ask again a second later; those through a mark go to the
 * virtual server of their address. UDP is let alone, as its clients would not ask again.
 */

struct hold {
	const struct ledger *ledger;
	struct adapter *virtual_servers, *members; /* which answer at once; no members: NULL */
	const struct fact *facts;		   /* of the owner of the virtual server */
	size_t n_facts;
};

/*
 * Has the operation, an OP_SET of a virtual server, carried out, and new connections led away
 * meanwhile where that is needed. The ledger does not hear of that: false tells that something
 * could not be undone, and that an audit has to put it right.
 */
bool hold_change(const struct hold *h, struct op *set_vs);

#endif
