/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_CA_FILES_H
#define API_CA_FILES_H

#include <stddef.h>

/*
 * Certificates of authorities in memory, as files that libcurl can open: before 7.77 it takes no
 * others. It uses a connection again if it was verified with the same path, so every content has a
 * path of its own, for as long as connections may live that were verified with it.
 */
enum { CA_FILES_MAX = 8 };

/* Zeroed: none. */
struct ca_files {
	struct ca_file {
		int fd; /* of a file that has no name; valid if len > 0 */
		size_t len;
		char path[32];
	} files[CA_FILES_MAX];
	unsigned next; /* the one whose content makes room */
};

/* The path of a file with this content, which is not empty; NULL with errno if there can be none.
 * It is valid until CA_FILES_MAX other contents were asked for. */
const char *ca_files_path(struct ca_files *c, const void *data, size_t len);
void ca_files_done(struct ca_files *c);

#endif
