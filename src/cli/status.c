// SPDX-License-Identifier: GPL-2.0-or-later
#include "status.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/printable.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "kernel_view.h"
#include "report/clean.h"
#include "request.h"
#include "tree.h"

enum { WATCH_SECONDS = 2 };

#define COMMAND "status"

static const char *const status_formats[] = {
	[FORMAT_TABLE] = "table",
	[FORMAT_JSON] = "json",
	[FORMAT_YAML] = "yaml",
	[FORMAT_WIDE] = "wide",
	[FORMAT_NAME] = "name",
	NULL,
};

#define AT(field) .at = offsetof(struct request, field)

static const struct option_row status_options[] = {
	{ "namespace", .letter = 'n', .arg = "NAMESPACE", .type = &type_text, AT(ns),
		.help = "show the Services of one namespace only" },
	{ "all-namespaces", .letter = 'A', .type = &type_bool, AT(all_namespaces),
		.help = "show the Services of all namespaces, which is the default" },
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "table", .type = &type_choice,
		AT(format), .names = status_formats, .help = "table, wide, json, yaml or name" },
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

static const char status_help[] =
	"Usage: ipvsctl-svc status [OPTIONS] [NAME | NAMESPACE/NAME]...\n\n"
	"Shows the Services of this node and whether the kernel is in sync with them.\n"
	"Without a running daemon it shows the virtual servers in the kernel.\n\n"
	"Options:\n";

static const char status_exit_codes[] =
	"\nExit code: 0 in sync, 1 something is degraded, unknown, pending, in conflict, refused\n"
	"or failing, 2 wrong usage, 3 neither the daemon nor the kernel answers,\n"
	"4 no permission, 5 no such Service.\n";

/* The lines above the table */

static bool is_from_kernel(const json_t *status)
{
	return !strcmp(tree_text(status, "source"), "kernel");
}

static void add_input(struct buf *out, const json_t *status)
{
	const json_int_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
	const json_t *input = json_object_get(status, "input");
	const json_t *ago = json_object_get(json_object_get(status, "summary"), "lastChangeMsAgo");
	json_int_t ms = json_integer_value(ago);

	if (!json_is_object(input))
		return;
	buf_addf(out, "   Input: %s, ", tree_text(input, "kind"));
	if (!tree_true(input, "synced"))
		buf_adds(out, "not synced yet");
	else if (!json_is_integer(ago))
		buf_adds(out, "synced");
	else if (ms < second)
		buf_addf(out, "synced %lldms ago", ms);
	else if (ms < 2 * minute)
		buf_addf(out, "synced %llds ago", ms / second);
	else if (ms < 2 * hour)
		buf_addf(out, "synced %lldm ago", ms / minute);
	else if (ms < 2 * day)
		buf_addf(out, "synced %lldh ago", ms / hour);
	else
		buf_addf(out, "synced %lldd ago", ms / day);
}

static void add_summary(struct buf *out, const json_t *status)
{
	static const struct {
		const char *title, *key;
		bool even_zero;
	} counts[] = {
		{ "Draining", "draining", true },
		{ "Drift", "drift", true },
		{ "Foreign", "foreign", true },
		{ "Unknown", "unknown", false },
		{ "Pending", "pending", false },
		{ "Failing", "failing", false },
	};
	const json_t *s = json_object_get(status, "summary");
	const json_t *us = json_object_get(s, "lastSyncMicroseconds");
	json_int_t ports = tree_number(s, "ports"), endpoints = tree_number(s, "endpoints");
	double ms = (double)json_integer_value(us) / 1000;

	buf_addf(out, "Services: %lld port%s, %lld endpoint%s", ports, ports == 1 ? "" : "s",
		endpoints, endpoints == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (tree_number(s, counts[i].key) || counts[i].even_zero)
			buf_addf(
				out, "   %s: %lld", counts[i].title, tree_number(s, counts[i].key));
	if (!json_is_integer(us))
		buf_adds(out, "   Last sync: -\n");
	else if (ms < 1000)
		buf_addf(out, "   Last sync: %.1fms\n", ms);
	else
		buf_addf(out, "   Last sync: %.1fs\n", ms / 1000);
}

static void add_lines(struct buf *out, const char *title, const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		buf_addf(out, "%s: ", title);
		printable_add(out, json_is_string(line) ? json_string_value(line) : "?");
		buf_addc(out, '\n');
	}
}

/* "Override: endpoint 10.244.1.5:8080 of shop/web is drained, for another 540 s, by user 0" */
static void add_overrides(struct buf *out, const json_t *overrides)
{
	const json_t *o, *left;
	const char *service;
	size_t i;

	json_array_foreach(overrides, i, o) {
		service = tree_text(o, "service");
		left = json_object_get(o, "secondsLeft");
		buf_addf(out, "Override: endpoint %s of %s ", tree_text(o, "endpoint"),
			*service ? service : "all Services");
		if (tree_number(o, "weight"))
			buf_addf(out, "has weight %lld", tree_number(o, "weight"));
		else
			buf_adds(out, "is drained");
		if (json_is_integer(left))
			buf_addf(out, ", for another %lld s", json_integer_value(left));
		buf_addf(out, ", by user %lld\n", tree_number(o, "user"));
	}
}

enum { MAX_LIMITED = 10 };

/* "Limits: shop/web: scheduler "lc": endpoints are chosen by chance" */
static void add_limits(struct buf *out, const json_t *services)
{
	const json_t *s, *limit;
	size_t i, j, n = 0;

	json_array_foreach(services, i, s) {
		const json_t *limits = json_object_get(s, "limits");

		if (!json_array_size(limits) || n++ >= MAX_LIMITED)
			continue;
		buf_addf(out, "Limits: %s/%s: ", tree_text(s, "namespace"), tree_text(s, "name"));
		json_array_foreach(limits, j, limit) {
			buf_adds(out, j ? "; " : "");
			printable_add(out, json_is_string(limit) ? json_string_value(limit) : "?");
		}
		buf_addc(out, '\n');
	}
	if (n > MAX_LIMITED)
		buf_addf(out, "Limits: %zu more Service%s, see -o json\n", n - MAX_LIMITED,
			n - MAX_LIMITED == 1 ? "" : "s");
}

void status_head(const json_t *status, struct buf *out)
{
	const json_t *list = json_object_get(status, "virtualServers"), *vs;
	const bool nftables = !strcmp(tree_text(status, "netfilter"), "nftables") &&
		!strcmp(tree_text(status, "backend"), "ipvs");
	size_t i, real_servers = 0;

	buf_addf(out, "Node: %s   Backend: %s%s (kernel %s)", tree_text(status, "node"),
		tree_text(status, "backend"), nftables ? " with nftables" : "",
		tree_text(status, "kernel"));
	add_input(out, status);
	buf_addc(out, '\n');
	if (is_from_kernel(status)) {
		json_array_foreach(list, i, vs) {
			real_servers += json_array_size(json_object_get(vs, "realServers"));
		}
		buf_addf(out, "Virtual servers: %zu   Real servers: %zu\n", json_array_size(list),
			real_servers);
	} else {
		add_summary(out, status);
	}
	add_lines(out, "Warning", json_object_get(status, "warnings"));
	add_lines(out, "Failing", json_object_get(status, "failures"));
	add_overrides(out, json_object_get(status, "overrides"));
	add_limits(out, json_object_get(status, "services"));
}

/* States */

struct state_look {
	const char *name;
	enum colour colour;
	bool fine;
};

/* The states of report_service.c. A state that only a newer daemon knows counts as fine. */
static const struct state_look state_looks[] = {
	{ "OK", COLOUR_GREEN, true },
	{ "NotProxied", COLOUR_NONE, true },
	{ "Draining", COLOUR_YELLOW, true },
	{ "NoEndpoints", COLOUR_YELLOW, true },
	{ "Degraded", COLOUR_YELLOW, false },
	{ "Unknown", COLOUR_YELLOW, false },
	{ "Pending", COLOUR_YELLOW, false },
	{ "Conflict", COLOUR_RED, false },
	{ "Refused", COLOUR_RED, false },
	{ "Failing", COLOUR_RED, false },
};

static const struct state_look *state_look_of(const json_t *o)
{
	static const struct state_look unknown = { "", COLOUR_NONE, true };

	for (size_t i = 0; i < ARRAY_SIZE(state_looks); i++)
		if (!strcmp(state_looks[i].name, tree_text(o, "state")))
			return &state_looks[i];
	return &unknown;
}

bool status_services_are_fine(const json_t *services)
{
	const json_t *s;
	size_t i;

	json_array_foreach(services, i, s) {
		if (!state_look_of(s)->fine)
			return false;
	}
	return true;
}

bool status_is_fine(const json_t *status, bool all)
{
	const json_t *input = json_object_get(status, "input");

	if (is_from_kernel(status))
		return true;
	return status_services_are_fine(json_object_get(status, "services")) &&
		!json_array_size(json_object_get(status, "unknown")) &&
		tree_true(input, "synced") && !json_is_false(json_object_get(input, "complete")) &&
		(!all || !json_array_size(json_object_get(status, "failures")));
}

void status_print_state(const json_t *o, struct buf *out)
{
	const char *state = tree_text(o, "state"), *reason = tree_text(o, "reason");

	buf_adds(out, state);
	if (!strcmp(state, "Draining") && tree_number(o, "draining"))
		buf_addf(out, "(%lld)", tree_number(o, "draining"));
	if (*reason)
		buf_addf(out, " (%s)", reason);
}

/* The table */

static const char *const status_titles[] = { "NAMESPACE", "NAME", "PORT", "TYPE", "VIP",
	"SCHEDULER", "ENDPOINTS", "ACTIVE", "STATE" };
static const char *const status_wide_titles[] = { "NAMESPACE", "NAME", "PORT", "TYPE", "VIP",
	"SCHEDULER", "ENDPOINTS", "ACTIVE", "PERSISTENCE", "ADDRESSES", "ENDPOINT-LIST", "STATE" };
static const char *const kernel_titles[] = { "VIRTUAL-SERVER", "SCHEDULER", "REAL-SERVERS",
	"WEIGHT", "ACTIVE" };
static const char *const kernel_wide_titles[] = { "VIRTUAL-SERVER", "SCHEDULER", "REAL-SERVERS",
	"WEIGHT", "ACTIVE", "PERSISTENCE", "LIST" };

static bool is_served(const json_t *address)
{
	const char *state = tree_text(address, "state");

	return strcmp(state, "Refused") != 0 && strcmp(state, "Conflict") != 0;
}

/* Shows the address that people know the Service by: a load balancer's before the cluster IP. */
static void print_vip(const json_t *addresses, struct buf *out)
{
	const json_t *vip = json_array_get(addresses, 0), *a;
	size_t i, n = json_array_size(addresses);

	json_array_foreach(addresses, i, a) {
		if (!strcmp(tree_text(a, "kind"), "LoadBalancer") && is_served(a)) {
			vip = a;
			break;
		}
	}
	buf_adds(out, tree_text(vip, "address"));
	if (n > 1)
		buf_addf(out, " +%zu", n - 1);
}

/* "ADDRESS:PORT (weight 1)", or the reason why it gets no traffic. */
static void print_endpoints(const json_t *endpoints, struct buf *out)
{
	const json_t *ep;
	size_t i;

	json_array_foreach(endpoints, i, ep) {
		const char *reason = tree_text(ep, "reason");
		bool ready = !strcmp(reason, "ready");

		buf_adds(out, i ? ", " : "");
		tree_address_port(ep, out);
		if (tree_true(ep, "used"))
			buf_addf(out, " (weight %lld%s%s)", tree_number(ep, "weight"),
				ready ? "" : ": ", ready ? "" : reason);
		else
			buf_addf(out, " (%s)", reason);
	}
}

static void print_persistence(const json_t *o, struct buf *out)
{
	if (tree_number(o, "persistenceSeconds"))
		buf_addf(out, "%llds", tree_number(o, "persistenceSeconds"));
}

static void add_port_row(struct show *t, const json_t *service, const json_t *port, bool wide)
{
	const json_t *addresses = json_object_get(port, "addresses"), *a;
	const json_t *active = json_object_get(port, "activeConnections");
	struct buf *cell;
	size_t i;

	show_row(t, state_look_of(port)->colour);
	buf_adds(show_cell(t), tree_text(service, "namespace"));
	buf_adds(show_cell(t), tree_text(service, "name"));
	buf_addf(show_cell(t), "%lld/%s", tree_number(port, "port"), tree_text(port, "protocol"));
	buf_adds(show_cell(t), tree_text(service, "type"));
	print_vip(addresses, show_cell(t));
	buf_adds(show_cell(t), tree_text(port, "scheduler"));
	buf_addf(show_cell(t), "%lld/%lld", tree_number(port, "ready"), tree_number(port, "total"));
	cell = show_cell(t);
	if (json_is_integer(active))
		buf_addf(cell, "%lld", json_integer_value(active));
	if (wide) {
		print_persistence(port, show_cell(t));
		cell = show_cell(t);
		json_array_foreach(addresses, i, a) {
			buf_adds(cell, i ? ", " : "");
			tree_address_port(a, cell);
			buf_adds(cell, is_served(a) ? "" : " (not served)");
		}
		print_endpoints(json_object_get(port, "endpoints"), show_cell(t));
	}
	status_print_state(port, show_cell(t));
}

static void add_service_rows(struct show *t, const json_t *service, bool wide)
{
	const json_t *ports = json_object_get(service, "ports"), *port;
	size_t i;

	json_array_foreach(ports, i, port) {
		add_port_row(t, service, port, wide);
	}
	if (json_array_size(ports))
		return;
	/* A Service that is not proxied has no ports. */
	show_row(t, state_look_of(service)->colour);
	buf_adds(show_cell(t), tree_text(service, "namespace"));
	buf_adds(show_cell(t), tree_text(service, "name"));
	show_cell(t);
	buf_adds(show_cell(t), tree_text(service, "type"));
	status_print_state(service, show_last_cell(t));
}

/* A frontend of an earlier run: its Service is not known. */
static void add_unknown_row(struct show *t, const json_t *frontend, bool wide)
{
	show_row(t, state_look_of(frontend)->colour);
	buf_addc(show_cell(t), '-');
	buf_addc(show_cell(t), '-');
	buf_addf(show_cell(t), "%lld/%s", tree_number(frontend, "port"),
		tree_text(frontend, "protocol"));
	buf_addc(show_cell(t), '-');
	buf_adds(show_cell(t), tree_text(frontend, "address"));
	buf_adds(show_cell(t), tree_text(frontend, "scheduler"));
	buf_addc(show_cell(t), '-');
	show_cell(t);
	for (size_t i = 0; wide && i < ARRAY_SIZE(status_wide_titles) - ARRAY_SIZE(status_titles);
		i++)
		show_cell(t);
	status_print_state(frontend, show_cell(t));
}

static void add_virtual_server_row(struct show *t, const json_t *vs, bool wide)
{
	const json_t *list = json_object_get(vs, "realServers"), *rs;
	json_int_t weight = 0, active = 0;
	struct buf *cell;
	size_t i;

	json_array_foreach(list, i, rs) {
		weight += tree_number(rs, "weight");
		active += tree_number(rs, "active");
	}
	show_row(t, COLOUR_NONE);
	tree_virtual_server(vs, show_cell(t));
	buf_adds(show_cell(t), tree_text(vs, "scheduler"));
	buf_addf(show_cell(t), "%zu", json_array_size(list));
	buf_addf(show_cell(t), "%lld", weight);
	buf_addf(show_cell(t), "%lld", active);
	if (!wide)
		return;
	print_persistence(vs, show_cell(t));
	cell = show_cell(t);
	json_array_foreach(list, i, rs) {
		buf_adds(cell, i ? ", " : "");
		tree_address_port(rs, cell);
		buf_addf(cell, " (weight %lld)", tree_number(rs, "weight"));
	}
}

void status_table(const json_t *status, bool wide, struct show *ret)
{
	const json_t *services = json_object_get(status, "services"), *s;
	const json_t *virtual_servers = json_object_get(status, "virtualServers"), *vs;
	size_t i;

	if (is_from_kernel(status)) {
		show_init(ret, wide ? kernel_wide_titles : kernel_titles,
			wide ? ARRAY_SIZE(kernel_wide_titles) : ARRAY_SIZE(kernel_titles));
		json_array_foreach(virtual_servers, i, vs) {
			add_virtual_server_row(ret, vs, wide);
		}
		return;
	}
	show_init(ret, wide ? status_wide_titles : status_titles,
		wide ? ARRAY_SIZE(status_wide_titles) : ARRAY_SIZE(status_titles));
	json_array_foreach(services, i, s) {
		add_service_rows(ret, s, wide);
	}
	json_array_foreach(json_object_get(status, "unknown"), i, s) {
		add_unknown_row(ret, s, wide);
	}
}

/* The command */

/* Asks the daemon or, if it is not reachable, the kernel; `note` then says so. */
static enum exit_code fetch_status(const struct request *r, json_t **ret, struct buf *note)
{
	struct err err;
	int e = client_status(
		r->socket, r->format != FORMAT_TABLE && r->format != FORMAT_NAME, ret, &err);

	if (!e)
		return EXIT_CODE_OK;
	if (e == -EACCES) {
		err_prefix(&err, "%s", r->socket);
		return command_complain(COMMAND, EXIT_CODE_PERMISSION, err.msg);
	}
	buf_addf(note, "Daemon not reachable at %s (%s)", r->socket, err.msg);
	if (r->n_names || r->ns || r->format == FORMAT_NAME) {
		buf_adds(note, "; only the daemon knows Services by name and namespace");
		return command_complain(COMMAND, EXIT_CODE_UNREACHABLE, buf_str(note));
	}
	e = kernel_view(ret, &err);
	if (e < 0) {
		buf_addf(note, "; the kernel cannot be read either: %s", err.msg);
		return command_complain(COMMAND, exit_code_of(e), buf_str(note));
	}
	buf_adds(note, ", showing the virtual servers in the kernel");
	return EXIT_CODE_OK;
}

/* Keeps only the requested Services. Returns how many of the names no Service has. */
static size_t select_services(const struct request *r, json_t *status)
{
	json_t *all = json_object_get(status, "services"), *some = json_array(), *s;
	_cleanup_free_ bool *found = mem_zalloc(r->n_names, sizeof(*found));
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t missing = 0, i;

	json_array_foreach(all, i, s) {
		const char *ns = tree_text(s, "namespace"), *name = tree_text(s, "name");
		_cleanup_(buf_done) struct buf full = { 0 };
		bool named = !r->n_names;

		if (r->ns && strcmp(ns, r->ns) != 0)
			continue;
		buf_addf(&full, "%s/%s", ns, name);
		for (size_t n = 0; n < r->n_names; n++)
			if (!strcmp(r->names[n], name) || !strcmp(r->names[n], buf_str(&full)))
				named = found[n] = true;
		if (named)
			json_array_append(some, s);
	}
	for (i = 0; i < r->n_names; i++) {
		if (found[i])
			continue;
		buf_reset(&text);
		buf_addf(&text, "no Service \"%s\"%s%s", r->names[i], r->ns ? " in namespace " : "",
			r->ns ? r->ns : "");
		command_complain(COMMAND, EXIT_CODE_NOT_FOUND, buf_str(&text));
		missing++;
	}
	json_object_set_new(status, "services", some);
	if (r->n_names || r->ns)
		json_object_set_new(status, "unknown", json_array());
	return missing;
}

static enum exit_code print_status(
	const struct request *r, const json_t *status, const struct buf *note, struct buf *out)
{
	_cleanup_(show_done) struct show t = { 0 };
	_cleanup_(buf_done) struct buf name = { 0 };
	const json_t *s;
	struct err err;
	size_t i;

	if (r->format == FORMAT_NAME) {
		json_array_foreach(json_object_get(status, "services"), i, s) {
			buf_addf(&name, "%s/%s", tree_text(s, "namespace"), tree_text(s, "name"));
			printable_add(out, buf_str(&name));
			buf_addc(out, '\n');
			buf_reset(&name);
		}
		return EXIT_CODE_OK;
	}
	if (note->len && (r->no_headers || !request_is_table(r)))
		command_complain(COMMAND, EXIT_CODE_OK, buf_str(note));
	if (!request_is_table(r)) {
		if (tree_print(status, r->format == FORMAT_YAML, out, &err) < 0)
			return command_complain(COMMAND, EXIT_CODE_UNREACHABLE, err.msg);
		return EXIT_CODE_OK;
	}
	status_table(status, r->format == FORMAT_WIDE, &t);
	if (r->sort_by && show_sort(&t, r->sort_by, false, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (!r->no_headers) {
		if (note->len)
			buf_addf(out, "%s\n", buf_str(note));
		status_head(status, out);
		buf_addc(out, '\n');
	}
	show_print(&t, !r->no_headers, show_colours_wanted(), out);
	return EXIT_CODE_OK;
}

/* `clear` erases the screen first. */
static enum exit_code show_status(const struct request *r, bool clear)
{
	_cleanup_(buf_done) struct buf note = { 0 }, out = { 0 };
	_cleanup_(tree_freep) json_t *status = NULL;
	size_t missing;
	enum exit_code code = fetch_status(r, &status, &note);

	if (code)
		return code;
	missing = select_services(r, status);
	if (missing && missing == r->n_names)
		return EXIT_CODE_NOT_FOUND;
	if (clear)
		buf_adds(&out, SHOW_CLEAR);
	if (request_is_table(r))
		report_clean(status);
	code = print_status(r, status, &note, &out);
	if (!code)
		code = write_out(COMMAND, &out);
	if (code)
		return code;
	if (missing)
		return EXIT_CODE_NOT_FOUND;
	return status_is_fine(status, !r->n_names && !r->ns) ? EXIT_CODE_OK : EXIT_CODE_DIFFERENT;
}

/* Only a failure of the first time ends the command; later the daemon may be restarting. */
static enum exit_code watch_status(const struct request *r)
{
	const struct timespec pause = { .tv_sec = WATCH_SECONDS };
	bool clear = request_is_table(r) && isatty(STDOUT_FILENO);
	enum exit_code code = show_status(r, clear);

	while (code <= EXIT_CODE_DIFFERENT && !ferror(stdout)) {
		nanosleep(&pause, NULL);
		if (!clear && request_is_table(r))
			putchar('\n');
		show_status(r, clear);
	}
	return code;
}

enum exit_code status_main(int argc, char **argv)
{
	struct request r;
	struct err err;

	if (request_parse(&r, status_options, ARRAY_SIZE(status_options), argc, argv, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		fputs(status_help, stdout);
		for (size_t i = 0; i < ARRAY_SIZE(status_options); i++)
			option_help(&status_options[i], stdout);
		fputs(status_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	return r.watch ? watch_status(&r) : show_status(&r, false);
}
