// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/http.h"
#include "api/pace.h"
#include "base/mem.h"
#include "event_series.h"

struct events {
	struct events_config config;
	struct timers *timers;
	struct event_book *book;
	struct timer *timer; /* sends the next request */
	struct http_request *request;
	enum http_method method; /* of the request */
	uint64_t not_before;	 /* ms; time of the next request */
	bool troubled;
};

static void schedule_request(struct events *e)
{
	uint64_t now = timers_now(e->timers), next = event_book_due(e->book, now);

	if (e->request || next == UINT64_MAX) {
		timer_stop(e->timer);
		return;
	}
	next = next > e->not_before ? next : e->not_before;
	timer_start(e->timer, next > now ? next - now : 0);
}

static void report_events_trouble(struct events *e, const char *message)
{
	if (!message != !e->troubled)
		e->config.trouble(message, e->config.arg);
	e->troubled = message;
}

static void on_event_end(const struct http_result *result, void *arg)
{
	struct events *e = arg;
	uint64_t now = timers_now(e->timers);
	enum event_answer answer = EVENT_REFUSED;
	char status[32];

	e->request = NULL;
	if (result->end != HTTP_END_ANSWERED || result->status >= 500 || result->status == 429)
		answer = EVENT_FAILED;
	else if (result->status >= 200 && result->status < 300)
		answer = EVENT_TAKEN;
	else if (result->status == 404 && e->method == HTTP_METHOD_PATCH)
		answer = EVENT_GONE;
	event_book_settle(e->book, answer, now);

	/* Nodes that lost the server together come back one by one. */
	e->not_before = now +
		(answer == EVENT_FAILED ? EVENTS_RETRY_MS + pace_jitter(EVENTS_RETRY_MS / 4 + 1)
					: EVENTS_PACE_MS);
	snprintf(status, sizeof(status), "HTTP status %u", result->status);
	if (answer == EVENT_TAKEN)
		report_events_trouble(e, NULL);
	else if (answer != EVENT_GONE)
		report_events_trouble(e, *result->message ? result->message : status);
	schedule_request(e);
}

static void send_next_event(void *arg)
{
	struct events *e = arg;
	struct event_request r = { 0 };
	const char *headers[] = { "Accept: application/json", "Content-Type: application/json",
		NULL };

	if (event_book_next(e->book, timers_now(e->timers), &r)) {
		if (r.method == HTTP_METHOD_PATCH)
			headers[1] = "Content-Type: application/strategic-merge-patch+json";
		e->method = r.method;
		e->request = http_request_new(e->config.client,
			&(struct http_request_config){
				.method = r.method,
				.path = r.path,
				.headers = headers,
				.body = r.body,
				.body_len = strlen(r.body),
				.idle_ms = EVENTS_TIMEOUT_MS,
				.limit_ms = EVENTS_TIMEOUT_MS,
				.on_end = on_event_end,
				.arg = e,
			});
	}
	event_request_done(&r);
	schedule_request(e);
}

struct events *events_new(const struct events_config *config)
{
	struct events *e = new0(struct events);

	e->config = *config;
	e->timers = http_client_timers(config->client);
	e->timer = timer_new(e->timers, send_next_event, e);
	e->book = event_book_new(config->node_name);
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	http_request_cancel(e->request);
	timer_free(e->timer);
	event_book_free(e->book);
	free(e);
}

void events_tell(struct events *e, const struct kube_event *event)
{
	struct timespec wall;

	if (!e)
		return;
	clock_gettime(CLOCK_REALTIME, &wall);
	if (!event_book_add(e->book, event, timers_now(e->timers),
		    (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000))
		report_events_trouble(e, "too many events at a time");
	schedule_request(e);
}
