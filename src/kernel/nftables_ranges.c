// SPDX-License-Identifier: GPL-2.0-or-later
#include "nftables_ranges.h"

#include <stdlib.h>

#include "base/mem.h"
#include "nftables_chains.h"
#include "nftables_msg.h"
#include "nftables_set.h"

enum { RANGES = 64 /* that are deleted at once: the others move to a new set */ };

struct range {
	struct map_node by_key;
	struct fact fact;
};

static uint32_t range_hash(const struct fact_key *key)
{
	return map_hash(key, sizeof(*key));
}

int nftables_ranges_read(struct nftables_ranges *ret, struct nftables_wire *w, int family)
{
	const struct fact set = fact_set(SET_LOAD_BALANCER_SOURCE_CIDR, family);
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	const int error = nftables_wire_members(w, &set.key, &l);

	if (error)
		nftables_generation_forget(&w->generation);
	for (size_t i = 0; !error && i < l.n; i++) {
		struct range *r = new0(struct range);

		r->fact = l.facts[i];
		map_add(&ret->by_key, &r->by_key, range_hash(&r->fact.key));
	}
	return error;
}

void nftables_ranges_done(struct nftables_ranges *ranges)
{
	map_for_each_entry(struct range, it, &ranges->by_key, by_key)
		free(it);
	map_done(&ranges->by_key);
}

/*
 * A range that lies within one which is there is refused, and Linux 6.1 says that it was added. A
 * Service never wants both (cidrs_reduce()), so the wider one makes way in the same transaction.
 */
void nftables_ranges_remove_wider(struct nftables_ranges *ranges, struct nftables_requests *r,
	int owner, const struct fact *f)
{
	struct fact_key wider = f->key;

	while (wider.port2) {
		wider.port2--;
		wider.addr2[wider.port2 / 8] &= (uint8_t) ~(0x80u >> wider.port2 % 8);
		map_for_each_match_entry(
			struct range, it, &ranges->by_key, range_hash(&wider), by_key) {
			if (!fact_key_eq(&it->fact.key, &wider))
				continue;
			nftables_requests_add(
				r, owner, nftables_msg_member(NFT_MSG_DELSETELEM, &it->fact));
			map_del(&ranges->by_key, &it->by_key);
			free(it);
			break;
		}
	}
}

/* A new set of ranges */

static bool deletes_range(const struct op *op, int family)
{
	const struct fact_key *key = &op->fact.key;

	return op->type == OP_DEL && key->kind == FACT_MEMBER && key->family == family &&
		key->set == SET_LOAD_BALANCER_SOURCE_CIDR;
}

/* Not of a chain that others have changed. */
static bool chain_has_set(const struct nftables_wire *w, const struct fact *chain, enum set_id set)
{
	const struct rule_list *list = rule_pool_get(w->pool, chain->val.chain.rules);
	struct rule rule;
	size_t at = 0;

	while (list && rule_list_next(list, &at, &rule))
		if (rule_has_set(&rule, set))
			return true;
	return false;
}

/* The set can be deleted only while no rule has it, so the chains that have it are written again. */
static void add_new_set(const struct nftables_wire *w, struct nftables_requests *r,
	const struct fact_key *set, struct nftables_ranges *ranges, const struct fact_list *chains)
{
	char name[NFTABLES_CHAIN_LEN + 1];

	for (size_t i = 0; i < chains->n; i++) {
		const struct fact_key *key = &chains->facts[i].key;

		nftables_chain_name(key->set, key->name, name);
		if (chain_has_set(w, &chains->facts[i], set->set))
			nftables_requests_add(r, 0, nftables_msg_flush(key->family, name));
	}
	nftables_requests_add(r, 0, nftables_msg_set(NFT_MSG_DELSET, set));
	nftables_requests_add(r, 0, nftables_msg_set(NFT_MSG_NEWSET, set));
	map_for_each_entry(struct range, it, &ranges->by_key, by_key)
		nftables_requests_add(r, 0, nftables_msg_member(NFT_MSG_NEWSETELEM, &it->fact));
	for (size_t i = 0; i < chains->n; i++) {
		const struct fact *chain = &chains->facts[i];

		nftables_chain_name(chain->key.set, chain->key.name, name);
		if (chain_has_set(w, chain, set->set))
			nftables_requests_add_rules(r, 0, w, name, chain);
	}
}

/*
 * To delete one of 10,000 ranges takes the kernel 14 ms, in which nobody else can write: it shifts
 * all others (pipapo_drop()). To add 10,000 to a new set takes 0.7 s. So many deletes are carried
 * out by a new set in place of the old one; where that fails, one by one.
 */
void nftables_ranges_rebuild(struct nftables_wire *w, int family, struct op *ops, size_t n)
{
	const struct fact set = fact_set(SET_LOAD_BALANCER_SOURCE_CIDR, family);
	struct op rebuild = { .type = OP_SET, .fact = set, .result = NFTABLES_PENDING };
	struct nftables_chains chains = { 0 };
	struct nftables_requests r = { 0 };
	struct nftables_ranges ranges = { 0 };
	size_t n_deletes = 0;

	for (size_t i = 0; i < n; i++)
		n_deletes += deletes_range(&ops[i], family);
	if (n_deletes < RANGES)
		return;
	if (nftables_ranges_read(&ranges, w, family) ||
		nftables_chains_read(w->port, family, w->pool, w->mark_mask, &chains)) {
		nftables_ranges_done(&ranges);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct fact_key *key = &ops[i].fact.key;

		map_for_each_match_entry(
			struct range, it, &ranges.by_key, range_hash(key), by_key) {
			if (!deletes_range(&ops[i], family) || !fact_key_eq(&it->fact.key, key))
				continue;
			map_del(&ranges.by_key, &it->by_key);
			free(it);
			break;
		}
	}
	add_new_set(w, &r, &set.key, &ranges, &chains.chains);
	if (nftables_transact(w, &r, false, &rebuild, 1))
		for (size_t i = 0; i < n; i++)
			if (deletes_range(&ops[i], family))
				ops[i].result = 0;
	nftables_chains_done(&chains);
	nftables_ranges_done(&ranges);
}
