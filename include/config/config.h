/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "config/option.h"
#include "core/options.h"

/*
 * The options of ipvsctl-svcd, and of those commands of ipvsctl-svc that resolve Services
 * themselves, by one table: see config/option.h. kube-proxy's names are taken as they are.
 *
 * The file is a KubeProxyConfiguration with a section "ipvsctl" for our own keys. Options of ours
 * override the file; kube-proxy's options are ignored beside a file, as kube-proxy does.
 */

enum option_group {
	OPTIONS_POLICY = 1,	/* what decides the facts; of the daemon, plan and explain */
	OPTIONS_INPUT = 2,	/* --manifests and what belongs to it; of the same three */
	OPTIONS_DAEMON = 4,	/* of ipvsctl-svcd */
	OPTIONS_PLAN = 8,	/* of `ipvsctl-svc plan`; its arguments are --manifests */
	OPTIONS_EXPLAIN = 16,	/* of `ipvsctl-svc explain`; it takes one argument */
	OPTIONS_PREFLIGHT = 32, /* of `ipvsctl-svc preflight`, which does not read the file */
};

enum plan_output { PLAN_TEXT, PLAN_JSON, PLAN_YAML };
enum plan_diff { DIFF_IF_POSSIBLE, DIFF_NO, DIFF_YES };
enum config_input { INPUT_NONE, INPUT_MANIFESTS, INPUT_API };

enum {
	CONFIG_MAX_OPTIONS = 128,  /* rows of the table */
	CONFIG_MAX_FILE = 1 << 20, /* bytes */
	CONFIG_MAX_NOTES = 100,	   /* mistakes, and warnings; the rest is counted only */
};

#define DEFAULT_CONFIG_DIR "/etc/ipvsctl-svc"
#define DEFAULT_STATUS_SOCKET "/run/ipvsctl-svc/status.sock"

/* Where a server listens. */
struct listen_address {
	struct ip ip; /* family 0: there is no server */
	uint16_t port;
};

/* Where the value of an option comes from. */
enum config_origin { ORIGIN_PRESET, ORIGIN_FILE, ORIGIN_OPTION };

struct config_given {
	enum config_origin origin;
	const char *text; /* as it was given, lists with commas; NULL with ORIGIN_PRESET */
};

/* Lines for a person; the config's arena has them. */
struct config_notes {
	const char *line[CONFIG_MAX_NOTES];
	size_t n;
	unsigned left_out;
};

struct config {
	struct options options; /* node_name: the host's, unless an option overrides it */
	const char *bridge_interface, *interface_prefix; /* "": not given */

	/* Inputs; strings are "" where they are not given */
	const char **manifests;
	size_t n_manifests;
	const char *kubeconfig, *master;
	bool in_cluster; /* KUBERNETES_SERVICE_HOST is set, as in a pod */
	enum endpoints_source endpoints_source;
	const char *content_type, *accept_content_types;
	bool json;	/* by these two: the API server is asked for JSON only */
	double qps;	/* limit of requests to the API server, without watches; < 0: none */
	unsigned burst; /* such requests at once */

	/* The node */
	bool strict_arp;
	uint32_t tcp_timeout, tcp_fin_timeout, udp_timeout; /* of IPVS, seconds; 0: leave */
	uint64_t audit_interval;			    /* milliseconds; 0: never */
	int64_t ipvs_sync_period, iptables_sync_period;	    /* milliseconds, as in kube-proxy */
	int64_t sync_period;				    /* that of the backend */
	struct ip bind_address; /* the node's address of its family; unspecified: not given */
	struct conntrack_settings conntrack;
	bool adjust_oom_score;
	int oom_score_adj;

	/* Servers */
	const char *status_socket; /* "" : none */
	struct listen_address healthz, metrics;
	uint16_t healthz_port, metrics_port; /* deprecated; `healthz` and `metrics` respect them */
	bool bind_address_hard_fail;

	enum log_level log_level;
	enum log_format log_format;
	const char *default_dir;     /* see config_parse(); "": none, as config_init() leaves it */
	bool input_named;	     /* by --manifests, --kubeconfig or --master */
	const char *file;	     /* --config; "": none */
	const char *write_config_to; /* "": nowhere */
	bool print_config;
	bool once, cleanup, init_only, hand_over;
	const char *what, *from, *ns, *socket; /* of explain; "" : not given */
	enum plan_output output;
	enum plan_diff diff;
	bool help, version;

	struct config_given given[CONFIG_MAX_OPTIONS]; /* by row of the table */
	struct config_notes mistakes, warnings;
	struct arena arena; /* of all strings that come from outside */
	struct buf text;    /* of the file, to find the places of its mistakes */
	unsigned text_line; /* in which its document begins */
};

void config_init(struct config *c);
/*
 * Reads argv[1..] with the options of the given groups, and the file that --config names, into *c,
 * which config_init() filled.
 *
 * 1. Without --config and without an input on the command line, c->default_dir/config.yaml is the
 *    file, if it exists.
 * 2. If nothing names an input then, c->default_dir/manifests.d is the manifests, if it exists.
 *
 * Stops at the first argument that is no option, or after "--", and returns its index in *ret_rest;
 * with OPTIONS_PLAN and OPTIONS_EXPLAIN that is argc, because these take all arguments. Returns 0,
 * or -EINVAL with all mistakes in one text; c->mistakes has each of them, and c->warnings a log
 * line for each thing that the user should know. With --help or --version mistakes do not count.
 */
int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err);
void config_done(struct config *c);

/*
 * Where Services come from: --manifests, or else the API server of --kubeconfig, --master or the
 * pod's cluster.
 */
enum config_input config_input(const struct config *c);

/* kube-proxy's feature gates whose subject exists here, as they are in force. */
enum { CONFIG_MAX_GATES = 16 };
struct config_gate {
	const char *name, *stage; /* the stage of Kubernetes 1.36: "ALPHA", "BETA" or "" */
	bool on;
};
/* Returns their number. */
size_t config_gates(const struct config *c, struct config_gate ret[static CONFIG_MAX_GATES]);

/* Calls fn for each option that is given without effect: "--profiling", and why ("": not told). */
void config_each_unhonoured(const struct config *c,
	void (*fn)(const char *name, const char *why, void *arg), void *arg);
/* Appends these options, separated by commas. Returns their number. */
size_t config_unhonoured(const struct config *c, struct buf *text);

/*
 * The effective configuration as a KubeProxyConfiguration with our section; --config reads it back
 * to the same values. The caller has the reference.
 */
struct json_t *config_tree(const struct config *c);
void config_yaml(const struct config *c, struct buf *out);
/* Does --write-config-to or --print-config. Returns 0, or a negative errno with words. */
int config_dump(const struct config *c, struct err *err);

/* Appends the whole file. Returns 0, or a negative errno: -EFBIG above CONFIG_MAX_FILE. */
int config_read(const char *path, struct buf *text);

/* Prints the options of these groups with their defaults. */
void config_help(unsigned groups, FILE *out);

/* The table; its target is struct config. */
const struct option_row *config_options(size_t *ret_n);

#endif
