/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <event2/event.h>
#include <jansson.h>

#include "base/err.h"

/*
 * HTTP on a UNIX socket (mode 0660): GET /v1/status. The directory of the socket is made; a socket
 * that nobody listens on any more is replaced, one that somebody does listen on is -EADDRINUSE.
 */

struct server;
struct server_config {
	const char *socket_path;
	/* Makes the answer; the server takes the reference. */
	json_t *(*status)(void *arg);
	void *arg;
};

int server_new(struct event_base *base, const struct server_config *config, struct server **ret,
	struct err *err);
void server_free(struct server *s); /* removes the socket */

#endif
