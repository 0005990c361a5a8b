/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_HELD_H
#define KERNEL_LINK_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/adapter.h"
#include "nl.h"

/* Held addresses (FACT_HELD): IPv4 addresses on kube-ipvs1. `index`: of that device; 0: it does not
 * exist, and is needed only to add addresses. */

/* Carries out n operations of one type, a few of them in each message to the kernel. */
void link_held_apply(struct nl_port *p, int index, struct op *ops, size_t n);
/* Returns 0, or a negative errno. */
int link_held_dump(struct nl_port *p, int index, dump_fn fn, void *arg);

/* The parts of the above: one operation is up to LINK_HELD_STEPS requests. */
enum { LINK_HELD_STEPS = 4 };
size_t link_held_steps(enum op_type type, int index);
struct nl_msg *link_held_msg(const struct op *op, size_t step, int index);
/* The result of an operation, from the answers to its steps. *ret_undo: it failed and left
 * something behind. */
int link_held_result(
	enum op_type type, int index, const int answers[static LINK_HELD_STEPS], bool *ret_undo);
struct nl_msg *link_held_msg_dump_local(int index);
struct nl_msg *link_held_msg_dump_throw(void);
/* Routes that belong to held addresses, as facts that have no address. Returns 1, 0 (another route),
 * or -EBADMSG. */
int link_held_read_route(struct nlmsghdr *msg, int index, struct fact *ret);

#endif
