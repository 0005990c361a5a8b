// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "decode/yaml.h"
#include "dry.h"
#include "emit.h"
#include "explain_view.h"
#include "report/explain.h"
#include "show.h"

enum { OF_EXPLAIN = OPTIONS_EXPLAIN | OPTIONS_INPUT | OPTIONS_POLICY };

static void print_help(void)
{
	printf("Usage: ipvsctl-svc explain IP:PORT[/PROTOCOL] | [NAMESPACE/]NAME[:PORT] "
	       "[OPTIONS]\n\n"
	       "Walks the decision: which Service has the address, where packets from pods, from\n"
	       "this node and from outside go, with which source address, and why each endpoint\n"
	       "gets them or not. Asks the daemon; with --manifests says what it would do.\n\n");
	config_help(OF_EXPLAIN, stdout);
	printf("\nExit code: 0 fine, 1 degraded, pending, in conflict or failing, 2 wrong usage,\n"
	       "3 the daemon is not reachable, 4 no permission, 5 no such address or Service.\n");
}

/* "NAME[:PORT]" is of --namespace; an address has a bracket, a dot or two colons. */
static void full_name(const struct config *c, struct buf *ret)
{
	const char *what = c->what, *slash = strchr(what, '/'), *colon = strchr(what, ':');
	bool bare = (!slash || (colon && colon < slash)) && *what != '[';
	size_t len = strcspn(what, ":/");
	bool address = !len || memchr(what, '.', len) || (colon && strchr(colon + 1, ':'));

	if (bare && !address)
		buf_addf(ret, "%s/", c->ns);
	buf_adds(ret, what);
}

static enum exit_code print(const struct dry *d, const json_t *explanation)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	switch (d->config.output) {
	case PLAN_TEXT:
		explain_view(explanation, &out);
		break;
	case PLAN_JSON:
		emit_json(explanation, &out);
		break;
	case PLAN_YAML:
		if (yaml_print(explanation, &out, &err) < 0)
			return complain(d->command, EXIT_CODE_UNREACHABLE, err.msg);
		break;
	}
	if (write_out(d->command, &out))
		return EXIT_CODE_DIFFERENT;
	if (!explain_view_found(explanation))
		return EXIT_CODE_NOT_FOUND;
	return explain_view_is_fine(explanation) ? EXIT_CODE_OK : EXIT_CODE_DIFFERENT;
}

/* Of the daemon */

static enum exit_code ask_daemon(const struct dry *d, const char *what, json_t **ret)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	struct err err;
	int r;

	buf_adds(&path, "/v1/explain?what=");
	client_escape(&path, what);
	if (*d->config.from) {
		buf_adds(&path, "&from=");
		client_escape(&path, d->config.from);
	}
	r = client_get(d->config.socket, buf_str(&path), ret, &err);
	if (r >= 0)
		return EXIT_CODE_OK;
	err_prefix(&err, "the daemon is not reachable at %s", d->config.socket);
	return complain(d->command, exit_code_of(r), err.msg);
}

/* Of manifests */

static void step(struct engine *engine)
{
	uint64_t now = 0;

	engine_fed(engine);
	while (engine_step(engine, now) <= now)
		;
}

static enum exit_code resolve(struct dry *d, const struct explain_query *q, json_t **ret)
{
	struct report_input in = { .store = &d->store,
		.view = &d->view,
		.backend = d->config.options.backend == BACKEND_IPTABLES ? "iptables" : "ipvs",
		.dry = true };
	struct err err;
	enum exit_code code = dry_load(d, &err);

	if (code == EXIT_CODE_USAGE)
		return code;
	if (dry_take_node(d, &err) < 0)
		return complain(d->command, EXIT_CODE_USAGE, err.msg);
	d->engine = engine_new(
		&(struct engine_config){ .store = &d->store, .view = &d->view, .dry_run = true });
	step(d->engine);
	in.engine = d->engine;
	*ret = explain(&in, q);
	return EXIT_CODE_OK;
}

static void jsonp_done(json_t **p)
{
	json_decref(*p);
}

static enum exit_code run(struct dry *d)
{
	_cleanup_(buf_done) struct buf what = { 0 };
	_cleanup_(jsonp_done) json_t *explanation = NULL;
	const char *from = *d->config.from ? d->config.from : NULL;
	struct explain_query q;
	enum exit_code code;
	struct err err;

	full_name(&d->config, &what);
	if (explain_parse(buf_str(&what), from, &q, &err) < 0)
		return complain(d->command, EXIT_CODE_USAGE, err.msg);
	code = d->config.n_manifests ? resolve(d, &q, &explanation)
				     : ask_daemon(d, buf_str(&what), &explanation);
	return explanation ? print(d, explanation) : code;
}

enum exit_code explain_main(int argc, char **argv)
{
	_cleanup_(dry_done) struct dry d;
	struct err err;
	int rest;

	dry_init(&d, "explain");
	if (config_parse(&d.config, OF_EXPLAIN, argc, argv, &rest, &err))
		return complain(d.command, EXIT_CODE_USAGE, err.msg);
	if (d.config.help) {
		print_help();
		return EXIT_CODE_OK;
	}
	if (!*d.config.what)
		return complain(d.command, EXIT_CODE_USAGE,
			"nothing to explain: give IP:PORT or NAMESPACE/NAME");
	return run(&d);
}
