// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "decode/yaml.h"
#include "dry.h"
#include "emit.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"
#include "kernel/probe.h"
#include "report/plan.h"

enum { OF_PLAN = OPTIONS_PLAN | OPTIONS_INPUT | OPTIONS_POLICY };

/* All that a run of plan holds. */
struct run {
	struct dry dry;
	struct adapter *ipvs, *link, *ipset, *iptables;
	struct plan plan;
	struct err audit; /* why the kernel could not be read */
};

static void run_done(struct run *r)
{
	plan_done(&r->plan);
	engine_free(take(r->dry.engine)); /* before the adapters that it has */
	iptables_free(r->iptables);
	ipset_free(r->ipset);
	link_free(r->link);
	ipvs_free(r->ipvs);
	dry_done(&r->dry);
}

static void print_help(void)
{
	printf("Usage: ipvsctl-svc plan --manifests FILE|DIR... [OPTIONS]\n\n"
	       "Shows what the kernel of this node should hold for these manifests, and as root\n"
	       "how it differs. Changes nothing.\n\n");
	config_help(OF_PLAN, stdout);
	printf("\nExit code: 0 fine, 1 the kernel differs or something in the manifests is wrong,\n"
	       "2 wrong usage, or manifests that cannot be read, 4 no permission.\n");
}

/* The kernel */

static int open_iptables(struct run *r, struct err *err)
{
	struct node_view *p = &r->dry.view;
	int e;

	p->ipv4 = probe_family(AF_INET);
	p->ipv6 = probe_family(AF_INET6);
	e = iptables_new(engine_texts(r->dry.engine), p->ipv4, p->ipv6, &r->iptables, err);
	if (e < 0)
		p->ipv4 = p->ipv6 = true;
	else
		p->random_fully = iptables_info(r->iptables)->random_fully;
	return e;
}

static int open_adapters(struct run *r, struct err *err)
{
	int e = ipvs_new(&r->ipvs, err);

	if (e >= 0)
		e = link_new(&r->link, err);
	if (e >= 0)
		e = ipset_new(&r->ipset, err);
	if (e >= 0)
		e = open_iptables(r, err);
	if (e < 0)
		return e;
	struct adapter *adapters[] = { r->ipvs, r->link, r->ipset, r->iptables };

	for (size_t i = 0; i < ARRAY_SIZE(adapters); i++)
		engine_add_adapter(r->dry.engine, adapters[i]);
	return 0;
}

/* Whether the kernel is to be read; negative: it was asked for, and cannot. */
static int want_kernel(const struct config *c, struct err *err)
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

static void not_comparing(const struct err *err)
{
	fprintf(stderr, "ipvsctl-svc plan: not comparing with the kernel: %s\n", err->msg);
}

static bool open_kernel(struct run *r)
{
	struct err err;

	if (open_adapters(r, &err) >= 0)
		return true;
	not_comparing(&err);
	return false;
}

static void on_audit(const struct err *err, void *arg)
{
	struct run *r = arg;

	if (err)
		r->audit = *err;
}

/* Returns whether the kernel equals the plan, as far as that was asked for. */
static bool make(struct run *r, bool read_kernel)
{
	struct engine_config config = {
		.store = &r->dry.store,
		.view = &r->dry.view,
		.dry_run = true,
		.on_audit = on_audit,
		.arg = r,
	};
	bool compare;

	r->dry.engine = engine_new(&config);
	compare = read_kernel && open_kernel(r);
	if (plan_make(&r->plan, r->dry.engine, &r->dry.store, &r->dry.view, compare))
		not_comparing(&r->audit);
	if (!r->plan.compared)
		return r->dry.config.diff != DIFF_YES;
	return !r->plan.n_differences;
}

static int print(const struct run *r, struct err *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *tree = NULL;
	int e = 0;

	switch (r->dry.config.output) {
	case PLAN_TEXT:
		plan_text(&r->plan, &out);
		break;
	case PLAN_JSON:
		tree = plan_json(&r->plan);
		emit_json(tree, &out);
		break;
	case PLAN_YAML:
		tree = plan_json(&r->plan);
		e = yaml_print(tree, &out, err);
		break;
	}
	json_decref(tree);
	if (e < 0)
		return e;
	if (fputs(buf_str(&out), stdout) < 0 || fflush(stdout))
		return err_errno(err, -errno, "writing the plan");
	return 0;
}

static enum exit_code plan(struct run *r)
{
	struct err err = { 0 };
	enum exit_code code = dry_load(&r->dry, &err);
	int kernel;

	if (code == EXIT_CODE_USAGE)
		return code;
	kernel = want_kernel(&r->dry.config, &err);
	if (kernel < 0)
		return complain(r->dry.command, EXIT_CODE_PERMISSION, err.msg);
	if (dry_take_node(&r->dry, &err) < 0)
		return complain(r->dry.command, EXIT_CODE_USAGE, err.msg);
	if (!make(r, kernel))
		code = EXIT_CODE_DIFFERENT;
	if (print(r, &err) < 0)
		return complain(r->dry.command, EXIT_CODE_DIFFERENT, err.msg);
	return code;
}

enum exit_code plan_main(int argc, char **argv)
{
	_cleanup_(run_done) struct run r = { 0 };
	struct err err;
	int rest;

	dry_init(&r.dry, "plan");
	if (config_parse(&r.dry.config, OF_PLAN, argc, argv, &rest, &err))
		return complain(r.dry.command, EXIT_CODE_USAGE, err.msg);
	if (r.dry.config.help) {
		print_help();
		return EXIT_CODE_OK;
	}
	if (!r.dry.config.n_manifests)
		return complain(r.dry.command, EXIT_CODE_USAGE,
			"nothing to plan: give --manifests FILE|DIR");
	return plan(&r);
}
