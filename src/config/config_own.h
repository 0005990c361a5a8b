/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_CONFIG_OWN_H
#define CONFIG_CONFIG_OWN_H

#include <jansson.h>

#include "config/config.h"

/* What the parts of the configuration share: kinds of values, and the notes taken of them. */

#define CONFIG_API_VERSION "kubeproxy.config.k8s.io/v1alpha1"
#define CONFIG_KIND "KubeProxyConfiguration"
#define CONFIG_OWN_SECTION "ipvsctl."

#define DEFAULT_MARK_MASK "0xfff00000"

enum {
	AUDIT_INTERVAL_MIN = 100, /* ms; reading a large kernel state takes tens of them */
	VERBOSITY_DEBUG = 4,	  /* from there on kube-proxy logs what is for debugging */
};

/* How a value looks in the file. */
enum value_shape {
	SHAPE_TEXT,
	SHAPE_BOOL,
	SHAPE_NUMBER, /* whole */
	SHAPE_REAL,
	SHAPE_DURATION, /* "1m30s" */
	SHAPE_TIME,	/* the same, or nanoseconds */
	SHAPE_QUANTITY, /* "64Ki", or a number */
	SHAPE_LIST,	/* of strings */
	SHAPE_GATES,	/* names with true or false */
	SHAPE_VMODULE,	/* a list of filePattern and verbosity */
};

/*
 * A kind of value. `set` reads what stands on the command line, or the file's value written like
 * that, into the option's place; a list has `add` for one element in its stead. The text lives as
 * long as the config. Words follow the option's name: "--drain-timeout: is not a duration".
 */
struct value_type {
	enum value_shape shape;
	bool commas; /* a list: elements are separated by commas on the command line */
	int (*set)(
		struct config *c, const struct config_option *o, const char *text, struct err *err);
	int (*add)(struct config *c, const struct config_option *o, const char *element,
		struct err *err);
	void (*clear)(struct config *c, const struct config_option *o); /* of a list */
	/* As it stands in the file. */
	json_t *(*get)(const struct config *c, const struct config_option *o);
};

/* Where option.at is. */
static inline void *option_place(struct config *c, const struct config_option *o)
{
	return (char *)c + o->at;
}

static inline const void *option_value(const struct config *c, const struct config_option *o)
{
	return (const char *)c + o->at;
}

/* Values with a place in struct config, at option.at */
extern const struct value_type type_bool, value_u8, value_u32, value_seconds, value_duration,
	type_text, value_choice, value_audit_interval, value_oom_score, value_scheduler,
	value_hostname, value_log_level, value_verbosity, value_mode, value_socket, value_version,
	value_diff, value_manifests, value_mark_mask;
extern const struct value_type value_cidr_pair, value_cidrs, value_nodeport_addresses,
	value_interface, value_ip, value_listen;
/* Values that are checked, and kept as text only */
extern const struct value_type value_qps, value_burst;
extern const struct value_type kept_bool, kept_number, kept_duration, kept_time, kept_text,
	kept_format, kept_quantity, kept_release, kept_gates, kept_vmodule;

int read_bool(const char *text, bool *ret, struct err *err);
int read_number(const char *text, long min, long max, long *ret, struct err *err);
int read_duration(const char *text, int64_t *ret_ms, struct err *err);
/* Calls add() for each element of a comma-separated list, without the blanks around it; empty ones
 * do not count. */
int each_element(struct config *c, const struct config_option *o, const char *text,
	int (*add)(struct config *c, const struct config_option *o, const char *element,
		struct err *err),
	struct err *err);
/* As Go prints a duration: "1m30s", "24h0m0s", "500ms". */
json_t *duration_json(int64_t ms);
/* A string of any bytes; those that are not UTF-8 become '?'. */
json_t *text_json(const char *text);
/* What is written like that on the command line, as it would stand in the file. */
json_t *shape_json(enum value_shape shape, const char *text);
/* What Go leaves a value at that is not given: 0 or "". */
bool shape_is_zero(enum value_shape shape, const char *text);

/* Whether the feature gate is on: as given, or else as it is here. */
bool gate_enabled(const struct config *c, const char *name);
/* Adds the gates that are given another way than what is done here. Returns how many. */
size_t gates_unhonoured(const struct config *c, const struct config_option *o, struct buf *text);

/* The option of that name or of that key in the file; it must exist. */
const struct config_option *option_named(const char *name);
const struct config_option *option_keyed(const char *key);
size_t option_index(const struct config_option *o);
bool option_given(const struct config *c, const struct config_option *o);
/* "--cluster-cidr", or "KubeProxyConfiguration.clusterCIDR" where a file is used for it. */
void option_shown(const struct config *c, const struct config_option *o, struct buf *b);
/* Without the noise before the key: "clusterCIDR" or "--cluster-cidr". */
void option_shown_short(const struct config *c, const struct config_option *o, struct buf *b);

void note(struct config *c, struct config_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The value of an option; of a list: an element where it comes from a file. */
int config_set(struct config *c, const struct config_option *o, const char *text,
	enum config_origin origin, struct err *err);

/* The parts of config_parse(): each notes mistakes and warnings. */
int config_args(struct config *c, unsigned groups, int argc, char *const argv[], bool scouting);
void config_file(struct config *c);
void config_check(struct config *c);

/* Looks for the name that was meant, by the letters that differ. */
struct nearest {
	const char *name;
	size_t len;
	unsigned best;
	const char *found; /* NULL: none is near */
};
void nearest_init(struct nearest *n, const char *name, size_t len);
void nearest_try(struct nearest *n, const char *candidate);

#endif
