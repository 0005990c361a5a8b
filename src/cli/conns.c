// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "conns_tally.h"
#include "report/clean.h"
#include "request.h"
#include "tree.h"

#define COMMAND "conns"

static const char *const conns_formats[] = {
	[FORMAT_TABLE] = "table",
	[FORMAT_JSON] = "json",
	[FORMAT_YAML] = "yaml",
	NULL,
};

enum { CONNS_TABLE_AUTO, CONNS_TABLE_IPVS, CONNS_TABLE_CONNTRACK };

static const char *const conns_tables[] = {
	[CONNS_TABLE_AUTO] = "auto",
	[CONNS_TABLE_IPVS] = "ipvs",
	[CONNS_TABLE_CONNTRACK] = "conntrack",
	NULL,
};

#define AT(field) .at = offsetof(struct request, field)

static const struct option_row conns_options[] = {
	{ "namespace", .letter = 'n', .arg = "NAMESPACE", .type = &type_text, AT(ns),
		.help = "show the Services of one namespace only" },
	{ "all-namespaces", .letter = 'A', .type = &type_bool, AT(all_namespaces),
		.help = "show the Services of all namespaces, which is the default" },
	{ "list", .letter = 'l', .type = &type_bool, AT(list),
		.help = "show each connection instead of the totals" },
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "table", .type = &type_choice,
		AT(format), .names = conns_formats,
		.help = "table, json or yaml; with --list table, or json with an object a line" },
	{ "table", .arg = "TABLE", .preset = "auto", .type = &type_choice, AT(table),
		.names = conns_tables,
		.help = "auto, ipvs or conntrack: the kernel's table to read" },
	{ "no-headers", .type = &type_bool, AT(no_headers),
		.help = "print the rows of the table only" },
	{ "sort-by", .arg = "COLUMN", .type = &type_text, AT(sort_by),
		.help = "sort by the column of this title, the greatest first (default ACTIVE)" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static const char conns_help[] =
	"Usage: ipvsctl-svc conns [OPTIONS] [NAME | NAMESPACE/NAME | ADDRESS[:PORT]]...\n\n"
	"Shows how many connections each endpoint of a Service has, or the connections one by\n"
	"one. Reads them from the kernel and asks the daemon for names.\n\n"
	"Options:\n";

static const char conns_exit_codes[] =
	"\nExit code: 0 fine, 2 wrong usage, 3 the kernel does not answer, or the daemon where\n"
	"names are asked for, 4 no permission, 5 no such Service.\n";

static void conns_freep(struct conns **c)
{
	conns_free(*c);
}

static void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* Gets the names while the daemon answers; NULL if it does not. */
static enum exit_code fetch_status_names(const struct request *r, json_t **ret)
{
	_cleanup_(buf_done) struct buf note = { 0 };
	struct err err;

	if (!client_status(r->socket, false, ret, &err))
		return EXIT_CODE_OK;
	buf_addf(&note, "the daemon is not reachable at %s (%s): ", r->socket, err.msg);
	if (r->ns) {
		buf_adds(&note, "only the daemon knows namespaces");
		return command_complain(COMMAND, EXIT_CODE_UNREACHABLE, buf_str(&note));
	}
	buf_adds(&note, "showing addresses without names");
	return command_complain(COMMAND, EXIT_CODE_OK, buf_str(&note));
}

static enum exit_code select_connections(const struct request *r, struct conns *c)
{
	struct err err;

	conns_select_namespace(c, r->ns);
	for (size_t i = 0; i < r->n_names; i++) {
		int e = conns_select(c, r->names[i], &err);

		if (e)
			return command_complain(COMMAND,
				e == -ENOENT ? EXIT_CODE_NOT_FOUND : EXIT_CODE_UNREACHABLE,
				err.msg);
	}
	return EXIT_CODE_OK;
}

/* Without a daemon (`status` is NULL), and with "auto", the kernel's IPVS decides which table has the
 * connections. */
static int walk_connections(const struct request *r, struct conns *c, const json_t *status,
	connection_fn fn, struct err *err)
{
	const bool known = status || r->table != CONNS_TABLE_AUTO;
	const bool ipvs = r->table == CONNS_TABLE_AUTO
		? !status || !strcmp(tree_text(status, "backend"), "ipvs")
		: r->table == CONNS_TABLE_IPVS;
	struct conntrack *conntrack;
	uint64_t skipped;
	int e;

	if (ipvs) {
		_cleanup_(fclosep) FILE *table = fopen(CONNECTION_TABLE, "re");

		if (table) {
			e = connections_read(table, fn, c, &skipped, err);
			if (!e && skipped)
				fprintf(stderr,
					"ipvsctl-svc " COMMAND ": %" PRIu64
					" lines of %s are no connections of Services\n",
					skipped, CONNECTION_TABLE);
			return e;
		}
		if (known || errno != ENOENT)
			return err_errno(err, -errno, "cannot open " CONNECTION_TABLE);
	}
	conns_select_translated(c);
	e = conntrack_new(&conntrack, err);
	if (e)
		return e;
	e = conntrack_walk(conntrack, fn, c, err);
	conntrack_free(conntrack);
	return e;
}

static enum exit_code print_totals(const struct request *r, json_t *totals)
{
	_cleanup_(show_done) struct show t = { 0 };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	if (!request_is_table(r)) {
		if (tree_print(totals, r->format == FORMAT_YAML, &out, &err) < 0)
			return command_complain(COMMAND, EXIT_CODE_UNREACHABLE, err.msg);
		return write_out(COMMAND, &out);
	}
	report_clean(totals);
	conns_totals_table(totals, &t);
	if (r->sort_by && show_sort(&t, r->sort_by, true, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (!r->no_headers) {
		conns_totals_head(totals, &out);
		buf_addc(&out, '\n');
	}
	show_print(&t, !r->no_headers, show_colours_wanted(), &out);
	return write_out(COMMAND, &out);
}

static enum exit_code show_conns(const struct request *r)
{
	_cleanup_(tree_freep) json_t *status = NULL, *totals = NULL;
	_cleanup_(conns_freep) struct conns *c = NULL;
	enum exit_code code = fetch_status_names(r, &status);
	struct err err;

	if (code)
		return code;
	c = conns_new(status);
	code = select_connections(r, c);
	if (code)
		return code;
	if (r->list)
		conns_list(c, stdout, r->format == FORMAT_JSON, !r->no_headers);
	if (walk_connections(r, c, status, r->list ? conns_print : conns_count, &err))
		return command_complain(COMMAND, exit_code_of(err.code), err.msg);
	if (r->list) {
		const struct buf nothing = { 0 };

		conns_flush(c);
		return write_out(COMMAND, &nothing);
	}
	totals = conns_totals_json(c);
	return print_totals(r, totals);
}

enum exit_code conns_main(int argc, char **argv)
{
	struct request r;
	struct err err;

	if (request_parse(&r, conns_options, ARRAY_SIZE(conns_options), argc, argv, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		fputs(conns_help, stdout);
		for (size_t i = 0; i < ARRAY_SIZE(conns_options); i++)
			option_help(&conns_options[i], stdout);
		fputs(conns_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (r.list && (r.sort_by || r.format == FORMAT_YAML))
		return command_complain(COMMAND, EXIT_CODE_USAGE,
			r.sort_by ? "--list is printed as it is read, so it cannot be sorted"
				  : "--list has the formats table and json");
	return show_conns(&r);
}
