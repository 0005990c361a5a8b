// SPDX-License-Identifier: GPL-2.0-or-later
#include "request.h"

#include <errno.h>

#include "config/command_line.h"

bool request_is_table(const struct request *r)
{
	return r->format == FORMAT_TABLE || r->format == FORMAT_WIDE;
}

int request_parse(struct request *r, const struct option_row *options, size_t n, int argc,
	char **argv, struct err *err)
{
	int e;

	*r = (struct request){ .names = argv + 1 };
	e = command_line_read(options, n, argc, argv, r, &r->n_names, err);
	if (e < 0)
		return e;
	if (r->all_namespaces) /* wins, as kubectl's does */
		r->ns = NULL;
	if (r->sort_by && !request_is_table(r))
		return err_set(err, -EINVAL, "--sort-by: only a table can be sorted");
	return 0;
}
