// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of operations. Guard before make: the rules and set members that guard a virtual server
 * exist before it. Make before break: a new path is complete before packets are led to it, and
 * packets are led away from an old path before it is taken down. The steps, by their numbers in the
 * table:
 *
 *  1. The devices come first, because addresses are put on them; and the policy rules, without
 *     which the kernel looks up the tables local and main as one, so that no route in the first can
 *     say "look further" (step 8).
 *
 *  2. Sets, and then their members. Rules refer to sets, and a restart recognises our virtual
 *     servers by the members. From here to step 5, changes run together with the adds: a set, chain
 *     or jump that kube-proxy left behind becomes ours by a change, and the guards must be
 *     complete before step 6.
 *
 *  3. Chains. The chains of a Service come before the entrances, KUBE-SERVICES and KUBE-NODE-PORT
 *     (in kube-proxy's iptables mode KUBE-NODEPORTS), whose rules lead to them. A new entrance is
 *     harmless until something jumps to it (step 5), an existing one changes in step 9.
 *     Neighbouring rows of chains go into one batch, because a batch is one run of
 *     iptables-restore, and rules may refer to chains of the same batch.
 *
 *  4. Dispatch entries, the virtual servers of the iptables and nftables backends, lead to the
 *     chains of step 3, with nftables by members of KUBE-SPREADS. By then the slots of endpoints,
 *     which are members too, are there and have changed; those that are left over go in step 12.
 *     Entries of pods and of the node come before the entry of all others, which may lead nowhere
 *     when a Service becomes Local: without entries of their own they would be led there, too.
 *
 *  5. Jumps from the built-in chains: packets enter the chains of step 3, which are complete.
 *     While chains of Services in the other interface of netfilter translate packets, those into
 *     table nat wait until step 9 is done: with them the others get no packets (ledger_enter_last()).
 *
 *  6. Virtual servers, and then the real servers behind them. A real server that still drains, with
 *     weight 0, gets its weight back here: a virtual server whose real servers all have weight 0
 *     refuses connections, so it must not be led to (step 7).
 *
 *  7. Diversions: members of KUBE-LOCAL-MARK lead packets from the virtual server of an address to
 *     the virtual server of a mark, which by now has its real servers.
 *
 *  8. Routes and addresses, which make the VIPs local. From here on clients reach them. An address
 *     that stays with its owner is reached last, by the members of KUBE-EXTERNAL-PORT: before it
 *     has its route the packets would go to the owner, and before it has its virtual server to a
 *     daemon of this node. Then it is held: adding the address hides for a moment what table local
 *     says of it (src/kernel/link_held.c), and if it was taken as a whole until now, packets would
 *     go to the owner unless they are marked already.
 *
 *  9. Existing entrances change. They decide which backend gets the packets of a Service, so when
 *     the backend changes, both backends answer at this moment (steps 4 to 8). With IPVS and no other
 *     backend to relieve they change in step 3, because they get rules that masquerade when a set
 *     gets its first member (ledger_turn_last()). Existing chains of
 *     Services change afterwards: kube-proxy's masquerade by themselves while ours leave that to
 *     the entrance, so they must keep their rules while kube-proxy's entrance leads to them.
 *
 * 10. Diversions are deleted before the real servers behind the mark lose their weight (step 11) or
 *     are deleted (step 12).
 *
 * 11. The other changes: weights of real servers, sources of routes.
 *
 * 12. Deletes run backwards: VIPs, real servers, virtual servers, and then their guards. A chain
 *     goes after those that lead to it, because iptables refuses the other order. Deletes within a
 *     row run backwards too, last made first deleted: of one Service's members the ones that reject
 *     were made last.
 *
 * 13. Virtual servers change last, because a new scheduler costs an RCU grace period, 10 ms and
 *     more, for which no other operation shall wait. The kernel refuses new connections for that
 *     time, so core/hold carries out each change in three parts, unseen by the ledger:
 *       a. lead new connections away: add a member to KUBE-NO-LOCAL, or delete the diversions;
 *       b. change the virtual server;
 *       c. take back part a.
 *
 * The rows that are marked MIXES, of steps 3 to 5 or of step 12, go into one batch of an adapter
 * that keeps their order by itself: src/kernel/iptables.c does, in one run of iptables-restore. Other
 * operations between them end the batch.
 *
 * Before the first operation of step 10 and later (those marked BREAKS), the daemon switches the
 * entrances that no operation reaches: those in the other interface of netfilter.
 *
 * A vital claimant (cluster DNS, the API server, the node's own chains and sets) need not wait for
 * thousands of other Services: the rows marked vital have a first pass for those claimants alone.
 * Such a row makes something or completes a guard. The other rows rely on the whole of an earlier
 * step, so they have no turn in the first pass.
 */
#include "op_order.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"

#define VITAL .vital = true
#define JOINS .joins = true
#define MIXES .mixes = true
#define SLOW .slow = true
#define BREAKS .breaks = true

const struct op_step op_order[] = {
	/*  1 */
	{ OP_ADD, FACT_LINK, VITAL },
	{ OP_SET, FACT_LINK, VITAL },
	{ OP_ADD, FACT_POLICY_RULE, VITAL },
	{ OP_SET, FACT_POLICY_RULE, VITAL },
	/*  2 */
	{ OP_ADD, FACT_SET, VITAL },
	{ OP_SET, FACT_SET, VITAL },
	{ OP_ADD, FACT_MEMBER, VITAL },
	{ OP_SET, FACT_MEMBER, VITAL },
	/*  3 */
	{ OP_ADD, FACT_CHAIN, VITAL, JOINS, MIXES },
	{ OP_ADD, OP_CLASS_SERVICE_CHAIN, VITAL, JOINS, MIXES },
	{ OP_SET, FACT_CHAIN, VITAL, JOINS, MIXES },
	{ OP_ADD, OP_CLASS_ENTRANCE, VITAL, MIXES },
	/*  4 */
	{ OP_ADD, OP_CLASS_SPREAD, VITAL },
	{ OP_SET, OP_CLASS_SPREAD, VITAL },
	{ OP_ADD, OP_CLASS_DISPATCH, VITAL },
	{ OP_SET, OP_CLASS_DISPATCH, VITAL },
	{ OP_ADD, FACT_DISPATCH, VITAL, MIXES },
	{ OP_SET, FACT_DISPATCH, VITAL, MIXES },
	/*  5 */
	{ OP_ADD, FACT_JUMP, VITAL, MIXES },
	{ OP_SET, FACT_JUMP, VITAL, MIXES },
	/*  6 */
	{ OP_ADD, FACT_VS, VITAL },
	{ OP_ADD, FACT_RS, VITAL },
	{ OP_SET, OP_CLASS_REVIVAL, VITAL },
	/*  7 */
	{ OP_ADD, OP_CLASS_DIVERSION, VITAL },
	{ OP_SET, OP_CLASS_DIVERSION },
	/*  8 */
	{ OP_ADD, FACT_ROUTE, VITAL },
	{ OP_ADD, FACT_ADDR, VITAL },
	{ OP_ADD, OP_CLASS_EXPOSURE },
	{ OP_SET, OP_CLASS_EXPOSURE },
	{ OP_ADD, FACT_HELD },
	{ OP_SET, FACT_HELD },
	/*  9 */
	{ OP_SET, OP_CLASS_ENTRANCE },
	{ OP_ADD, OP_CLASS_ENTRY },
	{ OP_SET, OP_CLASS_SERVICE_CHAIN, JOINS },
	/* 10 */
	{ OP_DEL, OP_CLASS_DIVERSION, BREAKS },
	/* 11 */
	{ OP_SET, FACT_RS, BREAKS },
	{ OP_SET, FACT_ROUTE, BREAKS },
	{ OP_SET, FACT_ADDR, BREAKS },
	/* 12 */
	{ OP_DEL, OP_CLASS_EXPOSURE, BREAKS },
	{ OP_DEL, FACT_ADDR, BREAKS },
	{ OP_DEL, FACT_ROUTE, BREAKS },
	{ OP_DEL, FACT_HELD, BREAKS },
	{ OP_DEL, FACT_RS, BREAKS },
	{ OP_DEL, FACT_VS, BREAKS },
	{ OP_DEL, FACT_JUMP, BREAKS, MIXES },
	{ OP_DEL, OP_CLASS_ENTRANCE, BREAKS, MIXES },
	{ OP_DEL, FACT_DISPATCH, BREAKS, MIXES },
	{ OP_DEL, OP_CLASS_DISPATCH, BREAKS },
	{ OP_DEL, OP_CLASS_SPREAD, BREAKS },
	{ OP_DEL, OP_CLASS_SERVICE_CHAIN, BREAKS, JOINS, MIXES },
	{ OP_DEL, FACT_CHAIN, BREAKS, JOINS, MIXES },
	{ OP_DEL, FACT_MEMBER, BREAKS },
	{ OP_DEL, FACT_SET, BREAKS },
	{ OP_DEL, FACT_POLICY_RULE, BREAKS },
	{ OP_DEL, FACT_LINK, BREAKS },
	/* 13 */
	{ OP_SET, FACT_VS, SLOW, BREAKS },
};
static_assert(ARRAY_SIZE(op_order) == OP_STEPS, "each type of operation on each class has a step");

enum op_class op_class_of(const struct fact_key *key)
{
	enum service_chain chain;
	char hash[SERVICE_HASH_LEN];

	if (fact_diverts(key))
		return OP_CLASS_DIVERSION;
	if (fact_exposes(key))
		return OP_CLASS_EXPOSURE;
	if (key->kind == FACT_MEMBER && key->set == SET_SPREADS)
		return OP_CLASS_SPREAD;
	if (key->kind == FACT_MEMBER &&
		(key->set == SET_DISPATCH_POD || key->set == SET_DISPATCH_NODE))
		return OP_CLASS_DISPATCH;
	if (key->kind != FACT_CHAIN || key->set != TABLE_NAT)
		return key->kind;
	if (chain_is_entrance(key->set, key->name))
		return OP_CLASS_ENTRANCE;
	if (service_chain_parse(key->name, &chain, hash))
		return OP_CLASS_SERVICE_CHAIN;
	return key->kind;
}

static const struct op_step *op_step_of(const struct op *op)
{
	const enum op_class class = op_class_of(&op->fact.key);
	size_t i = 0;

	while (op_order[i].type != op->type || op_order[i].class != class)
		i++;
	return &op_order[i];
}

bool op_is_slow(const struct op *op)
{
	return op_step_of(op)->slow;
}

bool op_breaks(const struct op *op)
{
	/* It revives (step 6), or gets another share. */
	if (op->type == OP_SET && op->fact.key.kind == FACT_RS && op->fact.val.rs.weight)
		return false;
	return op_step_of(op)->breaks;
}

bool op_step_is_of_kind(const struct op_step *step, enum fact_kind kind)
{
	switch (step->class) {
	case OP_CLASS_DIVERSION:
	case OP_CLASS_EXPOSURE:
	case OP_CLASS_SPREAD:
	case OP_CLASS_DISPATCH:
		return kind == FACT_MEMBER;
	case OP_CLASS_REVIVAL:
		return kind == FACT_RS;
	case OP_CLASS_ENTRY:
		return kind == FACT_JUMP;
	case OP_CLASS_ENTRANCE:
	case OP_CLASS_SERVICE_CHAIN:
		return kind == FACT_CHAIN;
	default:
		return step->class == kind;
	}
}
