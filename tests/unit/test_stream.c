// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bodies.h"
#include "decode/protobuf.h"
#include "message.h"

/* Lists in JSON */

static void assert_json(const struct buf *text, const json_t *wanted)
{
	json_t *is = json_loadb(buf_str(text), text->len, JSON_DECODE_ANY, NULL);

	assert_non_null(is);
	assert_true(json_equal(is, wanted));
	json_decref(is);
}

/* The pieces are the elements that jansson finds in the whole document. */
static void assert_list(const char *body, size_t len)
{
	json_t *root = json_loadb(body, len, 0, NULL), *items;

	assert_non_null(root);
	items = json_incref(json_object_get(root, "items"));
	if (json_is_array(items))
		json_object_set_new(root, "items", json_array());
	for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
		struct cut cut = cut_whole(STREAM_JSON_LIST, way, body, len);

		assert_int_equal(cut.n, json_array_size(items));
		for (size_t i = 0; i < cut.n; i++)
			assert_json(&cut.objects[i], json_array_get(items, i));
		assert_int_equal(cut.ended, 1);
		assert_json(&cut.end, root);
		cut_done(&cut);
	}
	json_decref(items);
	json_decref(root);
}

static void recorded_lists_are_cut_into_their_items(void **state)
{
	static const char *const names[] = { "endpoints-list.json", "endpointslices-list.json",
		"nodes-list.json", "services-list.json", "services-list-page1.json",
		"services-list-page2.json", "servicecidrs-list.json" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf body = body_read(names[i]);

		assert_list(body.data, body.len);
	}
}

static void lists_are_cut_wherever_their_items_stand(void **state)
{
	static const char *const bodies[] = {
		"{\"items\":[]}",
		"{\"items\":null}",
		"{ \"items\" : [ ] , \"metadata\" : { } }",
		"{\"kind\":\"L\",\"items\":[{\"a\":1},{\"b\":2}]}",
		"{\"items\":[{\"a\":1}],\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"1\"}}",
		"\n{\n  \"items\" :\t[\r\n    {\n \"a\" : 1\n },\n {}\n ]\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_list(bodies[i], strlen(bodies[i]));
}

static void brackets_and_quotes_in_strings_are_text(void **state)
{
	static const char *const bodies[] = {
		"{\"items\":[{\"a\":\"}]\"},{\"b\":\"{[\"},{\"c\":\"\\\"}\"}]}",
		"{\"items\":[{\"a\":\"\\\\\"},{\"b\":\"\\\\\\\"}\"},{\"\\\"}{\":0}]}",
		"{\"items\":[{\"a\":\"\\u007d\\u0022\"},{\"b\":\"\xc3\xbc \xf0\x9f\x98\x80\"}]}",
		"{\"metadata\":{\"x\":\"]}{[\"},\"items\":[{\"a\":[\"]\",{\"b\":[[],{}]}]}]}",
		"{\"\\\"items\":[{\"a\":1}],\"items\":[{\"b\":\"\\n\"}]}",
		"{\"x\":\"a\\\\\",\"items\":[{\"b\":1}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_list(bodies[i], strlen(bodies[i]));
}

static void only_the_items_of_the_list_itself_are_cut(void **state)
{
	static const char *const bodies[] = {
		"{\"metadata\":{\"items\":[{\"x\":1}]},\"items\":[{\"a\":1}]}",
		"{\"items\":[{\"items\":[{\"b\":1}]},{\"items\":[{}]}]}",
		"{\"kind\":\"items\",\"other\":[{\"x\":1}],\"items\":[{\"a\":1}]}",
		"{\"item\":[{\"x\":1}],\"itemsx\":[{\"y\":1}],\"items\":[{\"a\":1}]}",
		"{\"itemsitems\":[{}],\"items\":[{\"a\":1}]}",
		"{\"x\":{\"items\":[{}]},\"y\":[[{}],\"items\",[{}]],\"items\":[{\"a\":1}]}",
		"{\"x\":\"items\"}",
		"{\"items\":{\"a\":[{}]}}",
		"{\"items\":\"[{}]\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_list(bodies[i], strlen(bodies[i]));
}

/* Watches in JSON */

static void recorded_watches_are_cut_into_their_events(void **state)
{
	static const char *const names[] = { "endpointslices-watch.jsonl",
		"endpointslices-watchlist.jsonl", "services-watch.jsonl",
		"services-watch-gone.jsonl", "services-watchlist.jsonl" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf body = body_read(names[i]);

		for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
			struct cut cut = cut_whole(STREAM_JSON_WATCH, way, body.data, body.len);
			const char *line = body.data;

			assert_int_equal(cut.ended, 0);
			for (size_t k = 0; k < cut.n; k++) {
				const char *newline = strchr(line, '\n');

				assert_int_equal(cut.objects[k].len, newline - line);
				assert_memory_equal(cut.objects[k].data, line, cut.objects[k].len);
				line = newline + 1;
			}
			assert_ptr_equal(line, body.data + body.len);
			cut_done(&cut);
		}
	}
}

static void events_need_no_newline_between_them(void **state)
{
	static const char body[] = " {\"a\":\"}\"}{\"b\":{\"c\":\"\\\"{\"}}\r\n\n\t{}{\"d\":[{}]} ";

	(void)state;
	for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
		struct cut cut = cut_whole(STREAM_JSON_WATCH, way, body, strlen(body));

		assert_int_equal(cut.n, 4);
		assert_string_equal(cut.objects[0].data, "{\"a\":\"}\"}");
		assert_string_equal(cut.objects[1].data, "{\"b\":{\"c\":\"\\\"{\"}}");
		assert_string_equal(cut.objects[2].data, "{}");
		assert_string_equal(cut.objects[3].data, "{\"d\":[{}]}");
		cut_done(&cut);
	}
}

static void a_watch_without_events_is_complete(void **state)
{
	struct cut cut = cut_whole(STREAM_JSON_WATCH, PIECES_WHOLE, "", 0);

	(void)state;
	assert_int_equal(cut.n, 0);
	cut_done(&cut);
	cut = cut_whole(STREAM_PROTOBUF_WATCH, PIECES_WHOLE, "", 0);
	assert_int_equal(cut.n, 0);
	cut_done(&cut);
}

/* Protobuf */

static size_t count_items(const char *twin)
{
	_cleanup_(buf_done) struct buf body = body_read(twin);
	json_t *root = json_loadb(body.data, body.len, 0, NULL);
	size_t n = json_array_size(json_object_get(root, "items"));

	json_decref(root);
	assert_true(n);
	return n;
}

static void recorded_messages_are_cut_into_their_items(void **state)
{
	static const struct {
		const char *name, *twin;
	} bodies[] = {
		{ "protobuf/endpoints-list.pb", "protobuf/endpoints-list.twin.json" },
		{ "protobuf/endpointslices-list.pb", "protobuf/endpointslices-list.twin.json" },
		{ "protobuf/nodes-list.pb", "protobuf/nodes-list.twin.json" },
		{ "protobuf/services-list.pb", "protobuf/services-list.twin.json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(buf_done) struct buf body = body_read(bodies[i].name);

		for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
			struct cut cut = cut_whole(STREAM_PROTOBUF_LIST, way, body.data, body.len);

			assert_int_equal(cut.n, count_items(bodies[i].twin));
			for (size_t k = 0; k < cut.n; k++)
				assert_true(pb_is_valid(
					pb_make(cut.objects[k].data, cut.objects[k].len)));
			assert_int_equal(cut.ended, 1);
			assert_true(cut.end.len);
			assert_true(pb_is_valid(pb_make(cut.end.data, cut.end.len)));
			cut_done(&cut);
		}
	}
}

static void recorded_frames_are_cut_into_their_events(void **state)
{
	static const struct {
		const char *name;
		size_t n;
	} bodies[] = {
		{ "protobuf/endpointslices-watch.pbstream", 4 },
		{ "protobuf/endpointslices-watchlist.pbstream", 19 },
		{ "protobuf/services-watch.pbstream", 4 },
		{ "protobuf/services-watchlist.pbstream", 18 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(buf_done) struct buf body = body_read(bodies[i].name);

		for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
			struct cut cut = cut_whole(STREAM_PROTOBUF_WATCH, way, body.data, body.len);

			assert_int_equal(cut.n, bodies[i].n);
			assert_int_equal(cut.ended, 0);
			cut_done(&cut);
		}
	}
}

/* A list of `n` items of one field each; its ListMeta has the version 7. */
static struct buf make_list(size_t n, bool meta_first)
{
	struct buf list = { 0 }, body = { 0 };

	if (meta_first)
		put_bytes(&list, 1,
			"\x12\x01"
			"7",
			3);
	for (size_t i = 0; i < n; i++) {
		struct buf item = { 0 };

		put_number(&item, 1, (int64_t)i);
		put_message(&list, 2, &item);
	}
	if (!meta_first)
		put_bytes(&list, 1,
			"\x12\x01"
			"7",
			3);
	put_number(&list, 3, 300); /* what a later version may add */
	put_text(&list, 4, "new");
	put_enveloped(&body, &list);
	return body;
}

static void messages_are_cut_wherever_their_items_stand(void **state)
{
	(void)state;
	for (size_t n = 0; n < 3; n++)
		for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
			_cleanup_(buf_done) struct buf body = make_list(n, way != PIECES_BYTES);
			struct cut cut = cut_whole(STREAM_PROTOBUF_LIST, way, body.data, body.len);

			assert_int_equal(cut.n, n);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(cut.objects[i].data[1], i);
			assert_string_equal(buf_str(&cut.end),
				"\x12\x01"
				"7");
			cut_done(&cut);
		}
}

/* Malformed bodies */

static void assert_refused(
	enum stream_format format, const char *data, size_t len, int code, const char *why)
{
	for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
		struct cut cut = { 0 };
		struct err err = { 0 };

		assert_int_equal(cut_body(&cut, format, way, data, len, &err), code);
		assert_int_equal(err.code, code);
		assert_string_equal(err.msg, why);
		assert_int_equal(cut.ended, 0);
		cut_done(&cut);
	}
}

static void what_is_no_list_is_refused(void **state)
{
	static const char *const bodies[] = { "[]", "[\"items\",[{}]]", "null", "x", "\"items\"",
		"{} x", "{}{}", "{\"items\":[1]}", "{\"items\":[null]}", "{\"items\":[[{}]]}",
		"{\"items\":[\"{}\"]}", "{\"items\":[{}}", "}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_refused(STREAM_JSON_LIST, bodies[i], strlen(bodies[i]), -EBADMSG,
			"the body is not a list or watch of the Kubernetes API");
}

static void what_is_no_event_is_refused(void **state)
{
	static const char *const bodies[] = { "[]", "null", "{},{}", "{}}", "1", "\"{}\"",
		"{}\v{}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_refused(STREAM_JSON_WATCH, bodies[i], strlen(bodies[i]), -EBADMSG,
			"the body is not a list or watch of the Kubernetes API");
}

static void what_is_no_message_is_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bodies[] = {
		{ "k8s\1\x12\0", 6 }, { "{\"kind\":\"ServiceList\"}", 22 },
		{ "k8s\0\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 15 },
		{ "k8s\0\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\1", 16 },
		{ "k8s\0\x12\x10\x0b"
		  "abcdefghijklmno",
			22 }, /* a group in the list */
		{ "k8s\0\x12\x02\x12\x05"
		  "abcdefghijklmno",
			23 },				 /* an item larger than the list */
		{ "k8s\0\x12\x02\x08\x80\x80\x80", 10 }, /* a number, too */
		{ "k8s\0\x12\0\x1b"
		  "abcdefghijklmno",
			22 }, /* a group behind the list */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_refused(STREAM_PROTOBUF_LIST, bodies[i].bytes, bodies[i].len, -EBADMSG,
			"the body is not Kubernetes protobuf");
}

static bool ends_with_event(const char *body, size_t len)
{
	while (len && body[len - 1] == '\n')
		len--;
	return !len || (body[len - 1] == '}' && body[len] == '\n');
}

static void a_body_cut_short_is_not_complete(void **state)
{
	static const char why[] = "the body ends in the middle of an object";
	_cleanup_(buf_done) struct buf list = body_read("nodes-list.json");
	_cleanup_(buf_done) struct buf watch = body_read("services-watch-gone.jsonl");
	struct cut cut;

	(void)state;
	while (list.data[list.len - 1] != '}')
		list.len--;
	for (size_t len = 0; len < list.len; len++)
		assert_refused(STREAM_JSON_LIST, list.data, len, -EBADMSG, why);
	for (size_t len = 0; len < watch.len; len++) {
		if (!ends_with_event(watch.data, len)) {
			assert_refused(STREAM_JSON_WATCH, watch.data, len, -EBADMSG, why);
			continue;
		}
		cut = cut_whole(STREAM_JSON_WATCH, PIECES_RANDOM, watch.data, len);
		cut_done(&cut);
	}
}

/* The lengths of the recorded body's frames follow each other. */
static bool at_frame(const struct buf *body, size_t at)
{
	size_t i = 0;

	while (i < at) {
		const uint8_t *p = (const uint8_t *)body->data + i;

		i += 4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
	}
	return i == at;
}

static void a_message_cut_short_is_not_complete(void **state)
{
	static const char why[] = "the body ends in the middle of an object";
	_cleanup_(buf_done) struct buf list = body_read("protobuf/nodes-list.pb");
	_cleanup_(buf_done) struct buf watch = body_read("protobuf/services-watch.pbstream");

	(void)state;
	/* Behind the list come two fields that are empty: 1a 00 22 00. Without them it is whole. */
	for (size_t len = 0; len < list.len; len++)
		if (len != list.len - 4 && len != list.len - 2)
			assert_refused(STREAM_PROTOBUF_LIST, list.data, len, -EBADMSG, why);
	for (size_t len = 0; len < watch.len; len++)
		if (!at_frame(&watch, len))
			assert_refused(STREAM_PROTOBUF_WATCH, watch.data, len, -EBADMSG, why);
}

static void objects_are_limited_in_size(void **state)
{
	static const char why[] = "an object is larger than 16 MiB";
	static const char no_object[] = "more than 16 MiB belong to no object";
	static const char frame[] = "\x01\0\0\x01";
	static const char item[] = "k8s\0\x12\xff\xff\xff\xff\x0f\x12\x81\x80\x80\x08";
	static const char envelope[] = "k8s\0\x0a\x81\x80\x80\x08";
	static const struct {
		enum stream_format format;
		const char *head;
		char more;
		const char *why;
	} json[] = {
		{ STREAM_JSON_LIST, "{\"items\":[{\"a\":\"", 'x', why },
		{ STREAM_JSON_LIST, "{\"items\":[{}", ' ', no_object },
		{ STREAM_JSON_LIST, "{\"a\":\"", 'x', no_object },
		{ STREAM_JSON_WATCH, "{\"a\":\"", 'x', why },
		{ STREAM_JSON_WATCH, "{}\n", '\n', no_object },
	};

	(void)state;
	assert_refused(STREAM_PROTOBUF_WATCH, frame, 4, -EMSGSIZE, why);
	assert_refused(STREAM_PROTOBUF_LIST, item, sizeof(item) - 1, -EMSGSIZE, why);
	assert_refused(STREAM_PROTOBUF_LIST, envelope, sizeof(envelope) - 1, -EMSGSIZE, why);
	for (size_t i = 0; i < ARRAY_SIZE(json); i++) {
		_cleanup_(buf_done) struct buf body = { 0 };
		struct cut cut = { 0 };
		struct err err = { 0 };

		buf_adds(&body, json[i].head);
		memset(buf_reserve(&body, STREAM_MAX_OBJECT), json[i].more, STREAM_MAX_OBJECT);
		body.len += STREAM_MAX_OBJECT;
		assert_int_equal(
			cut_body(&cut, json[i].format, PIECES_RANDOM, body.data, body.len, &err),
			-EMSGSIZE);
		assert_string_equal(err.msg, json[i].why);
		cut_done(&cut);
	}
}

static void a_large_object_in_small_company_comes_out_whole(void **state)
{
	enum { LARGE = 3 << 20 };
	_cleanup_(buf_done) struct buf list = { 0 }, body = { 0 };
	_cleanup_free_ char *large = mem_zalloc(LARGE, 1);
	struct cut cut;

	(void)state;
	put_text(&list, 2, "a");
	put_bytes(&list, 2, large, LARGE);
	put_text(&list, 2, "b");
	put_enveloped(&body, &list);
	cut = cut_whole(STREAM_PROTOBUF_LIST, PIECES_RANDOM, body.data, body.len);
	assert_int_equal(cut.n, 3);
	assert_int_equal(cut.objects[1].len, LARGE);
	assert_string_equal(buf_str(&cut.objects[2]), "b");
	cut_done(&cut);
}

static void a_handler_that_refuses_an_object_ends_the_feeding(void **state)
{
	static const struct {
		enum stream_format format;
		const char *name;
	} bodies[] = {
		{ STREAM_JSON_LIST, "services-list.json" },
		{ STREAM_JSON_WATCH, "services-watch.jsonl" },
		{ STREAM_PROTOBUF_LIST, "protobuf/services-list.pb" },
		{ STREAM_PROTOBUF_WATCH, "protobuf/services-watch.pbstream" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(buf_done) struct buf body = body_read(bodies[i].name);

		for (enum pieces way = 0; way <= PIECES_RANDOM; way++) {
			struct cut cut = { .fail_at = 2, .fail_why = "enough" };
			struct err err = { 0 };

			assert_int_equal(
				cut_body(&cut, bodies[i].format, way, body.data, body.len, &err),
				-ECANCELED);
			assert_string_equal(err.msg, "enough");
			assert_int_equal(cut.n, 2);
			assert_int_equal(cut.ended, 0);
			cut_done(&cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_lists_are_cut_into_their_items),
		cmocka_unit_test(lists_are_cut_wherever_their_items_stand),
		cmocka_unit_test(brackets_and_quotes_in_strings_are_text),
		cmocka_unit_test(only_the_items_of_the_list_itself_are_cut),
		cmocka_unit_test(recorded_watches_are_cut_into_their_events),
		cmocka_unit_test(events_need_no_newline_between_them),
		cmocka_unit_test(a_watch_without_events_is_complete),
		cmocka_unit_test(recorded_messages_are_cut_into_their_items),
		cmocka_unit_test(recorded_frames_are_cut_into_their_events),
		cmocka_unit_test(messages_are_cut_wherever_their_items_stand),
		cmocka_unit_test(what_is_no_list_is_refused),
		cmocka_unit_test(what_is_no_event_is_refused),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(a_body_cut_short_is_not_complete),
		cmocka_unit_test(a_message_cut_short_is_not_complete),
		cmocka_unit_test(objects_are_limited_in_size),
		cmocka_unit_test(a_large_object_in_small_company_comes_out_whole),
		cmocka_unit_test(a_handler_that_refuses_an_object_ends_the_feeding),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
