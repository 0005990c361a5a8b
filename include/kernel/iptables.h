/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_H
#define KERNEL_IPTABLES_H

#include <stdbool.h>

#include "base/err.h"
#include "core/adapter.h"
#include "core/text.h"

/*
 * iptables and ip6tables: FACT_CHAIN and FACT_JUMP, written by one `iptables-restore --noflush` a
 * batch and family, read back with `iptables-save`. The text of a chain is its rules as
 * iptables-save prints them, each "-A CHAIN ...\n"; that of a jump is its one rule. What iptables
 * prints in another form than it was given is brought into one form before it is compared.
 *
 * Only chains that core/resolve.h knows by name are read, written or deleted.
 */

struct iptables_info {
	char version[32]; /* "1.8.9" */
	bool nft;	  /* the nf_tables variant, else legacy */
	bool random_fully;
};

/* `texts` must live as long as the adapter. Returns 0, -ENOENT (no such tool), or another errno
 * with words. */
int iptables_new(
	const struct text_pool *texts, bool ipv4, bool ipv6, struct adapter **ret, struct err *err);
void iptables_free(struct adapter *a);
const struct iptables_info *iptables_info(const struct adapter *a);

#endif
