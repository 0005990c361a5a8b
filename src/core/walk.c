// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/walk.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum {
	MAX_WORDS = 64, /* of one rule */
	MAX_RULE = 1024,
	MAX_DEPTH = 8, /* of chains that call each other */
};

enum verdict { CONTINUE, RETURN, ACCEPT, DROP, REJECT, MASQUERADE, TRANSLATE, UNREADABLE };

static void add_jump(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct walk *w = arg;

	if (!state->wanted)
		return;
	mem_grow(w->jumps, w->n_jumps, w->cap_jumps);
	w->jumps[w->n_jumps++] = *key;
}

static int cmp_jump(const void *a, const void *b)
{
	return fact_key_cmp(a, b);
}

void walk_init(struct walk *w, const struct ledger *ledger, const struct text_pool *texts,
	const struct node_view *view)
{
	*w = (struct walk){ .ledger = ledger, .texts = texts, .view = view };
	ledger_each(ledger, FACT_JUMP, add_jump, w);
	if (w->n_jumps)
		qsort(w->jumps, w->n_jumps, sizeof(*w->jumps), cmp_jump);
}

void walk_done(struct walk *w)
{
	free(w->jumps);
	*w = (struct walk){ 0 };
}

const char *walk_source_name(enum walk_source source)
{
	static const char *const names[] = {
		[WALK_POD] = "pod",
		[WALK_NODE] = "node",
		[WALK_OUTSIDE] = "outside",
	};

	return names[source];
}

enum walk_source walk_source_of(const struct node_view *view, const struct ip *ip)
{
	const struct cidr *pods = node_view_local_cidr(view, ip->family);

	if (node_view_is_local(view, ip) || ip_is_loopback(ip))
		return WALK_NODE;
	return pods && cidr_contains(pods, ip) ? WALK_POD : WALK_OUTSIDE;
}

/* Sets */

static bool wanted(const struct walk *w, const struct fact *f, struct fact_state *ret)
{
	return ledger_state(w->ledger, &f->key, ret) && ret->wanted;
}

static bool in_net_set(
	const struct walk *w, enum set_id id, const struct walk_packet *p, struct fact_state *ret)
{
	for (int len = ip_bits(p->src.family); len >= 0; len--) {
		struct cidr net = { .ip = p->src, .len = (uint8_t)len };
		struct fact f;

		for (int bit = len; bit < ip_bits(p->src.family); bit++)
			net.ip.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
		f = fact_member(id, p->dst.family, &p->dst, p->proto, p->port, &net);
		if (wanted(w, &f, ret))
			return true;
	}
	return false;
}

/* "KUBE-CLUSTER-IP dst,dst": of the ports only that of the destination is known, and is meant. */
static bool in_set(const struct walk *w, const struct walk_packet *p, const char *name,
	const char *dirs, struct fact_state *ret)
{
	const struct cidr src = { .ip = p->src, .len = ip_bits(p->src.family) };
	const struct ip *first = strncmp(dirs, "src", 3) ? &p->dst : &p->src;
	struct fact f;
	enum set_id id;
	int family;

	if (!set_by_name(name, &id, &family) || family != p->dst.family)
		return false;
	if (set_info(id)->type == SET_TYPE_HASH_IP_PORT_NET)
		return in_net_set(w, id, p, ret);
	f = fact_member(id, family, first, p->proto, p->port, &src);
	return wanted(w, &f, ret);
}

/* One rule */

struct rule {
	char text[MAX_RULE];
	char *words[MAX_WORDS];
	size_t n;
};

/* Splits at blanks; what stands in quotes is one word. False: it is too long. */
static bool split(struct rule *r, const struct walk_rule *line)
{
	char *s = r->text;

	r->n = 0;
	if (line->len >= sizeof(r->text))
		return false;
	memcpy(s, line->text, line->len);
	s[line->len] = '\0';
	while (*s) {
		char *end = *s == '"' ? strchr(s + 1, '"') : NULL;

		if (r->n == MAX_WORDS)
			return false;
		r->words[r->n++] = s;
		s = strchrnul(end ? end : s, ' ');
		if (*s)
			*s++ = '\0';
	}
	return true;
}

/* Where in the rule we are; reading past its end gives "". */
struct cursor {
	const struct rule *rule;
	size_t at;
	bool unreadable;
};

static const char *next(struct cursor *c)
{
	return c->at < c->rule->n ? c->rule->words[c->at++] : "";
}

static bool next_is(struct cursor *c, const char *word)
{
	if (c->at >= c->rule->n || strcmp(c->rule->words[c->at], word) != 0)
		return false;
	c->at++;
	return true;
}

static bool unreadable(struct cursor *c)
{
	c->unreadable = true;
	return false;
}

static bool match_address(struct cursor *c, const struct ip *ip)
{
	struct cidr net;

	return cidr_parse(next(c), &net) ? unreadable(c) : cidr_contains(&net, ip);
}

/* Our rules name the interfaces of pods and no others. */
static bool match_interface(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	size_t len = strlen(w->view->options->interface);
	const char *name = next(c);

	if (!len || strncmp(name, w->view->options->interface, len) != 0)
		return unreadable(c);
	return p->source == WALK_POD;
}

static bool match_mark(struct cursor *c, const struct walk_packet *p)
{
	bool not = next_is(c, "!");
	unsigned long value, mask = UINT32_MAX;
	char *end;

	if (!next_is(c, "--mark"))
		return unreadable(c);
	value = strtoul(next(c), &end, 0);
	if (*end == '/')
		mask = strtoul(end + 1, NULL, 0);
	return ((p->mark & mask) == value) != not ;
}

static bool match_set(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	bool not = next_is(c, "!");
	struct fact_state state;
	const char *name;

	if (!next_is(c, "--match-set"))
		return unreadable(c);
	name = next(c);
	return in_set(w, p, name, next(c), &state) != not ;
}

/* A node's address, or a VIP. */
static bool is_local(const struct walk *w, const struct ip *ip)
{
	const struct ip none = { 0 };
	const struct fact route = fact_route(ip, &none), addr = fact_addr(ip);
	struct fact_state state;

	return node_view_is_local(w->view, ip) || ip_is_loopback(ip) || wanted(w, &route, &state) ||
		wanted(w, &addr, &state);
}

static bool match_addrtype(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	bool source = next_is(c, "--src-type");

	if ((!source && !next_is(c, "--dst-type")) || !next_is(c, "LOCAL"))
		return unreadable(c);
	return is_local(w, source ? &p->src : &p->dst);
}

/* It is the first packet of its connection. */
static bool match_conntrack(struct cursor *c)
{
	if (!next_is(c, "--ctstate"))
		return unreadable(c);
	return strstr(next(c), "NEW");
}

static bool match_icmp(struct cursor *c)
{
	next(c);
	next(c);
	return false;
}

static bool match_module(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	if (next_is(c, "set"))
		return match_set(c, w, p);
	if (next_is(c, "addrtype"))
		return match_addrtype(c, w, p);
	if (next_is(c, "mark"))
		return match_mark(c, p);
	if (next_is(c, "conntrack"))
		return match_conntrack(c);
	if (next_is(c, "icmp") || next_is(c, "icmp6"))
		return match_icmp(c);
	if (!next_is(c, "comment") || !next_is(c, "--comment"))
		return unreadable(c);
	next(c);
	return true;
}

static bool match_one(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	bool not = next_is(c, "!"), yes;

	if (next_is(c, "-m"))
		return match_module(c, w, p);
	if (next_is(c, "-s"))
		yes = match_address(c, &p->src);
	else if (next_is(c, "-d"))
		yes = match_address(c, &p->dst);
	else if (next_is(c, "-i"))
		yes = match_interface(c, w, p);
	else if (next_is(c, "-p"))
		yes = !strcasecmp(next(c), proto_name(p->proto));
	else
		return unreadable(c);
	return yes != not ;
}

/* All that stands before the target. What is behind a match that fails is not read. */
static bool matches(struct cursor *c, const struct walk *w, const struct walk_packet *p)
{
	while (!next_is(c, "-j")) {
		if (c->at >= c->rule->n)
			return unreadable(c);
		if (!match_one(c, w, p) || c->unreadable)
			return false;
	}
	return true;
}

/* Targets */

static enum verdict set_mark(struct cursor *c, struct walk_packet *p)
{
	unsigned long value, mask = UINT32_MAX;
	char *end;

	if (!next_is(c, "--set-xmark"))
		return UNREADABLE;
	value = strtoul(next(c), &end, 0);
	if (*end == '/')
		mask = strtoul(end + 1, NULL, 0);
	p->mark = (p->mark & ~(uint32_t)mask) ^ (uint32_t)value;
	return CONTINUE;
}

static enum verdict map_mark(struct cursor *c, const struct walk *w, struct walk_packet *p)
{
	struct fact_state state;
	const char *name;

	if (!next_is(c, "--map-set"))
		return UNREADABLE;
	name = next(c);
	if (in_set(w, p, name, next(c), &state))
		p->mark = (p->mark & ~state.want.member.mask) | state.want.member.mark;
	return next_is(c, "--map-mark") ? CONTINUE : UNREADABLE;
}

struct run {
	const struct walk *walk;
	enum table table;
	struct walk_packet *packet;
	struct walk_rule decided, marked;
	struct fact_key entry; /* that led to a Service's chains */
	char chain[CHAIN_NAME_LEN + 1];
	const char *choice;
};

static enum verdict run_chain(struct run *r, const char *name, unsigned depth);

/* What the tree of chains under KUBE-DISPATCH or KUBE-NODEPORTS finds. */
static enum verdict dispatch(struct run *r, bool node_port, unsigned depth)
{
	static const char any_hash[SERVICE_HASH_LEN] = { 0 };
	const struct walk_packet *p = r->packet;
	const struct ip any = { .family = p->dst.family };
	const struct fact entry = fact_dispatch(
		node_port ? &any : &p->dst, p->port, p->proto, SERVICE_CHAIN_SVC, any_hash);
	char name[CHAIN_NAME_LEN + 1];
	struct fact_state state;

	if (!wanted(r->walk, &entry, &state))
		return CONTINUE;
	r->entry = entry.key;
	service_chain_name(state.want.dispatch.chain, state.want.dispatch.hash, name);
	return run_chain(r, name, depth + 1);
}

static enum verdict run_target(struct run *r, struct cursor *c, unsigned depth)
{
	static const struct {
		const char *name;
		enum verdict verdict;
	} final[] = {
		{ "RETURN", RETURN },
		{ "ACCEPT", ACCEPT },
		{ "DROP", DROP },
		{ "REJECT", REJECT },
		{ "MASQUERADE", MASQUERADE },
	};
	enum verdict v;

	if (next_is(c, "MARK"))
		return set_mark(c, r->packet);
	if (next_is(c, "SET"))
		return map_mark(c, r->walk, r->packet);
	for (size_t i = 0; i < ARRAY_SIZE(final); i++)
		if (next_is(c, final[i].name))
			return final[i].verdict;
	if (next_is(c, "KUBE-DISPATCH"))
		v = dispatch(r, false, depth);
	else if (next_is(c, "KUBE-NODEPORTS"))
		v = dispatch(r, true, depth);
	else
		v = run_chain(r, next(c), depth + 1);
	return v == RETURN ? CONTINUE : v;
}

static enum verdict run_rule(struct run *r, const struct walk_rule *line, unsigned depth)
{
	const uint32_t masquerade = UINT32_C(1) << r->walk->view->options->masquerade_bit;
	uint32_t before = r->packet->mark;
	enum verdict v = UNREADABLE;
	struct rule rule;
	struct cursor c = { .rule = &rule, .at = 2 }; /* behind "-A CHAIN" */

	if (split(&rule, line)) {
		if (matches(&c, r->walk, r->packet))
			v = run_target(r, &c, depth);
		else if (!c.unreadable)
			v = CONTINUE;
	}
	if (v > ACCEPT && v != TRANSLATE && !r->decided.text)
		r->decided = *line;
	if (~before & r->packet->mark & masquerade)
		r->marked = *line;
	return v;
}

/* The rules of a chain that is wanted; NULL: there is none. */
static const char *chain_text(const struct run *r, const char *name)
{
	const struct fact chain = fact_chain(r->packet->dst.family, r->table, name, 0);
	struct fact_state state;

	if (strlen(name) > CHAIN_NAME_LEN || !wanted(r->walk, &chain, &state))
		return NULL;
	return text_get(r->walk->texts, state.want.chain.text);
}

/* A list of endpoints is told as a whole: which one it will be is chance. One without any is left
 * again. */
static bool is_choice(struct run *r, const char *name, const char *text)
{
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	if (!*text || !service_chain_parse(name, &chain, hash) ||
		(chain != SERVICE_CHAIN_SVC && chain != SERVICE_CHAIN_SVL))
		return false;
	strcpy(r->chain, name);
	r->choice = text;
	return true;
}

/* The callers of chains are our own texts: the depth is their limit, not a guess. */
static enum verdict run_chain(struct run *r, const char *name, unsigned depth)
{
	const char *text = depth < MAX_DEPTH ? chain_text(r, name) : NULL;

	if (!text)
		return UNREADABLE;
	if (is_choice(r, name, text))
		return TRANSLATE;
	for (const char *end; *text && (end = strchr(text, '\n')); text = end + 1) {
		const struct walk_rule line = { .text = text, .len = (size_t)(end - text) };
		enum verdict v = run_rule(r, &line, depth);

		if (v != CONTINUE)
			return v;
	}
	return RETURN;
}

/* All chains of ours in one place. */
static enum verdict run_hook(struct run *r, enum table table, enum hook hook)
{
	r->table = table;
	for (size_t i = 0; i < r->walk->n_jumps; i++) {
		const struct fact_key *key = &r->walk->jumps[i];
		enum verdict v;

		if (key->set != table || key->port != hook || key->family != r->packet->dst.family)
			continue;
		v = run_chain(r, key->name, 0);
		if (v != RETURN)
			return v;
	}
	return RETURN;
}

/* Paths */

static bool stops(enum verdict v, enum walk_end *ret)
{
	switch (v) {
	case CONTINUE:
	case RETURN:
	case ACCEPT:
	case MASQUERADE:
		return false;
	case TRANSLATE:
		*ret = WALK_FORWARDED;
		return true;
	case DROP:
		*ret = WALK_DROPPED;
		return true;
	case REJECT:
		*ret = WALK_REJECTED;
		return true;
	case UNREADABLE:
		*ret = WALK_UNREADABLE;
		return true;
	}
	return false;
}

/* ip_vs_service_find(): a mark comes first, and all of its 32 bits count. */
static bool find_vs(const struct walk *w, const struct walk_packet *p, struct fact_key *ret)
{
	const struct fact by_mark = fact_vs_fwmark(p->dst.family, p->mark);
	const struct fact by_address = fact_vs(&p->dst, p->port, p->proto);
	struct fact_state state;

	if (p->mark && wanted(w, &by_mark, &state)) {
		*ret = by_mark.key;
		return true;
	}
	*ret = by_address.key;
	return wanted(w, &by_address, &state);
}

struct place {
	enum table table;
	enum hook hook;
};

/*
 * IPVS takes packets of others in LOCAL_IN behind all filters, and the node's own in LOCAL_OUT
 * before them (net/netfilter/ipvs/ip_vs_core.c, ip_vs_ops). Without it what is not translated comes
 * to INPUT in both cases, as every VIP is local.
 */
static const struct place from_others[] = { { TABLE_MANGLE, HOOK_PREROUTING },
	{ TABLE_NAT, HOOK_PREROUTING }, { TABLE_MANGLE, HOOK_INPUT },
	{ TABLE_FILTER, HOOK_INPUT } };
static const struct place own[] = { { TABLE_MANGLE, HOOK_OUTPUT }, { TABLE_NAT, HOOK_OUTPUT },
	{ TABLE_FILTER, HOOK_INPUT } };

void walk_to_vs(const struct walk *w, const struct walk_packet *p, struct walk_path *ret)
{
	const bool iptables = w->view->backend == BACKEND_IPTABLES;
	const bool is_own = p->source == WALK_NODE;
	const struct place *places = is_own ? own : from_others;
	const size_t n = is_own ? ARRAY_SIZE(own) - !iptables : ARRAY_SIZE(from_others);
	struct walk_path path = { .packet = *p };
	struct run r = { .walk = w, .packet = &path.packet };
	bool stopped = false;

	for (size_t i = 0; i < n && !stopped; i++)
		stopped = stops(run_hook(&r, places[i].table, places[i].hook), &path.end);
	if (!stopped)
		path.end = find_vs(w, &path.packet, &path.vs) ? WALK_FORWARDED : WALK_NOBODY;
	else if (r.choice)
		path.vs = r.entry;
	path.rule = r.decided;
	path.masquerade = r.marked;
	path.choice = r.choice;
	strcpy(path.chain, r.chain);
	*ret = path;
}

bool walk_leads_to(
	const struct walk *w, const struct walk_path *path, const struct ip *ip, uint16_t port)
{
	_cleanup_(buf_done) struct buf comment = { 0 };
	struct fact_state state;
	char s[IP_PORT_STRLEN];
	struct fact rs;

	if (path->end != WALK_FORWARDED)
		return false;
	if (path->choice) {
		buf_addf(&comment, " -> %s\"", ip_print_port(ip, port, s));
		return strstr(path->choice, buf_str(&comment));
	}
	rs = fact_rs(&path->vs, ip, port, 0);
	return wanted(w, &rs, &state) && state.claimant->born != CLAIMANT_LAST;
}

bool walk_masqueraded(const struct walk *w, const struct walk_path *path, const struct ip *ip,
	uint16_t port, struct walk_rule *ret)
{
	struct walk_packet p = path->packet;
	struct run r = { .walk = w, .packet = &p };
	enum verdict v;

	p.dst = *ip;
	p.port = port;
	v = run_hook(&r, TABLE_NAT, HOOK_POSTROUTING);
	if (v != MASQUERADE)
		return false;
	*ret = p.mark != path->packet.mark && path->masquerade.text ? path->masquerade : r.decided;
	return true;
}
