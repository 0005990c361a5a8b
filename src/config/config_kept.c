// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of values that are checked, and then only kept as they were given. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/mem.h"
#include "config_own.h"

enum { REAL_MAX = 1000000000 };

static const char *kept(const struct config *c, const struct option_row *o)
{
	const char *text = c->given[option_index(o)].text;

	return text ? text : o->preset ? o->preset : "";
}

static json_t *get_kept(const void *target, const struct option_row *o)
{
	return shape_json(o->type->shape, kept(target, o));
}

/* Without a place the value goes nowhere; the text is what is kept of it. */
static int check_bool(void *target, const struct option_row *o, const char *text, struct err *err)
{
	bool ignored;

	(void)target;
	(void)o;
	return read_bool(text, &ignored, err);
}

static int check_number(void *target, const struct option_row *o, const char *text, struct err *err)
{
	long ignored;

	(void)target;
	return read_number(text, o->min, o->max, &ignored, err);
}

static int check_real(void *target, const struct option_row *o, const char *text, struct err *err)
{
	char *end;
	double v = strtod(text, &end);

	(void)target;
	(void)o;
	if (end == text || *end || !(fabs(v) <= REAL_MAX))
		return err_set(err, -EINVAL, "\"%.60s\" is not a number up to %d", text, REAL_MAX);
	return 0;
}

/* What is done with these two is not the configuration's business; their text is kept, too. */
static int set_qps(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	int r = check_real(target, o, text, err);

	if (!r)
		c->qps = strtod(text, NULL);
	return r;
}

static int set_burst(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	long n = 0;
	int r = read_number(text, o->min, o->max, &n, err);

	if (!r)
		c->burst = (unsigned)n;
	return r;
}

/* option.min is 1 where 0 is too short. */
static int check_duration(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	(void)target;
	if (!r && ms < o->min)
		return err_set(err, -EINVAL, "must be longer than 0");
	return r;
}

static int check_text(void *target, const struct option_row *o, const char *text, struct err *err)
{
	(void)target;
	(void)o;
	(void)text;
	(void)err;
	return 0;
}

static int check_format(void *target, const struct option_row *o, const char *text, struct err *err)
{
	(void)target;
	(void)o;
	if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
		return err_set(err, -EINVAL, "\"%.60s\" is none of text, json", text);
	return 0;
}

/* Kubernetes' resource.Quantity, of which only sizes make sense here. */
static int check_quantity(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	static const char *const suffixes[] = { "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi",
		"Ti", "Pi", "Ei" };
	size_t digits = strspn(text, "0123456789");

	(void)target;
	(void)o;
	if (text[digits] == '.')
		digits += 1 + strspn(text + digits + 1, "0123456789");
	for (size_t i = 0; isdigit((unsigned char)*text) && i < ARRAY_SIZE(suffixes); i++)
		if (!strcmp(text + digits, suffixes[i]))
			return 0;
	return err_set(err, -EINVAL, "\"%.60s\" is not a size such as 64Ki", text);
}

/* A minor release of Kubernetes: "1.35". */
static int check_release(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	size_t major = strspn(text, "0123456789");
	const char *minor = text + major + 1;

	(void)target;
	(void)o;
	if (!*text)
		return 0;
	if (!major || text[major] != '.' || !*minor || minor[strspn(minor, "0123456789")])
		return err_set(err, -EINVAL, "\"%.60s\" is not a release such as 1.35", text);
	return 0;
}

/* NAME=VALUE */

static int split_pair(const char *element, size_t *ret_name_len, const char **ret_value)
{
	const char *equals = strrchr(element, '=');

	if (!equals || equals == element)
		return -EINVAL;
	*ret_name_len = (size_t)(equals - element);
	*ret_value = equals + 1;
	return 0;
}

/*
 * kube-proxy's feature gates, as far as what they are about is done or not done here. It refuses
 * names that it does not know; here any name may be one.
 */
static const struct gate {
	const char *name;
	bool ours;   /* as if it had that value */
	bool locked; /* to that value */
	bool both;   /* either value is honoured */
} gates[] = {
	{ "AllowServiceExternalIPs", .ours = true, .both = true },
	{ "ClientsAllowCARotation", .ours = true },
	{ "ComponentFlagz", .ours = false },
	{ "ComponentStatusz", .ours = false },
	{ "LoggingAlphaOptions", .ours = false },
	{ "MultiCIDRServiceAllocator", .ours = true, .locked = true },
	{ "NativeHistograms", .ours = false },
	{ "PreferSameTrafficDistribution", .ours = true, .locked = true },
	{ "WatchListClient", .ours = true },
};

static const struct gate *find_gate(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		if (!strncmp(gates[i].name, name, len) && !gates[i].name[len])
			return &gates[i];
	return NULL;
}

static bool is_gate_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]))
			return false;
	return true;
}

static int check_gate(
	void *target, const struct option_row *o, const char *element, struct err *err)
{
	const struct gate *gate;
	const char *text;
	bool v = false;
	size_t len;

	(void)target;
	(void)o;
	if (split_pair(element, &len, &text) || !is_gate_name(element, len))
		return err_set(err, -EINVAL, "\"%.60s\" is not NAME=true or NAME=false", element);
	if (read_bool(text, &v, err)) {
		err_prefix(err, "%.*s", (int)len, element);
		return -EINVAL;
	}
	gate = find_gate(element, len);
	if (gate && gate->locked && v != gate->ours)
		return err_set(err, -EINVAL, "%s is %s and cannot be changed", gate->name,
			gate->ours ? "true" : "false");
	return 0;
}

/* Pattern and number, for which source files how much is to be logged. */
static int check_vmodule(
	void *target, const struct option_row *o, const char *element, struct err *err)
{
	const char *text;
	size_t len;
	long ignored;

	(void)target;
	(void)o;
	if (split_pair(element, &len, &text) || strcspn(element, ", \t=") != len ||
		read_number(text, 0, INT32_MAX, &ignored, NULL))
		return err_set(err, -EINVAL, "\"%.60s\" is not PATTERN=NUMBER", element);
	return 0;
}

const struct option_type kept_bool = { SHAPE_BOOL, .set = check_bool, .get = get_kept };
const struct option_type kept_number = { SHAPE_NUMBER, .set = check_number, .get = get_kept };
const struct option_type type_qps = { SHAPE_REAL, .set = set_qps, .get = get_kept };
const struct option_type type_burst = { SHAPE_NUMBER, .set = set_burst, .get = get_kept };
const struct option_type kept_duration = { SHAPE_DURATION, .set = check_duration, .get = get_kept };
const struct option_type kept_time = { SHAPE_TIME, .set = check_duration, .get = get_kept };
const struct option_type kept_text = { SHAPE_TEXT, .set = check_text, .get = get_kept };
const struct option_type kept_format = { SHAPE_TEXT, .set = check_format, .get = get_kept };
const struct option_type kept_quantity = { SHAPE_QUANTITY, .set = check_quantity, .get = get_kept };
const struct option_type kept_release = { SHAPE_TEXT, .set = check_release, .get = get_kept };
const struct option_type kept_gates = { SHAPE_GATES, .commas = true, .add = check_gate,
	.get = get_kept };
const struct option_type kept_vmodule = { SHAPE_VMODULE, .commas = true, .add = check_vmodule,
	.get = get_kept };

/* As it stands in the file; the text is right. */

static int add_gate_json(json_t *all, const char *element)
{
	const char *text = "";
	_cleanup_free_ char *name = NULL;
	bool v = false;
	size_t len = 0;

	split_pair(element, &len, &text);
	read_bool(text, &v, NULL);
	name = mem_strndup(element, len);
	return json_object_set_new(all, name, json_boolean(v));
}

static int add_vmodule_json(json_t *all, const char *element)
{
	const char *text = "";
	_cleanup_free_ char *pattern = NULL;
	json_t *one = json_object();
	size_t len = 0;
	long v = 0;

	split_pair(element, &len, &text);
	read_number(text, 0, INT32_MAX, &v, NULL);
	pattern = mem_strndup(element, len);
	json_object_set_new(one, "filePattern", text_json(pattern));
	json_object_set_new(one, "verbosity", json_integer(v));
	return json_array_append_new(all, one);
}

static json_t *elements_json(
	const char *text, json_t *all, int (*add)(json_t *all, const char *element))
{
	_cleanup_free_ char *copy = mem_strdup(text);
	char *save = NULL;

	for (char *e = strtok_r(copy, ", \t", &save); e; e = strtok_r(NULL, ", \t", &save))
		add(all, e);
	return all;
}

static int add_string_json(json_t *all, const char *element)
{
	return json_array_append_new(all, text_json(element));
}

static json_t *parsed_duration_json(const char *text)
{
	int64_t ms = 0;

	read_duration(text, &ms, NULL);
	return duration_json(ms);
}

bool shape_is_zero(enum option_shape shape, const char *text)
{
	int64_t ms;
	double v;
	char *end;

	if (shape == SHAPE_DURATION || shape == SHAPE_TIME)
		return !duration_parse(text, &ms) && !ms;
	if (shape == SHAPE_TEXT)
		return !*text;
	v = strtod(text, &end);
	return end != text && !*end && fpclassify(v) == FP_ZERO;
}

json_t *shape_json(enum option_shape shape, const char *text)
{
	double real = strtod(text, NULL);
	bool v = false;

	switch (shape) {
	case SHAPE_TEXT:
	case SHAPE_QUANTITY:
		return text_json(text);
	case SHAPE_BOOL:
		read_bool(text, &v, NULL);
		return json_boolean(v);
	case SHAPE_NUMBER:
		return json_integer(strtol(text, NULL, 10));
	case SHAPE_REAL:
		return real <= trunc(real) ? json_integer((json_int_t)real) : json_real(real);
	case SHAPE_DURATION:
	case SHAPE_TIME:
		return parsed_duration_json(text);
	case SHAPE_LIST:
		return elements_json(text, json_array(), add_string_json);
	case SHAPE_GATES:
		return elements_json(text, json_object(), add_gate_json);
	case SHAPE_VMODULE:
		return elements_json(text, json_array(), add_vmodule_json);
	}
	return json_null();
}

/* Feature gates that are given */

static json_t *given_gates(const struct config *c)
{
	return get_kept(c, option_named("feature-gates"));
}

bool gate_enabled(const struct config *c, const char *name)
{
	const struct gate *gate = find_gate(name, strlen(name));
	json_t *all = given_gates(c), *v = json_object_get(all, name);
	bool enabled = v ? json_is_true(v) : gate && gate->ours;

	json_decref(all);
	return enabled;
}

size_t gates_unhonoured(const struct config *c, const struct option_row *o, struct buf *text)
{
	json_t *all = given_gates(c), *v;
	const char *name;
	size_t n = 0;

	json_object_foreach(all, name, v) {
		const struct gate *gate = find_gate(name, strlen(name));

		if (gate && (gate->both || gate->ours == json_is_true(v)))
			continue;
		buf_adds(text, text->len ? ", " : "");
		option_shown_short(c, o, text);
		buf_addf(text, "(%s)", name);
		n++;
	}
	json_decref(all);
	return n;
}
