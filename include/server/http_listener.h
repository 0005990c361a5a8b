/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_LISTENER_H
#define SERVER_HTTP_LISTENER_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

/*
 * An HTTP server on a TCP address, with a table of paths; other paths are 404. Any method gets the
 * same answer. The limits are those of server/server.h.
 */

/* Milliseconds, after which an address that cannot be had is tried again */
enum { HTTP_LISTENER_RETRY = 5000 };

struct http_address {
	struct ip ip; /* family 0: none */
	uint16_t port;
};

/* "10.0.0.1:80" or "[fd00::1]:80". Returns 0, or -EINVAL. */
int http_address_parse(const char *s, struct http_address *ret);

struct http_answer {
	int code;	  /* 200 unless set */
	const char *type; /* Content-Type, a constant; must be set */
	struct buf body;
};

struct http_route {
	const char *path;
	/* `query` is what stands behind the '?', "" where nothing does. */
	void (*get)(const char *query, struct http_answer *ret, void *arg);
};

struct http_listener_config {
	const char *name; /* for the log: "healthz" */
	/* The unspecified address of either family stands for both, as in Go. */
	struct http_address address;
	const struct http_route *routes; /* valid as long as the listener */
	size_t n_routes;
	/* Told, instead of trying again, that the address cannot be had; NULL: try again. */
	void (*on_failure)(const struct err *err, void *arg);
	unsigned retry; /* milliseconds; 0: HTTP_LISTENER_RETRY */
	void *arg;	/* of the routes too */
};

struct http_listener;
/* Listens at once where it can; what fails is logged. */
struct http_listener *http_listener_new(
	struct event_base *base, const struct http_listener_config *config);
void http_listener_free(struct http_listener *l);
/* The port that it listens on; 0: it does not (yet). */
uint16_t http_listener_port(const struct http_listener *l);

#endif
