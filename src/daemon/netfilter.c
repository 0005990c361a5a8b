// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/netfilter.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/iptables_trial.h"
#include "kernel/nftables.h"
#include "kernel/package.h"
#include "kernel/probe.h"
#include "kernel/reserved_ports.h"
#include "settle.h"

/* All that a node with these options may need. */
static void add_node_facts(
	const struct node_view *view, struct rule_pool *pool, struct fact_list *ret)
{
	const struct node_needs needs = node_needs_all();

	resolve_node(view, &needs, pool, ret);
}

/* What the iptables backend needs for a Service with two endpoints, beyond the node's own facts.
 * Session affinity is not tried: Services without it do without its module. */
static void add_sample_endpoint(
	const struct node_view *view, struct rule_pool *pool, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const uint8_t address[16] = { 0 };

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		const struct ip any = ip_make(families[f], address);
		_cleanup_(rule_list_done) struct rule_list rules = { 0 };

		if (!node_view_serves(view, families[f]))
			continue;
		rule_list_add(&rules,
			&(struct rule){
				.match = { { MATCH_SHARE, .share = RULE_SHARE_ALL / 2 } } });
		rule_list_add(&rules,
			&(struct rule){ .match = { { MATCH_PROTOCOL, .protocol = IPPROTO_TCP } },
				.target = { TARGET_DNAT, .to = { any, 1 } } });
		fact_list_add(ret,
			fact_chain(families[f], TABLE_NAT, "KUBE-SEP-SAMPLE",
				rule_pool_put(pool, &rules)));
	}
}

/* ipset and iptables take all sets and rules of a node with these options. Returns 0 if that holds for
 * a family at least, and leaves out the other one. */
static int try_iptables_rules(struct node_view *view, struct adapter *iptables, struct err *err)
{
	_cleanup_(fact_list_done) struct fact_list facts = { 0 };
	struct rule_pool pool = { 0 };
	int r;

	add_node_facts(view, &pool, &facts);
	if (view->backend == BACKEND_IPTABLES)
		add_sample_endpoint(view, &pool, &facts);
	fact_list_finish(&facts);
	r = probe_iptables_rules(iptables, facts.facts, facts.n, &pool, err);
	rule_pool_done(&pool);
	if (r < 0)
		return r;
	view->ipv4 = view->ipv4 && r & IPTABLES_IPV4;
	view->ipv6 = view->ipv6 && r & IPTABLES_IPV6;
	if (!view->ipv4)
		iptables_leave_family(iptables, AF_INET);
	if (!view->ipv6)
		iptables_leave_family(iptables, AF_INET6);
	return 0;
}

static int try_ipset(struct err *err)
{
	struct adapter *ipset;
	int r = ipset_new(&ipset, err);

	if (!r)
		ipset_free(ipset);
	return r;
}

/* What stands is read first, because it need not be tried. The families that work stay in the view. */
static int try_and_open_iptables(
	struct node_view *view, struct adapter **ret_iptables, struct err *err)
{
	struct adapter *a = NULL;
	int r = probe_families(NETFILTER_NFTABLES, &view->ipv4, &view->ipv6, err);

	if (r >= 0)
		r = iptables_open(&view->ipv4, &view->ipv6, &a, err);
	if (r >= 0 && (view->ipv4 || view->ipv6)) {
		a->read_ahead(a);
		view->random_fully = iptables_info(a)->random_fully;
		r = try_iptables_rules(view, a, err);
	}
	if (r >= 0 && (view->ipv4 || view->ipv6))
		*ret_iptables = take(a);
	iptables_free(a);
	return r;
}

/* ipset and iptables; of a node that only removes, whether they run at all. Returns 0, -ENOENT or
 * -EOPNOTSUPP with words (they do not work here), or another errno, such as a shortage. */
static int try_iptables(
	struct node_view *view, bool removes, struct adapter **ret_iptables, struct err *err)
{
	struct err why = { 0 };
	int r;

	if (removes)
		r = probe_families(NETFILTER_IPTABLES, &view->ipv4, &view->ipv6, err);
	else
		r = try_and_open_iptables(view, ret_iptables, err);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		package_suggest_modules(err);
	if (r < 0)
		return r;
	if (!view->ipv4 && !view->ipv6) {
		r = probe_iptables(AF_INET, &why);
		err_set(err, -ENOENT, "neither iptables nor ip6tables works here: %s",
			r ? why.msg : "they did at another try");
		if (r == -ENOENT)
			package_suggest_iptables(err);
		else if (r)
			package_suggest_modules(err);
		return -ENOENT;
	}
	/* A kernel without sets has none of ours. */
	r = removes ? try_ipset(err) : 0;
	return r == -ENOENT ? 0 : r;
}

/* What the nftables backend needs for Services, beyond the node's own facts. */
static void add_sample_spreads(
	const struct node_view *view, struct rule_pool *pool, struct fact_list *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct resolver r = { view, pool, ret };
	const struct spread sample = {
		.slots = 1, .flags = SPREAD_ENTRY | SPREAD_MASQUERADE, .affinity = 1
	};

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		if (!node_view_serves(view, families[f]))
			continue;
		fact_list_add(ret, fact_set(SET_CLIENTS, families[f]));
		resolve_spread(&r, families[f], &sample);
	}
}

/* The kernel takes all sets and rules of a node with these options. */
static int try_rules(const struct node_view *view, struct err *err)
{
	_cleanup_(fact_list_done) struct fact_list facts = { 0 };
	struct rule_pool pool = { 0 };
	struct adapter *nftables = NULL;
	int r = nftables_new(
		&pool, view->ipv4, view->ipv6, view->options->mark_mask, &nftables, err);

	if (!r) {
		add_node_facts(view, &pool, &facts);
		if (view->backend == BACKEND_NFTABLES)
			add_sample_spreads(view, &pool, &facts);
		fact_list_finish(&facts);
		r = nftables_try(nftables, facts.facts, facts.n, err);
	}
	nftables_free(nftables);
	rule_pool_done(&pool);
	return r;
}

static int try_nftables(struct node_view *view, struct err *err)
{
	int r = probe_families(NETFILTER_NFTABLES, &view->ipv4, &view->ipv6, err);

	if (!r)
		r = try_rules(view, err);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		package_suggest_modules(err);
	return r;
}

/* The first of the interfaces that works, of those that may be used. `removes`: for --cleanup. */
static int choose_interface(struct node_view *view, bool may_iptables, bool may_nftables,
	bool removes, struct adapters *opened, struct err *ret_no_iptables, struct err *err)
{
	int r = 0;

	*ret_no_iptables = (struct err){ 0 };
	view->netfilter = NETFILTER_IPTABLES;
	if (may_iptables) {
		r = try_iptables(view, removes, &opened->iptables, err);
		if (!r || !may_nftables || err_is_shortage(r))
			return r;
		*ret_no_iptables = *err;
	}
	view->netfilter = NETFILTER_NFTABLES;
	/* The iptables backend has no other interface. */
	if (node_view_translates(view))
		view->backend = BACKEND_NFTABLES;
	r = try_nftables(view, err);
	if (r)
		err_prefix(err, "nftables cannot be used");
	if (r && ret_no_iptables->code)
		err_prefix(err, "%s; and", ret_no_iptables->msg);
	return r;
}

int netfilter_choose(const struct config *c, struct node_view *view, const struct err *no_ipvs,
	struct adapters *opened, struct err *ret_no_iptables, struct err *err)
{
	const enum netfilter asked = c->options.netfilter;
	/* kube-proxy's modes that are handed over to know no other. */
	const bool must_iptables = c->hand_over || c->options.backend == BACKEND_IPTABLES;
	int r = choose_interface(view,
		must_iptables || (view->backend != BACKEND_NFTABLES && asked != NETFILTER_NFTABLES),
		!must_iptables && asked != NETFILTER_IPTABLES, c->cleanup, opened, ret_no_iptables,
		err);

	if (r) {
		if (no_ipvs->code)
			err_prefix(err, "IPVS cannot be used: %s; and", no_ipvs->msg);
		return r;
	}
	if (no_ipvs->code)
		log_warn(view->backend == BACKEND_NFTABLES
				? "IPVS cannot be used, going on with the nftables backend; load the "
				  "module and restart, or say --backend=nftables"
				: "IPVS cannot be used, going on with iptables; load the module and "
				  "restart, or say --backend=iptables",
			"err=\"%s\"", no_ipvs->msg);
	if (ret_no_iptables->code)
		log_warn("ipset and iptables cannot be used, going on with nftables; say "
			 "--netfilter=nftables if that is meant",
			"err=\"%s\"", ret_no_iptables->msg);
	return 0;
}

void netfilter_move_notes(const struct adapters *ours, const struct adapters *other)
{
	static const struct port_set none;
	struct adapter *to = adapters_sets(ours), *from = adapters_sets(other);
	struct port_set ports, before;
	struct err err;
	int r;

	if (!from || !to)
		return;
	r = from->read_note(from, RESERVED_PORTS_NOTE, &ports, &err);
	if (!r && !port_set_count(&ports))
		return;
	if (!r)
		r = to->read_note(to, RESERVED_PORTS_NOTE, &before, &err);
	if (!r) {
		port_set_or(&ports, &before, &ports);
		r = to->write_note(to, RESERVED_PORTS_NOTE, &ports, &err);
	}
	if (!r)
		r = from->write_note(from, RESERVED_PORTS_NOTE, &none, &err);
	if (r)
		log_warn("cannot take over which source ports are reserved for Services, they stay "
			 "reserved when they are not needed any more",
			"err=\"%s\"", err.msg);
}

static void find_service_chain(const struct fact *f, void *arg)
{
	enum service_chain chain;
	char hash[SERVICE_HASH_LEN];

	if (f->key.set == TABLE_NAT && service_chain_parse(f->key.name, &chain, hash))
		*(bool *)arg = true;
}

bool netfilter_translates(const struct adapters *other)
{
	struct adapter *a = other->iptables;
	bool found = false;
	struct err err;

	return a && !a->dump(a, FACT_CHAIN, find_service_chain, &found, &err) && found;
}

static void find_entry(const struct fact *f, void *arg)
{
	if (fact_enters_nat(&f->key))
		fact_list_add(arg, *f);
}

void netfilter_give_way(const struct adapters *other, const struct node_view *view)
{
	_cleanup_(fact_list_done) struct fact_list jumps = { 0 };
	struct adapter *a = other->nftables;
	struct err err = { 0 };
	int r;

	if (!a || view->backend != BACKEND_IPTABLES)
		return;
	r = a->dump(a, FACT_JUMP, find_entry, &jumps, &err);
	for (size_t i = 0; i < jumps.n && !r; i++) {
		struct op op = { .type = OP_DEL, .fact = jumps.facts[i] };

		a->apply(a, &op, 1);
		r = op.result;
		if (r)
			err_set(&err, r, "%s", strerror(-r));
	}
	if (r)
		log_warn(
			"rules in nftables still come before those of iptables, connections may be "
			"refused until they are removed",
			"err=\"%s\"", err.msg);
}

int netfilter_remove_other(const struct adapters *other, const struct node_view *view)
{
	struct node_view copy = *view;
	struct store store;
	struct engine *e;
	int r;

	if (!other->ipset && !other->iptables && !other->nftables)
		return 0;
	store_init(&store);
	e = engine_new(&(struct engine_config){ .store = &store, .view = &copy });
	adapters_serve(other, e);
	engine_fed(e);
	engine_release_all(e);
	r = settle(e);
	if (r)
		log_warn("not everything could be removed that is in the other interface of "
			 "netfilter; ipvsctl-svcd tries again when it starts",
			"netfilter=%s",
			netfilter_name(view->netfilter == NETFILTER_NFTABLES ? NETFILTER_IPTABLES
									     : NETFILTER_NFTABLES));
	engine_free(e);
	store_done(&store);
	return r;
}
