// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_decode KIND FILE...
 *
 * Splits the body of a list, in either encoding of an API server, into objects, decodes and keeps
 * them, and prints the time and the memory of the model. KIND is the kind of the objects, such as
 * EndpointSlice. Prints a row of a table in Markdown for each file.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "allocated.h"
#include "api/stream.h"
#include "base/buf.h"
#include "base/mem.h"
#include "decode/decode.h"

enum { PIECE = 16 << 10 }; /* what libcurl hands over at a time */

struct bench {
	enum object_kind kind;
	bool protobuf;
	struct object *objects;
	size_t n, cap;
};

static int decode(const struct bench *b, const char *data, size_t len, struct object *ret,
	struct decode_error *e)
{
	json_t *root;
	int r;

	if (b->protobuf)
		return decode_accepted(b->kind, value_of_message(data, len), ret, e);
	root = json_loadb(data, len, 0, NULL);
	r = root ? decode_accepted(b->kind, value_of_json(root), ret, e) : -1;
	json_decref(root);
	return r;
}

static int on_object(const char *data, size_t len, void *arg, struct err *err)
{
	struct bench *b = arg;
	struct decode_error e = { 0 };

	mem_grow(b->objects, b->n, b->cap);
	if (decode(b, data, len, &b->objects[b->n], &e))
		return err_set(err, -1, "%s: %s %s", e.object, e.field, e.message);
	b->n++;
	return 0;
}

static int on_end(const char *data, size_t len, void *arg, struct err *err)
{
	(void)data;
	(void)len;
	(void)arg;
	(void)err;
	return 0;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int feed(struct bench *b, const struct buf *body)
{
	const struct stream_handler handler = { .object = on_object, .end = on_end, .arg = b };
	struct stream *s =
		stream_new(b->protobuf ? STREAM_PROTOBUF_LIST : STREAM_JSON_LIST, &handler);
	struct err err = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < body->len; i += PIECE)
		r = stream_feed(
			s, body->data + i, body->len - i < PIECE ? body->len - i : PIECE, &err);
	r = r ? r : stream_finish(s, &err);
	stream_free(s);
	if (r)
		fprintf(stderr, "%s\n", err.msg);
	return r;
}

static int read_file(const char *path, struct buf *ret)
{
	FILE *file = fopen(path, "re");
	size_t n = 1;

	if (!file)
		return -1;
	while (n) {
		n = fread(buf_reserve(ret, PIECE), 1, PIECE, file);
		ret->len += n;
	}
	fclose(file);
	return 0;
}

static double allocated(void)
{
	return (double)allocated_bytes() / 1e6;
}

static int bench(enum object_kind kind, const char *path)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct bench b = { .kind = kind };
	double start, took, before;
	int r;

	if (read_file(path, &body))
		return -1;
	b.protobuf = body.len && !memcmp(body.data, "k8s", 4);
	before = allocated();
	start = seconds();
	r = feed(&b, &body);
	took = seconds() - start;
	printf("| %zu %s of %s | %.1f MB | %.3f s | %.1f MB |\n", b.n, object_kind_name(kind),
		b.protobuf ? "protobuf" : "JSON", (double)body.len / 1e6, took,
		allocated() - before - (double)(b.cap * sizeof(*b.objects)) / 1e6);
	for (size_t i = 0; i < b.n; i++)
		object_done(&b.objects[i]);
	free(b.objects);
	return r;
}

int main(int argc, char **argv)
{
	enum object_kind kind = OBJECT_SERVICE;

	while (argc > 2 && kind <= OBJECT_NODE && strcmp(object_kind_name(kind), argv[1]) != 0)
		kind++;
	if (argc < 3 || kind > OBJECT_NODE) {
		fprintf(stderr, "usage: bench_decode KIND FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		if (bench(kind, argv[i]))
			return 1;
	return 0;
}
