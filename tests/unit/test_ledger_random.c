// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random histories of a ledger and a kernel: claims that conflict, calls that fail, answers that
 * are lost, edits and deletions behind our back, audits that break off, leftovers of a previous
 * life. When all of that has stopped, the kernel must hold what an oracle says, which knows
 * nothing of operations; and what belongs to others must have survived all the time.
 *
 * An argument is the number of histories, a second one the first seed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/ledger.h"
#include "core/resolve.h"
#include "fake/kernel.h"

enum {
	HISTORIES = 3000,
	STEPS = 40,
	ADDRESSES = 10,
	FOREIGN = 8, /* the addresses from this one on are used by others, too */
	REAL_SERVERS = 6,
	NODE = 0, /* the claimant of the device and the sets */
	LAST = 7,
	CLAIMANTS,
	MAX_BATCH = 16,
	FOREVER = 100000, /* rounds of work */
};

struct history {
	unsigned long seed;
	uint64_t random;
	struct ledger *ledger;
	struct fake_kernel kernel;
	struct claimant who[CLAIMANTS];
	char name[CLAIMANTS][8];
	struct fact_list claims[CLAIMANTS]; /* as published */
	struct claims published[CLAIMANTS]; /* as the ledger has them */
	struct fact_list others;	    /* what belongs to others */
	uint64_t now;
	bool faults;
};

/* splitmix64 */
static unsigned rnd(struct history *h, unsigned n)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

static void check(const struct history *h, bool ok, const char *what)
{
	if (!ok)
		fail_msg("%s; history %lu, to be run again with the arguments 1 %lu", what, h->seed,
			h->seed);
}

static int fault(const struct op *op, void *arg)
{
	struct history *h = arg;

	(void)op;
	if (!h->faults)
		return 0;
	if (!rnd(h, 12))
		return rnd(h, 2) ? -EINVAL : -ENOBUFS; /* not done in both cases */
	return rnd(h, 30) ? 0 : FAKE_ANSWER_LOST;
}

static struct ip address(unsigned i)
{
	return ip_make(AF_INET, (uint8_t[]){ 10, 96, 0, (uint8_t)(i + 1) });
}

static struct fact make_vs(struct history *h, unsigned i)
{
	struct ip ip = address(i);
	struct fact f = fact_vs(&ip, 80, IPPROTO_TCP);

	strcpy(f.val.vs.scheduler, rnd(h, 3) ? "rr" : "mh");
	return f;
}

static struct fact make_rs(struct history *h, const struct fact_key *vs, unsigned i)
{
	struct ip ip = ip_make(AF_INET, (uint8_t[]){ 10, 244, 0, (uint8_t)(i + 1) });

	return fact_rs(vs, &ip, 8080, rnd(h, 3));
}

static struct fact make_route(struct history *h, unsigned i)
{
	struct ip ip = address(i), source = address(100 + rnd(h, 2));

	return fact_route(&ip, &source);
}

static struct fact make_member(enum set_id set, unsigned i)
{
	struct ip ip = address(i);

	return fact_member(set, AF_INET, &ip, IPPROTO_TCP, 80, NULL);
}

static struct fact make_addr(unsigned i)
{
	struct ip ip = address(i);

	return fact_addr(&ip);
}

/* A virtual server with some real servers. */
static void add_virtual_server(struct history *h, unsigned i, struct fact_list *ret)
{
	struct fact vs = make_vs(h, i);

	fact_list_add(ret, vs);
	for (unsigned rs = 0; rs < REAL_SERVERS; rs++)
		if (rnd(h, 2))
			fact_list_add(ret, make_rs(h, &vs.key, rs));
}

/* What may lie in a kernel of one address. */
static void add_address(struct history *h, unsigned i, struct fact_list *ret)
{
	if (rnd(h, 8))
		add_virtual_server(h, i, ret);
	if (rnd(h, 2))
		fact_list_add(ret, make_route(h, i));
	if (rnd(h, 2))
		fact_list_add(ret, make_addr(i));
	if (rnd(h, 2))
		fact_list_add(ret, make_member(SET_CLUSTER_IP, i));
	if (rnd(h, 2))
		fact_list_add(ret, make_member(SET_IPVS_IPS, i));
}

static void claims_of_node(struct history *h, struct fact_list *ret)
{
	if (rnd(h, 8))
		fact_list_add(ret, fact_link(LINK_VIPS));
	if (rnd(h, 8))
		fact_list_add(ret, fact_set(SET_CLUSTER_IP, AF_INET));
	if (rnd(h, 8))
		fact_list_add(ret, fact_set(SET_IPVS_IPS, AF_INET));
}

static void claims_of_service(struct history *h, unsigned who, struct fact_list *ret)
{
	if (!rnd(h, 4))
		return;
	for (unsigned n = 1 + rnd(h, 2); n; n--)
		add_address(h, rnd(h, 12) ? (who + rnd(h, 3)) % FOREIGN : rnd(h, ADDRESSES), ret);
}

/* Single real servers of others, and sometimes what they hang on. */
static void claims_of_last(struct history *h, struct fact_list *ret)
{
	for (unsigned n = rnd(h, 4); n; n--) {
		unsigned i = rnd(h, FOREIGN);
		struct fact vs = make_vs(h, i), rs = make_rs(h, &vs.key, rnd(h, REAL_SERVERS));

		rs.val.rs.weight = 0;
		fact_list_add(ret, rs);
		if (!rnd(h, 3))
			fact_list_add(ret, vs);
		if (!rnd(h, 3))
			fact_list_add(ret, make_route(h, i));
	}
}

static const struct fact *find(const struct fact_list *l, const struct fact_key *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (fact_key_eq(&l->facts[i].key, key))
			return &l->facts[i];
	return NULL;
}

static void drop(struct fact_list *l, const struct fact_key *key)
{
	struct fact_key parent;
	size_t n = 0;

	if (!l->facts)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (!fact_key_eq(&l->facts[i].key, key) &&
			!(fact_parent(&l->facts[i].key, &parent) && fact_key_eq(&parent, key)))
			l->facts[n++] = l->facts[i];
	l->n = n;
}

static void publish(struct history *h, unsigned who, bool nothing)
{
	struct fact_list new = { 0 }, *old = &h->claims[who];

	if (!nothing && who == NODE)
		claims_of_node(h, &new);
	else if (!nothing && who == LAST)
		claims_of_last(h, &new);
	else if (!nothing)
		claims_of_service(h, who, &new);
	fact_list_finish(&new);
	ledger_publish(h->ledger, &h->published[who], new.facts, new.n, &h->who[who]);
	fact_list_done(old);
	*old = new;
	/* What is claimed is ours from now on. */
	for (size_t i = 0; i < new.n; i++)
		if (find(&h->others, &new.facts[i].key))
			drop(&h->others, &new.facts[i].key);
}

static bool wanted_by_anyone(const struct history *h, const struct fact_key *key)
{
	for (unsigned who = 0; who < CLAIMANTS; who++)
		if (find(&h->claims[who], key))
			return true;
	return false;
}

/* Audits */

static bool of_foreign_address(const struct fact_key *key)
{
	return (key->kind == FACT_VS || key->kind == FACT_ADDR) && key->addr[3] > FOREIGN;
}

static bool is_told(const struct history *h, const struct fact *f)
{
	struct fact_state s;
	struct fact_key vs;

	if (f->key.kind != FACT_RS)
		return true;
	fact_parent(&f->key, &vs);
	return ledger_state(h->ledger, &vs, &s) && s.present && !s.foreign;
}

static void audit(struct history *h, bool breaks_off)
{
	_cleanup_free_ struct fact *all = fake_kernel_list(&h->kernel);
	size_t n = h->kernel.n_facts;

	if (breaks_off && n)
		n = rnd(h, (unsigned)n);
	ledger_audit_begin(h->ledger, (1u << FACT_KINDS) - 1);
	for (size_t i = 0; i < n; i++)
		if (is_told(h, &all[i]))
			ledger_observe(h->ledger, &all[i], !of_foreign_address(&all[i].key));
	if (breaks_off)
		ledger_audit_abort(h->ledger);
	else
		ledger_audit_end(h->ledger);
}

/* What others do */

static void others_own(struct history *h, struct fact f)
{
	fake_kernel_put_fact(&h->kernel, &f);
	fact_list_add(&h->others, f);
}

/* An address or a virtual server of somebody else's, where there is none. */
static void others_add(struct history *h)
{
	unsigned i = FOREIGN + rnd(h, ADDRESSES - FOREIGN);
	struct fact link = fact_link(LINK_VIPS), f = rnd(h, 3) ? make_vs(h, i) : make_addr(i);
	struct fact_state s;

	if (fake_kernel_find(&h->kernel, &f.key) || wanted_by_anyone(h, &f.key) ||
		(ledger_state(h->ledger, &f.key, &s) && s.present) ||
		(f.key.kind == FACT_ADDR && !fake_kernel_find(&h->kernel, &link.key)))
		return;
	others_own(h, f);
	for (unsigned rs = 0; f.key.kind == FACT_VS && rs < REAL_SERVERS; rs++)
		if (rnd(h, 2))
			others_own(h, make_rs(h, &f.key, rs));
	/* Before an audit the ledger cannot know that they are there, and whose they are. */
	audit(h, false);
}

static void others_survived(struct history *h)
{
	for (size_t i = 0; i < h->others.n; i++) {
		const struct fact *f = &h->others.facts[i],
				  *k = fake_kernel_find(&h->kernel, &f->key);

		check(h, k && fact_val_eq(&k->val, &f->val), "what belongs to others was touched");
	}
}

/* Their own may be hit, too. */
static void others_edit(struct history *h)
{
	_cleanup_free_ struct fact *all = fake_kernel_list(&h->kernel);
	struct fact f;
	size_t n = 0;

	if (!h->kernel.n_facts)
		return;
	others_survived(h);
	f = all[rnd(h, (unsigned)h->kernel.n_facts)];
	if (rnd(h, 2)) {
		fake_kernel_remove_key(&h->kernel, &f.key);
	} else {
		f.val.bytes[20] ^= 1;
		fake_kernel_put_fact(&h->kernel, &f);
	}
	for (size_t i = 0; i < h->others.n; i++) {
		const struct fact *k = fake_kernel_find(&h->kernel, &h->others.facts[i].key);

		if (k)
			h->others.facts[n++] = *k;
	}
	h->others.n = n;
}

/* What an earlier run and other programs left behind. */
static void leave_behind(struct history *h)
{
	struct fact_list left = { 0 };

	claims_of_node(h, &left);
	for (unsigned n = rnd(h, 5); n; n--)
		add_address(h, rnd(h, FOREIGN), &left);
	fact_list_finish(&left);
	for (size_t i = 0; i < left.n; i++) {
		struct fact_key parent;

		if (!fact_parent(&left.facts[i].key, &parent) ||
			fake_kernel_find(&h->kernel, &parent))
			fake_kernel_put_fact(&h->kernel, &left.facts[i]);
	}
	fact_list_done(&left);
	for (unsigned n = rnd(h, 3); n; n--)
		others_add(h);
}

/* The oracle */

/* The oldest claimant that wants it; -1: none. */
static int owner(const struct history *h, const struct fact_key *key)
{
	int best = -1;

	for (int who = 0; who < CLAIMANTS; who++)
		if (find(&h->claims[who], key) &&
			(best < 0 || claimant_older(&h->who[who], &h->who[best])))
			best = who;
	return best;
}

/*
 * A real server is wanted only by the one who owns its virtual server, or by the last claimant.
 */
static const struct fact *wanted(const struct history *h, const struct fact_key *key)
{
	struct fact_key vs;
	const struct fact *f;
	int who;

	if (key->kind != FACT_RS) {
		who = owner(h, key);
		return who < 0 ? NULL : find(&h->claims[who], key);
	}
	fact_parent(key, &vs);
	who = owner(h, &vs);
	if (who < 0)
		return NULL;
	f = find(&h->claims[who], key);
	return f ? f : find(&h->claims[LAST], key);
}

/* The device stays as long as an address of others is on it. */
static bool others_need_link(const struct history *h)
{
	for (size_t i = 0; i < h->others.n; i++)
		if (h->others.facts[i].key.kind == FACT_ADDR)
			return true;
	return false;
}

/* Or of ours, as long as it is there. */
static bool device_stays(const struct history *h)
{
	const struct fact link = fact_link(LINK_VIPS);

	if (others_need_link(h))
		return true;
	if (!fake_kernel_find(&h->kernel, &link.key))
		return false;
	for (unsigned who = 0; who < CLAIMANTS; who++)
		for (size_t i = 0; i < h->claims[who].n; i++)
			if (h->claims[who].facts[i].key.kind == FACT_ADDR)
				return true;
	return false;
}

static const struct fact *expected(const struct history *h, const struct fact_key *key)
{
	const struct fact *f = wanted(h, key);
	const struct fact link = fact_link(LINK_VIPS);
	struct fact_key parent;

	if (!f || !fact_parent(key, &parent) || wanted(h, &parent))
		return f;
	return fact_key_eq(&parent, &link.key) && device_stays(h) ? f : NULL;
}

static void expect_all(const struct history *h, struct fact_list *ret)
{
	for (unsigned who = 0; who < CLAIMANTS; who++)
		for (size_t i = 0; i < h->claims[who].n; i++) {
			const struct fact *f = expected(h, &h->claims[who].facts[i].key);

			if (f)
				fact_list_add(ret, *f);
		}
	for (size_t i = 0; i < h->others.n; i++)
		fact_list_add(ret, h->others.facts[i]);
	if (device_stays(h))
		fact_list_add(ret, fact_link(LINK_VIPS));
	fact_list_finish(ret);
}

/* The ledger knows each claimant's facts as it published them. */
static void compare_claims(const struct history *h)
{
	for (unsigned who = 0; who < CLAIMANTS; who++) {
		const struct fact_list *l = &h->claims[who];
		const struct claims *claims = &h->published[who];
		bool same = claims->n == l->n;

		for (size_t i = 0; same && i < l->n; i++) {
			const struct fact f = claims_fact(claims, i, &h->who[who]);

			same = !memcmp(&f, &l->facts[i], sizeof(f)) && claims_have(claims, &f.key);
		}
		check(h, same, "the claims are others than the published facts");
	}
}

static void compare(const struct history *h, const char *when)
{
	_cleanup_free_ struct fact *have = fake_kernel_list(&h->kernel);
	struct fact_list want = { 0 };
	bool same;

	expect_all(h, &want);
	same = want.n == h->kernel.n_facts;
	for (size_t i = 0; same && i < want.n; i++)
		same = fact_key_eq(&want.facts[i].key, &have[i].key) &&
			(want.facts[i].key.kind == FACT_LINK ||
				fact_val_eq(&want.facts[i].val, &have[i].val));
	if (!same) {
		struct buf b = { 0 };

		buf_adds(&b, "wanted:\n");
		for (size_t i = 0; i < want.n; i++) {
			fact_print(&b, &want.facts[i]);
			buf_addc(&b, '\n');
		}
		buf_adds(&b, "kernel:\n");
		fake_kernel_print(&h->kernel, &b);
		fprintf(stderr, "%s", buf_str(&b));
		buf_done(&b);
	}
	fact_list_done(&want);
	check(h, same, when);
}

/* Work */

/* Some batches, or until nothing is left to do. */
static void work(struct history *h, unsigned rounds)
{
	struct op ops[MAX_BATCH];

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t next;
		size_t n = ledger_take(h->ledger, h->now, 0, ops, 1 + rnd(h, MAX_BATCH), &next);

		for (size_t j = 0; j < n; j++) {
			check(h,
				(ops[j].type == ops[0].type ||
					ops[j].fact.key.kind == FACT_CHAIN) &&
					ops[j].fact.key.kind == ops[0].fact.key.kind,
				"a batch is mixed");
			fake_kernel_apply(&h->kernel, &ops[j]);
		}
		for (size_t j = 0; j < n; j++)
			ledger_settle(h->ledger, &ops[j], h->now);
		h->now += rnd(h, 100);
		if (n)
			continue;
		if (next == UINT64_MAX)
			return;
		h->now = next;
	}
	check(h, rounds < FOREVER, "it never comes to rest");
}

static void count(const struct fact_key *key, const struct fact_state *s, void *arg)
{
	struct ledger_counts *c = arg;

	c->facts++;
	c->wanted += s->wanted;
	c->present += s->present;
	c->failing += s->error != 0;
	c->failing_ops[fact_state_op(key, s).type] += s->error != 0;
	c->foreign += s->foreign;
}

static void counts_are_those_of_a_walk(const struct history *h)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		const struct ledger_counts *have = ledger_counts_of(h->ledger, kind);
		struct ledger_counts walked = { .pending = have->pending };

		ledger_each(h->ledger, kind, count, &walked);
		check(h, !memcmp(have, &walked, sizeof(walked)), "the counts are wrong");
	}
}

static void step(struct history *h)
{
	unsigned who = rnd(h, 10);

	publish(h, who < CLAIMANTS ? who : 1 + rnd(h, 6), false);
	work(h, rnd(h, 5));
	if (!rnd(h, 5))
		others_edit(h);
	if (!rnd(h, 10))
		others_add(h);
	if (!rnd(h, 8) || (ledger_unsure(h->ledger) && rnd(h, 2)))
		audit(h, !rnd(h, 4));
	counts_are_those_of_a_walk(h);
}

static void come_to_rest(struct history *h)
{
	h->faults = false;
	for (int i = 0; i < 2; i++) {
		audit(h, false);
		work(h, FOREVER);
	}
	check(h, !ledger_counts(h->ledger).pending, "operations are pending at rest");
	check(h, !ledger_unsure(h->ledger), "it is unsure after an audit");
}

static void one_more_audit_is_no_work(struct history *h)
{
	struct op op;
	uint64_t next;

	audit(h, false);
	check(h, !ledger_take(h->ledger, h->now, 0, &op, 1, &next) && next == UINT64_MAX,
		"one more audit makes work");
}

static void nothing_is_left_when_nothing_is_wanted(struct history *h)
{
	size_t known = others_need_link(h);

	for (unsigned who = 0; who < CLAIMANTS; who++)
		publish(h, who, true);
	work(h, FOREVER);
	compare(h, "the kernel is not empty after all was released");
	/* Nor in the ledger, which never heard of real servers of others. */
	for (size_t i = 0; i < h->others.n; i++)
		known += h->others.facts[i].key.kind != FACT_RS;
	check(h, ledger_counts(h->ledger).facts == known, "the ledger forgot to forget");
}

static void begin(struct history *h, unsigned long seed)
{
	*h = (struct history){
		.seed = seed, .random = seed, .faults = true, .ledger = ledger_new()
	};
	fake_kernel_init(&h->kernel);
	h->kernel.fault = fault;
	h->kernel.arg = h;
	for (unsigned who = 0; who < CLAIMANTS; who++) {
		snprintf(h->name[who], sizeof(h->name[who]), "s%u", who);
		/* Some are of the same age. */
		h->who[who] = (struct claimant){ .name = h->name[who],
			.born = who == NODE   ? 0
				: who == LAST ? CLAIMANT_LAST
					      : 1 + rnd(h, 4) };
	}
	leave_behind(h);
}

static void end(struct history *h)
{
	ledger_free(h->ledger);
	fake_kernel_done(&h->kernel);
	for (unsigned who = 0; who < CLAIMANTS; who++) {
		fact_list_done(&h->claims[who]);
		claims_done(&h->published[who]);
	}
	fact_list_done(&h->others);
}

static void run(unsigned long seed)
{
	struct history h;

	begin(&h, seed);
	for (int i = 0; i < STEPS; i++)
		step(&h);
	others_survived(&h);
	come_to_rest(&h);
	compare(&h, "the kernel is not as wanted");
	compare_claims(&h);
	one_more_audit_is_no_work(&h);
	nothing_is_left_when_nothing_is_wanted(&h);
	end(&h);
}

struct range {
	unsigned long first, n;
};

static void every_history_ends_as_the_oracle_says(void **state)
{
	const struct range *r = *state;

	for (unsigned long seed = r->first; seed < r->first + r->n; seed++)
		run(seed);
}

int main(int argc, char **argv)
{
	struct range r = {
		.n = argc > 1 ? strtoul(argv[1], NULL, 10) : HISTORIES,
		.first = argc > 2 ? strtoul(argv[2], NULL, 10) : 1,
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(every_history_ends_as_the_oracle_says, &r),
	};

	return cmocka_run_group_tests_name("ledger_random", tests, NULL, NULL);
}
