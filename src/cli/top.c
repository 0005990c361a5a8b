// SPDX-License-Identifier: GPL-2.0-or-later
#include "top.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "report/clean.h"
#include "request.h"
#include "tree.h"

#define COMMAND "top"

static const double MIN_INTERVAL = 0.1, MAX_INTERVAL = 3600; /* seconds */

static const char *const top_formats[] = {
	[FORMAT_TABLE] = "table",
	[FORMAT_JSON] = "json",
	[FORMAT_YAML] = "yaml",
	NULL,
};

static int set_interval(const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct request *r = target;
	char *end;
	double seconds = strtod(text, &end);

	(void)o;
	if (end == text || *end || !(seconds >= MIN_INTERVAL && seconds <= MAX_INTERVAL))
		return err_set(err, -EINVAL, "\"%.60s\" is not a number of seconds from %g to %g",
			text, MIN_INTERVAL, MAX_INTERVAL);
	r->interval = seconds;
	return 0;
}

static const struct option_type type_interval = { SHAPE_REAL, .set = set_interval };

#define AT(field) .at = offsetof(struct request, field)

static const struct option_row top_options[] = {
	{ "namespace", .letter = 'n', .arg = "NAMESPACE", .type = &type_text, AT(ns),
		.help = "show the Services of one namespace only" },
	{ "all-namespaces", .letter = 'A', .type = &type_bool, AT(all_namespaces),
		.help = "show the Services of all namespaces, which is the default" },
	{ "interval", .letter = 'i', .arg = "SECONDS", .preset = "1", .type = &type_interval,
		.help = "count the traffic of this time" },
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "table", .type = &type_choice,
		AT(format), .names = top_formats, .help = "table, json or yaml" },
	{ "watch", .letter = 'w', .type = &type_bool, AT(watch),
		.help = "repeat until interrupted" },
	{ "no-headers", .type = &type_bool, AT(no_headers),
		.help = "print the rows of the table only" },
	{ "sort-by", .arg = "COLUMN", .type = &type_text, AT(sort_by),
		.help = "sort by the column of this title, the greatest first (default CPS)" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static const char top_help[] =
	"Usage: ipvsctl-svc top [OPTIONS]\n\n"
	"Shows the traffic of Services as the kernel counts it; needs CAP_NET_ADMIN.\n"
	"Without a running daemon it shows the traffic of virtual servers.\n\n"
	"Options:\n";

static const char top_exit_codes[] =
	"\nExit code: 0 fine, 2 wrong usage, 3 the kernel does not answer,\n"
	"4 no permission.\n";

/* Rates */

/* Of a Service port or a virtual server, between the two samples */
struct traffic {
	uint64_t active, inactive; /* at the second one */
	uint64_t connections, in_packets, out_packets, in_bytes, out_bytes;
};

int top_sample_cmp(const void *a, const void *b)
{
	const struct top_sample *x = a, *y = b;

	return fact_key_cmp(&x->stats.key, &y->stats.key);
}

static struct top_sample *top_sample_find(const struct top_samples *s, const struct fact_key *key)
{
	const struct top_sample wanted = { .stats.key = *key };

	return s->n ? bsearch(&wanted, s->list, s->n, sizeof(wanted), top_sample_cmp) : NULL;
}

/* The counters of a virtual server that was created again in between started at zero. */
static uint64_t counter_growth(uint64_t before, uint64_t after)
{
	return after >= before ? after - before : after;
}

static void traffic_add(
	struct traffic *t, const struct top_samples *before, const struct top_sample *after)
{
	static const struct vs_stats none;
	const struct top_sample *old = top_sample_find(before, &after->stats.key);
	const struct vs_stats *a = old ? &old->stats : &none, *b = &after->stats;

	t->active += after->active;
	t->inactive += after->inactive;
	t->connections += counter_growth(a->connections, b->connections);
	t->in_packets += counter_growth(a->in_packets, b->in_packets);
	t->out_packets += counter_growth(a->out_packets, b->out_packets);
	t->in_bytes += counter_growth(a->in_bytes, b->in_bytes);
	t->out_bytes += counter_growth(a->out_bytes, b->out_bytes);
}

static void traffic_set(json_t *o, const struct traffic *t, double seconds)
{
	const struct {
		const char *key;
		uint64_t n;
	} rates[] = {
		{ "connectionsPerSecond", t->connections },
		{ "inPacketsPerSecond", t->in_packets },
		{ "outPacketsPerSecond", t->out_packets },
		{ "inBytesPerSecond", t->in_bytes },
		{ "outBytesPerSecond", t->out_bytes },
	};

	json_object_set_new(o, "active", json_integer((json_int_t)t->active));
	json_object_set_new(o, "inactive", json_integer((json_int_t)t->inactive));
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		json_object_set_new(o, rates[i].key,
			json_integer((json_int_t)llround((double)rates[i].n / seconds)));
}

struct top {
	const struct top_samples *before, *after;
	double seconds;
	bool *counted; /* beside `after`: in a Service port's traffic */
	json_t *services, *virtual_servers;
};

/* Counts a virtual server for one Service port only. */
static void top_count(struct top *top, const struct fact_key *key, struct traffic *t)
{
	const struct top_sample *s = top_sample_find(top->after, key);

	if (!s || top->counted[s - top->after->list])
		return;
	top->counted[s - top->after->list] = true;
	traffic_add(t, top->before, s);
}

static void top_add_port(struct top *top, const json_t *service, const json_t *port)
{
	const json_t *addresses = json_object_get(port, "addresses"), *a;
	const json_t *marks = json_object_get(port, "fwmarks"), *m;
	uint8_t proto = proto_parse(tree_text(port, "protocol"));
	struct traffic t = { 0 };
	struct fact vs;
	struct ip ip;
	json_t *o;
	size_t i;

	json_array_foreach(addresses, i, a) {
		/* The virtual server may be another Service's (a conflict). */
		if (!tree_true(a, "present") || ip_parse(tree_text(a, "address"), &ip))
			continue;
		vs = fact_vs(&ip, (uint16_t)tree_number(a, "port"), proto);
		top_count(top, &vs.key, &t);
	}
	json_array_foreach(marks, i, m) {
		int family = strcmp(tree_text(m, "family"), "IPv6") ? AF_INET : AF_INET6;

		vs = fact_vs_fwmark(family, (uint32_t)tree_number(m, "fwmark"));
		top_count(top, &vs.key, &t);
	}
	o = json_pack("{s:s, s:s, s:s, s:I, s:s}", "namespace", tree_text(service, "namespace"),
		"name", tree_text(service, "name"), "portName", tree_text(port, "name"), "port",
		tree_number(port, "port"), "protocol", tree_text(port, "protocol"));
	traffic_set(o, &t, top->seconds);
	json_array_append_new(top->services, o);
}

static void top_add_virtual_server(struct top *top, const struct top_sample *s)
{
	const struct fact_key *key = &s->stats.key;
	struct ip ip = fact_ip(key);
	struct traffic t = { 0 };
	char text[IP_STRLEN];
	json_t *o;

	if (key->proto)
		o = json_pack("{s:s, s:i, s:s}", "address", ip_print(&ip, text), "port",
			(int)key->port, "protocol", proto_name(key->proto));
	else
		o = json_pack("{s:I, s:s}", "fwmark", (json_int_t)fact_fwmark(key), "family",
			family_name(key->family));
	traffic_add(&t, top->before, s);
	traffic_set(o, &t, top->seconds);
	json_array_append_new(top->virtual_servers, o);
}

json_t *top_json(const struct top_samples *before, const struct top_samples *after, double seconds,
	const json_t *status)
{
	const json_t *services = json_object_get(status, "services"), *s, *port;
	_cleanup_free_ bool *counted = mem_zalloc(after->n, sizeof(*counted));
	struct top top = {
		.before = before,
		.after = after,
		.seconds = seconds,
		.counted = counted,
		.services = json_array(),
		.virtual_servers = json_array(),
	};
	size_t i, j;

	json_array_foreach(services, i, s) {
		const json_t *ports = json_object_get(s, "ports");

		json_array_foreach(ports, j, port) {
			top_add_port(&top, s, port);
		}
	}
	for (i = 0; i < after->n; i++)
		if (!counted[i])
			top_add_virtual_server(&top, &after->list[i]);
	return json_pack("{s:s, s:s, s:s, s:f, s:o, s:o}", "apiVersion", "ipvsctl.io/v1", "kind",
		"Top", "source", status ? "daemon" : "kernel", "seconds", seconds, "services",
		top.services, "virtualServers", top.virtual_servers);
}

/* The table */

static const char *const top_titles[] = { "NAMESPACE", "NAME", "PORT", "ACTIVE", "INACTIVE", "CPS",
	"IN-PPS", "OUT-PPS", "IN-BPS", "OUT-BPS" };

static void add_traffic_cells(struct show *t, const json_t *o)
{
	static const char *const keys[] = { "active", "inactive", "connectionsPerSecond",
		"inPacketsPerSecond", "outPacketsPerSecond", "inBytesPerSecond",
		"outBytesPerSecond" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		buf_addf(show_cell(t), "%lld", tree_number(o, keys[i]));
}

void top_table(const json_t *top, struct show *ret)
{
	const json_t *services = json_object_get(top, "services"), *s;
	const json_t *virtual_servers = json_object_get(top, "virtualServers"), *vs;
	size_t i;

	show_init(ret, top_titles, ARRAY_SIZE(top_titles));
	json_array_foreach(services, i, s) {
		show_row(ret, COLOUR_NONE);
		buf_adds(show_cell(ret), tree_text(s, "namespace"));
		buf_adds(show_cell(ret), tree_text(s, "name"));
		buf_addf(show_cell(ret), "%lld/%s", tree_number(s, "port"),
			tree_text(s, "protocol"));
		add_traffic_cells(ret, s);
	}
	json_array_foreach(virtual_servers, i, vs) {
		show_row(ret, COLOUR_NONE);
		show_cell(ret); /* no namespace */
		show_cell(ret); /* no name */
		tree_virtual_server(vs, show_cell(ret));
		add_traffic_cells(ret, vs);
	}
}

/* The command */

static void top_samples_done(struct top_samples *s)
{
	free(s->list);
	*s = (struct top_samples){ 0 };
}

static void add_top_sample(const struct vs_stats *stats, void *arg)
{
	struct top_samples *s = arg;

	mem_grow(s->list, s->n, s->cap);
	s->list[s->n++] = (struct top_sample){ .stats = *stats };
}

static void add_connections(const struct rs_conns *c, void *arg)
{
	struct top_sample *s = arg;

	s->active += c->active;
	s->inactive += c->inactive;
}

/* Reads the counters; `ret_when` is the time of reading in seconds. */
static int take_samples(
	struct adapter *ipvs, struct top_samples *ret, double *ret_when, struct err *err)
{
	struct timespec now;
	int r;

	ret->n = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*ret_when = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	r = ipvs_stats(ipvs, add_top_sample, ret, err);
	if (ret->n)
		qsort(ret->list, ret->n, sizeof(*ret->list), top_sample_cmp);
	return r;
}

/* Gets the names for virtual servers while the daemon answers; NULL if it does not. */
static enum exit_code fetch_names(const struct request *r, json_t **ret)
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
	buf_adds(&note, "showing virtual servers");
	command_complain(COMMAND, EXIT_CODE_OK, buf_str(&note));
	return EXIT_CODE_OK;
}

static enum exit_code print_top(const struct request *r, json_t *top)
{
	_cleanup_(show_done) struct show t = { 0 };
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *all = json_object_get(top, "services"), *some, *s;
	struct err err;
	size_t i;
	int e;

	if (r->ns) {
		some = json_array();
		json_array_foreach(all, i, s) {
			if (!strcmp(tree_text(s, "namespace"), r->ns))
				json_array_append(some, s);
		}
		json_object_set_new(top, "services", some);
		json_object_set_new(top, "virtualServers", json_array());
	}
	if (r->watch && request_is_table(r) && isatty(STDOUT_FILENO))
		buf_adds(&out, SHOW_CLEAR);
	if (request_is_table(r)) {
		report_clean(top);
		top_table(top, &t);
		e = show_sort(&t, r->sort_by ? r->sort_by : "CPS", true, &err);
		if (e >= 0)
			show_print(&t, !r->no_headers, show_colours_wanted(), &out);
	} else {
		e = tree_print(top, r->format == FORMAT_YAML, &out, &err);
	}
	return e < 0 ? command_complain(COMMAND, EXIT_CODE_USAGE, err.msg)
		     : write_out(COMMAND, &out);
}

/* Measures for one interval, which begins with the samples `before`, and prints. `before` becomes
 * the samples at its end. */
static enum exit_code show_top(
	const struct request *r, struct adapter *ipvs, struct top_samples *before, double *since)
{
	_cleanup_(top_samples_done) struct top_samples after = { 0 };
	_cleanup_(tree_freep) json_t *status = NULL, *top = NULL;
	struct timespec pause = { .tv_sec = (time_t)r->interval };
	struct top_samples swap = *before;
	enum exit_code code;
	struct err err;
	double now;

	pause.tv_nsec = (long)((r->interval - floor(r->interval)) * 1e9);
	nanosleep(&pause, NULL);
	if (take_samples(ipvs, &after, &now, &err) < 0)
		return command_complain(COMMAND, exit_code_of(err.code), err.msg);
	for (size_t i = 0; i < after.n; i++)
		if (ipvs_conns(ipvs, &after.list[i].stats.key, add_connections, &after.list[i],
			    &err) < 0)
			return command_complain(COMMAND, exit_code_of(err.code), err.msg);
	code = fetch_names(r, &status);
	if (code)
		return code;
	top = top_json(before, &after, now - *since, status);
	*before = after;
	after = swap;
	*since = now;
	return print_top(r, top);
}

enum exit_code top_main(int argc, char **argv)
{
	_cleanup_(top_samples_done) struct top_samples before = { 0 };
	struct adapter *ipvs;
	struct request r;
	enum exit_code code;
	struct err err;
	double since;

	if (request_parse(&r, top_options, ARRAY_SIZE(top_options), argc, argv, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		fputs(top_help, stdout);
		for (size_t i = 0; i < ARRAY_SIZE(top_options); i++)
			option_help(&top_options[i], stdout);
		fputs(top_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (r.n_names) {
		err_set(&err, -EINVAL, "unexpected argument \"%s\"", r.names[0]);
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	}
	if (ipvs_new(&ipvs, &err) < 0)
		return command_complain(COMMAND, exit_code_of(err.code), err.msg);
	code = EXIT_CODE_OK;
	if (take_samples(ipvs, &before, &since, &err) < 0)
		code = command_complain(COMMAND, exit_code_of(err.code), err.msg);
	while (!code) {
		code = show_top(&r, ipvs, &before, &since);
		if (!r.watch)
			break;
	}
	ipvs_free(ipvs);
	return code;
}
