// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct item {
	struct map_node node;
	unsigned value;
	bool seen;
};

static const struct item *find(const struct map *m, uint32_t hash, unsigned value)
{
	map_for_each_match_entry(struct item, it, m, hash, node)
		if (it->value == value)
			return it;
	return NULL;
}

static void an_empty_map_finds_nothing(void **state)
{
	struct map m = { 0 };
	size_t n = 0;

	(void)state;
	assert_null(find(&m, 0, 0));
	map_for_each_entry(const struct item, it, &m, node)
		n += it->value + 1;
	assert_int_equal(n, 0);
	map_done(&m);
}

static void everything_added_is_found_until_it_is_deleted(void **state)
{
	enum { N = 10000 };
	_cleanup_free_ struct item *items = mem_zalloc(N, sizeof(*items));
	struct map m = { 0 };

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		items[i].value = i;
		map_add(&m, &items[i].node, map_hash(&i, sizeof(i)));
	}
	assert_int_equal(m.count, N);
	for (unsigned i = 0; i < N; i += 2)
		map_del(&m, &items[i].node);
	assert_int_equal(m.count, N / 2);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(find(&m, map_hash(&i, sizeof(i)), i), i % 2 ? &items[i] : NULL);
	map_done(&m);
	assert_int_equal(m.count, 0);
}

static void nodes_of_one_hash_are_all_walked(void **state)
{
	struct item items[40] = { 0 };
	struct map m = { 0 };
	unsigned sum = 0;
	uint32_t hash = 6;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
		items[i].value = i;
		map_add(&m, &items[i].node, 7 + i % 2 * 64); /* two hashes in one bucket */
	}
	map_for_each_match_entry(const struct item, it, &m, ++hash, node)
		sum += it->value;
	assert_int_equal(sum, 380);
	assert_int_equal(hash, 7); /* evaluated once */
	map_done(&m);
}

static void the_walk_sees_each_node_once_and_lets_it_be_deleted(void **state)
{
	enum { N = 1000 };
	_cleanup_free_ struct item *items = mem_zalloc(N, sizeof(*items));
	struct map m = { 0 };
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		items[i].value = i;
		map_add(&m, &items[i].node, i / 3 * 2654435761u);
	}
	map_for_each_entry(struct item, item, &m, node) {
		assert_false(item->seen);
		item->seen = true;
		map_del(&m, &item->node);
		memset(&item->node, 0xee, sizeof(item->node));
		n++;
	}
	assert_int_equal(n, N);
	assert_int_equal(m.count, 0);
	map_done(&m);
}

static void a_walk_can_be_left(void **state)
{
	struct item items[10] = { 0 };
	struct map m = { 0 };
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++)
		map_add(&m, &items[i].node, i);
	map_for_each_entry(struct item, it, &m, node) {
		n += it != NULL;
		if (n == 3)
			break;
	}
	assert_int_equal(n, 3);
	map_done(&m);
}

static void the_hash_depends_on_every_byte_and_on_the_length(void **state)
{
	unsigned char data[40] = { 0 };
	uint32_t zero = map_hash(data, sizeof(data));

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = 1;
		assert_int_not_equal(map_hash(data, sizeof(data)), zero);
		data[i] = 0;
	}
	for (size_t len = 0; len < sizeof(data); len++)
		assert_int_not_equal(map_hash(data, len), zero);
	assert_int_equal(map_hash_str("abc"), map_hash("abc", 3));
}

struct queued {
	unsigned value;
	struct list link;
};

static void a_list_is_walked_in_order_and_its_entries_may_be_removed(void **state)
{
	struct queued items[5] = { 0 };
	struct list head;
	unsigned text = 0;

	(void)state;
	list_init(&head);
	list_for_each_entry(struct queued, it, &head, link)
		fail_msg("an empty list has an entry %u", it->value);
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
		items[i].value = i + 1;
		list_insert(&head, &items[i].link);
	}
	list_for_each_entry_safe(struct queued, it, &head, link)
		if (it->value % 2 == 0)
			list_remove(&it->link);
	list_for_each_entry(const struct queued, it, &head, link)
		text = text * 10 + it->value;
	assert_int_equal(text, 135);
}

static void a_hash_is_the_same_on_every_machine(void **state)
{
	(void)state;
	assert_int_equal(map_hash_str(""), 0xe17d05ac);
	assert_int_equal(map_hash_str("default"), 0x3b1d1eb7);
	assert_int_equal(map_hash_str("default/whoami"), 0x68b139cd);
	assert_int_equal(map_hash_str("kube-system/kube-dns:dns-tcp"), 0x3fed29fb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(everything_added_is_found_until_it_is_deleted),
		cmocka_unit_test(nodes_of_one_hash_are_all_walked),
		cmocka_unit_test(the_walk_sees_each_node_once_and_lets_it_be_deleted),
		cmocka_unit_test(a_walk_can_be_left),
		cmocka_unit_test(a_list_is_walked_in_order_and_its_entries_may_be_removed),
		cmocka_unit_test(the_hash_depends_on_every_byte_and_on_the_length),
		cmocka_unit_test(a_hash_is_the_same_on_every_machine),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
