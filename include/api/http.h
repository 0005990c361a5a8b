/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_HTTP_H
#define API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/certificate.h"
#include "api/timer.h"
#include "base/err.h"
#include "base/ip.h"

/*
 * Requests to one API server: libcurl's multi interface on a libevent loop. HTTP/2 is used if the
 * server offers it; connections are used again, but by one request at a time. TLS is verified
 * unless the credentials say otherwise, redirections are not followed.
 *
 * Callbacks are called from the loop only, never from inside a function of this header. They may
 * begin and cancel requests. The process must ignore SIGPIPE.
 */

enum {
	HTTP_CONNECT_TIMEOUT_MS = 10 * 1000, /* name, TCP and TLS together */
	HTTP_IDLE_TIMEOUT_MS = 60 * 1000,    /* of a request that names none */
	/* A connection whose peer does not answer to TCP ends after this, idle or not. */
	HTTP_DEAD_AFTER_MS = 20 * 1000,
	HTTP_MAX_RETRY_AFTER_S = 3600, /* what a server may ask for */
	HTTP_MAX_HEAD = 256 << 10,     /* bytes of an answer's head; more end the request */
	/* How many bytes of a body are handed over in one turn of the loop, and how long that may
	 * take. Other events come between two such portions, whatever the server sends and however
	 * far it can be expanded. */
	HTTP_TURN_BYTES = 128 << 10,
	HTTP_TURN_US = 5000,
};

struct event_base;
struct http_client;
struct http_request;

/* `base` and `auth` must outlive the client. Returns 0, or a negative errno with words. */
int http_client_new(
	struct event_base *base, struct auth *auth, struct http_client **ret, struct err *err);
/* Cancels all requests. Not from inside a callback. */
void http_client_free(struct http_client *c);

/* What a request took. The bytes are those of bodies, as they were before compression. */
struct http_traffic {
	uint64_t ms;
	uint64_t sent, received;
	unsigned status; /* 0: no answer came */
};

/* Sees all requests of a client but those that are cancelled. */
struct http_observer {
	/* An answer begins, or (status 0) the request ended without one. "GET", "POST", "PATCH" */
	void (*answered)(const char *method, unsigned status, void *arg);
	/* A request that is not endless has ended. */
	void (*ended)(const char *method, const struct http_traffic *traffic, void *arg);
	void *arg;
};
/* From now on. `o` is copied. */
void http_client_observe(struct http_client *c, const struct http_observer *o);
/*
 * `peer` is called when a connection to that address and TCP port begins, and when it has ended,
 * whether it came about or not. With a proxy the address is the proxy's. It must not call a
 * function of this header, and is called from http_client_free(), too. NULL: nobody follows.
 */
void http_client_follow_peers(struct http_client *c,
	void (*peer)(const struct ip *ip, uint16_t port, bool open, void *arg), void *arg);
/* The server's name, with its port if the URL has one: "10.0.0.1:6443". */
const char *http_client_host(const struct http_client *c);
/* The clock and the timers of everything that uses this client. */
struct timers *http_client_timers(struct http_client *c);

/* The first part of an answer. */
struct http_head {
	unsigned status;	     /* 200, 410, ... */
	unsigned version;	     /* of HTTP: 10, 11, 20 */
	const char *content_type;    /* "application/json"; "": none */
	unsigned retry_after_s;	     /* 0: none */
	const char *warning;	     /* from the server, to be logged (RFC 7234 5.5); NULL: none */
	int64_t date;		     /* the server's clock, seconds since the epoch; 0: unknown */
	struct validity certificate; /* of the server, if the request has `certificate` */
};

enum http_end {
	HTTP_END_ANSWERED,  /* the answer is complete; its status may be an error */
	HTTP_END_UNREACHED, /* no connection: refused, no route, name unknown */
	HTTP_END_TLS,	    /* the handshake failed: certificates or keys */
	HTTP_END_LOST,	    /* the connection ended before the answer did, or without one */
	HTTP_END_TIMEOUT,   /* while connecting, or without a byte for idle_ms */
	HTTP_END_FAILED,    /* anything else */
};

struct http_result {
	enum http_end end;
	unsigned status;     /* 0: none came */
	uint64_t received;   /* bytes of the body on the wire */
	uint64_t took_ms;    /* from http_request_new() on */
	const char *message; /* "GET https://10.0.0.1:6443/version: ..."; "" when answered */
};

enum http_method { HTTP_METHOD_GET, HTTP_METHOD_POST, HTTP_METHOD_PATCH };

struct http_request_config {
	enum http_method method;
	const char *path;	    /* with the query, escaped: "/api/v1/services?limit=500" */
	const char *const *headers; /* "Accept: application/json"; ends with NULL; NULL: none */
	const void *body;	    /* of POST and PATCH, whose headers need a Content-Type */
	size_t body_len;
	bool certificate; /* on_head is to be told when the server's certificate is valid */
	bool endless;	  /* a watch: its duration says nothing about the server */
	unsigned idle_ms; /* without a byte, ends the request; 0: HTTP_IDLE_TIMEOUT_MS */
	/* Ends the request if more of the body comes so long after its begin; 0: never. */
	unsigned limit_ms;

	/* Once, before the first on_body; not at all if no answer comes. */
	void (*on_head)(const struct http_head *head, void *arg);
	/* Some bytes of the body, whatever the status; valid during the call. */
	void (*on_body)(const void *data, size_t len, void *arg);
	/* Once and last, even without an answer; never after http_request_cancel(). */
	void (*on_end)(const struct http_result *result, void *arg);
	void *arg;
};

/*
 * Begins in the next turn of the loop. `config` is copied. The request is valid until on_end has
 * returned or it is cancelled.
 */
struct http_request *http_request_new(
	struct http_client *c, const struct http_request_config *config);
/* There is no limit_ms any more. */
void http_request_lift_limit(struct http_request *r);
/* Changes idle_ms. From one of its callbacks only. */
void http_request_set_idle(struct http_request *r, unsigned idle_ms);
/* No callback is called any more. NULL is accepted. */
void http_request_cancel(struct http_request *r);

#endif
