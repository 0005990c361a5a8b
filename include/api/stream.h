/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_STREAM_H
#define API_STREAM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Cuts the body of a list or a watch into objects while it arrives, so that no more than one object
 * is in memory. Bytes go in in pieces of any size; every complete object comes out once.
 * (Kubernetes: apimachinery/pkg/runtime/serializer/{json,protobuf})
 *
 * 1. JSON list: the elements of the top-level member "items"; the rest of the document, with an
 *    empty "items", comes out last.
 * 2. JSON watch: one {"type":..., "object":...} after the other.
 * 3. Protobuf list: the four magic bytes and a runtime.Unknown. The fields 2 (items) of its raw
 *    bytes come out, and field 1 (ListMeta) last.
 * 4. Protobuf watch: frames of a 4-byte big-endian length and a WatchEvent.
 */

/* An object in etcd has at most 1.5 MiB; JSON makes it larger. The same limit holds for what
 * belongs to no object: all of it in a list, between two events of a watch. */
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
/* Returns 0; -EBADMSG or -EMSGSIZE with words, then the rest of the body is unusable; or the error
 * that the handler returned. */
int stream_feed(struct stream *s, const char *data, size_t len, struct err *err);
/* To be called at the end of the body. Returns 0, or -EBADMSG if the body ended in the middle of an
 * object; only after 0 is a list complete. */
int stream_finish(struct stream *s, struct err *err);

#endif
