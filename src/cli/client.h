/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* An HTTP client on the UNIX socket of the daemon. */

/* Limits on answers */
enum {
	CLIENT_MAX_REPLY = 1 << 30, /* bytes; a node of 100,000 endpoints needs 30 MB */
	CLIENT_TIMEOUT = 30,	    /* seconds for one answer */
};

/*
 * GETs a path ("/v1/status"). Returns 0 with a new reference, -ENOENT (no such socket),
 * -ECONNREFUSED (no process listens), -EACCES, -ETIMEDOUT, -EFBIG, -EPROTO (a status other than
 * 200, with the daemon's words where it has some, or not a JSON object), or another errno, each with a text.
 */
int client_get(const char *socket_path, const char *path, json_t **ret, struct err *err);
/* The same with another method, such as "POST", and -ENXIO with the daemon's words where it does not
 * know what the path names (status 404). */
int client_send(const char *socket_path, const char *method, const char *path, json_t **ret,
	struct err *err);

/*
 * GETs the Status of ipvsctl-svc-api(7); returns as client_get(). Without `endpoints` it lacks each
 * one of them, which are most of it; a daemon of an earlier version tells them nevertheless.
 */
int client_status(const char *socket_path, bool endpoints, json_t **ret, struct err *err);

/* Appends a text as a value of the query, percent-escaped (RFC 3986). */
void client_escape(struct buf *path, const char *text);

#endif
