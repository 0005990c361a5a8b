/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_CERTIFICATE_H
#define API_CERTIFICATE_H

#include <stdint.h>

/* When certificates are valid (RFC 5280 4.1.2.5). Nothing else of them is read, or verified. */

struct validity {
	int64_t from, until; /* seconds since the epoch; until 0: unknown */
};

/* Reads the next certificate of a PEM text and moves *pem behind it. Returns 1, 0 (there is none
 * any more), or -EBADMSG: this one cannot be read. */
int certificate_next(const char **pem, struct validity *ret);

#endif
