/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_CONFIG_VALUES_H
#define CONFIG_CONFIG_VALUES_H

#include <jansson.h>

#include "config/config.h"

/*
 * The values of struct config by their rows of the table: where each comes from, how it is set,
 * printed, and named in messages.
 */

#define CONFIG_KIND "KubeProxyConfiguration"

enum {
	AUDIT_INTERVAL_MIN = 100, /* ms; reading a large kernel state takes tens of them */
	VERBOSITY_DEBUG = 4,	  /* kube-proxy logs debug messages from there on */
};

enum config_trait {
	FILE_WINS = 1,	     /* the option is ignored beside a file */
	ALIAS_FILE_WINS = 2, /* the option is ignored beside a file if given by its alias */
	FILE_ZERO = 4,	     /* "" or 0 in a file means the default */
	EMPTY_IS_PRESET = 8, /* "" on the command line means the default */
	ZERO_IS_PRESET = 16, /* 0 on the command line means the default */
	CLUSTER_PRESET = 32, /* the default holds in a cluster only, not with --manifests */
	UNHONOURED = 64,     /* accepted without effect */
};

/* The row of that option, or else of that key; it must exist. */
const struct option_row *config_row(const char *name);
const struct config_given *config_given(const struct config *c, const struct option_row *o);
/* With the nftables backend that key of the file stands for this option; NULL: it does not. */
const char *config_nftables_twin(const struct option_row *o);
/* An option or the file gives it. */
bool config_is_given(const struct config *c, const struct option_row *o);

/* Sets the value; a list gets one element where `origin` is the file. */
int config_set(struct config *c, const struct option_row *o, const char *text,
	enum config_origin origin, struct err *err);
/* Sets all defaults but those of CLUSTER_PRESET. */
void config_set_presets(struct config *c);
/* The value as it stands in a file; the caller has the reference. */
json_t *config_value(const struct config *c, const struct option_row *o);

/* Appends "--cluster-cidr", or "clusterCIDR" where a file is used for it; true: the latter. */
bool config_show(const struct config *c, const struct option_row *o, struct buf *b);
/* Adds a line; those above CONFIG_MAX_NOTES are counted. */
void config_note(struct config *c, struct config_notes *notes, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds a line with the place of the key in the file: "FILE:LINE:COLUMN: KIND.KEY: words". */
void config_note_key(struct config *c, struct config_notes *notes, const char *key, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));
/* Notes a mistake: words behind the full name of the option or key. */
void config_mistake(struct config *c, const struct option_row *o, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
