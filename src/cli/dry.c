// SPDX-License-Identifier: GPL-2.0-or-later
#include "dry.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kernel/link.h"
#include "show.h"

void dry_init(struct dry *d, const char *command)
{
	*d = (struct dry){ .command = command };
	store_init(&d->store);
	config_init(&d->config);
}

void dry_done(struct dry *d)
{
	engine_free(d->engine);
	manifests_free(d->manifests);
	store_done(&d->store);
	free(d->local);
	config_done(&d->config);
}

/* Input */

static void print_problem(const struct manifest_problem *p)
{
	_cleanup_(buf_done) struct buf b = { 0 }, clean = { 0 };

	manifest_problem_print(p, &b);
	show_text(&clean, buf_str(&b));
	fprintf(stderr, "%s\n", buf_str(&clean));
}

enum exit_code dry_load(struct dry *d, struct err *err)
{
	const struct config *c = &d->config;
	const struct manifest_problem *const *problems;
	struct manifests_config config = {
		.paths = c->manifests,
		.n_paths = c->n_manifests,
		.store = &d->store,
		.service_range = { c->service_range[0], c->service_range[1] },
	};
	int e = manifests_new(&config, &d->manifests, err);
	size_t n = 0;

	if (e >= 0) {
		e = manifests_load(d->manifests, err);
		n = manifests_problems(d->manifests, &problems);
	}
	for (size_t i = 0; i < n; i++)
		print_problem(problems[i]);
	if (e < 0)
		complain(d->command, EXIT_CODE_USAGE, err->msg);
	if (e < 0 || (n && !d->store.n_services))
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

static void take_node_object(struct dry *d, const struct node *node)
{
	struct policy *p = &d->config.policy;
	size_t n = 0;

	d->local = mem_zalloc(node->n_addresses, sizeof(*d->local));
	for (size_t i = 0; i < node->n_addresses; i++)
		if (counts_as_local(&node->addresses[i].ip))
			d->local[n++] = node->addresses[i].ip;
	if (n)
		qsort(d->local, n, sizeof(*d->local), cmp_ip);
	for (size_t i = 0; i < n; i++)
		if (!p->n_local || !ip_eq(&d->local[p->n_local - 1], &d->local[i]))
			d->local[p->n_local++] = d->local[i];
	p->node_ip[0] = first_address(node, AF_INET);
	p->node_ip[1] = first_address(node, AF_INET6);
	p->zone = node->zone;
	p->pod_cidrs = node->pod_cidrs;
	p->n_pod_cidrs = node->n_pod_cidrs;
}

static int take_interfaces(struct dry *d, struct err *err)
{
	struct policy *p = &d->config.policy;
	int e = link_addresses(&d->local, &p->n_local, err);

	if (e < 0)
		return e;
	p->node_ip[0] = link_primary_address(AF_INET, d->local, p->n_local);
	p->node_ip[1] = link_primary_address(AF_INET6, d->local, p->n_local);
	return 0;
}

int dry_take_node(struct dry *d, struct err *err)
{
	struct policy *p = &d->config.policy;
	const struct node *node = store_node(&d->store, p->node_name);
	int e = 0;

	p->store = &d->store;
	if (node)
		take_node_object(d, node);
	else
		e = take_interfaces(d, err);
	p->local = d->local;
	if (!node && d->store.nodes.count)
		fprintf(stderr,
			"ipvsctl-svc %s: no Node object is named \"%s\" (--hostname-override), "
			"taking the addresses of this machine\n",
			d->command, p->node_name);
	return e;
}
