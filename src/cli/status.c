// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "decode/yaml.h"
#include "emit.h"
#include "kernel_view.h"
#include "request.h"
#include "status_view.h"

enum { WATCH_SECONDS = 2 };

#define COMMAND "status"

static const char *const formats[] = {
	[FORMAT_TABLE] = "table",
	[FORMAT_JSON] = "json",
	[FORMAT_YAML] = "yaml",
	[FORMAT_WIDE] = "wide",
	NULL,
};

#define AT(field) .at = offsetof(struct request, field)

static const struct option_row status_options[] = {
	{ "namespace", .letter = 'n', .arg = "NAMESPACE", .type = &type_text, AT(ns),
		.help = "show the Services of one namespace only" },
	{ "all-namespaces", .letter = 'A', .type = &type_bool, AT(all_namespaces),
		.help = "show the Services of all namespaces, which is the default" },
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "table", .type = &type_choice,
		AT(format), .names = formats, .help = "table, wide, json or yaml" },
	{ "watch", .letter = 'w', .type = &type_bool, AT(watch),
		.help = "repeat every 2 seconds until interrupted" },
	{ "no-headers", .type = &type_bool, AT(no_headers),
		.help = "print the rows of the table only" },
	{ "sort-by", .arg = "COLUMN", .type = &type_text, AT(sort_by),
		.help = "sort the table by the column of this title" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static void print_help(void)
{
	printf("Usage: ipvsctl-svc status [OPTIONS] [NAME | NAMESPACE/NAME]...\n\n"
	       "Shows the Services of this node, and whether the kernel holds what they want.\n"
	       "Without a running daemon it shows the virtual servers in the kernel.\n\n"
	       "Options:\n");
	for (size_t i = 0; i < ARRAY_SIZE(status_options); i++)
		option_help(&status_options[i], stdout);
	printf("\nExit code: 0 all is well, 1 something is degraded, failing or pending,\n"
	       "2 wrong usage, 3 neither daemon nor kernel answer, 4 no permission,\n"
	       "5 no such Service.\n");
}

/* Fetching */

/* Without the daemon the kernel is asked; `note` says so. */
static enum exit_code fetch_from_kernel(
	const struct request *r, const struct err *why, json_t **ret, struct buf *note)
{
	struct err err;
	int k;

	buf_addf(note, "Daemon not reachable at %s (%s)", r->socket, why->msg);
	if (r->n_names || r->ns) {
		buf_adds(note, "; the kernel, which is asked then, knows no Services by name");
		return complain(COMMAND, EXIT_CODE_UNREACHABLE, buf_str(note));
	}
	k = kernel_view(ret, &err);
	if (k < 0) {
		buf_addf(note, "; the kernel, which is asked then, does not tell: %s", err.msg);
		return complain(COMMAND, exit_code_of(k), buf_str(note));
	}
	buf_adds(note, ": what the kernel holds");
	return EXIT_CODE_OK;
}

static enum exit_code fetch(const struct request *r, json_t **ret, struct buf *note)
{
	struct err err;
	int c = client_status(r->socket, ret, &err);

	if (!c)
		return EXIT_CODE_OK;
	if (c != -EACCES)
		return fetch_from_kernel(r, &err, ret, note);
	err_prefix(&err, "%s", r->socket);
	return complain(COMMAND, EXIT_CODE_PERMISSION, err.msg);
}

/* Selecting */

static bool name_matches(const char *name, const json_t *service)
{
	const char *ns = json_string_value(json_object_get(service, "namespace"));
	const char *base = json_string_value(json_object_get(service, "name"));
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;

	if (!ns || !base)
		return false;
	if (slash && (strlen(ns) != len || strncmp(ns, name, len) != 0))
		return false;
	return !strcmp(slash ? slash + 1 : name, base);
}

static bool in_namespace(const struct request *r, const json_t *service)
{
	const char *ns = json_string_value(json_object_get(service, "namespace"));

	return !r->ns || (ns && !strcmp(ns, r->ns));
}

static bool named(const struct request *r, const json_t *service)
{
	for (size_t i = 0; i < r->n_names; i++)
		if (name_matches(r->names[i], service))
			return true;
	return !r->n_names;
}

static bool has_name(const json_t *services, const char *name)
{
	const json_t *s;
	size_t i;

	json_array_foreach(services, i, s) {
		if (name_matches(name, s))
			return true;
	}
	return false;
}

/* Leaves only the Services that were asked for. Returns how many that were named are not there. */
static size_t select_services(const struct request *r, json_t *status)
{
	json_t *all = json_object_get(status, "services"), *some = json_array(), *s;
	size_t missing = 0, i;

	json_array_foreach(all, i, s) {
		if (in_namespace(r, s) && named(r, s))
			json_array_append(some, s);
	}
	for (i = 0; i < r->n_names; i++)
		if (!has_name(some, r->names[i])) {
			fprintf(stderr, "ipvsctl-svc status: no Service \"%s\"%s%s\n", r->names[i],
				r->ns ? " in namespace " : "", r->ns ? r->ns : "");
			missing++;
		}
	json_object_set_new(status, "services", some);
	return missing;
}

/* Printing */

static enum exit_code render_table(
	const struct request *r, const json_t *status, const struct buf *note, struct buf *out)
{
	_cleanup_(show_done) struct show t;
	struct err err;

	status_view_table(status, r->format == FORMAT_WIDE, &t);
	if (r->sort_by && show_sort(&t, r->sort_by, false, &err) < 0)
		return complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (!r->no_headers) {
		if (note->len)
			buf_addf(out, "%s\n", buf_str(note));
		status_view_head(status, out);
		buf_addc(out, '\n');
	}
	show_print(&t, !r->no_headers, show_colours_wanted(), out);
	return EXIT_CODE_OK;
}

static enum exit_code render(
	const struct request *r, const json_t *status, const struct buf *note, struct buf *out)
{
	struct err err;

	if (note->len && (r->no_headers || !request_is_table(r)))
		complain(COMMAND, EXIT_CODE_OK, buf_str(note));
	switch (r->format) {
	case FORMAT_TABLE:
	case FORMAT_WIDE:
		return render_table(r, status, note, out);
	case FORMAT_JSON:
		emit_json(status, out);
		return EXIT_CODE_OK;
	case FORMAT_YAML:
		if (yaml_print(status, out, &err) < 0)
			return complain(COMMAND, EXIT_CODE_UNREACHABLE, err.msg);
		return EXIT_CODE_OK;
	}
	return EXIT_CODE_OK;
}

static void jsonp_done(json_t **p)
{
	json_decref(*p);
}

/* `clear`: what the screen showed before goes. */
static enum exit_code show_once(const struct request *r, bool clear)
{
	_cleanup_(buf_done) struct buf note = { 0 }, out = { 0 };
	_cleanup_(jsonp_done) json_t *status = NULL;
	size_t missing;
	enum exit_code code = fetch(r, &status, &note);

	if (code)
		return code;
	missing = select_services(r, status);
	if (missing && missing == r->n_names)
		return EXIT_CODE_NOT_FOUND;
	if (clear)
		buf_adds(&out, "\033[H\033[2J");
	code = render(r, status, &note, &out);
	if (!code)
		code = write_out(COMMAND, &out);
	if (code)
		return code;
	if (missing)
		return EXIT_CODE_NOT_FOUND;
	return status_view_is_fine(status, !r->n_names && !r->ns) ? EXIT_CODE_OK
								  : EXIT_CODE_DIFFERENT;
}

/* What goes wrong at once ends it; later a daemon may be restarting. */
static enum exit_code watch(const struct request *r)
{
	const struct timespec pause = { .tv_sec = WATCH_SECONDS };
	bool clear = request_is_table(r) && isatty(STDOUT_FILENO);
	enum exit_code code = show_once(r, clear);

	while (code <= EXIT_CODE_DIFFERENT && !ferror(stdout)) {
		nanosleep(&pause, NULL);
		if (!clear && request_is_table(r))
			putchar('\n');
		show_once(r, clear);
	}
	return code;
}

enum exit_code status_main(int argc, char **argv)
{
	struct request r;
	struct err err;

	if (request_parse(&r, status_options, ARRAY_SIZE(status_options), argc, argv, &err) < 0)
		return complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		print_help();
		return EXIT_CODE_OK;
	}
	return r.watch ? watch(&r) : show_once(&r, false);
}
