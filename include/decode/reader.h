/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_READER_H
#define DECODE_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ip.h"
#include "base/mem.h"
#include "decode/decode.h"
#include "decode/value.h"

/*
 * Reads fields of an object in either encoding and knows the path of the field that it is at, for
 * the error. A field that is absent or null leaves the output alone and is no error; a wrong type
 * is one. All functions that return int return 0, or with the error filled in -EINVAL, or -EBADMSG:
 * the object's bytes are no such message. Messages continue the field's name: "is 70000, must be
 * 1..65535".
 *
 * A lenient reader is for objects that an API server has accepted: the first -EINVAL is kept in the
 * error, but the part that is wrong is left out; see reader_leave_out().
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
	struct arena scratch; /* borrowed texts of a message */
	struct decode_error *err;
	bool lenient;
	struct reader_step steps[READER_DEPTH];
	size_t depth;
};
void reader_done(struct reader *r);

/* A step down to a key or an element. Returns the mark with which reader_leave() goes back. */
size_t reader_enter(struct reader *r, const char *key);
size_t reader_enter_index(struct reader *r, size_t i);
/* To an annotation or label: metadata.annotations[KEY]. */
size_t reader_enter_name(struct reader *r, const char *key);
void reader_leave(struct reader *r, size_t mark);

struct reader_scope {
	struct reader *r;
	size_t mark;
};
static inline void reader_scope_end(struct reader_scope *s)
{
	reader_leave(s->r, s->mark);
}
/* Enters the key for the rest of the block, whose end leaves all that was entered since. */
#define reader_within(r, key)                                                  \
	_cleanup_(reader_scope_end) struct reader_scope reader_scope_ = { (r), \
		reader_enter((r), (key)) }

/* Where the reader is, cut to the size of `s`, which is returned. */
const char *reader_path(const struct reader *r, char s[static READER_PATH_SIZE]);

/* An error about the value where the reader is, or about a field of it. Return -EINVAL. */
int reader_fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int reader_fail_at(struct reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A string from outside as messages show it: printable and short. Returns `ret`. */
enum { QUOTE_SIZE = 68 };
const char *reader_quote(const char *s, char ret[static QUOTE_SIZE]);
/*
 * Around the result of reading a part that a lenient reader may leave out: turns -EINVAL into 0, so
 * that the part counts as absent. A strict reader, and any other result, return `e`. Elements of
 * lists need no such call: reader_each() and reader_list() leave them out.
 */
int reader_leave_out(const struct reader *r, int e);

/* Fields of `obj`, which may be absent: then the field is, too. */
int reader_object(struct reader *r, const struct value *obj, struct key key, struct value *ret);
int reader_bool(struct reader *r, const struct value *obj, struct key key, bool *ret);
int reader_int(struct reader *r, const struct value *obj, struct key key, int64_t min, int64_t max,
	int64_t *ret);
/* Borrowed until reader_done() and as long as the tree, not copied. */
int reader_text(struct reader *r, const struct value *obj, struct key key, const char **ret);
int reader_string(struct reader *r, const struct value *obj, struct key key, const char **ret);
/* The text must be one of `words` (NULL-terminated): its index. */
int reader_word(struct reader *r, const struct value *obj, struct key key, const char *const *words,
	unsigned *ret);
/* The same, where an API server takes "" for unset: the field is no pointer in Go. */
int reader_word_or_empty(struct reader *r, const struct value *obj, struct key key,
	const char *const *words, unsigned *ret);
int reader_ip(struct reader *r, const struct value *obj, struct key key, struct ip *ret);
/* Unix microseconds */
int reader_time(struct reader *r, const struct value *obj, struct key key, int64_t *ret_us);
/* The entry of the map under `map`, borrowed as by reader_text(); "" counts as present. */
int reader_entry(struct reader *r, const struct value *obj, struct key map, const char *name,
	const char **ret);

/* Calls fn for the elements of a list in order, with the reader at each, until one fails that
 * cannot be left out. */
int reader_each(struct reader *r, const struct value *obj, struct key key,
	int (*fn)(struct reader *r, const struct value *v, size_t i, void *arg), void *arg);
/*
 * A list as an array in the arena. `read` reads one element into a zeroed item; an element is
 * passed over where it returns READER_SKIP, or fails and can be left out.
 */
enum { READER_SKIP = 1 };
struct reader_list {
	size_t size; /* of an item */
	size_t max;  /* elements; further ones are mistakes; 0: no limit */
	int (*read)(struct reader *r, const struct value *v, void *item, const void *arg);
	const void *arg;
	void *items; /* this and the next one are the result */
	size_t n;
};
int reader_list(
	struct reader *r, const struct value *obj, struct key key, struct reader_list *list);

/* The value where the reader is, already at hand (an element of a list): */
int reader_value_text(struct reader *r, const struct value *v, const char **ret);
int reader_value_object(struct reader *r, const struct value *v);
int reader_value_ip(struct reader *r, const struct value *v, struct ip *ret);
/* A struct cidr, in the form of reader_list.read; `arg` is not used. */
int reader_value_cidr(struct reader *r, const struct value *v, void *ret_cidr, const void *arg);

/*
 * Refuses addresses that can be neither a Service's nor an endpoint's, because their meaning
 * depends on the host (Kubernetes: ValidateNonSpecialIP), or because they belong to no single host.
 */
int reader_check_host(struct reader *r, const struct ip *ip);
/* A DNS label of at most 63 characters, or labels with points between: at most NAME_MAX_LEN (RFC
 * 1123). */
enum reader_name { READER_LABEL, READER_SUBDOMAIN };
int reader_check_name(struct reader *r, const char *name, enum reader_name form);

#endif
