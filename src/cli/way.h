/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_WAY_H
#define CLI_WAY_H

#include <jansson.h>
#include <stdbool.h>

#include "core/options.h"
#include "kube_proxy.h"

/* The way from kube-proxy to ipvsctl-svcd and back, as lines for a shell. Those that begin with '#'
 * are for people. */
struct way {
	const struct kube_proxy *kube_proxy;
	const char *mode;     /* of kube-proxy: "ipvs"; "": unknown */
	enum backend backend; /* of the daemon, never BACKEND_AUTO */
	const char *daemon;   /* the command that starts it */
	bool leftovers;	      /* kube-proxy leaves what the daemon does not use */
};

/* A new list each. */
json_t *way_there(const struct way *w);
json_t *way_back(const struct way *w);

#endif
