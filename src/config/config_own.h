/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_CONFIG_OWN_H
#define CONFIG_CONFIG_OWN_H

#include <jansson.h>

#include "config/config.h"
#include "nearest.h"

/* What the parts of the configuration share: kinds of values, and the notes taken of them. */

#define CONFIG_API_VERSION "kubeproxy.config.k8s.io/v1alpha1"
#define CONFIG_KIND "KubeProxyConfiguration"
#define CONFIG_OWN_SECTION "ipvsctl."

#define DEFAULT_MARK_MASK "0xfff00000"

enum {
	AUDIT_INTERVAL_MIN = 100, /* ms; reading a large kernel state takes tens of them */
	VERBOSITY_DEBUG = 4,	  /* from there on kube-proxy logs what is for debugging */
};

/* Where option.at is. */
static inline void *option_place(void *c, const struct option_row *o)
{
	return (char *)c + o->at;
}

static inline const void *option_value(const void *c, const struct option_row *o)
{
	return (const char *)c + o->at;
}

/* Values with a place in struct config, at option.at */
extern const struct option_type type_u8, type_u32, type_seconds, type_duration, type_audit_interval,
	type_oom_score, type_scheduler, type_hostname, type_log_level, type_verbosity, type_mode,
	type_socket, type_version, type_diff, type_manifests, type_mark_mask;
extern const struct option_type type_cidr_pair, type_cidrs, type_nodeport_addresses, type_interface,
	type_ip, type_listen;
/* Values that are checked, and kept as text only */
extern const struct option_type type_qps, type_burst;
extern const struct option_type kept_bool, kept_number, kept_duration, kept_time, kept_text,
	kept_format, kept_quantity, kept_release, kept_gates, kept_vmodule;

int read_bool(const char *text, bool *ret, struct err *err);
int read_number(const char *text, long min, long max, long *ret, struct err *err);
int read_duration(const char *text, int64_t *ret_ms, struct err *err);
/* Calls add() for each element of a comma-separated list, without the blanks around it; empty ones
 * do not count. */
int each_element(void *c, const struct option_row *o, const char *text,
	int (*add)(void *c, const struct option_row *o, const char *element, struct err *err),
	struct err *err);
/* As Go prints a duration: "1m30s", "24h0m0s", "500ms". */
json_t *duration_json(int64_t ms);
/* A string of any bytes; those that are not UTF-8 become '?'. */
json_t *text_json(const char *text);
/* What is written like that on the command line, as it would stand in the file. */
json_t *shape_json(enum option_shape shape, const char *text);
/* What Go leaves a value at that is not given: 0 or "". */
bool shape_is_zero(enum option_shape shape, const char *text);

/* Whether the feature gate is on: as given, or else as it is here. */
bool gate_enabled(const struct config *c, const char *name);
/* Adds the gates that are given another way than what is done here. Returns how many. */
size_t gates_unhonoured(const struct config *c, const struct option_row *o, struct buf *text);

/* The option of that name or of that key in the file; it must exist. */
const struct option_row *option_named(const char *name);
const struct option_row *option_keyed(const char *key);
size_t option_index(const struct option_row *o);
bool option_given(const struct config *c, const struct option_row *o);
/* "--cluster-cidr", or "KubeProxyConfiguration.clusterCIDR" where a file is used for it. */
void option_shown(const struct config *c, const struct option_row *o, struct buf *b);
/* Without the noise before the key: "clusterCIDR" or "--cluster-cidr". */
void option_shown_short(const struct config *c, const struct option_row *o, struct buf *b);

void note(struct config *c, struct config_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The value of an option; of a list: an element where it comes from a file. */
int config_set(struct config *c, const struct option_row *o, const char *text,
	enum config_origin origin, struct err *err);

/* The parts of config_parse(): each notes mistakes and warnings. */
int config_args(struct config *c, unsigned groups, int argc, char *const argv[]);
/* Finds the file, which must be read before options count, and whether an input is given. */
void config_scout(struct config *c, unsigned groups, int argc, char *const argv[]);
void config_file(struct config *c);
void config_check(struct config *c);

#endif
