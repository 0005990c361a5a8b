// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One Service on nftables: elements of maps, and no rule or chain of its own, because the kernel
 * looks through all maps that lead to chains whenever a rule is added or such a map changes.
 *
 * An address and port has
 *
 * 1. an entry that says among how many slots a connection chooses;
 * 2. further entries where pods or the node choose among other slots;
 * 3. for each slot an element that leads to an endpoint.
 *
 * The chains that choose are those of spreads (core/spread.h), which Services share. When an
 * endpoint comes or goes, slots are added or changed first, then the entries, and then slots that
 * are left over are deleted, so that each slot that is chosen leads to an endpoint at any time.
 *
 * With session affinity the rules note in SET_CLIENTS which endpoint a client got. The client gets
 * that endpoint again as long as the Service has it (SET_AFFINITY).
 *
 * The node's rules (resolve_node.c) and the sets that they refer to are those of the iptables
 * backend: filter refuses or drops what no entry has translated.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"

/* One port while its facts are made. */
struct port_slots {
	const struct resolver *r;
	const struct served_port *p;
	uint16_t *share[2]; /* of each endpoint: of all, of those of this node */
	uint16_t slots[2];
};

void resolve_spread(const struct resolver *r, int family, const struct spread *s)
{
	struct rule rules[5] = { 0 };
	char name[CHAIN_NAME_LEN + 1];
	struct rule_list list = { 0 };
	struct spread forgetful = *s;
	size_t n = 0;

	forgetful.affinity = 0;
	if (s->flags & SPREAD_MASQUERADE)
		rules[n++].target = jump_to("KUBE-MARK-MASQ");
	if (s->affinity) {
		rules[n++].target = (struct rule_target){ TARGET_RECALL, .spread = *s };
		rules[n++].target = (struct rule_target){ TARGET_FORGET, .spread = *s };
		rules[n++].target = (struct rule_target){ TARGET_SLOT, .spread = *s };
	}
	/* With affinity, where there is no room to note the client. */
	rules[n++].target = (struct rule_target){ TARGET_SLOT, .spread = forgetful };
	for (size_t i = 0; i < n; i++)
		rule_list_add(&list, &rules[i]);
	fact_list_add(r->out,
		fact_chain(family, TABLE_NAT, spread_chain_name(s, name),
			rule_pool_put(r->pool, &list)));
	fact_list_add(r->out, fact_member_spread(family, s));
	rule_list_done(&list);
}

static void use_spread(const struct port_slots *c, const struct spread *s, bool ret_used[static 2])
{
	if (!s->slots)
		return;
	resolve_spread(c->r, c->p->family, s);
	ret_used[!!(s->flags & SPREAD_LOCAL)] = true;
}

/* The slots of that policy at an address and port. */
static void add_slots(const struct port_slots *c, const struct ip *ip, uint16_t port, bool local)
{
	const enum set_id set = local ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS;
	const enum set_id affinity = local ? SET_AFFINITY_LOCAL : SET_AFFINITY;
	const uint8_t proto = c->p->port->proto;
	uint16_t slot = 0;

	for (size_t i = 0; i < c->p->endpoints.n; i++) {
		const struct candidate *ep = &c->p->endpoints.eps[i];
		const struct cidr self = { .ip = ep->ip, .len = ip_bits(c->p->family) };

		for (uint16_t k = 0; k < c->share[local][i]; k++)
			fact_list_add(c->r->out,
				fact_slot(set, ip, port, proto, slot++, &ep->ip, ep->port));
		if (c->share[local][i] && c->p->service->affinity_client_ip) {
			struct fact f = fact_member(affinity, c->p->family, ip, proto, port, &self);

			memcpy(f.val.endpoint.addr, ep->ip.bytes, sizeof(f.val.endpoint.addr));
			f.val.endpoint.port = ep->port;
			fact_list_add(c->r->out, f);
		}
	}
}

/*
 * With the policy Local clients keep their addresses and reach the endpoints here; pods of this
 * node and the node itself may use all, and the node's packets are masqueraded, since its source
 * address may be one that no endpoint could answer.
 */
static struct spread spread_for(
	const struct port_slots *c, const struct frontend *fe, enum packet_source from)
{
	const bool external = fe->kind != FRONTEND_CLUSTER_IP;
	const bool local = fe->local && (!external || from == FROM_OUTSIDE);
	const struct service *service = c->p->service;
	struct spread s = { .slots = c->slots[local], .flags = SPREAD_ENTRY };

	if (!s.slots)
		return s;
	s.affinity = service->affinity_client_ip ? service->affinity_timeout : 0;
	s.flags |= local ? SPREAD_LOCAL : 0;
	s.flags |= fe->kind == FRONTEND_NODE_PORT ? SPREAD_NODE_PORT : 0;
	s.flags |= external && (!fe->local || from == FROM_NODE) ? SPREAD_MASQUERADE : 0;
	return s;
}

static void add_entry(const struct port_slots *c, const struct frontend *fe)
{
	static const struct {
		enum packet_source from;
		enum set_id set;
	} others[] = { { FROM_POD, SET_DISPATCH_POD }, { FROM_NODE, SET_DISPATCH_NODE } };
	const uint8_t proto = c->p->port->proto;
	const struct spread outside = spread_for(c, fe, FROM_OUTSIDE);
	bool used[2] = { false, false };

	fact_list_add(c->r->out, fact_dispatch_spread(&fe->ip, fe->port, proto, &outside));
	use_spread(c, &outside, used);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct fact f =
			fact_member(others[i].set, c->p->family, &fe->ip, proto, fe->port, NULL);

		f.val.spread = spread_for(c, fe, others[i].from);
		if (!memcmp(&f.val.spread, &outside, sizeof(outside)))
			continue;
		fact_list_add(c->r->out, f);
		use_spread(c, &f.val.spread, used);
	}
	for (int local = 0; local < 2; local++)
		if (used[local])
			add_slots(c, &fe->ip, fe->port, local);
}

void resolve_nftables_port(const struct resolver *r, const struct served_port *p)
{
	struct port_slots c = { .r = r, .p = p };

	for (int local = 0; local < 2; local++) {
		c.share[local] = mem_zalloc(p->endpoints.n, sizeof(*c.share[local]));
		c.slots[local] = spread_share(&p->endpoints, local, c.share[local]);
	}
	for (size_t i = 0; i < p->frontends.n; i++) {
		const struct frontend *fe = &p->frontends.fes[i];

		if (fe->kind != FRONTEND_NODE_PORT)
			add_entry(&c, fe);
		if (!c.slots[fe->local])
			fact_list_add(r->out, resolve_without_endpoints(p, fe));
	}
	/* One entry stands for all addresses that carry node ports. */
	if (p->port->node_port && !served_port_lost_node_port(p))
		add_entry(&c,
			&(struct frontend){ .kind = FRONTEND_NODE_PORT,
				.ip.family = (uint8_t)p->family,
				.port = p->port->node_port,
				.local = service_external_local(p->service) });
	if (p->service->affinity_client_ip)
		fact_list_add(r->out, fact_set(SET_CLIENTS, p->family));
	for (int local = 0; local < 2; local++)
		free(c.share[local]);
}
