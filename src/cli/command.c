// SPDX-License-Identifier: GPL-2.0-or-later
#include "command.h"

#include <errno.h>

#include "base/mem.h"
#include "base/printable.h"

enum exit_code command_complain(const char *command, enum exit_code code, const char *text)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	buf_addf(&line, "ipvsctl-svc %s: %s", command, text);
	command_print(stderr, buf_str(&line));
	return code;
}

void command_print(FILE *file, const char *text)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	printable_add(&line, text);
	fprintf(file, "%s\n", buf_str(&line));
}

enum exit_code exit_code_of(int error)
{
	return error == -EPERM || error == -EACCES ? EXIT_CODE_PERMISSION : EXIT_CODE_UNREACHABLE;
}

enum exit_code write_out(const char *command, const struct buf *out)
{
	fwrite(buf_str(out), 1, out->len, stdout);
	if (!fflush(stdout))
		return EXIT_CODE_OK;
	return command_complain(command, EXIT_CODE_DIFFERENT, "cannot write to standard output");
}
