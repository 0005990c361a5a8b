// SPDX-License-Identifier: GPL-2.0-or-later
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const double MIN_INTERVAL = 0.1, MAX_INTERVAL = 3600;

static int parse_format(struct request *r, const char *s, struct err *err)
{
	static const char *const names[] = {
		[FORMAT_TABLE] = "table",
		[FORMAT_WIDE] = "wide",
		[FORMAT_JSON] = "json",
		[FORMAT_YAML] = "yaml",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(s, names[i]) && (i != FORMAT_WIDE || r->has_wide)) {
			r->format = (enum format)i;
			return 0;
		}
	return err_set(err, -EINVAL, "--output is \"%s\", must be table, %sjson or yaml", s,
		r->has_wide ? "wide, " : "");
}

static int parse_interval(const char *s, double *ret, struct err *err)
{
	char *end;
	double seconds = strtod(s, &end);

	if (end == s || *end || !(seconds >= MIN_INTERVAL && seconds <= MAX_INTERVAL))
		return err_set(err, -EINVAL, "--interval is \"%s\", must be %g to %g seconds", s,
			MIN_INTERVAL, MAX_INTERVAL);
	*ret = seconds;
	return 0;
}

static int take_option(struct request *r, int id, struct err *err)
{
	switch (id) {
	case 'n':
		r->ns = optarg;
		return 0;
	case 'i':
		return parse_interval(optarg, &r->interval, err);
	case 'o':
		return parse_format(r, optarg, err);
	case 'w':
		r->watch = true;
		return 0;
	case OPTION_NO_HEADERS:
		r->no_headers = true;
		return 0;
	case OPTION_SORT_BY:
		r->sort_by = optarg;
		return 0;
	case OPTION_SOCKET:
		r->socket = optarg;
		return 0;
	case 'h':
		r->help = true;
		return 0;
	default: /* -A */
		r->all_namespaces = true;
		return 0;
	}
}

bool request_is_table(const struct request *r)
{
	return r->format == FORMAT_TABLE || r->format == FORMAT_WIDE;
}

int request_parse(struct request *r, const struct cli_option *options, size_t n, int argc,
	char **argv, struct err *err)
{
	struct cli_options o;
	int id;

	cli_options_init(&o, options, n);
	while ((id = cli_options_next(&o, argc, argv, err)) > 0) {
		id = take_option(r, id, err);
		if (id < 0)
			return id;
	}
	if (id < 0)
		return id;
	if (r->all_namespaces) /* wins, as kubectl's does */
		r->ns = NULL;
	if (r->sort_by && !request_is_table(r))
		return err_set(err, -EINVAL, "--sort-by goes with the output table%s",
			r->has_wide ? " or wide" : "");
	r->names = argv + optind;
	r->n_names = (size_t)(argc - optind);
	return 0;
}
