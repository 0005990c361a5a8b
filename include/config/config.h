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
 * Options of ipvsctl-svcd, and of those commands of ipvsctl-svc that resolve Services themselves.
 * One table serves the command line, the configuration file, what is printed of both, --help, and
 * the check that the man pages are complete. kube-proxy's names are taken as they are; in names of
 * options '_' and '-' are the same.
 *
 * The file is a KubeProxyConfiguration, with a section "ipvsctl" for what kube-proxy does not know.
 * Options of ours count over the file; those of kube-proxy are ignored beside it, as kube-proxy
 * does (the table's FILE_WINS).
 */

enum option_group {
	OPTIONS_POLICY = 1,   /* what decides the facts: also of `ipvsctl-svc plan` */
	OPTIONS_INPUT = 2,    /* --manifests and what belongs to it: also of `ipvsctl-svc plan` */
	OPTIONS_DAEMON = 4,   /* of ipvsctl-svcd */
	OPTIONS_PLAN = 8,     /* of `ipvsctl-svc plan`; arguments that are no option are --manifests
			       */
	OPTIONS_EXPLAIN = 16, /* of `ipvsctl-svc explain`; one argument is no option */
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
	struct ip ip; /* family 0: it does not */
	uint16_t port;
};

/* Where the value of an option comes from. */
enum config_origin { ORIGIN_PRESET, ORIGIN_FILE, ORIGIN_OPTION };

struct config_given {
	enum config_origin origin;
	const char *text; /* as it was given, lists with commas; NULL with ORIGIN_PRESET */
};

/* Lines for a person, of the config's arena. */
struct config_notes {
	const char *line[CONFIG_MAX_NOTES];
	size_t n;
	unsigned left_out;
};

struct config {
	/* With the defaults of options_init() where no option says otherwise, and the host's name.
	 */
	struct options options;
	const char *bridge_interface, *interface_prefix; /* "": not given */

	/* Inputs; strings are "" where they are not given */
	const char **manifests;
	size_t n_manifests;
	struct cidr service_range[2]; /* --service-cluster-ip-range: IPv4, IPv6; family 0: none */
	const char *kubeconfig, *master;
	bool in_cluster; /* the environment is that of a pod: it has KUBERNETES_SERVICE_HOST */
	enum endpoints_source endpoints_source;
	const char *content_type, *accept_content_types;
	bool json;  /* what these two mean: ask for JSON only */
	double qps; /* of requests to the API server that are no watch */
	unsigned burst;

	/* The node */
	bool strict_arp;
	uint32_t tcp_timeout, tcp_fin_timeout, udp_timeout; /* of IPVS, seconds; 0: leave */
	uint64_t audit_interval;			    /* milliseconds; 0: never */
	/* As kube-proxy has them, milliseconds; `sync_period` is the one of the backend. */
	int64_t ipvs_sync_period, iptables_sync_period;
	int64_t sync_period;
	struct ip bind_address; /* the node's address of its family, unless it is unspecified */
	struct conntrack_settings conntrack;
	bool adjust_oom_score;
	int oom_score_adj;

	/* Servers */
	const char *status_socket; /* "" : none */
	struct listen_address healthz, metrics;
	uint16_t healthz_port, metrics_port; /* deprecated; `healthz` and `metrics` respect them */
	bool bind_address_hard_fail;

	enum log_level log_level;
	const char *default_dir;     /* see config_parse(); "": none, as config_init() leaves it */
	bool input_named;	     /* by --manifests, --kubeconfig or --master */
	const char *file;	     /* --config; "": none */
	const char *write_config_to; /* "": nowhere */
	bool print_config;
	bool once, cleanup, init_only;
	const char *what, *from, *ns, *socket; /* of explain; "" : not given */
	enum plan_output output;
	enum plan_diff diff;
	bool help, version;

	struct config_given given[CONFIG_MAX_OPTIONS]; /* by row of the table */
	struct config_notes mistakes, warnings;
	struct arena arena; /* of all strings that come from outside */
};

/*
 * Reads argv[1..] with the options of the given groups, and the file that --config names, into *c,
 * which config_init() filled. A command line with neither that option nor an input has the file
 * config.yaml of c->default_dir, and if that names no input either the manifests in its
 * manifests.d, as far as they are there. Stops at the first argument that is no option, or after
 * "--"; its index goes to *ret_rest (argc with OPTIONS_PLAN and OPTIONS_EXPLAIN, which take all of
 * them). Returns 0, or -EINVAL with every mistake named in one text; c->mistakes has them one by
 * one, however many they are. c->warnings has what should be told, one log line each. After --help
 * or --version nothing else counts: mistakes are not reported.
 */
void config_init(struct config *c);
int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err);
void config_done(struct config *c);

/*
 * Where Services come from: --manifests; else the API server of --kubeconfig or --master, or that
 * of the pod that this runs in.
 */
enum config_input config_input(const struct config *c);

/* Adds what was given and has no effect here to the text, with commas. Returns how many. */
size_t config_unhonoured(const struct config *c, struct buf *text);

/*
 * What is in effect, as a KubeProxyConfiguration with our section; with --config it means the same
 * again. The caller has the reference.
 */
struct json_t *config_tree(const struct config *c);
void config_yaml(const struct config *c, struct buf *out);
/* What --print-config and --write-config-to ask for. Returns 0, or a negative errno with words. */
int config_dump(const struct config *c, struct err *err);

/* Appends the whole file. Returns 0, or a negative errno: -EFBIG above CONFIG_MAX_FILE. */
int config_read(const char *path, struct buf *text);

/* The options of these groups with their defaults, one a line. */
void config_help(unsigned groups, FILE *out);

/* The table, of the target struct config. */
const struct option_row *config_options(size_t *ret_n);

#endif
