// SPDX-License-Identifier: GPL-2.0-or-later
/* Services on nftables: what they are made of, and that every slot that rules can choose leads to an
 * endpoint at any time. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "core/service_chain.h"
#include "world.h"

#define WEB "service a/web ip=10.96.0.1 type=NodePort port=p80:80/TCP:30001\n"
#define LOCAL_EP "ep=10.244.1.1@test-node "
#define REMOTE_EP "ep=10.244.2.1@other "
#define SLICE "slice a/web-1 port=p80:8080/TCP "

static int nftables_setup(void **state)
{
	int r = world_setup(state);

	((struct world *)*state)->node.view.backend = BACKEND_NFTABLES;
	return r;
}
#define NFTABLES_TEST(f) cmocka_unit_test_setup_teardown(f, nftables_setup, world_teardown)

static void a_service_is_made_of_elements(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SLICE LOCAL_EP REMOTE_EP);
	world_expect(w,
		"dispatch 10.96.0.1:80/TCP KUBE-SPREAD-2\n"
		"dispatch 0.0.0.0:30001/TCP KUBE-SPREAD-2-MP\n"
		"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,0 to=10.244.1.1:8080\n"
		"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,1 to=10.244.2.1:8080\n"
		"member KUBE-ENDPOINTS 0.0.0.0,tcp:30001,1 to=10.244.2.1:8080\n"
		"member KUBE-SPREADS KUBE-SPREAD-2\n"
		"member KUBE-SPREADS KUBE-SPREAD-2-MP\n");
	world_forget(w);
	world_load(w,
		"service a/more ip=10.96.0.2 port=p80:80/TCP\n"
		"slice a/more-1 port=p80:8080/TCP ep=10.244.1.3@test-node ep=10.244.2.3@other");
	assert_null(strstr(world_log(w), " chain "));
	assert_null(strstr(world_log(w), " set "));
}

static void a_local_policy_depends_on_the_source(void **state)
{
	struct world *w = *state;

	world_start(w,
		"service a/web ip=10.96.0.1 type=NodePort etp=Local port=p80:80/TCP:30001\n" SLICE
			LOCAL_EP REMOTE_EP);
	world_expect(w,
		"dispatch 0.0.0.0:30001/TCP KUBE-SPREAD-1-LP\n"
		"member KUBE-DISPATCH-POD 0.0.0.0,tcp:30001 to=KUBE-SPREAD-2-P\n"
		"member KUBE-DISPATCH-NODE 0.0.0.0,tcp:30001 to=KUBE-SPREAD-2-MP\n"
		"member KUBE-ENDPOINTS-LOCAL 0.0.0.0,tcp:30001,0 to=10.244.1.1:8080\n"
		"member KUBE-ENDPOINTS 0.0.0.0,tcp:30001,1 to=10.244.2.1:8080\n");
	world_load(w, SLICE REMOTE_EP);
	world_expect(w,
		"dispatch 0.0.0.0:30001/TCP nowhere\n"
		"member KUBE-DISPATCH-POD 0.0.0.0,tcp:30001 to=KUBE-SPREAD-1-P\n"
		"member KUBE-DISPATCH-NODE 0.0.0.0,tcp:30001 to=KUBE-SPREAD-1-MP\n"
		"member KUBE-NO-LOCAL 100.101.102.103,tcp:30001\n");
	world_expect_gone(w,
		"member KUBE-ENDPOINTS-LOCAL 0.0.0.0,tcp:30001,0 to=10.244.1.1:8080\n"
		"member KUBE-SPREADS KUBE-SPREAD-1-LP\n");
}

/* Pods and the node are not led by the new entry, which may lead nowhere, for a moment. */
static void a_service_becomes_local_without_a_hole(void **state)
{
	struct world *w = *state;

	world_start(w, WEB SLICE REMOTE_EP);
	world_forget(w);
	world_load(w, "service a/web ip=10.96.0.1 type=NodePort etp=Local port=p80:80/TCP:30001\n");
	world_expect_order(
		w, "add member KUBE-DISPATCH-", "set dispatch 0.0.0.0:30001/TCP nowhere");
	world_expect_order(w, "add member KUBE-NO-LOCAL", "set dispatch 0.0.0.0:30001/TCP nowhere");
	world_forget(w);
	world_load(w, WEB);
	world_expect_order(w, "set dispatch 0.0.0.0:30001/TCP", "delete member KUBE-DISPATCH-");
}

static void affinity_has_endpoints_to_return_to(void **state)
{
	struct world *w = *state;

	world_start(w, "service a/web ip=10.96.0.1 affinity=60 port=p80:80/TCP\n" SLICE LOCAL_EP);
	world_expect(w,
		"dispatch 10.96.0.1:80/TCP KUBE-SPREAD-1-60\n"
		"member KUBE-AFFINITY 10.96.0.1,tcp:80,10.244.1.1 to=10.244.1.1:8080\n"
		"set KUBE-CLIENTS ip,ip,port:ip\n");
	/* With the last Service that needs it goes what notes clients. */
	world_load(w, "service a/web ip=10.96.0.1 port=p80:80/TCP\n");
	world_expect_gone(w, "set KUBE-CLIENTS ip,ip,port:ip\n");
}

/* What the kernel has while operations are carried out one by one. */
struct replay {
	struct fact facts[4096];
	size_t n;
	bool serves_node_port;
};

static struct fact *find(struct replay *r, const struct fact_key *key)
{
	for (size_t i = 0; i < r->n; i++)
		if (fact_key_eq(&r->facts[i].key, key))
			return &r->facts[i];
	return NULL;
}

static bool leads_by_spread(const struct fact *f)
{
	return f->key.kind == FACT_DISPATCH ||
		(f->key.kind == FACT_MEMBER &&
			(f->key.set == SET_DISPATCH_POD || f->key.set == SET_DISPATCH_NODE));
}

static void assert_no_hole(struct replay *r)
{
	const struct ip none = { 0 };
	char name[CHAIN_NAME_LEN + 1];

	for (size_t i = 0; i < r->n; i++) {
		const struct fact *entry = &r->facts[i];
		const struct ip ip = fact_ip(&entry->key);
		const struct spread *s = &entry->val.spread;
		const struct fact chain =
			fact_chain(AF_INET, TABLE_NAT, spread_chain_name(s, name), 0);
		const struct fact leads = fact_member_spread(AF_INET, s);

		if (!leads_by_spread(entry) || !s->slots)
			continue;
		if (!find(r, &chain.key) || !find(r, &leads.key))
			fail_msg("nothing leads to %s", name);
		for (uint16_t k = 0; k < s->slots; k++) {
			const struct fact slot = fact_slot(
				s->flags & SPREAD_LOCAL ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS, &ip,
				entry->key.port, entry->key.proto, k, &none, 0);

			if (!find(r, &slot.key))
				fail_msg("slot %u of %s is missing", k, name);
		}
	}
}

/* They look into a map of their own first. */
static void assert_node_port_is_served(struct replay *r, enum set_id own)
{
	static const char no_hash[SERVICE_HASH_LEN];
	const struct ip any = { .family = AF_INET };
	const struct fact of_all =
		fact_dispatch(&any, 30001, IPPROTO_TCP, SERVICE_CHAIN_EXT, no_hash);
	const struct fact of_own = fact_member(own, AF_INET, &any, IPPROTO_TCP, 30001, NULL);
	const struct fact *entry = find(r, &of_own.key);

	if (!entry || !entry->val.spread.slots)
		entry = find(r, &of_all.key);
	if (!entry || !entry->val.spread.slots)
		fail_msg("the NodePort leads nowhere from sources of %s", set_info(own)->name);
}

static void carry_out(struct replay *r, const char *line)
{
	static const char *const types[] = {
		[OP_ADD] = "add ", [OP_SET] = "set ", [OP_DEL] = "delete "
	};
	struct fact f, *have;
	struct err err;
	size_t type = 0;

	while (strncmp(line, types[type], strlen(types[type])) != 0)
		type++;
	assert_int_equal(fact_parse(line + strlen(types[type]), &f, &err), 0);
	have = find(r, &f.key);
	if (type == OP_DEL) {
		if (have)
			*have = r->facts[--r->n];
	} else if (have) {
		*have = f;
	} else {
		assert_true(r->n < ARRAY_SIZE(r->facts));
		r->facts[r->n++] = f;
	}
	assert_no_hole(r);
	if (r->serves_node_port) {
		assert_node_port_is_served(r, SET_DISPATCH_POD);
		assert_node_port_is_served(r, SET_DISPATCH_NODE);
	}
}

static void replay_log(struct replay *r, struct world *w)
{
	_cleanup_free_ char *log = mem_strdup(world_log(w));
	char *save = NULL;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		carry_out(r, line);
	world_forget(w);
}

/* Endpoints come and go at random, here and elsewhere, and so do policies and affinity. One endpoint
 * elsewhere stays, so that pods and the node are always served. */
static void every_slot_leads_to_an_endpoint_at_any_time(void **state)
{
	static const char *const policies[] = { "", " etp=Local affinity=60", " etp=Local",
		" affinity=60" };
	_cleanup_free_ struct replay *r = new0(struct replay);
	struct world *w = *state;
	unsigned random = 1;

	for (int i = 0; i < 400; i++) {
		_cleanup_(buf_done) struct buf objects = { 0 };
		const char *name = i % 2 ? "web" : "other";

		random = random * 1103515245 + 12345;
		buf_addf(&objects,
			"service a/web ip=10.96.0.1 type=NodePort port=p80:80/TCP:30001%s\n"
			"service a/other ip=10.96.0.2 port=p80:80/TCP%s\n"
			"slice a/%s-1 port=p80:8080/TCP ep=10.244.9.9@other",
			policies[random >> 16 & 3], random >> 18 & 1 ? " itp=Local" : "", name);
		for (unsigned k = 1; k < 10; k++) {
			random = random * 1103515245 + 12345;
			if (random >> 16 & 1)
				buf_addf(&objects, " ep=10.244.%u.%u@%s", 1 + k % 2, k,
					k % 2 ? "other" : "test-node");
		}
		if (i)
			world_load(w, buf_str(&objects));
		else
			world_start(w, buf_str(&objects));
		replay_log(r, w);
		r->serves_node_port |= i == 1;
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		NFTABLES_TEST(a_service_is_made_of_elements),
		NFTABLES_TEST(a_local_policy_depends_on_the_source),
		NFTABLES_TEST(a_service_becomes_local_without_a_hole),
		NFTABLES_TEST(affinity_has_endpoints_to_return_to),
		NFTABLES_TEST(every_slot_leads_to_an_endpoint_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
