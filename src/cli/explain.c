// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client.h"
#include "command.h"
#include "dry.h"
#include "kernel/rule_text.h"
#include "report/clean.h"
#include "report/explain.h"
#include "status.h"
#include "tree.h"

enum { EXPLAIN_OPTIONS = OPTIONS_EXPLAIN | OPTIONS_INPUT | OPTIONS_POLICY };

static const char explain_help[] =
	"Usage: ipvsctl-svc explain IP:PORT[/PROTOCOL] | [NAMESPACE/]NAME[:PORT] "
	"[OPTIONS]\n\n"
	"Explains which Service has an address, where packets to it go from pods, from this\n"
	"node and from outside, with which source address, and why each endpoint gets them\n"
	"or not. Asks the daemon; with --manifests it shows what the daemon would do.\n\n";

static const char explain_exit_codes[] =
	"\nExit code: 0 fine, 1 degraded, pending, in conflict, refused or failing,\n"
	"2 wrong usage, 3 the daemon is not reachable, 4 no permission, 5 no such address or Service.\n";

/* The text */

/* "TITLE: a, b\n", or nothing if the list is empty. */
static void add_list_line(struct buf *out, const char *title, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		buf_addf(out, "%s%s", i ? ", " : title, json_string_value(item));
	}
	if (json_array_size(list))
		buf_addc(out, '\n');
}

static void add_endpoint_text(struct buf *out, const json_t *ep)
{
	const char *reason = tree_text(ep, "reason"), *node = tree_text(ep, "node");

	if (!tree_true(ep, "used")) {
		buf_adds(out, "      x  ");
		tree_address_port(ep, out);
		buf_addf(out, "  left out: %s\n", reason);
		return;
	}
	buf_adds(out, "      -> ");
	tree_address_port(ep, out);
	buf_addf(out, "  weight %lld, ", tree_number(ep, "weight"));
	if (tree_true(ep, "local"))
		buf_adds(out, "on this node");
	else if (*node)
		buf_addf(out, "on node %s", node);
	else
		buf_adds(out, "on an unknown node");
	buf_adds(out, tree_true(ep, "masquerade") ? ", masqueraded" : ", source address kept");
	if (strcmp(reason, "ready") != 0)
		buf_addf(out, " (%s)", reason);
	buf_addc(out, '\n');
}

static void add_path_text(struct buf *out, const json_t *path)
{
	const json_t *eps = json_object_get(path, "endpoints"), *ep;
	const json_t *vs = json_object_get(path, "virtualServer");
	const char *from = tree_text(path, "from"), *chain = tree_text(path, "chain");
	size_t i;

	buf_addf(out, "    from %s",
		!strcmp(from, "pod")		? "pods"
			: !strcmp(from, "node") ? "this node"
						: from);
	if (*tree_text(path, "address"))
		buf_addf(out, " (%s)", tree_text(path, "address"));
	buf_addf(out, ": %s", tree_text(path, "verdict"));
	if (*tree_text(path, "reason"))
		buf_addf(out, ": %s", tree_text(path, "reason"));
	if (json_object_get(vs, "fwmark")) {
		buf_addf(out, " (virtual server of firewall mark %lld)", tree_number(vs, "fwmark"));
	} else if (json_is_object(vs)) {
		buf_adds(out, " (virtual server ");
		tree_virtual_server(vs, out);
		buf_addc(out, ')');
	}
	if (*chain)
		buf_addf(out, " (chain %s)", chain);
	buf_addc(out, '\n');
	if (*tree_text(path, "rule"))
		buf_addf(out, "      rule: %s\n", tree_text(path, "rule"));
	if (!json_is_object(vs) && !*chain)
		return;
	json_array_foreach(eps, i, ep) {
		add_endpoint_text(out, ep);
	}
}

static void add_address_text(struct buf *out, const json_t *port, const json_t *address)
{
	const json_t *paths = json_object_get(address, "paths"), *path;
	const json_t *draining = json_object_get(address, "draining"), *d;
	const json_t *present = json_object_get(address, "present");
	size_t i;

	buf_adds(out, "\n  ");
	tree_address_port(address, out);
	buf_addf(out, "/%s  %s, traffic policy %s", tree_text(port, "protocol"),
		tree_text(address, "kind"), tree_text(address, "trafficPolicy"));
	if (!strcmp(tree_text(address, "state"), "Conflict") ||
		!strcmp(tree_text(address, "state"), "Refused")) {
		buf_addf(out, "\n    NOT SERVED: %s\n", tree_text(address, "reason"));
		return;
	}

	if (!strcmp(tree_text(address, "taken"), "ports"))
		buf_adds(out, ", other ports stay with the address's owner");
	if (json_is_boolean(present))
		buf_adds(out, json_is_true(present) ? ", in the kernel" : ", NOT in the kernel");
	buf_addc(out, '\n');
	add_list_line(out, "    not in sync: ", json_object_get(address, "problems"));
	add_list_line(out, "    also claimed by: ", json_object_get(address, "alsoWantedBy"));
	json_array_foreach(draining, i, d) {
		buf_adds(out, "    draining: ");
		tree_address_port(d, out);
		buf_addf(out, " gets no new connections, %lld active\n", tree_number(d, "active"));
	}
	json_array_foreach(paths, i, path) {
		add_path_text(out, path);
	}
}

static void add_port_text(struct buf *out, const json_t *service, const json_t *port, bool ipvs)
{
	const char *used = tree_text(port, "scheduler");
	const char *requested = tree_text(port, "requestedScheduler");
	const json_t *addresses = json_object_get(port, "addresses"), *a;
	size_t i;

	buf_addf(out, "\nPort %s%s%lld/%s", tree_text(port, "name"),
		*tree_text(port, "name") ? " " : "", tree_number(port, "port"),
		tree_text(port, "protocol"));
	if (tree_number(port, "nodePort"))
		buf_addf(out, ", node port %lld", tree_number(port, "nodePort"));
	buf_addf(out, ": endpoints in use %lld of %lld, ", tree_number(port, "ready"),
		tree_number(port, "total"));
	status_print_state(port, out);

	buf_addf(out, "\n  scheduler %s", used);
	if (ipvs && strcmp(used, requested) != 0)
		buf_addf(out, " (instead of %s, which this kernel does not have)", requested);
	if (tree_number(port, "persistenceSeconds"))
		buf_addf(out, ", session affinity for %lld s",
			tree_number(port, "persistenceSeconds"));
	if (ipvs)
		buf_addf(out, ", removed endpoints drain for up to %lld s\n",
			tree_number(service, "drainTimeoutMs") / 1000);
	else
		buf_adds(out, ", removed endpoints keep their connections\n");

	json_array_foreach(addresses, i, a) {
		add_address_text(out, port, a);
	}
}

static void add_service_text(struct buf *out, const json_t *service, bool ipvs)
{
	const json_t *ports = json_object_get(service, "ports"), *port;
	const json_t *check = json_object_get(service, "healthCheck");
	json_int_t local = tree_number(check, "localEndpoints");
	size_t i;

	buf_addf(out, "Service %s/%s, %s: ", tree_text(service, "namespace"),
		tree_text(service, "name"), tree_text(service, "type"));
	status_print_state(service, out);
	buf_addc(out, '\n');
	if (!json_array_size(ports))
		return;

	buf_addf(out, "  traffic policy internal %s, external %s\n",
		tree_text(service, "internalTrafficPolicy"),
		tree_text(service, "externalTrafficPolicy"));
	add_list_line(out, "  load balancer source ranges: ",
		json_object_get(service, "loadBalancerSourceRanges"));
	if (json_is_object(check))
		buf_addf(out,
			"  health check at node port %lld: %s, %lld ready endpoint%s on this node\n",
			tree_number(check, "port"), local ? "200" : "503", local,
			local == 1 ? "" : "s");
	add_list_line(out, "  limits of the backend: ", json_object_get(service, "limits"));
	json_array_foreach(ports, i, port) {
		add_port_text(out, service, port, ipvs);
	}
}

/* Appends the Explanation of ipvsctl-svc-api(7) as text for people. */
static void explain_text(const json_t *explanation, struct buf *out)
{
	const json_t *services = json_object_get(explanation, "services"), *s;
	const json_t *notes = json_object_get(explanation, "notes"), *note;
	bool ipvs = !strcmp(tree_text(explanation, "backend"), "ipvs");
	size_t i;

	json_array_foreach(services, i, s) {
		buf_adds(out, i ? "\n" : "");
		add_service_text(out, s, ipvs);
	}
	if (json_array_size(services) && json_array_size(notes))
		buf_addc(out, '\n');
	json_array_foreach(notes, i, note) {
		buf_addf(out, "%s\n", json_string_value(note));
	}
}

/* The command */

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
	return command_complain(d->command, exit_code_of(r), err.msg);
}

static enum exit_code explain_manifests(struct dry *d, const struct explain_query *q, json_t **ret)
{
	struct report_input in = {
		.store = &d->store,
		.view = &d->view,
		.dry = true,
		.print_chain = rule_text_print_chain,
		.print_rule = rule_text_print,
	};
	struct err err;
	enum exit_code code = dry_load(d, &err);

	if (code == EXIT_CODE_USAGE)
		return code;
	if (dry_take_node(d, false, &err) < 0)
		return command_complain(d->command, EXIT_CODE_USAGE, err.msg);
	d->view.netfilter = dry_netfilter(&d->config);
	d->engine = engine_new(
		&(struct engine_config){ .store = &d->store, .view = &d->view, .dry_run = true });
	engine_fed(d->engine);
	while (engine_step(d->engine, 0) == 0)
		;
	in.engine = d->engine;
	in.backend = backend_name(node_view_backend(&d->view));
	*ret = explain(&in, q);
	return EXIT_CODE_OK;
}

static enum exit_code print_explanation(const struct dry *d, json_t *explanation)
{
	const json_t *services = json_object_get(explanation, "services");
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	if (d->config.output == PLAN_TEXT) {
		report_clean(explanation);
		explain_text(explanation, &out);
	} else if (tree_print(explanation, d->config.output == PLAN_YAML, &out, &err) < 0) {
		return command_complain(d->command, EXIT_CODE_UNREACHABLE, err.msg);
	}
	if (write_out(d->command, &out))
		return EXIT_CODE_DIFFERENT;
	if (!json_array_size(services))
		return EXIT_CODE_NOT_FOUND;
	return status_services_are_fine(services) ? EXIT_CODE_OK : EXIT_CODE_DIFFERENT;
}

enum exit_code explain_main(int argc, char **argv)
{
	_cleanup_(tree_freep) json_t *explanation = NULL;
	_cleanup_(buf_done) struct buf what = { 0 };
	_cleanup_(dry_done) struct dry d;
	const struct config *c = &d.config;
	const char *slash, *colon;
	struct explain_query q;
	enum exit_code code;
	struct err err;
	size_t len;
	int rest;

	dry_init(&d, "explain");
	if (config_parse(&d.config, EXPLAIN_OPTIONS, argc, argv, &rest, &err))
		return command_complain(d.command, EXIT_CODE_USAGE, err.msg);
	if (c->help) {
		fputs(explain_help, stdout);
		config_help(EXPLAIN_OPTIONS, stdout);
		fputs(explain_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (!*c->what)
		return command_complain(d.command, EXIT_CODE_USAGE,
			"nothing to explain: give IP:PORT or NAMESPACE/NAME");

	/* --namespace stands before "NAME[:PORT]"; an address has a bracket, a dot or two colons. */
	slash = strchr(c->what, '/');
	colon = strchr(c->what, ':');
	len = strcspn(c->what, ":/");
	if ((!slash || (colon && colon < slash)) && *c->what != '[' && len &&
		!memchr(c->what, '.', len) && !(colon && strchr(colon + 1, ':')))
		buf_addf(&what, "%s/", c->ns);
	buf_adds(&what, c->what);
	if (explain_parse(buf_str(&what), *c->from ? c->from : NULL, &q, &err) < 0)
		return command_complain(d.command, EXIT_CODE_USAGE, err.msg);
	code = c->n_manifests ? explain_manifests(&d, &q, &explanation)
			      : ask_daemon(&d, buf_str(&what), &explanation);
	return explanation ? print_explanation(&d, explanation) : code;
}
