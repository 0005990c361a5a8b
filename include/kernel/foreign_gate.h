/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_FOREIGN_GATE_H
#define KERNEL_FOREIGN_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "kernel/iptables_gate.h"

/*
 * Chains of others that drop packets of Services. netfilter asks all chains at a hook, and a drop by
 * any of them is final: what our rules accept opens no chain in another table.
 */

enum { FOREIGN_NAME_SIZE = 256 /* NFT_NAME_MAXLEN */ };

enum foreign_place {
	PLACE_NFTABLES,
	PLACE_IPTABLES_NFT, /* a table that the nf_tables variant of iptables made */
	PLACE_IPTABLES_LEGACY,
};

struct foreign_gate {
	enum gate closed;
	enum foreign_place place;
	enum hook hook;
	int family; /* AF_INET, AF_INET6, or 0: both (inet) */
	char table[FOREIGN_NAME_SIZE], chain[FOREIGN_NAME_SIZE];
};

struct foreign_query {
	const struct gate_packets *packets; /* each at a hook of its own */
	size_t n_packets;
	bool ipv4, ipv6; /* the families that count */
	/* Table filter of that variant of iptables is known already. */
	bool skip_nft_filter, skip_legacy;
};

/*
 * Reads base chains of all tables of nftables but ours, and table filter of legacy iptables. A chain
 * whose policy is to accept, and that ends with no rule that drops or rejects everything, is open;
 * in doubt any is, as with iptables_gate_read(). What a chain drops in which it calls others, or
 * under conditions, is not seen. Returns 0, or a negative errno with words; writes the first `max`
 * that are closed.
 */
int foreign_gates_read(const struct foreign_query *q, struct foreign_gate *ret, size_t max,
	size_t *ret_n, struct err *err);

#endif
