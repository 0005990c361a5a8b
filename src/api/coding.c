// SPDX-License-Identifier: GPL-2.0-or-later
#define ZLIB_CONST
#include "coding.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/mem.h"

enum {
	OUT_SIZE = 16 << 10,
	GZIP_WINDOW = 15 + 16, /* zlib: the largest window, with gzip's head and trailer */
};

struct coding {
	enum { CODING_NONE, CODING_GZIP, CODING_UNKNOWN } kind;
	char *name;
	z_stream stream;
	bool ended; /* the input so far is whole members, or nothing */
	char out[OUT_SIZE];
};

struct coding *coding_new(const char *name)
{
	struct coding *c = new0(struct coding);

	c->name = mem_strndup(name, strlen(name));
	c->ended = true;
	if (!*name || !strcasecmp(name, "identity"))
		c->kind = CODING_NONE;
	else if (!strcasecmp(name, "gzip") || !strcasecmp(name, "x-gzip"))
		c->kind = CODING_GZIP;
	else
		c->kind = CODING_UNKNOWN;
	if (c->kind == CODING_GZIP && inflateInit2(&c->stream, GZIP_WINDOW) != Z_OK)
		abort();
	return c;
}

void coding_free(struct coding *c)
{
	if (!c)
		return;
	if (c->kind == CODING_GZIP)
		inflateEnd(&c->stream);
	free(c->name);
	free(c);
}

static int gzip_next(struct coding *c, const char **in, size_t *len, size_t room,
	struct coding_piece *ret, struct err *err)
{
	z_stream *z = &c->stream;
	unsigned size = room < OUT_SIZE ? (unsigned)room : OUT_SIZE;
	int status;

	z->next_in = (const void *)*in;
	z->avail_in = (unsigned)*len;
	z->next_out = (void *)c->out;
	z->avail_out = size;
	do {
		if (c->ended && z->avail_in) { /* members may follow one another */
			inflateReset(z);
			c->ended = false;
		}
		status = inflate(z, Z_NO_FLUSH);
		if (status == Z_STREAM_END)
			c->ended = true;
		else if (status == Z_MEM_ERROR)
			abort();
		else if (status != Z_OK && status != Z_BUF_ERROR) /* BUF: no input or no room */
			return err_set(err, -EBADMSG, "the compressed answer is broken: %s",
				z->msg ? z->msg : "it needs a dictionary");
	} while (z->avail_in && z->avail_out);
	*in = (const void *)z->next_in;
	*len = z->avail_in;
	*ret = (struct coding_piece){ c->out, size - z->avail_out };
	return 0;
}

int coding_next(struct coding *c, const char **in, size_t *len, size_t room,
	struct coding_piece *ret, struct err *err)
{
	assert(room && *len <= UINT_MAX);
	switch (c->kind) {
	case CODING_NONE:
		*ret = (struct coding_piece){ *in, room < *len ? room : *len };
		*in += ret->len;
		*len -= ret->len;
		return 0;
	case CODING_GZIP:
		return gzip_next(c, in, len, room, ret, err);
	case CODING_UNKNOWN:
		break;
	}
	return err_set(err, -EBADMSG, "the answer is encoded as \"%.40s\"; only gzip is supported",
		c->name);
}

int coding_end(const struct coding *c, struct err *err)
{
	return c->ended ? 0 : err_set(err, -EBADMSG, "the compressed answer ends early");
}
