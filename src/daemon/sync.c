// SPDX-License-Identifier: GPL-2.0-or-later
#include "sync.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "announce.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config_watch.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "notify.h"
#include "report/explain.h"
#include "report/report.h"

/* What is logged */

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

	announce_service(d, service->ns, service->name, "SchedulerMissing", "ChooseScheduler",
		"the kernel of node %s has no IPVS scheduler \"%s\": it uses \"%s\"",
		d->config->options.node_name, service->scheduler, d->config->options.scheduler);
}

static void on_conflict(const struct fact_key *frontend, const struct claimant *loser,
	const struct claimant *owner, void *arg)
{
	struct ip ip = fact_ip(frontend);
	char s[IP_PORT_STRLEN];

	(void)arg;
	log_warn("two Services want the same address and port, the older one has it until it goes",
		"address=%s/%s service=%s owner=%s", ip_print_port(&ip, frontend->port, s),
		proto_name(frontend->proto), loser->name, owner->name);
}

static void on_audit(const struct err *err, void *arg)
{
	const struct daemon *d = arg;

	if (!err)
		log_info("the kernel's state can be read again", NULL);
	else
		log_error(engine_stats(d->engine)->last_audit
				? "cannot read the kernel's state, changes by others are not noticed until that works, retrying"
				: "cannot read the kernel's state, nothing is written until that works, retrying",
			"err=\"%s\"", err->msg);
}

/* Steps */

static void told_ready(struct daemon *d, uint64_t now)
{
	const struct engine_stats *s = engine_stats(d->engine);
	struct ledger_counts c = ledger_counts(engine_ledger(d->engine));
	uint64_t written = 0;

	for (int k = 0; k < FACT_KINDS; k++)
		written += s->ops[k][OP_ADD] + s->ops[k][OP_SET] + s->ops[k][OP_DEL];
	d->ready = true;
	malloc_trim(0); /* what reading everything took is not needed again */
	log_info("synced", "services=%zu facts=%zu operations=%llu failing=%zu foreign=%zu ms=%llu",
		d->store.n_services, c.wanted, (unsigned long long)written, c.failing, c.foreign,
		(unsigned long long)(now - d->started));
	notify("READY=1\nSTATUS=synced");
	daemon_tell_leftovers(d);
	daemon_find_mixed(d);
}

static void schedule(struct daemon *d, uint64_t now, uint64_t next)
{
	uint64_t wait = next > now ? next - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000) };

	if (next == UINT64_MAX)
		event_del(d->step);
	else
		event_add(d->step, &tv);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	uint64_t batches = engine_stats(d->engine)->batches, start = clock_us(), next;

	(void)fd;
	(void)what;
	next = engine_step(d->engine, start / 1000);
	observe_step(d, start, engine_stats(d->engine)->batches != batches);
	if (engine_stats(d->engine)->synced && !d->ready)
		told_ready(d, clock_ms());
	schedule(d, clock_ms(), next);
}

/*
 * Not by event_add(): that takes a timer which has expired off the list of those to be called, so
 * who calls this again and again, for a descriptor that stays readable, would put off the step for
 * ever.
 */
void daemon_step_now(struct daemon *d)
{
	event_active(d->step, EV_TIMEOUT, 0);
}

/* Setting up */

/* Where IPVS is not used it may have left something, or another daemon; asking it would load it. */
static bool ipvs_is_loaded(void)
{
	return !access("/proc/net/ip_vs", F_OK);
}

static int open_adapters(struct daemon *d, struct err *err)
{
	const struct node_view *view = &d->view;
	int r = 0;

	if (view->backend == BACKEND_IPVS || ipvs_is_loaded())
		r = ipvs_new(&d->ipvs, err);
	if (r >= 0)
		r = link_new(&d->link, err);
	if (r >= 0)
		r = ipset_new(&d->ipset, err);
	if (r >= 0)
		r = iptables_new(
			engine_texts(d->engine), view->ipv4, view->ipv6, &d->iptables, err);
	return r;
}

static int make_engine(struct daemon *d, struct err *err)
{
	struct engine_config config = {
		.store = &d->store,
		.view = &d->view,
		.audit_interval = d->config->audit_interval,
		.drain = !d->config->once, /* which has nobody to wait for the last connection */
		.clock_us = clock_us,
		.on_failure = on_failure,
		.on_scheduler_missing = on_scheduler_missing,
		.on_degraded = on_degraded,
		.on_conflict = on_conflict,
		.on_audit = on_audit,
		.delete_flows = daemon_delete_flows,
		.arg = d,
	};
	int r;

	d->engine = engine_new(&config);
	r = open_adapters(d, err);
	if (r < 0)
		return r;
	struct adapter *adapters[] = { d->ipvs, d->link, d->ipset, d->iptables };

	for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
		if (adapters[i])
			engine_add_adapter(d->engine, adapters[i]);
	daemon_open_flows(d);
	d->view.random_fully = iptables_info(d->iptables)->random_fully;
	return 0;
}

int daemon_init(struct daemon *d, struct config *config, const struct node_view *view,
	const struct err *no_ipvs, struct err *err)
{
	struct utsname name;
	int r;

	*d = (struct daemon){
		.config = config, .view = *view, .no_ipvs = *no_ipvs, .started = clock_ms()
	};
	d->view.bind_address = config->bind_address;
	d->view.keep = config_input(config) == INPUT_API;
	store_init(&d->store);
	uname(&name);
	memcpy(d->kernel, name.release, sizeof(d->kernel));
	d->base = event_base_new();
	if (!d->base)
		return err_set(err, -ENOMEM, "cannot make an event loop");
	d->step = evtimer_new(d->base, on_step, d);
	signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error of write(), not the end */
	r = make_engine(d, err);
	if (r < 0)
		return r;
	r = daemon_read_node(d, err);
	return r < 0 ? r : 0;
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(take(*ev));
}

static void loop_done(struct daemon *d)
{
	observe_done(d);
	server_free(take(d->server));
	free_event(&d->step);
	free_event(&d->config_changed);
	config_watch_free(take(d->config_watch));
	free_event(&d->manifests_changed);
	free_event(&d->kernel_changed);
	free_event(&d->iptables_answered);
	free_event(&d->rules_changed);
	for (size_t i = 0; i < ARRAY_SIZE(d->sigs); i++)
		free_event(&d->sigs[i]);
	link_monitor_free(take(d->monitor));
	if (d->base)
		event_base_free(take(d->base));
}

void daemon_done(struct daemon *d)
{
	daemon_inputs_done(d);
	loop_done(d);
	engine_free(d->engine);
	conntrack_free(d->conntrack);
	iptables_free(d->iptables);
	free(d->mixed);
	ipset_free(d->ipset);
	link_free(d->link);
	ipvs_free(d->ipvs);
	store_done(&d->store);
	node_view_done(&d->view);
}

/* Running */

static void on_kernel(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	unsigned changed = link_monitor_read(d->monitor);

	(void)fd;
	(void)what;
	if (changed & LINK_CHANGED_ADDRESSES)
		daemon_refresh_node(d);
	if (changed & LINK_CHANGED_OURS)
		engine_request_audit_of(d->engine, d->link->kinds);
	if (changed)
		daemon_step_now(d);
}

/* As kube-proxy does: who started it starts it again, with the new one. */
static void on_config(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct err err = { 0 };
	int r = config_watch_read(d->config_watch, &err);

	(void)fd;
	(void)what;
	if (r < 0)
		log_error("the configuration file has become invalid, going on with what it was",
			"file=\"%s\" err=\"%s\"", d->config->file, err.msg);
	if (r <= 0)
		return;
	d->failure = "the configuration file has changed";
	notify("STOPPING=1");
	event_base_loopbreak(d->base);
}

/* An adapter that answers later has something to tell. */
static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	daemon_step_now(arg);
}

static void on_rules(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (!iptables_disturbed(d->iptables, engine_stats(d->engine)->drift))
		return;
	log_debug("rules of iptables have changed, reading them", NULL);
	engine_request_audit_of(d->engine, d->iptables->kinds);
	daemon_step_now(d);
}

static void reload(struct daemon *d)
{
	log_info("reloading", NULL);
	daemon_reload_inputs(d);
	daemon_refresh_node(d);
	daemon_find_mixed(d);
	engine_reload(d->engine);
	daemon_step_now(d);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (sig == SIGHUP) {
		reload(d);
		return;
	}
	log_info("stopping, the kernel's state stays as it is", "signal=%s",
		sig == SIGTERM ? "SIGTERM" : "SIGINT");
	notify("STOPPING=1");
	event_base_loopbreak(d->base);
}

static int conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	struct daemon *d = conns_arg;
	struct err err;

	return ipvs_conns(d->ipvs, vs, fn, arg, &err);
}

static struct report_input report_input(struct daemon *d)
{
	return (struct report_input){
		.store = &d->store,
		.engine = d->engine,
		.view = &d->view,
		.backend = backend_name(d->view.backend),
		.kernel = d->kernel,
		.input = d->kube ? "apiserver" : "manifests",
		.now = clock_ms(),
		.last_sync_us = d->observe.last_sync_us,
		.conns = d->view.backend == BACKEND_IPVS ? conns : NULL,
		.conns_arg = d,
	};
}

/* A status that is being told. */
struct status {
	struct daemon *d;
	struct report *report;
	char **warnings;
	size_t n_warnings;
};

static void *status_begin(void *arg)
{
	struct status *s = new0(struct status);
	struct report_input in = report_input(arg);

	s->d = arg;
	s->warnings = daemon_warnings(s->d, &s->n_warnings);
	s->report = report_begin(&in);
	return s;
}

static bool status_next(void *arg, struct buf *out)
{
	struct status *s = arg;
	struct report_input in = report_input(s->d);

	in.warnings = (const char *const *)s->warnings;
	in.n_warnings = s->n_warnings;
	return report_next(s->report, &in, out);
}

static void status_end(void *arg)
{
	struct status *s = arg;

	for (size_t i = 0; i < s->n_warnings; i++)
		free(s->warnings[i]);
	free(s->warnings);
	report_free(s->report);
	free(s);
}

static json_t *explain_query(const char *what, const char *from, struct err *err, void *arg)
{
	struct report_input in = report_input(arg);
	struct explain_query q;

	return explain_parse(what, from, &q, err) < 0 ? NULL : explain(&in, &q);
}

static int start_server(struct daemon *d, struct err *err)
{
	struct server_config config = {
		.socket_path = d->config->status_socket,
		.status_begin = status_begin,
		.status_next = status_next,
		.status_end = status_end,
		.explain = explain_query,
		.arg = d,
	};

	return *config.socket_path ? server_new(d->base, &config, &d->server, err) : 0;
}

static void watch_fd(struct daemon *d, struct event **ev, int fd, event_callback_fn fn)
{
	*ev = event_new(d->base, fd, EV_READ | EV_PERSIST, fn, d);
	event_add(*ev, NULL);
}

static void watch_config(struct daemon *d)
{
	struct err err;

	if (!*d->config->file)
		return;
	if (config_watch_new(d->config->file, &d->config_watch, &err) < 0)
		log_warn("cannot watch the configuration file", "err=\"%s\"", err.msg);
	else
		watch_fd(d, &d->config_changed, config_watch_fd(d->config_watch), on_config);
}

static void watch_rules(struct daemon *d)
{
	struct err err;
	int fd = iptables_watch_others(d->iptables, &err);

	if (fd < 0)
		log_warn("changes of our rules by others wait for the next audit", "err=\"%s\"",
			err.msg);
	else
		watch_fd(d, &d->rules_changed, fd, on_rules);
}

static void watch_signals(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		d->sigs[i] = evsignal_new(d->base, signals[i], on_signal, d);
		event_add(d->sigs[i], NULL);
	}
}

int daemon_run(struct daemon *d, struct err *err)
{
	int r;

	r = link_monitor_new(d->link, &d->monitor, err);
	if (r >= 0)
		r = start_server(d, err);
	if (r < 0)
		return r;
	observe_init(d);
	daemon_watch_inputs(d);
	watch_config(d);
	watch_fd(d, &d->kernel_changed, link_monitor_fd(d->monitor), on_kernel);
	watch_fd(d, &d->iptables_answered, iptables_watch(d->iptables), on_answer);
	watch_rules(d);
	watch_signals(d);
	daemon_refresh_node(d); /* what changed before the monitor listened */
	daemon_step_now(d);
	event_base_dispatch(d->base);
	return d->failure ? err_set(err, -ECANCELED, "%s", d->failure) : 0;
}
