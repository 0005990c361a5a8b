// SPDX-License-Identifier: GPL-2.0-or-later
/* The inputs of the daemon: manifests or an API server, and the node itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/traps.h"
#include "sync.h"

enum {
	MAX_WARNINGS = 1000,
	AWAIT_MS = 60000, /* for an API server, before --once gives up */
};

/* The node */

int daemon_read_node(struct daemon *d, struct err *err)
{
	struct ip *local, primary[2];
	size_t n_local;
	int r = link_addresses(&local, &n_local, err);

	if (r < 0)
		return r;
	primary[0] = link_primary_address(AF_INET, local, n_local);
	primary[1] = link_primary_address(AF_INET6, local, n_local);
	return node_view_update(&d->view, local, n_local, primary, &d->store);
}

/* The Node object or the interfaces may have changed. */
void daemon_refresh_node(struct daemon *d)
{
	struct err err;
	int r = daemon_read_node(d, &err);

	d->node_generation = d->store.node_generation;
	if (r < 0)
		log_error("cannot read the node's addresses, going on with those known before",
			"err=\"%s\"", err.msg);
	else if (r)
		engine_node_changed(d->engine);
}

static void store_changed(struct daemon *d)
{
	observe_change(d);
	if (d->node_generation != d->store.node_generation)
		daemon_refresh_node(d);
	daemon_step_now(d);
}

/* Manifests */

static void on_problem(const struct manifest_problem *p, void *arg)
{
	_cleanup_(buf_done) struct buf where = { 0 };

	(void)arg;
	buf_addf(&where, "file=\"%s\"", p->path);
	if (p->line)
		buf_addf(&where, " line=%u", p->line);
	if (p->column)
		buf_addf(&where, " column=%u", p->column);
	if (*p->object)
		buf_addf(&where, " object=\"%s\"", p->object);
	if (*p->field)
		buf_addf(&where, " field=%s", p->field);
	log_warn("manifest problem", "%s err=\"%s\"", buf_str(&where), p->message);
}

static void on_manifests(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (manifests_dispatch(d->manifests))
		store_changed(d);
}

static int feed_manifests(struct daemon *d, struct err *err)
{
	const struct config *c = d->config;
	struct manifests_config config = {
		.paths = c->manifests,
		.n_paths = c->n_manifests,
		.store = &d->store,
		.service_range = { c->service_range[0], c->service_range[1] },
		.on_problem = on_problem,
		.arg = d,
	};
	int r = manifests_new(&config, &d->manifests, err);

	if (r >= 0)
		r = manifests_load(d->manifests, err);
	daemon_refresh_node(d);
	engine_fed(d->engine);
	return r;
}

/* API server */

static void on_changed(void *arg)
{
	store_changed(arg);
}

/* What NodePorts need; the interfaces have to do. */
static void check_addresses(struct daemon *d, const struct node *node)
{
	const char *why =
		node ? "the Node object has no addresses" : "there is no such Node object";

	if (node && node->n_addresses)
		return;
	log_warn("the node's addresses are not known, taking those of its interfaces",
		"node=%s err=\"%s\"", d->config->options.node_name, why);
	announce_node(d, true, "NodeAddressesUnknown", "ReadNode",
		"%s: the addresses of the interfaces are taken", why);
}

/* What masquerading needs. */
static void check_pod_cidrs(struct daemon *d, const struct node *node)
{
	const char *why =
		node ? "the Node object has no pod CIDRs" : "there is no such Node object";

	if (d->config->options.detect_local != DETECT_NODE_CIDR || (node && node->n_pod_cidrs))
		return;
	log_warn("the node's pod CIDRs are not known, masquerading nothing from outside until they "
		 "are",
		"node=%s err=\"%s\"", d->config->options.node_name, why);
	announce_node(d, true, "PodCIDRsUnknown", "ReadNode",
		"%s: nothing from outside is masqueraded until they are known", why);
}

static void check_node(struct daemon *d)
{
	const struct node *node = store_node(&d->store, d->config->options.node_name);

	check_addresses(d, node);
	check_pod_cidrs(d, node);
}

static void on_fed(void *arg)
{
	struct daemon *d = arg;

	log_info("all facts are known", "services=%zu received=%llu ms=%llu", d->store.n_services,
		(unsigned long long)kube_received(d->kube),
		(unsigned long long)(clock_ms() - d->started));
	check_node(d);
	daemon_refresh_node(d);
	engine_fed(d->engine);
	daemon_step_now(d);
}

static struct input_trouble *find_trouble(struct daemon *d, const char *resource)
{
	struct input_trouble *free_one = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(d->trouble); i++) {
		struct input_trouble *t = &d->trouble[i];

		if (t->resource && !strcmp(t->resource, resource))
			return t;
		if (!t->resource && !free_one)
			free_one = t;
	}
	return free_one;
}

/* Logged when it begins, when it changes and when it ends; the kernel's state stays as it is
 * meanwhile. */
static void on_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	struct daemon *d = arg;
	struct input_trouble *t = find_trouble(d, resource);

	if (!t)
		return;
	if (!message) {
		log_info("followed again", "resource=%s", resource);
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

static void on_object_problem(const char *message, void *arg)
{
	(void)arg;
	log_warn("an object is passed over", "err=\"%s\"", message);
}

static int feed_api(struct daemon *d, struct err *err)
{
	const struct config *c = d->config;
	struct kube_config config = {
		.base = d->base,
		.store = &d->store,
		.node_name = c->options.node_name,
		.endpoints = c->endpoints_source,
		.json = c->json,
		.qps = c->qps,
		.burst = c->burst,
		.needs_pod_cidrs = c->options.detect_local == DETECT_NODE_CIDR,
		.changed = on_changed,
		.fed = on_fed,
		.trouble = on_trouble,
		.problem = on_object_problem,
		.arg = d,
	};
	int r = auth_load(&(struct auth_config){ .kubeconfig = c->kubeconfig, .master = c->master },
		&d->auth, err);

	if (r < 0)
		return r;
	config.auth = d->auth;
	r = kube_new(&config, &d->kube, err);
	if (r < 0)
		return r;
	announce_init(d);
	announce_node(d, false, "Starting", "StartKubeProxy", "ipvsctl-svcd " VERSION);
	if (d->no_ipvs.code)
		announce_node(d, true, "IPVSUnavailable", "ChooseBackend",
			"IPVS cannot be used on node %s, so iptables is: %s",
			d->config->options.node_name, d->no_ipvs.msg);
	return 0;
}

int daemon_feed(struct daemon *d, struct err *err)
{
	return config_input(d->config) == INPUT_API ? feed_api(d, err) : feed_manifests(d, err);
}

int daemon_await_feed(struct daemon *d, struct err *err)
{
	uint64_t start = clock_ms();
	static const struct timeval tick = { .tv_usec = 100000 };

	while (!engine_stats(d->engine)->fed) {
		if (clock_ms() - start > AWAIT_MS)
			return err_set(err, -ETIMEDOUT,
				"the API server did not tell everything within %d s",
				AWAIT_MS / 1000);
		event_base_loopexit(d->base, &tick);
		event_base_dispatch(d->base);
	}
	event_del(d->step);
	return 0;
}

void daemon_watch_inputs(struct daemon *d)
{
	if (!d->manifests)
		return;
	d->manifests_changed = event_new(
		d->base, manifests_fd(d->manifests), EV_READ | EV_PERSIST, on_manifests, d);
	event_add(d->manifests_changed, NULL);
}

void daemon_reload_inputs(struct daemon *d)
{
	struct err err;

	if (d->manifests && manifests_load(d->manifests, &err) < 0)
		log_error("a manifest path cannot be read", "err=\"%s\"", err.msg);
}

size_t daemon_problems(struct daemon *d)
{
	const struct manifest_problem *const *problems;

	return d->manifests ? manifests_problems(d->manifests, &problems) : 0;
}

struct warnings {
	char **line;
	size_t n, cap;
};

static void add_warning(struct warnings *w, char *line)
{
	mem_grow(w->line, w->n, w->cap);
	w->line[w->n++] = line;
}

static void add_trap(const char *sentence, void *arg)
{
	add_warning(arg, mem_strdup(sentence));
}

static void count_present(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	(void)key;
	*(size_t *)arg += state->present;
}

static void warn_of_fallback(const struct daemon *d, struct warnings *w)
{
	struct buf b = { 0 };

	if (!d->no_ipvs.code)
		return;
	buf_addf(&b,
		"IPVS cannot be used, so iptables is (get the kernel module ip_vs and restart, or "
		"say --backend=iptables): %s",
		d->no_ipvs.msg);
	add_warning(w, buf_take(&b));
}

static void warn_of_traps(struct daemon *d, struct warnings *w)
{
	struct trap_facts f;
	size_t n = 0;

	ledger_each(engine_ledger(d->engine), FACT_VS, count_present, &n);
	ledger_each(engine_ledger(d->engine), FACT_RS, count_present, &n);
	traps_read(d->view.backend == BACKEND_IPVS ? d->ipvs : NULL, &d->view, n, &f);
	traps_judge(&f, add_trap, w);
}

static void warn_of_leftovers(const struct daemon *d, struct warnings *w)
{
	_cleanup_(buf_done) struct buf left = { 0 };
	struct buf b = { 0 };

	daemon_print_leftovers(d, &left);
	if (!left.len)
		return;
	buf_addf(&b, "kube-proxy left %s: see ipvsctl-svc cleanup", buf_str(&left));
	add_warning(w, buf_take(&b));
}

static void warn_of_mixed(const struct daemon *d, struct warnings *w)
{
	struct buf b = { 0 };

	if (!d->mixed)
		return;
	buf_addf(&b,
		"%s: the other variant of iptables has rules for Services, too, and packets pass "
		"both",
		d->mixed);
	add_warning(w, buf_take(&b));
}

char **daemon_warnings(struct daemon *d, size_t *ret_n)
{
	const struct manifest_problem *const *problems;
	size_t n = d->manifests ? manifests_problems(d->manifests, &problems) : 0;
	struct warnings w = { 0 };

	warn_of_fallback(d, &w);
	for (size_t i = 0; i < ARRAY_SIZE(d->trouble); i++) {
		struct buf b = { 0 };

		if (!d->trouble[i].resource)
			continue;
		buf_addf(&b, "cannot follow %s: %s", d->trouble[i].resource, d->trouble[i].message);
		add_warning(&w, buf_take(&b));
	}
	for (size_t i = 0; i < n && i < MAX_WARNINGS; i++) {
		struct buf b = { 0 };

		manifest_problem_print(problems[i], &b);
		add_warning(&w, buf_take(&b));
	}
	warn_of_traps(d, &w);
	warn_of_leftovers(d, &w);
	warn_of_mixed(d, &w);
	*ret_n = w.n;
	return w.line;
}

void daemon_inputs_done(struct daemon *d)
{
	if (d->manifests_changed)
		event_free(take(d->manifests_changed));
	manifests_free(take(d->manifests));
	announce_done(d);
	kube_free(take(d->kube));
	auth_free(take(d->auth));
	for (size_t i = 0; i < ARRAY_SIZE(d->trouble); i++)
		free(d->trouble[i].message);
}
