// SPDX-License-Identifier: GPL-2.0-or-later
/* The messages of an API server are the same objects as their twins in JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/api/watch_event.h"
#include "base/mem.h"
#include "bodies.h"
#include "decode/decode.h"
#include "message.h"
#include "same_object.h"

static struct object must_decode(enum object_kind kind, const struct buf *message)
{
	struct decode_error err = { 0 };
	struct object o;
	int r = decode_accepted(kind, value_of_message(message->data, message->len), &o, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(r, 0);
	return o;
}

static struct object must_decode_json(enum object_kind kind, const json_t *tree)
{
	struct decode_error err = { 0 };
	struct object o;
	int r = decode_accepted(kind, value_of_json(tree), &o, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(r, 0);
	return o;
}

/* Recorded objects */

static json_t *read_json(const char *name)
{
	_cleanup_(buf_done) struct buf body = body_read(name);
	json_t *root = json_loadb(body.data, body.len, 0, NULL);

	assert_non_null(root);
	return root;
}

struct recorded {
	enum object_kind kind;
	const char *list, *twin, *watch;
};

static const struct recorded recorded[] = {
	{ OBJECT_SERVICE, "protobuf/services-list.pb", "protobuf/services-list.twin.json",
		"protobuf/services-watchlist.pbstream" },
	{ OBJECT_ENDPOINT_SLICE, "protobuf/endpointslices-list.pb",
		"protobuf/endpointslices-list.twin.json",
		"protobuf/endpointslices-watchlist.pbstream" },
	{ OBJECT_ENDPOINTS, "protobuf/endpoints-list.pb", "protobuf/endpoints-list.twin.json",
		NULL },
	{ OBJECT_NODE, "protobuf/nodes-list.pb", "protobuf/nodes-list.twin.json", NULL },
};

/* Decodes what decode_object() does, as if it were a manifest. */
static void assert_same_as_manifest(
	const struct recorded *r, json_t *item, const struct object *wanted)
{
	struct decode_error err = { 0 };
	struct object o;

	json_object_set_new(item, "kind", json_string(object_kind_name(r->kind)));
	json_object_set_new(item, "apiVersion",
		json_string(r->kind == OBJECT_ENDPOINT_SLICE ? "discovery.k8s.io/v1" : "v1"));
	assert_int_equal(decode_object(item, &o, &err), 0);
	assert_same_object(&o, wanted);
	object_done(&o);
}

static void recorded_messages_are_the_same_as_their_twins(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_(buf_done) struct buf body = body_read(recorded[i].list);
		struct cut cut =
			cut_whole(STREAM_PROTOBUF_LIST, PIECES_RANDOM, body.data, body.len);
		json_t *twin = read_json(recorded[i].twin), *items = json_object_get(twin, "items");

		assert_int_equal(cut.n, json_array_size(items));
		for (size_t k = 0; k < cut.n; k++) {
			json_t *item = json_array_get(items, k);
			struct object a = must_decode(recorded[i].kind, &cut.objects[k]);
			struct object b = must_decode_json(recorded[i].kind, item);

			assert_same_object(&a, &b);
			assert_same_as_manifest(&recorded[i], item, &b);
			object_done(&a);
			object_done(&b);
		}
		json_decref(twin);
		cut_done(&cut);
	}
}

static void recorded_events_carry_the_same_objects_as_the_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_(buf_done) struct buf body = { 0 };
		struct cut cut;
		json_t *twin, *items;

		if (!recorded[i].watch)
			continue;
		body = body_read(recorded[i].watch);
		cut = cut_whole(STREAM_PROTOBUF_WATCH, PIECES_RANDOM, body.data, body.len);
		twin = read_json(recorded[i].twin);
		items = json_object_get(twin, "items");
		assert_int_equal(cut.n, json_array_size(items) + 1); /* and a bookmark */
		for (size_t k = 0; k + 1 < cut.n; k++) {
			struct object a,
				b = must_decode_json(recorded[i].kind, json_array_get(items, k));
			struct decode_error err = { 0 };
			struct err e = { 0 };
			struct event ev;

			assert_int_equal(event_parse(WATCH_PROTOBUF, cut.objects[k].data,
						 cut.objects[k].len, &ev, &e),
				0);
			assert_int_equal(decode_accepted(recorded[i].kind,
						 value_of_message(ev.data, ev.len), &a, &err),
				0);
			assert_same_object(&a, &b);
			object_done(&a);
			object_done(&b);
		}
		json_decref(twin);
		cut_done(&cut);
	}
}

/* Two recordings of the same changes, at different times. */
static void recorded_changes_are_the_same_in_both_encodings(void **state)
{
	static const struct {
		enum object_kind kind;
		const char *json, *protobuf;
	} watches[] = {
		{ OBJECT_SERVICE, "services-watch.jsonl", "protobuf/services-watch.pbstream" },
		{ OBJECT_ENDPOINT_SLICE, "endpointslices-watch.jsonl",
			"protobuf/endpointslices-watch.pbstream" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(watches); i++) {
		_cleanup_(buf_done) struct buf json = body_read(watches[i].json);
		_cleanup_(buf_done) struct buf protobuf = body_read(watches[i].protobuf);
		struct cut a = cut_whole(STREAM_JSON_WATCH, PIECES_BYTES, json.data, json.len);
		struct cut b =
			cut_whole(STREAM_PROTOBUF_WATCH, PIECES_BYTES, protobuf.data, protobuf.len);

		for (size_t k = 0; k < 3; k++) {
			struct decode_error err = { 0 };
			struct object p, q;
			struct event ev;
			json_t *tree;

			event_parse(WATCH_JSON, a.objects[k].data, a.objects[k].len, &ev, NULL);
			tree = json_loadb(ev.data, ev.len, 0, NULL);
			p = must_decode_json(watches[i].kind, tree);
			json_decref(tree);
			event_parse(WATCH_PROTOBUF, b.objects[k].data, b.objects[k].len, &ev, NULL);
			assert_int_equal(decode_accepted(watches[i].kind,
						 value_of_message(ev.data, ev.len), &q, &err),
				0);
			if (p.kind == OBJECT_SERVICE) {
				q.service->resource_version = p.service->resource_version;
				q.service->uid = p.service->uid;
				q.service->created = p.service->created;
			} else {
				q.slice->resource_version = p.slice->resource_version;
				q.slice->trigger_time = p.slice->trigger_time;
			}
			assert_same_object(&p, &q);
			object_done(&p);
			object_done(&q);
		}
		cut_done(&a);
		cut_done(&b);
	}
}

/* What is broken */

static void a_message_cut_short_is_an_error_or_a_shorter_object(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_(buf_done) struct buf body = body_read(recorded[i].list);
		struct cut cut = cut_whole(STREAM_PROTOBUF_LIST, PIECES_WHOLE, body.data, body.len);

		for (size_t k = 0; k < cut.n; k++)
			for (size_t len = 0; len < cut.objects[k].len; len++) {
				_cleanup_free_ char *copy = mem_zalloc(len, 1);
				struct decode_error err = { 0 };
				struct object o;
				int r;

				memcpy(copy, cut.objects[k].data, len);
				r = decode_accepted(
					recorded[i].kind, value_of_message(copy, len), &o, &err);
				if (!r)
					object_done(&o);
				else
					assert_true(*err.message);
			}
		cut_done(&cut);
	}
}

/* Each bit of an object of each kind is turned over once. */
static void a_corrupted_message_is_an_object_or_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		_cleanup_(buf_done) struct buf body = body_read(recorded[i].list);
		struct cut cut = cut_whole(STREAM_PROTOBUF_LIST, PIECES_WHOLE, body.data, body.len);
		struct buf *first = &cut.objects[0];

		for (size_t bit = 0; bit < first->len * 8; bit++) {
			struct decode_error err = { 0 };
			struct object o;
			int r;

			first->data[bit / 8] ^= (char)(1 << bit % 8);
			r = decode_accepted(recorded[i].kind,
				value_of_message(first->data, first->len), &o, &err);
			if (!r)
				object_done(&o);
			assert_true(!r || r == -EBADMSG || r == -EINVAL || r == -ENOTSUP);
			assert_true(!r || *err.message);
			first->data[bit / 8] ^= (char)(1 << bit % 8);
		}
		cut_done(&cut);
	}
}

/* A field of the wrong type where these numbers lead, up to a 0. */
static void put_wrong(struct buf *object, const uint32_t *path, bool text)
{
	const uint32_t *last = path;
	struct buf inner = { 0 };

	while (last[1])
		last++;
	if (text)
		put_text(&inner, *last, "\x01");
	else
		put_number(&inner, *last, 1);
	while (last-- > path) {
		struct buf outer = { 0 };

		put_message(&outer, *last, &inner);
		inner = outer;
	}
	buf_add(object, inner.data, inner.len);
	buf_done(&inner);
}

static void fields_of_another_type_make_no_object_of_that_kind(void **state)
{
	static const struct {
		enum object_kind kind;
		uint32_t path[5];
		bool text;
		const char *field;
	} cases[] = {
		{ OBJECT_SERVICE, { 2 }, false, "spec" },
		{ OBJECT_SERVICE, { 2, 1 }, false, "spec.ports[0]" },
		{ OBJECT_SERVICE, { 2, 1, 3 }, true, "spec.ports[0].port" },
		{ OBJECT_SERVICE, { 2, 3 }, false, "spec.clusterIP" },
		{ OBJECT_SERVICE, { 2, 5 }, false, "spec.externalIPs[0]" },
		{ OBJECT_SERVICE, { 2, 13 }, true, "spec.publishNotReadyAddresses" },
		{ OBJECT_SERVICE, { 3, 1, 1 }, false, "status.loadBalancer.ingress[0]" },
		{ OBJECT_SERVICE, { 3, 1, 1, 1 }, false, "status.loadBalancer.ingress[0].ip" },
		{ OBJECT_ENDPOINT_SLICE, { 2 }, false, "endpoints[0]" },
		{ OBJECT_ENDPOINT_SLICE, { 2, 1 }, false, "endpoints[0].addresses[0]" },
		{ OBJECT_ENDPOINT_SLICE, { 3, 3 }, true, "ports[0].port" },
		{ OBJECT_ENDPOINTS, { 2, 1, 1 }, false, "subsets[0].addresses[0].ip" },
		{ OBJECT_NODE, { 2, 5, 1 }, false, "spec.taints[0].key" },
		{ OBJECT_NODE, { 3, 5 }, false, "status.addresses[0]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf object = { 0 };
		struct decode_error err = { 0 };
		struct buf meta = { 0 };
		struct object o;

		put_text(&meta, 1, "web");
		put_text(&meta, 3, "shop");
		put_entry(&meta, 11, "kubernetes.io/service-name", "web");
		put_message(&object, 1, &meta);
		if (cases[i].kind == OBJECT_ENDPOINT_SLICE)
			put_text(&object, 4, "IPv4");
		put_wrong(&object, cases[i].path, cases[i].text);
		assert_int_equal(decode_accepted(cases[i].kind,
					 value_of_message(object.data, object.len), &o, &err),
			-EBADMSG);
		assert_string_equal(err.field, cases[i].field);
		assert_string_equal(err.message, "is not encoded as in the protobuf of Kubernetes");
		assert_string_equal(err.id.name, "web");
	}
}

static void text_that_is_no_utf_8_is_left_out(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} texts[] = { { "a\xff", 2 }, { "a\0b", 3 }, { "\xc3\xb6\0", 3 }, { "\xed\xa0\x80", 3 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(buf_done) struct buf object = { 0 };
		struct buf meta = { 0 }, spec = { 0 };
		struct decode_error err = { 0 };
		struct object o;

		put_text(&meta, 1, "web");
		put_bytes(&meta, 6, texts[i].bytes, texts[i].len);
		put_message(&object, 1, &meta);
		put_text(&spec, 3, "10.0.0.1");
		put_message(&object, 2, &spec);
		assert_int_equal(decode_accepted(OBJECT_SERVICE,
					 value_of_message(object.data, object.len), &o, &err),
			0);
		assert_string_equal(o.service->resource_version, "");
		assert_int_equal(o.service->n_cluster_ips, 1);
		assert_string_equal(err.field, "metadata.resourceVersion");
		assert_string_equal(err.message, "is not text in UTF-8");
		object_done(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_messages_are_the_same_as_their_twins),
		cmocka_unit_test(recorded_events_carry_the_same_objects_as_the_list),
		cmocka_unit_test(recorded_changes_are_the_same_in_both_encodings),
		cmocka_unit_test(a_message_cut_short_is_an_error_or_a_shorter_object),
		cmocka_unit_test(a_corrupted_message_is_an_object_or_an_error),
		cmocka_unit_test(fields_of_another_type_make_no_object_of_that_kind),
		cmocka_unit_test(text_that_is_no_utf_8_is_left_out),
	};

	return cmocka_run_group_tests_name("decode_protobuf", tests, NULL, NULL);
}
