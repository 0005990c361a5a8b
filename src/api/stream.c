// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON is cut by counting brackets outside of strings; whoever parses the pieces finds out whether
 * they are JSON. Of a list, everything but the elements of "items" is collected in `rest`.
 *
 * In protobuf a length precedes each content, so bytes are collected until the next unit is
 * complete.
 */
#include "api/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/mem.h"
#include "decode/protobuf.h"

struct json_state {
	unsigned depth;	       /* of brackets, outside of the object that is being cut */
	unsigned object_depth; /* inside of it; 0: none is */
	bool in_string, escaped;
	bool in_items; /* depth is 2 and the array is that of "items" */
	char key[8];   /* the last string at depth 1, cut: before an array it is its name */
	size_t key_len;
};

/* Capacity that the buffer keeps between two objects; most are far smaller. */
enum { KEEP = 256 << 10 };

/* A varint; those of 32 and 64 bits are shorter. */
enum { LONGEST_NUMBER = 10 };

enum protobuf_place { PLACE_MAGIC, PLACE_ENVELOPE, PLACE_LIST, PLACE_TRAILER };

struct stream {
	enum stream_format format;
	struct stream_handler handler;
	struct buf buf;	 /* the unit that is not complete yet */
	struct buf rest; /* of a list: all but its elements */
	size_t outside;	 /* bytes that are in no object: of a list, of a watch since the last one */
	struct json_state json;
	enum protobuf_place place;
	uint64_t list_left; /* bytes of the list that `buf` does not hold yet */
};

static const char protobuf_magic[4] = { 'k', '8', 's', 0 };

struct stream *stream_new(enum stream_format format, const struct stream_handler *handler)
{
	struct stream *s = new0(struct stream);

	s->format = format;
	s->handler = *handler;
	return s;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	buf_done(&s->buf);
	buf_done(&s->rest);
	free(s);
}

static int too_large(struct err *err)
{
	return err_set(err, -EMSGSIZE, "an object is larger than %d MiB", STREAM_MAX_OBJECT >> 20);
}

static void stream_empty(struct buf *b)
{
	if (b->cap > KEEP)
		buf_done(b);
	else
		buf_reset(b);
}

/* JSON */

/* One character of a string that is not inside of an element. A string at depth 1 may be the name
 * of a member. */
static void note_string(struct json_state *j, char c)
{
	if (j->escaped) {
		j->escaped = false;
	} else if (c == '\\') {
		j->escaped = true;
	} else if (c == '"') {
		j->in_string = false;
		return;
	}
	if (j->depth != 1)
		return;
	if (j->key_len < sizeof(j->key))
		j->key[j->key_len] = c;
	j->key_len++;
}

static void note_structure(struct json_state *j, char c)
{
	switch (c) {
	case '"':
		j->in_string = true;
		if (j->depth == 1)
			j->key_len = 0;
		break;
	case '{':
	case '[':
		j->depth++;
		j->in_items =
			j->depth == 2 && c == '[' && j->key_len == 5 && !memcmp(j->key, "items", 5);
		break;
	case '}':
	case ']':
		j->in_items = false;
		if (j->depth)
			j->depth--;
		break;
	}
}

/* Takes one character that is not inside of an element. */
static int take_outside(struct stream *s, char c, struct err *err)
{
	struct json_state *j = &s->json;
	bool watch = s->format == STREAM_JSON_WATCH, element = watch ? !j->depth : j->in_items;

	if (++s->outside > STREAM_MAX_OBJECT)
		return err_set(err, -EMSGSIZE, "more than %d MiB belong to no object",
			STREAM_MAX_OBJECT >> 20);
	if (!j->in_string) {
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			return 0;
		if (c == '{' && element) {
			j->object_depth = 1;
			if (watch)
				s->outside = 0;
			buf_addc(&s->buf, c);
			return 0;
		}
		/* The document is one object, and so is each element of "items". Nothing stands
		 * between two events of a watch. */
		if (watch || (!j->depth && (c != '{' || s->rest.len)) ||
			(j->in_items && c != ',' && c != ']'))
			return err_set(err, -EBADMSG,
				"the body is not a list or watch of the Kubernetes API");
		/* The commas go with the elements that they part: the array is left empty. */
		if (j->in_items && c == ',')
			return 0;
	}
	buf_addc(&s->rest, c);
	if (j->in_string)
		note_string(j, c);
	else
		note_structure(j, c);
	return 0;
}

/* Takes bytes of an element; returns their number, or a negative errno. */
static ssize_t take_inside(struct stream *s, const char *p, size_t len, struct err *err)
{
	struct json_state *j = &s->json;
	size_t run = 0, n;
	char c;
	int r;

	/* Skip what is neither a bracket nor a quote. */
	if (!j->escaped && j->in_string)
		while (run < len && p[run] != '"' && p[run] != '\\')
			run++;
	else if (!j->escaped)
		while (run < len && p[run] != '"' && p[run] != '{' && p[run] != '}')
			run++;
	n = run < len ? run + 1 : run;
	buf_add(&s->buf, p, n);
	if (s->buf.len > STREAM_MAX_OBJECT)
		return too_large(err);
	if (run == len)
		return (ssize_t)n;

	c = p[run];
	if (j->escaped)
		j->escaped = false;
	else if (j->in_string && c == '\\')
		j->escaped = true;
	else if (c == '"')
		j->in_string = !j->in_string;
	else if (!j->in_string)
		j->object_depth += c == '{' ? 1u : -1u;
	if (j->object_depth)
		return (ssize_t)n;

	r = s->handler.object(s->buf.data, s->buf.len, s->handler.arg, err);
	stream_empty(&s->buf);
	return r ? r : (ssize_t)n;
}

/* Protobuf */

static int bad_protobuf(struct err *err)
{
	return err_set(err, -EBADMSG, "the body is not Kubernetes protobuf");
}

/*
 * Reads the tag and, of a field of type PB_BYTES, the length, as far as they have come. Returns how
 * many bytes they took, 0 (not complete yet), or a negative errno.
 */
static ssize_t field_head(
	const uint8_t *p, size_t len, uint64_t *ret_tag, uint64_t *ret_size, struct err *err)
{
	int t = pb_varint(p, p + len, ret_tag), l;

	*ret_size = 0;
	if (t <= 0 || (*ret_tag & 7) != PB_BYTES)
		return t < 0 ? bad_protobuf(err) : t;
	l = pb_varint(p + t, p + len, ret_size);
	if (l <= 0)
		return l < 0 ? bad_protobuf(err) : 0;
	return t + l;
}

/* The field at the start of the data. Returns its length, 0 (not complete yet), or a negative
 * errno. */
static ssize_t next_field(const uint8_t *p, size_t len, struct pb_field *ret, struct err *err)
{
	struct pb pb = pb_make(p, len);
	uint64_t tag, size;
	ssize_t head = field_head(p, len, &tag, &size, err);

	if (head <= 0)
		return head;
	if (size > STREAM_MAX_OBJECT)
		return too_large(err);
	if (size > len - (size_t)head)
		return 0;
	if (!pb_next(&pb, ret))
		return len > (size_t)head + LONGEST_NUMBER ? bad_protobuf(err) : 0;
	return pb.p - p;
}

/* A field of the list itself. */
static ssize_t take_list_field(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	struct pb_field f = { 0 };
	ssize_t n;
	int r = 0;

	if (!s->list_left) {
		s->place = PLACE_TRAILER;
		return 0;
	}
	n = next_field(p, len < s->list_left ? len : (size_t)s->list_left, &f, err);
	if (n <= 0)
		return n || len < s->list_left ? n : bad_protobuf(err);
	s->list_left -= (uint64_t)n;
	if (f.number == 2 && f.type == PB_BYTES)
		r = s->handler.object((const char *)f.bytes, f.len, s->handler.arg, err);
	if (f.number != 1 || f.type != PB_BYTES)
		return r ? r : n;

	/* Parts of one message follow each other as if they were one. */
	if (s->rest.len + f.len > STREAM_MAX_OBJECT)
		return too_large(err);
	buf_add(&s->rest, f.bytes, f.len);
	return n;
}

/* A part of the body of a list. */
static ssize_t take_list_part(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	struct pb_field f;
	uint64_t tag, size;
	ssize_t head;

	switch (s->place) {
	case PLACE_MAGIC:
		if (len < sizeof(protobuf_magic))
			return 0;
		if (memcmp(p, protobuf_magic, sizeof(protobuf_magic)) != 0)
			return bad_protobuf(err);
		s->place = PLACE_ENVELOPE;
		return sizeof(protobuf_magic);
	case PLACE_ENVELOPE:
		/* typeMeta comes first, then raw, whose contents are the list. */
		head = field_head(p, len, &tag, &size, err);
		if (head <= 0)
			return head;
		if (tag != (2u << 3 | PB_BYTES))
			return next_field(p, len, &f, err);
		s->list_left = size;
		s->place = PLACE_LIST;
		return head;
	case PLACE_LIST:
		return take_list_field(s, p, len, err);
	case PLACE_TRAILER:
		return next_field(p, len, &f, err);
	}
	return 0;
}

/* One event of a watch. */
static ssize_t take_frame(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	uint32_t size;
	int r;

	if (len < 4)
		return 0;
	size = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	if (size > STREAM_MAX_OBJECT)
		return too_large(err);
	if (len - 4 < size)
		return 0;
	r = s->handler.object((const char *)p + 4, size, s->handler.arg, err);
	return r ? r : 4 + (ssize_t)size;
}

static int feed_protobuf(struct stream *s, const char *data, size_t len, struct err *err)
{
	enum protobuf_place place;
	size_t used = 0;
	ssize_t n;

	buf_add(&s->buf, data, len);
	do {
		const uint8_t *p = (const uint8_t *)s->buf.data + used;

		place = s->place;
		n = s->format == STREAM_PROTOBUF_WATCH
			? take_frame(s, p, s->buf.len - used, err)
			: take_list_part(s, p, s->buf.len - used, err);
		if (n < 0)
			return (int)n;
		used += (size_t)n;
	} while (n || place != s->place);

	if (used == s->buf.len) {
		stream_empty(&s->buf);
	} else if (used) {
		memmove(s->buf.data, s->buf.data + used, s->buf.len - used);
		s->buf.len -= used;
	}
	return 0;
}

int stream_feed(struct stream *s, const char *data, size_t len, struct err *err)
{
	if (len && (s->format == STREAM_PROTOBUF_LIST || s->format == STREAM_PROTOBUF_WATCH))
		return feed_protobuf(s, data, len, err);
	while (len) {
		ssize_t n = 1;
		int r = 0;

		if (s->json.object_depth)
			n = take_inside(s, data, len, err);
		else
			r = take_outside(s, *data, err);
		if (r || n < 0)
			return r ? r : (int)n;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int stream_finish(struct stream *s, struct err *err)
{
	bool complete = false, list = false;

	switch (s->format) {
	case STREAM_JSON_LIST:
		list = true;
		complete = s->rest.len && !s->json.depth && !s->json.in_string &&
			!s->json.object_depth;
		break;
	case STREAM_JSON_WATCH:
		complete = !s->json.object_depth;
		break;
	case STREAM_PROTOBUF_LIST:
		list = true;
		complete = s->place == PLACE_TRAILER && !s->buf.len;
		break;
	case STREAM_PROTOBUF_WATCH:
		complete = !s->buf.len;
		break;
	}
	if (!complete)
		return err_set(err, -EBADMSG, "the body ends in the middle of an object");
	return list ? s->handler.end(buf_str(&s->rest), s->rest.len, s->handler.arg, err) : 0;
}
