/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_KUBECONFIG_H
#define API_KUBECONFIG_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "credential.h"
#include "decode/reader.h"

/*
 * What a kubeconfig file says about the cluster and the user of its current context
 * (k8s.io/client-go/tools/clientcmd/api/v1). The files that it names are not read yet; their paths
 * are relative to nothing any more.
 */
struct kubeconfig {
	struct arena arena;		    /* of all strings here */
	bool empty;			    /* it says nothing at all */
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

/* Between the files of this parser, which return 0, or -EINVAL with the reader's error: */
struct kubeconfig_reader {
	struct reader reader;
	const char *path; /* of the file */
	struct kubeconfig *to;
};

/* x, y and z in one string of the arena. */
const char *kubeconfig_join(
	struct kubeconfig_reader *k, const char *x, const char *y, const char *z);
/* How messages name a field below where the reader is. */
const char *kubeconfig_name_key(struct kubeconfig_reader *k, const char *key);
/* An empty string says as little as none; messages do not show what is there. */
int kubeconfig_read_text(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char **ret);
/* The path of a file in a field: relative to the directory of the kubeconfig. */
int kubeconfig_read_path(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char **ret);
/* KEY names a file; KEY-data holds its content and wins. */
int kubeconfig_read_pem(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, struct credential *ret);
/* users[].user */
int kubeconfig_read_user(struct kubeconfig_reader *k, const json_t *user);

#endif
