// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A body is split into the same objects, whatever the pieces in which it arrives. The first byte of
 * the input selects the format, the second one is the length of the pieces.
 */
#include <errno.h>
#include <stdbool.h>

#include "api/stream.h"
#include "fuzz.h"

struct seen {
	size_t n;      /* objects */
	uint64_t hash; /* of all of them */
	bool ended;
};

static void mix(struct seen *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->hash = (s->hash ^ (uint8_t)data[i]) * UINT64_C(1099511628211);
	s->hash = (s->hash ^ 0x100) * UINT64_C(1099511628211);
}

static int on_object(const char *data, size_t len, void *arg, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	must(!s->ended);
	s->n++;
	mix(s, data, len);
	return 0;
}

static int on_end(const char *data, size_t len, void *arg, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	must(!s->ended);
	s->ended = true;
	mix(s, data, len);
	return 0;
}

static int feed(
	enum stream_format format, const char *data, size_t size, size_t piece, struct seen *ret)
{
	const struct stream_handler handler = { .object = on_object, .end = on_end, .arg = ret };
	struct stream *s = stream_new(format, &handler);
	struct err err = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < size; i += piece)
		r = stream_feed(s, data + i, size - i < piece ? size - i : piece, &err);
	r = r ? r : stream_finish(s, &err);
	stream_free(s);
	must(r == err.code);
	must(!r || err.msg[0]);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, pieces = { 0 };
	enum stream_format format;
	const char *body = (const char *)data + 2;
	int r;

	if (size < 2)
		return 0;
	format = data[0] % (STREAM_PROTOBUF_WATCH + 1);
	size -= 2;
	r = feed(format, body, size, size + 1, &whole);
	must(feed(format, body, size, data[1] + 1u, &pieces) == r);
	must(whole.n == pieces.n && whole.hash == pieces.hash && whole.ended == pieces.ended);
	must(!r || r == -EBADMSG || r == -EMSGSIZE);
	must(whole.ended == (!r && (format == STREAM_JSON_LIST || format == STREAM_PROTOBUF_LIST)));
	return 0;
}
