/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPVS_MSG_H
#define KERNEL_IPVS_MSG_H

#include <stdint.h>

#include "core/adapter.h"
#include "kernel/ipvs.h"
#include "nl.h"

/*
 * IPVS's generic netlink messages (linux/ip_vs.h) from facts, and facts from them: bytes in, bytes
 * out. `family` is the family's number, as ipvs_read_family() found it.
 */

/* Asks for the number of the family; where the module is not loaded the kernel loads it. */
void ipvs_write_find_family(struct nl_writer *w);
/* Asks for the version; needs the same capability as everything else. */
void ipvs_write_info(struct nl_writer *w, uint16_t family);
void ipvs_write_op(struct nl_writer *w, uint16_t family, const struct op *op);
void ipvs_write_dump_vs(struct nl_writer *w, uint16_t family);
void ipvs_write_dump_rs(struct nl_writer *w, uint16_t family, const struct fact_key *vs);
/* Seconds; 0 leaves the kernel's value. */
void ipvs_write_timeouts(
	struct nl_writer *w, uint16_t family, uint32_t tcp, uint32_t tcp_fin, uint32_t udp);

void ipvs_write_get_timeouts(struct nl_writer *w, uint16_t family);

/* Returns 0, or -EBADMSG. */
int ipvs_read_timeouts(const struct nlmsghdr *msg, struct ipvs_timeouts *ret);
int ipvs_read_family(const struct nlmsghdr *msg, uint16_t *ret);
/* Each returns 1, 0 (no fact can say it, so it is none of ours), or -EBADMSG. */
int ipvs_read_vs(const struct nlmsghdr *msg, struct fact *ret);
int ipvs_read_rs(const struct nlmsghdr *msg, const struct fact_key *vs, struct fact *ret,
	struct rs_conns *ret_conns);

/* The same of what GET_SERVICE tells of a virtual server's traffic. */
int ipvs_read_stats(const struct nlmsghdr *msg, struct vs_stats *ret);

/* The kernel's answer to an operation in the terms of struct op. */
int ipvs_result(const struct op *op, int answer);

#endif
