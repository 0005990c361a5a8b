// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/streams.h"
#include "config/config.h"
#include "daemon.h"
#include "daemon/backend.h"
#include "daemon/netfilter.h"
#include "hand_over.h"
#include "kernel/ipvs.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"
#include "netns_lock.h"
#include "settle.h"
#include "status.h"

enum {
	EXIT_USAGE = 2,
	FILES_WANTED = 65536,
	FILES_LEAST = 256,
	LOCK_MS = 1000,	  /* for a daemon that is about to end */
	AWAIT_MS = 60000, /* for an API server, before --once gives up */
};

static const char svcd_help[] =
	"ipvsctl-svcd - programs Kubernetes Services as IPVS virtual servers on this node\n\n"
	"Usage: ipvsctl-svcd --manifests FILE|DIR [OPTIONS]\n"
	"       ipvsctl-svcd --kubeconfig FILE [OPTIONS]\n\n";

/* Reads the input once. Returns 0, or a negative errno after logging why it is not complete. */
static int feed_once(struct daemon *d, struct err *err)
{
	int fed = daemon_feed(d, err);

	if (fed >= 0)
		fed = daemon_await_feed(d, AWAIT_MS, err);
	if (fed < 0)
		log_error("the input is not complete", "err=\"%s\"", err->msg);
	return fed;
}

static int run_once(struct daemon *d, struct err *err)
{
	int fed = feed_once(d, err), r;

	if (!engine_stats(d->engine)->fed)
		return EXIT_FAILURE;
	r = settle(d->engine);
	reservation_step(&d->reservation, clock_ms());
	if (!r) {
		daemon_remove_other(d);
		log_info("in sync", "services=%zu", d->store.n_services);
	}
	status_log_leftovers(d);
	return r || fed < 0 || inputs_problems(&d->inputs) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What is left out of the input would be deleted, so that it has to be complete. */
static int run_hand_over(struct daemon *d, struct options *options, struct err *err)
{
	if (feed_once(d, err) < 0)
		return EXIT_FAILURE;
	if (inputs_problems(&d->inputs)) {
		log_error("the input has mistakes, handing over nothing", NULL);
		return EXIT_FAILURE;
	}
	return hand_over(d, options) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_cleanup(struct daemon *d)
{
	long localnet;
	int r;

	engine_fed(d->engine);
	engine_release_all(d->engine);
	r = settle(d->engine);
	if (reservation_release(&d->reservation) || daemon_remove_other(d) || r)
		return EXIT_FAILURE;
	log_info("removed everything of ours", NULL);
	/* Others may need it. */
	if (!sysctl_read("net/ipv4/conf/all/route_localnet", &localnet) && localnet)
		log_info(
			"net.ipv4.conf.all.route_localnet stays, so that hosts on the link reach what "
			"listens on 127.0.0.1 unless a rule of others blocks them",
			"value=%ld", localnet);
	return EXIT_SUCCESS;
}

/* Returns the exit code, or a negative errno with words. */
static int run(struct config *c, const struct node_view *view, struct adapters *opened,
	const struct err *no_ipvs, const struct err *no_iptables, struct err *err)
{
	_cleanup_(daemon_done) struct daemon d;
	int r = daemon_init(&d, c, view, opened, no_ipvs, no_iptables, err);

	if (r >= 0 && !c->cleanup && view->backend == BACKEND_IPVS &&
		(c->tcp_timeout || c->tcp_fin_timeout || c->udp_timeout))
		r = ipvs_set_timeouts(
			d.adapters.ipvs, c->tcp_timeout, c->tcp_fin_timeout, c->udp_timeout, err);
	if (r < 0)
		return r;
	if (c->cleanup)
		return run_cleanup(&d);
	if (c->once)
		return run_once(&d, err);
	if (c->hand_over)
		return run_hand_over(&d, &c->options, err);
	r = daemon_feed(&d, err);
	return r < 0 ? r : daemon_run(&d, err);
}

/* Returns -EMFILE with words if there are too few descriptors; the other failures are only logged. */
static int set_process_limits(const struct config *c, struct err *err)
{
	struct rlimit limit;
	FILE *f;

	/* Each client of a server and each health check takes a descriptor; the usual limit of 1024
	 * is for select(). */
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < FILES_WANTED) {
		limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			log_warn("cannot raise the limit of open files, keeping the old one",
				"err=\"%m\"");
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < FILES_LEAST)
		return err_set(err, -EMFILE,
			"the limit of open files is %llu, and at least %d are needed: raise it "
			"(LimitNOFILE= in systemd, ulimit -n in a shell)",
			(unsigned long long)limit.rlim_cur, FILES_LEAST);
	/* Nothing but the OOM killer's choice depends on its score. */
	if (!c->adjust_oom_score)
		return 0;
	f = fopen("/proc/self/oom_score_adj", "we");
	if (!f || fprintf(f, "%d", c->oom_score_adj) < 0 || fflush(f))
		log_warn("cannot set the OOM score, keeping the old one", "err=\"%m\"");
	if (f)
		fclose(f);
	return 0;
}

/* Returns -EBUSY with words if another daemon serves this network namespace. */
static int lock_network(const struct config *c, struct err *err)
{
	int fd = c->init_only ? 0 : netns_lock(LOCK_MS, err); /* closed by the end of the process */

	if (fd < 0 && fd != -EBUSY)
		log_warn(
			"cannot make sure that no other daemon serves this network namespace, going "
			"on without",
			"err=\"%s\"", err->msg);
	return fd == -EBUSY ? fd : 0;
}

static void on_libevent(int severity, const char *message)
{
	static const enum log_level levels[] = { [EVENT_LOG_DEBUG] = LOG_DEBUG,
		[EVENT_LOG_MSG] = LOG_INFO,
		[EVENT_LOG_WARN] = LOG_WARN,
		[EVENT_LOG_ERR] = LOG_ERROR };

	log_write(severity >= 0 && severity < (int)ARRAY_SIZE(levels) ? levels[severity] : LOG_WARN,
		"libevent", "err=\"%s\"", message);
}

/* The same on the log and, with --print-config, on standard error. */
static void tell_warnings(const struct config *c, void (*fn)(const char *words))
{
	char rest[40];

	for (size_t i = 0; i < c->warnings.n; i++)
		fn(c->warnings.line[i]);
	snprintf(rest, sizeof(rest), "and %u more warnings", c->warnings.left_out);
	if (c->warnings.left_out)
		fn(rest);
}

static void log_warning(const char *words)
{
	log_warn("configuration", "err=\"%s\"", words);
}

static int start(struct config *c)
{
	struct err err = { 0 }, no_ipvs = { 0 }, no_iptables = { 0 };
	_cleanup_(adapters_close) struct adapters opened = { 0 };
	struct node_view view;
	int r;

	signal(SIGPIPE, SIG_IGN); /* a peer that goes away is an error of write(), not the end */
	log_set_level(c->log_level);
	log_set_format(c->log_format);
	log_open(STDERR_FILENO);
	event_set_log_callback(on_libevent);
	tell_warnings(c, log_warning);
	node_view_init(&view, &c->options);
	r = set_process_limits(c, &err);
	if (r >= 0)
		r = probe_capabilities(&err);
	if (r >= 0)
		r = lock_network(c, &err);
	if (r >= 0 && !c->cleanup)
		r = backend_choose(c, &view, &no_ipvs, &err);
	if (r >= 0)
		r = netfilter_choose(c, &view, &no_ipvs, &opened, &no_iptables, &err);
	if (r >= 0 && (!view.ipv4 || !view.ipv6))
		log_info("serving one family only", "family=%s",
			family_name(view.ipv4 ? AF_INET : AF_INET6));
	if (r >= 0 && !c->cleanup)
		r = backend_setup(c, &view, &err);
	if (r >= 0)
		r = c->init_only ? EXIT_SUCCESS
				 : run(c, &view, &opened, &no_ipvs, &no_iptables, &err);
	if (r >= 0)
		return r;
	log_error("the daemon cannot run, exiting", "err=\"%s\"", err.msg);
	return EXIT_FAILURE;
}

/* Prints words about the options, with what a file may have put into them. */
static void complain(const char *words)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	printable_add(&line, words);
	fprintf(stderr, "ipvsctl-svcd: %s\n", buf_str(&line));
}

static void complain_warning(const char *words)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_addf(&line, "warning: %s", words);
	complain(buf_str(&line));
}

int main(int argc, char *argv[])
{
	_cleanup_(config_done) struct config c;
	struct err err;
	int rest, code;

	streams_open();
	config_init(&c);
	c.default_dir = DEFAULT_CONFIG_DIR;
	if (config_parse(
		    &c, OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON, argc, argv, &rest, &err)) {
		for (size_t i = 0; i < c.mistakes.n; i++)
			complain(c.mistakes.line[i]);
		if (c.mistakes.left_out)
			fprintf(stderr, "ipvsctl-svcd: and %u more mistakes\n",
				c.mistakes.left_out);
		return EXIT_USAGE;
	}
	if (c.help) {
		fputs(svcd_help, stdout);
		config_help(OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON, stdout);
		return EXIT_SUCCESS;
	}
	if (c.version) {
		puts("ipvsctl-svcd " VERSION);
		return EXIT_SUCCESS;
	}
	if (rest < argc) {
		err_set(&err, -EINVAL, "unexpected argument \"%s\"", argv[rest]);
		complain(err.msg);
		return EXIT_USAGE;
	}
	if (c.print_config || *c.write_config_to) {
		tell_warnings(&c, complain_warning);
		if (!config_dump(&c, &err))
			return EXIT_SUCCESS;
		complain(err.msg);
		return EXIT_FAILURE;
	}
	if (config_input(&c) == INPUT_NONE && !c.cleanup && !c.init_only) {
		complain(
			"nothing to serve: give --manifests FILE|DIR or --kubeconfig FILE, or make " DEFAULT_CONFIG_DIR
			"/manifests.d");
		return EXIT_USAGE;
	}
	code = start(&c);
	log_close();
	return code;
}
