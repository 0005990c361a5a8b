/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_FLOWS_H
#define DAEMON_FLOWS_H

#include <stdbool.h>

#include "core/node_view.h"
#include "core/stale.h"
#include "kernel/conntrack.h"
#include "observe.h"

/* Deletes stale entries of the kernel's connection table for the engine. */
struct flows {
	struct conntrack *conntrack; /* NULL: the kernel cannot be asked; the caller frees it */
	bool failed;		     /* the last deletion, which was logged */
	const struct node_view *view;
	struct observe *observe;
};

void flows_init(struct flows *f, const struct node_view *view, struct observe *observe);
/* As engine_config.delete_flows() has it. */
int flows_delete(struct flows *f, const struct stale_list *stale, bool *ret_more);

#endif
