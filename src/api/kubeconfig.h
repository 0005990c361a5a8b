/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_KUBECONFIG_H
#define API_KUBECONFIG_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "credential.h"

/*
 * The cluster and the user of a kubeconfig file's current context
 * (k8s.io/client-go/tools/clientcmd/api/v1). The files that it names are not read yet; relative
 * paths are resolved against the directory of the kubeconfig.
 */
struct kubeconfig {
	struct arena arena;		    /* of all strings here */
	bool empty;			    /* no cluster, user or context at all */
	const char *server;		    /* as written; NULL: none */
	const char *server_key, *proxy_key; /* for messages: "FILE: clusters[0].cluster.server" */
	const char *server_name, *proxy;    /* NULL: none */
	bool insecure, disable_compression;
	struct credential ca, cert, key, token;
	const char *username, *password; /* both or none (NULL) */
	const char **headers;		 /* of impersonation; ends with NULL; NULL: none */
};

/* `ret` is zeroed. Returns 0, or a negative errno with words; kubeconfig_done() in both cases. */
int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err);
void kubeconfig_done(struct kubeconfig *k);

#endif
