// SPDX-License-Identifier: GPL-2.0-or-later
#include "status_view.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* Members of the tree; a missing one reads as empty. */

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool truth(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static bool from_kernel(const json_t *status)
{
	return !strcmp(text(status, "source"), "kernel");
}

/* The lines above the table */

static void add_age(struct buf *out, json_int_t ms)
{
	const json_int_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

	if (ms < second)
		buf_addf(out, "%" JSON_INTEGER_FORMAT "ms", ms);
	else if (ms < 2 * minute)
		buf_addf(out, "%" JSON_INTEGER_FORMAT "s", ms / second);
	else if (ms < 2 * hour)
		buf_addf(out, "%" JSON_INTEGER_FORMAT "m", ms / minute);
	else if (ms < 2 * day)
		buf_addf(out, "%" JSON_INTEGER_FORMAT "h", ms / hour);
	else
		buf_addf(out, "%" JSON_INTEGER_FORMAT "d", ms / day);
}

static void add_input(struct buf *out, const json_t *status)
{
	const json_t *input = json_object_get(status, "input");
	const json_t *ago = json_object_get(json_object_get(status, "summary"), "lastChangeMsAgo");

	if (!json_is_object(input))
		return;
	buf_addf(out, "   Input: %s, %s", text(input, "kind"),
		truth(input, "synced") ? "synced" : "not complete yet");
	if (truth(input, "synced") && json_is_integer(ago)) {
		buf_addc(out, ' ');
		add_age(out, json_integer_value(ago));
		buf_adds(out, " ago");
	}
}

static void add_last_sync(struct buf *out, const json_t *us)
{
	double ms = (double)json_integer_value(us) / 1000;

	buf_adds(out, "   Last sync: ");
	if (!json_is_integer(us))
		buf_addc(out, '-');
	else if (ms < 1000)
		buf_addf(out, "%.1fms", ms);
	else
		buf_addf(out, "%.1fs", ms / 1000);
}

static void add_count(
	struct buf *out, const char *title, const json_t *summary, const char *key, bool even_zero)
{
	json_int_t n = number(summary, key);

	if (n || even_zero)
		buf_addf(out, "   %s: %" JSON_INTEGER_FORMAT, title, n);
}

static void add_summary(struct buf *out, const json_t *status)
{
	const json_t *s = json_object_get(status, "summary");

	buf_addf(out,
		"Services: %" JSON_INTEGER_FORMAT " ports, %" JSON_INTEGER_FORMAT " endpoints",
		number(s, "ports"), number(s, "endpoints"));
	add_count(out, "Draining", s, "draining", true);
	add_count(out, "Drift", s, "drift", true);
	add_count(out, "Foreign", s, "foreign", true);
	add_count(out, "Pending", s, "pending", false);
	add_count(out, "Failing", s, "failing", false);
	add_last_sync(out, json_object_get(s, "lastSyncMicroseconds"));
	buf_addc(out, '\n');
}

static void add_kernel_summary(struct buf *out, const json_t *status)
{
	const json_t *list = json_object_get(status, "virtualServers"), *vs;
	size_t i, real_servers = 0;

	json_array_foreach(list, i, vs) {
		real_servers += json_array_size(json_object_get(vs, "realServers"));
	}
	buf_addf(out, "Virtual servers: %zu   Real servers: %zu\n", json_array_size(list),
		real_servers);
}

static void add_lines(struct buf *out, const char *title, const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line) {
		buf_addf(out, "%s: ", title);
		show_text(out, json_is_string(line) ? json_string_value(line) : "?");
		buf_addc(out, '\n');
	}
}

enum { MAX_LIMITED = 10 };

/* "Limits: shop/web: scheduler "lc": endpoints are chosen by chance" */
static void add_limits(struct buf *out, const json_t *services)
{
	const json_t *s, *words;
	size_t i, j, n = 0;

	json_array_foreach(services, i, s) {
		const json_t *limits = json_object_get(s, "limits");

		if (!json_array_size(limits) || n++ >= MAX_LIMITED)
			continue;
		buf_addf(out, "Limits: %s/%s: ", text(s, "namespace"), text(s, "name"));
		json_array_foreach(limits, j, words) {
			buf_adds(out, j ? "; " : "");
			show_text(out, json_is_string(words) ? json_string_value(words) : "?");
		}
		buf_addc(out, '\n');
	}
	if (n > MAX_LIMITED)
		buf_addf(out, "Limits: of %zu more Services, see -o json\n", n - MAX_LIMITED);
}

void status_view_head(const json_t *status, struct buf *out)
{
	buf_addf(out, "Node: %s   Backend: %s (kernel %s)", text(status, "node"),
		text(status, "backend"), text(status, "kernel"));
	add_input(out, status);
	buf_addc(out, '\n');
	if (from_kernel(status))
		add_kernel_summary(out, status);
	else
		add_summary(out, status);
	add_lines(out, "Warning", json_object_get(status, "warnings"));
	add_lines(out, "Failing", json_object_get(status, "failures"));
	add_limits(out, json_object_get(status, "services"));
}

/* States */

struct state {
	const char *name;
	enum colour colour;
	bool fine;
};

/* The states of report_service.c; one that a newer daemon adds is shown, and counts as fine. */
static const struct state states[] = {
	{ "OK", COLOUR_GREEN, true },
	{ "NotProxied", COLOUR_NONE, true },
	{ "Draining", COLOUR_YELLOW, true },
	{ "NoEndpoints", COLOUR_YELLOW, true },
	{ "Degraded", COLOUR_YELLOW, false },
	{ "Pending", COLOUR_YELLOW, false },
	{ "Conflict", COLOUR_RED, false },
	{ "Failing", COLOUR_RED, false },
};

static const struct state *state_of(const json_t *o)
{
	static const struct state unknown = { "", COLOUR_NONE, true };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(states[i].name, text(o, "state")))
			return &states[i];
	return &unknown;
}

bool status_view_is_fine(const json_t *status, bool all)
{
	const json_t *services = json_object_get(status, "services"), *s;
	size_t i;

	if (from_kernel(status))
		return true;
	json_array_foreach(services, i, s) {
		if (!state_of(s)->fine)
			return false;
	}
	return truth(json_object_get(status, "input"), "synced") &&
		(!all || !json_array_size(json_object_get(status, "failures")));
}

/* Cells */

enum { CELLS = 12 };

/* The texts of one row while it is made. */
struct row {
	struct buf cells[CELLS];
	size_t n;
};

static void row_done(struct row *r)
{
	for (size_t i = 0; i < r->n; i++)
		buf_done(&r->cells[i]);
}

/* The next cell, to be filled. */
static struct buf *cell(struct row *r)
{
	return &r->cells[r->n++];
}

static void cell_text(struct row *r, const char *s)
{
	buf_adds(cell(r), s);
}

static void cell_number(struct row *r, const json_t *n)
{
	struct buf *b = cell(r);

	if (json_is_integer(n))
		buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(n));
}

static void row_show(struct row *r, struct show *t, enum colour colour)
{
	const char *cells[CELLS];

	for (size_t i = 0; i < r->n; i++)
		cells[i] = buf_str(&r->cells[i]);
	show_add(t, cells, colour);
}

static void add_address_port(struct buf *b, const json_t *o)
{
	const char *address = text(o, "address");

	buf_addf(b,
		strchr(address, ':') ? "[%s]:%" JSON_INTEGER_FORMAT : "%s:%" JSON_INTEGER_FORMAT,
		address, number(o, "port"));
}

/* The address that people know the Service by: that of a load balancer before the internal one. */
static void cell_vip(struct row *r, const json_t *addresses)
{
	const json_t *first = json_array_get(addresses, 0), *a;
	struct buf *b = cell(r);
	size_t i, n = json_array_size(addresses);

	json_array_foreach(addresses, i, a) {
		if (!strcmp(text(a, "kind"), "LoadBalancer")) {
			first = a;
			break;
		}
	}
	buf_adds(b, text(first, "address"));
	if (n > 1)
		buf_addf(b, " +%zu", n - 1);
}

static void cell_addresses(struct row *r, const json_t *addresses)
{
	struct buf *b = cell(r);
	const json_t *a;
	size_t i;

	json_array_foreach(addresses, i, a) {
		buf_adds(b, i ? ", " : "");
		add_address_port(b, a);
	}
}

/* "ADDRESS:PORT (weight 1)", or why it gets nothing. */
static void cell_endpoints(struct row *r, const json_t *endpoints)
{
	struct buf *b = cell(r);
	const json_t *ep;
	size_t i;

	json_array_foreach(endpoints, i, ep) {
		const char *reason = text(ep, "reason");
		bool ready = !strcmp(reason, "ready");

		buf_adds(b, i ? ", " : "");
		add_address_port(b, ep);
		if (truth(ep, "used"))
			buf_addf(b, " (weight %" JSON_INTEGER_FORMAT "%s%s)", number(ep, "weight"),
				ready ? "" : ": ", ready ? "" : reason);
		else
			buf_addf(b, " (%s)", reason);
	}
}

static void cell_persistence(struct row *r, const json_t *o)
{
	json_int_t seconds = number(o, "persistenceSeconds");
	struct buf *b = cell(r);

	if (seconds)
		buf_addf(b, "%" JSON_INTEGER_FORMAT "s", seconds);
}

static void cell_state(struct row *r, const json_t *o)
{
	const char *reason = text(o, "reason");
	json_int_t draining = number(o, "draining");
	struct buf *b = cell(r);

	buf_adds(b, text(o, "state"));
	if (!strcmp(text(o, "state"), "Draining"))
		buf_addf(b, "(%" JSON_INTEGER_FORMAT ")", draining);
	if (*reason)
		buf_addf(b, " (%s)", reason);
}

/* Tables */

static const char *const titles[] = { "NAMESPACE", "NAME", "PORT", "TYPE", "VIP", "SCHEDULER",
	"ENDPOINTS", "ACTIVE", "STATE" };
static const char *const wide_titles[] = { "NAMESPACE", "NAME", "PORT", "TYPE", "VIP", "SCHEDULER",
	"ENDPOINTS", "ACTIVE", "PERSISTENCE", "ADDRESSES", "ENDPOINT-LIST", "STATE" };
static const char *const kernel_titles[] = { "VIRTUAL-SERVER", "SCHEDULER", "REAL-SERVERS",
	"WEIGHT", "ACTIVE" };
static const char *const kernel_wide_titles[] = { "VIRTUAL-SERVER", "SCHEDULER", "REAL-SERVERS",
	"WEIGHT", "ACTIVE", "PERSISTENCE", "LIST" };
static_assert(ARRAY_SIZE(wide_titles) <= CELLS, "a row has room for every column");

static void add_port(struct show *t, const json_t *service, const json_t *port, bool wide)
{
	const json_t *addresses = json_object_get(port, "addresses");
	_cleanup_(row_done) struct row r = { 0 };

	cell_text(&r, text(service, "namespace"));
	cell_text(&r, text(service, "name"));
	buf_addf(cell(&r), "%" JSON_INTEGER_FORMAT "/%s", number(port, "port"),
		text(port, "protocol"));
	cell_text(&r, text(service, "type"));
	cell_vip(&r, addresses);
	cell_text(&r, text(port, "scheduler"));
	buf_addf(cell(&r), "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, number(port, "ready"),
		number(port, "total"));
	cell_number(&r, json_object_get(port, "activeConnections"));
	if (wide) {
		cell_persistence(&r, port);
		cell_addresses(&r, addresses);
		cell_endpoints(&r, json_object_get(port, "endpoints"));
	}
	cell_state(&r, port);
	row_show(&r, t, state_of(port)->colour);
}

/* One that is not proxied has no ports to tell of. */
static void add_portless(struct show *t, const json_t *service)
{
	_cleanup_(row_done) struct row r = { 0 };

	cell_text(&r, text(service, "namespace"));
	cell_text(&r, text(service, "name"));
	cell(&r);
	cell_text(&r, text(service, "type"));
	while (r.n < t->n_columns - 1)
		cell(&r);
	cell_state(&r, service);
	row_show(&r, t, state_of(service)->colour);
}

static void add_service(struct show *t, const json_t *service, bool wide)
{
	const json_t *ports = json_object_get(service, "ports"), *port;
	size_t i;

	if (!json_array_size(ports))
		add_portless(t, service);
	json_array_foreach(ports, i, port) {
		add_port(t, service, port, wide);
	}
}

static void cell_virtual_server(struct row *r, const json_t *vs)
{
	struct buf *b = cell(r);

	if (json_object_get(vs, "fwmark")) {
		buf_addf(b, "fwmark:%" JSON_INTEGER_FORMAT "/%s", number(vs, "fwmark"),
			text(vs, "family"));
		return;
	}
	add_address_port(b, vs);
	buf_addf(b, "/%s", text(vs, "protocol"));
}

static void cell_real_servers(struct row *r, const json_t *list)
{
	struct buf *b = cell(r);
	const json_t *rs;
	size_t i;

	json_array_foreach(list, i, rs) {
		buf_adds(b, i ? ", " : "");
		add_address_port(b, rs);
		buf_addf(b, " (weight %" JSON_INTEGER_FORMAT ")", number(rs, "weight"));
	}
}

static void add_virtual_server(struct show *t, const json_t *vs, bool wide)
{
	const json_t *list = json_object_get(vs, "realServers"), *rs;
	_cleanup_(row_done) struct row r = { 0 };
	json_int_t weight = 0, active = 0;
	size_t i;

	json_array_foreach(list, i, rs) {
		weight += number(rs, "weight");
		active += number(rs, "active");
	}
	cell_virtual_server(&r, vs);
	cell_text(&r, text(vs, "scheduler"));
	buf_addf(cell(&r), "%zu", json_array_size(list));
	buf_addf(cell(&r), "%" JSON_INTEGER_FORMAT, weight);
	buf_addf(cell(&r), "%" JSON_INTEGER_FORMAT, active);
	if (wide) {
		cell_persistence(&r, vs);
		cell_real_servers(&r, list);
	}
	row_show(&r, t, COLOUR_NONE);
}

static void kernel_table(const json_t *status, bool wide, struct show *ret)
{
	const json_t *list = json_object_get(status, "virtualServers"), *vs;
	size_t i;

	if (wide)
		show_init(ret, kernel_wide_titles, ARRAY_SIZE(kernel_wide_titles));
	else
		show_init(ret, kernel_titles, ARRAY_SIZE(kernel_titles));
	json_array_foreach(list, i, vs) {
		add_virtual_server(ret, vs, wide);
	}
}

void status_view_table(const json_t *status, bool wide, struct show *ret)
{
	const json_t *services = json_object_get(status, "services"), *s;
	size_t i;

	if (from_kernel(status)) {
		kernel_table(status, wide, ret);
		return;
	}
	if (wide)
		show_init(ret, wide_titles, ARRAY_SIZE(wide_titles));
	else
		show_init(ret, titles, ARRAY_SIZE(titles));
	json_array_foreach(services, i, s) {
		add_service(ret, s, wide);
	}
}
