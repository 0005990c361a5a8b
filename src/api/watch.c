// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One request runs at a time. The phase says what it is; when it ends, next_phase() says what
 *follows it and after how long. A round is a complete view and the watches that follow it; it ends
 *with trouble that only another view can mend.
 *
 *	STREAM  a watch that begins with everything that exists, and goes on as the watch
 *	LIST    the same in pages, where the server cannot stream
 *	WATCH   from the version that the view, or the last event, had
 */
#include "api/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "api/stream.h"
#include "watch_event.h"

enum { MAX_ERROR_BODY = 64 << 10, BAD_REQUEST = 400 };

enum phase { PHASE_STREAM, PHASE_LIST, PHASE_WATCH };

/* How the request that ended ended. */
enum outcome {
	OUTCOME_DONE,	 /* as it should */
	OUTCOME_BUSY,	 /* not reached, or told to come later: the same again */
	OUTCOME_EXPIRED, /* the server does not have our version */
	OUTCOME_FAILED,
};

struct watch {
	struct watch_config config;
	char *path, *label_selector, *field_selector;
	enum phase phase;
	struct http_request *request;
	struct event *timer;
	struct stream *stream;
	enum watch_encoding encoding;
	struct buf error_body;
	unsigned status; /* of the answer that comes */
	unsigned retry_after_s;
	uint64_t started;		     /* of the request, ms */
	unsigned idle_ms;		     /* of a watch that is followed */
	size_t n_events;		     /* of the request */
	char version[RESOURCE_VERSION_SIZE]; /* "": none known; "0": any will do */
	char *more;			     /* token of the next page; NULL or "": none */
	bool unpaged;			     /* a token expired: everything at once */
	bool in_view;			     /* between begin and complete */
	bool synced, healthy;
	bool plain;	       /* without field selectors */
	bool paced;	       /* the list has waited for its turn */
	struct status refusal; /* of an ERROR event */
	bool refused;
	unsigned backoff_ms;
	uint64_t backoff_used;
	uint64_t received;
};

static void start(struct watch *w);

static unsigned random_below(unsigned n)
{
	unsigned v = 0;

	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v))
		v = (unsigned)clock_us();
	return n ? v % n : 0;
}

/* Another first one shortens all of them. */
static unsigned scaled(const struct watch *w, unsigned ms)
{
	unsigned first = w->config.backoff_ms;

	return first ? (unsigned)((uint64_t)ms * first / WATCH_BACKOFF_FIRST_MS) : ms;
}

static unsigned next_backoff(struct watch *w)
{
	const unsigned last = scaled(w, WATCH_BACKOFF_LAST_MS);
	uint64_t now = clock_ms();
	unsigned d;

	if (!w->backoff_ms || now - w->backoff_used > scaled(w, WATCH_BACKOFF_RESET_MS))
		w->backoff_ms = scaled(w, WATCH_BACKOFF_FIRST_MS);
	d = w->backoff_ms;
	w->backoff_ms = d * 2 < last ? d * 2 : last;
	w->backoff_used = now;
	return d + random_below(d);
}

/* Views */

static void go_well(struct watch *w)
{
	if (!w->healthy)
		w->config.trouble(NULL, 0, 0, w->config.arg);
	w->healthy = true;
}

static void begin_view(struct watch *w)
{
	w->in_view = true;
	w->config.begin(w->config.arg);
}

static void complete_view(struct watch *w)
{
	w->in_view = false;
	w->phase = PHASE_WATCH; /* a stream goes on as one */
	w->synced = true;
	w->config.complete(w->config.arg);
	go_well(w);
}

/* One object that is not understood must not stop the others. Bytes that are none end the round:
 * what they said would be lost. */
static int tell(
	struct watch *w, enum watch_event event, const char *data, size_t len, struct err *err)
{
	const struct watch_object o = {
		.event = event, .encoding = w->encoding, .data = data, .len = len
	};
	int r = w->config.object(&o, w->config.arg, err);

	return r == -EBADMSG ? r : 0;
}

/* A server that streams lists sends no bookmark before this one. */
static int take_view_end(struct watch *w, bool initial_end, struct err *err)
{
	if (!initial_end)
		return err_set(err, -ENOTSUP, "the server does not stream lists");
	complete_view(w);
	http_request_set_idle(w->request, w->idle_ms);
	return 0;
}

static int take_event(const char *data, size_t len, void *arg, struct err *err)
{
	struct watch *w = arg;
	struct event ev;
	int r = event_parse(w->encoding, data, len, &ev, err);

	if (r)
		return r;
	w->n_events++;
	if (ev.type == EVENT_ERROR) {
		w->refused = true;
		r = status_parse(w->encoding, ev.data, ev.len, &w->refusal, err);
		return r ? r : err_set(err, -ECANCELED, "%s", w->refusal.message);
	}
	/* While everything that exists comes, the versions are in no order. */
	if (*ev.version && (!w->in_view || ev.type == EVENT_BOOKMARK))
		memcpy(w->version, ev.version, sizeof(w->version));
	if (ev.type == EVENT_BOOKMARK)
		return w->in_view ? take_view_end(w, ev.initial_end, err) : 0;
	return tell(w, ev.type == EVENT_DELETED ? WATCH_DELETE : WATCH_PUT, ev.data, ev.len, err);
}

static int take_element(const char *data, size_t len, void *arg, struct err *err)
{
	return tell(arg, WATCH_PUT, data, len, err);
}

static int take_list_end(const char *data, size_t len, void *arg, struct err *err)
{
	struct watch *w = arg;

	free(take(w->more));
	return list_end_parse(w->encoding, data, len, w->version, &w->more, err);
}

/* Requests */

static void add_param(struct buf *b, const char *s)
{
	buf_adds(b, strchr(buf_str(b), '?') ? "&" : "?");
	buf_adds(b, s);
}

static void add_version(struct buf *b, const char *version)
{
	add_param(b, "resourceVersion=");
	buf_adds(b, version);
}

/* Base64url and digits mostly; what else there is gets escaped. */
static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			strchr("-_.~", c))
			buf_addc(b, *s);
		else
			buf_addf(b, "%%%02X", c);
	}
}

/* A list from the watch cache ("0") or from etcd ("") comes in pages; at a version of our own the
 * server sends all. */
static void add_list_params(const struct watch *w, struct buf *b)
{
	bool paged = !w->unpaged && (!*w->version || !strcmp(w->version, "0"));

	if (w->more && *w->more) {
		buf_addf(
			b, "%climit=%d&continue=", strchr(buf_str(b), '?') ? '&' : '?', WATCH_PAGE);
		add_escaped(b, w->more);
		return;
	}
	if (paged)
		buf_addf(b, "%climit=%d", strchr(buf_str(b), '?') ? '&' : '?', WATCH_PAGE);
	if (*w->version)
		add_version(b, w->version);
}

static void add_selectors(const struct watch *w, struct buf *b)
{
	if (*w->label_selector)
		buf_addf(b, "?labelSelector=%s", w->label_selector);
	if (*w->field_selector && !w->plain) {
		add_param(b, "fieldSelector=");
		buf_adds(b, w->field_selector);
	}
}

static unsigned add_watch_params(const struct watch *w, struct buf *b)
{
	unsigned shortest = w->config.timeout_s ? w->config.timeout_s : WATCH_TIMEOUT_S;
	unsigned timeout = shortest + random_below(shortest);

	add_param(b, "watch=true&allowWatchBookmarks=true");
	buf_addf(b, "&timeoutSeconds=%u", timeout);
	if (w->phase == PHASE_STREAM)
		buf_adds(b, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	if (*w->version && strcmp(w->version, "0") != 0)
		add_version(b, w->version);
	return timeout;
}

static bool protobuf_type(const char *content_type)
{
	return !strncmp(content_type, "application/vnd.kubernetes.protobuf", 35);
}

/* Servers up to 1.18 do not know that they are asked for a list: it never ends. */
static unsigned silent_ms(const struct watch *w)
{
	unsigned ms = w->config.silent_ms ? w->config.silent_ms : WATCH_SILENT_MS;

	return ms < w->idle_ms ? ms : w->idle_ms;
}

static void on_head(const struct http_head *head, void *arg)
{
	struct watch *w = arg;
	struct stream_handler handler = {
		.object = w->phase == PHASE_LIST ? take_element : take_event,
		.end = take_list_end,
		.arg = w,
	};

	w->status = head->status;
	w->retry_after_s = head->retry_after_s;
	w->encoding = protobuf_type(head->content_type) ? WATCH_PROTOBUF : WATCH_JSON;
	if (head->status != 200)
		return;
	if (w->phase == PHASE_WATCH) {
		go_well(w);
		http_request_set_idle(w->request, w->idle_ms);
	} else if (w->phase == PHASE_STREAM) {
		http_request_set_idle(w->request, silent_ms(w));
	}
	w->stream = stream_new(w->phase == PHASE_LIST
			? (w->encoding == WATCH_PROTOBUF ? STREAM_PROTOBUF_LIST : STREAM_JSON_LIST)
			: (w->encoding == WATCH_PROTOBUF ? STREAM_PROTOBUF_WATCH
							 : STREAM_JSON_WATCH),
		&handler);
}

static void finished(struct watch *w, enum outcome outcome, const char *message);

/* The request is of no use any more. */
static void give_up(struct watch *w, enum outcome outcome, const char *message)
{
	http_request_cancel(take(w->request));
	finished(w, outcome, message);
}

static enum outcome judge_refusal(const struct status *s, unsigned http_status)
{
	if (s->expired || s->too_large || http_status == 410)
		return OUTCOME_EXPIRED;
	return s->code == 429 || http_status == 429 ? OUTCOME_BUSY : OUTCOME_FAILED;
}

static void on_body(const void *data, size_t len, void *arg)
{
	struct watch *w = arg;
	struct err err;
	int r;

	w->received += len;
	if (!w->stream) {
		if (w->error_body.len + len <= MAX_ERROR_BODY)
			buf_add(&w->error_body, data, len);
		return;
	}
	r = stream_feed(w->stream, data, len, &err);
	if (!r)
		return;
	if (w->refused && w->refusal.retry_after_s)
		w->retry_after_s = w->refusal.retry_after_s;
	give_up(w, w->refused ? judge_refusal(&w->refusal, 0) : OUTCOME_FAILED, err.msg);
}

/* It told nothing, and not because there was nothing to tell. */
static bool was_short(const struct watch *w)
{
	return !w->n_events && clock_ms() - w->started < WATCH_SHORT_MS;
}

static void answered_refusal(struct watch *w)
{
	struct status s = { 0 };
	char message[220];

	if (w->error_body.len)
		status_parse(w->encoding, w->error_body.data, w->error_body.len, &s, NULL);
	if (s.retry_after_s && !w->retry_after_s)
		w->retry_after_s = s.retry_after_s;
	snprintf(message, sizeof(message), "HTTP status %u%s%s", w->status, *s.message ? ": " : "",
		s.message);
	finished(w, judge_refusal(&s, w->status), message);
}

static void answered(struct watch *w)
{
	struct err err = { 0 };

	if (!w->stream) {
		answered_refusal(w);
		return;
	}
	if (stream_finish(w->stream, &err)) {
		finished(w, OUTCOME_FAILED, err.msg);
		return;
	}
	if (w->phase == PHASE_WATCH && was_short(w))
		finished(w, OUTCOME_FAILED, "the watch ended at once without any event");
	else if (w->phase == PHASE_STREAM)
		finished(w, OUTCOME_FAILED, "the streaming list ended before everything was told");
	else
		finished(w, OUTCOME_DONE, "");
}

static void on_end(const struct http_result *result, void *arg)
{
	struct watch *w = arg;

	w->request = NULL;
	if (result->end == HTTP_END_ANSWERED)
		answered(w);
	else if (w->in_view && result->end != HTTP_END_UNREACHED)
		finished(w, OUTCOME_FAILED, result->message);
	else if (!w->status || was_short(w))
		finished(w, OUTCOME_BUSY, result->message);
	else /* a watch that was cut goes on from where it was */
		finished(w, OUTCOME_DONE, result->message);
}

static void start_in(struct watch *w, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	event_add(w->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	unsigned wait = 0;

	(void)fd;
	(void)what;
	if (w->phase == PHASE_LIST && w->config.pace && !w->paced)
		wait = pace_take(w->config.pace, clock_ms());
	w->paced = wait;
	if (wait)
		start_in(w, wait);
	else
		start(w);
}

static void start(struct watch *w)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	const char *headers[] = { w->config.json
			? "Accept: application/json"
			: "Accept: application/vnd.kubernetes.protobuf, application/json",
		NULL };
	struct http_request_config config = {
		.method = HTTP_METHOD_GET,
		.headers = headers,
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end,
		.arg = w,
	};

	buf_adds(&path, w->path);
	add_selectors(w, &path);
	if (w->phase == PHASE_LIST) {
		add_list_params(w, &path);
	} else { /* the server answers at once and ends it in time, if it is alive */
		w->idle_ms = add_watch_params(w, &path) * 1100;
		if (w->idle_ms < HTTP_IDLE_TIMEOUT_MS)
			config.idle_ms = w->idle_ms;
	}
	config.endless = w->phase != PHASE_LIST;
	config.path = buf_str(&path);
	if (w->phase == PHASE_STREAM || (w->phase == PHASE_LIST && !w->more))
		begin_view(w);
	w->started = clock_ms();
	w->n_events = 0;
	w->refused = false;
	w->status = w->retry_after_s = 0;
	buf_reset(&w->error_body);
	w->request = http_request_new(w->config.client, &config);
}

/* What follows */

static void list_done(struct watch *w)
{
	if (w->more && *w->more)
		return;
	free(take(w->more));
	w->unpaged = false;
	complete_view(w);
}

static void trouble(struct watch *w, const char *message, unsigned wait)
{
	w->healthy = false;
	w->config.trouble(message, w->status, wait, w->config.arg);
}

/* A new view is needed. A list that failed on its version, or in the middle of its pages, begins
 * anew without. */
static void expired(struct watch *w)
{
	bool paging = w->phase == PHASE_LIST && w->more && *w->more;

	free(take(w->more));
	w->unpaged = paging;
	/* From a watch the first try is at the version that we have: another server may still know
	 * it. */
	if (w->phase != PHASE_WATCH)
		w->version[0] = '\0';
	w->phase = paging ? PHASE_LIST : PHASE_STREAM;
}

/* The server may not be able to stream (an older one answers 400, 403 or 422), or cut the stream:
 * this round lists. */
static void failed(struct watch *w)
{
	bool streaming = w->phase == PHASE_STREAM;

	if (w->phase == PHASE_LIST && w->status == BAD_REQUEST && w->config.optional_fields)
		w->plain = true;
	free(take(w->more));
	w->phase = streaming ? PHASE_LIST : PHASE_STREAM;
	if (streaming && !*w->version && !w->synced)
		strcpy(w->version, "0");
}

static void finished(struct watch *w, enum outcome outcome, const char *message)
{
	unsigned wait = w->retry_after_s * 1000;
	const enum phase was = w->phase;

	stream_free(take(w->stream));
	switch (outcome) {
	case OUTCOME_DONE:
		if (w->phase == PHASE_LIST)
			list_done(w);
		break;
	case OUTCOME_BUSY: /* pages go on with the next one */
		wait = wait ? wait : next_backoff(w);
		break;
	case OUTCOME_EXPIRED:
		/* A round is over, and others may end in the same moment. A view that fails on its
		 * version begins anew at once, but not in a circle. */
		if (was == PHASE_WATCH || !*w->version)
			wait = wait ? wait : next_backoff(w);
		expired(w);
		break;
	case OUTCOME_FAILED:
		failed(w);
		/* An older server refuses what it does not know; that is no trouble. */
		if (w->phase == PHASE_LIST && w->status >= 400 && w->status < 500) {
			start_in(w, wait);
			return;
		}
		wait = wait ? wait : next_backoff(w);
		break;
	}
	if (outcome != OUTCOME_DONE)
		trouble(w, message, wait);
	start_in(w, wait);
}

struct watch *watch_new(const struct watch_config *config)
{
	struct watch *w = new0(struct watch);

	w->config = *config;
	w->path = mem_strdup(config->path);
	w->label_selector = mem_strdup(config->label_selector);
	w->field_selector = mem_strdup(config->field_selector);
	w->timer = evtimer_new(config->base, on_timer, w);
	start_in(w, 0);
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	http_request_cancel(w->request);
	event_free(w->timer);
	stream_free(w->stream);
	buf_done(&w->error_body);
	free(w->path);
	free(w->label_selector);
	free(w->field_selector);
	free(w->more);
	free(w);
}

bool watch_synced(const struct watch *w)
{
	return w->synced;
}

bool watch_healthy(const struct watch *w)
{
	return w->healthy;
}

uint64_t watch_received(const struct watch *w)
{
	return w->received;
}
