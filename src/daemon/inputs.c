// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { MAX_WARNINGS = 1000 };

/* Manifests */

static void on_manifest_problem(const struct manifest_problem *p, void *arg)
{
	(void)arg;
	log_warn("manifest problem", "file=\"%s\" line=%u column=%u object=\"%s\" err=\"%s%s%s\"",
		p->path, p->line, p->column, p->object, p->field, *p->field ? " " : "", p->message);
}

/* Once, when what is in the store is all that there is. */
static void tell_complete(struct inputs *in)
{
	if (in->complete || (in->manifests && !manifests_complete(in->manifests)))
		return;
	in->complete = true;
	in->config.on_complete(in->config.arg);
}

static void wait_for_manifests(struct inputs *in, uint64_t now)
{
	uint64_t next = manifests_next(in->manifests);
	struct timeval wait;

	if (next == UINT64_MAX) {
		event_remove_timer(in->manifests_changed);
	} else {
		/* Never 0: libevent forgets a persistent event whose time-out is over at once. */
		wait = clock_timeval(next > now ? next - now : 1);
		event_add(in->manifests_changed, &wait);
	}
}

static void on_manifests(evutil_socket_t fd, short what, void *arg)
{
	struct inputs *in = arg;
	uint64_t now = clock_ms();

	(void)fd;
	(void)what;
	if (manifests_dispatch(in->manifests, now))
		in->config.on_changed(in->config.arg);
	tell_complete(in);
	wait_for_manifests(in, now);
}

void inputs_watch(struct inputs *in)
{
	if (!in->manifests)
		return;
	in->manifests_changed = event_new(in->config.base, manifests_fd(in->manifests),
		EV_READ | EV_PERSIST, on_manifests, in);
	event_add(in->manifests_changed, NULL);
}

void inputs_reload(struct inputs *in)
{
	const uint64_t now = clock_ms();
	struct err err;

	if (in->manifests) {
		if (manifests_reload(in->manifests, now, &err) < 0)
			log_error("cannot read a manifest path, its last good objects stay",
				"err=\"%s\"", err.msg);
		tell_complete(in);
		wait_for_manifests(in, now);
	}
	if (in->kube)
		kube_resync(in->kube);
}

bool inputs_complete(const struct inputs *in)
{
	return in->complete;
}

bool inputs_miss(const struct inputs *in, const char *name)
{
	return in->manifests && manifests_miss(in->manifests, name);
}

size_t inputs_problems(const struct inputs *in)
{
	const struct manifest_problem *const *problems;

	return in->manifests ? manifests_problems(in->manifests, &problems) : 0;
}

/* API server */

static void on_api_changed(void *arg)
{
	struct inputs *in = arg;

	in->config.on_changed(in->config.arg);
}

static void on_api_fed(void *arg)
{
	struct inputs *in = arg;

	in->config.on_fed(in->config.arg);
	tell_complete(in);
}

static void on_api_servers(void *arg)
{
	struct inputs *in = arg;

	in->config.on_servers(in->config.arg);
}

static void on_object_problem(const char *message, void *arg)
{
	(void)arg;
	log_warn("ignoring an invalid object of the API server", "err=\"%s\"", message);
}

/* The trouble of that resource, or else room for one; NULL: there is none. */
static struct input_trouble *find_trouble(struct inputs *in, const char *resource)
{
	struct input_trouble *room = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(in->trouble); i++) {
		struct input_trouble *t = &in->trouble[i];

		if (t->resource && !strcmp(t->resource, resource))
			return t;
		if (!t->resource && !room)
			room = t;
	}
	return room;
}

/* Logged when it begins, when it changes and when it ends. */
static void on_api_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	struct inputs *in = arg;
	struct input_trouble *t = find_trouble(in, resource);

	if (!t)
		return;
	if (!message) {
		log_info("following a resource of the API server again", "resource=%s", resource);
		free(t->message);
		*t = (struct input_trouble){ 0 };
		return;
	}
	if (t->message && !strcmp(t->message, message))
		return;
	log_warn("cannot follow a resource of the API server, the kernel's state stays, retrying",
		"resource=%s in_ms=%u err=\"%s\"", resource, retry_ms, message);
	free(t->message);
	*t = (struct input_trouble){ .resource = resource, .message = mem_strdup(message) };
}

static void on_api_relist(const char *resource, const char *why, void *arg)
{
	(void)arg;
	log_info("reading a resource of the API server again", "resource=%s err=\"%s\"", resource,
		why);
}

static int start_api(struct inputs *in, struct err *err)
{
	const struct config *c = in->config.config;
	struct kube_config config = {
		.base = in->config.base,
		.store = in->config.store,
		.node_name = c->options.node_name,
		.endpoints = c->endpoints_source,
		.json = c->json,
		.qps = c->qps,
		.burst = c->burst,
		.needs_pod_cidrs = c->options.detect_local == DETECT_NODE_CIDR,
		.changed = on_api_changed,
		.fed = on_api_fed,
		.servers_changed = on_api_servers,
		.trouble = on_api_trouble,
		.relist = on_api_relist,
		.problem = on_object_problem,
		.arg = in,
	};
	int r = auth_load(&(struct auth_config){ .kubeconfig = c->kubeconfig, .master = c->master },
		&in->auth, err);

	if (r < 0)
		return r;
	config.auth = in->auth;
	return kube_new(&config, &in->kube, err);
}

/* Both */

int inputs_start(struct inputs *in, const struct inputs_config *config, struct err *err)
{
	const struct config *c = config->config;
	const struct manifests_config manifests = {
		.paths = c->manifests,
		.n_paths = c->n_manifests,
		.store = config->store,
		.service_range = { c->options.cluster_ip_ranges[0],
			c->options.cluster_ip_ranges[1] },
		.on_problem = on_manifest_problem,
	};
	int r;

	*in = (struct inputs){ .config = *config };
	if (config_input(c) == INPUT_API)
		return start_api(in, err);
	r = manifests_new(&manifests, &in->manifests, err);
	if (r >= 0)
		r = manifests_load(in->manifests, err);
	config->on_fed(config->arg);
	tell_complete(in);
	return r;
}

void inputs_warn(const struct inputs *in, void (*fn)(const char *sentence, void *arg), void *arg)
{
	const struct manifest_problem *const *problems;
	size_t n = in->manifests ? manifests_problems(in->manifests, &problems) : 0;
	_cleanup_(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(in->trouble); i++) {
		if (!in->trouble[i].resource)
			continue;
		buf_reset(&b);
		buf_addf(&b, "cannot follow %s: %s", in->trouble[i].resource,
			in->trouble[i].message);
		fn(buf_str(&b), arg);
	}
	if (in->kube && kube_ignores_weight(in->kube)) {
		buf_reset(&b);
		buf_addf(&b, "Node %s: %s", in->config.config->options.node_name,
			kube_ignored_weight);
		fn(buf_str(&b), arg);
	}
	for (size_t i = 0; i < n && i < MAX_WARNINGS; i++) {
		buf_reset(&b);
		manifest_problem_print(problems[i], &b);
		fn(buf_str(&b), arg);
	}
}

void inputs_done(struct inputs *in)
{
	if (in->manifests_changed)
		event_free(take(in->manifests_changed));
	manifests_free(take(in->manifests));
	kube_free(take(in->kube));
	auth_free(take(in->auth));
	for (size_t i = 0; i < ARRAY_SIZE(in->trouble); i++)
		free(in->trouble[i].message);
}
