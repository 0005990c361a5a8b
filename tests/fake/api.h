/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_API_H
#define FAKE_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Starts the fake API server (tests/fake/apiserver, where its orders are described) and gives it
 * orders. What does not work ends the program with words: a test cannot go on without its server.
 */
struct fake_api {
	pid_t pid;
	FILE *orders, *answers;
	unsigned port;
	bool tls;
	char dir[64]; /* for this test alone: certificates (ca.crt, client.crt, ...), other files */
};

void fake_api_start(struct fake_api *a, bool tls);
/* Removes the directory and all files in it. */
void fake_api_stop(struct fake_api *a);

/* One order as JSON. */
void fake_api_order(struct fake_api *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* {"get": WHAT}; the caller owns the answer. */
json_t *fake_api_get(struct fake_api *a, const char *what);
/* A number of {"get": "state"}. */
json_int_t fake_api_count(struct fake_api *a, const char *what);

/* The last request: method, path, query, headers (lower case), status. The caller owns it. */
json_t *fake_api_last_request(struct fake_api *a);

/* Both return `ret`. */
const char *fake_api_path(const struct fake_api *a, const char *name, char ret[static 128]);
const char *fake_api_url(const struct fake_api *a, char ret[static 64]);
/* Writes a file into the directory, or copies one there. */
void fake_api_write(const struct fake_api *a, const char *name, const char *text);
void fake_api_copy(const struct fake_api *a, const char *from, const char *to);
/*
 * Writes a kubeconfig named "kubeconfig": `cluster` and `user` are the members of these in YAML
 * flow style ("token: x, username: y"); the server and, with TLS, its authority are put before
 * those.
 */
void fake_api_write_kubeconfig(const struct fake_api *a, const char *cluster, const char *user);

#endif
