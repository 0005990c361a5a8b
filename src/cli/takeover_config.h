/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_TAKEOVER_CONFIG_H
#define CLI_TAKEOVER_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "kube_proxy.h"

/* The configuration with which ipvsctl-svcd takes over from the kube-proxy of this node: that of
 * kube-proxy, with the options that this command was given. */

#define TAKEOVER_CONFIG_FILE "/var/lib/kube-proxy/config.conf" /* of kubeadm's pods */

/* A command line in the making. */
struct command_words {
	char **v; /* argv: ends with NULL */
	int n, cap;
};

struct takeover_config {
	struct command_words of_proxy, of_daemon; /* to which the configurations refer */
	struct config given;  /* by the options of this command; the caller parses them */
	struct config proxy;  /* of kube-proxy alone */
	struct config config; /* of the daemon, and where this command reads Services */
	struct kube_proxy found;
	const char *extra;  /* an argument of kube-proxy that is no option; NULL: there is none */
	struct buf command; /* that starts the daemon with this configuration */
	bool stand_in;	    /* the manifests stand for what the daemon gets from the API server */
};

void takeover_config_init(struct takeover_config *t);
void takeover_config_done(struct takeover_config *t);
/* Looks for kube-proxy and reads its configuration. Mistakes in it stay in `config`. Returns 0, or a
 * negative errno with words. */
int takeover_config_read(struct takeover_config *t, struct err *err);
/* The file that is read; NULL: there is none. */
const char *takeover_config_file(const struct takeover_config *t);

#endif
