// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/adapters.h"

#include <errno.h>

#include "base/mem.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/ipvs.h"
#include "kernel/link.h"

int adapters_open(struct adapters *a, enum adapters_need need, const struct rule_pool *pool,
	bool ipv4, bool ipv6, struct err *err)
{
	const struct {
		int (*open)(struct adapter **ret, struct err *err);
		struct adapter **at;
	} parts[] = {
		{ ipvs_new, &a->ipvs },
		{ link_new, &a->link },
		{ ipset_new, &a->ipset },
	};

	for (size_t i = need == ADAPTERS_NO_IPVS; i < ARRAY_SIZE(parts); i++) {
		int r = parts[i].open(parts[i].at, err);

		if (r < 0 && !(r == -ENOENT && need == ADAPTERS_AVAILABLE))
			return r;
	}
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
