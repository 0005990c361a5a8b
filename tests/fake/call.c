// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake/call.h"

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_S = 30 };

void caller_init_with(struct caller *c, const struct auth_config *config)
{
	struct err e;

	*c = (struct caller){ .base = event_base_new() };
	signal(SIGPIPE, SIG_IGN);
	if (!c->base || auth_load(config, &c->auth, &e) < 0 ||
		http_client_new(c->base, c->auth, &c->client, &e) < 0)
		errx(1, "cannot make a client: %s", e.msg);
	timers_freeze(http_client_timers(c->client));
}

void caller_init(struct caller *c, const struct fake_api *api)
{
	char path[128], url[64];

	fake_api_path(api, "kubeconfig", path);
	fake_api_url(api, url);
	if (access(path, R_OK) < 0)
		caller_init_with(c, &(struct auth_config){ .master = url });
	else
		caller_init_with(c, &(struct auth_config){ .kubeconfig = path });
}

void caller_done(struct caller *c)
{
	http_client_free(c->client);
	auth_free(c->auth);
	event_base_free(c->base);
}

static void on_head(const struct http_head *head, void *arg)
{
	struct call *c = arg;

	c->heads++;
	c->head = *head;
	snprintf(c->content_type, sizeof(c->content_type), "%s", head->content_type);
	snprintf(c->warning, sizeof(c->warning), "%s", head->warning ? head->warning : "");
	c->head.content_type = c->content_type;
	c->head.warning = c->warning;
	if (c->in_head)
		c->in_head(c);
}

static void on_body(const void *data, size_t len, void *arg)
{
	struct call *c = arg;

	c->bodies++;
	buf_add(&c->body, data, len);
	if (c->in_body)
		c->in_body(c);
}

static void on_end(const struct http_result *result, void *arg)
{
	struct call *c = arg;

	c->ends++;
	c->result = *result;
	snprintf(c->message, sizeof(c->message), "%s", result->message);
	c->result.message = c->message;
	if (c->in_end)
		c->in_end(c);
	c->request = NULL;
}

void call_begin(struct call *c, struct caller *caller, const struct http_request_config *config)
{
	struct http_request_config full = *config;

	c->caller = caller;
	full.on_head = on_head;
	full.on_body = on_body;
	full.on_end = on_end;
	full.arg = c;
	c->request = http_request_new(caller->client, &full);
}

void call_begin_get(struct call *c, struct caller *caller, const char *path)
{
	call_begin(c, caller, &(struct http_request_config){ .path = path });
}

static void run_out_of_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	errx(1, "waited %d s for %s", PATIENCE_S, (const char *)arg);
}

static struct event *be_patient(struct caller *c, const char *what)
{
	const struct timeval tv = { .tv_sec = PATIENCE_S };
	struct event *timer = evtimer_new(c->base, run_out_of_patience, (void *)what);

	event_add(timer, &tv);
	return timer;
}

void call_finish(struct call *c)
{
	struct event *timer = be_patient(c->caller, "the end of a request");

	while (!c->ends)
		event_base_loop(c->caller->base, EVLOOP_ONCE);
	event_free(timer);
}

void call_await_head(struct call *c)
{
	struct event *timer = be_patient(c->caller, "the head of an answer");

	while (!c->heads && !c->ends)
		event_base_loop(c->caller->base, EVLOOP_ONCE);
	event_free(timer);
}

void call_await_body(struct call *c, size_t len)
{
	struct event *timer = be_patient(c->caller, "a part of a body");

	while (c->body.len < len && !c->ends)
		event_base_loop(c->caller->base, EVLOOP_ONCE);
	event_free(timer);
}

void call_get(struct call *c, struct caller *caller, const char *path)
{
	call_begin_get(c, caller, path);
	call_finish(c);
}

void call_done(struct call *c)
{
	buf_done(&c->body);
	*c = (struct call){ 0 };
}
