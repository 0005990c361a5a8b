// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/adapters.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"
#include "kernel/nftables.h"
#include "nft.h"

static int open_ipset_and_iptables(struct adapters *a, bool may_lack, const struct rule_pool *pool,
	const struct node_view *view, struct err *err)
{
	int r = ipset_new(&a->ipset, err);

	if (r < 0 && !(r == -ENOENT && may_lack))
		return r;
	if (a->iptables) {
		iptables_use_rules(a->iptables, pool);
		return 0;
	}
	r = iptables_new(pool, view->ipv4, view->ipv6, &a->iptables, err);
	return r == -ENOENT && may_lack ? 0 : r;
}

static int open_nftables(struct adapters *a, bool may_lack, const struct rule_pool *pool,
	const struct node_view *view, struct err *err)
{
	const int r = nftables_new(
		pool, view->ipv4, view->ipv6, view->options->mark_mask, &a->nftables, err);

	return r == -ENOENT && may_lack ? 0 : r;
}

int adapters_open(struct adapters *a, enum adapters_need need, const struct rule_pool *pool,
	const struct node_view *view, struct err *err)
{
	const bool may_lack = need == ADAPTERS_AVAILABLE || need == ADAPTERS_AVAILABLE_NO_IPVS;
	const bool ipvs = need == ADAPTERS_ALL || need == ADAPTERS_AVAILABLE;
	int r = ipvs ? ipvs_new(&a->ipvs, err) : 0;

	if (r < 0 && !(r == -ENOENT && may_lack))
		return r;
	r = link_new(view->options->external_table, &a->link, err);
	if (r < 0)
		return r;
	return view->netfilter == NETFILTER_NFTABLES
		? open_nftables(a, may_lack, pool, view, err)
		: open_ipset_and_iptables(a, may_lack, pool, view, err);
}

int adapters_open_other(struct adapters *a, const struct rule_pool *pool,
	const struct node_view *view, struct err *err)
{
	const int r = view->netfilter == NETFILTER_NFTABLES
		? open_ipset_and_iptables(a, true, pool, view, err)
		: open_nftables(a, true, pool, view, err);

	/* What does not work here has no rules of ours. */
	return err_is_shortage(r) ? r : 0;
}

void adapters_close(struct adapters *a)
{
	nftables_free(a->nftables);
	iptables_free(a->iptables);
	ipset_free(a->ipset);
	link_free(a->link);
	ipvs_free(a->ipvs);
	*a = (struct adapters){ 0 };
}

struct adapter *adapters_sets(const struct adapters *a)
{
	return a->nftables ? a->nftables : a->ipset;
}

enum netfilter adapters_netfilter_in_use(void)
{
	struct err unused;

	return nft_has_table(AF_INET, NFTABLES_TABLE, &unused) > 0 ||
			nft_has_table(AF_INET6, NFTABLES_TABLE, &unused) > 0
		? NETFILTER_NFTABLES
		: NETFILTER_IPTABLES;
}

void adapters_serve(const struct adapters *a, struct engine *e)
{
	struct adapter *const all[] = { a->ipvs, a->link, a->ipset, a->iptables, a->nftables };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			engine_add_adapter(e, all[i]);
}
