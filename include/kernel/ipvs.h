/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPVS_H
#define KERNEL_IPVS_H

#include <stdint.h>

#include "base/err.h"
#include "core/adapter.h"

/*
 * IPVS over generic netlink (family "IPVS", linux/ip_vs.h): FACT_VS and FACT_RS of the caller's
 * network namespace. Looking up the family loads the module ip_vs where it exists.
 *
 * Changing the scheduler of a virtual server blocks apply() for an RCU grace period, some ten
 * milliseconds (ip_vs_edit_service()).
 */

/* Returns 0, -ENOENT (the kernel has no ip_vs), -EPERM (no CAP_NET_ADMIN), or another errno, each
 * with words. */
int ipvs_new(struct adapter **ret, struct err *err);
void ipvs_free(struct adapter *a);

/* The reason behind the result of a failed operation of this adapter; NULL: the errno says it all.
 */
const char *ipvs_explain(const struct op *op);

/* Calls fn for each real server of the virtual server, which has none where it does not exist.
 * Returns 0, or a negative errno with words. */
int ipvs_conns(struct adapter *a, const struct fact_key *vs,
	void (*fn)(const struct rs_conns *c, void *arg), void *arg, struct err *err);

/* IPVS_CMD_SET_CONFIG; seconds, 0 leaves the kernel's value. */
int ipvs_set_timeouts(
	struct adapter *a, uint32_t tcp, uint32_t tcp_fin, uint32_t udp, struct err *err);

/* IPVS_CMD_GET_CONFIG; seconds. Returns 0, or a negative errno with words. */
struct ipvs_timeouts {
	uint32_t tcp, tcp_fin, udp;
};
int ipvs_get_timeouts(struct adapter *a, struct ipvs_timeouts *ret, struct err *err);

/* The counters of a virtual server since it was created. */
struct vs_stats {
	struct fact_key key;
	uint64_t connections, in_packets, out_packets, in_bytes, out_bytes;
};
/* Calls fn for every virtual server. Returns 0, or a negative errno with words. */
int ipvs_stats(struct adapter *a, void (*fn)(const struct vs_stats *s, void *arg), void *arg,
	struct err *err);

/* The firewall mark of the virtual server that tries a scheduler; no packet has it. */
enum { IPVS_SCHEDULER_MARK = 0x7fffffff };
/*
 * Whether the kernel has that scheduler (it loads the module). Creates and deletes a virtual
 * server, so call it in a scratch network namespace, or after probe_clean(). Returns 1, 0, or a
 * negative errno with words.
 */
int ipvs_try_scheduler(struct adapter *a, const char *scheduler, struct err *err);

#endif
