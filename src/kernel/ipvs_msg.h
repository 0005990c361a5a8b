/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPVS_MSG_H
#define KERNEL_IPVS_MSG_H

#include <stdint.h>

#include "core/adapter.h"
#include "kernel/ipvs.h"
#include "nl.h"

/*
 * IPVS's generic netlink messages (linux/ip_vs.h) from facts, and facts from them: bytes in, bytes
 * out. `family` is the number of the generic netlink family, as ipvs_read_family() found it.
 */

/* CTRL_CMD_GETFAMILY: asks for the number of the family; the kernel loads ip_vs for it. */
struct nl_msg *ipvs_msg_find_family(void);
/* A command without attributes: IPVS_CMD_GET_INFO, IPVS_CMD_GET_CONFIG. The kernel wants
 * CAP_NET_ADMIN for each. */
struct nl_msg *ipvs_msg_new(uint16_t family, int flags, uint8_t command);
struct nl_msg *ipvs_msg_op(uint16_t family, const struct op *op);
/* All virtual servers, or the real servers of one. */
struct nl_msg *ipvs_msg_dump(uint16_t family, const struct fact_key *vs);
/* Seconds; 0 leaves the kernel's value. */
struct nl_msg *ipvs_msg_set_timeouts(uint16_t family, uint32_t tcp, uint32_t tcp_fin, uint32_t udp);

/* For nl_port_ask(). Each returns 0, or -EBADMSG. */
int ipvs_read_family(struct nlmsghdr *msg, void *ret);	 /* a uint16_t */
int ipvs_read_timeouts(struct nlmsghdr *msg, void *ret); /* a struct ipvs_timeouts */

/* Each returns 1, 0 (none of ours: no fact can express it), or -EBADMSG. */
int ipvs_read_vs(struct nlmsghdr *msg, struct fact *ret);
int ipvs_read_rs(struct nlmsghdr *msg, const struct fact_key *vs, struct fact *ret,
	struct rs_conns *ret_conns);
int ipvs_read_stats(struct nlmsghdr *msg, struct vs_stats *ret);

/* The kernel's answer to an operation in the terms of struct op. */
int ipvs_result(const struct op *op, int answer);

/* For tests: an adapter on a port of the caller's, which is taken over. */
struct adapter *ipvs_from_port(struct nl_port *port, uint16_t family);

#endif
