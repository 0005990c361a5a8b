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

/* A real server that drains, or a virtual server that stays for its draining real servers. */
struct drain_fact {
	struct map_node by_key;
	struct fact_key key;
	uint64_t timeout; /* of a virtual server: for its real servers */
	uint64_t deadline, look_at, wait;
	bool is_vs;
	bool listed;	       /* at the last look: there is no deadline */
	bool released;	       /* its delete is queued: not to be caught again */
	bool ended;	       /* of a virtual server: its real servers may not drain any more */
	bool busy;	       /* had connections at the last look, ... */
	uint64_t looked;       /* ... which was then */
	struct fact_list kept; /* of a virtual server: itself and the path to it, as claimed */
};

/* A fact on the path to virtual servers that stay; several may share it, for instance a VIP. */
struct drain_kept {
	struct map_node by_key;
	struct fact_key key;
	size_t n; /* virtual servers */
};

/* See drain_expect(). */
struct drain_expected {
	struct map_node by_key;
	struct fact_key vs;
	uint64_t timeout;
};

struct drain {
	struct drain_config config;
	struct claimant claimant;
	struct map facts;
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

void drain_free(struct drain *d)
{
	if (!d)
		return;
	map_for_each_entry(struct drain_fact, f, &d->facts, by_key) {
		fact_list_done(&f->kept);
		free(f);
	}
	map_for_each_entry(struct drain_kept, k, &d->kept, by_key)
		free(k);
	map_for_each_entry(struct drain_expected, e, &d->expected, by_key)
		free(e);
	map_done(&d->facts);
	map_done(&d->kept);
	map_done(&d->expected);
	free(d);
}

static struct drain_fact *drain_find(const struct drain *d, const struct fact_key *key)
{
	const uint32_t hash = map_hash(key, sizeof(*key));

	map_for_each_match_entry(struct drain_fact, f, &d->facts, hash, by_key)
		if (fact_key_eq(&f->key, key))
			return f;
	return NULL;
}

static struct drain_kept *drain_find_kept(const struct drain *d, const struct fact_key *key)
{
	const uint32_t hash = map_hash(key, sizeof(*key));

	map_for_each_match_entry(struct drain_kept, k, &d->kept, hash, by_key)
		if (fact_key_eq(&k->key, key))
			return k;
	return NULL;
}

void drain_expect(struct drain *d, const struct fact_key *vs, uint64_t timeout)
{
	struct drain_expected *e = new0(struct drain_expected);

	e->vs = *vs;
	e->timeout = timeout;
	map_add(&d->expected, &e->by_key, map_hash(vs, sizeof(*vs)));
}

static uint64_t drain_timeout_of(const struct drain *d, const struct fact_key *vs)
{
	const struct drain_fact *f = drain_find(d, vs);
	const uint32_t hash = map_hash(vs, sizeof(*vs));

	if (!d->config.may_drain(vs, d->config.arg))
		return 0;
	if (f)
		return f->timeout;
	map_for_each_match_entry(struct drain_expected, e, &d->expected, hash, by_key)
		if (fact_key_eq(&e->vs, vs))
			return e->timeout;
	return d->config.timeout(vs, d->config.arg);
}

/* Catching */

static void drain_start_timer(struct drain *d, struct drain_fact *f, uint64_t now)
{
	f->deadline = now + f->timeout;
	f->wait = FIRST_LOOK;
	f->look_at = now + f->wait;
	if (f->look_at < d->next)
		d->next = f->look_at;
}

static struct drain_fact *drain_add(
	struct drain *d, const struct fact_key *key, uint64_t timeout, uint64_t now)
{
	struct drain_fact *f = new0(struct drain_fact);

	f->key = *key;
	f->is_vs = key->kind == FACT_VS;
	f->timeout = timeout;
	map_add(&d->facts, &f->by_key, map_hash(key, sizeof(*key)));
	d->n_rs += !f->is_vs;
	drain_start_timer(d, f, now);
	return f;
}

/* Claims a fact for a virtual server, as it is in the kernel; nothing where it is not there. */
static void drain_keep(struct drain *d, struct drain_fact *vs, struct fact f)
{
	struct drain_kept *k = drain_find_kept(d, &f.key);
	struct fact_state s;

	if (!ledger_state(d->config.ledger, &f.key, &s) || !s.present || s.foreign)
		return;
	if (!k) {
		k = new0(struct drain_kept);
		k->key = f.key;
		map_add(&d->kept, &k->by_key, map_hash(&f.key, sizeof(f.key)));
	}
	k->n++;
	f.val = s.have;
	ledger_claim(d->config.ledger, &f, &d->claimant);
	fact_list_add(&vs->kept, f);
}

/* The address, or one port of an address that stays with its owner. */
static void drain_keep_vip(
	struct drain *d, struct drain_fact *vs, const struct ip *ip, uint8_t proto, uint16_t port)
{
	const struct ip none = { 0 };

	drain_keep(d, vs, fact_member(SET_IPVS_IPS, ip->family, ip, 0, 0, NULL));
	drain_keep(d, vs, fact_route(ip, &none));
	drain_keep(d, vs, fact_addr(ip));
	drain_keep(d, vs, fact_held(ip));
	drain_keep(d, vs, fact_route_in_table(ip, d->config.external_table));
	drain_keep(d, vs, fact_member(SET_EXTERNAL_PORT, ip->family, ip, proto, port, NULL));
}

/*
 * Claims what leads packets to the virtual server, and the set members that mark it as ours. Of one
 * that is selected by firewall mark only the VIPs: IPVS knows the packets of its connections
 * without the mark.
 */
static void drain_keep_path(
	struct drain *d, struct drain_fact *vs, const struct fact_list *leaving_members)
{
	static const enum set_id sets[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP, SET_EXTERNAL_IP_LOCAL,
		SET_LOAD_BALANCER, SET_LOCAL_MARK, SET_NODE_PORT_TCP };
	const struct fact_key *key = &vs->key;
	const struct ip ip = fact_ip(key);

	if (key->proto) {
		for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
			drain_keep(d, vs,
				fact_member(
					sets[i], key->family, &ip, key->proto, key->port, NULL));
		drain_keep_vip(d, vs, &ip, key->proto, key->port);
		return;
	}
	for (size_t i = 0; i < leaving_members->n; i++) {
		const struct fact *m = &leaving_members->facts[i];
		const struct ip vip = fact_ip(&m->key);

		if (fact_diverts(&m->key) && m->key.family == key->family &&
			m->val.member.mark == fact_fwmark(key))
			drain_keep_vip(d, vs, &vip, m->key.proto, m->key.port);
	}
}

/* Queued facts are copied before any is claimed, as claims change the queues. */
static void drain_copy_fact(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

static bool drain_owns(const struct drain *d, const struct fact_key *key)
{
	struct fact_state s;

	return ledger_state(d->config.ledger, key, &s) && s.present && s.claimant == &d->claimant;
}

void drain_catch(struct drain *d, uint64_t now)
{
	struct ledger *l = d->config.ledger;
	struct fact_list virtual_servers = { 0 }, members = { 0 };
	struct fact_list real_servers = { 0 }, changing = { 0 };

	/* A virtual server that has real servers stays for them, with the path to it. */
	ledger_each_queued(l, OP_DEL, FACT_VS, drain_copy_fact, &virtual_servers);
	if (virtual_servers.n)
		ledger_each_queued(l, OP_DEL, FACT_MEMBER, drain_copy_fact, &members);
	for (size_t i = 0; i < virtual_servers.n; i++) {
		const struct fact_key *key = &virtual_servers.facts[i].key;
		uint64_t timeout = drain_find(d, key) ? 0 : drain_timeout_of(d, key);
		struct drain_fact *vs;

		if (!timeout || !ledger_has_children(l, key))
			continue;
		vs = drain_add(d, key, timeout, now);
		drain_keep(d, vs, (struct fact){ .key = *key });
		drain_keep_path(d, vs, &members);
	}

	/* Now that their virtual server stays, the deletes of its real servers are queued, too. */
	ledger_each_queued(l, OP_DEL, FACT_RS, drain_copy_fact, &real_servers);
	for (size_t i = 0; i < real_servers.n; i++) {
		struct fact rs = real_servers.facts[i];
		struct fact_key vs;
		uint64_t timeout;

		fact_parent(&rs.key, &vs);
		timeout = drain_find(d, &rs.key) ? 0 : drain_timeout_of(d, &vs);
		if (!timeout)
			continue;
		drain_add(d, &rs.key, timeout, now);
		rs.val.rs.weight = 0;
		ledger_claim(l, &rs, &d->claimant);
	}

	/* A real server takes new connections until its weight of 0 is set. The operation may wait
	 * for others, or the endpoint came back since the last look and has left again. */
	if (d->n_rs)
		ledger_each_queued(l, OP_SET, FACT_RS, drain_copy_fact, &changing);
	for (size_t i = 0; i < changing.n; i++) {
		const struct fact_key *key = &changing.facts[i].key;
		struct drain_fact *f = drain_find(d, key);

		if (f && !f->released && drain_owns(d, key))
			drain_start_timer(d, f, now);
	}

	map_for_each_entry(struct drain_expected, e, &d->expected, by_key)
		free(e);
	map_done(&d->expected);
	fact_list_done(&virtual_servers);
	fact_list_done(&members);
	fact_list_done(&real_servers);
	fact_list_done(&changing);
}

/* Looking */

/* With a virtual server, what was kept for it. */
static void drain_release(struct drain *d, struct drain_fact *f)
{
	for (size_t i = 0; i < f->kept.n; i++) {
		const struct fact_key *key = &f->kept.facts[i].key;
		struct drain_kept *k = drain_find_kept(d, key);

		if (--k->n)
			continue;
		map_del(&d->kept, &k->by_key);
		free(k);
		ledger_release(d->config.ledger, key, &d->claimant);
	}
	if (!f->is_vs)
		ledger_release(d->config.ledger, &f->key, &d->claimant);
	f->kept.n = 0;
	f->released = true;
}

struct drain_look {
	const struct drain *d;
	uint64_t now;
};

static void drain_note_conns(const struct rs_conns *c, void *arg)
{
	const struct drain_look *look = arg;
	struct drain_fact *f = drain_find(look->d, &c->key);

	if (!f)
		return;
	f->looked = look->now;
	f->busy = c->active || c->inactive;
}

/* The time-out begins when the endpoint is found to be deleted. */
static void drain_postpone(const struct drain *d, struct drain_fact *rs, uint64_t now)
{
	const bool listed = d->config.listed && d->config.listed(&rs->key, d->config.arg);

	if (listed)
		rs->deadline = UINT64_MAX;
	else if (rs->listed)
		rs->deadline = now + rs->timeout;
	rs->listed = listed;
}

/* Releases virtual servers that may not drain any more, with their real servers. */
static void drain_end(struct drain *d, uint64_t now)
{
	struct fact_key key;
	bool any = false;

	map_for_each_entry(struct drain_fact, vs, &d->facts, by_key) {
		if (!vs->is_vs || vs->released || now < vs->look_at ||
			d->config.may_drain(&vs->key, d->config.arg))
			continue;
		vs->ended = any = true;
		drain_release(d, vs);
	}
	if (!any)
		return;
	map_for_each_entry(struct drain_fact, rs, &d->facts, by_key) {
		const struct drain_fact *vs;

		if (rs->is_vs || rs->released)
			continue;
		fact_parent(&rs->key, &key);
		vs = drain_find(d, &key);
		if (vs && vs->ended)
			drain_release(d, rs);
	}
}

uint64_t drain_poll(struct drain *d, uint64_t now)
{
	struct drain_look look = { .d = d, .now = now };
	struct ledger *l = d->config.ledger;
	struct fact_state s;
	struct fact_key vs;
	bool busy;

	if (now < d->next)
		return d->next;
	drain_end(d, now);
	map_for_each_entry(struct drain_fact, f, &d->facts, by_key) {
		if (f->released) {
			/* Remembered until it is deleted or wanted again, so as not to be caught
			 * twice. */
			f->look_at = now + LAST_LOOK;
			if (ledger_state(l, &f->key, &s) && s.present && !s.wanted)
				continue;
			map_del(&d->facts, &f->by_key);
			d->n_rs -= !f->is_vs;
			fact_list_done(&f->kept);
			free(f);
			continue;
		}
		if (now < f->look_at)
			continue;

		if (f->is_vs) {
			f->look_at = now + f->wait;
			if (!drain_owns(d, &f->key) || !ledger_has_children(l, &f->key))
				drain_release(d, f);
			continue;
		}
		drain_postpone(d, f, now);
		busy = now < f->deadline && drain_owns(d, &f->key);
		/* One reading serves all real servers of the virtual server that drain. Connections
		 * that cannot be counted are assumed. */
		if (busy && f->looked != now) {
			fact_parent(&f->key, &vs);
			f->busy = false;
			if (d->config.conns(&vs, drain_note_conns, &look, d->config.arg) < 0)
				f->busy = true;
		}
		if (!busy || !f->busy) {
			drain_release(d, f);
		} else {
			f->wait = f->wait * 2 < LAST_LOOK ? f->wait * 2 : LAST_LOOK;
			f->look_at = now + f->wait < f->deadline ? now + f->wait : f->deadline;
		}
	}

	d->next = UINT64_MAX;
	map_for_each_entry(struct drain_fact, f, &d->facts, by_key)
		if (f->look_at < d->next)
			d->next = f->look_at;
	if (d->next <= now)
		d->next = now + 1;
	return d->next;
}

void drain_release_all(struct drain *d)
{
	map_for_each_entry(struct drain_fact, f, &d->facts, by_key)
		if (!f->released)
			drain_release(d, f);
}

size_t drain_count(const struct drain *d)
{
	return d->n_rs;
}
