// SPDX-License-Identifier: GPL-2.0-or-later
/* What kube-proxy left behind that we neither use nor remove: it is told. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/iptables.h"
#include "kernel/leftovers.h"
#include "sync.h"

enum { NAMED = 3 }; /* of them; the rest is counted */

static void name_some(const struct leftovers *l, struct buf *b)
{
	for (size_t i = 0; i < l->n && i < NAMED; i++) {
		buf_adds(b, i ? ", " : "");
		leftover_print(b, &l->v[i]);
	}
	if (l->n > NAMED)
		buf_addf(b, " and %zu more", l->n - NAMED);
}

void daemon_print_leftovers(const struct daemon *d, struct buf *b)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	struct err err;

	iptables_leftovers(d->iptables, &l);
	if (leftovers_find_tables(&l, &err))
		log_debug("cannot look for what kube-proxy left", "err=\"%s\"", err.msg);
	name_some(&l, b);
}

void daemon_find_mixed(struct daemon *d)
{
	struct buf b = { 0 };

	iptables_print_mixed(d->iptables, &b);
	if (b.len && !d->mixed)
		log_warn("the other variant of iptables has rules for Services, too, and packets "
			 "pass both; remove them with it",
			"program=\"%s\"", buf_str(&b));
	free(d->mixed);
	d->mixed = b.len ? buf_take(&b) : NULL;
	buf_done(&b);
}

void daemon_tell_leftovers(const struct daemon *d)
{
	_cleanup_(buf_done) struct buf left = { 0 };

	daemon_print_leftovers(d, &left);
	if (left.len)
		log_warn("kube-proxy left what is not used here and may catch packets to Services "
			 "first; `ipvsctl-svc cleanup --of kube-proxy` removes it",
			"left=\"%s\"", buf_str(&left));
}
