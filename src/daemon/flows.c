// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries of the kernel's connection table that are stale: the engine's hook. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/conntrack.h"
#include "kernel/sysctl.h"
#include "sync.h"

void daemon_open_flows(struct daemon *d)
{
	struct err err;

	if (conntrack_new(&d->conntrack, &err))
		log_warn("stale entries of the connection table stay until they expire",
			"err=\"%s\"", err.msg);
}

/* Without it packets pass IPVS and leave no entries that tell where they went. */
static bool are_tracked(const struct node_view *view)
{
	long on;

	return view->backend == BACKEND_IPTABLES ||
		(!sysctl_read("net/ipv4/vs/conntrack", &on) && on);
}

static bool has_family(const struct stale_list *stale, int family)
{
	for (size_t i = 0; i < stale->n; i++)
		if (stale->frontends[i].ip.family == family)
			return true;
	return false;
}

static int delete_of_family(
	struct daemon *d, const struct stale_list *stale, int family, bool *ret_more)
{
	uint64_t start = clock_us();
	struct err err;
	int r;

	if (!has_family(stale, family))
		return 0;
	r = conntrack_clean(d->conntrack, stale, family, ret_more, &err);
	if (r >= 0)
		observe_flows(d, family, start, (unsigned)r);
	else if (!d->flows_failed)
		log_error("stale entries of the connection table stay, retrying", "err=\"%s\"",
			err.msg);
	d->flows_failed = r < 0;
	return r;
}

int daemon_delete_flows(const struct stale_list *stale, bool *ret_more, void *arg)
{
	struct daemon *d = arg;
	bool more_v4 = false, more_v6 = false;
	int v4, v6;

	if (!d->conntrack || !are_tracked(&d->view))
		return 0;
	v4 = delete_of_family(d, stale, AF_INET, &more_v4);
	v6 = v4 < 0 ? 0 : delete_of_family(d, stale, AF_INET6, &more_v6);
	if (v4 > 0 || v6 > 0)
		log_debug("deleted stale entries of the connection table", "entries=%d", v4 + v6);
	if (v4 < 0 || v6 < 0)
		return v4 < 0 ? v4 : v6;
	*ret_more = more_v4 || more_v6;
	return v4 + v6;
}
