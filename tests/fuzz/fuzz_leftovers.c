// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever stands in the kernel at the start - the work of a daemon that was killed, of one with
 * other options or of another version, with things removed and changed since, and things of others -
 * the daemon converges. At the end,
 *
 *  1. nothing of ours is left that is not wanted, and everything wanted is there: the kernel holds
 *     what a new daemon makes that finds nothing but the foreign facts;
 *  2. foreign facts are what they were, and no virtual server is lost that the sets did not call
 *     ours;
 *  3. another restart writes nothing, unless foreign facts are at addresses of ours.
 *
 * The input: the options, how the daemon before it was configured and after how many operations it
 * was killed, which of the two use nftables, and then changes of the kernel, of RECORD bytes each.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/engine.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "fake/kernel.h"
#include "fuzz.h"
#include "unit/fixture.h"

enum { HEAD = 4, RECORD = 4, MAX_RECORDS = 64, DAY = 86400000 /* ms */ };

static const char objects_now[] =
	"service n/web ip=10.96.0.1,2020::1 type=LoadBalancer port=a:80/TCP:30001 port=b:53/UDP:30002 "
	"external=192.0.2.1 lb=203.0.113.1 ranges=10.0.0.0/8 created=5\n"
	"slice n/web-1 port=a:8080/TCP port=b:5353/UDP ep=10.244.0.1@test-node ep=10.244.0.2@other\n"
	"slice n/web-6 port=a:8080/TCP port=b:5353/UDP ep=2012::1@test-node\n"
	"service n/local ip=10.96.0.2 type=LoadBalancer port=a:80/TCP:30003 etp=Local healthcheck=30009 "
	"external=192.0.2.2 lb=203.0.113.2 created=6\n"
	"slice n/local-1 port=a:8080/TCP ep=10.244.0.1@test-node ep=10.244.0.3@other\n"
	"service n/late ip=10.96.0.3 port=a:80/TCP external=192.0.2.1 affinity=10 created=9\n"
	"slice n/late-1 port=a:8080/TCP ep=10.244.0.4@other\n"
	"service n/none ip=10.96.0.4 type=NodePort port=a:80/TCP:30004 itp=Local created=7\n"
	"service n/sctp ip=10.96.0.5 type=NodePort port=a:9000/SCTP:30005 scheduler=mh created=8\n"
	"slice n/sctp-1 port=a:9000/SCTP ep=10.244.0.1@test-node\n";

static const char objects_before[] =
	"service n/web ip=10.96.0.1 type=NodePort port=a:80/TCP:30001 scheduler=wrr created=5\n"
	"slice n/web-1 port=a:8080/TCP ep=10.244.0.1@test-node ep=10.244.0.9@other\n"
	"service n/old ip=10.96.0.8 type=LoadBalancer port=a:80/TCP:30003 port=b:53/UDP:30006 etp=Local "
	"external=192.0.2.2,192.0.2.8 lb=203.0.113.8 created=4\n"
	"slice n/old-1 port=a:8080/TCP port=b:5353/UDP ep=10.244.0.5@test-node ep=10.244.0.3@other\n"
	"service n/late ip=10.96.0.3 port=a:80/TCP external=192.0.2.1 created=3\n"
	"slice n/late-1 port=a:8080/TCP ep=10.244.0.4@other\n";

static const char others[] = "vs 198.51.100.9:80/TCP rr\n"
			     "rs 198.51.100.9:80/TCP 10.9.9.9:80 weight=3\n"
			     "vs 100.101.102.103:8888/UDP wlc\n"
			     "vs 10.96.0.1:80/TCP wlc\n"
			     "rs 10.96.0.1:80/TCP 10.9.9.9:80 weight=3\n"
			     "vs 192.0.2.2:80/TCP sh\n"
			     "rs 192.0.2.2:80/TCP 10.9.9.9:80 weight=1\n"
			     "addr 198.51.100.9\n";

/* ---- A daemon ---- */

struct life {
	struct fake_kernel *kernel;
	struct store store;
	struct fixture_node node;
	struct engine *engine;
	uint64_t now;
};

enum {
	WITH_MARKS = 1,
	WITH_PORTS = 2,
	WITH_ADDRESSES = 4,
	ADOPTS = 8,
	DRAINS = 16,
	ONE_FAMILY = 32,
	IPTABLES = 64,
	NFTABLES = 256 /* not of the bytes of the input */
};

static void life_begin(struct life *l, struct fake_kernel *k, const char *objects, unsigned with)
{
	struct engine_config config = {
		.store = &l->store, .view = &l->node.view, .drain = with & DRAINS
	};
	struct options *o = &l->node.options;

	*l = (struct life){ .kernel = k, .now = 1000 };
	store_init(&l->store);
	fixture_node_init(&l->node);
	l->node.view.ipv6 = !(with & ONE_FAMILY);
	l->node.view.store = &l->store;
	o->mark_mask = with & WITH_MARKS ? 0xfff00000 : 0;
	o->external_addresses = with & WITH_PORTS ? EXTERNAL_PORTS : EXTERNAL_LOCAL;
	o->vip_mode = with & WITH_ADDRESSES ? VIP_ADDRESS : VIP_ROUTE;
	o->adopt_foreign = with & ADOPTS;
	if (with & IPTABLES)
		o->backend = l->node.view.backend = BACKEND_IPTABLES;
	if (with & NFTABLES)
		o->backend = l->node.view.backend = BACKEND_NFTABLES;
	l->engine = engine_new(&config);
	engine_add_adapter(l->engine, &k->adapter);
	fixture_load(&l->store, objects);
	engine_fed(l->engine);
}

static void life_settle(struct life *l)
{
	for (uint64_t end = l->now + DAY, next; l->now<end; l->now = next> l->now ? next : l->now) {
		next = engine_step(l->engine, l->now);
		if (next == UINT64_MAX)
			break;
	}
	must(!ledger_counts(engine_ledger(l->engine)).pending);
	must(!engine_stats(l->engine)->draining);
}

static void life_end(struct life *l)
{
	engine_free(l->engine);
	store_done(&l->store);
}

static void life_whole(struct fake_kernel *k, const char *objects, unsigned with)
{
	struct life l;

	life_begin(&l, k, objects, with);
	life_settle(&l);
	life_end(&l);
}

static int fail_after(const struct op *op, void *arg)
{
	size_t *left = arg;

	(void)op;
	if (!*left)
		return -EIO;
	--*left;
	return 0;
}

/* It dies after so many operations. */
static void life_cut_short(struct fake_kernel *k, const char *objects, unsigned with, size_t ops)
{
	struct life l;

	k->fault = fail_after;
	k->arg = &ops;
	life_begin(&l, k, objects, with);
	while (ops && engine_step(l.engine, l.now) <= l.now)
		;
	life_end(&l);
	k->fault = NULL;
	k->arg = NULL;
}

/* ---- What may be left ---- */

/* Of IPVS and iptables; and of those and nftables, so that inputs without it keep their meaning. */
static struct fact_list candidates, more_candidates;

static void put_lines(struct fake_kernel *k, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		fake_kernel_put(k, l);
}

static void add_candidates(struct fake_kernel *k, bool more)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(k);

	for (size_t i = 0; i < k->n_facts; i++) {
		fact_list_add(&more_candidates, facts[i]);
		if (!more)
			fact_list_add(&candidates, facts[i]);
	}
	fake_kernel_done(k);
	fake_kernel_init(k);
}

static void make_candidates(void)
{
	static const unsigned variants[] = { WITH_MARKS | WITH_PORTS, WITH_ADDRESSES, IPTABLES,
		NFTABLES | WITH_PORTS };
	struct fake_kernel k;

	fake_kernel_init(&k);
	put_lines(&k, others);
	add_candidates(&k, false);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		life_whole(&k, objects_before, variants[i]);
		add_candidates(&k, variants[i] & NFTABLES);
		life_whole(&k, objects_now, variants[i]);
		add_candidates(&k, variants[i] & NFTABLES);
	}
	fake_kernel_done(&k);
}

static bool leads_to_endpoint(const struct fact *f)
{
	const enum set_type type = set_info(f->key.set)->type;

	return type == SET_TYPE_SLOT_TO_ENDPOINT || type == SET_TYPE_ADDRESS_TO_ENDPOINT;
}

static void change_member(struct fact *f, uint8_t n)
{
	if (leads_to_endpoint(f))
		f->val.endpoint.port ^= n;
	else if (set_info(f->key.set)->type == SET_TYPE_PORT_TO_SPREAD)
		f->val.spread.slots = n;
	else if (f->val.member.mask)
		f->val.member.mark = (uint32_t)n << 20;
}

static void change_value(struct fact *f, uint8_t n)
{
	size_t n_schedulers = 0;

	switch ((enum fact_kind)f->key.kind) {
	case FACT_VS:
		while (known_schedulers[n_schedulers])
			n_schedulers++;
		memset(f->val.vs.scheduler, 0, SCHED_NAME_SIZE);
		strcpy(f->val.vs.scheduler, known_schedulers[n % n_schedulers]);
		break;
	case FACT_RS:
		f->val.rs.weight = n;
		break;
	case FACT_SET:
		if (f->val.set.max_members)
			f->val.set.max_members = SET_MEMBERS << n % 4;
		break;
	case FACT_MEMBER:
		change_member(f, n);
		break;
	case FACT_LINK:
		f->val.link.up = n % 2;
		break;
	case FACT_HELD:
		f->val.held.flaws = n % 8;
		break;
	case FACT_CHAIN:
	case FACT_JUMP:
		f->val.chain.rules ^= n;
		break;
	case FACT_DISPATCH:
		if (fact_has_spread(f))
			f->val.spread.slots = n;
		else
			f->val.dispatch.hash[0] = (char)('A' + n % 26);
		break;
	case FACT_ROUTE:
		f->val.route.source[3] ^= f->val.route.source[0] ? n : 0;
		break;
	case FACT_POLICY_RULE:
	case FACT_ADDR:
	case FACT_KINDS:
		break;
	}
}

static bool has_address(enum fact_kind kind)
{
	return kind == FACT_MEMBER || kind == FACT_DISPATCH || kind == FACT_VS || kind == FACT_RS ||
		kind == FACT_HELD || kind == FACT_ROUTE || kind == FACT_ADDR;
}

static void change_key(struct fact_key *key, uint8_t what, uint8_t n)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	const size_t last = key->family == AF_INET ? 3 : 15;

	if (!has_address(key->kind))
		return;
	switch (what % 4) {
	case 0:
		if (key->port && key->kind != FACT_ROUTE)
			key->port = (uint16_t)(key->port + n % 4);
		break;
	case 1:
		key->addr[last] ^= n % 16;
		break;
	case 2:
		key->proto = key->proto ? protos[n % 3] : 0;
		break;
	case 3:
		key->addr2[last] ^= key->kind == FACT_RS ? n % 4 : 0;
		if (key->kind == FACT_MEMBER &&
			set_info(key->set)->type == SET_TYPE_SLOT_TO_ENDPOINT)
			key->port2 ^= n % 4;
		break;
	}
}

/* Something that the kernel can hold. */
static bool is_possible(const struct fact *f)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	struct fact again;
	struct err err;

	fact_print(&line, f);
	return !fact_parse(buf_str(&line), &again, &err) && fact_key_eq(&f->key, &again.key) &&
		fact_val_eq(&f->val, &again.val);
}

static void put_parent(struct fake_kernel *k, const struct fact_key *key)
{
	struct fact parent = { 0 };

	if (!fact_parent(key, &parent.key) || fake_kernel_find(k, &parent.key))
		return;
	if (parent.key.kind == FACT_SET)
		parent = fact_set(parent.key.set, parent.key.family);
	else if (parent.key.kind == FACT_VS)
		strcpy(parent.val.vs.scheduler, "rr");
	fake_kernel_put_fact(k, &parent);
}

static void change_kernel(
	struct fake_kernel *k, const struct fact_list *from, const uint8_t r[static RECORD])
{
	struct fact f = from->facts[(r[0] | r[1] << 8) % from->n];

	if (r[2] % 8 == 0) {
		fake_kernel_remove_key(k, &f.key);
		return;
	}
	if (r[2] % 8 == 1)
		change_value(&f, r[3]);
	else if (r[2] % 8 > 3)
		change_key(&f.key, r[2], r[3]);
	if (!is_possible(&f))
		return;
	put_parent(k, &f.key);
	fake_kernel_put_fact(k, &f);
}

static void copy_kernel(const struct fake_kernel *from, struct fake_kernel *to)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(from);

	for (size_t i = 0; i < from->n_facts; i++)
		fake_kernel_put_fact(to, &facts[i]);
}

/* ---- Whose is it? ---- */

static bool is_local(const struct life *l, const struct ip *ip)
{
	for (size_t i = 0; i < l->node.view.n_local; i++)
		if (ip_eq(ip, &l->node.view.local[i]))
			return true;
	return false;
}

static bool has_mark_in_set(const struct fake_kernel *k, uint32_t mark)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(k);

	for (size_t i = 0; i < k->n_facts; i++)
		if (facts[i].key.kind == FACT_MEMBER && facts[i].key.set == SET_LOCAL_MARK &&
			facts[i].val.member.mark == mark)
			return true;
	return false;
}

/* As README says: the sets tell which virtual servers are ours. */
static bool sets_call_ours(
	const struct fake_kernel *k, const struct life *l, const struct fact_key *vs)
{
	static const enum set_id sets[] = { SET_CLUSTER_IP, SET_EXTERNAL_IP, SET_EXTERNAL_IP_LOCAL,
		SET_LOAD_BALANCER, SET_NODE_PORT_SCTP, SET_NODE_PORT_TCP, SET_NODE_PORT_UDP };
	const struct ip ip = fact_ip(vs);

	if (!vs->proto)
		return !(fact_fwmark(vs) & ~l->node.options.mark_mask) ||
			has_mark_in_set(k, fact_fwmark(vs));
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct fact member =
			fact_member(sets[i], vs->family, &ip, vs->proto, vs->port, NULL);

		if ((sets[i] == SET_NODE_PORT_TCP && vs->proto != IPPROTO_TCP) ||
			(sets[i] == SET_NODE_PORT_UDP && vs->proto != IPPROTO_UDP) ||
			(sets[i] > SET_LOAD_BALANCER && sets[i] != SET_NODE_PORT_SCTP &&
				!is_local(l, &ip)))
			continue;
		if (fake_kernel_find(k, &member.key))
			return true;
	}
	return false;
}

/* At the end. Of a foreign virtual server the daemon does not even read the real servers. */
static bool is_foreign(const struct life *l, const struct fact_key *key)
{
	struct fact_state state;
	struct fact_key vs;

	if (key->kind == FACT_RS && fact_parent(key, &vs))
		key = &vs;
	return ledger_state(engine_ledger(l->engine), key, &state) && !state.wanted;
}

/* A restart may take what is foreign at an address of ours: it does not know what was there before,
 * and the sets have members of ours for the same address. */
static bool is_disputed(const struct life *l, const struct fact_key *key)
{
	const struct ip ip = fact_ip(key), none = { 0 };
	const struct fact facts[] = { fact_route(&ip, &none), fact_addr(&ip),
		fact_route_in_table(&ip, l->node.options.external_table) };

	if (key->kind == FACT_VS && key->proto && is_local(l, &ip))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (!fact_key_eq(&facts[i].key, key) && fake_kernel_find(l->kernel, &facts[i].key))
			return true;
	return key->kind == FACT_VS && sets_call_ours(l->kernel, l, key);
}

/* Puts the foreign facts into an empty kernel. Each was there before, with this value. */
static void check_foreign(const struct life *l, const struct fake_kernel *before,
	struct fake_kernel *ret, bool *ret_disputed)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(l->kernel);

	for (size_t i = 0; i < l->kernel->n_facts; i++) {
		const struct fact *f = &facts[i], *was = fake_kernel_find(before, &f->key);

		if (!is_foreign(l, &f->key))
			continue;
		must(f->key.kind == FACT_VS || f->key.kind == FACT_RS || f->key.kind == FACT_ADDR ||
			f->key.kind == FACT_LINK);
		must(was && fact_val_eq(&was->val, &f->val));
		must(f->key.kind != FACT_VS || !sets_call_ours(before, l, &f->key));
		*ret_disputed |= f->key.kind != FACT_LINK && is_disputed(l, &f->key);
		put_parent(ret, &f->key);
		fake_kernel_put_fact(ret, f);
	}
}

/* A virtual server that nobody wants is only deleted if it was ours, and foreign ones keep their real
 * servers. */
static void check_lost(const struct life *l, const struct fake_kernel *before)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(before);

	for (size_t i = 0; i < before->n_facts; i++) {
		const struct fact_key *key = &facts[i].key;
		struct fact_key vs;

		if (key->kind == FACT_RS && fact_parent(key, &vs) &&
			fake_kernel_find(l->kernel, &vs))
			must(!is_foreign(l, &vs) || fake_kernel_find(l->kernel, key));
		if (key->kind == FACT_VS && !fake_kernel_find(l->kernel, key))
			must(sets_call_ours(before, l, key));
	}
}

/* Which mark a Service gets depends on the marks that were in use. */
static void check_equal(
	const struct fake_kernel *found, const struct fake_kernel *wanted, bool marks)
{
	_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 };

	fake_kernel_print(found, &a);
	fake_kernel_print(wanted, &b);
	if (found->n_facts == wanted->n_facts && (marks || !strcmp(buf_str(&a), buf_str(&b))))
		return;
	fprintf(stderr, "found\n%swanted\n%s", buf_str(&a), buf_str(&b));
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_kernel k, before, wanted;
	unsigned with_now, with_before;
	bool disputed = false;
	struct life l;

	if (size < HEAD || size > HEAD + MAX_RECORDS * RECORD)
		return 0;
	with_now = data[0] | (data[3] & 1 ? NFTABLES : 0);
	with_before = data[1] | (data[3] & 2 ? NFTABLES : 0);
	if (!candidates.n)
		make_candidates();
	fake_kernel_init(&k);
	fake_kernel_init(&before);
	fake_kernel_init(&wanted);
	if (data[2])
		life_cut_short(&k, data[1] & 0x80 ? objects_now : objects_before, with_before,
			2 * data[2]);
	for (size_t at = HEAD; at + RECORD <= size; at += RECORD)
		change_kernel(&k, data[3] & 3 ? &more_candidates : &candidates, &data[at]);
	copy_kernel(&k, &before);

	life_begin(&l, &k, objects_now, with_now);
	life_settle(&l);
	check_lost(&l, &before);
	check_foreign(&l, &before, &wanted, &disputed);
	life_end(&l);
	/* One that has no members at all could be kube-proxy's, which was stopped early. */
	put_lines(&wanted,
		"set KUBE-CLUSTER-IP hash:ip,port\nmember KUBE-CLUSTER-IP 10.96.9.9,tcp:9\n");
	life_whole(&wanted, objects_now, with_now);
	check_equal(&k, &wanted, data[0] & WITH_MARKS);

	fake_kernel_reset_log(&k);
	life_whole(&k, objects_now, with_now);
	if (!(data[0] & WITH_MARKS) && !disputed && k.n_ops) {
		fprintf(stderr, "the restart does\n%s", buf_str(&k.log));
		abort();
	}
	fake_kernel_done(&k);
	fake_kernel_done(&before);
	fake_kernel_done(&wanted);
	return 0;
}
