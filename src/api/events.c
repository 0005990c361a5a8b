// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/events.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event_series.h"

struct events {
	struct events_config config;
	struct event_book *book;
	struct event *timer;
	struct http_request *request;
	enum http_method method; /* of it */
	uint64_t not_before;	 /* ms, of the next one */
	bool troubled;
};

static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Nodes that lost the server together come back one by one. */
static unsigned jittered(unsigned ms)
{
	unsigned v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = (unsigned)clock_us();
	return ms + v % (ms / 4 + 1);
}

static void schedule(struct events *e)
{
	uint64_t now = clock_ms(), next = event_book_due(e->book, now);
	struct timeval tv;

	if (e->request || next == UINT64_MAX) {
		event_del(e->timer);
		return;
	}
	next = next > e->not_before ? next : e->not_before;
	next = next > now ? next - now : 0;
	tv = (struct timeval){ .tv_sec = (time_t)(next / 1000),
		.tv_usec = (suseconds_t)(next % 1000) * 1000 };
	event_add(e->timer, &tv);
}

static void tell_trouble(struct events *e, const char *message)
{
	if (!e->troubled)
		e->config.trouble(message, e->config.arg);
	e->troubled = true;
}

static void tell_recovered(struct events *e)
{
	if (e->troubled)
		e->config.trouble(NULL, e->config.arg);
	e->troubled = false;
}

static enum event_answer judge(const struct events *e, const struct http_result *result)
{
	if (result->end != HTTP_END_ANSWERED || result->status >= 500 || result->status == 429)
		return EVENT_FAILED;
	if (result->status >= 200 && result->status < 300)
		return EVENT_TAKEN;
	return result->status == 404 && e->method == HTTP_METHOD_PATCH ? EVENT_GONE : EVENT_REFUSED;
}

static void on_end(const struct http_result *result, void *arg)
{
	struct events *e = arg;
	enum event_answer answer = judge(e, result);
	uint64_t now = clock_ms();
	char status[32];

	e->request = NULL;
	event_book_settle(e->book, answer, now);
	e->not_before =
		now + (answer == EVENT_FAILED ? jittered(e->config.retry_ms) : e->config.pace_ms);
	snprintf(status, sizeof(status), "HTTP status %u", result->status);
	if (answer == EVENT_TAKEN)
		tell_recovered(e);
	else if (answer != EVENT_GONE)
		tell_trouble(e, *result->message ? result->message : status);
	schedule(e);
}

static void send_request(struct events *e, const struct event_request *r)
{
	const char *headers[] = { "Accept: application/json",
		r->method == HTTP_METHOD_PATCH
			? "Content-Type: application/strategic-merge-patch+json"
			: "Content-Type: application/json",
		NULL };

	e->method = r->method;
	e->request = http_request_new(e->config.client,
		&(struct http_request_config){
			.method = r->method,
			.path = r->path,
			.headers = headers,
			.body = r->body,
			.body_len = strlen(r->body),
			.idle_ms = EVENTS_TIMEOUT_MS,
			.on_end = on_end,
			.arg = e,
		});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct events *e = arg;
	struct event_request r = { 0 };

	(void)fd;
	(void)what;
	if (event_book_next(e->book, clock_ms(), &r))
		send_request(e, &r);
	event_request_done(&r);
	schedule(e);
}

struct events *events_new(const struct events_config *config)
{
	struct events *e = new0(struct events);

	e->config = *config;
	if (!e->config.pace_ms)
		e->config.pace_ms = EVENTS_PACE_MS;
	if (!e->config.retry_ms)
		e->config.retry_ms = EVENTS_RETRY_MS;
	e->book = event_book_new(config->node_name);
	e->timer = evtimer_new(config->base, on_timer, e);
	if (!e->timer)
		abort(); /* out of memory, as in base/mem.h */
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	http_request_cancel(e->request);
	event_free(e->timer);
	event_book_free(e->book);
	free(e);
}

void events_tell(struct events *e, const struct kube_event *event)
{
	if (!e)
		return;
	if (!event_book_add(e->book, event, clock_ms(), wall_us()))
		tell_trouble(e, "there are too many at a time");
	schedule(e);
}
