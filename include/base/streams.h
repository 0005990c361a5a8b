/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_STREAMS_H
#define BASE_STREAMS_H

/*
 * Opens /dev/null for each of standard input, output and error that is closed. Otherwise the next
 * file or socket that is opened would be one of them, and get what is printed. To be called first.
 */
void streams_open(void);

#endif
