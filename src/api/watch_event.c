// SPDX-License-Identifier: GPL-2.0-or-later
#include "watch_event.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "api/http.h"
#include "base/mem.h"
#include "decode/protobuf.h"
#include "decode/skim.h"

enum { MAX_CODE = 999 }; /* of HTTP */

static const char *const event_type_names[] = {
	[EVENT_ADDED] = "ADDED",
	[EVENT_MODIFIED] = "MODIFIED",
	[EVENT_DELETED] = "DELETED",
	[EVENT_BOOKMARK] = "BOOKMARK",
	[EVENT_ERROR] = "ERROR",
};

static int find_event_type(const char *s, size_t len, enum event_type *ret, struct err *err)
{
	for (enum event_type t = EVENT_ADDED; t <= EVENT_ERROR; t++)
		if (strlen(event_type_names[t]) == len && !memcmp(event_type_names[t], s, len)) {
			*ret = t;
			return 0;
		}
	return err_set(err, -EBADMSG, "an event of an unknown type");
}

static int no_version(struct err *err)
{
	return err_set(err, -EBADMSG, "a resourceVersion is missing or malformed");
}

/* A version becomes part of a URL without being escaped; all that are known are numbers. */
static int copy_version(
	char to[RESOURCE_VERSION_SIZE], const char *from, size_t len, struct err *err)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~";

	if (len >= RESOURCE_VERSION_SIZE)
		return no_version(err);
	for (size_t i = 0; i < len; i++)
		if (!from[i] || !strchr(allowed, from[i]))
			return no_version(err);
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

/* The message for people: one line of UTF-8, cut between two characters. */
static void copy_message(struct status *s, const char *from, size_t len)
{
	json_t *checked;

	if (len >= sizeof(s->message)) {
		len = sizeof(s->message) - 1;
		while (len && ((unsigned char)from[len] & 0xc0) == 0x80)
			len--;
	}
	checked = json_stringn(from, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)from[i];

		s->message[i] = c < ' ' || (c & 0x80 && !checked) ? '?' : from[i];
	}
	s->message[len] = '\0';
	json_decref(checked);
}

static unsigned clamp_number(int64_t v, unsigned max)
{
	if (v < 0)
		return 0;
	return v > max ? max : (unsigned)v;
}

static void classify_status(struct status *s, const char *reason, bool cause_too_large)
{
	s->expired = s->code == 410 || !strcmp(reason, "Expired") || !strcmp(reason, "Gone");
	s->too_large = cause_too_large || strstr(s->message, "Too large resource version");
}

/* JSON */

static void json_freep(json_t **j)
{
	json_decref(*j);
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int event_parse_json(const char *data, size_t len, struct event *ev, struct err *err)
{
	const struct text event = { data, len };
	struct text type, object, meta, text, annotations, initial;
	char word[40], version[RESOURCE_VERSION_SIZE];
	ssize_t n;
	int r;

	if (!skim_member(event, "type", &type) || !skim_member(event, "object", &object))
		return err_set(err, -EBADMSG, "an event without type and object");
	n = skim_string(type, word, sizeof(word));
	if (n < 0)
		return err_set(err, -EBADMSG, "an event without a type");
	r = find_event_type(word, (size_t)n, &ev->type, err);
	if (r)
		return r;
	if (*object.s != '{')
		return err_set(err, -EBADMSG, "an event without an object");
	ev->data = object.s;
	ev->len = object.len;
	if (ev->type == EVENT_ERROR || !skim_member(object, "metadata", &meta))
		return 0;

	n = 0;
	if (skim_member(meta, "resourceVersion", &text))
		n = skim_string(text, version, sizeof(version));
	if (n < 0)
		return no_version(err);
	r = copy_version(ev->version, version, (size_t)n, err);
	if (r)
		return r;
	if (ev->type == EVENT_BOOKMARK && skim_member(meta, "annotations", &annotations) &&
		skim_member(annotations, "k8s.io/initial-events-end", &initial) &&
		skim_string(initial, word, sizeof("true")) >= 0)
		ev->initial_end = !strcmp(word, "true");
	return 0;
}

static int status_parse_json(const char *data, size_t len, struct status *s, struct err *err)
{
	json_error_t e;
	_cleanup_(json_freep) json_t *root = json_loadb(data, len, 0, &e);
	const json_t *details, *cause;
	const char *message;
	bool too_large = false;
	size_t i;

	if (!root)
		return err_set(err, -EBADMSG, "not JSON: %s", e.text);
	s->code = (int)clamp_number(json_integer_value(json_object_get(root, "code")), MAX_CODE);
	message = text_at(root, "message");
	copy_message(s, message, strlen(message));
	details = json_object_get(root, "details");
	s->retry_after_s =
		clamp_number(json_integer_value(json_object_get(details, "retryAfterSeconds")),
			HTTP_MAX_RETRY_AFTER_S);
	json_array_foreach(json_object_get(details, "causes"), i, cause)
		too_large |= !strcmp(text_at(cause, "reason"), "ResourceVersionTooLarge");
	classify_status(s, text_at(root, "reason"), too_large);
	return 0;
}

static int list_end_json(const char *data, size_t len, char version[RESOURCE_VERSION_SIZE],
	char **ret_continue, struct err *err)
{
	json_error_t e;
	_cleanup_(json_freep) json_t *root = json_loadb(data, len, 0, &e);
	const json_t *meta = json_object_get(root, "metadata");
	const json_t *items = json_object_get(root, "items");
	const char *text = text_at(meta, "resourceVersion");
	int r;

	if (!root)
		return err_set(err, -EBADMSG, "not JSON: %s", e.text);
	/* A document without "items" must not be taken for an empty list. */
	if (!json_is_array(items) && !json_is_null(items))
		return err_set(err, -EBADMSG, "not a list: there are no items");
	r = *text ? copy_version(version, text, strlen(text), err) : no_version(err);
	if (!r)
		*ret_continue = mem_strdup(text_at(meta, "continue"));
	return r;
}

/* Protobuf; field numbers as in k8s.io/apimachinery generated.proto */

static int not_protobuf(struct err *err)
{
	return err_set(err, -EBADMSG, "not Kubernetes protobuf");
}

/* The object's own message out of the magic bytes and the runtime.Unknown around it. */
static int unwrap(const uint8_t *p, size_t len, struct pb *ret, struct err *err)
{
	struct pb_field raw;
	struct pb pb;

	if (len < 4 || memcmp(p, "k8s", 4) != 0)
		return not_protobuf(err);
	pb = pb_make(p + 4, len - 4);
	if (!pb_is_valid(pb) || !pb_find(&pb, 2, &raw) || raw.type != PB_BYTES || !raw.len)
		return not_protobuf(err);
	*ret = pb_make(raw.bytes, raw.len);
	return 0;
}

static bool field_is(const struct pb_field *f, const char *s)
{
	return f->type == PB_BYTES && f->len == strlen(s) && !memcmp(f->bytes, s, f->len);
}

/* ObjectMeta: 6 resourceVersion, 12 annotations (1 key, 2 value) */
static int read_event_meta(const struct pb_field *meta, struct event *ev, struct err *err)
{
	struct pb pb = pb_sub(meta);
	struct pb_field f, part;
	int r = 0;

	while (!r && pb_next(&pb, &f)) {
		if (f.number == 6 && f.type == PB_BYTES) {
			r = copy_version(ev->version, (const char *)f.bytes, f.len, err);
		} else if (f.number == 12 && ev->type == EVENT_BOOKMARK) {
			struct pb annotation = pb_sub(&f);
			bool key = false, value = false;

			while (pb_next(&annotation, &part)) {
				key |= part.number == 1 &&
					field_is(&part, "k8s.io/initial-events-end");
				value |= part.number == 2 && field_is(&part, "true");
			}
			ev->initial_end |= key && value;
		}
	}
	return pb.bad ? not_protobuf(err) : r;
}

static int event_parse_protobuf(const char *data, size_t len, struct event *ev, struct err *err)
{
	struct pb pb = pb_make(data, len), object = { 0 }, extension;
	bool typed = false, has_object = false;
	struct pb_field f, raw;
	int r = 0;

	/* WatchEvent: 1 type, 2 object; RawExtension: 1 raw */
	while (!r && pb_next(&pb, &f)) {
		if (f.number == 1 && f.type == PB_BYTES) {
			typed = true;
			r = find_event_type((const char *)f.bytes, f.len, &ev->type, err);
		} else if (f.number == 2) {
			has_object = true;
			extension = pb_sub(&f);
			r = pb_find(&extension, 1, &raw) && raw.type == PB_BYTES
				? unwrap(raw.bytes, raw.len, &object, err)
				: not_protobuf(err);
		}
	}
	if (r)
		return r;
	if (pb.bad || !typed || !has_object)
		return not_protobuf(err);

	ev->data = (const char *)object.p;
	ev->len = (size_t)(object.end - object.p);
	while (!r && pb_next(&object, &f))
		if (f.number == 1 && ev->type != EVENT_ERROR)
			r = read_event_meta(&f, ev, err);
	return object.bad ? not_protobuf(err) : r;
}

/* StatusDetails: 4 causes (StatusCause: 1 reason), 5 retryAfterSeconds. Returns whether a cause is
 * that the version is too large. */
static bool read_status_details(const struct pb_field *details, struct status *s)
{
	struct pb pb = pb_sub(details);
	struct pb_field f, reason;
	bool too_large = false;

	while (pb_next(&pb, &f)) {
		if (f.number == 4) {
			struct pb cause = pb_sub(&f);

			while (pb_next(&cause, &reason))
				too_large |= reason.number == 1 &&
					field_is(&reason, "ResourceVersionTooLarge");
		} else if (f.number == 5 && f.type == PB_VARINT) {
			s->retry_after_s = clamp_number((int64_t)f.value, HTTP_MAX_RETRY_AFTER_S);
		}
	}
	return too_large;
}

/* Status: 3 message, 4 reason, 5 details, 6 code */
static int status_parse_protobuf(struct pb pb, struct status *s, struct err *err)
{
	_cleanup_free_ char *reason = mem_strdup("");
	bool too_large = false;
	struct pb_field f;

	while (pb_next(&pb, &f)) {
		if (f.number == 3 && f.type == PB_BYTES) {
			copy_message(s, (const char *)f.bytes, f.len);
		} else if (f.number == 4 && f.type == PB_BYTES) {
			mem_freep(&reason);
			reason = mem_strndup((const char *)f.bytes, f.len);
		} else if (f.number == 5) {
			too_large |= read_status_details(&f, s);
		} else if (f.number == 6 && f.type == PB_VARINT) {
			s->code = (int)clamp_number((int64_t)f.value, MAX_CODE);
		}
	}
	if (pb.bad)
		return not_protobuf(err);
	classify_status(s, reason, too_large);
	return 0;
}

/* ListMeta: 2 resourceVersion, 3 continue */
static int list_end_protobuf(const char *data, size_t len, char version[RESOURCE_VERSION_SIZE],
	char **ret_continue, struct err *err)
{
	struct pb meta = pb_make(data, len), more = meta;
	struct pb_field f;
	int r;

	if (!pb_is_valid(meta))
		return not_protobuf(err);
	if (!pb_find(&meta, 2, &f) || f.type != PB_BYTES || !f.len)
		return no_version(err);
	r = copy_version(version, (const char *)f.bytes, f.len, err);
	if (r)
		return r;
	*ret_continue = pb_find(&more, 3, &f) && f.type == PB_BYTES
		? mem_strndup((const char *)f.bytes, f.len)
		: mem_strdup("");
	return 0;
}

int event_parse(
	enum watch_encoding e, const char *data, size_t len, struct event *ret, struct err *err)
{
	*ret = (struct event){ 0 };
	return e == WATCH_PROTOBUF ? event_parse_protobuf(data, len, ret, err)
				   : event_parse_json(data, len, ret, err);
}

/* The body of an answer comes in an envelope, the object of an ERROR event without. */
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
