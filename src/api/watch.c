// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One request runs at a time, and the phase says which. When it ends, request_finished() decides
 * which one follows and after how long:
 *
 *	STREAM  a watch that begins with everything that exists, and goes on as the watch
 *	LIST    everything that exists in pages, for a server that cannot stream
 *	WATCH   from the version of the view, or of the last event
 *	CHECK   a list of one object, before a watch follows another one: it tells the server's version
 *
 * A round is a complete view and the watches that follow it; it ends with trouble that only another
 * view can mend.
 *
 * After a restore of etcd the server's version may be lower than ours. It accepts a watch from our
 * version nevertheless, and sends nothing until its own has reached it (apiserver/pkg/storage/cacher:
 * cacheWatcher.process). Therefore the CHECK.
 */
#include "api/watch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/stream.h"
#include "base/buf.h"
#include "base/mem.h"
#include "watch_event.h"

enum {
	MAX_ERROR_BODY = 64 << 10,
	BAD_REQUEST = 400,
	SERVER_ERRORS = 500, /* this status and higher ones */
	BAD_GATEWAY = 502,
	GATEWAY_TIMEOUT = 504
};

enum watch_phase { PHASE_STREAM, PHASE_LIST, PHASE_WATCH, PHASE_CHECK };

/* How a request ended. */
enum watch_outcome {
	OUTCOME_DONE,	   /* well */
	OUTCOME_UNREACHED, /* no answer: the request is repeated when there may be one */
	OUTCOME_BUSY,	   /* told to come later: the request is repeated */
	OUTCOME_EXPIRED,   /* the server does not have our version */
	OUTCOME_FAILED,
};

struct watch {
	struct watch_config config;
	struct timers *timers;
	char *path, *label_selector, *field_selector;
	enum watch_phase phase;
	struct http_request *request;
	struct timer *timer; /* starts the next request */
	struct timer *proof; /* the watch is open long enough to be followed */
	struct reach_waiter waiter;
	struct stream *stream;
	enum watch_encoding encoding;
	struct buf error_body;
	unsigned status; /* of the answer; 0: none yet */
	unsigned retry_after_s;
	uint64_t started;			    /* of the request, ms */
	unsigned timeout_s;			    /* requested duration of a watch */
	size_t n_events;			    /* of the request */
	size_t n_objects, n_empty_pages;	    /* of the view; in a row */
	size_t page_begins_at;			    /* n_objects before the page */
	char version[RESOURCE_VERSION_SIZE];	    /* "": none known; "0": any will do */
	char server_version[RESOURCE_VERSION_SIZE]; /* of a CHECK; "": unknown */
	char *more;				    /* token of the next page; NULL or "": none */
	bool unpaged;				    /* a token expired: everything at once */
	bool in_view;				    /* between begin and complete */
	struct watch_state state;
	bool plain;	       /* without field selectors */
	bool paced;	       /* the list has waited for its turn */
	struct status refusal; /* of an ERROR event */
	bool refused;
	unsigned backoff_ms;   /* the next one; 0: the first */
	uint64_t completed_at; /* the last view, ms */
};

/* How long to wait after a refusal. */
static unsigned next_backoff(struct watch *w)
{
	const unsigned asked_ms = w->retry_after_s * 1000;
	unsigned d = w->backoff_ms ? w->backoff_ms : WATCH_BACKOFF_FIRST_MS;

	if (asked_ms)
		return (asked_ms < WATCH_BACKOFF_LAST_MS ? asked_ms : WATCH_BACKOFF_LAST_MS) +
			pace_jitter(WATCH_SPREAD_MS);
	w->backoff_ms = d * 2 < WATCH_BACKOFF_LAST_MS ? d * 2 : WATCH_BACKOFF_LAST_MS;
	return d + pace_jitter(d);
}

static bool is_watching(const struct watch *w)
{
	return w->phase == PHASE_STREAM || w->phase == PHASE_WATCH;
}

static void is_followed(void *arg)
{
	struct watch *w = arg;

	timer_stop(w->proof);
	if (!w->state.healthy)
		w->config.trouble(NULL, 0, 0, w->config.arg);
	w->state.healthy = true;
}

/* Views */

static void complete_view(struct watch *w)
{
	bool streamed = w->phase == PHASE_STREAM;

	w->in_view = false;
	w->phase = PHASE_WATCH; /* a stream goes on as one */
	w->state.synced = true;
	w->completed_at = timers_now(w->timers);
	w->config.complete(w->config.arg);
	if (streamed)
		is_followed(w);
}

/* An object that is not understood must not stop the others. Malformed bytes end the round: the
 * change that they stood for would be lost. */
static int report_object(
	struct watch *w, enum watch_event event, const char *data, size_t len, struct err *err)
{
	const struct watch_object o = {
		.event = event, .encoding = w->encoding, .data = data, .len = len
	};
	int r = w->config.object(&o, w->config.arg, err);

	return r == -EBADMSG ? r : 0;
}

/* A watch may be silent for a little longer than it is requested for: a server that is alive ends it
 * in time. */
static unsigned watch_idle_ms(const struct watch *w)
{
	return w->timeout_s * 1100;
}

/* An element of a list, or an event of a watch. */
static int take_watched(const char *data, size_t len, void *arg, struct err *err)
{
	struct watch *w = arg;
	struct event ev;
	int r;

	if (w->phase != PHASE_WATCH && ++w->n_objects > WATCH_MAX_OBJECTS)
		return err_set(err, -E2BIG, "there are more than %d objects", WATCH_MAX_OBJECTS);
	if (w->phase == PHASE_LIST)
		return report_object(w, WATCH_PUT, data, len, err);
	if (w->phase == PHASE_CHECK)
		return 0;
	r = event_parse(w->encoding, data, len, &ev, err);
	if (r)
		return r;
	w->n_events++;
	if (ev.type == EVENT_ERROR) {
		w->refused = true;
		r = status_parse(w->encoding, ev.data, ev.len, &w->refusal, err);
		return r ? r : err_set(err, -ECANCELED, "%s", w->refusal.message);
	}
	if (timer_is_running(w->proof))
		is_followed(w);
	/* While everything that exists comes, the versions are in no order. */
	if (*ev.version && (!w->in_view || ev.type == EVENT_BOOKMARK))
		memcpy(w->version, ev.version, sizeof(w->version));
	if (ev.type != EVENT_BOOKMARK)
		return report_object(w, ev.type == EVENT_DELETED ? WATCH_DELETE : WATCH_PUT,
			ev.data, ev.len, err);
	if (!w->in_view)
		return 0;
	/* A server that streams lists sends no bookmark before the one that ends the view. */
	if (!ev.initial_end)
		return err_set(err, -ENOTSUP, "the server does not stream lists");
	complete_view(w);
	http_request_lift_limit(w->request);
	http_request_set_idle(w->request, watch_idle_ms(w));
	return 0;
}

static int take_list_end(const char *data, size_t len, void *arg, struct err *err)
{
	struct watch *w = arg;
	_cleanup_free_ char *more = NULL;
	int r;

	if (w->phase == PHASE_CHECK)
		return list_end_parse(w->encoding, data, len, w->server_version, &more, err);
	free(take(w->more));
	r = list_end_parse(w->encoding, data, len, w->version, &w->more, err);
	if (r)
		return r;
	w->n_empty_pages = w->n_objects == w->page_begins_at ? w->n_empty_pages + 1 : 0;
	if (*w->more && w->n_empty_pages == WATCH_MAX_EMPTY_PAGES)
		return err_set(err, -E2BIG, "%d pages in a row are empty", WATCH_MAX_EMPTY_PAGES);
	return 0;
}

/* Versions are opaque, unless both are numbers. */
static bool version_is_before(const char *a, const char *b)
{
	static const char digits[] = "0123456789";
	const size_t a_len = strlen(a), b_len = strlen(b);

	if (!a_len || !b_len || strspn(a, digits) < a_len || strspn(b, digits) < b_len)
		return false;
	return a_len != b_len ? a_len < b_len : strcmp(a, b) < 0;
}

/* The end of a request */

/* The server has told its version, or not; see the comment at the head of this file. */
static void check_finished(struct watch *w)
{
	char why[RESOURCE_VERSION_SIZE * 2 + 80];

	w->phase = PHASE_WATCH;
	if (!version_is_before(w->server_version, w->version))
		return;
	snprintf(why, sizeof(why), "the server's version %s is older than %s, which it sent before",
		w->server_version, w->version);
	w->phase = PHASE_STREAM;
	w->version[0] = '\0';
	w->config.relist(why, w->config.arg);
}

/* Returns how long to wait before everything is requested again. */
static unsigned begin_anew(struct watch *w, const char *why, bool *ret_trouble)
{
	const enum watch_phase was = w->phase;
	bool paging = was == PHASE_LIST && w->more && *w->more;
	/* Not in a circle: a view that is outdated at once, or fails without a version. */
	bool again = was == PHASE_WATCH ? timers_now(w->timers) - w->completed_at < WATCH_STEADY_MS
					: !*w->version;

	/* The next view asks for no version where the list failed on its own, or between two pages.
	 * From a watch the first try is at the version that we have: another server may still know
	 * it. */
	if (was != PHASE_WATCH)
		w->version[0] = '\0';
	free(take(w->more));
	w->unpaged = paging;
	w->phase = paging ? PHASE_LIST : PHASE_STREAM;
	*ret_trouble = again;
	if (again)
		return next_backoff(w);
	w->config.relist(why, w->config.arg);
	return was == PHASE_WATCH ? pace_jitter(WATCH_RELIST_MS) : 0;
}

static void request_finished(struct watch *w, enum watch_outcome outcome, const char *message)
{
	const enum watch_phase was = w->phase;
	bool paging = was == PHASE_LIST && w->more && *w->more;
	uint64_t lasted = timers_now(w->timers) - w->started;
	bool trouble = outcome != OUTCOME_DONE;
	unsigned wait = 0;

	stream_free(take(w->stream));
	timer_stop(w->proof);
	if (was == PHASE_WATCH && w->status == 200 && lasted >= WATCH_STEADY_MS)
		w->backoff_ms = 0;
	if (was == PHASE_CHECK && (outcome == OUTCOME_EXPIRED || outcome == OUTCOME_FAILED))
		outcome = OUTCOME_DONE; /* it tells nothing; the watch finds out what is wrong */

	switch (outcome) {
	case OUTCOME_DONE:
		trouble = false;
		if (was == PHASE_CHECK) {
			check_finished(w);
		} else if (was == PHASE_WATCH) {
			/* If it was ended too early, so were those of other nodes. */
			if (lasted < (uint64_t)w->timeout_s * 1000) {
				w->state.healthy = false;
				wait = pace_jitter(WATCH_SPREAD_MS);
			}
			w->phase = PHASE_CHECK;
		} else if (!paging) {
			free(take(w->more));
			w->unpaged = false;
			complete_view(w);
		}
		break;
	case OUTCOME_UNREACHED: /* pages go on with the next one */
		if (was == PHASE_WATCH)
			w->phase = PHASE_CHECK;
		w->backoff_ms = 0;
		w->state.healthy = false;
		wait = reach_lost(w->config.reach, &w->waiter);
		w->config.trouble(message, 0, wait, w->config.arg);
		return;
	case OUTCOME_BUSY: /* the same */
		if (was == PHASE_WATCH)
			w->phase = PHASE_CHECK;
		wait = next_backoff(w);
		break;
	case OUTCOME_EXPIRED:
		w->state.healthy = false;
		wait = begin_anew(w, message, &trouble);
		break;
	case OUTCOME_FAILED:
		if (was == PHASE_LIST && w->status == BAD_REQUEST && w->config.optional_fields)
			w->plain = true;
		/* A server that cannot stream, or cut the stream, is asked for a list in this
		 * round. */
		free(take(w->more));
		w->phase = was == PHASE_STREAM ? PHASE_LIST : PHASE_STREAM;
		if (was == PHASE_STREAM && !*w->version && !w->state.synced)
			strcpy(w->version, "0");
		/* An older server refuses what it does not know with 400, 403 or 422; that is no
		 * trouble. */
		trouble = was != PHASE_STREAM || w->status < 400 || w->status >= SERVER_ERRORS;
		if (trouble)
			wait = next_backoff(w);
		break;
	}
	if (trouble) {
		w->state.healthy = false;
		w->config.trouble(message, w->status, wait, w->config.arg);
	}
	timer_start(w->timer, wait);
}

static enum watch_outcome classify_refusal(const struct status *s, unsigned http_status)
{
	if (s->expired || s->too_large || http_status == 410)
		return OUTCOME_EXPIRED;
	return s->code == 429 || http_status == 429 ? OUTCOME_BUSY : OUTCOME_FAILED;
}

/* Requests */

static void on_watch_head(const struct http_head *head, void *arg)
{
	static const char protobuf[] = "application/vnd.kubernetes.protobuf";
	struct watch *w = arg;
	const struct stream_handler handler = {
		.object = take_watched,
		.end = take_list_end,
		.arg = w,
	};
	bool json = strncmp(head->content_type, protobuf, strlen(protobuf)) != 0;

	w->status = head->status;
	w->retry_after_s = head->retry_after_s;
	w->encoding = json ? WATCH_JSON : WATCH_PROTOBUF;
	if (head->status < SERVER_ERRORS)
		reach_answered(w->config.reach);
	if (head->status != 200)
		return;
	if (w->phase == PHASE_WATCH) {
		/* What is wrong with our version comes as an event. */
		if (!w->state.healthy)
			timer_start(w->proof, WATCH_SHORT_MS);
		http_request_lift_limit(w->request);
		http_request_set_idle(w->request, watch_idle_ms(w));
	} else if (w->phase == PHASE_STREAM) {
		/* Servers up to 1.18 ignore that they are asked for a list: it never ends. */
		http_request_set_idle(w->request, WATCH_SILENT_MS);
	}
	if (w->phase == PHASE_LIST || w->phase == PHASE_CHECK)
		w->stream = stream_new(json ? STREAM_JSON_LIST : STREAM_PROTOBUF_LIST, &handler);
	else
		w->stream = stream_new(json ? STREAM_JSON_WATCH : STREAM_PROTOBUF_WATCH, &handler);
}

/* An answer with another status than 200 is complete, or as much of it as is read. */
static void refuse_watch(struct watch *w)
{
	struct status refusal = { 0 };
	struct err err;
	char text[220];
	bool known = w->error_body.len &&
		!status_parse(w->encoding, w->error_body.data, w->error_body.len, &refusal, &err) &&
		refusal.code;

	if (refusal.retry_after_s && !w->retry_after_s)
		w->retry_after_s = refusal.retry_after_s;
	snprintf(text, sizeof(text), "HTTP status %u%s%s", w->status, *refusal.message ? ": " : "",
		refusal.message);
	/* Not the API server's words, but those of a gateway that does not reach it. */
	if (!known && w->status >= BAD_GATEWAY && w->status <= GATEWAY_TIMEOUT) {
		request_finished(w, OUTCOME_UNREACHED, text);
		return;
	}
	reach_answered(w->config.reach);
	request_finished(w, classify_refusal(&refusal, w->status), text);
}

static void on_watch_body(const void *data, size_t len, void *arg)
{
	struct watch *w = arg;
	struct err err;

	w->state.received += len;
	if (!w->stream) {
		if (w->error_body.len + len <= MAX_ERROR_BODY) {
			buf_add(&w->error_body, data, len);
			return;
		}
		http_request_cancel(take(w->request));
		refuse_watch(w);
		return;
	}
	if (!stream_feed(w->stream, data, len, &err))
		return;
	if (w->refused && w->refusal.retry_after_s)
		w->retry_after_s = w->refusal.retry_after_s;
	http_request_cancel(take(w->request));
	request_finished(
		w, w->refused ? classify_refusal(&w->refusal, 0) : OUTCOME_FAILED, err.msg);
}

static void on_watch_end(const struct http_result *result, void *arg)
{
	struct watch *w = arg;
	/* The request ended too soon to tell that there were no events. */
	bool hasty = !w->n_events && timers_now(w->timers) - w->started < WATCH_SHORT_MS;
	enum watch_outcome outcome = OUTCOME_DONE;
	const char *message = result->message;
	struct err err = { 0 };

	w->request = NULL;
	if (w->status && !w->stream) {
		refuse_watch(w);
		return;
	}
	if (result->end != HTTP_END_ANSWERED) {
		if (!w->status)
			outcome = OUTCOME_UNREACHED;
		else if (w->in_view)
			outcome = OUTCOME_FAILED;
		else if (hasty || w->phase == PHASE_CHECK)
			outcome = OUTCOME_BUSY;
		/* Else a watch was cut, and goes on from where it was. */
	} else if (stream_finish(w->stream, &err)) {
		outcome = OUTCOME_FAILED;
		message = err.msg;
	} else if (w->phase == PHASE_WATCH && hasty) {
		outcome = OUTCOME_FAILED;
		message = "the watch ended within a second without an event";
	} else if (w->phase == PHASE_STREAM) {
		outcome = OUTCOME_FAILED;
		message = "the streaming list ended before it was complete";
	}
	request_finished(w, outcome, message);
}

/* Adds the path and the query of the next request. */
static void add_watch_path(struct watch *w, struct buf *b)
{
	size_t query = strlen(w->path);

	buf_adds(b, w->path);
	if (*w->label_selector)
		buf_addf(b, "&labelSelector=%s", w->label_selector);
	if (*w->field_selector && !w->plain)
		buf_addf(b, "&fieldSelector=%s", w->field_selector);

	if (w->phase == PHASE_CHECK) {
		buf_adds(b, "&limit=1");
	} else if (w->phase == PHASE_LIST && w->more && *w->more) {
		char *escaped = curl_easy_escape(NULL, w->more, 0);

		if (!escaped)
			abort(); /* out of memory, as in base/mem.h */
		buf_addf(b, "&limit=%d&continue=%s", WATCH_PAGE, escaped);
		curl_free(escaped);
	} else if (w->phase == PHASE_LIST) {
		/* A list from the watch cache ("0") or from etcd ("") comes in pages; at a version
		 * of our own the server sends everything at once. */
		if (!w->unpaged && (!*w->version || !strcmp(w->version, "0")))
			buf_addf(b, "&limit=%d", WATCH_PAGE);
		if (*w->version)
			buf_addf(b, "&resourceVersion=%s", w->version);
	} else {
		w->timeout_s = WATCH_TIMEOUT_S + pace_jitter(WATCH_TIMEOUT_S);
		buf_addf(b, "&watch=true&allowWatchBookmarks=true&timeoutSeconds=%u", w->timeout_s);
		if (w->phase == PHASE_STREAM)
			buf_adds(b, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
		if (*w->version && strcmp(w->version, "0") != 0)
			buf_addf(b, "&resourceVersion=%s", w->version);
	}
	if (b->len > query)
		b->data[query] = '?';
}

static void start_request(void *arg)
{
	struct watch *w = arg;
	const char *const headers[] = { w->config.json
			? "Accept: application/json"
			: "Accept: application/vnd.kubernetes.protobuf, application/json",
		NULL };
	_cleanup_(buf_done) struct buf path = { 0 };
	unsigned wait = 0;

	if (!is_watching(w) && w->config.pace && !w->paced)
		wait = pace_take(w->config.pace, timers_now(w->timers));
	w->paced = wait;
	if (wait) {
		timer_start(w->timer, wait);
		return;
	}

	if (w->phase != PHASE_LIST || !w->more)
		w->n_objects = w->n_empty_pages = 0;
	w->page_begins_at = w->n_objects;
	if (w->phase == PHASE_STREAM || (w->phase == PHASE_LIST && !w->more)) {
		w->in_view = true;
		w->config.begin(w->config.arg);
	}
	w->started = timers_now(w->timers);
	w->n_events = 0;
	w->refused = false;
	w->status = w->retry_after_s = 0;
	w->server_version[0] = '\0';
	buf_reset(&w->error_body);
	add_watch_path(w, &path);
	w->request = http_request_new(w->config.client,
		&(struct http_request_config){
			.method = HTTP_METHOD_GET,
			.path = buf_str(&path),
			.headers = headers,
			.endless = is_watching(w),
			.limit_ms = WATCH_MAX_ANSWER_S * 1000,
			.on_head = on_watch_head,
			.on_body = on_watch_body,
			.on_end = on_watch_end,
			.arg = w,
		});
}

/* Called in the middle of another request. */
static void on_reachable(void *arg)
{
	const struct watch *w = arg;

	timer_start(w->timer, 0);
}

struct watch *watch_new(const struct watch_config *config)
{
	struct watch *w = new0(struct watch);

	w->config = *config;
	w->path = mem_strdup(config->path);
	w->label_selector = mem_strdup(config->label_selector);
	w->field_selector = mem_strdup(config->field_selector);
	w->timers = http_client_timers(config->client);
	w->timer = timer_new(w->timers, start_request, w);
	w->proof = timer_new(w->timers, is_followed, w);
	reach_waiter_init(&w->waiter, on_reachable, w);
	timer_start(w->timer, 0);
	return w;
}

void watch_resync(struct watch *w)
{
	if (w->in_view && w->request)
		return;
	http_request_cancel(take(w->request));
	stream_free(take(w->stream));
	free(take(w->more));
	w->version[0] = '\0';
	w->unpaged = false;
	w->phase = PHASE_STREAM;
	timer_stop(w->proof);
	reach_leave(&w->waiter);
	timer_start(w->timer, 0);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	http_request_cancel(w->request);
	timer_free(w->timer);
	timer_free(w->proof);
	reach_leave(&w->waiter);
	stream_free(w->stream);
	buf_done(&w->error_body);
	free(w->path);
	free(w->label_selector);
	free(w->field_selector);
	free(w->more);
	free(w);
}

struct watch_state watch_state(const struct watch *w)
{
	return w ? w->state : (struct watch_state){ 0 };
}
