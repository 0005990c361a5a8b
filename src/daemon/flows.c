// SPDX-License-Identifier: GPL-2.0-or-later
#include "flows.h"

#include <netinet/in.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/sysctl.h"

void flows_init(struct flows *f, const struct node_view *view, struct observe *observe)
{
	struct err err;

	*f = (struct flows){ .view = view, .observe = observe };
	if (conntrack_new(&f->conntrack, &err))
		log_warn("stale entries of the connection table stay until they expire",
			"err=\"%s\"", err.msg);
}

static int delete_family(
	struct flows *f, const struct stale_list *stale, int family, bool *ret_more)
{
	uint64_t start = clock_us();
	bool any = false;
	struct err err;
	int r;

	for (size_t i = 0; i < stale->n && !any; i++)
		any = stale->frontends[i].ip.family == family;
	if (!any)
		return 0;
	r = conntrack_clean(f->conntrack, stale, family, ret_more, &err);
	if (r >= 0)
		observe_flows(f->observe, family, start, (unsigned)r);
	else if (!f->failed)
		log_error("cannot delete stale entries of the connection table, retrying",
			"err=\"%s\"", err.msg);
	f->failed = r < 0;
	return r;
}

int flows_delete(struct flows *f, const struct stale_list *stale, bool *ret_more)
{
	bool more_v4 = false, more_v6 = false;
	long tracked = 1;
	int v4, v6;

	if (!f->conntrack)
		return 0;
	/* Without net.ipv4.vs.conntrack no entry tells where IPVS sent its packets. */
	if (!node_view_translates(f->view) &&
		(sysctl_read("net/ipv4/vs/conntrack", &tracked) || !tracked))
		return 0;
	v4 = delete_family(f, stale, AF_INET, &more_v4);
	v6 = v4 < 0 ? 0 : delete_family(f, stale, AF_INET6, &more_v6);
	if (v4 > 0 || v6 > 0)
		log_debug("deleted stale entries of the connection table", "entries=%d", v4 + v6);
	if (v4 < 0 || v6 < 0)
		return v4 < 0 ? v4 : v6;
	*ret_more = more_v4 || more_v6;
	return v4 + v6;
}
