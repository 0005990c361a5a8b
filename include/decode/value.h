/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_VALUE_H
#define DECODE_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode/protobuf.h"

/*
 * A value where it lies, in a JSON tree or in a protobuf message, so that reading is written once
 * for both encodings of the API. A zeroed value is absent.
 */
struct value {
	const json_t *json;
	struct pb_field field; /* number 0: none */
};

/* A field's name in JSON and its number in protobuf (generated.proto in k8s.io/api). */
struct key {
	const char *name;
	uint32_t number;
};
#define KEY(name, number) ((struct key){ name, number })

/* Text that lies in a tree or a message: no NUL at its end, and none inside. */
struct text {
	const char *s;
	size_t len;
};

struct value value_of_json(const json_t *json);
struct value value_of_message(const void *data, size_t len);

static inline bool value_is_there(const struct value *v)
{
	return v->json || v->field.number;
}

/* "", or a message without a field (as Go writes its zero time). */
bool value_is_empty(const struct value *v);

/*
 * The functions that return int return 0, -EINVAL (it is of another type) or -EBADMSG (the bytes
 * are no protobuf message that has this type here).
 */

/* Whether it is an object: to be checked before the functions below look into it. */
int value_check_object(const struct value *v);
int value_bool(const struct value *v, bool *ret);
int value_int(const struct value *v, int64_t *ret);
int value_text(const struct value *v, struct text *ret);
/* Unix microseconds. -EINVAL also for text that is no time. */
int value_time(const struct value *v, int64_t *ret_us);

/* A member of an object, which may be absent itself; absent where it is null. */
struct value value_member(const struct value *obj, struct key key);
/* An entry of the map that `obj` has under `map`, which may be absent. */
int value_entry(const struct value *obj, struct key map, const char *name, struct value *ret);

/* The elements of a list that `obj` has; of an absent one none. */
struct value_list {
	const json_t *array;
	size_t i;
	struct pb pb;
	uint32_t number;
};
int value_list(const struct value *obj, struct key key, struct value_list *ret);
bool value_list_next(struct value_list *l, struct value *ret);
size_t value_count(const struct value *obj, struct key key);

#endif
