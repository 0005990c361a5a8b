// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "command.h"
#include "daemon/config.h"
#include "emit.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"
#include "kernel/probe.h"
#include "plan.h"
#include "show.h"
#include "source/manifest.h"

enum { OF_PLAN = OPTIONS_PLAN | OPTIONS_INPUT | OPTIONS_POLICY };

/* All that a run of plan holds. */
struct run {
	struct config config;
	struct store store;
	struct manifests *manifests;
	struct ip *local; /* what the policy points to */
	struct engine *engine;
	struct adapter *ipvs, *link, *ipset, *iptables;
	struct plan plan;
	struct err audit; /* why the kernel could not be read */
};

static void run_done(struct run *r)
{
	plan_done(&r->plan);
	engine_free(r->engine);
	iptables_free(r->iptables);
	ipset_free(r->ipset);
	link_free(r->link);
	ipvs_free(r->ipvs);
	manifests_free(r->manifests);
	store_done(&r->store);
	free(r->local);
	config_done(&r->config);
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

static void complain(const char *words)
{
	fprintf(stderr, "ipvsctl-svc plan: %s\n", words);
}

/* Input */

static void print_problem(const struct manifest_problem *p)
{
	_cleanup_(buf_done) struct buf b = { 0 }, clean = { 0 };

	manifest_problem_print(p, &b);
	show_text(&clean, buf_str(&b));
	fprintf(stderr, "%s\n", buf_str(&clean));
}

/* Returns the exit code so far. */
static enum exit_code load(struct run *r, struct err *err)
{
	const struct config *c = &r->config;
	const struct manifest_problem *const *problems;
	struct manifests_config config = {
		.paths = c->manifests,
		.n_paths = c->n_manifests,
		.store = &r->store,
		.service_range = { c->service_range[0], c->service_range[1] },
	};
	int e = manifests_new(&config, &r->manifests, err);
	size_t n = 0;

	if (e >= 0) {
		e = manifests_load(r->manifests, err);
		n = manifests_problems(r->manifests, &problems);
	}
	for (size_t i = 0; i < n; i++)
		print_problem(problems[i]);
	if (e < 0)
		complain(err->msg);
	if (e < 0 || (n && !r->store.n_services))
		return EXIT_CODE_USAGE;
	return n ? EXIT_CODE_DIFFERENT : EXIT_CODE_OK;
}

/* The node */

static int cmp_ip(const void *a, const void *b)
{
	return ip_cmp(a, b);
}

static bool counts_as_local(const struct ip *ip)
{
	return !ip_is_loopback(ip) && !(ip->family == AF_INET6 && ip_is_link_local(ip));
}

/* Kubernetes takes internal addresses before external ones. */
static struct ip first_address(const struct node *node, int family)
{
	for (int external = 0; external < 2; external++)
		for (size_t i = 0; i < node->n_addresses; i++)
			if (node->addresses[i].external == external &&
				node->addresses[i].ip.family == family)
				return node->addresses[i].ip;
	return (struct ip){ 0 };
}

static void take_node_object(struct run *r, const struct node *node)
{
	struct policy *p = &r->config.policy;
	size_t n = 0;

	r->local = mem_zalloc(node->n_addresses, sizeof(*r->local));
	for (size_t i = 0; i < node->n_addresses; i++)
		if (counts_as_local(&node->addresses[i].ip))
			r->local[n++] = node->addresses[i].ip;
	if (n)
		qsort(r->local, n, sizeof(*r->local), cmp_ip);
	for (size_t i = 0; i < n; i++)
		if (!p->n_local || !ip_eq(&r->local[p->n_local - 1], &r->local[i]))
			r->local[p->n_local++] = r->local[i];
	p->node_ip[0] = first_address(node, AF_INET);
	p->node_ip[1] = first_address(node, AF_INET6);
	p->zone = node->zone;
	p->pod_cidrs = node->pod_cidrs;
	p->n_pod_cidrs = node->n_pod_cidrs;
}

static int take_interfaces(struct run *r, struct err *err)
{
	struct policy *p = &r->config.policy;
	int e = link_addresses(&r->local, &p->n_local, err);

	if (e < 0)
		return e;
	p->node_ip[0] = link_primary_address(AF_INET, r->local, p->n_local);
	p->node_ip[1] = link_primary_address(AF_INET6, r->local, p->n_local);
	return 0;
}

/* The manifests' Node object of our name, or else the machine that this runs on. */
static int take_node(struct run *r, struct err *err)
{
	struct policy *p = &r->config.policy;
	const struct node *node = store_node(&r->store, p->node_name);
	int e = 0;

	p->store = &r->store;
	if (node)
		take_node_object(r, node);
	else
		e = take_interfaces(r, err);
	p->local = r->local;
	if (!node && r->store.nodes.count)
		fprintf(stderr,
			"ipvsctl-svc plan: no Node object is named \"%s\" (--hostname-override), "
			"taking the addresses of this machine\n",
			p->node_name);
	return e;
}

/* The kernel */

static int open_iptables(struct run *r, struct err *err)
{
	struct policy *p = &r->config.policy;
	int e;

	p->ipv4 = probe_family(AF_INET);
	p->ipv6 = probe_family(AF_INET6);
	e = iptables_new(engine_texts(r->engine), p->ipv4, p->ipv6, &r->iptables, err);
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
		engine_add_adapter(r->engine, adapters[i]);
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
		.store = &r->store,
		.policy = &r->config.policy,
		.dry_run = true,
		.on_audit = on_audit,
		.arg = r,
	};
	bool compare;

	r->engine = engine_new(&config);
	compare = read_kernel && open_kernel(r);
	if (plan_make(&r->plan, r->engine, &r->store, &r->config.policy, compare))
		not_comparing(&r->audit);
	if (!r->plan.compared)
		return r->config.diff != DIFF_YES;
	return !r->plan.n_differences;
}

static int print(const struct run *r, struct err *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *tree = NULL;
	int e = 0;

	switch (r->config.output) {
	case PLAN_TEXT:
		plan_text(&r->plan, &out);
		break;
	case PLAN_JSON:
		tree = plan_json(&r->plan);
		emit_json(tree, &out);
		break;
	case PLAN_YAML:
		tree = plan_json(&r->plan);
		e = emit_yaml(tree, &out, err);
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
	enum exit_code code = load(r, &err);
	int kernel;

	if (code == EXIT_CODE_USAGE)
		return code;
	kernel = want_kernel(&r->config, &err);
	if (kernel < 0) {
		complain(err.msg);
		return EXIT_CODE_PERMISSION;
	}
	if (take_node(r, &err) < 0) {
		complain(err.msg);
		return EXIT_CODE_USAGE;
	}
	if (!make(r, kernel))
		code = EXIT_CODE_DIFFERENT;
	if (print(r, &err) < 0) {
		complain(err.msg);
		return EXIT_CODE_DIFFERENT;
	}
	return code;
}

int plan_main(int argc, char **argv)
{
	_cleanup_(run_done) struct run r = { 0 };
	struct err err;
	int rest;

	store_init(&r.store);
	config_init(&r.config);
	if (config_parse(&r.config, OF_PLAN, argc, argv, &rest, &err)) {
		complain(err.msg);
		return EXIT_CODE_USAGE;
	}
	if (r.config.help) {
		print_help();
		return EXIT_CODE_OK;
	}
	if (!r.config.n_manifests) {
		complain("nothing to plan: give --manifests FILE|DIR");
		return EXIT_CODE_USAGE;
	}
	return (int)plan(&r);
}
