/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPSET_TEXT_H
#define KERNEL_IPSET_TEXT_H

#include <stdint.h>

/*
 * libipset reports errors in words only. The errno that they stand for; *ret_line is N of "Error in
 * line N: ", or 0.
 */
int ipset_text_errno(const char *text, uint32_t *ret_line);

#endif
