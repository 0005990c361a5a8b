/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* The commands of ipvsctl-svc. Each gets the arguments from its own name on and returns the exit
 * code of the program. */

enum exit_code {
	EXIT_CODE_OK,
	EXIT_CODE_DIFFERENT, /* differences, or something is degraded */
	EXIT_CODE_USAGE,
	EXIT_CODE_UNREACHABLE, /* the daemon is, and the kernel does not help */
	EXIT_CODE_PERMISSION,
	EXIT_CODE_NOT_FOUND,
};

int status_main(int argc, char **argv);
int explain_main(int argc, char **argv);
int plan_main(int argc, char **argv);
int top_main(int argc, char **argv);
int cleanup_main(int argc, char **argv);

#endif
