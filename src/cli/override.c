// SPDX-License-Identifier: GPL-2.0-or-later
/* drain, weight and resume: weights of endpoints, set by hand. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "base/number.h"
#include "client.h"
#include "command.h"
#include "config/command_line.h"
#include "config/config.h"
#include "core/override.h"
#include "tree.h"

enum override_command { COMMAND_DRAIN, COMMAND_WEIGHT, COMMAND_RESUME };

struct override_request {
	const char *service; /* "NAMESPACE/NAME"; NULL: all */
	const char *socket;
	uint64_t seconds; /* 0: until it is resumed */
	bool help;
	char *const *names;
	size_t n_names;
};

static int set_seconds(const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct override_request *r = target;
	int64_t ms;

	(void)o;
	if (duration_parse(text, &ms) < 0 || ms <= 0)
		return err_set(err, -EINVAL, "\"%.60s\" is not a duration, such as 10m", text);
	r->seconds = ((uint64_t)ms + 999) / 1000;
	return 0;
}

static const struct option_type type_seconds = { SHAPE_DURATION, .set = set_seconds };

#define AT(field) .at = offsetof(struct override_request, field)

/* resume has no --for: the first row. */
static const struct option_row override_options[] = {
	{ "for", .arg = "DURATION", .type = &type_seconds,
		.help = "end it after this time (default: with resume)" },
	{ "service", .arg = "NAMESPACE/NAME", .type = &type_text, AT(service),
		.help = "for this Service only (default: all that have the endpoint)" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static const struct {
	const char *name, *help;
	size_t n_names;
} override_commands[] = {
	[COMMAND_DRAIN] = { "drain",
		"Usage: ipvsctl-svc drain ADDRESS[:PORT] [OPTIONS]\n\n"
		"Sends no new connections of this node to the endpoint; those that exist stay.\n"
		"Outlives a restart of the daemon, not one of the node.\n\n",
		1 },
	[COMMAND_WEIGHT] = { "weight",
		"Usage: ipvsctl-svc weight ADDRESS[:PORT] WEIGHT [OPTIONS]\n\n"
		"Gives the endpoint a weight (0 to 65535) that counts before what manifests or the\n"
		"API server say. Outlives a restart of the daemon, not one of the node.\n\n",
		2 },
	[COMMAND_RESUME] = { "resume",
		"Usage: ipvsctl-svc resume ADDRESS[:PORT] [OPTIONS]\n\n"
		"Ends what drain and weight began: the endpoint has its own weight again. Without\n"
		"a port or a Service it ends all of that address.\n\n",
		1 },
};

static const char override_exit_codes[] =
	"\nExit code: 0 done, 1 the daemon refused it, 2 wrong usage, 3 the daemon is not\n"
	"reachable, 4 no permission, 5 no such endpoint.\n";

static void add_names(struct buf *out, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		buf_addf(out, "%s%s", i ? ", " : "", json_string_value(name));
	}
}

/* "10.244.1.5:8080 gets no new connections of shop/web for 600 s" */
static void print_done(enum override_command command, const struct override_request *r,
	uint64_t weight, const json_t *answer, struct buf *out)
{
	const json_t *services = json_object_get(answer, "services");
	const json_t *idle = json_object_get(answer, "withoutNewConnections");

	buf_addf(out, "%s ", tree_text(answer, "endpoint"));
	if (command == COMMAND_RESUME)
		buf_adds(out, "has its own weight again, in ");
	else if (weight)
		buf_addf(out, "has weight %" PRIu64 " now, in ", weight);
	else
		buf_adds(out, "gets no new connections of ");
	if (json_array_size(services))
		add_names(out, services);
	else
		buf_adds(out, "no Service of this node");
	if (r->seconds)
		buf_addf(out, ", for %" PRIu64 " s", r->seconds);
	buf_addc(out, '\n');
	if (command == COMMAND_RESUME || !json_array_size(idle))
		return;
	buf_adds(out, "Warning: no endpoint is left that gets new connections of ");
	add_names(out, idle);
	buf_addc(out, '\n');
}

static enum exit_code send_override(
	enum override_command command, const struct override_request *r, uint64_t weight)
{
	const char *name = override_commands[command].name;
	_cleanup_(tree_freep) json_t *answer = NULL;
	_cleanup_(buf_done) struct buf path = { 0 }, out = { 0 };
	struct err err;
	int e;

	buf_adds(&path, "/v1/overrides?endpoint=");
	client_escape(&path, r->names[0]);
	if (r->service) {
		buf_adds(&path, "&service=");
		client_escape(&path, r->service);
	}
	if (command != COMMAND_RESUME)
		buf_addf(&path, "&weight=%" PRIu64 "&seconds=%" PRIu64, weight, r->seconds);
	e = client_send(r->socket, command == COMMAND_RESUME ? "DELETE" : "POST", buf_str(&path),
		&answer, &err);
	if (e == -ENXIO)
		return command_complain(name, EXIT_CODE_NOT_FOUND, err.msg);
	if (e == -EPROTO)
		return command_complain(name, EXIT_CODE_DIFFERENT, err.msg);
	if (e < 0) {
		err_prefix(&err, "the daemon is not reachable at %s", r->socket);
		return command_complain(name, exit_code_of(e), err.msg);
	}
	print_done(command, r, weight, answer, &out);
	return write_out(name, &out);
}

static enum exit_code override_main(enum override_command command, int argc, char **argv)
{
	const size_t first = command == COMMAND_RESUME;
	const char *name = override_commands[command].name;
	struct override_request r = { .names = argv + 1 };
	uint64_t weight = 0;
	struct err err;
	struct ip ip;
	uint16_t port;

	if (command_line_read(override_options + first, ARRAY_SIZE(override_options) - first, argc,
		    argv, &r, &r.n_names, &err) < 0)
		return command_complain(name, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		fputs(override_commands[command].help, stdout);
		for (size_t i = first; i < ARRAY_SIZE(override_options); i++)
			option_help(&override_options[i], stdout);
		fputs(override_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (r.n_names != override_commands[command].n_names)
		return command_complain(name, EXIT_CODE_USAGE,
			command == COMMAND_WEIGHT ? "give ADDRESS[:PORT] and WEIGHT"
						  : "give ADDRESS[:PORT]");
	if (override_parse_endpoint(r.names[0], &ip, &port, &err) < 0)
		return command_complain(name, EXIT_CODE_USAGE, err.msg);
	if (r.service && !strchr(r.service, '/'))
		return command_complain(name, EXIT_CODE_USAGE, "--service: give NAMESPACE/NAME");
	if (command == COMMAND_WEIGHT && number_parse(r.names[1], OVERRIDE_MAX_WEIGHT, &weight) < 0)
		return command_complain(
			name, EXIT_CODE_USAGE, "the weight must be a number from 0 to 65535");
	return send_override(command, &r, weight);
}

enum exit_code drain_main(int argc, char **argv)
{
	return override_main(COMMAND_DRAIN, argc, argv);
}

enum exit_code weight_main(int argc, char **argv)
{
	return override_main(COMMAND_WEIGHT, argc, argv);
}

enum exit_code resume_main(int argc, char **argv)
{
	return override_main(COMMAND_RESUME, argc, argv);
}
