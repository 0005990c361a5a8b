// SPDX-License-Identifier: GPL-2.0-or-later
#include "watch_event.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "source/protobuf.h"

static const char *const type_names[] = {
	[EVENT_ADDED] = "ADDED",
	[EVENT_MODIFIED] = "MODIFIED",
	[EVENT_DELETED] = "DELETED",
	[EVENT_BOOKMARK] = "BOOKMARK",
	[EVENT_ERROR] = "ERROR",
};

static int find_type(const char *s, size_t len, enum event_type *ret, struct err *err)
{
	for (enum event_type t = EVENT_ADDED; t <= EVENT_ERROR; t++)
		if (strlen(type_names[t]) == len && !memcmp(type_names[t], s, len)) {
			*ret = t;
			return 0;
		}
	return err_set(err, -EBADMSG, "an event of the unknown type \"%.*s\"",
		(int)(len < 40 ? len : 40), s);
}

static void copy_text(char *to, size_t size, const void *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

/* JSON */

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static int load(const char *data, size_t len, json_t **ret, struct err *err)
{
	json_error_t e;

	*ret = json_loadb(data, len, 0, &e);
	return *ret ? 0 : err_set(err, -EBADMSG, "not JSON: %s", e.text);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/*
 * The object inside of the event, as text: it is its last or first member, so that its bytes can be
 * found without printing it again. Events are {"type":"...","object":{...}} in the order of Go's
 * struct (meta/v1 WatchEvent).
 */
static int find_object(const char *data, size_t len, struct event *ev, struct err *err)
{
	static const char key[] = "\"object\":";
	const char *p = memmem(data, len, key, sizeof(key) - 1);
	const char *type = memmem(data, len, "\"type\":\"", 8);

	if (!p || !type || type > p)
		return err_set(err, -EBADMSG, "an event without type and object");
	ev->data = p + sizeof(key) - 1;
	ev->len = (size_t)(data + len - 1 - ev->data); /* without the closing bracket */
	type += 8;
	return find_type(type, (size_t)((const char *)memchr(type, '"', (size_t)(p - type)) - type),
		&ev->type, err);
}

static int event_parse_json(const char *data, size_t len, struct event *ev, struct err *err)
{
	_cleanup_(json_freep) json_t *object = NULL;
	const json_t *meta;
	int r = find_object(data, len, ev, err);

	if (!r)
		r = load(ev->data, ev->len, &object, err);
	if (r)
		return r;
	meta = json_object_get(object, "metadata");
	snprintf(ev->version, sizeof(ev->version), "%s", text_at(meta, "resourceVersion"));
	ev->initial_end = !strcmp(
		text_at(json_object_get(meta, "annotations"), "k8s.io/initial-events-end"), "true");
	return 0;
}

static void judge(struct status *s, const char *reason, bool cause_too_large)
{
	s->expired = s->code == 410 || !strcmp(reason, "Expired") || !strcmp(reason, "Gone");
	s->too_large = cause_too_large || strstr(s->message, "Too large resource version");
}

static int status_parse_json(const char *data, size_t len, struct status *s, struct err *err)
{
	_cleanup_(json_freep) json_t *root = NULL;
	const json_t *details, *cause;
	bool too_large = false;
	size_t i;
	int r = load(data, len, &root, err);

	if (r)
		return r;
	s->code = (int)json_integer_value(json_object_get(root, "code"));
	snprintf(s->message, sizeof(s->message), "%s", text_at(root, "message"));
	details = json_object_get(root, "details");
	s->retry_after_s =
		(unsigned)json_integer_value(json_object_get(details, "retryAfterSeconds"));
	json_array_foreach(json_object_get(details, "causes"), i, cause) too_large |=
		!strcmp(text_at(cause, "reason"), "ResourceVersionTooLarge");
	judge(s, text_at(root, "reason"), too_large);
	return 0;
}

static int list_end_json(const char *data, size_t len, char version[RESOURCE_VERSION_SIZE],
	char **ret_continue, struct err *err)
{
	_cleanup_(json_freep) json_t *root = NULL;
	const json_t *meta;
	int r = load(data, len, &root, err);

	if (r)
		return r;
	meta = json_object_get(root, "metadata");
	snprintf(version, RESOURCE_VERSION_SIZE, "%s", text_at(meta, "resourceVersion"));
	*ret_continue = mem_strdup(text_at(meta, "continue"));
	return 0;
}

/* Protobuf; field numbers as in k8s.io/apimachinery generated.proto */

static int bad(struct err *err)
{
	return err_set(err, -EBADMSG, "not Kubernetes protobuf");
}

/* The object's own message out of the magic bytes and the runtime.Unknown that it is wrapped in. */
static int unwrap(const uint8_t *p, size_t len, struct pb *ret, struct err *err)
{
	struct pb_field f;
	struct pb pb;

	*ret = pb_make(p, 0);
	if (len < 4 || memcmp(p, "k8s", 4) != 0)
		return bad(err);
	pb = pb_make(p + 4, len - 4);
	while (pb_next(&pb, &f))
		if (f.number == 2)
			*ret = pb_sub(&f);
	return pb.bad ? bad(err) : 0;
}

static bool is_text(const struct pb_field *f, const char *s)
{
	return f->type == 2 && f->len == strlen(s) && !memcmp(f->bytes, s, f->len);
}

static bool is_initial_end(const struct pb_field *annotation)
{
	struct pb pb = pb_sub(annotation);
	bool key = false, value = false;
	struct pb_field f;

	while (pb_next(&pb, &f)) {
		key |= f.number == 1 && is_text(&f, "k8s.io/initial-events-end");
		value |= f.number == 2 && is_text(&f, "true");
	}
	return key && value;
}

/* ObjectMeta: 6 resourceVersion, 12 annotations */
static void read_meta(const struct pb_field *meta, struct event *ev)
{
	struct pb pb = pb_sub(meta);
	struct pb_field f;

	while (pb_next(&pb, &f)) {
		if (f.number == 6 && f.type == 2)
			copy_text(ev->version, sizeof(ev->version), f.bytes, f.len);
		else if (f.number == 12)
			ev->initial_end |= is_initial_end(&f);
	}
}

/* WatchEvent: 1 type, 2 object {1 raw} */
static int event_parse_protobuf(const char *data, size_t len, struct event *ev, struct err *err)
{
	struct pb pb = pb_make(data, len), object, raw;
	struct pb_field f, inner;
	bool typed = false, has_object = false;
	int r = 0;

	while (!r && pb_next(&pb, &f)) {
		if (f.number == 1 && f.type == 2) {
			typed = true;
			r = find_type((const char *)f.bytes, f.len, &ev->type, err);
		}
		raw = f.number == 2 ? pb_sub(&f) : pb_make(data, 0);
		while (!r && pb_next(&raw, &inner))
			if (inner.number == 1 && inner.type == 2) {
				has_object = true;
				r = unwrap(inner.bytes, inner.len, &object, err);
			}
	}
	if (r)
		return r;
	if (pb.bad || !typed || !has_object)
		return bad(err);
	ev->data = (const char *)object.p;
	ev->len = (size_t)(object.end - object.p);
	while (ev->type != EVENT_ERROR && pb_next(&object, &f))
		if (f.number == 1)
			read_meta(&f, ev);
	return object.bad ? bad(err) : 0;
}

static bool has_too_large(const struct pb_field *cause)
{
	struct pb pb = pb_sub(cause);
	struct pb_field f;
	bool found = false;

	while (pb_next(&pb, &f))
		found |= f.number == 1 && is_text(&f, "ResourceVersionTooLarge");
	return found;
}

/* StatusDetails: 4 causes, 5 retryAfterSeconds */
static bool read_details(const struct pb_field *details, struct status *s)
{
	struct pb pb = pb_sub(details);
	struct pb_field f;
	bool too_large = false;

	while (pb_next(&pb, &f)) {
		if (f.number == 4)
			too_large |= has_too_large(&f);
		else if (f.number == 5)
			s->retry_after_s = (unsigned)f.value;
	}
	return too_large;
}

/* Status: 3 message, 4 reason, 5 details, 6 code */
static int status_parse_protobuf(struct pb pb, struct status *s, struct err *err)
{
	char reason[40] = "";
	bool too_large = false;
	struct pb_field f;

	while (pb_next(&pb, &f)) {
		if (f.number == 3 && f.type == 2)
			copy_text(s->message, sizeof(s->message), f.bytes, f.len);
		else if (f.number == 4 && f.type == 2)
			copy_text(reason, sizeof(reason), f.bytes, f.len);
		else if (f.number == 5)
			too_large |= read_details(&f, s);
		else if (f.number == 6)
			s->code = (int)f.value;
	}
	if (pb.bad)
		return bad(err);
	judge(s, reason, too_large);
	return 0;
}

/* ListMeta: 2 resourceVersion, 3 continue */
static int list_end_protobuf(const char *data, size_t len, char version[RESOURCE_VERSION_SIZE],
	char **ret_continue, struct err *err)
{
	struct pb pb = pb_make(data, len);
	_cleanup_free_ char *more = mem_strdup("");
	struct pb_field f;

	version[0] = '\0';
	while (pb_next(&pb, &f)) {
		if (f.number == 2 && f.type == 2)
			copy_text(version, RESOURCE_VERSION_SIZE, f.bytes, f.len);
		if (f.number == 3 && f.type == 2) {
			mem_freep(&more);
			more = mem_strndup((const char *)f.bytes, f.len);
		}
	}
	if (pb.bad)
		return bad(err);
	*ret_continue = take(more);
	return 0;
}

int event_parse(
	enum watch_encoding e, const char *data, size_t len, struct event *ret, struct err *err)
{
	*ret = (struct event){ 0 };
	return e == WATCH_PROTOBUF ? event_parse_protobuf(data, len, ret, err)
				   : event_parse_json(data, len, ret, err);
}

/* The body of an answer is wrapped, the object of an ERROR event is not any more. */
int status_parse(
	enum watch_encoding e, const char *data, size_t len, struct status *ret, struct err *err)
{
	struct pb pb = pb_make(data, len);
	int r;

	*ret = (struct status){ 0 };
	if (e == WATCH_JSON)
		return status_parse_json(data, len, ret, err);
	if (len >= 4 && !memcmp(data, "k8s", 4)) {
		r = unwrap((const uint8_t *)data, len, &pb, err);
		if (r)
			return r;
	}
	return status_parse_protobuf(pb, ret, err);
}

int list_end_parse(enum watch_encoding e, const char *data, size_t len,
	char version[RESOURCE_VERSION_SIZE], char **ret_continue, struct err *err)
{
	return e == WATCH_PROTOBUF ? list_end_protobuf(data, len, version, ret_continue, err)
				   : list_end_json(data, len, version, ret_continue, err);
}
