// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dry.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/iptables_text.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"
#include "kernel/probe.h"
#include "report/plan.h"
#include "tree.h"

enum { PLAN_OPTIONS = OPTIONS_PLAN | OPTIONS_INPUT | OPTIONS_POLICY };

struct plan_run {
	struct dry dry;
	struct adapter *ipvs, *link, *ipset, *iptables;
	struct plan plan;
	struct err audit; /* why the kernel could not be read */
};

static void plan_run_done(struct plan_run *r)
{
	plan_done(&r->plan);
	engine_free(take(r->dry.engine)); /* before its adapters */
	iptables_free(r->iptables);
	ipset_free(r->ipset);
	link_free(r->link);
	ipvs_free(r->ipvs);
	dry_done(&r->dry);
}

static void print_plan_help(void)
{
	printf("Usage: ipvsctl-svc plan --manifests FILE|DIR... [OPTIONS]\n\n"
	       "Shows the desired state of this node's kernel for these manifests and, as root, how\n"
	       "the kernel differs from it. Changes nothing.\n\n");
	config_help(PLAN_OPTIONS, stdout);
	printf("\nExit code: 0 in sync, 1 the kernel differs or a manifest has a mistake,\n"
	       "2 wrong usage, or manifests that cannot be read, 4 no permission.\n");
}

/* The kernel */

static int plan_open_adapters(struct plan_run *r, struct err *err)
{
	struct node_view *view = &r->dry.view;
	int e = ipvs_new(&r->ipvs, err);

	if (e >= 0)
		e = link_new(&r->link, err);
	if (e >= 0)
		e = ipset_new(&r->ipset, err);
	if (e < 0)
		return e;

	view->ipv4 = probe_family(AF_INET);
	view->ipv6 = probe_family(AF_INET6);
	e = iptables_new(engine_rules(r->dry.engine), view->ipv4, view->ipv6, &r->iptables, err);
	if (e < 0) {
		view->ipv4 = view->ipv6 = true;
		return e;
	}
	view->random_fully = iptables_info(r->iptables)->random_fully;

	engine_add_adapter(r->dry.engine, r->ipvs);
	engine_add_adapter(r->dry.engine, r->link);
	engine_add_adapter(r->dry.engine, r->ipset);
	engine_add_adapter(r->dry.engine, r->iptables);
	return 0;
}

/* Returns 1 if the kernel is to be read, 0 if not, or -EPERM: --diff requires it. */
static int plan_reads_kernel(const struct config *c, struct err *err)
{
	switch (c->diff) {
	case DIFF_NO:
		return 0;
	case DIFF_IF_POSSIBLE:
		return c->output == PLAN_TEXT && probe_capabilities(err) >= 0;
	case DIFF_YES:
		return probe_capabilities(err) < 0 ? -EPERM : 1;
	}
	return 0;
}

static void complain_not_compared(const struct err *err)
{
	fprintf(stderr, "ipvsctl-svc plan: not comparing with the kernel: %s\n", err->msg);
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
	struct err err;

	r->dry.engine = engine_new(&config);
	if (read_kernel && plan_open_adapters(r, &err) < 0) {
		complain_not_compared(&err);
		read_kernel = false;
	}
	if (plan_make(&r->plan, r->dry.engine, &r->dry.store, &r->dry.view, read_kernel))
		complain_not_compared(&r->audit);
	r->plan.print_rule = iptables_print_rule;
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

static enum exit_code run_plan(struct plan_run *r)
{
	struct err err = { 0 };
	enum exit_code code = dry_load(&r->dry, &err), printed;
	int read_kernel;

	if (code == EXIT_CODE_USAGE)
		return code;
	read_kernel = plan_reads_kernel(&r->dry.config, &err);
	if (read_kernel < 0)
		return command_complain(r->dry.command, EXIT_CODE_PERMISSION, err.msg);
	if (dry_take_node(&r->dry, &err) < 0)
		return command_complain(r->dry.command, EXIT_CODE_USAGE, err.msg);
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
		print_plan_help();
		return EXIT_CODE_OK;
	}
	if (!r.dry.config.n_manifests)
		return command_complain(r.dry.command, EXIT_CODE_USAGE,
			"nothing to plan: give --manifests FILE|DIR");
	return run_plan(&r);
}
