// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of values: words, numbers and durations that have a place in struct config. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/duration.h"
#include "base/mem.h"
#include "config_own.h"

static void *place(struct config *c, const struct config_option *o)
{
	return (char *)c + o->at;
}

static const void *value(const struct config *c, const struct config_option *o)
{
	return (const char *)c + o->at;
}

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

/* The index of the text among the names, in any case. */
static int read_choice(const char *text, const char *const names[], unsigned *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (unsigned i = 0; names[i]; i++) {
		if (!strcasecmp(text, names[i])) {
			*ret = i;
			return 0;
		}
		buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	return err_set(err, -EINVAL, "\"%.60s\" is none of %s", text, buf_str(&all));
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

int each_element(struct config *c, const struct config_option *o, const char *text,
	int (*add)(struct config *c, const struct config_option *o, const char *element,
		struct err *err),
	struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(text);
	char *save = NULL;

	for (char *e = strtok_r(copy, ", \t", &save); e; e = strtok_r(NULL, ", \t", &save)) {
		int r = add(c, o, e, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Writing */

json_t *text_json(const char *text)
{
	_cleanup_free_ char *copy = NULL;
	json_t *v = json_string(text);

	if (v)
		return v;
	copy = mem_strdup(text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p > 0x7f)
			*p = '?';
	return json_string(copy);
}

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

static int set_bool(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	return read_bool(text, place(c, o), err);
}

static json_t *get_bool(const struct config *c, const struct config_option *o)
{
	return json_boolean(*(const bool *)value(c, o));
}

const struct value_type type_bool = { SHAPE_BOOL, .set = set_bool, .get = get_bool };

/* kube-proxy can also print more of its version (raw). */
static int set_version(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	return set_bool(c, o, !strcmp(text, "raw") ? "true" : text, err);
}

const struct value_type value_version = { SHAPE_BOOL, .set = set_version, .get = get_bool };

static int set_diff(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	bool diff = false;
	int r = read_bool(text, &diff, err);

	(void)o;
	if (!r)
		c->diff = diff ? DIFF_YES : DIFF_NO;
	return r;
}

const struct value_type value_diff = { SHAPE_BOOL, .set = set_diff };

/* Numbers */

static int set_u8(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (!r)
		*(uint8_t *)place(c, o) = (uint8_t)v;
	return r;
}

static json_t *get_u8(const struct config *c, const struct config_option *o)
{
	return json_integer(*(const uint8_t *)value(c, o));
}

const struct value_type value_u8 = { SHAPE_NUMBER, .set = set_u8, .get = get_u8 };

static int set_u32(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (!r)
		*(uint32_t *)place(c, o) = (uint32_t)v;
	return r;
}

static json_t *get_u32(const struct config *c, const struct config_option *o)
{
	return json_integer(*(const uint32_t *)value(c, o));
}

const struct value_type value_u32 = { SHAPE_NUMBER, .set = set_u32, .get = get_u32 };

static int set_oom_score(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, o->min, o->max, &v, err);

	if (r)
		return r;
	c->oom_score_adj = (int)v;
	c->adjust_oom_score = true;
	return 0;
}

static json_t *get_oom_score(const struct config *c, const struct config_option *o)
{
	(void)o;
	return c->adjust_oom_score ? json_integer(c->oom_score_adj) : json_null();
}

const struct value_type value_oom_score = { SHAPE_NUMBER, .set = set_oom_score,
	.get = get_oom_score };

/* Durations */

/* The kernel counts in seconds; kube-proxy silently takes 500ms for "leave as it is". */
static int set_seconds(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	if (r < 0)
		return r;
	if (ms % 1000)
		return err_set(err, -EINVAL, "\"%.60s\" is not a whole number of seconds", text);
	if (ms / 1000 > INT32_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is too long", text);
	*(uint32_t *)place(c, o) = (uint32_t)(ms / 1000);
	return 0;
}

static json_t *get_seconds(const struct config *c, const struct config_option *o)
{
	return duration_json((int64_t) * (const uint32_t *)value(c, o) * 1000);
}

const struct value_type value_seconds = { SHAPE_DURATION, .set = set_seconds, .get = get_seconds };

/* option.min is 1 where 0 is too short. */
static int set_duration(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(text, &ms, err);

	if (r < 0)
		return r;
	if (ms < o->min)
		return err_set(err, -EINVAL, "must be longer than 0");
	*(int64_t *)place(c, o) = ms;
	return 0;
}

static json_t *get_duration(const struct config *c, const struct config_option *o)
{
	return duration_json(*(const int64_t *)value(c, o));
}

const struct value_type value_duration = { SHAPE_DURATION, .set = set_duration,
	.get = get_duration };

static int set_audit_interval(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
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

static json_t *get_audit_interval(const struct config *c, const struct config_option *o)
{
	(void)o;
	return duration_json((int64_t)c->audit_interval);
}

const struct value_type value_audit_interval = { SHAPE_DURATION, .set = set_audit_interval,
	.get = get_audit_interval };

/* Words */

static int set_text(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	(void)err;
	*(const char **)place(c, o) = text;
	return 0;
}

static json_t *get_text(const struct config *c, const struct config_option *o)
{
	return text_json(*(const char *const *)value(c, o));
}

const struct value_type type_text = { SHAPE_TEXT, .set = set_text, .get = get_text };

static int set_socket(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	struct sockaddr_un addr;

	if (strlen(text) >= sizeof(addr.sun_path))
		return err_set(err, -EINVAL, "the path is longer than %zu characters",
			sizeof(addr.sun_path) - 1);
	return set_text(c, o, text, err);
}

const struct value_type value_socket = { SHAPE_TEXT, .set = set_socket, .get = get_text };

/* Of an enum whose values are indices of the names; the ABI stores those as unsigned. */
static int set_choice(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	return read_choice(text, o->names, place(c, o), err);
}

static json_t *get_choice(const struct config *c, const struct config_option *o)
{
	return json_string(o->names[*(const unsigned *)value(c, o)]);
}

const struct value_type value_choice = { SHAPE_TEXT, .set = set_choice, .get = get_choice };

/* kube-proxy's name for the backend. Its empty one means iptables there. */
static int set_mode(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	static const char *const names[] = { "auto", "ipvs", "iptables", NULL };
	unsigned i = BACKEND_AUTO;

	(void)o;
	if (*text && (!strcasecmp(text, names[BACKEND_AUTO]) || read_choice(text, names, &i, NULL)))
		return err_set(err, -EINVAL,
			"\"%.60s\" is not done here: use ipvs, iptables, or \"\" for what works best",
			text);
	c->backend = (enum backend)i;
	return 0;
}

static json_t *get_mode(const struct config *c, const struct config_option *o)
{
	(void)o;
	return json_string(c->backend == BACKEND_AUTO ? "" : backend_name(c->backend));
}

const struct value_type value_mode = { SHAPE_TEXT, .set = set_mode, .get = get_mode };

static int set_scheduler(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	(void)o;
	if (!*text || strlen(text) >= SCHED_NAME_SIZE ||
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(text))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of a scheduler", text);
	snprintf(c->policy.scheduler, sizeof(c->policy.scheduler), "%s", text);
	return 0;
}

static json_t *get_scheduler(const struct config *c, const struct config_option *o)
{
	(void)o;
	return json_string(c->policy.scheduler);
}

const struct value_type value_scheduler = { SHAPE_TEXT, .set = set_scheduler,
	.get = get_scheduler };

/* As Kubernetes writes node names: without blanks around it, in lower case. Nothing at all is not
 * another name. */
static int set_hostname(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	size_t len;

	(void)o;
	if (!*text)
		return 0;
	text += strspn(text, " \t\n");
	for (len = strlen(text); len && isspace((unsigned char)text[len - 1]);)
		len--;
	if (!len || len > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "must have between 1 and %d characters", NAME_MAX_LEN);
	for (size_t i = 0; i < len; i++)
		c->policy.node_name[i] = (char)tolower((unsigned char)text[i]);
	c->policy.node_name[len] = '\0';
	return 0;
}

/* The host's own name is not printed: the file may go to another host. */
static json_t *get_hostname(const struct config *c, const struct config_option *o)
{
	return text_json(option_given(c, o) ? c->policy.node_name : "");
}

const struct value_type value_hostname = { SHAPE_TEXT, .set = set_hostname, .get = get_hostname };

/* Log levels */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	NULL,
};

static int set_verbosity(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	long v = 0;
	int r = read_number(text, 0, INT32_MAX, &v, err);

	(void)o;
	if (!r)
		c->log_level = v >= VERBOSITY_DEBUG ? LOG_DEBUG : LOG_INFO;
	return r;
}

static json_t *get_verbosity(const struct config *c, const struct config_option *o)
{
	(void)o;
	return json_integer(c->log_level == LOG_DEBUG ? VERBOSITY_DEBUG : 0);
}

const struct value_type value_verbosity = { SHAPE_NUMBER, .set = set_verbosity,
	.get = get_verbosity };

/* kube-proxy's numbers are taken as well. */
static int set_log_level(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	unsigned i = LOG_INFO;
	int r;

	if (*text && strspn(text, "0123456789") == strlen(text))
		return set_verbosity(c, o, text, err);
	r = read_choice(text, level_names, &i, err);
	if (!r)
		c->log_level = (enum log_level)i;
	return r;
}

static json_t *get_log_level(const struct config *c, const struct config_option *o)
{
	(void)o;
	return json_string(level_names[c->log_level]);
}

const struct value_type value_log_level = { SHAPE_TEXT, .set = set_log_level,
	.get = get_log_level };

/* Paths */

static int add_manifests(
	struct config *c, const struct config_option *o, const char *text, struct err *err)
{
	(void)o;
	if (!*text)
		return err_set(err, -EINVAL, "the path is empty");
	c->manifests = mem_realloc(c->manifests, c->n_manifests + 1, sizeof(*c->manifests));
	c->manifests[c->n_manifests++] = text;
	return 0;
}

static void clear_manifests(struct config *c, const struct config_option *o)
{
	(void)o;
	c->n_manifests = 0;
}

static json_t *get_manifests(const struct config *c, const struct config_option *o)
{
	json_t *list = json_array();

	(void)o;
	for (size_t i = 0; i < c->n_manifests; i++)
		json_array_append_new(list, text_json(c->manifests[i]));
	return list;
}

const struct value_type value_manifests = { SHAPE_LIST, .add = add_manifests,
	.clear = clear_manifests, .get = get_manifests };
