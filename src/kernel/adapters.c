// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/adapters.h"

#include <errno.h>

#include "base/mem.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"

int adapters_open(struct adapters *a, enum adapters_need need, const struct rule_pool *pool,
	bool ipv4, bool ipv6, uint16_t external_table, struct err *err)
{
	const bool may_lack = need == ADAPTERS_AVAILABLE;
	int r = need == ADAPTERS_NO_IPVS ? 0 : ipvs_new(&a->ipvs, err);

	if (r < 0 && !(r == -ENOENT && may_lack))
		return r;
	r = link_new(external_table, &a->link, err);
	if (r < 0)
		return r;
	r = ipset_new(&a->ipset, err);
	if (r < 0 && !(r == -ENOENT && may_lack))
		return r;
	return iptables_new(pool, ipv4, ipv6, &a->iptables, err);
}

void adapters_close(struct adapters *a)
{
	iptables_free(a->iptables);
	ipset_free(a->ipset);
	link_free(a->link);
	ipvs_free(a->ipvs);
	*a = (struct adapters){ 0 };
}

void adapters_serve(const struct adapters *a, struct engine *e)
{
	struct adapter *const all[] = { a->ipvs, a->link, a->ipset, a->iptables };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			engine_add_adapter(e, all[i]);
}
