// SPDX-License-Identifier: GPL-2.0-or-later
#include "overriding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/served_port.h"
#include "daemon/override_file.h"

enum { LOOK_MS = 10 * 1000 /* how often it looks whether the endpoints are still there */ };

/* Calls fn for each Service that has the endpoint, whose weight is to be resolved anew. */
static size_t each_concerned(struct overriding *o, const struct override *it,
	void (*fn)(struct overriding *o, struct slot *slot, const struct override *it, void *arg),
	void *arg)
{
	size_t n = 0;

	map_for_each_entry(struct slot, slot, &o->config.store->slots, by_name) {
		if (!override_concerns(it, slot))
			continue;
		n++;
		if (fn)
			fn(o, slot, it, arg);
	}
	return n;
}

static void print_until(uint64_t until, char text[static 32])
{
	const uint64_t now = clock_ms();

	if (until == OVERRIDE_FOREVER)
		snprintf(text, 32, "it is resumed");
	else
		snprintf(text, 32, "%" PRIu64 " s are over",
			until > now ? (until - now + 999) / 1000 : 0);
}

/* The override begins. */
static void begin_for(struct overriding *o, struct slot *slot, const struct override *it, void *arg)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };
	char until[32];

	(void)arg;
	override_print_endpoint(it, &endpoint);
	print_until(it->until, until);
	announce_service(o->config.announcer, true, slot->service->ns, slot->service->name,
		it->weight ? "EndpointWeightSet" : "EndpointDrained", "OverrideEndpoint",
		"User %u set the weight of endpoint %s to %" PRIu32 " on this node until %s",
		it->by, buf_str(&endpoint), it->weight, until);
	store_mark_dirty(o->config.store, slot);
}

/* It ends: `arg` is the reason. */
static void end_for(struct overriding *o, struct slot *slot, const struct override *it, void *arg)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };

	override_print_endpoint(it, &endpoint);
	announce_service(o->config.announcer, false, slot->service->ns, slot->service->name,
		"EndpointResumed", "OverrideEndpoint", "Endpoint %s has its own weight again: %s",
		buf_str(&endpoint), (const char *)arg);
	store_mark_dirty(o->config.store, slot);
}

static void log_begin(const char *message, const struct override *it)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };
	char until[32];

	override_print_endpoint(it, &endpoint);
	print_until(it->until, until);
	log_warn(message, "endpoint=%s service=%s weight=%u until=\"%s\" user=%u",
		buf_str(&endpoint), *it->service ? it->service : "*", it->weight, until, it->by);
}

static void log_end(const struct override *it, const char *reason)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };

	override_print_endpoint(it, &endpoint);
	log_info("the endpoint has its own weight again", "endpoint=%s service=%s reason=\"%s\"",
		buf_str(&endpoint), *it->service ? it->service : "*", reason);
}

static void save(struct overriding *o)
{
	struct err err;

	if (override_file_write(buf_str(&o->path), &o->config.view->overrides, &err) < 0)
		log_error("overrides would not outlive a restart of the daemon", "err=\"%s\"",
			err.msg);
}

/* Removes the i-th override. */
static void end_override(struct overriding *o, size_t i, const char *reason)
{
	struct overrides *all = &o->config.view->overrides;
	struct override it = all->v[i];

	log_end(&it, reason);
	all->v[i] = all->v[--all->n];
	each_concerned(o, &it, end_for, (void *)reason);
	free(it.service);
}

static void watch_time(struct overriding *o)
{
	const struct overrides *all = &o->config.view->overrides;
	const uint64_t now = clock_ms();
	uint64_t wait = LOOK_MS;
	struct timeval time;

	for (size_t i = 0; i < all->n; i++) {
		const uint64_t until = all->v[i].until;

		if (until < now + wait)
			wait = until > now ? until - now : 0;
	}
	time = clock_timeval(wait);
	if (all->n)
		event_add(o->timer, &time);
	else
		event_del(o->timer);
}

/* What is not in an input that is incomplete may be there all the same. */
static bool is_there(struct overriding *o, const struct override *it)
{
	return !o->config.is_complete(o->config.arg) || each_concerned(o, it, NULL, NULL);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct overriding *o = arg;
	struct overrides *all = &o->config.view->overrides;
	const uint64_t now = clock_ms();
	const size_t n = all->n;

	(void)fd;
	(void)what;
	for (size_t i = all->n; i--;) {
		if (all->v[i].until <= now)
			end_override(o, i, "its time is over");
		else if (override_is_lost(&all->v[i], is_there(o, &all->v[i]), now))
			end_override(o, i, "no Service has the endpoint any more");
	}
	if (all->n != n) {
		save(o);
		o->config.on_changed(o->config.arg);
	}
	watch_time(o);
}

void overriding_init(struct overriding *o, const struct overriding_config *config)
{
	struct overrides *all = &config->view->overrides;
	struct err err;

	*o = (struct overriding){ .config = *config };
	o->timer = evtimer_new(config->base, on_time, o);
	override_file_path(config->status_socket, &o->path);
	if (o->path.len && override_file_read(buf_str(&o->path), all, &err) < 0)
		log_error("cannot read the overrides of an earlier run", "err=\"%s\"", err.msg);
	for (size_t i = 0; i < all->n; i++)
		log_begin("an endpoint's weight is still overridden", &all->v[i]);
	watch_time(o);
}

void overriding_done(struct overriding *o)
{
	if (o->timer)
		event_free(take(o->timer));
	buf_done(&o->path);
}

/* Asking */

struct concerned {
	json_t *services, *idle;
	struct served_ports served;
};

/* A port of the Service has endpoints, but none that gets new connections. */
static bool is_idle(const struct served_ports *served)
{
	for (size_t i = 0; i < served->n; i++) {
		const struct endpoint_list *l = &served->ports[i].endpoints;
		bool any = !l->n_cluster;

		for (size_t k = 0; k < l->n && !any; k++)
			any = l->eps[k].in_cluster && l->eps[k].weight;
		if (!any)
			return true;
	}
	return false;
}

static void add_concerned(
	struct overriding *o, struct slot *slot, const struct override *it, void *arg)
{
	struct concerned *c = arg;

	(void)it;
	served_ports_select(&c->served, slot, o->config.view);
	json_array_append_new(c->services, json_string(slot->name));
	if (is_idle(&c->served))
		json_array_append_new(c->idle, json_string(slot->name));
}

static json_t *answer(struct overriding *o, const struct override *it)
{
	struct concerned c = { .services = json_array(), .idle = json_array() };
	_cleanup_(buf_done) struct buf endpoint = { 0 };

	each_concerned(o, it, add_concerned, &c);
	served_ports_done(&c.served);
	override_print_endpoint(it, &endpoint);
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "apiVersion", "ipvsctl.io/v1", "endpoint",
		buf_str(&endpoint), "service", it->service, "services", c.services,
		"withoutNewConnections", c.idle);
}

static size_t end_meant(struct overriding *o, const struct override *wish)
{
	const struct overrides *all = &o->config.view->overrides;
	size_t ended = 0;

	for (size_t i = all->n; i--;) {
		if (!override_is_meant(&all->v[i], wish))
			continue;
		end_override(o, i, "an operator resumed it");
		ended++;
	}
	return ended;
}

json_t *overriding_ask(struct overriding *o, const struct server_override *ask, struct err *err)
{
	struct override wish = ask->wish;

	if (ask->ends) {
		if (!end_meant(o, &wish)) {
			err_set(err, -ENOENT, "nobody has overridden the weight of this endpoint");
			return NULL;
		}
	} else {
		wish.until = ask->seconds ? clock_ms() + ask->seconds * 1000 : OVERRIDE_FOREVER;
		if (!each_concerned(o, &wish, NULL, NULL)) {
			err_set(err, -ENOENT, "%s has no such endpoint",
				*wish.service ? wish.service : "no Service of this node");
			return NULL;
		}
		if (overrides_put(&o->config.view->overrides, &wish) < 0) {
			err_set(err, -ENOSPC, "there are %d overrides already", OVERRIDES_MAX);
			return NULL;
		}
		log_begin("an operator has overridden the weight of an endpoint", &wish);
		each_concerned(o, &wish, begin_for, NULL);
	}
	save(o);
	watch_time(o);
	o->config.on_changed(o->config.arg);
	return answer(o, &wish);
}
