// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/streams.h"
#include "command.h"
#include "config/command_line.h"

struct command {
	const char *name, *help;
	enum exit_code (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "status", "show the Services of this node and whether the kernel is in sync",
		status_main },
	{ "explain", "explain where packets to an address or a Service go, and why", explain_main },
	{ "plan", "show the desired state for given manifests and how the kernel differs",
		plan_main },
	{ "preflight", "show what would be taken over from kube-proxy, and what must be done first",
		preflight_main },
	{ "top", "show the traffic of Services", top_main },
	{ "doctor", "look for what is wrong with this node, and tell the remedies", doctor_main },
	{ "conns", "show the connections of Services by endpoint, or one by one", conns_main },
	{ "drain", "send no new connections to an endpoint", drain_main },
	{ "weight", "give an endpoint another weight", weight_main },
	{ "resume", "end what drain and weight began", resume_main },
	{ "cleanup", "remove what kube-proxy left in the kernel", cleanup_main },
};

struct main_request {
	bool help, version;
};

#define AT(field) .at = offsetof(struct main_request, field)

static const struct option_row options[] = {
	{ "help", .letter = 'h', .type = &type_bool, AT(help),
		.help = "show this help; `ipvsctl-svc COMMAND --help` for one command" },
	{ "version", .letter = 'v', .type = &type_bool, AT(version), .help = "show the version" },
};

static void print_commands_help(FILE *out)
{
	fprintf(out,
		"ipvsctl-svc - shows, explains and previews the Services of this node\n\n"
		"Usage: ipvsctl-svc COMMAND [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		option_help(&options[i], out);
}

int main(int argc, char **argv)
{
	struct command_line line = {
		.rows = options,
		.n_rows = ARRAY_SIZE(options),
		.abbreviations = true,
		.options_first = true,
		.argc = argc,
		.argv = argv,
		.next = 1,
	};
	struct main_request request = { 0 };
	struct command_line_item item;
	const char *name;
	struct err err;
	int r;

	streams_open();
	while ((r = command_line_next(&line, &item, &err)) > 0) {
		r = option_set(item.option, &request, item.value, true, &err);
		if (r < 0) {
			err_prefix(&err, "%s", item.shown);
			break;
		}
		if (request.help) {
			print_commands_help(stdout);
			return EXIT_CODE_OK;
		}
		if (request.version) {
			puts("ipvsctl-svc " VERSION);
			return EXIT_CODE_OK;
		}
	}
	if (r < 0) {
		fprintf(stderr, "ipvsctl-svc: %s\n", err.msg);
		return EXIT_CODE_USAGE;
	}
	if (line.next == argc) {
		print_commands_help(stderr);
		return EXIT_CODE_USAGE;
	}

	name = argv[line.next];
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return (int)commands[i].run(argc - line.next, argv + line.next);
	fprintf(stderr, "ipvsctl-svc: no command \"%s\"; see ipvsctl-svc --help\n", name);
	return EXIT_CODE_USAGE;
}
