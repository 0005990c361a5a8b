// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes are a configuration file or errors in words. A file that was accepted can be printed,
 * and is accepted again. */
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"

static int parse(const char *data, size_t size, struct config *c)
{
	const unsigned groups = OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON;
	int fd = memfd_create("config", MFD_CLOEXEC), rest, r;
	char option[50];
	char *const argv[] = { (char *)"ipvsctl-svcd", option, NULL };
	struct err err = { 0 };

	snprintf(option, sizeof(option), "--config=/proc/self/fd/%d", fd);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	config_init(c);
	r = config_parse(c, groups, 2, argv, &rest, &err);
	must(!r || (err.code == r && err.msg[0]));
	must(!r == !c->mistakes.n);
	for (size_t i = 0; i < c->mistakes.n; i++)
		must(c->mistakes.line[i][0]);
	close(fd);
	return r;
}

static char *print(const struct config *c)
{
	json_t *tree = config_tree(c);
	char *text = json_dumps(tree, 0);

	must(tree && text);
	json_decref(tree);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c, again;

	if (!parse((const char *)data, size, &c)) {
		char *text = print(&c), *copy;

		must(!parse(text, strlen(text), &again));
		copy = print(&again);
		must(!strcmp(text, copy));
		config_done(&again);
		free(copy);
		free(text);
	}
	config_done(&c);
	return 0;
}
