/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_MARKS_H
#define CORE_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "core/served_port.h"

/*
 * Firewall marks. A Service port with externalTrafficPolicy Local has one virtual server by
 * address, which outside clients reach and whose real servers are the endpoints here, and one by
 * mark, which pods and the node reach and whose real servers are all. The mark stands in the bits
 * of options.mark_mask and in no other.
 *
 * A mark belongs to one port of a Service in one family. It is kept as long as that port needs one,
 * and after a restart it is what the kernel's set says, so that a restart changes nothing. Marks of
 * TCP are even, others odd: from the mark alone it can be told whether connections may be drained.
 */

enum { MARKS_MAX = 1 << 16 };

struct port_mark {
	uint8_t family, proto;
	uint16_t port; /* of the Service */
	uint32_t mark; /* shifted into place; never 0 */
};

/* The marks of one Service's ports. A zeroed one is empty. */
struct port_marks {
	struct port_mark *marks;
	size_t n;
};

struct marks;
/* The marks that the mask has room for. */
struct marks *marks_new(uint32_t mask);
void marks_free(struct marks *m);

/* The kernel's set has that mark for that address and port; to be told before the first
 * marks_assign(). Nobody else gets the mark while there are others. */
void marks_adopt(struct marks *m, const struct ip *ip, uint8_t proto, uint16_t port, uint32_t mark);
/*
 * Brings the Service's marks up to date with its served ports, and fills in served_port.mark.
 * Returns false where marks have run out: a port goes without.
 */
bool marks_assign(struct marks *m, struct port_marks *marks, const char *service,
	struct served_ports *served);
/* Gives back all marks of the Service. */
void marks_release(struct marks *m, struct port_marks *marks);

/* Fills in served_port.mark as marks_assign() did. */
void port_marks_fill(const struct port_marks *marks, struct served_ports *served);
/* Whether connections through that mark are TCP's. */
bool marks_is_tcp(uint32_t mask, uint32_t mark);

#endif
