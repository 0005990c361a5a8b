// SPDX-License-Identifier: GPL-2.0-or-later
#include "doctor.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "command.h"
#include "config/command_line.h"
#include "tree.h"

#define COMMAND "doctor"

struct doctor_request {
	const char *socket, *bundle;
	enum { DOCTOR_TEXT, DOCTOR_JSON, DOCTOR_YAML } format;
	bool dry_run, help;
};

static const char *const doctor_formats[] = { "text", "json", "yaml", NULL };

#define AT(field) .at = offsetof(struct doctor_request, field)

static const struct option_row doctor_options[] = {
	{ "output", .letter = 'o', .arg = "FORMAT", .preset = "text", .type = &type_choice,
		AT(format), .names = doctor_formats, .help = "text, json or yaml" },
	{ "bundle", .arg = "FILE", .type = &type_text, AT(bundle),
		.help = "write what a maintainer asks for into this .tar.gz, without secrets; - is "
			"standard output" },
	{ "dry-run", .type = &type_bool, AT(dry_run),
		.help = "with --bundle: list what it would have, and write nothing" },
	{ "socket", .arg = "PATH", .preset = DEFAULT_STATUS_SOCKET, .type = &type_text, AT(socket),
		.help = "the daemon's socket" },
	{ "help", .letter = 'h', .type = &type_bool, AT(help), .help = "show this help" },
};

static const char doctor_help[] =
	"Usage: ipvsctl-svc doctor [OPTIONS]\n\n"
	"Looks for what is wrong with this node: each finding tells what was seen, why it hurts,\n"
	"the remedy, and a command that shows it. Run it as root. Changes nothing, and works\n"
	"without a running daemon, too.\n\n"
	"Options:\n";

static const char doctor_exit_codes[] =
	"\nExit code: 0 nothing is wrong, 1 there are findings, 2 wrong usage,\n"
	"4 no permission. With --bundle: 0 written, 1 it could not be written.\n";

static enum exit_code print_diagnosis(const struct doctor_request *r, json_t *diagnosis)
{
	const bool healthy = tree_true(diagnosis, "healthy");
	_cleanup_(buf_done) struct buf out = { 0 };
	enum exit_code code;
	struct err err;

	if (r->format == DOCTOR_TEXT)
		doctor_diagnosis_text(diagnosis, &out);
	else if (tree_print(diagnosis, r->format == DOCTOR_YAML, &out, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT, err.msg);
	code = write_out(COMMAND, &out);
	return code || healthy ? code : EXIT_CODE_DIFFERENT;
}

enum exit_code doctor_main(int argc, char **argv)
{
	_cleanup_(doctor_facts_done) struct doctor_facts f;
	_cleanup_(tree_freep) json_t *diagnosis = NULL;
	struct doctor_request r = { 0 };
	size_t n_rest;
	struct err err;

	doctor_facts_init(&f);
	if (command_line_read(
		    doctor_options, ARRAY_SIZE(doctor_options), argc, argv, &r, &n_rest, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (r.help) {
		fputs(doctor_help, stdout);
		for (size_t i = 0; i < ARRAY_SIZE(doctor_options); i++)
			option_help(&doctor_options[i], stdout);
		fputs(doctor_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (r.dry_run && !r.bundle)
		return command_complain(
			COMMAND, EXIT_CODE_USAGE, "--dry-run: has a meaning with --bundle only");
	if (n_rest) {
		err_set(&err, -EINVAL, "unexpected argument \"%s\"", argv[1]);
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	}
	log_set_level(LOG_ERROR); /* what the daemon would log is a finding */
	doctor_facts_read(&f, r.socket);
	if (f.no_status.code == -EACCES) {
		err_prefix(&f.no_status, "%s", r.socket);
		return command_complain(COMMAND, EXIT_CODE_PERMISSION, f.no_status.msg);
	}
	diagnosis = doctor_diagnose(&f);
	return r.bundle ? doctor_bundle(&f, diagnosis, r.bundle, r.dry_run)
			: print_diagnosis(&r, diagnosis);
}
