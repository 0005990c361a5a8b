// SPDX-License-Identifier: GPL-2.0-or-later
#include "dry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "kernel/adapters.h"
#include "kernel/link.h"
#include "kernel/nftables.h"
#include "kernel/nftables_text.h"

const struct plan_nftables_words dry_nftables_words = {
	.table = NFTABLES_TABLE,
	.print_rule = nftables_print_rule,
	.print_chain = nftables_print_chain,
	.print_set_type = nftables_print_set_type,
	.print_element = nftables_print_element,
	.base_chain = nftables_base_chain,
};

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
	node_view_done(&d->view);
	config_done(&d->config);
}

enum exit_code dry_load(struct dry *d, struct err *err)
{
	const struct config *c = &d->config;
	const struct manifest_problem *const *problems;
	struct manifests_config config = {
		.paths = c->manifests,
		.n_paths = c->n_manifests,
		.store = &d->store,
		.service_range = { c->options.cluster_ip_ranges[0],
			c->options.cluster_ip_ranges[1] },
	};
	int e = manifests_new(&config, &d->manifests, err);
	size_t n = 0;

	if (e >= 0) {
		e = manifests_load(d->manifests, err);
		n = manifests_problems(d->manifests, &problems);
	}
	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		manifest_problem_print(problems[i], &line);
		command_print(stderr, buf_str(&line));
	}
	if (e < 0)
		command_complain(d->command, EXIT_CODE_USAGE, err->msg);
	if (e < 0 || (n && !d->store.n_services))
		return EXIT_CODE_USAGE;
	return n ? EXIT_CODE_DIFFERENT : EXIT_CODE_OK;
}

enum netfilter dry_netfilter(const struct config *c)
{
	if (c->hand_over || c->options.backend == BACKEND_IPTABLES)
		return NETFILTER_IPTABLES;
	if (c->options.backend == BACKEND_NFTABLES)
		return NETFILTER_NFTABLES;
	if (c->options.netfilter != NETFILTER_AUTO)
		return c->options.netfilter;
	return c->diff == DIFF_NO ? NETFILTER_IPTABLES : adapters_netfilter_in_use();
}

static bool has_address_of(const struct node *node, const struct ip *local, size_t n)
{
	for (size_t i = 0; i < node->n_addresses; i++)
		if (n && bsearch(&node->addresses[i].ip, local, n, sizeof(*local), ip_compare))
			return true;
	return false;
}

int dry_take_node(struct dry *d, bool compared, struct err *err)
{
	const char *name = d->config.options.node_name;
	const struct node *node = store_node(&d->store, name);
	struct ip *local, primary[2];
	size_t n_local;
	int e;

	node_view_init(&d->view, &d->config.options);
	if (node && !compared) {
		node_view_imagine(&d->view, node, &d->store);
		return 0;
	}
	if (!node && d->store.nodes.count) {
		err_set(err, -ENOENT,
			"no Node object is named \"%s\" (--hostname-override), using the addresses "
			"of this machine",
			name);
		command_complain(d->command, EXIT_CODE_OK, err->msg);
	}
	e = link_addresses(&local, &n_local, err);
	if (e < 0)
		return e;
	if (node && !has_address_of(node, local, n_local)) {
		free(local);
		node_view_imagine(&d->view, node, &d->store);
		return 0;
	}
	primary[0] = link_primary_address(AF_INET, local, n_local);
	primary[1] = link_primary_address(AF_INET6, local, n_local);
	node_view_update(&d->view, local, n_local, primary, &d->store);
	return 0;
}
