// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both JSON forms are cut by counting brackets outside of strings; whether what lies between them
 * is JSON is found out by who parses it. Of a list, everything but the elements of "items" is
 * collected in `rest`.
 *
 * Of protobuf the lengths stand before the contents, so bytes are collected until the next unit is
 * complete.
 */
#include "api/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* What the buffer keeps between two objects, of which most are far smaller. */
enum { KEEP = 256 << 10 };

/* A varint; those of 32 and 64 bits are shorter. */
enum { LONGEST_NUMBER = 10 };

enum protobuf_place { PLACE_MAGIC, PLACE_ENVELOPE, PLACE_LIST, PLACE_TRAILER };

struct stream {
	enum stream_format format;
	struct stream_handler handler;
	struct buf buf;	 /* the unit that is not complete yet */
	struct buf rest; /* of a list: what is not an element */
	struct json_state json;
	enum protobuf_place place;
	uint64_t list_left; /* bytes of the list that are still to come, behind what is in buf */
};

static const char magic[4] = { 'k', '8', 's', 0 };

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

static void empty(struct buf *b)
{
	if (b->cap > KEEP)
		buf_done(b);
	else
		buf_reset(b);
}

/* JSON */

static bool is_list(const struct stream *s)
{
	return s->format == STREAM_JSON_LIST || s->format == STREAM_PROTOBUF_LIST;
}

/* An object starts here whose bytes are handed out. */
static bool starts_object(const struct stream *s)
{
	return s->format == STREAM_JSON_WATCH ? s->json.depth == 0 : s->json.in_items;
}

static int finish_object(struct stream *s, struct err *err)
{
	int r = s->handler.object(s->buf.data, s->buf.len, s->handler.arg, err);

	empty(&s->buf);
	return r;
}

static void open_bracket(struct json_state *j, char c)
{
	j->depth++;
	j->in_items = j->depth == 2 && c == '[' && j->key_len == 5 && !memcmp(j->key, "items", 5);
}

static void close_bracket(struct json_state *j)
{
	j->in_items = false;
	if (j->depth)
		j->depth--;
}

static void begin_string(struct json_state *j)
{
	j->in_string = true;
	if (j->depth == 1)
		j->key_len = 0;
}

/* A string at depth 1 may be the name of a member. */
static void note_key(struct json_state *j, char c)
{
	if (j->depth != 1)
		return;
	if (j->key_len < sizeof(j->key))
		j->key[j->key_len] = c;
	j->key_len++;
}

static void in_string(struct json_state *j, char c)
{
	if (j->escaped) {
		j->escaped = false;
	} else if (c == '\\') {
		j->escaped = true;
	} else if (c == '"') {
		j->in_string = false;
		return;
	}
	note_key(j, c);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where a character may stand that is neither blank nor in a string: the document is one object,
 * and so is each element of "items". */
static bool has_place(const struct stream *s, char c)
{
	const struct json_state *j = &s->json;

	if (s->format == STREAM_JSON_WATCH)
		return false; /* nothing stands between two events */
	if (!j->depth)
		return c == '{' && !s->rest.len;
	return !j->in_items || c == ',' || c == ']';
}

static void note_structure(struct json_state *j, char c)
{
	if (c == '"')
		begin_string(j);
	else if (c == '{' || c == '[')
		open_bracket(j, c);
	else if (c == '}' || c == ']')
		close_bracket(j);
}

/* One character that is not inside of an element. */
static int outside(struct stream *s, char c, struct err *err)
{
	struct json_state *j = &s->json;

	if (!j->in_string) {
		if (is_blank(c))
			return 0;
		if (c == '{' && starts_object(s)) {
			j->object_depth = 1;
			buf_addc(&s->buf, c);
			return 0;
		}
		if (!has_place(s, c))
			return err_set(err, -EBADMSG, "the body is not what the API sends");
		/* The commas go with the elements that they part: the array is left empty. */
		if (j->in_items && c == ',')
			return 0;
	}
	buf_addc(&s->rest, c);
	if (s->rest.len > STREAM_MAX_OBJECT)
		return too_large(err);
	if (j->in_string)
		in_string(j, c);
	else
		note_structure(j, c);
	return 0;
}

/* How many bytes of an element from here on belong together without a bracket or quote to look at.
 */
static size_t plain_run(const struct json_state *j, const char *p, size_t len)
{
	size_t i = 0;

	if (j->in_string)
		while (i < len && p[i] != '"' && p[i] != '\\')
			i++;
	else
		while (i < len && p[i] != '"' && p[i] != '{' && p[i] != '}')
			i++;
	return i;
}

/* Takes bytes of an element; returns how many, or a negative errno. */
static ssize_t inside(struct stream *s, const char *p, size_t len, struct err *err)
{
	struct json_state *j = &s->json;
	size_t run = j->escaped ? 0 : plain_run(j, p, len);
	size_t n = run < len ? run + 1 : run;
	char c;
	int r;

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
	r = finish_object(s, err);
	return r ? r : (ssize_t)n;
}

static int feed_json(struct stream *s, const char *data, size_t len, struct err *err)
{
	while (len) {
		ssize_t n =
			s->json.object_depth ? inside(s, data, len, err) : outside(s, *data, err);

		if (n < 0)
			return (int)n;
		n += !n; /* outside() takes one */
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Protobuf */

static int bad(struct err *err)
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
		return t < 0 ? bad(err) : t;
	l = pb_varint(p + t, p + len, ret_size);
	if (l <= 0)
		return l < 0 ? bad(err) : 0;
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
		return len > (size_t)head + LONGEST_NUMBER ? bad(err) : 0;
	return pb.p - p;
}

/* Of the envelope: typeMeta comes first, then raw, whose contents are the list. */
static ssize_t take_envelope(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	struct pb_field f;
	uint64_t tag, size;
	ssize_t head = field_head(p, len, &tag, &size, err);

	if (head <= 0)
		return head;
	if (tag != (2u << 3 | PB_BYTES))
		return next_field(p, len, &f, err);
	s->list_left = size;
	s->place = PLACE_LIST;
	return head;
}

/* Parts of one message follow each other as if they were one. */
static int add_rest(struct stream *s, const struct pb_field *f, struct err *err)
{
	if (s->rest.len + f->len > STREAM_MAX_OBJECT)
		return too_large(err);
	buf_add(&s->rest, f->bytes, f->len);
	return 0;
}

static ssize_t take_list(struct stream *s, const uint8_t *p, size_t len, struct err *err)
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
		return n || len < s->list_left ? n : bad(err);
	s->list_left -= (uint64_t)n;
	if (f.number == 2 && f.type == PB_BYTES)
		r = s->handler.object((const char *)f.bytes, f.len, s->handler.arg, err);
	else if (f.number == 1 && f.type == PB_BYTES)
		r = add_rest(s, &f, err);
	return r ? r : n;
}

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

static ssize_t take_magic(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	if (len < sizeof(magic))
		return 0;
	s->place = PLACE_ENVELOPE;
	return memcmp(p, magic, sizeof(magic)) ? bad(err) : (ssize_t)sizeof(magic);
}

static ssize_t take_unit(struct stream *s, const uint8_t *p, size_t len, struct err *err)
{
	struct pb_field f;

	if (s->format == STREAM_PROTOBUF_WATCH)
		return take_frame(s, p, len, err);
	switch (s->place) {
	case PLACE_MAGIC:
		return take_magic(s, p, len, err);
	case PLACE_ENVELOPE:
		return take_envelope(s, p, len, err);
	case PLACE_LIST:
		return take_list(s, p, len, err);
	case PLACE_TRAILER:
		return next_field(p, len, &f, err);
	}
	return 0;
}

/* Forgets the first `n` bytes. */
static void drop(struct buf *b, size_t n)
{
	if (n == b->len) {
		empty(b);
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

static int feed_protobuf(struct stream *s, const char *data, size_t len, struct err *err)
{
	enum protobuf_place place;
	size_t used = 0;
	ssize_t n;

	buf_add(&s->buf, data, len);
	do {
		place = s->place;
		n = take_unit(s, (const uint8_t *)s->buf.data + used, s->buf.len - used, err);
		if (n < 0)
			return (int)n;
		used += (size_t)n;
	} while (n || place != s->place);
	drop(&s->buf, used);
	return 0;
}

int stream_feed(struct stream *s, const char *data, size_t len, struct err *err)
{
	if (!len)
		return 0;
	if (s->format == STREAM_JSON_LIST || s->format == STREAM_JSON_WATCH)
		return feed_json(s, data, len, err);
	return feed_protobuf(s, data, len, err);
}

static bool complete(const struct stream *s)
{
	switch (s->format) {
	case STREAM_JSON_LIST:
		return s->rest.len && !s->json.depth && !s->json.in_string && !s->json.object_depth;
	case STREAM_JSON_WATCH:
		return !s->json.object_depth;
	case STREAM_PROTOBUF_LIST:
		return s->place == PLACE_TRAILER && !s->buf.len;
	case STREAM_PROTOBUF_WATCH:
		return !s->buf.len;
	}
	return false;
}

int stream_finish(struct stream *s, struct err *err)
{
	if (!complete(s))
		return err_set(err, -EBADMSG, "the body ends in the middle of an object");
	return is_list(s) ? s->handler.end(buf_str(&s->rest), s->rest.len, s->handler.arg, err) : 0;
}
