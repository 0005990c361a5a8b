// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client.h"
#include "daemon/override_file.h"
#include "dry.h"
#include "kernel/adapters.h"
#include "kernel/iptables.h"
#include "kernel/iptables_text.h"
#include "kernel/probe.h"
#include "report/plan.h"
#include "tree.h"

enum { PLAN_OPTIONS = OPTIONS_PLAN | OPTIONS_INPUT | OPTIONS_POLICY };

static const char plan_help[] =
	"Usage: ipvsctl-svc plan --manifests FILE|DIR... [OPTIONS]\n\n"
	"Shows the desired state of this node's kernel for these manifests and, as root, how\n"
	"the kernel differs from it. Changes nothing.\n\n";

static const char plan_exit_codes[] =
	"\nExit code: 0 in sync, 1 the kernel differs or a manifest has a mistake,\n"
	"2 wrong usage, or manifests that cannot be read, 4 no permission.\n";

struct plan_run {
	struct dry dry;
	struct adapters adapters;
	struct plan plan;
	struct err audit; /* why the kernel could not be read */
};

static void plan_run_done(struct plan_run *r)
{
	plan_done(&r->plan);
	engine_free(take(r->dry.engine)); /* before its adapters */
	adapters_close(&r->adapters);
	dry_done(&r->dry);
}

static void on_plan_audit(const struct err *err, void *arg)
{
	struct plan_run *r = arg;

	if (err)
		r->audit = *err;
}

/* Returns false if the kernel differs from the plan, or if --diff was given and it was not read. */
static bool make_plan(struct plan_run *r, bool read_kernel)
{
	struct engine_config config = {
		.store = &r->dry.store,
		.view = &r->dry.view,
		.dry_run = true,
		.on_audit = on_plan_audit,
		.arg = r,
	};
	struct node_view *view = &r->dry.view;
	/* Asking IPVS would load it. Where it is loaded an earlier run may have left something. */
	const bool with_ipvs = !node_view_translates(view) || !access("/proc/net/ip_vs", F_OK);
	const struct err *failure = NULL;
	struct err err;

	view->netfilter = dry_netfilter(&r->dry.config);
	r->dry.engine = engine_new(&config);
	engine_set_input_complete(r->dry.engine, manifests_complete(r->dry.manifests));
	if (read_kernel) {
		if (probe_families(view->netfilter, &view->ipv4, &view->ipv6, &err) < 0 ||
			adapters_open(&r->adapters, with_ipvs ? ADAPTERS_ALL : ADAPTERS_NO_IPVS,
				engine_rules(r->dry.engine), view, &err) < 0) {
			failure = &err;
			view->ipv4 = view->ipv6 = true;
		} else {
			view->random_fully = !r->adapters.iptables ||
				iptables_info(r->adapters.iptables)->random_fully;
			adapters_serve(&r->adapters, r->dry.engine);
		}
	}
	if (plan_make(&r->plan, r->dry.engine, &r->dry.store, view, read_kernel && !failure))
		failure = &r->audit;
	if (failure) {
		struct err words = *failure;

		err_prefix(&words, "not comparing with the kernel");
		command_complain(r->dry.command, EXIT_CODE_DIFFERENT, words.msg);
	}
	r->plan.print_rule = iptables_print_rule;
	r->plan.nftables = &dry_nftables_words;
	if (!r->plan.compared)
		return r->dry.config.diff != DIFF_YES;
	return !r->plan.n_differences;
}

static enum exit_code print_plan(const struct plan_run *r)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(tree_freep) json_t *tree = NULL;
	struct err err;

	if (r->dry.config.output == PLAN_TEXT) {
		plan_text(&r->plan, &out);
	} else {
		tree = plan_json(&r->plan);
		if (tree_print(tree, r->dry.config.output == PLAN_YAML, &out, &err) < 0)
			return command_complain(r->dry.command, EXIT_CODE_DIFFERENT, err.msg);
	}
	return write_out(r->dry.command, &out);
}

/* What the kernel has of a daemon follows its overrides. */
static void take_overrides(struct plan_run *r)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	struct err err;

	override_file_path(r->dry.config.status_socket, &path);
	if (path.len && override_file_read(buf_str(&path), &r->dry.view.overrides, &err) < 0)
		command_complain(r->dry.command, EXIT_CODE_OK, err.msg);
}

/* What a daemon of this machine has chosen, where the options leave the choice to it. */
static void take_backend(struct plan_run *r)
{
	static const enum backend backends[] = { BACKEND_IPTABLES, BACKEND_NFTABLES };
	_cleanup_(tree_freep) json_t *status = NULL;
	struct config *c = &r->dry.config;
	struct err err;

	if (c->options.backend != BACKEND_AUTO || c->hand_over || !*c->status_socket ||
		client_status(c->status_socket, false, &status, &err) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (!strcmp(tree_text(status, "backend"), backend_name(backends[i])))
			c->options.backend = backends[i];
}

static enum exit_code run_plan(struct plan_run *r)
{
	const struct config *c = &r->dry.config;
	struct err err = { 0 };
	enum exit_code code = dry_load(&r->dry, &err), printed;
	bool read_kernel =
		c->diff == DIFF_YES || (c->diff == DIFF_IF_POSSIBLE && c->output == PLAN_TEXT);

	if (code == EXIT_CODE_USAGE)
		return code;
	if (read_kernel && probe_capabilities(&err) < 0) {
		if (c->diff == DIFF_YES)
			return command_complain(r->dry.command, EXIT_CODE_PERMISSION, err.msg);
		read_kernel = false;
	}
	if (read_kernel)
		take_backend(r);
	if (dry_take_node(&r->dry, read_kernel, &err) < 0)
		return command_complain(r->dry.command, EXIT_CODE_USAGE, err.msg);
	if (read_kernel)
		take_overrides(r);
	if (!make_plan(r, read_kernel))
		code = EXIT_CODE_DIFFERENT;
	printed = print_plan(r);
	return printed ? printed : code;
}

enum exit_code plan_main(int argc, char **argv)
{
	_cleanup_(plan_run_done) struct plan_run r = { 0 };
	struct err err;
	int rest;

	dry_init(&r.dry, "plan");
	if (config_parse(&r.dry.config, PLAN_OPTIONS, argc, argv, &rest, &err))
		return command_complain(r.dry.command, EXIT_CODE_USAGE, err.msg);
	if (r.dry.config.help) {
		fputs(plan_help, stdout);
		config_help(PLAN_OPTIONS, stdout);
		fputs(plan_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (r.dry.config.hand_over)
		options_set_layout(&r.dry.config.options, LAYOUT_KUBE_PROXY);
	if (!r.dry.config.n_manifests)
		return command_complain(r.dry.command, EXIT_CODE_USAGE,
			"nothing to plan: give --manifests FILE|DIR");
	return run_plan(&r);
}
