/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/*
 * Appends the bytes that the text stands for (RFC 4648 section 4). As Go's decoder, which reads the
 * same kubeconfigs, it skips line breaks, wants the padding, and ignores the unused bits of the last
 * digit. Returns 0, or -EINVAL, and then the buffer is as it was.
 */
int base64_decode(const char *text, struct buf *ret);

#endif
