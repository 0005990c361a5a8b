/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_STREAM_H
#define API_STREAM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Cuts the body of a list or a watch into objects while it arrives, so that no more than one object
 * is in memory. Bytes go in in pieces of any size; every complete object comes out once.
 *
 * JSON list: the elements of the top-level member "items"; the rest of the document, with an empty
 * "items", comes out last. JSON watch: one {"type":..., "object":...} after the other. Protobuf
 * list: the four magic bytes and a runtime.Unknown, of whose raw bytes the fields 2 (items) come
 * out, and field 1 (ListMeta) last. Protobuf watch: frames of a 4-byte big-endian length and a
 * WatchEvent. (Kubernetes: apimachinery/pkg/runtime/serializer/{json,protobuf})
 */

/* An object in etcd has at most 1.5 MiB; JSON makes it larger. */
enum { STREAM_MAX_OBJECT = 16 << 20 };

enum stream_format {
	STREAM_JSON_LIST,
	STREAM_JSON_WATCH,
	STREAM_PROTOBUF_LIST,
	STREAM_PROTOBUF_WATCH
};

/* Both return 0 to go on, or a negative errno with words, which stream_feed() passes on. */
struct stream_handler {
	/* One element of a list, or one event of a watch. The bytes are valid during the call. */
	int (*object)(const char *data, size_t len, void *arg, struct err *err);
	/* The rest of a list, at its end: the document (JSON) or the ListMeta (protobuf; may be
	 * empty). */
	int (*end)(const char *data, size_t len, void *arg, struct err *err);
	void *arg;
};

struct stream;
struct stream *stream_new(enum stream_format format, const struct stream_handler *handler);
void stream_free(struct stream *s);
/* Returns 0, -EBADMSG or -EMSGSIZE with words (then the rest of the body is of no use), or what the
 * handler returned. */
int stream_feed(struct stream *s, const char *data, size_t len, struct err *err);
/* The body is over. -EBADMSG where it ended in the middle of something; a list is complete only if
 * this returns 0. */
int stream_finish(struct stream *s, struct err *err);

#endif
