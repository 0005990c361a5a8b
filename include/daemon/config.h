/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "core/policy.h"

/*
 * Options of ipvsctl-svcd, and of those commands of ipvsctl-svc that resolve Services themselves.
 * One table serves the parser, --help and the check that the man page is complete. kube-proxy's
 * names are taken as they are; in names '_' and
 * '-' are the same.
 */

enum option_group {
	OPTIONS_POLICY = 1, /* what decides the facts: also of `ipvsctl-svc plan` */
	OPTIONS_INPUT = 2,  /* --manifests and what belongs to it: also of `ipvsctl-svc plan` */
	OPTIONS_DAEMON = 4,
};

enum backend { BACKEND_AUTO, BACKEND_IPVS, BACKEND_IPTABLES };
const char *backend_name(enum backend b);

#define DEFAULT_STATUS_SOCKET "/run/ipvsctl-svc/status.sock"

struct config {
	struct policy
		policy; /* with the defaults of policy_init() where no option says otherwise */
	const char **manifests; /* of argv */
	size_t n_manifests;
	struct cidr service_range[2]; /* --service-cluster-ip-range: IPv4, IPv6; family 0: none */
	enum backend backend;
	bool strict_arp;
	uint32_t tcp_timeout, tcp_fin_timeout, udp_timeout; /* of IPVS, seconds; 0: leave */
	uint64_t audit_interval;			    /* milliseconds; 0: never */
	const char *status_socket;			    /* "" : none */
	enum log_level log_level;
	bool once, cleanup, init_only;
	bool help, version;
};

/*
 * Reads argv[1..] with the options of the given groups into *c, which config_init() filled. Stops
 * at the first argument that is no option, or after "--"; its index goes to *ret_rest. Returns 0,
 * or -EINVAL with every mistake named in one text. Strings point into argv.
 */
void config_init(struct config *c);
int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err);
void config_done(struct config *c);
/* The options of these groups with their defaults, one a line. */
void config_help(unsigned groups, FILE *out);

/* A Go duration ("1h2m3.5s", "300ms", "0"), in milliseconds. Returns 0, or -EINVAL. */
int config_parse_duration(const char *s, int64_t *ret);

#endif
