// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes are a valid kubeconfig or an error that names the file. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/log.h"
#include "fuzz.h"

static void check(const struct credentials *c)
{
	size_t len = strlen(c->server);

	must(!strncmp(c->server, "http", 4) && c->server[len - 1] != '/');
	must(!c->cert.data == !c->key.data);
	must(!c->username == !c->password);
	must(!c->token || *c->token);
	must(!c->insecure || !c->ca.data);
	for (const char *const *h = c->headers; *h; h++)
		must(!strchr(*h, '\n') && !strchr(*h, '\r'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("kubeconfig", MFD_CLOEXEC);
	struct auth *a = NULL;
	struct err err;
	char path[40];

	log_set_level(LOG_ERROR);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (auth_load(&(struct auth_config){ .kubeconfig = path }, &a, &err) < 0) {
		must(!a && err.code < 0 && strstr(err.msg, path));
	} else {
		check(auth_get(a, 1));
		auth_rejected(a);
		check(auth_get(a, 2));
	}
	auth_free(a);
	close(fd);
	return 0;
}
