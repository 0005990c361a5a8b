// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of values: true or false, numbers and durations that have a place in struct config. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "config_own.h"

/* Reading */

/* What strconv.ParseBool takes. */
int read_bool(const char *text, bool *ret, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) != 0 && strcmp(text, no[i]) != 0)
			continue;
		*ret = !strcmp(text, yes[i]);
		return 0;
	}
	return err_set(err, -EINVAL, "\"%.60s\" is neither true nor false", text);
}

int read_number(const char *text, long min, long max, long *ret, struct err *err)
{
	const char *digits = text + (*text == '-');
	bool whole = *digits && !digits[strspn(digits, "0123456789")];
	long v;

	errno = 0;
	v = strtol(text, NULL, 10);
	if (!whole || errno || v < min || v > max)
		return err_set(err, -EINVAL, "\"%.60s\" is not a number between %ld and %ld", text,
			min, max);
	*ret = v;
	return 0;
}

int read_duration(const char *text, int64_t *ret_ms, struct err *err)
{
	int64_t ms;

	if (duration_parse(text, &ms))
		return err_set(err, -EINVAL, "\"%.60s\" is not a duration such as 1m30s", text);
	if (ms < 0)
		return err_set(err, -EINVAL, "\"%.60s\" is negative", text);
	*ret_ms = ms;
	return 0;
}

/* Writing */

json_t *duration_json(int64_t ms)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	long long s = ms / 1000, rest = ms % 1000;

	if (s >= 3600)
		buf_addf(&b, "%lldh", s / 3600);
	if (s >= 60)
		buf_addf(&b, "%lldm", s / 60 % 60);
	if (!s && rest) {
		buf_addf(&b, "%lldms", rest);
		return json_string(buf_str(&b));
	}
	buf_addf(&b, "%lld", s % 60);
	if (rest) {
		buf_addf(&b, ".%03lld", rest);
		while (b.data[b.len - 1] == '0')
			b.data[--b.len] = '\0';
	}
	buf_addc(&b, 's');
	return json_string(buf_str(&b));
}

/* True or false */

static int set_bool(void *target, const struct option_row *o, const char *text, struct err *err)
{
	return read_bool(text, option_place(target, o), err);
}

static json_t *get_bool(const void *target, const struct option_row *o)
{
	return json_boolean(*(const bool *)option_value(target, o));
}

const struct option_type type_bool = { SHAPE_BOOL, .set = set_bool, .get = get_bool };

/* kube-proxy can also print more of its version (raw). */
static int set_version(void *target, const struct option_row *o, const char *text, struct err *err)
{
	return set_bool(target, o, !strcmp(text, "raw") ? "true" : text, err);
}

const struct option_type type_version = { SHAPE_BOOL, .set = set_version, .get = get_bool };

static int set_diff(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	bool diff = false;
	int r = read_bool(text, &diff, err);

	(void)o;
	if (!r)
		c->diff = diff ? DIFF_YES : DIFF_NO;
	return r;
}

const struct option_type type_diff = { SHAPE_BOOL, .set = set_diff };

/* Numbers */

static int set_u8(void *target, const struct option_row *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (!r)
		*(uint8_t *)option_place(target, o) = (uint8_t)v;
	return r;
}

static json_t *get_u8(const void *target, const struct option_row *o)
{
	return json_integer(*(const uint8_t *)option_value(target, o));
}

const struct option_type type_u8 = { SHAPE_NUMBER, .set = set_u8, .get = get_u8 };

static int set_u32(void *target, const struct option_row *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (!r)
		*(uint32_t *)option_place(target, o) = (uint32_t)v;
	return r;
}

static json_t *get_u32(const void *target, const struct option_row *o)
{
	return json_integer(*(const uint32_t *)option_value(target, o));
}

const struct option_type type_u32 = { SHAPE_NUMBER, .set = set_u32, .get = get_u32 };

/*
 * Marks are numbered within these bits, so that they must be adjacent, and half of them are for
 * TCP, so that one bit is not enough.
 */
static int set_mark_mask(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	unsigned long long v;
	uint32_t steps;
	char *rest;

	(void)o;
	errno = 0;
	v = strtoull(text, &rest, 0);
	if (!*text || !strchr("0123456789", *text) || *rest || errno || v > UINT32_MAX)
		return err_set(
			err, -EINVAL, "\"%.60s\" is not a mask such as " DEFAULT_MARK_MASK, text);
	steps = (uint32_t)v ^ (uint32_t)v << 1;
	if (v && (__builtin_popcountll(v) < 2 || __builtin_popcount(steps) > 2))
		return err_set(err, -EINVAL, "\"%.60s\" is not two or more adjacent bits", text);
	c->options.mark_mask = (uint32_t)v;
	return 0;
}

static json_t *get_mark_mask(const void *target, const struct option_row *o)
{
	const struct config *c = target;
	char text[sizeof(DEFAULT_MARK_MASK)];

	(void)o;
	snprintf(text, sizeof(text), "0x%x", c->options.mark_mask);
	return json_string(text);
}

const struct option_type type_mark_mask = { SHAPE_TEXT, .set = set_mark_mask,
	.get = get_mark_mask };

static int set_oom_score(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (r)
		return r;
	c->oom_score_adj = (int)v;
	c->adjust_oom_score = true;
	return 0;
}

static json_t *get_oom_score(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return c->adjust_oom_score ? json_integer(c->oom_score_adj) : json_null();
}

const struct option_type type_oom_score = { SHAPE_NUMBER, .set = set_oom_score,
	.get = get_oom_score };

/* Durations */

/* The kernel counts in seconds; kube-proxy silently takes 500ms for "leave as it is". */
static int set_seconds(void *target, const struct option_row *o, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	if (r < 0)
		return r;
	if (ms % 1000)
		return err_set(err, -EINVAL, "\"%.60s\" is not a whole number of seconds", text);
	if (ms / 1000 > INT32_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is too long", text);
	*(uint32_t *)option_place(target, o) = (uint32_t)(ms / 1000);
	return 0;
}

static json_t *get_seconds(const void *target, const struct option_row *o)
{
	return duration_json((int64_t) * (const uint32_t *)option_value(target, o) * 1000);
}

const struct option_type type_seconds = { SHAPE_DURATION, .set = set_seconds, .get = get_seconds };

/* option.min is 1 where 0 is too short. */
static int set_duration(void *target, const struct option_row *o, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	if (r < 0)
		return r;
	if (ms < o->min)
		return err_set(err, -EINVAL, "must be longer than 0");
	*(int64_t *)option_place(target, o) = ms;
	return 0;
}

static json_t *get_duration(const void *target, const struct option_row *o)
{
	return duration_json(*(const int64_t *)option_value(target, o));
}

const struct option_type type_duration = { SHAPE_DURATION, .set = set_duration,
	.get = get_duration };

static int set_audit_interval(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	(void)o;
	if (r < 0)
		return r;
	if (ms && ms < AUDIT_INTERVAL_MIN)
		return err_set(
			err, -EINVAL, "\"%.60s\" is less than %d ms", text, AUDIT_INTERVAL_MIN);
	c->audit_interval = (uint64_t)ms;
	return 0;
}

static json_t *get_audit_interval(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return duration_json((int64_t)c->audit_interval);
}

const struct option_type type_audit_interval = { SHAPE_DURATION, .set = set_audit_interval,
	.get = get_audit_interval };
