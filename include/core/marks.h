/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_MARKS_H
#define CORE_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "core/node_view.h"
#include "core/store.h"

/*
 * Firewall marks. A Service port with externalTrafficPolicy Local has one virtual server by
 * address, which outside clients reach and whose real servers are the endpoints here, and one by
 * mark, which pods and the node reach and whose real servers are all. The mark stands in the bits
 * of policy.mark_mask and in no other.
 *
 * A mark belongs to one port of a Service in one family. It is kept as long as that port needs one,
 * and after a restart it is what the kernel's set says, so that a restart changes nothing. Marks of
 * TCP are even, others odd: from the mark alone it can be told whether connections may be drained.
 */

enum { MARKS_MAX = 1 << 16 };

struct slot_mark {
	uint8_t family, proto;
	uint16_t port; /* of the Service */
	uint32_t mark; /* shifted into place; never 0 */
};

struct marks;
/* The marks that the mask has room for. */
struct marks *marks_new(uint32_t mask);
void marks_free(struct marks *m);

/* The kernel's set says so; to be told before the first marks_assign(). Nobody else gets the mark
 * while there are others. */
void marks_adopt(struct marks *m, const struct ip *ip, uint8_t proto, uint16_t port, uint32_t mark);
/* Brings slot->marks up to date with the Service. Returns false where marks have run out: a port
 * goes without. */
bool marks_assign(struct marks *m, struct slot *slot, const struct node_view *view);
/* Gives back all marks of the slot. */
void marks_release(struct marks *m, struct slot *slot);

/* The mark of that port, 0: none. */
uint32_t marks_find(const struct slot *slot, int family, uint8_t proto, uint16_t port);
/* Whether connections through that mark are TCP's. */
bool marks_is_tcp(uint32_t mask, uint32_t mark);

#endif
