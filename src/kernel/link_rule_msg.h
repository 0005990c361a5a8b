/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LINK_RULE_MSG_H
#define KERNEL_LINK_RULE_MSG_H

#include "core/adapter.h"
#include "kernel/link.h"
#include "nl.h"

/* rtnetlink's messages of policy rules (net/core/fib_rules.c): bytes in, bytes out. */

struct nl_msg *link_rule_msg_op(const struct op *op);
struct nl_msg *link_rule_msg_dump(int family);

/* Returns 1; 0: not of IPv4 or IPv6, or a rule that leads nowhere itself (goto, nop); or -EBADMSG. */
int link_read_rule(struct nlmsghdr *msg, struct link_rule *ret);
/* The rule as a fact; false: it is foreign. */
bool link_rule_fact(const struct link_rule *rule, struct fact *ret);

/* The kernel's answer to an operation in the terms of struct op. */
int link_rule_result(const struct op *op, int answer);

#endif
