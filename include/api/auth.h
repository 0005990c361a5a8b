/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_AUTH_H
#define API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The API server's address, the means to verify it, and our credentials: from a kubeconfig file, a
 * pod's environment, or a mere address. The kubeconfig is read once. The files that it names are
 * read again while the program runs, because they are rotated.
 */

enum {
	AUTH_MAX_FILE = 1 << 20,	/* bytes of a kubeconfig, certificate, key or token */
	AUTH_TOKEN_AGE_MS = 50 * 1000,	/* a token older than this is read again */
	AUTH_FILES_AGE_MS = 300 * 1000, /* certificates and keys older than this, too */
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

/* For one request. */
struct credentials {
	const char *server;	 /* "https://HOST[:PORT][/PATH]", without a '/' at its end */
	const char *server_name; /* must be in the certificate; NULL: the server's host */
	const char *proxy;	 /* URL; NULL: what the environment says (https_proxy, no_proxy) */
	bool insecure;		 /* the server's certificate is not verified */
	bool compression;	 /* answers may be compressed */
	struct pem ca;		 /* signs the server's certificate; none: the system's roots */
	struct pem cert, key;	 /* both or none */
	const char *token;	 /* bearer token; NULL: none */
	const char *username, *password; /* both or none */
	const char *const *headers;	 /* "Impersonate-User: NAME" and the like; ends with NULL */
};

struct auth;

/*
 * 1. Neither kubeconfig nor master: the pod's own service account.
 * 2. master alone: that server and no credentials.
 * 3. Both: the kubeconfig's credentials, for the server that master names.
 *
 * Credentials are for https only. Logs a warning if the server will not be verified. Returns 0, or
 * a negative errno with words that name the file and the key, and never a secret.
 */
int auth_load(const struct auth_config *config, struct auth **ret, struct err *err);
void auth_free(struct auth *a);

/*
 * Reads the files that are due. If a file cannot be read, is empty or malformed, its previous
 * content stays in force, which is logged once. The result is valid until the next call.
 */
const struct credentials *auth_get(struct auth *a, uint64_t now_ms);

/* The server refused us (401), or the TLS handshake failed: all files are due. */
void auth_rejected(struct auth *a);

#endif
