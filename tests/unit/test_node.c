// SPDX-License-Identifier: GPL-2.0-or-later
/* What the policy learns of the node: from its interfaces, its Node object, and the options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../../src/daemon/node.h"
#include "base/mem.h"
#include "fixture.h"

struct bench {
	struct store store;
	struct policy policy;
	struct node_facts facts;
};

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	store_init(&b->store);
	policy_init(&b->policy);
	strcpy(b->policy.node_name, "node-a");
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	node_done(&b->facts);
	store_done(&b->store);
	free(b);
	return 0;
}

/* With these two addresses on the interfaces. */
static bool refresh(struct bench *b)
{
	struct ip *local = mem_zalloc(2, sizeof(*local));

	local[0] = fixture_ip("192.168.50.1");
	local[1] = fixture_ip("192.168.60.1");
	return node_update(&b->facts, local, 2, &b->store, &b->policy);
}

static void put_node(struct bench *b, const char *address)
{
	struct node *node = node_new();
	struct node_address *addresses = arena_alloc(&node->arena, 1, sizeof(*addresses));
	struct cidr *pods = arena_alloc(&node->arena, 1, sizeof(*pods));

	addresses->ip = fixture_ip(address);
	*pods = fixture_cidr("10.244.3.0/24");
	node->name = "node-a";
	node->zone = "zone-a";
	node->addresses = addresses;
	node->pod_cidrs = pods;
	node->n_addresses = node->n_pod_cidrs = 1;
	store_put_node(&b->store, node);
}

static void assert_ip(const struct bench *b, const char *want)
{
	char text[IP_STRLEN];

	assert_string_equal(ip_print(&b->policy.node_ip[0], text), want);
}

static void the_node_object_says_which_address_is_the_nodes_own(void **state)
{
	struct bench *b = *state;

	put_node(b, "192.168.60.1");
	assert_true(refresh(b));
	assert_ip(b, "192.168.60.1");
	assert_string_equal(b->policy.zone, "zone-a");
	assert_int_equal(b->policy.n_pod_cidrs, 1);
	assert_int_equal(b->policy.n_local, 2);
	assert_int_equal(b->policy.node_ip[1].family, 0);
	assert_false(refresh(b));
}

static void an_address_on_no_interface_is_not_taken(void **state)
{
	struct bench *b = *state;

	b->facts.bind_address = fixture_ip("192.168.70.1");
	put_node(b, "192.168.60.1");
	refresh(b);
	assert_ip(b, "192.168.60.1");
}

static void the_bind_address_counts_more(void **state)
{
	struct bench *b = *state;

	b->facts.bind_address = fixture_ip("192.168.50.1");
	put_node(b, "192.168.60.1");
	refresh(b);
	assert_ip(b, "192.168.50.1");
	refresh(b);
	assert_ip(b, "192.168.50.1");
}

static void an_unspecified_bind_address_says_nothing(void **state)
{
	struct bench *b = *state;

	b->facts.bind_address = fixture_ip("0.0.0.0");
	put_node(b, "192.168.60.1");
	refresh(b);
	assert_ip(b, "192.168.60.1");
}

static void a_node_that_changes_is_followed(void **state)
{
	struct bench *b = *state;

	put_node(b, "192.168.60.1");
	refresh(b);
	put_node(b, "192.168.50.1");
	assert_true(refresh(b));
	assert_ip(b, "192.168.50.1");
}

static void a_node_that_an_api_server_deletes_leaves_what_it_said(void **state)
{
	struct bench *b = *state;

	b->facts.keep = true;
	put_node(b, "192.168.60.1");
	refresh(b);
	store_delete_node(&b->store, "node-a");
	assert_false(refresh(b));
	assert_ip(b, "192.168.60.1");
	assert_string_equal(b->policy.zone, "zone-a");
	assert_int_equal(b->policy.n_pod_cidrs, 1);
}

static void a_node_that_leaves_the_manifests_is_gone(void **state)
{
	struct bench *b = *state;

	put_node(b, "192.168.60.1");
	refresh(b);
	store_delete_node(&b->store, "node-a");
	assert_true(refresh(b));
	assert_string_equal(b->policy.zone, "");
	assert_int_equal(b->policy.n_pod_cidrs, 0);
}

/* A socket that cannot be had stands for all that can go wrong. */
static void addresses_that_cannot_be_read_leave_what_was_known(void **state)
{
	struct bench *b = *state;
	const struct ip other = fixture_ip("192.168.60.1");
	struct rlimit limit, none;
	struct err err = { 0 };
	int r;

	put_node(b, "192.168.50.1");
	refresh(b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = node_refresh(&b->facts, &b->store, &b->policy, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(r < 0);
	assert_true(*err.msg);
	assert_ip(b, "192.168.50.1");
	assert_true(policy_is_local(&b->policy, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(the_node_object_says_which_address_is_the_nodes_own),
		TEST(an_address_on_no_interface_is_not_taken),
		TEST(the_bind_address_counts_more),
		TEST(an_unspecified_bind_address_says_nothing),
		TEST(a_node_that_changes_is_followed),
		TEST(a_node_that_an_api_server_deletes_leaves_what_it_said),
		TEST(a_node_that_leaves_the_manifests_is_gone),
		TEST(addresses_that_cannot_be_read_leave_what_was_known),
	};

	return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
