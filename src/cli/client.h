/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* Asks the daemon over HTTP on its UNIX socket. */

/* Limits on what comes from the daemon */
enum {
	CLIENT_MAX_REPLY = 1 << 30, /* bytes; a node of 100,000 endpoints needs 30 MB */
	CLIENT_TIMEOUT = 30,	    /* seconds for one answer */
};

/*
 * GET path ("/v1/status"). Returns 0 with a new reference, -ENOENT (no such socket), -ECONNREFUSED
 * (nobody listens), -EACCES, -ETIMEDOUT, -EFBIG, -EPROTO (an answer that is no success or no
 * JSON), or another errno, each with words.
 */
int client_get(const char *socket_path, const char *path, json_t **ret, struct err *err);

/* The daemon's Status, see ipvsctl-svc(1); returns as client_get(). */
int client_status(const char *socket_path, json_t **ret, struct err *err);

/* Appends a text as it stands in a query of a path. */
void client_escape(struct buf *path, const char *text);

#endif
