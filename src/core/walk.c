// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/walk.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"

enum { MAX_DEPTH = 8 /* of chains that call each other */ };

enum verdict {
	VERDICT_CONTINUE, /* with the next rule */
	VERDICT_RETURN,
	VERDICT_ACCEPT,
	VERDICT_DROP,
	VERDICT_REJECT,
	VERDICT_MASQUERADE,
	VERDICT_TRANSLATE,
	VERDICT_UNREADABLE,
};

static void collect_jump(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct walk *w = arg;

	if (state->wanted)
		fact_list_add(&w->jumps, (struct fact){ .key = *key });
}

void walk_init(struct walk *w, const struct ledger *ledger, const struct rule_pool *pool,
	const struct node_view *view)
{
	*w = (struct walk){ .ledger = ledger, .pool = pool, .view = view };
	ledger_each(ledger, FACT_JUMP, collect_jump, w);
	fact_list_finish(&w->jumps);
}

void walk_done(struct walk *w)
{
	fact_list_done(&w->jumps);
	*w = (struct walk){ 0 };
}

enum packet_source walk_source_of(const struct node_view *view, const struct ip *ip)
{
	const struct cidr *pods = node_view_local_cidr(view, ip->family);

	if (node_view_is_local(view, ip) || ip_kind(ip) == IP_LOOPBACK)
		return FROM_NODE;
	return pods && cidr_contains(pods, ip) ? FROM_POD : FROM_OUTSIDE;
}

/* Sets */

static bool is_desired(const struct walk *w, const struct fact *f, struct fact_state *ret)
{
	return ledger_state(w->ledger, &f->key, ret) && ret->wanted;
}

/* Of the ports only that of the destination is known, and is looked up. */
static bool in_set(const struct walk *w, const struct walk_packet *p, enum set_id id,
	enum set_dirs dirs, struct fact_state *ret)
{
	const int family = p->dst.family, bits = ip_bits(p->src.family);
	const bool from_source = dirs == DIRS_SRC || dirs == DIRS_SRC_DST;
	const bool has_nets = set_info(id)->type == SET_TYPE_HASH_IP_PORT_NET;
	struct cidr src = { .ip = p->src, .len = (uint8_t)bits };
	bool found = false;

	/* In a set of networks the source is looked up with every prefix, the longest first. */
	for (int len = bits; !found && len >= (has_nets ? 0 : bits); len--) {
		struct fact f;

		if (len < bits)
			src.ip.bytes[len / 8] &= (uint8_t) ~(0x80u >> len % 8);
		src.len = (uint8_t)len;
		f = fact_member(
			id, family, from_source ? &p->src : &p->dst, p->proto, p->port, &src);
		found = is_desired(w, &f, ret);
	}
	return found;
}

/* The address is one of the node, or a VIP that is taken as a whole. */
static bool is_local(const struct walk *w, const struct ip *ip)
{
	const struct ip no_source = { 0 };
	const struct fact route = fact_route(ip, &no_source), addr = fact_addr(ip);
	struct fact_state state;

	return node_view_is_local(w->view, ip) || ip_kind(ip) == IP_LOOPBACK ||
		is_desired(w, &route, &state) || is_desired(w, &addr, &state);
}

/* Rules */

/* Where a packet is on its way. */
struct walk_run {
	const struct walk *walk;
	enum table table;
	struct walk_packet *packet;
	struct walk_rule decided, marked;
	struct fact_key entry; /* that led to a Service's chains */
	/* As in struct walk_path: */
	char chain[CHAIN_NAME_LEN + 1];
	const struct rule_list *choice;
	struct spread spread;
};

/* Whether the packet, the first one of its connection, has what the match asks for. */
static bool match_holds(const struct walk *w, const struct walk_packet *p,
	const struct rule_match *m, bool *unreadable)
{
	const bool source = m->type == MATCH_SOURCE || m->type == MATCH_SOURCE_LOCAL;
	const struct ip *ip = source ? &p->src : &p->dst;
	struct fact_state state;
	bool in_net;

	switch ((enum match)m->type) {
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
		in_net = m->net.ip.family == ip->family;
		for (size_t i = 0; i < sizeof(ip->bytes); i++)
			in_net = in_net && (ip->bytes[i] & m->net.mask[i]) == m->net.ip.bytes[i];
		return in_net;
	case MATCH_INTERFACE: /* our rules name the interfaces of pods and no others */
		*unreadable = strcmp(m->interface, w->view->options->interface) != 0;
		return p->source == FROM_POD;
	case MATCH_PROTOCOL:
		return m->protocol == p->proto;
	case MATCH_PORTS:
		return m->ports.first <= p->port && p->port <= m->ports.last;
	case MATCH_ICMP_ECHO:
		return false;
	case MATCH_SET:
		return in_set(w, p, m->set.id, m->set.dirs, &state);
	case MATCH_MARK:
		return (p->mark & m->mark.mask) == m->mark.value;
	case MATCH_STATES:
		return m->states & STATE_NEW;
	case MATCH_SOURCE_LOCAL:
	case MATCH_DESTINATION_LOCAL:
		return is_local(w, ip);
	case MATCH_SHARE: /* stand in lists of endpoints only, which are not run */
	case MATCH_REMEMBER:
	case MATCH_REMEMBERED:
	case MATCH_ANY:
	case MATCHES:
		break;
	}
	*unreadable = true;
	return false;
}

static enum verdict run_chain(struct walk_run *r, const char *name, unsigned depth);

/* Looks up what the tree of chains under CHAIN_DISPATCH or CHAIN_DISPATCH_PORTS would find. */
static enum verdict run_dispatch(struct walk_run *r, bool node_port, unsigned depth)
{
	static const char any_hash[SERVICE_HASH_LEN] = { 0 };
	const struct walk_packet *p = r->packet;
	const struct ip any = { .family = p->dst.family };
	const struct fact entry = fact_dispatch(
		node_port ? &any : &p->dst, p->port, p->proto, SERVICE_CHAIN_SVC, any_hash);
	char name[CHAIN_NAME_LEN + 1];
	struct fact_state state;

	if (!is_desired(r->walk, &entry, &state))
		return VERDICT_RETURN;
	r->entry = entry.key;
	service_chain_name(state.want.dispatch.chain, state.want.dispatch.hash, name);
	return run_chain(r, name, depth + 1);
}

/* A chain that is left again leads on behind the one that went to it. */
static enum verdict run_spread(struct walk_run *r, const struct rule_target *t, unsigned depth)
{
	static const char no_hash[SERVICE_HASH_LEN] = { 0 };
	const struct walk_packet *p = r->packet;
	const struct ip any = { .family = p->dst.family };
	const struct ip *ip = t->dispatch.node_port ? &any : &p->dst;
	const struct fact entry = fact_dispatch(ip, p->port, p->proto, SERVICE_CHAIN_SVC, no_hash);
	const struct fact other =
		fact_member(t->dispatch.set, ip->family, ip, p->proto, p->port, NULL);
	struct fact_state state;

	if (!is_desired(r->walk, t->dispatch.set == SET_DISPATCH ? &entry : &other, &state) ||
		!state.want.spread.slots)
		return VERDICT_CONTINUE;
	r->entry = entry.key;
	spread_chain_name(&state.want.spread, r->chain);
	return run_chain(r, r->chain, depth + 1);
}

static enum verdict run_jump(struct walk_run *r, const char *chain, unsigned depth)
{
	const bool tree = r->walk->view->backend == BACKEND_IPTABLES;

	if (tree && !strcmp(chain, CHAIN_DISPATCH))
		return run_dispatch(r, false, depth);
	if (tree && !strcmp(chain, CHAIN_DISPATCH_PORTS))
		return run_dispatch(r, true, depth);
	return run_chain(r, chain, depth + 1);
}

static enum verdict run_target(struct walk_run *r, const struct rule_target *t, unsigned depth)
{
	struct walk_packet *p = r->packet;
	struct fact_state state;
	enum verdict v;

	switch ((enum target)t->type) {
	case TARGET_NONE:
		return VERDICT_CONTINUE;
	case TARGET_JUMP:
	case TARGET_GOTO:
		v = run_jump(r, t->chain, depth);
		return v == VERDICT_RETURN && t->type == TARGET_JUMP ? VERDICT_CONTINUE : v;
	case TARGET_RETURN:
		return VERDICT_RETURN;
	case TARGET_ACCEPT:
		return VERDICT_ACCEPT;
	case TARGET_DROP:
		return VERDICT_DROP;
	case TARGET_REJECT:
		return VERDICT_REJECT;
	case TARGET_MARK:
		p->mark = (p->mark & ~t->mark.mask) ^ t->mark.value;
		return VERDICT_CONTINUE;
	case TARGET_MAP_MARK:
		if (in_set(r->walk, p, t->set.id, t->set.dirs, &state))
			p->mark = (p->mark & ~state.want.member.mask) | state.want.member.mark;
		return VERDICT_CONTINUE;
	case TARGET_MASQUERADE:
		return VERDICT_MASQUERADE;
	case TARGET_SPREAD:
		return run_spread(r, t, depth);
	case TARGET_RECALL: /* the first packet of its client */
	case TARGET_FORGET:
		return VERDICT_CONTINUE;
	case TARGET_SLOT:
		r->spread = t->spread;
		return VERDICT_TRANSLATE;
	case TARGET_DNAT:
	case TARGETS:
		break;
	}
	return VERDICT_UNREADABLE;
}

static enum verdict run_rule(
	struct walk_run *r, const char *chain, const struct rule *rule, unsigned depth)
{
	const uint32_t masquerade = UINT32_C(1) << r->walk->view->options->masquerade_bit;
	const uint32_t before = r->packet->mark;
	struct walk_rule here = { .table = r->table, .rule = *rule };
	bool holds = true, unreadable = false;
	enum verdict v = VERDICT_CONTINUE;

	/* What stands behind a match that fails is not looked at. */
	rule_for_each_match(m, rule)
		if (holds)
			holds = match_holds(r->walk, r->packet, m, &unreadable) != m->negated &&
				!unreadable;
	if (unreadable)
		v = VERDICT_UNREADABLE;
	else if (holds)
		v = run_target(r, &rule->target, depth);
	snprintf(here.chain, sizeof(here.chain), "%s", chain);
	if (v > VERDICT_ACCEPT && v != VERDICT_TRANSLATE && !*r->decided.chain)
		r->decided = here;
	if (~before & r->packet->mark & masquerade)
		r->marked = here;
	return v;
}

/* The rules of a chain that is wanted; NULL: there is none. */
static const struct rule_list *chain_rules(
	const struct walk *w, int family, enum table table, const char *name)
{
	const struct fact chain = fact_chain(family, table, name, 0);
	struct fact_state state;

	if (!is_desired(w, &chain, &state))
		return NULL;
	return rule_pool_get(w->pool, state.want.chain.rules);
}

/* The callers of chains are our own rules: the depth is their limit, not a guess. */
static enum verdict run_chain(struct walk_run *r, const char *name, unsigned depth)
{
	const struct rule_list *rules = depth < MAX_DEPTH
		? chain_rules(r->walk, r->packet->dst.family, r->table, name)
		: NULL;
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;
	struct rule rule;

	if (!rules)
		return VERDICT_UNREADABLE;
	/* A list of endpoints is told as a whole, because the choice is chance. A list without any
	 * is left again. */
	if (rules->n && service_chain_parse(name, &chain, hash) &&
		(chain == SERVICE_CHAIN_SVC || chain == SERVICE_CHAIN_SVL)) {
		snprintf(r->chain, sizeof(r->chain), "%s", name);
		r->choice = rules;
		return VERDICT_TRANSLATE;
	}
	for (size_t at = 0; rule_list_next(rules, &at, &rule);) {
		enum verdict v = run_rule(r, name, &rule, depth);

		if (v != VERDICT_CONTINUE)
			return v;
	}
	return VERDICT_RETURN;
}

/* All chains of ours in one place. */
static enum verdict run_hook(struct walk_run *r, enum table table, enum hook hook)
{
	r->table = table;
	for (size_t i = 0; i < r->walk->jumps.n; i++) {
		const struct fact_key *key = &r->walk->jumps.facts[i].key;
		enum verdict v;

		if (key->set != table || key->port != hook || key->family != r->packet->dst.family)
			continue;
		v = run_chain(r, key->name, 0);
		if (v != VERDICT_RETURN)
			return v;
	}
	return VERDICT_RETURN;
}

/* Paths */

/* Whether the packet goes no further; then *ret says why. */
static bool ends_walk(enum verdict v, enum walk_end *ret)
{
	switch (v) {
	case VERDICT_CONTINUE:
	case VERDICT_RETURN:
	case VERDICT_ACCEPT:
	case VERDICT_MASQUERADE:
		return false;
	case VERDICT_TRANSLATE:
		*ret = WALK_FORWARDED;
		break;
	case VERDICT_DROP:
		*ret = WALK_DROPPED;
		break;
	case VERDICT_REJECT:
		*ret = WALK_REJECTED;
		break;
	case VERDICT_UNREADABLE:
		*ret = WALK_UNREADABLE;
		break;
	}
	return true;
}

struct place {
	enum table table;
	enum hook hook;
};

/*
 * IPVS takes packets of others in LOCAL_IN behind all filters, and the node's own in LOCAL_OUT
 * before them (net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops). Without IPVS, untranslated packets
 * come to INPUT in both cases where the VIP is local.
 */
static const struct place from_others[] = { { TABLE_MANGLE, HOOK_PREROUTING },
	{ TABLE_NAT, HOOK_PREROUTING }, { TABLE_MANGLE, HOOK_INPUT },
	{ TABLE_FILTER, HOOK_INPUT } };
static const struct place own[] = { { TABLE_MANGLE, HOOK_OUTPUT }, { TABLE_NAT, HOOK_OUTPUT },
	{ TABLE_FILTER, HOOK_INPUT } };

static bool comes_to_input(const struct walk *w, const struct walk_packet *p)
{
	const struct options *o = w->view->options;
	const struct fact taken = fact_route_in_table(&p->dst, o->external_table);
	struct fact_state state;

	return is_local(w, &p->dst) ||
		(p->mark & UINT32_C(1) << o->external_mark_bit && is_desired(w, &taken, &state));
}

void walk_to_vs(const struct walk *w, const struct walk_packet *p, struct walk_path *ret)
{
	const bool translates = node_view_translates(w->view);
	const bool is_own = p->source == FROM_NODE;
	const struct place *places = is_own ? own : from_others;
	const size_t n = is_own ? ARRAY_SIZE(own) - !translates : ARRAY_SIZE(from_others);
	struct walk_path path = { .packet = *p };
	struct walk_run r = { .walk = w, .packet = &path.packet };
	struct fact vs = fact_vs(&p->dst, p->port, p->proto);
	struct fact_state state;
	bool stopped = false, routed = false, local = true;

	for (size_t i = 0; i < n && !stopped; i++) {
		enum hook hook = places[i].hook;

		if (hook == HOOK_INPUT && !routed) {
			local = comes_to_input(w, &path.packet);
			routed = true;
		}
		/* A packet to an address that stays with its owner goes on to it. */
		if (hook == HOOK_INPUT && !local)
			hook = is_own ? HOOK_OUTPUT : HOOK_FORWARD;
		stopped = ends_walk(run_hook(&r, places[i].table, hook), &path.end);
	}
	if (!stopped && !local && !translates) {
		path.end = WALK_NOBODY;
	} else if (!stopped) {
		/* ip_vs_service_find(): a mark comes first, and all of its 32 bits count. */
		const struct fact marked = fact_vs_fwmark(p->dst.family, path.packet.mark);

		if (path.packet.mark && is_desired(w, &marked, &state))
			vs = marked;
		path.vs = vs.key;
		path.end = is_desired(w, &vs, &state) ? WALK_FORWARDED : WALK_NOBODY;
	} else if (path.end == WALK_FORWARDED) {
		path.vs = r.entry;
		path.choice = r.choice;
		path.spread = r.spread;
		strcpy(path.chain, r.chain);
	}
	path.rule = r.decided;
	path.masquerade = r.marked;
	*ret = path;
}

static void spread_leads_to(const struct walk *w, const struct walk_path *path,
	const struct endpoint_list *endpoints, bool *ret)
{
	const struct spread *s = &path->spread;
	const enum set_id set = s->flags & SPREAD_LOCAL ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS;
	const struct ip vip = fact_ip(&path->vs), unknown = { 0 };
	struct fact_state state;

	for (unsigned slot = 0; slot < s->slots; slot++) {
		const struct fact f = fact_slot(
			set, &vip, path->vs.port, path->vs.proto, (uint16_t)slot, &unknown, 0);
		const struct candidate *ep;
		struct ip ip;

		if (!is_desired(w, &f, &state))
			continue;
		ip = ip_make(vip.family, state.want.endpoint.addr);
		ep = endpoints_find(endpoints, &ip, state.want.endpoint.port);
		if (ep)
			ret[ep - endpoints->eps] = true;
	}
}

void walk_leads_to(const struct walk *w, const struct walk_path *path,
	const struct endpoint_list *endpoints, bool *ret)
{
	const bool forwarded = path->end == WALK_FORWARDED;
	struct fact_state state;
	struct rule rule, last;

	for (size_t i = 0; i < endpoints->n; i++) {
		const struct candidate *ep = &endpoints->eps[i];
		const struct fact rs = fact_rs(&path->vs, &ep->ip, ep->port, 0);

		ret[i] = forwarded && !*path->chain && is_desired(w, &rs, &state) &&
			state.claimant->born != CLAIMANT_LAST;
	}
	if (path->spread.slots)
		spread_leads_to(w, path, endpoints, ret);
	for (size_t at = 0;
		forwarded && path->choice && rule_list_next(path->choice, &at, &rule);) {
		const struct rule_list *chain = rule.target.type == TARGET_JUMP
			? chain_rules(w, path->packet.dst.family, TABLE_NAT, rule.target.chain)
			: NULL;

		for (size_t k = 0; chain && rule_list_next(chain, &k, &last);) {
			const struct candidate *ep = last.target.type == TARGET_DNAT
				? endpoints_find(endpoints, &last.target.to.ip, last.target.to.port)
				: NULL;

			if (ep)
				ret[ep - endpoints->eps] = true;
		}
	}
}

bool walk_masqueraded(const struct walk *w, const struct walk_path *path, const struct ip *ip,
	uint16_t port, struct walk_rule *ret)
{
	struct walk_packet p = path->packet;
	struct walk_run r = { .walk = w, .packet = &p };
	enum verdict v;

	p.dst = *ip;
	p.port = port;
	v = run_hook(&r, TABLE_NAT, HOOK_POSTROUTING);
	if (v != VERDICT_MASQUERADE)
		return false;
	*ret = p.mark != path->packet.mark && *path->masquerade.chain ? path->masquerade
								      : r.decided;
	return true;
}
