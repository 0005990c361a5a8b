// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first byte selects an event, a Status or the end of a list. Any bytes behind it are decoded
 * as such or are an error in words. A JSON event yields the values that a JSON parser finds in it.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "../../src/api/watch_event.h"
#include "fuzz.h"

static void check_against_tree(const struct event *ev, const json_t *tree)
{
	const json_t *wanted = json_object_get(tree, "object"), *version;
	json_t *object = json_loadb(ev->data, ev->len, 0, NULL);

	must(object && json_equal(object, wanted));
	version = json_object_get(json_object_get(object, "metadata"), "resourceVersion");
	/* Member names with escapes are not found. */
	must(!*ev->version || !strcmp(json_string_value(version), ev->version));
	json_decref(object);
}

static int try_event(enum watch_encoding e, const char *data, size_t size, struct err *err)
{
	struct event ev;
	json_t *tree;
	int r = event_parse(e, data, size, &ev, err);

	if (r)
		return r;
	must(ev.type <= EVENT_ERROR);
	must(ev.data >= data && ev.data + ev.len <= data + size);
	must(strlen(ev.version) < sizeof(ev.version));
	must(!ev.initial_end || ev.type == EVENT_BOOKMARK);
	if (e == WATCH_PROTOBUF)
		return 0;
	tree = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
	if (tree)
		check_against_tree(&ev, tree);
	json_decref(tree);
	return 0;
}

static int try_status(enum watch_encoding e, const char *data, size_t size, struct err *err)
{
	struct status s;
	json_t *message;
	int r = status_parse(e, data, size, &s, err);

	if (r)
		return r;
	must(s.code >= 0 && s.code <= 999);
	must(strlen(s.message) < sizeof(s.message));
	message = json_string(s.message);
	must(message);
	json_decref(message);
	return 0;
}

static int try_list_end(enum watch_encoding e, const char *data, size_t size, struct err *err)
{
	char version[RESOURCE_VERSION_SIZE];
	char *more;
	int r = list_end_parse(e, data, size, version, &more, err);

	if (r)
		return r;
	must(*version && strlen(version) < sizeof(version));
	must(more);
	free(more);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const tries[])(enum watch_encoding e, const char *data, size_t size,
		struct err *err) = { try_event, try_status, try_list_end };
	struct err err = { 0 };
	int r;

	if (!size)
		return 0;
	r = tries[data[0] / 2 % 3](
		data[0] % 2 ? WATCH_PROTOBUF : WATCH_JSON, (const char *)data + 1, size - 1, &err);
	must(r == err.code);
	must(!r || (r == -EBADMSG && err.msg[0]));
	return 0;
}
