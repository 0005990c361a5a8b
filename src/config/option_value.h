/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_OPTION_VALUE_H
#define CONFIG_OPTION_VALUE_H

#include <jansson.h>
#include <stdint.h>

#include "config/option.h"

/* Types of values that are stored in the target; the comment names the type of the member. */

extern const struct option_type type_number; /* unsigned of 1, 2 or 4 bytes: min to max */
extern const struct option_type type_real;   /* double */
/* int64_t, milliseconds, or uint32_t, seconds. min 1: not 0; above: 0, or at least that many ms. */
extern const struct option_type type_duration;
extern const struct option_type type_cidr_pair; /* struct cidr [2]: IPv4, IPv6; family 0: none */
extern const struct option_type type_cidrs;	/* struct cidr [OPTIONS_MAX_CIDRS], size_t */
extern const struct option_type type_paths;	/* const char ** to free, size_t */
extern const struct option_type type_socket;	/* const char *, fits into struct sockaddr_un */
extern const struct option_type type_interface; /* const char *, the name of an interface or "" */
extern const struct option_type type_ip;	/* struct ip */
extern const struct option_type type_listen; /* struct listen_address; the default has the port */

/* Values without a place: the text is checked for its shape, and nothing else. */
extern const struct option_type type_kept_bool, type_kept_number, type_kept_duration,
	type_kept_time, type_kept_text, type_kept_quantity, type_kept_gates, type_kept_vmodule;

static inline void *option_place(void *target, const struct option_row *o)
{
	return (char *)target + o->at;
}

static inline const void *option_value(const void *target, const struct option_row *o)
{
	return (const char *)target + o->at;
}

/* These return 0, or -EINVAL with words that name the text. */
int option_read_bool(const char *text, bool *ret, struct err *err); /* as strconv.ParseBool */
int option_read_number(const char *text, long min, long max, long *ret, struct err *err);
int option_read_duration(const char *text, int64_t *ret_ms, struct err *err); /* not negative */
int option_read_choice(const char *text, const char *const names[], unsigned *ret, struct err *err);

/* The value is a list: each option_set() adds to it. */
bool option_is_list(const struct option_row *o);
/* Adds an element by the place of the list. Returns 0, or -EINVAL with words. */
int option_add(const struct option_row *o, void *target, const char *element, struct err *err);
/* Empties a list that has a place. */
void option_clear(const struct option_row *o, void *target);
/* The value as JSON; the caller has the reference. NULL: its text is the value. */
json_t *option_get(const struct option_row *o, const void *target);

/* A string of any bytes; those that are not ASCII become '?' unless all is UTF-8. */
json_t *option_text_json(const char *text);
/* Text of the right shape, as it would stand in the file. */
json_t *option_shape_json(enum option_shape shape, const char *text);
/* The text is Go's zero value of this shape, 0 or "": for kube-proxy, a value that is not given. */
bool option_is_zero(enum option_shape shape, const char *text);

#endif
