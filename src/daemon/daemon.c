// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config_watch.h"
#include "core/fact_text.h"
#include "daemon/backend.h"
#include "daemon/netfilter.h"
#include "kernel/iptables.h"
#include "kernel/link_monitor.h"
#include "kernel/nftables.h"
#include "kernel/probe.h"
#include "notify.h"
#include "release.h"
#include "status.h"

enum { FILES_RESERVED = 128 };

/* Callbacks of the engine */

static void on_failure(const struct op *op, void *arg)
{
	_cleanup_(buf_done) struct buf text = { 0 }, why = { 0 };
	const struct daemon *d = arg;

	fact_print(&text, &op->fact);
	engine_print_failure(d->engine, &why, op);
	log_error("the kernel refused an operation, retrying with back-off",
		"op=%s fact=\"%s\" err=\"%s\"", op_type_name(op->type), buf_str(&text),
		buf_str(&why));
}

static void on_scheduler_missing(const char *scheduler, void *arg)
{
	const struct daemon *d = arg;

	log_warn("the kernel does not have this scheduler, its Services get the default one",
		"scheduler=%s default=%s", scheduler, d->config->options.scheduler);
}

static void on_degraded(const struct service *service, void *arg)
{
	struct daemon *d = arg;

	announce_service(&d->announcer, true, service->ns, service->name, "SchedulerMissing",
		"ChooseScheduler",
		"the kernel of node %s has no IPVS scheduler \"%s\": it uses \"%s\"",
		d->config->options.node_name, service->scheduler, d->config->options.scheduler);
}

static void on_beyond(const struct service *service, void *arg)
{
	(void)arg;
	log_warn(
		"a Service has more real servers than the limit, ports beyond it have no endpoints",
		"service=%s/%s limit=%d", service->ns, service->name, SERVICE_MAX_REAL_SERVERS);
}

static void on_refused(const struct refused_frontends *refused, void *arg)
{
	struct daemon *d = arg;
	const struct frontend *fe = refused->frontend;
	const struct service *s = refused->service;
	const bool held = fe->refusal == REFUSAL_HELD;
	const bool conflict = held || fe->refusal == REFUSAL_FOREIGN;
	_cleanup_(buf_done) struct buf why = { 0 }, more = { 0 };
	char address[IP_PORT_STRLEN];

	ip_print_port(&fe->ip, fe->port, address);
	if (held)
		buf_addf(&why, "Service %s has it", refused->holder);
	else
		buf_adds(&why, refusal_text(fe->refusal));
	if (refused->n > 1)
		buf_addf(&more, ", and %zu more", refused->n - 1);
	log_warn("a Service does not get an address and port that it asks for",
		"service=%s/%s address=%s/%s kind=%s reason=%s err=\"%s\" addresses=%zu", s->ns,
		s->name, address, proto_name(refused->proto), frontend_kind_name(fe->kind),
		refusal_name(fe->refusal), buf_str(&why), refused->n);
	announce_service(&d->announcer, true, s->ns, s->name,
		conflict ? "AddressConflict" : "AddressRefused", "ChooseAddresses",
		"node %s does not serve %s %s/%s%s: %s", d->config->options.node_name,
		frontend_kind_name(fe->kind), address, proto_name(refused->proto), buf_str(&more),
		buf_str(&why));
}

static void on_audit(const struct err *err, void *arg)
{
	const struct daemon *d = arg;

	if (!err)
		log_info("the kernel's state can be read again", NULL);
	else
		log_error(engine_stats(d->engine)->last_audit
				? "cannot read the kernel's state, drift is not noticed until "
				  "that works, retrying"
				: "cannot read the kernel's state, nothing is written until that "
				  "works, retrying",
			"err=\"%s\"", err->msg);
}

static int on_stale_flows(const struct stale_list *stale, bool *ret_more, void *arg)
{
	return flows_delete(&((struct daemon *)arg)->flows, stale, ret_more);
}

static void on_made(void *arg)
{
	const struct daemon *d = arg;

	if (d->has_other)
		netfilter_give_way(&d->other, &d->view);
}

/* Steps */

int daemon_remove_other(struct daemon *d)
{
	int r;

	if (!d->has_other)
		return 0;
	d->has_other = false;
	r = netfilter_remove_other(&d->other, &d->view);
	iptables_leftovers(d->other.iptables, &d->left_there);
	adapters_close(&d->other);
	engine_forget_earlier_members(d->engine);
	return r;
}

static void on_ready(struct daemon *d)
{
	const struct engine_stats *s = engine_stats(d->engine);
	struct ledger_counts c = ledger_counts(engine_ledger(d->engine));
	uint64_t written = 0;

	for (int k = 0; k < FACT_KINDS; k++)
		written += s->ops[k][OP_ADD] + s->ops[k][OP_SET] + s->ops[k][OP_DEL];
	d->ready = true;
#ifdef __GLIBC__	/* others give memory back by themselves, or not at all */
	malloc_trim(0); /* what reading everything took is not needed again */
#endif
	log_info("in sync",
		"services=%zu facts=%zu operations=%llu failing=%zu foreign=%zu "
		"input_ms=%llu ms=%llu",
		d->store.n_services, c.wanted, (unsigned long long)written, c.failing, c.foreign,
		(unsigned long long)(d->fed - d->started),
		(unsigned long long)(clock_ms() - d->started));
	notify("READY=1\nSTATUS=in sync");
	status_log_leftovers(d);
	status_find_mixed(d);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	const struct engine_stats *stats = engine_stats(d->engine);
	uint64_t batches = stats->batches, start = clock_us(), now, next, reserve;
	struct timeval wait;

	(void)fd;
	(void)what;
	next = engine_step(d->engine, start / 1000);
	observe_step(&d->observe, start, stats->batches != batches);
	/* What could not be read yet is in force only there. */
	if (stats->synced && stats->complete)
		daemon_remove_other(d);
	if (stats->synced && !d->ready)
		on_ready(d);
	now = clock_ms();
	reserve = reservation_step(&d->reservation, now);
	next = next < reserve ? next : reserve;
	if (next == UINT64_MAX) {
		event_del(d->step);
		return;
	}
	wait = clock_timeval(next > now ? next - now : 0);
	event_add(d->step, &wait);
}

/*
 * Not by event_add(): that takes an expired timer off the list of those to be called, so that
 * calling it again and again, for a descriptor that stays readable, would put off the step for
 * ever.
 */
static void step_now(struct daemon *d)
{
	event_active(d->step, EV_TIMEOUT, 0);
}

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
static void refresh_node(struct daemon *d)
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

/* What NodePorts and masquerading need of the Node object. */
static void check_node_object(struct daemon *d)
{
	const char *name = d->config->options.node_name;
	const struct node *node = store_node(&d->store, name);
	const char *why;

	if (!node || !node->n_addresses) {
		why = node ? "the Node object has no addresses" : "there is no such Node object";
		log_warn("the node's addresses are not known, taking those of its interfaces",
			"node=%s err=\"%s\"", name, why);
		announce_node(&d->announcer, true, "NodeAddressesUnknown", "ReadNode",
			"%s: the addresses of the interfaces are taken", why);
	}
	if (d->config->options.detect_local == DETECT_NODE_CIDR && (!node || !node->n_pod_cidrs)) {
		why = node ? "the Node object has no pod CIDRs" : "there is no such Node object";
		log_warn("the node's pod CIDRs are not known, masquerading nothing from outside "
			 "until they are",
			"node=%s err=\"%s\"", name, why);
		announce_node(&d->announcer, true, "PodCIDRsUnknown", "ReadNode",
			"%s: nothing from outside is masqueraded until they are known", why);
	}
}

/* Inputs */

static void on_store_changed(void *arg)
{
	struct daemon *d = arg;

	observe_change(&d->observe);
	if (d->node_generation != d->store.node_generation)
		refresh_node(d);
	step_now(d);
}

static void on_fed(void *arg)
{
	struct daemon *d = arg;

	d->fed = clock_ms();
	observe_fed(&d->observe);
	if (d->inputs.kube) {
		log_info("the API server has sent all objects",
			"services=%zu received=%llu ms=%llu", d->store.n_services,
			(unsigned long long)kube_received(d->inputs.kube),
			(unsigned long long)(d->fed - d->started));
		check_node_object(d);
	}
	refresh_node(d);
	engine_fed(d->engine);
	step_now(d);
}

static void on_complete(void *arg)
{
	struct daemon *d = arg;

	if (d->incomplete)
		log_info("every manifest could be read, the input is complete", NULL);
	d->incomplete = false;
	engine_set_input_complete(d->engine, true);
	step_now(d);
}

static bool on_misses_endpoints(const struct slot *slot, void *arg)
{
	const struct daemon *d = arg;

	return slot->service && inputs_miss(&d->inputs, slot->service->name);
}

/* Services that claim one of them are refused from now on, those that no longer do are not. */
static void on_servers(void *arg)
{
	struct daemon *d = arg;
	size_t n;
	const struct node_socket *servers = kube_servers(d->inputs.kube, &n);

	if (!node_view_set_api_in_use(&d->view, servers, n))
		return;
	log_debug("the API server's addresses have changed", "addresses=%zu", n);
	if (!engine_stats(d->engine)->fed) {
		release_api_servers(&d->adapters, adapters_sets(&d->adapters), &d->view);
		release_api_servers(&d->adapters, adapters_sets(&d->other), &d->view);
	}
	refresh_node(d);
	step_now(d);
}

int daemon_feed(struct daemon *d, struct err *err)
{
	const char *name = d->config->options.node_name;
	int r;

	engine_set_input_complete(d->engine, false);
	r = inputs_start(&d->inputs,
		&(struct inputs_config){ .config = d->config,
			.base = d->base,
			.store = &d->store,
			.on_changed = on_store_changed,
			.on_fed = on_fed,
			.on_complete = on_complete,
			.on_servers = on_servers,
			.arg = d },
		err);

	if (d->inputs.manifests && !inputs_complete(&d->inputs)) {
		d->incomplete = true;
		log_warn("the input is incomplete, what an earlier run left in the kernel stays "
			 "until every manifest could be read",
			"problems=%zu", inputs_problems(&d->inputs));
	}
	if (r < 0 || !d->inputs.kube)
		return r;
	announcer_init(&d->announcer, kube_client(d->inputs.kube), name, &d->store);
	announce_node(&d->announcer, false, "Starting", "StartKubeProxy", "ipvsctl-svcd " VERSION);
	if (d->no_ipvs.code)
		announce_node(&d->announcer, true, "IPVSUnavailable", "ChooseBackend",
			"IPVS cannot be used on node %s, so %s is: %s", name,
			backend_name(d->view.backend), d->no_ipvs.msg);
	if (d->no_iptables.code)
		announce_node(&d->announcer, true, "IptablesUnavailable", "ChooseNetfilter",
			"ipset and iptables cannot be used on node %s, so nftables is: %s", name,
			d->no_iptables.msg);
	return 0;
}

int daemon_await_feed(struct daemon *d, unsigned limit_ms, struct err *err)
{
	const struct timeval limit = clock_timeval(limit_ms);
	const struct engine_stats *stats = engine_stats(d->engine);

	event_base_loopexit(d->base, &limit);
	while (!stats->fed && !event_base_got_exit(d->base))
		event_base_loop(d->base, EVLOOP_ONCE);
	if (!stats->fed)
		return err_set(err, -ETIMEDOUT,
			"the API server did not send all objects within %u s", limit_ms / 1000);
	event_del(d->step);
	return 0;
}

/* Overrides */

static void on_overridden(void *arg)
{
	step_now(arg);
}

static bool is_complete(void *arg)
{
	const struct engine_stats *stats = engine_stats(((struct daemon *)arg)->engine);

	return stats->fed && stats->complete;
}

/* Setting up */

int daemon_init(struct daemon *d, const struct config *config, const struct node_view *view,
	struct adapters *opened, const struct err *no_ipvs, const struct err *no_iptables,
	struct err *err)
{
	/* Where IPVS is not used an earlier run may have left something; asking it would load it.
	 */
	const bool with_ipvs = view->backend == BACKEND_IPVS || !access("/proc/net/ip_vs", F_OK);
	enum adapters_need need = with_ipvs ? ADAPTERS_ALL : ADAPTERS_NO_IPVS;
	struct utsname name;
	struct err why;
	int r;

	*d = (struct daemon){ .config = config,
		.view = *view,
		.adapters = *opened,
		.no_ipvs = *no_ipvs,
		.no_iptables = *no_iptables,
		.started = clock_ms() };
	*opened = (struct adapters){ 0 };
	backend_view_config(config, &d->view);
	store_init(&d->store);
	uname(&name);
	memcpy(d->kernel, name.release, sizeof(d->kernel));
	d->base = event_base_new();
	if (!d->base)
		return err_set(err, -ENOMEM, "cannot make an event loop");
	d->step = evtimer_new(d->base, on_step, d);
	d->engine = engine_new(&(struct engine_config){
		.store = &d->store,
		.view = &d->view,
		.audit_interval = config->audit_interval,
		.drain = !config->once, /* which has nobody to wait for the last connection */
		.clock_us = clock_us,
		.on_failure = on_failure,
		.on_scheduler_missing = on_scheduler_missing,
		.on_degraded = on_degraded,
		.on_beyond = on_beyond,
		.on_refused = on_refused,
		.misses_endpoints = on_misses_endpoints,
		.on_audit = on_audit,
		.on_made = on_made,
		.delete_flows = on_stale_flows,
		.arg = d,
	});
	/* What the kernel does not have holds nothing that is to be removed. */
	if (config->cleanup)
		need = with_ipvs ? ADAPTERS_AVAILABLE : ADAPTERS_AVAILABLE_NO_IPVS;
	r = adapters_open(&d->adapters, need, engine_rules(d->engine), view, err);
	if (r >= 0)
		r = adapters_open_other(&d->other, &d->other_rules, view, err);
	if (r < 0)
		return r;
	adapters_serve(&d->adapters, d->engine);
	d->has_other = true;
	engine_add_earlier_members(d->engine, adapters_sets(&d->other));
	if (netfilter_translates(&d->other))
		engine_enter_last(d->engine);
	if (d->adapters.ipvs && probe_clean(d->adapters.ipvs, &why) < 0)
		log_warn("cannot remove what a trial of IPVS left, it is harmless", "err=\"%s\"",
			why.msg);
	d->view.random_fully =
		!d->adapters.iptables || iptables_info(d->adapters.iptables)->random_fully;
	flows_init(&d->flows, &d->view, &d->observe);
	netfilter_move_notes(&d->adapters, &d->other);
	reservation_init(&d->reservation, d->engine, &d->view, adapters_sets(&d->adapters));
	overriding_init(&d->overriding,
		&(struct overriding_config){ .base = d->base,
			.status_socket = config->status_socket,
			.view = &d->view,
			.store = &d->store,
			.announcer = &d->announcer,
			.on_changed = on_overridden,
			.is_complete = is_complete,
			.arg = d });
	r = daemon_read_node(d, err);
	return r < 0 ? r : 0;
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(take(*ev));
}

void daemon_done(struct daemon *d)
{
	events_free(take(d->announcer.events));
	inputs_done(&d->inputs);
	observe_done(&d->observe);
	overriding_done(&d->overriding);
	server_free(take(d->server));
	http_pool_free(take(d->pool));
	free_event(&d->step);
	free_event(&d->config_changed);
	config_watch_free(take(d->config_watch));
	free_event(&d->kernel_changed);
	free_event(&d->iptables_answered);
	free_event(&d->rules_changed);
	free_event(&d->log_flush);
	free_event(&d->watchdog);
	for (size_t i = 0; i < ARRAY_SIZE(d->sigs); i++)
		free_event(&d->sigs[i]);
	link_monitor_free(take(d->monitor));
	if (d->base)
		event_base_free(take(d->base));
	engine_free(d->engine);
	conntrack_free(take(d->flows.conntrack));
	adapters_close(&d->adapters);
	adapters_close(&d->other);
	rule_pool_done(&d->other_rules);
	leftovers_done(&d->left_there);
	free(d->mixed);
	store_done(&d->store);
	node_view_done(&d->view);
}

/* Running */

static void on_address_failure(void *arg)
{
	static const struct timeval for_the_event_to_leave = { .tv_sec = 1 };
	struct daemon *d = arg;

	d->failure = "an address cannot be bound";
	event_base_loopexit(d->base, d->announcer.events ? &for_the_event_to_leave : NULL);
}

static void on_kernel(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	unsigned changed = link_monitor_read(d->monitor);

	(void)fd;
	(void)what;
	if (changed & LINK_CHANGED_ADDRESSES)
		refresh_node(d);
	if (changed & LINK_CHANGED_OURS)
		engine_request_audit(d->engine, d->adapters.link->kinds);
	if (changed)
		step_now(d);
}

/* As kube-proxy does: whoever started the daemon starts it again, with the new file. */
static void on_config(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct err err = { 0 };
	int r = config_watch_read(d->config_watch, &err);

	(void)fd;
	(void)what;
	if (r < 0)
		log_error("the configuration file has become invalid, going on with the old one",
			"file=\"%s\" err=\"%s\"", d->config->file, err.msg);
	if (r <= 0)
		return;
	d->failure = "the configuration file has changed";
	notify("STOPPING=1");
	event_base_loopbreak(d->base);
}

static void on_rules_changed(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct adapter *iptables = d->adapters.iptables, *nftables = d->adapters.nftables;
	const uint64_t drift = engine_stats(d->engine)->drift;

	(void)fd;
	(void)what;
	if (nftables ? !nftables_disturbed(nftables, clock_ms(), drift)
		     : !iptables_disturbed(iptables, clock_ms(), drift))
		return;
	log_debug("rules have changed, reading them", NULL);
	engine_request_audit(d->engine, (nftables ? nftables : iptables)->kinds);
	step_now(d);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (sig == SIGHUP) {
		log_info("reloading", NULL);
		inputs_reload(&d->inputs);
		refresh_node(d);
		status_find_mixed(d);
		engine_reload(d->engine);
		step_now(d);
		return;
	}
	log_info("stopping, the kernel's state stays as it is", "signal=%s",
		sig == SIGTERM ? "SIGTERM" : "SIGINT");
	notify("STOPPING=1");
	event_base_loopbreak(d->base);
}

/* Only a loop that turns says that. */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify("WATCHDOG=1");
}

static void on_log_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	log_flush();
}

static void watch_fd(struct daemon *d, struct event **ev, int fd, event_callback_fn fn)
{
	*ev = event_new(d->base, fd, EV_READ | EV_PERSIST, fn, d);
	event_add(*ev, NULL);
}

/* The servers leave descriptors for the kernel's sockets, the API server and programs. */
static struct http_pool *make_pool(void)
{
	struct rlimit files = { .rlim_cur = FILES_RESERVED + 1 };

	getrlimit(RLIMIT_NOFILE, &files);
	return http_pool_new(&(struct http_pool_config){
		.max_fd = files.rlim_cur < INT_MAX ? (int)files.rlim_cur - FILES_RESERVED : 0 });
}

int daemon_run(struct daemon *d, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	static const struct timeval log_flush_time = { .tv_sec = 5 };
	struct err why;
	int r, fd;

	r = link_monitor_new(d->adapters.link, &d->monitor, err);
	d->pool = make_pool();
	if (r >= 0)
		r = status_serve(d, err);
	if (r < 0)
		return r;
	observe_init(&d->observe,
		&(struct observe_config){ .config = d->config,
			.base = d->base,
			.store = &d->store,
			.view = &d->view,
			.engine = d->engine,
			.iptables = d->adapters.iptables,
			.kube = d->inputs.kube,
			.fallback = d->no_ipvs.code,
			.announcer = &d->announcer,
			.pool = d->pool,
			.on_address_failure = on_address_failure,
			.arg = d });
	inputs_watch(&d->inputs);
	if (*d->config->file) {
		fd = config_watch_new(d->config->file, &d->config_watch, &why);
		if (fd < 0)
			log_warn(
				"cannot watch the configuration file, changes of it need a restart",
				"err=\"%s\"", why.msg);
		else
			watch_fd(d, &d->config_changed, fd, on_config);
	}
	watch_fd(d, &d->kernel_changed, link_monitor_fd(d->monitor), on_kernel);
	if (d->adapters.iptables)
		watch_fd(d, &d->iptables_answered, iptables_watch(d->adapters.iptables), on_step);
	fd = d->adapters.nftables ? nftables_watch_others(d->adapters.nftables, &why)
				  : iptables_watch_others(d->adapters.iptables, &why);
	if (fd < 0)
		log_warn("cannot watch for drift of rules, only audits notice it", "err=\"%s\"",
			why.msg);
	else
		watch_fd(d, &d->rules_changed, fd, on_rules_changed);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		d->sigs[i] = evsignal_new(d->base, signals[i], on_signal, d);
		event_add(d->sigs[i], NULL);
	}
	d->log_flush = event_new(d->base, -1, EV_PERSIST, on_log_flush, NULL);
	event_add(d->log_flush, &log_flush_time);
	if (notify_watchdog_ms()) {
		const struct timeval time = clock_timeval(notify_watchdog_ms());

		d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, NULL);
		event_add(d->watchdog, &time);
	}
	refresh_node(d); /* what changed before the monitor listened */
	step_now(d);
	event_base_dispatch(d->base);
	return d->failure ? err_set(err, -ECANCELED, "%s", d->failure) : 0;
}
