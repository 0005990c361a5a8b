// SPDX-License-Identifier: GPL-2.0-or-later
/* The view of the node: from its interfaces, its Node object, and the options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/node_view.h"
#include "core/store.h"
#include "fixture.h"

struct bench {
	struct store store;
	struct options options;
	struct node_view view;
};

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	store_init(&b->store);
	options_init(&b->options);
	strcpy(b->options.node_name, "node-a");
	node_view_init(&b->view, &b->options);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	node_view_done(&b->view);
	store_done(&b->store);
	free(b);
	return 0;
}

/* With these two addresses on the interfaces. */
static bool refresh(struct bench *b)
{
	const struct ip no_primary[2] = { 0 };
	struct ip *local = mem_zalloc(2, sizeof(*local));

	local[0] = fixture_ip("192.168.50.1");
	local[1] = fixture_ip("192.168.60.1");
	return node_view_update(&b->view, local, 2, no_primary, &b->store);
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

	assert_string_equal(ip_print(&b->view.node_ip[0], text), want);
}

static void the_node_object_says_which_address_is_the_nodes_own(void **state)
{
	struct bench *b = *state;

	put_node(b, "192.168.60.1");
	assert_true(refresh(b));
	assert_ip(b, "192.168.60.1");
	assert_string_equal(b->view.zone, "zone-a");
	assert_int_equal(b->view.n_pod_cidrs, 1);
	assert_int_equal(b->view.n_local, 2);
	assert_int_equal(b->view.node_ip[1].family, 0);
	assert_false(refresh(b));
}

static void an_address_on_no_interface_is_not_taken(void **state)
{
	struct bench *b = *state;

	b->view.bind_address = fixture_ip("192.168.70.1");
	put_node(b, "192.168.60.1");
	refresh(b);
	assert_ip(b, "192.168.60.1");
}

static void the_bind_address_counts_more(void **state)
{
	struct bench *b = *state;

	b->view.bind_address = fixture_ip("192.168.50.1");
	put_node(b, "192.168.60.1");
	refresh(b);
	assert_ip(b, "192.168.50.1");
	refresh(b);
	assert_ip(b, "192.168.50.1");
}

static void an_unspecified_bind_address_says_nothing(void **state)
{
	struct bench *b = *state;

	b->view.bind_address = fixture_ip("0.0.0.0");
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

	b->view.keep = true;
	put_node(b, "192.168.60.1");
	refresh(b);
	store_delete_node(&b->store, "node-a");
	assert_false(refresh(b));
	assert_ip(b, "192.168.60.1");
	assert_string_equal(b->view.zone, "zone-a");
	assert_int_equal(b->view.n_pod_cidrs, 1);
}

static void a_node_that_leaves_the_manifests_is_gone(void **state)
{
	struct bench *b = *state;

	put_node(b, "192.168.60.1");
	refresh(b);
	store_delete_node(&b->store, "node-a");
	assert_true(refresh(b));
	assert_string_equal(b->view.zone, "");
	assert_int_equal(b->view.n_pod_cidrs, 0);
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
	};

	return cmocka_run_group_tests_name("node_view", tests, NULL, NULL);
}
