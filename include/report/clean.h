/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_CLEAN_H
#define REPORT_CLEAN_H

#include <jansson.h>

/*
 * Makes the strings of a tree fit for a text that people read in a terminal: '?' stands for each
 * character that is not printable (base/printable.h). Each value is treated by itself, before it is
 * part of a line, so that none can begin another line. Keys are ours and stay.
 */
void report_clean(json_t *tree);

#endif
