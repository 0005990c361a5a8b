// SPDX-License-Identifier: GPL-2.0-or-later
#include "event_series.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

/* k8s.io/kubernetes/pkg/apis/core/validation/events.go */
enum { NOTE_MAX = 1024, INSTANCE_MAX = 128, NAME_MAX_SIZE = 253 };

#define CONTROLLER "ipvsctl-svcd"

/* One event and its repetitions */
struct series {
	struct list link; /* in order of arrival */
	struct map_node by_key;
	struct kube_event event; /* the strings are its own */
	char *name;		 /* of the Event object */
	int64_t first, last;	 /* wall */
	uint64_t last_ms, told_ms;
	unsigned count;
	unsigned told;	/* the server's count; 0: it does not have the Event */
	unsigned asked; /* the count in the request that is under way */
	bool refused;	/* at told_ms */
};

struct event_book {
	const char *node_name;
	struct list series;
	struct map by_key;
	struct series *asking;
};

static void series_free(struct event_book *b, struct series *e)
{
	map_del(&b->by_key, &e->by_key);
	list_remove(&e->link);
	free((char *)e->event.reason);
	free((char *)e->event.action);
	free((char *)e->event.ns);
	free((char *)e->event.name);
	free((char *)e->event.uid);
	free((char *)e->event.note);
	free(e->name);
	free(e);
}

struct event_book *event_book_new(const char *node_name)
{
	struct event_book *b = new0(struct event_book);

	b->node_name = node_name;
	list_init(&b->series);
	return b;
}

void event_book_free(struct event_book *b)
{
	if (!b)
		return;
	list_for_each_entry_safe(struct series, e, &b->series, link)
		series_free(b, e);
	map_done(&b->by_key);
	free(b);
}

/* Adding */

static char *copy_event_text(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* "OBJECT.HEX". As every name it is a DNS subdomain, so an object's name that had to be cut must
 * not end in a dot. */
static char *event_object_name(
	const struct event_book *b, const struct kube_event *event, int64_t wall)
{
	const char *object = event->name ? event->name : b->node_name;
	char suffix[sizeof(".0123456789abcdef")];
	size_t room, len = strlen(object);
	struct buf name = { 0 };

	snprintf(suffix, sizeof(suffix), ".%" PRIx64, (uint64_t)wall * 1000);
	room = NAME_MAX_SIZE - strlen(suffix);
	len = len < room ? len : room;
	while (len && (object[len - 1] == '.' || object[len - 1] == '-'))
		len--;
	buf_addf(&name, "%.*s%s", (int)len, object, suffix);
	return buf_take(&name);
}

bool event_book_add(
	struct event_book *b, const struct kube_event *event, uint64_t now, int64_t wall)
{
	uint32_t hash =
		map_hash_str(event->reason) * 31 + map_hash_str(event->name ? event->name : "");
	struct series *e = NULL;

	map_for_each_match_entry(struct series, old, &b->by_key, hash, by_key) {
		const struct kube_event *is = &old->event;

		if (is->warning == event->warning && same_text(is->reason, event->reason) &&
			same_text(is->action, event->action) && same_text(is->ns, event->ns) &&
			same_text(is->name, event->name) && same_text(is->uid, event->uid))
			e = old;
	}
	if (!e && b->by_key.count >= EVENTS_MAX)
		return false;
	if (!e) {
		e = new0(struct series);
		e->event = (struct kube_event){
			.warning = event->warning,
			.reason = copy_event_text(event->reason),
			.action = copy_event_text(event->action),
			.ns = copy_event_text(event->ns),
			.name = copy_event_text(event->name),
			.uid = copy_event_text(event->uid),
			.note = copy_event_text(event->note),
		};
		e->name = event_object_name(b, event, wall);
		e->first = wall;
		list_init(&e->link);
		list_insert(&b->series, &e->link);
		map_add(&b->by_key, &e->by_key, hash);
	}
	e->count++;
	e->last = wall;
	e->last_ms = now;
	return true;
}

/* When */

struct series_plan {
	uint64_t due; /* the time of the next request; UINT64_MAX: the server has everything */
	uint64_t end; /* the event is kept until then, ms */
	bool over;    /* to be forgotten */
};

static struct series_plan plan_series(const struct series *e, uint64_t now)
{
	uint64_t refresh = e->told_ms + EVENTS_REFRESH_MS;
	struct series_plan p = {
		.due = UINT64_MAX,
		.end = (e->refused ? e->told_ms : e->last_ms) + EVENTS_KEPT_MS,
	};

	if (!e->refused && e->told < 2 && e->told != e->count)
		p.due = 0;
	else if (!e->refused && e->told != e->count)
		p.due = refresh < p.end ? refresh : p.end;
	/* An event that could not be sent in all that time is news no longer. */
	p.over = now >= p.end && (!e->told || p.due == UINT64_MAX);
	return p;
}

uint64_t event_book_due(struct event_book *b, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	list_for_each_entry_safe(struct series, e, &b->series, link) {
		struct series_plan p = plan_series(e, now);
		uint64_t at = p.due < p.end ? p.due : p.end;

		if (e != b->asking && p.over)
			series_free(b, e);
		else if (at < next)
			next = at;
	}
	return next;
}

/* Requests */

/* Go's metav1.MicroTime */
static json_t *time_json(int64_t wall)
{
	time_t seconds = (time_t)(wall / 1000000);
	char day[sizeof("2026-01-02T03:04:05") + 8], text[sizeof(day) + sizeof(".123456Z")];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06dZ", day, (int)(wall % 1000000));
	return json_string(text);
}

/* At most so many bytes, and no half of a character. */
static json_t *cut_text_json(const char *text, size_t max)
{
	size_t len = strlen(text);
	json_t *json;

	if (len > max)
		for (len = max; len && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	json = json_stringn(text, len);
	return json ? json : json_string("");
}

/* The Event without its series. */
static json_t *event_json(const struct event_book *b, const struct series *e, const char *ns)
{
	const struct kube_event *event = &e->event;
	_cleanup_(buf_done) struct buf instance = { 0 };
	json_t *json, *regarding;

	/* `kubectl describe node` looks for the node's name as its uid. */
	if (event->name)
		regarding = json_pack("{s:s, s:s, s:s, s:s}", "apiVersion", "v1", "kind", "Service",
			"namespace", event->ns, "name", event->name);
	else
		regarding = json_pack("{s:s, s:s, s:s, s:s}", "apiVersion", "v1", "kind", "Node",
			"name", b->node_name, "uid", b->node_name);
	if (event->name && event->uid && *event->uid)
		json_object_set_new(regarding, "uid", json_string(event->uid));

	buf_addf(&instance, CONTROLLER "-%s", b->node_name);
	json = json_pack("{s:s, s:s, s:{s:s, s:s}, s:o, s:s, s:o, s:s, s:s, s:s, s:o, s:o}",
		"apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "name", e->name,
		"namespace", ns, "eventTime", time_json(e->first), "reportingController",
		CONTROLLER, "reportingInstance", cut_text_json(buf_str(&instance), INSTANCE_MAX),
		"type", event->warning ? "Warning" : "Normal", "reason", event->reason, "action",
		event->action, "note", cut_text_json(event->note, NOTE_MAX), "regarding",
		regarding);
	assert(json);
	return json;
}

bool event_book_next(struct event_book *b, uint64_t now, struct event_request *ret)
{
	assert(!b->asking);
	list_for_each_entry(struct series, e, &b->series, link) {
		/* An Event about an object without a namespace is in this one. */
		const char *ns = e->event.ns ? e->event.ns : "default";
		struct series_plan p = plan_series(e, now);
		struct buf path = { 0 };
		json_t *json;

		if (p.due > now || p.over)
			continue;
		json = e->told ? json_object() : event_json(b, e, ns);
		if (e->count > 1)
			json_object_set_new(json, "series",
				json_pack("{s:i, s:o}", "count", (int)e->count, "lastObservedTime",
					time_json(e->last)));
		buf_addf(&path, "/apis/events.k8s.io/v1/namespaces/%s/events", ns);
		if (e->told)
			buf_addf(&path, "/%s", e->name);
		*ret = (struct event_request){
			.method = e->told ? HTTP_METHOD_PATCH : HTTP_METHOD_POST,
			.path = buf_take(&path),
			.body = json_dumps(json, JSON_COMPACT),
		};
		json_decref(json);
		e->asked = e->count;
		b->asking = e;
		return true;
	}
	return false;
}

void event_request_done(struct event_request *r)
{
	free(take(r->path));
	free(take(r->body));
}

void event_book_settle(struct event_book *b, enum event_answer answer, uint64_t now)
{
	struct series *e = take(b->asking);

	e->told_ms = now;
	switch (answer) {
	case EVENT_TAKEN:
		e->told = e->asked;
		break;
	case EVENT_REFUSED:
		e->refused = true;
		break;
	case EVENT_GONE:
		e->told = 0;
		break;
	case EVENT_FAILED:
		if (now >= plan_series(e, now).end)
			e->told = e->asked; /* too old to be sent once more */
		/* The others come first the next time. */
		list_remove(&e->link);
		list_insert(&b->series, &e->link);
		break;
	}
}
