// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
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
	{ "top", "show the traffic of Services", top_main },
	{ "cleanup", "remove what kube-proxy left in the kernel", cleanup_main },
};

static const struct option_row options[] = {
	{ "help", .letter = 'h', .type = &type_bool,
		.help = "show this help; `ipvsctl-svc COMMAND --help` for one command" },
	{ "version", .letter = 'v', .type = &type_bool, .help = "show the version" },
};

static void print_commands_help(FILE *out)
{
	fprintf(out,
		"ipvsctl-svc - shows, explains and previews the Services of this node\n\n"
		"Usage: ipvsctl-svc COMMAND [OPTIONS]\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		option_help(&options[i], out);
}

static enum exit_code run_command(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			return commands[i].run(argc, argv);
	fprintf(stderr, "ipvsctl-svc: no command \"%s\"; see ipvsctl-svc --help\n", argv[0]);
	return EXIT_CODE_USAGE;
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
	struct command_line_item item;
	struct err err;
	int r = command_line_next(&line, &item, &err);

	if (r < 0) {
		fprintf(stderr, "ipvsctl-svc: %s\n", err.msg);
		return EXIT_CODE_USAGE;
	}
	if (r > 0 && item.option->letter == 'h') {
		print_commands_help(stdout);
		return EXIT_CODE_OK;
	}
	if (r > 0) {
		puts("ipvsctl-svc " VERSION);
		return EXIT_CODE_OK;
	}
	if (line.next < argc)
		return (int)run_command(argc - line.next, argv + line.next);
	print_commands_help(stderr);
	return EXIT_CODE_USAGE;
}
