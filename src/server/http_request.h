/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The head of an HTTP/1 request (RFC 9112): its request line and header fields, up to and with the
 * empty line. Nothing here waits, allocates by what a client says, or knows a connection.
 */

enum { HTTP_MAX_METHOD = 20 /* characters */ };

struct http_head {
	const char *method;
	/* Of the target, which may be a whole URL: the path as it was sent, "*" included, and the text
	 * behind the '?', "" if there is none. Both consist of printable ASCII characters. */
	const char *path, *query;
	int minor;	       /* HTTP/1.0 or HTTP/1.1 */
	bool keep_alive;       /* the client wants the connection to stay */
	bool expects;	       /* "Expect: 100-continue": the body is not sent yet */
	size_t content_length; /* of the body that follows */
};

/*
 * The length of the head at the beginning of `data`, with its empty line; 0: its end has not come
 * yet. Empty lines before the request line belong to it. `*searched` is 0 for the first call, and
 * then what the last call left there, so that the work is linear however slowly bytes come.
 */
size_t http_head_length(const char *data, size_t len, size_t *searched);

/*
 * Takes a head apart, in place. Returns 0, or the status to answer with before the connection is
 * closed: 400, 413 (a body of more than `max_body` bytes), 501 (a transfer coding), 505 (another
 * version). `ret` points into `data`, and is written in part only where there is an error.
 */
int http_head_parse(char *data, size_t len, size_t max_body, struct http_head *ret);

/* The reason phrase of a status; "" if it is none that a server here answers with. */
const char *http_reason(int status);

/*
 * Appends the value of the first parameter with that name of a query, with its percent signs and
 * plus signs decoded. Returns 1, 0 (there is no such parameter), or -EINVAL with words: the name or
 * the value is not valid UTF-8, or has control characters.
 */
int http_query_get(const char *query, const char *name, struct buf *ret, struct err *err);

#endif
