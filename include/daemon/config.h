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
 * One table serves the parser, --help and the check that the man pages are complete. kube-proxy's
 * names are taken as they are; in names '_' and '-' are the same.
 */

enum option_group {
	OPTIONS_POLICY = 1, /* what decides the facts: also of `ipvsctl-svc plan` */
	OPTIONS_INPUT = 2,  /* --manifests and what belongs to it: also of `ipvsctl-svc plan` */
	OPTIONS_DAEMON = 4, /* of ipvsctl-svcd */
	OPTIONS_PLAN = 8,   /* of `ipvsctl-svc plan`; arguments that are no option are --manifests
			     */
};

enum backend { BACKEND_AUTO, BACKEND_IPVS, BACKEND_IPTABLES };
const char *backend_name(enum backend b);

enum plan_output { PLAN_TEXT, PLAN_JSON, PLAN_YAML };
enum plan_diff { DIFF_IF_POSSIBLE, DIFF_NO, DIFF_YES };

#define DEFAULT_STATUS_SOCKET "/run/ipvsctl-svc/status.sock"

struct config {
	/* With the defaults of policy_init() where no option says otherwise, and the host's name.
	 */
	struct policy policy;
	const char *bridge_interface, *interface_prefix; /* "": not given */
	const char **manifests;				 /* of argv */
	size_t n_manifests;
	struct cidr service_range[2]; /* --service-cluster-ip-range: IPv4, IPv6; family 0: none */
	enum backend backend;
	bool strict_arp;
	uint32_t tcp_timeout, tcp_fin_timeout, udp_timeout; /* of IPVS, seconds; 0: leave */
	uint64_t audit_interval;			    /* milliseconds; 0: never */
	const char *status_socket;			    /* "" : none */
	enum log_level log_level;
	bool once, cleanup, init_only;
	enum plan_output output;
	enum plan_diff diff;
	bool help, version;
};

/*
 * Reads argv[1..] with the options of the given groups into *c, which config_init() filled. Stops
 * at the first argument that is no option, or after "--"; its index goes to *ret_rest (argc with
 * OPTIONS_PLAN, which takes all of them). Returns 0, or -EINVAL with every mistake named in one
 * text. Strings point into argv. After --help or
 * --version nothing else counts: mistakes are not reported.
 */
void config_init(struct config *c);
int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err);
void config_done(struct config *c);

/* The options of these groups with their defaults, one a line. */
void config_help(unsigned groups, FILE *out);

struct config_option {
	const char *name;  /* without "--" */
	const char *alias; /* another name; NULL: none */
	char letter;	   /* "-v"; 0: none */
	unsigned groups;
	const char *arg;    /* what stands for the value in help; NULL: true or false */
	const char *preset; /* the default, as one would write it; NULL: there is none */
	const char *help;
	int (*set)(struct config *c, const char *value, struct err *err);
};
const struct config_option *config_options(size_t *ret_n);

#endif
