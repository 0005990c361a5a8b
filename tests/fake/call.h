/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_CALL_H
#define FAKE_CALL_H

#include <event2/event.h>

#include "api/auth.h"
#include "api/http.h"
#include "base/buf.h"
#include "fake/settle.h"

/*
 * A loop with a client of the fake API server, and requests that remember what came of them. The
 * client's timers are frozen: see fake/settle.h.
 */

struct caller {
	struct event_base *base;
	struct auth *auth;
	struct http_client *client;
};

/* With the fake's kubeconfig, or without credentials if there is none. */
void caller_init(struct caller *c, const struct fake_api *api);
void caller_init_with(struct caller *c, const struct auth_config *config);
void caller_done(struct caller *c);

struct call {
	struct http_request *request; /* NULL once it has ended */
	unsigned heads, bodies, ends; /* how often each was called */
	struct http_head head;
	char content_type[100], warning[200];
	struct buf body;
	struct http_result result;
	char message[400];
	/* Called at the end of on_head, on_body and on_end; may be NULL. */
	void (*in_head)(struct call *c), (*in_body)(struct call *c), (*in_end)(struct call *c);
	void *arg;
	struct caller *caller;
};

/* Begins; `config` says what to ask, its callbacks do not matter. */
void call_begin(struct call *c, struct caller *caller, const struct http_request_config *config);
void call_begin_get(struct call *c, struct caller *caller, const char *path);
/* Turns the loop until it has ended; ends the program if that takes very long. */
void call_finish(struct call *c);
/* Turns the loop until the head of the answer is there. */
void call_await_head(struct call *c);
/* Turns the loop until so much of the body is there. */
void call_await_body(struct call *c, size_t len);
/* GET, from beginning to end. */
void call_get(struct call *c, struct caller *caller, const char *path);
void call_done(struct call *c);

#endif
