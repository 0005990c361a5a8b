// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <math.h>
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
#include "decode/yaml.h"
#include "emit.h"
#include "request.h"
#include "top_view.h"

#define COMMAND "top"

static const double MIN_INTERVAL = 0.1, MAX_INTERVAL = 3600; /* seconds */

static const char *const formats[] = {
	[FORMAT_TABLE] = "table",
	[FORMAT_JSON] = "json",
	[FORMAT_YAML] = "yaml",
	NULL,
};

static int set_interval(void *target, const struct option_row *o, const char *text, struct err *err)
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
		AT(format), .names = formats, .help = "table, json or yaml" },
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

static void print_help(void)
{
	printf("Usage: ipvsctl-svc top [OPTIONS]\n\n"
	       "Shows the traffic of Services, as the kernel counts it; needs CAP_NET_ADMIN.\n"
	       "Without a running daemon it shows the traffic of virtual servers.\n\n"
	       "Options:\n");
	for (size_t i = 0; i < ARRAY_SIZE(top_options); i++)
		option_help(&top_options[i], stdout);
	printf("\nExit code: 0 fine, 2 wrong usage, 3 the kernel does not answer,\n"
	       "4 no permission.\n");
}

/* Reading */

static void samples_done(struct top_samples *s)
{
	free(s->list);
	*s = (struct top_samples){ 0 };
}

static void add_sample(const struct vs_stats *stats, void *arg)
{
	struct top_samples *s = arg;

	mem_grow(s->list, s->n, s->cap);
	s->list[s->n++] = (struct top_sample){ .stats = *stats };
}

static void add_conns(const struct rs_conns *c, void *arg)
{
	struct top_sample *s = arg;

	s->active += c->active;
	s->inactive += c->inactive;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `when` is the time of the reading. */
static int sample(struct adapter *ipvs, struct top_samples *ret, double *when, struct err *err)
{
	int r;

	ret->n = 0;
	*when = seconds_now();
	r = ipvs_stats(ipvs, add_sample, ret, err);
	if (ret->n)
		qsort(ret->list, ret->n, sizeof(*ret->list), top_sample_cmp);
	return r;
}

static int count(struct adapter *ipvs, struct top_samples *s, struct err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		int r = ipvs_conns(ipvs, &s->list[i].stats.key, add_conns, &s->list[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Showing */

static void keep_namespace(json_t *top, const char *ns)
{
	json_t *all = json_object_get(top, "services"), *some = json_array(), *s;
	size_t i;

	json_array_foreach(all, i, s) {
		if (!strcmp(json_string_value(json_object_get(s, "namespace")), ns))
			json_array_append(some, s);
	}
	json_object_set_new(top, "services", some);
	json_object_set_new(top, "virtualServers", json_array());
}

static int render(const struct request *r, const json_t *top, struct buf *out, struct err *err)
{
	_cleanup_(show_done) struct show t = { 0 };
	int code;

	switch (r->format) {
	case FORMAT_TABLE:
	case FORMAT_WIDE:
		top_view_table(top, &t);
		code = show_sort(&t, r->sort_by ? r->sort_by : "CPS", true, err);
		if (code >= 0)
			show_print(&t, !r->no_headers, show_colours_wanted(), out);
		return code;
	case FORMAT_JSON:
		emit_json(top, out);
		return 0;
	case FORMAT_YAML:
		return yaml_print(top, out, err);
	}
	return 0;
}

static enum exit_code show(const struct request *r, json_t *top, bool clear)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	if (r->ns)
		keep_namespace(top, r->ns);
	if (clear)
		buf_adds(&out, "\033[H\033[2J");
	if (render(r, top, &out, &err) < 0)
		return complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	return write_out(COMMAND, &out);
}

static void jsonp_done(json_t **p)
{
	json_decref(*p);
}

/* Virtual servers have names as long as the daemon answers. */
static enum exit_code names(const struct request *r, json_t **ret)
{
	_cleanup_(buf_done) struct buf note = { 0 };
	struct err err;

	if (!client_status(r->socket, ret, &err))
		return EXIT_CODE_OK;
	buf_addf(&note, "the daemon is not reachable at %s (%s): ", r->socket, err.msg);
	if (r->ns) {
		buf_adds(&note, "nobody knows namespaces");
		return complain(COMMAND, EXIT_CODE_UNREACHABLE, buf_str(&note));
	}
	buf_adds(&note, "showing virtual servers");
	complain(COMMAND, EXIT_CODE_OK, buf_str(&note));
	return EXIT_CODE_OK;
}

static enum exit_code fail(const struct err *err)
{
	return complain(COMMAND, exit_code_of(err->code), err->msg);
}

static void pause_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
	nanosleep(&t, NULL);
}

static enum exit_code once(const struct request *r, struct adapter *ipvs,
	struct top_samples *before, struct top_samples *after, double *since)
{
	_cleanup_(jsonp_done) json_t *status = NULL, *top = NULL;
	struct top_samples swap;
	struct err err;
	double now;
	enum exit_code code;

	pause_for(r->interval);
	if (sample(ipvs, after, &now, &err) < 0 || count(ipvs, after, &err) < 0)
		return fail(&err);
	code = names(r, &status);
	if (code)
		return code;
	top = top_json(before, after, now - *since, status);
	swap = *before;
	*before = *after;
	*after = swap;
	*since = now;
	return show(r, top, r->watch && request_is_table(r) && isatty(STDOUT_FILENO));
}

static enum exit_code run(const struct request *r, struct adapter *ipvs)
{
	_cleanup_(samples_done) struct top_samples before = { 0 }, after = { 0 };
	struct err err;
	double since;
	enum exit_code code;

	if (sample(ipvs, &before, &since, &err) < 0)
		return fail(&err);
	do
		code = once(r, ipvs, &before, &after, &since);
	while (r->watch && !code);
	return code;
}

enum exit_code top_main(int argc, char **argv)
{
	struct request r;
	struct adapter *ipvs;
	struct err err;
	enum exit_code code;

	if (request_parse(&r, top_options, ARRAY_SIZE(top_options), argc, argv, &err) < 0)
		return complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		print_help();
		return EXIT_CODE_OK;
	}
	if (r.n_names) {
		err_set(&err, -EINVAL, "\"%s\" is one argument too many", r.names[0]);
		return complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	}
	if (ipvs_new(&ipvs, &err) < 0)
		return fail(&err);
	code = run(&r, ipvs);
	ipvs_free(ipvs);
	return code;
}
