/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RESERVATION_H
#define DAEMON_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/node_view.h"
#include "kernel/reserved_ports.h"

/*
 * Keeps the ports of virtual servers at the node's own addresses, NodePorts above all, reserved in
 * the kernel: see kernel/reserved_ports.h. This is best effort: a failure is a warning, in the log
 * once and in status.
 */
struct reservation {
	struct engine *engine;
	const struct node_view *view;
	struct reserved_ports ports;
	struct err failure; /* of the last time; code 0: none */
	bool begun;
	uint64_t changes, audit; /* of the engine, at the last time */
	uint64_t next;		 /* not before, ms */
};

void reservation_init(struct reservation *r, struct engine *e, const struct node_view *view,
	struct adapter *notes);
/* To be called after each step of the engine. Returns when to call it again, or UINT64_MAX. */
uint64_t reservation_step(struct reservation *r, uint64_t now);
/* Gives back all that is ours. Returns 0, or a negative errno after logging why not. */
int reservation_release(struct reservation *r);

#endif
