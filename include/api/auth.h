/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_AUTH_H
#define API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Where the API server is, how to know that it is the right one, and who we are: out of a
 * kubeconfig file, out of a pod's environment, or nothing but an address. The kubeconfig is read
 * once; the files that it names are read again while the program runs, because others rotate them.
 */

enum {
	AUTH_MAX_FILE = 1 << 20,	/* bytes of a kubeconfig, certificate, key or token */
	AUTH_TOKEN_AGE_MS = 50 * 1000,	/* a token older than this is read again */
	AUTH_FILES_AGE_MS = 300 * 1000, /* the same for certificates and keys */
};

struct auth_config {
	const char *kubeconfig; /* path; NULL or "": none */
	const char *master; /* URL or HOST[:PORT] in place of the kubeconfig's; NULL or "": none */
	/* Directory of a service account's token and ca.crt; NULL: where Kubernetes mounts it. */
	const char *in_cluster;
};

struct pem {
	const char *data; /* NULL: none */
	size_t len;
};

/* What is to be used for a request now. */
struct credentials {
	const char *server;	 /* "https://HOST[:PORT][/PATH]", without a '/' at its end */
	const char *server_name; /* must be in the certificate; NULL: the server's host */
	const char *proxy;	 /* URL; NULL: what the environment says (https_proxy, no_proxy) */
	bool insecure;		 /* the server's certificate is not looked at */
	bool compression;	 /* answers may be compressed */
	struct pem ca;		 /* signs the server's certificate; none: the system's roots */
	struct pem cert, key;	 /* both or none */
	const char *token;	 /* bearer token; NULL: none */
	const char *username, *password; /* both or none */
	const char *const *headers;	 /* "Impersonate-User: NAME" and the like; ends with NULL */
};

struct auth;

/*
 * With neither kubeconfig nor master: the pod's own service account. With master alone: that server
 * and no credentials. Credentials are for https only. Logs a warning where the server is not going
 * to be verified. Returns 0, or a negative errno with words that name the file and the key, and
 * never a secret.
 */
int auth_load(const struct auth_config *config, struct auth **ret, struct err *err);
void auth_free(struct auth *a);

/*
 * Reads again what is due. A file that cannot be read, is empty or does not look right keeps what
 * was there before, which is logged once. What is returned is valid until the next call.
 */
const struct credentials *auth_get(struct auth *a, uint64_t now_ms);

/* The server refused us (401), or TLS did not come about: all files are due. */
void auth_rejected(struct auth *a);

#endif
