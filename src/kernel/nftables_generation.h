/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NFTABLES_GENERATION_H
#define KERNEL_NFTABLES_GENERATION_H

#include <stdint.h>

#include "nl.h"

/*
 * The kernel counts the transactions that changed nf_tables in a network namespace, whoever made
 * them (nf_tables_commit()). So one message tells that only we have changed it: the number has grown
 * by our own transactions. One that fails changes neither nf_tables nor the number, and one of
 * requests that are all fulfilled already does not either. Elements that packets add and elements
 * that expire do not count; they are no facts.
 */
struct nftables_generation {
	uint32_t number; /* after our last transaction or question; 0: unknown */
	uint64_t epoch;	 /* how often others may have changed nf_tables */
};

/* The number that a message has, for nl_port_transaction() with NLM_F_ECHO in its first request: an
 * nl_message_fn whose argument is a uint32_t. Other messages do not change it. */
void nftables_take_generation(struct nlmsghdr *msg, void *arg);
/* A transaction of ours succeeded, and the kernel told this number; 0: it told none. */
void nftables_generation_written(struct nftables_generation *g, uint32_t number);
/* A transaction of ours failed: its outcome, or what it met, is not what we thought. */
void nftables_generation_forget(struct nftables_generation *g);
/* Asks the kernel for the number. As the operation of struct adapter. */
uint64_t nftables_generation_epoch(struct nftables_generation *g, struct nl_port *port);

#endif
