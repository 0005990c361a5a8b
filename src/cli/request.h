/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "options.h"

/* What the commands that show a table are asked for, by options that they have in common. */

enum format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_JSON, FORMAT_YAML };

struct request {
	bool has_wide; /* the command knows that format */
	const char *socket, *sort_by;
	const char *ns;	 /* NULL: all */
	double interval; /* seconds; of top */
	enum format format;
	bool all_namespaces, watch, no_headers, help;
	char *const *names; /* the arguments that are no options */
	size_t n_names;
};

enum { OPTION_NO_HEADERS = 256, OPTION_SORT_BY, OPTION_SOCKET };

/* Reads the command line of a command that has these options, or some of them: the letters are the
 * same everywhere. 0, or -EINVAL with words. */
int request_parse(struct request *r, const struct cli_option *options, size_t n, int argc,
	char **argv, struct err *err);
bool request_is_table(const struct request *r);

#endif
