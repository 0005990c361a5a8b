/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdio.h>

#include "base/buf.h"

/* The commands of ipvsctl-svc. Each gets the arguments from its own name on, and returns the exit
 * code of the program. */

enum exit_code {
	EXIT_CODE_OK,
	EXIT_CODE_DIFFERENT, /* differences, or something is degraded */
	EXIT_CODE_USAGE,
	EXIT_CODE_UNREACHABLE, /* neither the daemon nor the kernel answers */
	EXIT_CODE_PERMISSION,
	EXIT_CODE_NOT_FOUND,
};

enum exit_code status_main(int argc, char **argv);
enum exit_code explain_main(int argc, char **argv);
enum exit_code plan_main(int argc, char **argv);
enum exit_code preflight_main(int argc, char **argv);
enum exit_code top_main(int argc, char **argv);
enum exit_code doctor_main(int argc, char **argv);
enum exit_code conns_main(int argc, char **argv);
enum exit_code drain_main(int argc, char **argv);
enum exit_code weight_main(int argc, char **argv);
enum exit_code resume_main(int argc, char **argv);
enum exit_code cleanup_main(int argc, char **argv);

/* Prints a text to standard error after the command's name. Returns the code. */
enum exit_code command_complain(const char *command, enum exit_code code, const char *text);
/* Prints one line, with '?' for what is not printable. */
void command_print(FILE *file, const char *text);
/* The exit code for a kernel or a daemon that does not answer: `error` is a negative errno. */
enum exit_code exit_code_of(int error);
/* Writes to standard output; complains if it cannot. */
enum exit_code write_out(const char *command, const struct buf *out);

#endif
