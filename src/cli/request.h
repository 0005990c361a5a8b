/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "config/option.h"

/* Options that the commands with a table have in common; each command has some of them. */

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_YAML, FORMAT_WIDE, FORMAT_NAME };

struct request {
	const char *socket, *sort_by;
	const char *ns;	 /* NULL: all */
	double interval; /* seconds; of top */
	enum format format;
	int table; /* of conns */
	bool all_namespaces, watch, no_headers, list, help;
	char *const *names; /* the arguments that are not options */
	size_t n_names;
};

/*
 * Reads the command line by a table whose target is struct request; argv is reordered. Returns 0,
 * or -EINVAL with a text.
 */
int request_parse(struct request *r, const struct option_row *options, size_t n, int argc,
	char **argv, struct err *err);
/* True for FORMAT_TABLE and FORMAT_WIDE. */
bool request_is_table(const struct request *r);

#endif
