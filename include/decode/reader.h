/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_READER_H
#define DECODE_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "decode/decode.h"
#include "decode/value.h"

/*
 * Reads fields of an object in either encoding and knows the path of the one that it is at, for the
 * error. A field that is absent or null leaves the output alone and is no error; a wrong type is
 * one. All functions that return int return 0, or with the error filled in -EINVAL, or -EBADMSG:
 * the object's bytes are no such message. Messages continue the field's name: "is 70000, must be
 * 1..65535".
 *
 * A lenient reader is for what an API server has accepted: the first -EINVAL is kept in the error,
 * but what is wrong is left out; see reader_leave_out().
 */

enum {
	READER_DEPTH = 16, /* of the paths that are entered */
	READER_PATH_SIZE = sizeof(((struct decode_error *)0)->field)
};

struct reader_step {
	const char *key; /* NULL: an element of a list */
	size_t index;
	bool entry; /* the key is one of a map */
};

struct reader {
	struct arena *arena;  /* strings are copied into it */
	struct arena scratch; /* texts that are borrowed, of a message */
	struct decode_error *err;
	bool lenient;
	struct reader_step steps[READER_DEPTH];
	size_t depth;
};
void reader_done(struct reader *r);

/* A step down to a key or an element; leave() goes back to what it returned. */
size_t reader_enter(struct reader *r, const char *key);
size_t reader_enter_index(struct reader *r, size_t i);
/* To an annotation or label: metadata.annotations[KEY]. */
size_t reader_enter_name(struct reader *r, const char *key);
void reader_leave(struct reader *r, size_t mark);
/* Where the reader is, cut where it is too long; `s` is returned. */
const char *reader_path(const struct reader *r, char s[static READER_PATH_SIZE]);

/* An error about the value where the reader is, or about a field of it. Return -EINVAL. */
int reader_fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int reader_fail_at(struct reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What a message shows of a string from outside: printable and short. Returns `ret`. */
enum { QUOTE_SIZE = 68 };
const char *reader_quote(const char *s, char ret[static QUOTE_SIZE]);
/*
 * Takes the result of reading a part of an object that can be left as if it were absent: 0 instead
 * of -EINVAL where the reader is lenient. Elements of lists are such parts everywhere.
 */
int reader_leave_out(const struct reader *r, int e);

/* Their `obj` may be absent: then the field is, too. */
int reader_object(struct reader *r, const struct value *obj, struct key key, struct value *ret);
/* Calls fn for the elements of a list in order, with the reader at each, until one fails that
 * cannot be left out. */
int reader_each(struct reader *r, const struct value *obj, struct key key,
	int (*fn)(struct reader *r, const struct value *v, size_t i, void *arg), void *arg);
int reader_bool(struct reader *r, const struct value *obj, struct key key, bool *ret);
int reader_int(struct reader *r, const struct value *obj, struct key key, int64_t min, int64_t max,
	int64_t *ret);
/* Borrowed until reader_done() and as long as the tree, not copied. */
int reader_text(struct reader *r, const struct value *obj, struct key key, const char **ret);
int reader_string(struct reader *r, const struct value *obj, struct key key, const char **ret);
/* The text must be one of `words` (NULL-terminated): its index. */
int reader_word(struct reader *r, const struct value *obj, struct key key, const char *const *words,
	unsigned *ret);
int reader_ip(struct reader *r, const struct value *obj, struct key key, struct ip *ret);
/* Unix microseconds */
int reader_time(struct reader *r, const struct value *obj, struct key key, int64_t *ret_us);
/* The entry of the map under `map`, borrowed as by reader_text(); "" is there, too. */
int reader_entry(struct reader *r, const struct value *obj, struct key map, const char *name,
	const char **ret);

/* The value where the reader is, already at hand (an element of a list): */
int reader_value_text(struct reader *r, const struct value *v, const char **ret);
int reader_value_object(struct reader *r, const struct value *v);
int reader_value_ip(struct reader *r, const struct value *v, struct ip *ret);
int reader_value_cidr(struct reader *r, const struct value *v, struct cidr *ret);

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
