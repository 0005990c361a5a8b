// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In a message a list is a field that occurs any number of times, and a map is a list of entries
 * {1 key, 2 value}. Of a field that should occur once the first one counts; Go writes none twice.
 */
#include "decode/value.h"

#include <errno.h>
#include <string.h>

#include "timestamp.h"

/* The end of the year 9999, which RFC 3339 ends with. */
static const int64_t last_second = INT64_C(253402300799);

struct value value_of_json(const json_t *json)
{
	return (struct value){ .json = json };
}

struct value value_of_message(const void *data, size_t len)
{
	return (struct value){ .field = {
				       .number = 1, .type = PB_BYTES, .bytes = data, .len = len } };
}

bool value_is_empty(const struct value *v)
{
	if (v->json)
		return json_is_string(v->json) && !json_string_length(v->json);
	return v->field.type == PB_BYTES && !v->field.len;
}

int value_check_object(const struct value *v)
{
	if (v->json)
		return json_is_object(v->json) ? 0 : -EINVAL;
	return v->field.type == PB_BYTES && pb_is_valid(pb_sub(&v->field)) ? 0 : -EBADMSG;
}

int value_bool(const struct value *v, bool *ret)
{
	if (v->json ? !json_is_boolean(v->json) : v->field.type != PB_VARINT)
		return v->json ? -EINVAL : -EBADMSG;
	*ret = v->json ? json_is_true(v->json) : v->field.value != 0;
	return 0;
}

int value_int(const struct value *v, int64_t *ret)
{
	if (v->json ? !json_is_integer(v->json) : v->field.type != PB_VARINT)
		return v->json ? -EINVAL : -EBADMSG;
	*ret = v->json ? json_integer_value(v->json) : (int64_t)v->field.value;
	return 0;
}

/* UTF-8 without a NUL, as jansson demands it of a JSON string. */
static bool is_json_text(const char *s, size_t len)
{
	json_t *checked;

	for (size_t i = 0; i < len; i++) {
		if (!s[i])
			return false;
		if (!(s[i] & 0x80))
			continue;
		checked = json_stringn(s, len);
		json_decref(checked);
		return checked && !memchr(s, '\0', len);
	}
	return true;
}

int value_text(const struct value *v, struct text *ret)
{
	const char *s = (const char *)v->field.bytes;

	if (v->json) {
		if (!json_is_string(v->json))
			return -EINVAL;
		*ret = (struct text){ json_string_value(v->json), json_string_length(v->json) };
		return 0;
	}
	if (v->field.type != PB_BYTES)
		return -EBADMSG;
	if (!is_json_text(s, v->field.len))
		return -EINVAL;
	*ret = (struct text){ s, v->field.len };
	return 0;
}

int value_time(const struct value *v, int64_t *ret_us)
{
	struct value seconds, nanos;
	int64_t s = 0, ns = 0;
	int e;

	if (v->json && !json_is_string(v->json))
		return -EINVAL;
	if (v->json)
		return timestamp_parse(json_string_value(v->json), ret_us);

	/* meta/v1 Time */
	e = value_check_object(v);
	if (e)
		return e;
	seconds = value_member(v, KEY("seconds", 1));
	nanos = value_member(v, KEY("nanos", 2));
	e = value_is_there(&seconds) ? value_int(&seconds, &s) : 0;
	if (!e && value_is_there(&nanos))
		e = value_int(&nanos, &ns);
	if (e)
		return e;
	if (s < -last_second || s > last_second || ns < 0 || ns > 999999999)
		return -EINVAL;
	*ret_us = s * 1000000 + ns / 1000;
	return 0;
}

struct value value_member(const struct value *obj, struct key key)
{
	struct value v = { 0 };
	struct pb pb;

	if (obj->json) {
		v.json = json_object_get(obj->json, key.name);
		if (json_is_null(v.json))
			v.json = NULL;
		return v;
	}
	if (!obj->field.number)
		return v;
	pb = pb_sub(&obj->field);
	pb_find(&pb, key.number, &v.field);
	return v;
}

int value_entry(const struct value *obj, struct key map, const char *name, struct value *ret)
{
	struct value entry = { 0 };
	struct pb pb;

	if (obj->json) {
		entry = value_member(obj, map);
		if (entry.json && !json_is_object(entry.json))
			return -EINVAL;
		*ret = value_member(&entry, KEY(name, 0));
		return 0;
	}

	pb = pb_sub(&obj->field);
	while (pb_find(&pb, map.number, &entry.field)) {
		struct value key;

		if (value_check_object(&entry))
			return -EBADMSG;
		key = value_member(&entry, KEY("key", 1));
		if (key.field.type != PB_BYTES || key.field.len != strlen(name) ||
			memcmp(key.field.bytes, name, key.field.len) != 0)
			continue;
		*ret = value_member(&entry, KEY("value", 2));
		if (!value_is_there(ret))
			*ret = value_of_message("", 0); /* the empty string */
		return 0;
	}
	*ret = (struct value){ 0 };
	return 0;
}

int value_list(const struct value *obj, struct key key, struct value_list *ret)
{
	struct value array;

	*ret = (struct value_list){ .number = key.number, .pb = pb_sub(&obj->field) };
	if (!obj->json)
		return 0;
	array = value_member(obj, key);
	ret->array = array.json;
	return !ret->array || json_is_array(ret->array) ? 0 : -EINVAL;
}

bool value_list_next(struct value_list *l, struct value *ret)
{
	*ret = (struct value){ 0 };
	if (!l->array)
		return pb_find(&l->pb, l->number, &ret->field);
	ret->json = json_array_get(l->array, l->i++);
	return ret->json;
}

size_t value_count(const struct value *obj, struct key key)
{
	struct value_list l;
	struct value v;
	size_t n = 0;

	if (value_list(obj, key, &l))
		return 0;
	if (l.array)
		return json_array_size(l.array);
	while (value_list_next(&l, &v))
		n++;
	return n;
}
