/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_BASE64_H
#define API_BASE64_H

#include <stddef.h>

/*
 * Decodes base64 (RFC 4648 section 4) in place, as Go does: line breaks are passed over, padding is
 * a must. Returns 0, or -EINVAL; the text is lost in both cases.
 */
int base64_decode(char *s, size_t *ret_len);

#endif
