// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Removes what kube-proxy left. Its IPVS mode and ipvsctl-svcd use the same names for almost
 * everything, so there are two parts:
 *
 * 1. Leftovers that ipvsctl-svcd never uses are always removed.
 * 2. State that both could have made is removed only if the daemon neither runs here nor has left
 *    its state (or with --force). As for `ipvsctl-svcd --cleanup`, this is a run of the engine
 *    with an empty desired state.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "core/fact_text.h"
#include "kernel/adapters.h"
#include "kernel/leftovers.h"
#include "kernel/probe.h"
#include "report/plan.h"

enum { SETTLE_MS = 60000, NAP_MS = 100 };

#define COMMAND "cleanup"

struct cleanup_request {
	const char *of, *socket;
	bool dry_run, force, help;
};

#define AT(field) .at = offsetof(struct cleanup_request, field)

static const struct option_row cleanup_options[] = {
	{ "of", .arg = "PROGRAM", .type = &type_text, AT(of),
		.help = "whose state to remove; kube-proxy is the only choice" },
	{ "dry-run", .type = &type_bool, AT(dry_run),
		.help = "show what would be removed, and remove nothing" },
	{ "force", .type = &type_bool, AT(force),
		.help = "also remove objects that ipvsctl-svcd shares with kube-proxy; stop the daemon first" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static const char cleanup_help[] =
	"Usage: ipvsctl-svc cleanup --of kube-proxy [OPTIONS]\n\n"
	"Removes what kube-proxy left in the kernel, in any of its modes. Objects that\n"
	"ipvsctl-svcd uses too are kept if it runs or has left its state.\n\n"
	"Options:\n";

static const char cleanup_exit_codes[] =
	"\nExit code: 0 nothing is left, 1 something is left (with --dry-run: would be\n"
	"removed), 2 wrong usage, 4 no permission.\n";

static int cleanup_parse(int argc, char **argv, struct cleanup_request *ret, struct err *err)
{
	struct cleanup_request q = { 0 };
	size_t n_arguments;
	int r = command_line_read(
		cleanup_options, ARRAY_SIZE(cleanup_options), argc, argv, &q, &n_arguments, err);

	if (r < 0)
		return r;
	*ret = q;
	if (q.help)
		return 0;
	if (n_arguments)
		return err_set(err, -EINVAL, "unexpected argument \"%s\"", argv[1]);
	if (!q.of || strcmp(q.of, "kube-proxy") != 0)
		return err_set(err, -EINVAL,
			"give --of kube-proxy; ipvsctl-svcd --cleanup removes the state of "
			"ipvsctl-svcd");
	return 0;
}

struct cleanup_run {
	const struct cleanup_request *q;
	struct options options;
	struct node_view view;
	struct store store; /* stays empty */
	struct engine *engine;
	struct rule_pool rules; /* to be written: none */
	struct adapters adapters;
	struct err audit; /* why the kernel could not be read */
};

static void cleanup_run_done(struct cleanup_run *r)
{
	engine_free(r->engine);
	adapters_close(&r->adapters);
	rule_pool_done(&r->rules);
	store_done(&r->store);
}

/* State of the daemon */

static void note_state_of_ours(const struct fact *f, void *arg)
{
	static const unsigned sets = 1u << SET_LOCAL_MARK | 1u << SET_NO_LOCAL |
		1u << SET_NO_ENDPOINTS | 1u << SET_EXTERNAL_PORT;
	bool *found = arg;

	if (f->key.kind == FACT_ROUTE || (f->key.kind == FACT_SET && (sets & 1u << f->key.set)))
		*found = true;
}

/* Looks for routes and sets that kube-proxy never makes. */
static bool has_state_of_ours(struct cleanup_run *r)
{
	struct adapter *link = r->adapters.link, *ipset = r->adapters.ipset;
	bool found = false;
	struct err err;

	if (adapters_netfilter_in_use() == NETFILTER_NFTABLES)
		return true;
	/* A part that cannot be read may have some. */
	if (link && link->dump(link, FACT_ROUTE, note_state_of_ours, &found, &err) < 0)
		return true;
	if (ipset && ipset->dump(ipset, FACT_SET, note_state_of_ours, &found, &err) < 0)
		return true;
	return found;
}

/* Shared state */

static void on_cleanup_audit(const struct err *err, void *arg)
{
	struct cleanup_run *r = arg;

	if (err)
		r->audit = *err;
}

/* Makes an engine with an empty desired state. */
static void cleanup_start_engine(struct cleanup_run *r, bool dry_run)
{
	struct engine_config config = {
		.store = &r->store,
		.view = &r->view,
		.dry_run = dry_run,
		.on_audit = on_cleanup_audit,
		.arg = r,
	};

	engine_free(r->engine);
	r->engine = engine_new(&config);
	adapters_serve(&r->adapters, r->engine);
	engine_release_all(r->engine);
}

static void print_shared(const struct fact *f)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const char *text;

	/* A dispatch entry without a port stands for a chain that no entry needs, see
	 * kernel/iptables_dispatch.h. */
	if (f->key.kind == FACT_DISPATCH && !f->key.port)
		buf_addf(&line, "chain %s nat " CHAIN_DISPATCH, family_name(f->key.family));
	else
		fact_print(&line, f);
	/* Of a chain only the name. */
	text = strstr(buf_str(&line), " text=");
	if (text)
		line.data[text - buf_str(&line)] = '\0';
	command_print(stdout, buf_str(&line));
}

/* Prints what would be removed. Returns the number of objects, or -EIO with a text. */
static ssize_t list_shared(struct cleanup_run *r, struct err *err)
{
	struct plan plan;
	ssize_t n = -EIO;

	cleanup_start_engine(r, true);
	if (plan_make(&plan, r->engine, &r->store, &r->view, true)) {
		err_set(err, -EIO, "%s", r->audit.msg);
	} else {
		n = (ssize_t)plan.n_differences;
		for (size_t i = 0; i < plan.n_differences; i++)
			print_shared(&plan.differences[i].fact);
	}
	plan_done(&plan);
	return n;
}

/* Returns the number of leftovers, or a negative errno with a text. */
static ssize_t clean_leftovers(const struct cleanup_run *r, bool print, struct err *err)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	int e = leftovers_find(r->view.ipv4, r->view.ipv6, true, &l, err);

	for (size_t i = 0; print && i < l.n; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		leftover_print(&line, &l.v[i]);
		command_print(stdout, buf_str(&line));
	}
	if (!e && !r->q->dry_run)
		e = leftovers_remove(&l, err);
	return e < 0 ? e : (ssize_t)l.n;
}

/* Returns the number of shared objects, or a negative errno with a text. */
static ssize_t clean_shared(struct cleanup_run *r, struct err *err)
{
	ssize_t n = list_shared(r, err), again;
	uint64_t start = clock_ms(), now = start;
	bool gone = false;

	if (n <= 0 || r->q->dry_run)
		return n;

	cleanup_start_engine(r, false);
	engine_fed(r->engine);
	while (!gone && now - start < SETTLE_MS) {
		uint64_t next = engine_step(r->engine, now);
		const struct ledger *l = engine_ledger(r->engine);

		gone = next > now && engine_stats(r->engine)->synced && !ledger_counts(l).pending &&
			!ledger_unsure(l);
		now = clock_ms();
		if (!gone && next > now)
			usleep((useconds_t)(next - now < NAP_MS ? next - now : NAP_MS) * 1000);
		now = clock_ms();
	}
	if (!gone)
		return err_set(err, -EIO,
			"not everything could be removed; ipvsctl-svcd --cleanup shows why");

	/* Leftover chains to which a shared chain referred could only be emptied before. */
	again = clean_leftovers(r, false, err);
	return again < 0 ? again : n;
}

static enum exit_code cleanup_kube_proxy(struct cleanup_run *r)
{
	ssize_t leftovers, shared = 0;
	json_t *status = NULL;
	struct err err = { 0 };
	int asked = client_get(r->q->socket, "/v1/status", &status, &err);
	bool running = asked != -ENOENT && asked != -ECONNREFUSED, keep;

	json_decref(status);
	if (running && r->q->force)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT,
			"ipvsctl-svcd runs here and would program again what --force removes: "
			"stop it first");
	if (probe_capabilities(&err) < 0)
		return command_complain(COMMAND, EXIT_CODE_PERMISSION, err.msg);
	if (probe_families(NETFILTER_IPTABLES, &r->view.ipv4, &r->view.ipv6, &err) < 0 ||
		adapters_open(&r->adapters, ADAPTERS_AVAILABLE, &r->rules, &r->view, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT, err.msg);

	keep = running || (!r->q->force && has_state_of_ours(r));
	if (keep)
		command_complain(COMMAND, EXIT_CODE_OK,
			running ? "ipvsctl-svcd runs here: keeping what it shares with kube-proxy"
				: "ipvsctl-svcd has left its state here: keeping what it shares with "
				  "kube-proxy");
	leftovers = clean_leftovers(r, true, &err);
	if (leftovers >= 0 && !keep)
		shared = clean_shared(r, &err);
	if (leftovers < 0 || shared < 0)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT, err.msg);
	return leftovers + shared && r->q->dry_run ? EXIT_CODE_DIFFERENT : EXIT_CODE_OK;
}

enum exit_code cleanup_main(int argc, char **argv)
{
	_cleanup_(cleanup_run_done) struct cleanup_run r = { 0 };
	struct cleanup_request q;
	struct err err;

	if (cleanup_parse(argc, argv, &q, &err))
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (q.help) {
		fputs(cleanup_help, stdout);
		for (size_t i = 0; i < ARRAY_SIZE(cleanup_options); i++)
			option_help(&cleanup_options[i], stdout);
		fputs(cleanup_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	r.q = &q;
	options_init(&r.options);
	node_view_init(&r.view, &r.options);
	store_init(&r.store);
	return cleanup_kube_proxy(&r);
}
