/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_HOLD_H
#define CORE_HOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/adapter.h"
#include "core/resolve.h"

/*
 * The guarded change of a virtual server's scheduler: step 13 in src/core/op_order.c.
 *
 * ip_vs_edit_service() sets the scheduler to NULL, calls synchronize_rcu() and then sets the new
 * one. Until then the kernel refuses every new connection to the virtual server. To avoid that, new
 * connections are led away for the time:
 *  - TCP and SCTP to an address: dropped by a member of KUBE-NO-LOCAL, as if a Local policy had no
 *    endpoint here; the clients retransmit a second later;
 *  - to a firewall mark: without their members of KUBE-LOCAL-MARK they reach the virtual server of
 *    their address;
 *  - UDP to an address: nothing, because its clients would not retransmit.
 */

struct hold {
	const struct ledger *ledger;
	struct adapter *virtual_servers;
	struct adapter *members; /* NULL: there are none; both must answer at once */
	/* Of the Service that owns the virtual server: its diversions are among them. */
	const struct fact_list *facts;
};

/* Whether connections would be dropped for the time: the rules that look into KUBE-NO-LOCAL must
 * stand by then. */
bool hold_drops(const struct ledger *l, const struct op *set_vs);

/*
 * Carries out the operation, an OP_SET of a virtual server, and writes its result. The ledger does
 * not learn of the members that change meanwhile. Returns false if a member could not be changed
 * back: an audit of the members has to repair it.
 */
bool hold_change(const struct hold *h, struct op *set_vs);

#endif
