// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/store.h"
#include "fixture.h"

static int setup(void **state)
{
	struct store *s = new0(struct store);

	store_init(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	store_done(*state);
	free(*state);
	return 0;
}

/* Empties the dirty queue; returns its names with a blank behind each. */
static const char *dirty(struct store *s, struct buf *b)
{
	buf_reset(b);
	for (struct slot *slot = store_next_dirty(s); slot; slot = store_next_dirty(s))
		buf_addf(b, "%s ", slot->name);
	return buf_str(b);
}

static const char *slices(const struct slot *slot, struct buf *b)
{
	buf_reset(b);
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
		buf_addf(b, "%s ", it->slice->name);
	return buf_str(b);
}

static void a_service_is_found_by_namespace_and_name(void **state)
{
	struct store *s = *state;

	fixture_load(s,
		"service shop/web ip=10.0.0.1\n"
		"service web/shop ip=10.0.0.2\n"
		"service shopw/eb ip=10.0.0.3\n");
	assert_string_equal(store_find(s, "shop", "web")->service->name, "web");
	assert_string_equal(store_find(s, "web", "shop")->service->ns, "web");
	assert_string_equal(store_find(s, "shop", "web")->name, "shop/web");
	assert_null(store_find(s, "shop", "we"));
	assert_null(store_find(s, "sho", "p/web"));
	assert_null(store_find(s, "", "shop/web"));
	assert_int_equal(s->n_services, 3);
}

static void every_change_marks_its_slot_dirty_once(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s,
		"service a/one\n"
		"service a/two\n"
		"service a/one\n"
		"slice a/one-x\n");
	assert_string_equal(dirty(s, &b), "a/one a/two ");
	assert_string_equal(dirty(s, &b), "");
	fixture_load(s, "slice a/two-x\n");
	assert_string_equal(dirty(s, &b), "a/two ");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "two-x");
	assert_string_equal(dirty(s, &b), "a/two ");
	store_delete_service(s, "a", "one");
	assert_string_equal(dirty(s, &b), "a/one ");
}

static void the_dirty_queue_keeps_its_order_and_goes_on_at_its_end(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s, "service a/one\nservice a/two\nservice a/three\n");
	assert_string_equal(store_next_dirty(s)->name, "a/one");
	fixture_load(s, "service a/one\n");
	assert_string_equal(dirty(s, &b), "a/two a/three a/one ");
}

static void deleting_the_unknown_changes_nothing(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s, "slice a/web-1\n");
	dirty(s, &b);
	store_delete_service(s, "a", "web"); /* a slot with slices only */
	store_delete_service(s, "a", "none");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "web-2");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "b", "web-1");
	store_delete_slice(s, SLICE_ENDPOINTS, "a", "web-1");
	store_delete_node(s, "none");
	assert_string_equal(dirty(s, &b), "");
	assert_int_equal(s->n_services, 0);
	assert_int_equal(s->node_generation, 0);
	assert_int_equal(store_find(s, "a", "web")->n_slices, 1);
}

static void slices_may_come_before_their_service(void **state)
{
	struct store *s = *state;
	struct slot *slot;

	fixture_load(s, "slice a/web-1\nslice a/web-2\n");
	slot = store_find(s, "a", "web");
	assert_null(slot->service);
	assert_int_equal(slot->n_slices, 2);
	fixture_load(s, "service a/web ip=10.0.0.1\n");
	assert_ptr_equal(store_find(s, "a", "web"), slot);
	assert_non_null(slot->service);
}

static void slices_stand_in_order_of_kind_and_name_however_they_come(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s,
		"slice a/web-c\n"
		"slice a/web kind=Endpoints service=web\n"
		"slice a/web-a\n"
		"slice a/web-b\n"
		"slice a/web-c\n");
	assert_string_equal(slices(store_find(s, "a", "web"), &b), "web-a web-b web-c web ");
}

static void a_slice_is_known_by_kind_namespace_and_name(void **state)
{
	struct store *s = *state;

	fixture_load(s,
		"slice a/web kind=Endpoints service=web ep=10.1.0.1\n"
		"slice a/web service=web ep=10.1.0.2\n"
		"slice b/web service=web ep=10.1.0.3\n");
	assert_int_equal(store_find(s, "a", "web")->n_slices, 2);
	assert_int_equal(store_find(s, "b", "web")->n_slices, 1);
	store_delete_slice(s, SLICE_ENDPOINTS, "a", "web");
	assert_int_equal(store_find(s, "a", "web")->n_slices, 1);
}

static void a_slice_that_changes_its_service_leaves_the_old_one(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s, "slice a/web-1 service=web\nslice a/web-2 service=web\n");
	dirty(s, &b);
	fixture_load(s, "slice a/web-1 service=shop\n");
	assert_string_equal(dirty(s, &b), "a/web a/shop ");
	assert_string_equal(slices(store_find(s, "a", "web"), &b), "web-2 ");
	assert_string_equal(slices(store_find(s, "a", "shop"), &b), "web-1 ");
}

static void only_an_empty_slot_is_pruned(void **state)
{
	struct store *s = *state;
	struct slot *slot;

	fixture_load(s, "service a/web\nslice a/web-1\n");
	slot = store_find(s, "a", "web");
	store_prune(s, slot);
	store_delete_service(s, "a", "web");
	store_prune(s, slot);
	assert_ptr_equal(store_find(s, "a", "web"), slot);
	slot->published = (struct publication *)s;
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "web-1");
	store_prune(s, slot);
	assert_ptr_equal(store_find(s, "a", "web"), slot);
	slot->published = NULL;
	store_prune(s, slot);
	assert_null(store_find(s, "a", "web"));
	assert_null(store_next_dirty(s)); /* a pruned slot is not on the queue any more */
}

static void all_slots_can_be_marked(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;
	size_t n = 0;

	fixture_load(s, "service a/one\nservice a/two\nslice a/three-1\n");
	dirty(s, &b);
	store_mark_all_dirty(s);
	store_mark_all_dirty(s);
	while (store_next_dirty(s))
		n++;
	assert_int_equal(n, 3);
}

static void nodes_are_counted_and_found(void **state)
{
	struct store *s = *state;
	uint32_t before;

	fixture_load(s, "node one weight=5\nnode two zone=a\n");
	assert_int_equal(store_node(s, "one")->weight, 5);
	assert_string_equal(store_node(s, "two")->zone, "a");
	assert_null(store_node(s, "three"));
	before = s->node_generation;
	fixture_load(s, "node one weight=6\n");
	assert_int_equal(store_node(s, "one")->weight, 6);
	assert_int_not_equal(s->node_generation, before);
	before = s->node_generation;
	store_delete_node(s, "one");
	assert_null(store_node(s, "one"));
	assert_int_not_equal(s->node_generation, before);
}

static void what_a_complete_view_does_not_tell_is_deleted(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s,
		"service a/one\nservice a/two\nslice a/one-1\nslice a/one-2\n"
		"slice a/one kind=Endpoints service=one\nnode x\nnode y\n");
	dirty(s, &b);
	store_view_begin(s, VIEW_SERVICES);
	fixture_load(s, "service a/two\nservice a/three\n");
	store_view_end(s, VIEW_SERVICES);
	assert_null(store_find(s, "a", "one")->service);
	assert_int_equal(s->n_services, 2);
	/* Of another kind nothing was said. */
	assert_int_equal(store_find(s, "a", "one")->n_slices, 3);
	assert_string_equal(dirty(s, &b), "a/two a/three a/one ");
	store_view_begin(s, VIEW_ENDPOINT_SLICES);
	fixture_load(s, "slice a/one-2\n");
	store_view_end(s, VIEW_ENDPOINT_SLICES);
	assert_string_equal(slices(store_find(s, "a", "one"), &b), "one-2 one ");
	store_view_begin(s, VIEW_ENDPOINTS);
	store_view_end(s, VIEW_ENDPOINTS);
	assert_string_equal(slices(store_find(s, "a", "one"), &b), "one-2 ");
	store_view_begin(s, VIEW_NODES);
	fixture_load(s, "node y\n");
	store_view_end(s, VIEW_NODES);
	assert_null(store_node(s, "x"));
	assert_non_null(store_node(s, "y"));
}

static void a_view_that_is_begun_again_deletes_nothing_too_early(void **state)
{
	struct store *s = *state;

	fixture_load(s, "service a/one\nservice a/two\n");
	store_view_begin(s, VIEW_SERVICES);
	fixture_load(s, "service a/one\n");
	store_view_begin(s, VIEW_SERVICES);
	fixture_load(s, "service a/two\n");
	store_view_end(s, VIEW_SERVICES);
	assert_null(store_find(s, "a", "one")->service);
	assert_non_null(store_find(s, "a", "two")->service);
}

static bool has_service(struct store *s, const char *line)
{
	struct service *service = fixture_service(line);
	bool has = store_has_service(s, service);

	service_free(service);
	return has;
}

static bool has_slice(struct store *s, const char *line)
{
	struct slice *slice = fixture_slice(line);
	bool has = store_has_slice(s, slice);

	slice_free(slice);
	return has;
}

static void an_object_in_the_same_version_is_told_without_being_put(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s,
		"service a/one version=5\nservice a/none\nslice a/one-1 version=7\n"
		"slice a/two-1 version=8\n");
	dirty(s, &b);
	assert_false(has_service(s, "a/one version=6"));
	assert_false(has_service(s, "a/none"));		 /* no version is no version */
	assert_false(has_service(s, "a/two version=8")); /* slices only */
	assert_false(has_slice(s, "a/one-1 version=7 kind=Endpoints"));
	store_view_begin(s, VIEW_SERVICES);
	assert_true(has_service(s, "a/one version=5"));
	store_view_end(s, VIEW_SERVICES);
	store_view_begin(s, VIEW_ENDPOINT_SLICES);
	assert_true(has_slice(s, "a/one-1 version=7"));
	store_view_end(s, VIEW_ENDPOINT_SLICES);
	assert_non_null(store_find(s, "a", "one")->service);
	assert_int_equal(store_find(s, "a", "one")->n_slices, 1);
	assert_string_equal(dirty(s, &b), "a/none a/two ");
}

/* After a restore of etcd. */
static void the_same_version_with_other_content_is_another_object(void **state)
{
	struct store *s = *state;

	fixture_load(s, "service a/one version=5 hash=1\nslice a/one-1 version=7 hash=2\n");
	assert_true(has_service(s, "a/one version=5 hash=1"));
	assert_false(has_service(s, "a/one version=5 hash=2"));
	assert_true(has_slice(s, "a/one-1 version=7 hash=2"));
	assert_false(has_slice(s, "a/one-1 version=7 hash=1"));
}

/* "SERVICE TIME FAMILY, ..." */
static const char *triggers(const struct store *s, struct buf *b)
{
	buf_reset(b);
	for (size_t i = 0; i < s->n_triggers; i++)
		buf_addf(b, "%s %d %s, ", s->triggers[i].slot->name, (int)s->triggers[i].time,
			s->triggers[i].family == AF_INET ? "IPv4" : "IPv6");
	return buf_str(b);
}

static void changes_are_counted(void **state)
{
	struct store *s = *state;

	fixture_load(s, "service a/one\nservice a/one\nslice a/one-x\nslice a/two-x\n");
	assert_int_equal(s->service_changes, 2);
	assert_int_equal(s->slice_changes, 2);
	store_delete_service(s, "a", "one");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "one-x");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "unknown");
	assert_int_equal(s->service_changes, 3);
	assert_int_equal(s->slice_changes, 3);
	store_view_begin(s, VIEW_ENDPOINT_SLICES);
	store_view_end(s, VIEW_ENDPOINT_SLICES);
	assert_int_equal(s->slice_changes, 4);
	fixture_load(s, "service a/three\n");
	store_view_begin(s, VIEW_SERVICES);
	store_view_end(s, VIEW_SERVICES);
	assert_int_equal(s->service_changes, 5);
}

static void slices_tell_since_when_endpoints_are_others(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	fixture_load(s, "slice a/early-x trigger=900 ep=10.0.0.1\n");
	assert_string_equal(triggers(s, &b), "");
	s->triggers_since = 1000;
	fixture_load(s,
		"slice a/web-x trigger=1000 ep=10.0.0.1\n"
		"slice a/web-x trigger=1001 ep=10.0.0.1\n"
		"slice a/web-x trigger=1002 ep=10.0.0.2\n"
		"slice a/dns-x trigger=1003 ep=fd00::1\n"
		"slice a/dns-y ep=fd00::1\n");
	assert_string_equal(triggers(s, &b), "a/web 1001 IPv4, a/web 1002 IPv4, a/dns 1003 IPv6, ");
	s->n_triggers = 0;
	assert_string_equal(triggers(s, &b), "");
}

static void a_slice_without_endpoints_is_of_the_family_that_it_had(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	s->triggers_since = 1000;
	fixture_load(s,
		"slice a/web-x trigger=1001 ep=fd00::1\n"
		"slice a/web-x trigger=1002\n"
		"slice a/unknown-x trigger=1003\n"
		"service a/dns ip=10.0.0.1\n"
		"slice a/dns-x trigger=1004\n");
	assert_string_equal(triggers(s, &b), "a/web 1001 IPv6, a/web 1002 IPv6, a/dns 1004 IPv4, ");
}

static void a_slice_that_goes_takes_its_triggers_along(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct store *s = *state;

	s->triggers_since = 1000;
	fixture_load(s,
		"slice a/web-x trigger=1001 ep=10.0.0.1\n"
		"slice a/dns-x trigger=1002 ep=10.0.0.1\n"
		"slice a/web-y trigger=1003 ep=10.0.0.1\n");
	store_delete_slice(s, SLICE_ENDPOINT_SLICE, "a", "web-x");
	assert_string_equal(triggers(s, &b), "a/dns 1002 IPv4, ");
	for (int i = 0; i <= STORE_MAX_TRIGGERS; i++)
		fixture_load(s, "slice a/web-z trigger=1004 ep=10.0.0.1\n");
	assert_int_equal(s->n_triggers, STORE_MAX_TRIGGERS);
}

/* Each is where it says that it is; returns their names in the order of the alphabet. */
static const char *local_services(const struct store *s, struct buf *b)
{
	buf_reset(b);
	for (char c = 'a'; c <= 'z'; c++)
		for (size_t i = 0; i < s->n_local; i++) {
			assert_int_equal(s->local[i]->local_at, i + 1);
			if (s->local[i]->service->name[0] == c)
				buf_addc(b, c);
		}
	return buf_str(b);
}

static void services_with_a_local_policy_are_listed(void **state)
{
	struct store *s = *state;
	_cleanup_(buf_done) struct buf b = { 0 };

	fixture_load(s,
		"service n/a ip=10.96.0.1 etp=Local type=NodePort port=p:80/TCP\n"
		"service n/b ip=10.96.0.2 port=p:80/TCP\n"
		"service n/c ip=10.96.0.3 itp=Local port=p:80/TCP\n"
		"service n/d ip=10.96.0.4 itp=Local etp=Local port=p:80/TCP\n");
	assert_string_equal(local_services(s, &b), "acd");
	fixture_load(s,
		"service n/a ip=10.96.0.1 type=NodePort port=p:80/TCP\n"
		"service n/b ip=10.96.0.2 itp=Local port=p:80/TCP\n"
		"service n/c ip=10.96.0.5 itp=Local port=p:80/TCP\n");
	assert_string_equal(local_services(s, &b), "bcd");
	store_delete_service(s, "n", "d");
	store_delete_service(s, "n", "c");
	assert_string_equal(local_services(s, &b), "b");
	store_delete_service(s, "n", "b");
	assert_string_equal(local_services(s, &b), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			services_with_a_local_policy_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_service_is_found_by_namespace_and_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_change_marks_its_slot_dirty_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_dirty_queue_keeps_its_order_and_goes_on_at_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
			deleting_the_unknown_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			slices_may_come_before_their_service, setup, teardown),
		cmocka_unit_test_setup_teardown(
			slices_stand_in_order_of_kind_and_name_however_they_come, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_slice_is_known_by_kind_namespace_and_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_slice_that_changes_its_service_leaves_the_old_one, setup, teardown),
		cmocka_unit_test_setup_teardown(only_an_empty_slot_is_pruned, setup, teardown),
		cmocka_unit_test_setup_teardown(all_slots_can_be_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(nodes_are_counted_and_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_complete_view_does_not_tell_is_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_view_that_is_begun_again_deletes_nothing_too_early, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_object_in_the_same_version_is_told_without_being_put, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_same_version_with_other_content_is_another_object, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			slices_tell_since_when_endpoints_are_others, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_slice_without_endpoints_is_of_the_family_that_it_had, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_slice_that_goes_takes_its_triggers_along, setup, teardown),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
