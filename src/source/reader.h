/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_READER_H
#define SOURCE_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "source/decode.h"

/*
 * Reads fields of a JSON tree and knows the path of the one that it is at, for the error. A field
 * that is absent or null leaves the output alone and is no error; a wrong type is one. All
 * functions that return int return 0 or -EINVAL with the error filled in. Messages continue the
 * field's name: "is 70000, must be 1..65535".
 */
struct reader {
	struct arena *arena; /* strings are copied into it */
	struct decode_error *err;
	char path[sizeof(((struct decode_error *)0)->field)];
	size_t len;
};

/* A step down to a key or an element; leave() goes back to what it returned. */
size_t reader_enter(struct reader *r, const char *key);
size_t reader_enter_index(struct reader *r, size_t i);
/* To an annotation or label: metadata.annotations[KEY]. */
size_t reader_enter_name(struct reader *r, const char *key);
void reader_leave(struct reader *r, size_t mark);

/* An error about the value where the reader is, or about a field of it. Return -EINVAL. */
int reader_fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int reader_fail_at(struct reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What a message shows of a string from outside: printable and short. Returns `ret`. */
enum { QUOTE_SIZE = 68 };
const char *reader_quote(const char *s, char ret[static QUOTE_SIZE]);

/* Their `obj` may be NULL: then the field is absent. */
int reader_object(struct reader *r, const json_t *obj, const char *key, const json_t **ret);
/* Calls fn for the elements of an array in order, with the reader at each, until one fails. */
int reader_each(struct reader *r, const json_t *obj, const char *key,
	int (*fn)(struct reader *r, const json_t *value, size_t i, void *arg), void *arg);
/* How many elements reader_each() will meet. */
size_t reader_count(const json_t *obj, const char *key);
int reader_bool(struct reader *r, const json_t *obj, const char *key, bool *ret);
int reader_int(struct reader *r, const json_t *obj, const char *key, int64_t min, int64_t max,
	int64_t *ret);
/* Borrowed from the tree, not copied. */
int reader_text(struct reader *r, const json_t *obj, const char *key, const char **ret);
int reader_string(struct reader *r, const json_t *obj, const char *key, const char **ret);
/* As reader_string(), and the text must be one of `words` (NULL-terminated): its index. */
int reader_word(struct reader *r, const json_t *obj, const char *key, const char *const *words,
	unsigned *ret);
int reader_ip(struct reader *r, const json_t *obj, const char *key, struct ip *ret);

/* The value where the reader is, already at hand (an element of an array): */
int reader_value_text(struct reader *r, const json_t *value, const char **ret);
int reader_value_object(struct reader *r, const json_t *value);
int reader_value_ip(struct reader *r, const json_t *value, struct ip *ret);
int reader_value_cidr(struct reader *r, const json_t *value, struct cidr *ret);

/*
 * Addresses that can be neither a Service's nor an endpoint's: what they mean depends on the host
 * (Kubernetes: ValidateNonSpecialIP), or they are no single host's.
 */
int reader_check_host(struct reader *r, const struct ip *ip);
bool reader_is_host(const struct ip *ip);
/* A DNS label (RFC 1123), or "" */
int reader_check_port_name(struct reader *r, const char *name);
/* A DNS subdomain of at most NAME_MAX_LEN characters (RFC 1123). */
int reader_check_name(struct reader *r, const char *name);
/* A DNS label of at most 63 characters (RFC 1123). */
int reader_check_label(struct reader *r, const char *name);

#endif
