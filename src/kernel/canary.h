/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_CANARY_H
#define KERNEL_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Notices soon that others change our rules, as a firewall does when it is loaded again.
 *
 * 1. nf_tables tells of each change and who makes it (NFNLGRP_NFTABLES).
 * 2. In the legacy variant the shape of each table is read several times a second
 *    (IPT_SO_GET_INFO: how many entries, their size, where each hook begins). So changes to rules
 *    of others are noticed as well, and a rule that another one of the same size replaces is not.
 */
struct canary;
int canary_new(struct canary **ret, struct err *err);
/* Watches a table of nf_tables, too, all of which is ours. Returns 0, or a negative errno with
 * words. The name is not copied. */
int canary_add_table(struct canary *c, const char *name, struct err *err);
/* Watches the rules of iptables in one family, too. Returns 0, or a negative errno with words. */
int canary_add(struct canary *c, int family, bool nft, struct err *err);
void canary_free(struct canary *c);
/* Readable when canary_disturbed() should be called. */
int canary_fd(const struct canary *c);
/*
 * Whether others have changed something and then stopped for a moment, so that we do not get in the
 * way of a firewall that is being loaded. An alarm was false if the caller's count of all repairs
 * has not changed since; the next alarm that may be false comes no sooner than the interval. `now`
 * and `interval` are in ms.
 */
bool canary_disturbed(struct canary *c, uint64_t now, uint64_t interval, uint64_t repairs);

/* Our own changes raise no alarm: a program that writes for us is about to start, has started, has
 * ended. The canary may be NULL. */
void canary_before_write(struct canary *c, int family);
/* By its process id, or the port id of a netlink socket. */
void canary_written_by(struct canary *c, uint32_t id);
void canary_after_write(struct canary *c, int family);

#endif
