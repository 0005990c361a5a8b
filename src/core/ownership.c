// SPDX-License-Identifier: GPL-2.0-or-later
#include "ownership.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

static bool has_member(const struct ownership *o, enum set_id set, const struct fact_key *vs)
{
	struct ip ip = fact_ip(vs);
	struct fact member = fact_member(set, vs->family, &ip, vs->proto, vs->port, NULL);
	struct fact_state s;

	if (ledger_state(o->ledger, &member.key, &s) && s.present)
		return true;
	return o->n_earlier &&
		bsearch(&member, o->earlier, o->n_earlier, sizeof(member), fact_compare);
}

struct mark_search {
	uint32_t mark;
	bool found;
};

static void match_member_mark(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct mark_search *s = arg;

	if (key->set == SET_LOCAL_MARK && state->present && state->have.member.mark == s->mark)
		s->found = true;
}

static bool has_mark(const struct ownership *o, uint32_t mark)
{
	struct mark_search search = { .mark = mark };

	ledger_each(o->ledger, FACT_MEMBER, match_member_mark, &search);
	for (size_t i = 0; i < o->n_earlier; i++)
		search.found |= o->earlier[i].key.set == SET_LOCAL_MARK &&
			o->earlier[i].val.member.mark == mark;
	return search.found;
}

static bool has_vip(const struct ledger *l, const struct node_view *view, const struct ip *ip)
{
	const struct ip no_source = { 0 };
	const struct fact facts[] = { fact_route(ip, &no_source), fact_addr(ip),
		fact_route_in_table(ip, view->options->external_table) };
	struct fact_state s;

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (ledger_state(l, &facts[i].key, &s) && s.present)
			return true;
	return false;
}

/*
 * The sets tell who made a virtual server: ours is a member of one of them, since members are added
 * before it and deleted after it, by us as by kube-proxy. NodePorts are sets of ports, for the
 * node's own addresses.
 */
static bool sets_have_virtual_server(const struct ownership *o, const struct fact_key *vs)
{
	static const enum set_id portals[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP,
		SET_EXTERNAL_IP_LOCAL, SET_LOAD_BALANCER, SET_NODE_PORT_SCTP };
	struct ip ip = fact_ip(vs);

	/*
	 * The bits of the mask are ours alone. A mark of an earlier mask is in our set, unless the
	 * daemon was killed just then: members that lead to a virtual server are added after it and
	 * deleted before it.
	 */
	if (!vs->proto)
		return !(fact_fwmark(vs) & ~o->view->options->mark_mask) ||
			has_mark(o, fact_fwmark(vs));
	for (size_t i = 0; i < ARRAY_SIZE(portals); i++)
		if (has_member(o, portals[i], vs))
			return true;
	if (!node_view_is_local(o->view, &ip))
		return false;
	return (vs->proto == IPPROTO_TCP && has_member(o, SET_NODE_PORT_TCP, vs)) ||
		(vs->proto == IPPROTO_UDP && has_member(o, SET_NODE_PORT_UDP, vs));
}

/* Cluster IPs are allocated, so that other programs have no use for them. */
static bool is_wanted_cluster_ip(const struct ledger *l, const struct fact_key *vs)
{
	const struct ip ip = fact_ip(vs);
	const struct fact member =
		fact_member(SET_CLUSTER_IP, vs->family, &ip, vs->proto, vs->port, NULL);
	struct fact_state s;

	return ledger_state(l, &member.key, &s) && s.wanted;
}

bool ownership_of_wanted(
	const struct ownership *o, const struct fact *found, const struct fact_val *wanted)
{
	const struct ledger *l = o->ledger;
	const struct node_view *view = o->view;
	const struct fact_key *key = &found->key;
	const struct ip ip = fact_ip(key);

	if (key->kind != FACT_VS || view->options->adopt_foreign ||
		sets_have_virtual_server(o, key))
		return true;
	if (!key->proto)
		return false;
	if (has_vip(l, view, &ip) && !o->n_earlier && !ledger_counts_of(l, FACT_MEMBER)->present)
		return true;
	return fact_val_eq(&found->val, wanted) &&
		(has_vip(l, view, &ip) || is_wanted_cluster_ip(l, key));
}

bool ownership_is_ours(const struct ownership *o, const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	switch ((enum fact_kind)key->kind) {
	case FACT_VS:
		return (!key->proto || !options_excluded(o->view->options, &ip)) &&
			sets_have_virtual_server(o, key);
	case FACT_ADDR:
		return !options_excluded(o->view->options, &ip) && has_member(o, SET_IPVS_IPS, key);
	case FACT_LINK: /* by their names; routes and policy rules by their protocol number */
	case FACT_POLICY_RULE:
	case FACT_SET:
	case FACT_MEMBER:
	case FACT_CHAIN:
	case FACT_DISPATCH:
	case FACT_JUMP:
	case FACT_RS:
	case FACT_HELD:
	case FACT_ROUTE:
	case FACT_KINDS:
		return true;
	}
	return true;
}
