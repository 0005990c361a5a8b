// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/backend.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/conntrack.h"
#include "kernel/link.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"

int backend_check_scheduler(const struct options *options, struct err *err)
{
	_cleanup_(buf_done) struct buf have = { 0 };
	unsigned mask = 0;
	int r = probe_scheduler(options->scheduler, err);

	if (r < 0)
		err_prefix(err, "cannot find out whether the kernel has the scheduler \"%s\"",
			options->scheduler);
	if (r)
		return r < 0 ? r : 0;
	probe_schedulers(&mask, NULL);
	for (size_t i = 0; known_schedulers[i]; i++)
		if (mask & 1u << i)
			buf_addf(&have, "%s%s", have.len ? ", " : "", known_schedulers[i]);
	return err_set(err, -EINVAL, "--scheduler: the kernel has no scheduler \"%s\"; it has: %s",
		options->scheduler, buf_str(&have));
}

static int setup_ipvs(const struct config *c, const struct node_view *view, struct err *err)
{
	struct sysctl wanted[SYSCTL_MAX_WANTED];
	unsigned major, minor;
	size_t n;
	int r;

	sysctl_kernel_version(&major, &minor);
	n = sysctl_wanted(major, minor, c->strict_arp, view->ipv6, wanted);
	r = sysctl_setup(wanted, n, err);
	if (r < 0)
		err_prefix(err, "cannot make a kernel setting that IPVS needs");
	return r;
}

static int setup_translation(const struct config *c, const struct node_view *view, struct err *err)
{
	struct sysctl wanted[SYSCTL_MAX_WANTED];
	struct conntrack *conntrack;
	size_t n = sysctl_wanted_without_ipvs(
		c->strict_arp, view->ipv6, node_view_localhost_nodeports(view), wanted);
	int r = sysctl_setup(wanted, n, err);

	if (r < 0)
		err_prefix(err, "cannot make a kernel setting that the %s backend needs",
			backend_name(view->backend));
	/* This brings the module whose settings are made next, as the probe of IPVS does. */
	else if (!conntrack_new(&conntrack, NULL))
		conntrack_free(conntrack);
	return r;
}

/* Without policy routing an external address can only be taken as a whole. */
static int find_policy_routing(const struct config *c, struct node_view *view, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		int r;

		if (!node_view_serves(view, families[f]))
			continue;
		r = link_has_policy_routing(families[f], err);
		if (r < 0)
			return r;
		view->policy_routing[f] = r;
		if (!r && c->options.external_addresses == EXTERNAL_PORTS)
			log_warn("the kernel has no policy routing (CONFIG_IP_MULTIPLE_TABLES), so "
				 "external addresses are taken as a whole and nobody else can be "
				 "reached by them, as with --external-addresses=local",
				"family=%s", family_name(families[f]));
	}
	return 0;
}

static void warn_of_limit(const struct err *why, void *arg)
{
	(void)arg;
	log_warn("cannot raise a limit of the connection table, going on with the present one",
		"err=\"%s\"", why->msg);
}

int backend_choose(
	const struct config *c, struct node_view *view, struct err *ret_no_ipvs, struct err *err)
{
	struct err reason;
	int r;

	*ret_no_ipvs = (struct err){ 0 };
	if (node_view_translates(view))
		return 0;
	r = probe_ipvs(c->options.scheduler, &reason);
	if (err_is_shortage(r))
		return err_set(err, r, "cannot find out whether IPVS works: %s", reason.msg);
	/* Whoever names a scheduler wants IPVS, and has to know of a slip. */
	if (r == -EPROTONOSUPPORT && strcmp(c->options.scheduler, LAST_SCHEDULER) != 0) {
		r = backend_check_scheduler(&c->options, err);
		if (r < 0)
			return r;
	}
	if (r && c->options.backend == BACKEND_IPVS)
		return err_set(err, r,
			"IPVS cannot be used: %s; load the module, or do without IPVS: "
			"--backend=auto",
			reason.msg);
	view->backend = r ? BACKEND_IPTABLES : BACKEND_IPVS;
	if (r)
		*ret_no_ipvs = reason;
	return 0;
}

int backend_setup(const struct config *c, struct node_view *view, struct err *err)
{
	long liberal = 0;
	int r;

	r = view->backend == BACKEND_IPVS ? find_policy_routing(c, view, err) : 0;
	if (r < 0)
		return r;
	r = view->backend == BACKEND_IPVS ? setup_ipvs(c, view, err)
					  : setup_translation(c, view, err);
	if (r >= 0)
		r = sysctl_setup_conntrack(&c->conntrack, warn_of_limit, NULL, err);
	if (r >= 0 && !sysctl_read("net/netfilter/nf_conntrack_tcp_be_liberal", &liberal))
		view->drop_invalid = !liberal;
	return r;
}

/* No Service may have the port of a server of ours as an external address. */
static void add_own_port(struct node_view *view, const struct listen_address *a)
{
	struct node_socket *own = &view->own_ports[view->n_own_ports];

	if (!a->ip.family)
		return;
	assert(view->n_own_ports < NODE_VIEW_MAX_OWN_PORTS);
	own->port = a->port;
	if (ip_kind(&a->ip) != IP_UNSPECIFIED) /* else family 0: every address of the node */
		own->ip = a->ip;
	view->n_own_ports++;
}

void backend_view_config(const struct config *c, struct node_view *view)
{
	view->bind_address = c->bind_address;
	view->keep = config_input(c) == INPUT_API;
	add_own_port(view, &c->healthz);
	add_own_port(view, &c->metrics);
}
