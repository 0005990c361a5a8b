/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_LEFTOVERS_RULES_H
#define KERNEL_LEFTOVERS_RULES_H

#include "kernel/leftovers.h"

/* The text work of kernel/leftovers.h: on what iptables-save prints of one table. */

bool leftovers_is_kube_proxys(enum table table, const char *chain);
/* Adds the chain if it is one of kube-proxy's. */
void leftovers_note(
	struct leftovers *l, int family, enum table table, const char *chain, bool spare_ours);
/* Adds the chains of kube-proxy in the text. */
void leftovers_parse(
	const char *text, int family, enum table table, bool spare_ours, struct leftovers *ret);
/* Writes the document for iptables-restore that removes those of them which are chains of that
 * family and table; nothing where none is. */
void leftovers_document(
	const struct leftovers *l, const char *text, int family, enum table table, struct buf *doc);

#endif
