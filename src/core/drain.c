// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/drain.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/resolve.h"

enum {
	FIRST_LOOK = 200, /* ms: most endpoints are idle by then */
	LAST_LOOK = 5000, /* the time between looks doubles up to this */
};

/* One real server, or a virtual server (`is_vs`) that is kept for its draining real servers. */
struct draining {
	struct map_node by_key;
	struct fact_key key;
	uint64_t timeout; /* of a virtual server: that of its real servers */
	uint64_t deadline, look_at, wait;
	bool is_vs;
	bool released;	       /* its deletion is on its way: not to be caught again */
	bool busy;	       /* had connections at the last look, */
	uint64_t looked;       /* which was then */
	struct fact_list kept; /* of a virtual server: what was claimed with it */
};

/* What is claimed with virtual servers that are kept, a VIP for instance with several. */
struct kept {
	struct map_node by_key;
	struct fact_key key;
	size_t n; /* virtual servers */
};

/* See drain_expect(). */
struct expected {
	struct map_node by_key;
	struct fact_key vs;
	uint64_t timeout;
};

struct drain {
	struct drain_config config;
	struct claimant claimant;
	struct map map;
	struct map kept;
	struct map expected;
	size_t n_rs;
	uint64_t next;
};

struct drain *drain_new(const struct drain_config *config)
{
	struct drain *d = new0(struct drain);

	d->config = *config;
	d->claimant = (struct claimant){ .born = CLAIMANT_LAST, .name = "draining" };
	d->next = UINT64_MAX;
	return d;
}

static struct draining *draining_of(struct map_node *n)
{
	return container_of(n, struct draining, by_key);
}

static void draining_free(struct draining *r)
{
	fact_list_done(&r->kept);
	free(r);
}

static struct kept *kept_of(struct map_node *n)
{
	return container_of(n, struct kept, by_key);
}

static struct expected *expected_of(struct map_node *n)
{
	return container_of(n, struct expected, by_key);
}

static void forget_expected(struct drain *d)
{
	map_for_each(n, &d->expected)
		free(expected_of(n));
	map_done(&d->expected);
	d->expected = (struct map){ 0 };
}

void drain_free(struct drain *d)
{
	if (!d)
		return;
	map_for_each(n, &d->map)
		draining_free(draining_of(n));
	map_done(&d->map);
	map_for_each(n, &d->kept)
		free(kept_of(n));
	map_done(&d->kept);
	forget_expected(d);
	free(d);
}

void drain_expect(struct drain *d, const struct fact_key *vs, uint64_t timeout)
{
	struct expected *e = new0(struct expected);

	e->vs = *vs;
	e->timeout = timeout;
	map_add(&d->expected, &e->by_key, map_hash(vs, sizeof(*vs)));
}

static struct draining *find(const struct drain *d, const struct fact_key *key)
{
	map_for_each_match(n, &d->map, map_hash(key, sizeof(*key)))
		if (fact_key_eq(&draining_of(n)->key, key))
			return draining_of(n);
	return NULL;
}

static void forget(struct drain *d, struct draining *r)
{
	map_del(&d->map, &r->by_key);
	d->n_rs -= !r->is_vs;
	draining_free(r);
}

/* Its time begins. */
static void begin(struct drain *d, struct draining *r, uint64_t now)
{
	r->deadline = now + r->timeout;
	r->wait = FIRST_LOOK;
	r->look_at = now + r->wait;
	if (r->look_at < d->next)
		d->next = r->look_at;
}

static struct draining *remember(
	struct drain *d, const struct fact_key *key, uint64_t timeout, uint64_t now)
{
	struct draining *r = new0(struct draining);

	r->key = *key;
	r->is_vs = key->kind == FACT_VS;
	r->timeout = timeout;
	map_add(&d->map, &r->by_key, map_hash(key, sizeof(*key)));
	d->n_rs += !r->is_vs;
	begin(d, r, now);
	return r;
}

/* What is about to be deleted, copied out: claims change the queues. */
static void list_leaving(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

static struct kept *find_kept(const struct drain *d, const struct fact_key *key)
{
	map_for_each_match(n, &d->kept, map_hash(key, sizeof(*key)))
		if (fact_key_eq(&kept_of(n)->key, key))
			return kept_of(n);
	return NULL;
}

static void keep(struct drain *d, struct draining *vs, struct fact f)
{
	struct kept *k = find_kept(d, &f.key);
	struct fact_state s;

	if (!ledger_state(d->config.ledger, &f.key, &s) || !s.present || s.foreign)
		return;
	if (!k) {
		k = new0(struct kept);
		k->key = f.key;
		map_add(&d->kept, &k->by_key, map_hash(&f.key, sizeof(f.key)));
	}
	k->n++;
	f.val = s.have;
	ledger_claim(d->config.ledger, &f, &d->claimant);
	fact_list_add(&vs->kept, f);
}

static void let_go(struct drain *d, const struct fact_key *key)
{
	struct kept *k = find_kept(d, key);

	if (--k->n)
		return;
	map_del(&d->kept, &k->by_key);
	free(k);
	ledger_release(d->config.ledger, key, &d->claimant);
}

static void keep_vip(struct drain *d, struct draining *r, const struct ip *ip)
{
	const struct ip none = { 0 };

	keep(d, r, fact_member(SET_IPVS_IPS, ip->family, ip, 0, 0, NULL));
	keep(d, r, fact_route(ip, &none));
	keep(d, r, fact_addr(ip));
}

/* What leads packets to it, and the set members that mark it as ours. */
static void keep_path(struct drain *d, struct draining *r)
{
	static const enum set_id sets[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP, SET_EXTERNAL_IP_LOCAL,
		SET_LOAD_BALANCER, SET_LOCAL_MARK, SET_NODE_PORT_TCP };
	const struct ip ip = fact_ip(&r->key);

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		keep(d, r,
			fact_member(sets[i], r->key.family, &ip, r->key.proto, r->key.port, NULL));
	keep_vip(d, r, &ip);
}

/* Of one that is selected by firewall mark: IPVS knows the packets of its connections without the
 * mark. */
static void keep_marked_path(
	struct drain *d, struct draining *r, const struct fact_list *leaving_members)
{
	for (size_t i = 0; i < leaving_members->n; i++) {
		const struct fact *f = &leaving_members->facts[i];
		const struct ip ip = fact_ip(&f->key);

		if (f->key.set == SET_LOCAL_MARK && f->key.family == r->key.family &&
			f->val.member.mark == fact_fwmark(&r->key))
			keep_vip(d, r, &ip);
	}
}

static uint64_t timeout_of(const struct drain *d, const struct fact_key *vs)
{
	const struct draining *r = find(d, vs);

	if (r)
		return r->timeout;
	map_for_each_match(n, &d->expected, map_hash(vs, sizeof(*vs)))
		if (fact_key_eq(&expected_of(n)->vs, vs))
			return expected_of(n)->timeout;
	return d->config.timeout(vs, d->config.arg);
}

static void catch_virtual_servers(struct drain *d, uint64_t now)
{
	struct fact_list leaving = { 0 }, members = { 0 };

	ledger_each_queued(d->config.ledger, OP_DEL, FACT_VS, list_leaving, &leaving);
	if (leaving.n) /* before any of them is claimed */
		ledger_each_queued(d->config.ledger, OP_DEL, FACT_MEMBER, list_leaving, &members);
	for (size_t i = 0; i < leaving.n; i++) {
		const struct fact_key *key = &leaving.facts[i].key;
		uint64_t timeout = find(d, key) ? 0 : timeout_of(d, key);
		struct draining *r;

		if (!timeout || !ledger_has_children(d->config.ledger, key))
			continue;
		r = remember(d, key, timeout, now);
		keep(d, r, (struct fact){ .key = *key });
		if (key->proto)
			keep_path(d, r);
		else
			keep_marked_path(d, r, &members);
	}
	fact_list_done(&leaving);
	fact_list_done(&members);
}

static void catch_real_servers(struct drain *d, uint64_t now)
{
	struct fact_list leaving = { 0 };

	ledger_each_queued(d->config.ledger, OP_DEL, FACT_RS, list_leaving, &leaving);
	for (size_t i = 0; i < leaving.n; i++) {
		struct fact f = leaving.facts[i];
		struct fact_key vs;
		uint64_t timeout;

		fact_parent(&f.key, &vs);
		timeout = find(d, &f.key) ? 0 : timeout_of(d, &vs);
		if (!timeout)
			continue;
		remember(d, &f.key, timeout, now);
		f.val.rs.weight = 0;
		ledger_claim(d->config.ledger, &f, &d->claimant);
	}
	fact_list_done(&leaving);
}

static bool still_ours(const struct drain *d, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(d->config.ledger, key, &s) && s.present && s.claimant == &d->claimant;
}

struct catching {
	struct drain *d;
	uint64_t now;
};

static void begin_again(const struct fact *f, void *arg)
{
	const struct catching *c = arg;
	struct draining *r = find(c->d, &f->key);

	if (r && !r->released && still_ours(c->d, &f->key))
		begin(c->d, r, c->now);
}

/* Those that take connections still, because their weight waits for what is made before it, or
 * again, because they were wanted since the last look and left once more. */
static void catch_those_with_weight(struct drain *d, uint64_t now)
{
	struct catching c = { .d = d, .now = now };

	if (d->n_rs)
		ledger_each_queued(d->config.ledger, OP_SET, FACT_RS, begin_again, &c);
}

/* Virtual servers first: one that is kept brings its real servers up for deletion. */
void drain_catch(struct drain *d, uint64_t now)
{
	catch_virtual_servers(d, now);
	catch_real_servers(d, now);
	catch_those_with_weight(d, now);
	forget_expected(d);
}

struct look {
	const struct drain *d;
	uint64_t now;
};

static void look_at_conns(const struct rs_conns *c, void *arg)
{
	const struct look *look = arg;
	struct draining *r = find(look->d, &c->key);

	if (!r)
		return;
	r->looked = look->now;
	r->busy = c->active || c->inactive;
}

/* Reads all real servers of its virtual server at once, for itself and the others that drain there.
 */
static bool busy(const struct drain *d, struct draining *r, uint64_t now)
{
	struct look look = { .d = d, .now = now };
	struct fact_key vs;

	if (r->looked == now)
		return r->busy;
	fact_parent(&r->key, &vs);
	r->busy = false;
	return d->config.conns(&vs, look_at_conns, &look, d->config.arg) < 0 || r->busy;
}

/* A virtual server with what was kept for it. */
static void release(struct drain *d, struct draining *r)
{
	for (size_t i = 0; i < r->kept.n; i++)
		let_go(d, &r->kept.facts[i].key);
	if (!r->is_vs)
		ledger_release(d->config.ledger, &r->key, &d->claimant);
	r->kept.n = 0;
	r->released = true;
}

static void poll_real_server(struct drain *d, struct draining *r, uint64_t now)
{
	if (now >= r->deadline || !still_ours(d, &r->key) || !busy(d, r, now)) {
		release(d, r);
		return;
	}
	r->wait = r->wait * 2 < LAST_LOOK ? r->wait * 2 : LAST_LOOK;
	r->look_at = now + r->wait < r->deadline ? now + r->wait : r->deadline;
}

static void poll_virtual_server(struct drain *d, struct draining *r, uint64_t now)
{
	r->look_at = now + r->wait;
	if (!still_ours(d, &r->key) || !ledger_has_children(d->config.ledger, &r->key))
		release(d, r);
}

static void poll_one(struct drain *d, struct draining *r, uint64_t now)
{
	struct fact_state s;

	if (r->released) {
		/* Caught again only if somebody wanted it meanwhile, or when it comes back later.
		 */
		if (!ledger_state(d->config.ledger, &r->key, &s) || !s.present || s.wanted)
			forget(d, r);
		else
			r->look_at = now + LAST_LOOK;
		return;
	}
	if (now < r->look_at)
		return;
	if (r->is_vs)
		poll_virtual_server(d, r, now);
	else
		poll_real_server(d, r, now);
}

void drain_poll(struct drain *d, uint64_t now)
{
	if (now < d->next)
		return;
	map_for_each(n, &d->map)
		poll_one(d, draining_of(n), now);
	d->next = UINT64_MAX;
	map_for_each(n, &d->map)
		if (draining_of(n)->look_at < d->next)
			d->next = draining_of(n)->look_at;
	if (d->next <= now)
		d->next = now + 1;
}

void drain_release_all(struct drain *d)
{
	map_for_each(n, &d->map)
		if (!draining_of(n)->released)
			release(d, draining_of(n));
}

uint64_t drain_next(const struct drain *d)
{
	return d->next;
}

size_t drain_count(const struct drain *d)
{
	return d->n_rs;
}

const struct claimant *drain_claimant(const struct drain *d)
{
	return &d->claimant;
}
