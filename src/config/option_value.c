// SPDX-License-Identifier: GPL-2.0-or-later
#include "option_value.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/duration.h"
#include "base/mem.h"
#include "config/config.h"

#define BLANKS ", \t" /* separate the elements of a list */
#define NOT_A_CIDR "\"%.60s\" is not a CIDR such as 10.0.0.0/8"
#define NOWHERE "none" /* for a server that is not wanted */

static const double REAL_MAX = 1e9;

/* Reading */

int option_read_bool(const char *text, bool *ret, struct err *err)
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

int option_read_number(const char *text, long min, long max, long *ret, struct err *err)
{
	const char *digits = text + (*text == '-');
	bool whole = *digits && !digits[strspn(digits, "0123456789")];
	long v;

	errno = 0;
	v = strtol(text, NULL, 10);
	if (whole && !errno && v >= min && v <= max) {
		*ret = v;
		return 0;
	}
	if (min == LONG_MIN && max == LONG_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is not a whole number", text);
	return err_set(
		err, -EINVAL, "\"%.60s\" is not a number between %ld and %ld", text, min, max);
}

static int read_real(const char *text, double *ret, struct err *err)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(fabs(v) <= REAL_MAX))
		return err_set(
			err, -EINVAL, "\"%.60s\" is not a number up to %.0f", text, REAL_MAX);
	*ret = v;
	return 0;
}

int option_read_duration(const char *text, int64_t *ret_ms, struct err *err)
{
	int64_t ms;

	if (duration_parse(text, &ms))
		return err_set(err, -EINVAL, "\"%.60s\" is not a duration such as 1m30s", text);
	if (ms < 0)
		return err_set(err, -EINVAL, "\"%.60s\" is negative", text);
	*ret_ms = ms;
	return 0;
}

int option_read_choice(const char *text, const char *const names[], unsigned *ret, struct err *err)
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

/* NAME=VALUE as an element of a list; *ret_value points into it. */
static int read_pair(const char *element, size_t *ret_name_len, const char **ret_value)
{
	size_t len = strcspn(element, BLANKS "=");

	if (!len || element[len] != '=')
		return -EINVAL;
	*ret_name_len = len;
	*ret_value = element + len + 1;
	return 0;
}

/* Writing */

/* As Go prints a duration: "1m30s", "24h0m0s", "500ms". */
static json_t *option_duration_json(int64_t ms)
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

json_t *option_text_json(const char *text)
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

static json_t *list_json(enum option_shape shape, const char *text)
{
	_cleanup_free_ char *copy = mem_strdup(text);
	json_t *all = shape == SHAPE_GATES ? json_object() : json_array();
	char *save = NULL;

	for (char *e = strtok_r(copy, BLANKS, &save); e; e = strtok_r(NULL, BLANKS, &save)) {
		_cleanup_free_ char *name = NULL;
		const char *value = "";
		size_t len = 0;
		bool on = false;

		if (shape == SHAPE_LIST) {
			json_array_append_new(all, option_text_json(e));
			continue;
		}
		if (read_pair(e, &len, &value))
			continue; /* never in text of the right shape */
		name = mem_strndup(e, len);
		if (shape == SHAPE_GATES) {
			option_read_bool(value, &on, NULL);
			json_object_set_new(all, name, json_boolean(on));
		} else {
			json_array_append_new(all,
				json_pack("{s:o, s:I}", "filePattern", option_text_json(name),
					"verbosity", (json_int_t)strtol(value, NULL, 10)));
		}
	}
	return all;
}

json_t *option_shape_json(enum option_shape shape, const char *text)
{
	double real = strtod(text, NULL);
	bool on = false;
	int64_t ms = 0;

	switch (shape) {
	case SHAPE_TEXT:
	case SHAPE_QUANTITY:
		return option_text_json(text);
	case SHAPE_BOOL:
		option_read_bool(text, &on, NULL);
		return json_boolean(on);
	case SHAPE_NUMBER:
		return json_integer(strtol(text, NULL, 10));
	case SHAPE_REAL:
		return real <= trunc(real) ? json_integer((json_int_t)real) : json_real(real);
	case SHAPE_DURATION:
	case SHAPE_TIME:
		option_read_duration(text, &ms, NULL);
		return option_duration_json(ms);
	case SHAPE_LIST:
	case SHAPE_GATES:
	case SHAPE_VMODULE:
		return list_json(shape, text);
	}
	return json_null();
}

bool option_is_zero(enum option_shape shape, const char *text)
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

/* Setting */

/* Only the shape counts of a value that has no place. */
static int check_shape(enum option_shape shape, const char *text, struct err *err)
{
	const char *value;
	size_t len;
	bool on;
	long number;
	double real;
	int64_t ms;

	switch (shape) {
	case SHAPE_TEXT:
	case SHAPE_LIST:
		return 0;
	case SHAPE_BOOL:
		return option_read_bool(text, &on, err);
	case SHAPE_NUMBER:
		return option_read_number(text, LONG_MIN, LONG_MAX, &number, err);
	case SHAPE_REAL:
		return read_real(text, &real, err);
	case SHAPE_DURATION:
	case SHAPE_TIME:
		return option_read_duration(text, &ms, err);
	case SHAPE_QUANTITY:
		if (!isdigit((unsigned char)*text))
			return err_set(err, -EINVAL, "\"%.60s\" is not a size such as 64Ki", text);
		return 0;
	case SHAPE_GATES:
		if (read_pair(text, &len, &value) || option_read_bool(value, &on, NULL))
			return err_set(
				err, -EINVAL, "\"%.60s\" is not NAME=true or NAME=false", text);
		return 0;
	case SHAPE_VMODULE:
		if (read_pair(text, &len, &value) ||
			option_read_number(value, 0, INT32_MAX, &number, NULL))
			return err_set(err, -EINVAL, "\"%.60s\" is not PATTERN=NUMBER", text);
		return 0;
	}
	return 0;
}

static int set_unsigned(const struct option_row *o, void *place, const char *text, struct err *err)
{
	long v = 0;
	int r = option_read_number(text, o->min, o->max, &v, err);

	if (r < 0)
		return r;
	if (o->size == sizeof(uint8_t))
		*(uint8_t *)place = (uint8_t)v;
	else if (o->size == sizeof(uint16_t))
		*(uint16_t *)place = (uint16_t)v;
	else
		*(uint32_t *)place = (uint32_t)v;
	return 0;
}

static int set_duration(const struct option_row *o, void *place, const char *text, struct err *err)
{
	int64_t ms = 0;
	int r = option_read_duration(text, &ms, err);

	if (r < 0)
		return r;
	if (!ms && o->min == 1)
		return err_set(err, -EINVAL, "must be longer than 0");
	if (ms && ms < o->min)
		return err_set(err, -EINVAL, "\"%.60s\" is less than %ld ms", text, o->min);
	if (o->size == sizeof(int64_t)) {
		*(int64_t *)place = ms;
		return 0;
	}

	/* kube-proxy silently takes 500ms for "keep the kernel's value". */
	if (ms % 1000)
		return err_set(err, -EINVAL, "\"%.60s\" is not a whole number of seconds", text);
	if (ms / 1000 > INT32_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is too long", text);
	*(uint32_t *)place = (uint32_t)(ms / 1000);
	return 0;
}

static int set_interface(const char **place, const char *text, struct err *err)
{
	bool valid = strlen(text) < INTERFACE_NAME_SIZE - 1;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		valid = valid && *p != '/' && !isspace(*p) && !iscntrl(*p);
	if (!valid)
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of an interface", text);
	*place = text;
	return 0;
}

static int set_cidr_pair(struct cidr pair[static 2], const char *text, struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(text);
	char *save = NULL;

	memset(pair, 0, 2 * sizeof(*pair));
	for (char *e = strtok_r(copy, BLANKS, &save); e; e = strtok_r(NULL, BLANKS, &save)) {
		struct cidr cidr;

		if (cidr_parse(e, &cidr))
			return err_set(err, -EINVAL, NOT_A_CIDR, e);
		if (pair[cidr.ip.family == AF_INET6].ip.family)
			return err_set(
				err, -EINVAL, "more than one %s CIDR", family_name(cidr.ip.family));
		pair[cidr.ip.family == AF_INET6] = cidr;
	}
	return 0;
}

/* ADDRESS:PORT or [ADDRESS]:PORT */
static int read_address_port(const char *text, struct listen_address *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool brackets = len > 2 && *text == '[' && colon[-1] == ']';
	_cleanup_free_ char *host = NULL;
	long port = 0;

	if (!colon || option_read_number(colon + 1, 1, UINT16_MAX, &port, NULL))
		return -EINVAL;
	host = brackets ? mem_strndup(text + 1, len - 2) : mem_strndup(text, len);
	if (ip_parse(host, &ret->ip) || (strchr(host, ':') != NULL) != brackets)
		return -EINVAL;
	ret->port = (uint16_t)port;
	return 0;
}

/* An address without a port has the port of the default. */
static int set_listen(
	const struct option_row *o, struct listen_address *place, const char *text, struct err *err)
{
	struct listen_address address = { 0 }, preset = { 0 };

	if (*text && strcmp(text, NOWHERE) != 0) {
		if (!ip_parse(text, &address.ip)) {
			read_address_port(o->preset, &preset);
			address.port = preset.port;
		} else if (read_address_port(text, &address)) {
			return err_set(err, -EINVAL,
				"\"%.60s\" is neither an IP address nor one with a port, such as %s",
				text, o->preset);
		}
	}
	*place = address;
	return 0;
}

static int set_place(const struct option_row *o, void *target, const char *text, struct err *err)
{
	void *place = option_place(target, o);
	struct sockaddr_un addr;

	if (o->type->set)
		return o->type->set(o, target, text, err);
	switch (o->type->place) {
	case PLACE_NONE:
		return check_shape(o->type->shape, text, err);
	case PLACE_SOCKET:
		if (strlen(text) >= sizeof(addr.sun_path))
			return err_set(err, -EINVAL, "the path is longer than %zu characters",
				sizeof(addr.sun_path) - 1);
		*(const char **)place = text;
		return 0;
	case PLACE_TEXT:
		*(const char **)place = text;
		return 0;
	case PLACE_INTERFACE:
		return set_interface(place, text, err);
	case PLACE_CHOICE: /* the ABI stores an enum without negative constants as unsigned */
		return option_read_choice(text, o->names, place, err);
	case PLACE_BOOL:
		return option_read_bool(text, place, err);
	case PLACE_UNSIGNED:
		return set_unsigned(o, place, text, err);
	case PLACE_REAL:
		return read_real(text, place, err);
	case PLACE_DURATION:
		return set_duration(o, place, text, err);
	case PLACE_IP:
		if (ip_parse(text, place))
			return err_set(err, -EINVAL, "\"%.60s\" is not an IP address", text);
		return 0;
	case PLACE_LISTEN:
		return set_listen(o, place, text, err);
	case PLACE_CIDR_PAIR:
		return set_cidr_pair(place, text, err);
	case PLACE_CIDRS:
	case PLACE_PATHS:
		break; /* lists: option_add() */
	}
	return -EINVAL;
}

int option_add(const struct option_row *o, void *target, const char *element, struct err *err)
{
	size_t *n = (void *)((char *)target + o->count_at);

	if (o->type->place == PLACE_NONE)
		return check_shape(o->type->shape, element, err);

	if (o->type->place == PLACE_PATHS) {
		const char ***paths = option_place(target, o);

		if (!*element)
			return err_set(err, -EINVAL, "the path is empty");
		*paths = mem_realloc(*paths, *n + 1, sizeof(**paths));
		(*paths)[(*n)++] = element;
	} else {
		struct cidr cidr, *cidrs = option_place(target, o);

		if (cidr_parse(element, &cidr))
			return err_set(err, -EINVAL, NOT_A_CIDR, element);
		if (*n == OPTIONS_MAX_CIDRS)
			return err_set(err, -EINVAL, "more than %d CIDRs", OPTIONS_MAX_CIDRS);
		cidrs[(*n)++] = cidr;
	}
	return 0;
}

bool option_is_list(const struct option_row *o)
{
	enum option_shape shape = o->type->shape;

	return shape == SHAPE_LIST || shape == SHAPE_GATES || shape == SHAPE_VMODULE;
}

int option_set(
	const struct option_row *o, void *target, const char *text, bool commas, struct err *err)
{
	int (*add)(const struct option_row *, void *, const char *, struct err *) =
		o->type->add ? o->type->add : option_add;
	_cleanup_free_ char *copy = NULL;
	char *save = NULL;

	if (!option_is_list(o))
		return set_place(o, target, text, err);
	if (!o->type->commas || !commas)
		return add(o, target, text, err);

	copy = mem_strdup(text);
	for (char *e = strtok_r(copy, BLANKS, &save); e; e = strtok_r(NULL, BLANKS, &save)) {
		int r = add(o, target, e, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void option_clear(const struct option_row *o, void *target)
{
	size_t *n = (void *)((char *)target + o->count_at);

	if (o->type->place == PLACE_CIDRS || o->type->place == PLACE_PATHS)
		*n = 0;
	if (o->type->clear)
		o->type->clear(target);
}

/* Getting */

json_t *option_get(const struct option_row *o, const void *target)
{
	const void *place = option_value(target, o);
	const size_t *n = (const void *)((const char *)target + o->count_at);
	const struct listen_address *listen = place;
	const struct cidr *cidr = place;
	const char *const *paths;
	_cleanup_(buf_done) struct buf b = { 0 };
	char s[IP_PORT_STRLEN];
	json_t *all;

	if (o->type->get)
		return o->type->get(o, target);
	switch (o->type->place) {
	case PLACE_NONE:
	case PLACE_REAL: /* the text has the digits as they were given */
		return NULL;
	case PLACE_TEXT:
	case PLACE_SOCKET:
	case PLACE_INTERFACE:
		return option_text_json(*(const char *const *)place);
	case PLACE_CHOICE:
		return json_string(o->names[*(const unsigned *)place]);
	case PLACE_BOOL:
		return json_boolean(*(const bool *)place);
	case PLACE_UNSIGNED:
		if (o->size == sizeof(uint8_t))
			return json_integer(*(const uint8_t *)place);
		if (o->size == sizeof(uint16_t))
			return json_integer(*(const uint16_t *)place);
		return json_integer(*(const uint32_t *)place);
	case PLACE_DURATION:
		if (o->size == sizeof(int64_t))
			return option_duration_json(*(const int64_t *)place);
		return option_duration_json((int64_t) * (const uint32_t *)place * 1000);
	case PLACE_IP:
		return json_string(ip_print(place, s));
	case PLACE_LISTEN:
		return json_string(
			listen->ip.family ? ip_print_port(&listen->ip, listen->port, s) : NOWHERE);
	case PLACE_CIDR_PAIR:
		for (size_t i = 0; i < 2; i++)
			if (cidr[i].ip.family)
				buf_addf(&b, "%s%s", b.len ? "," : "", cidr_print(&cidr[i], s));
		return json_string(buf_str(&b));
	case PLACE_CIDRS:
		all = json_array();
		for (size_t i = 0; i < *n; i++)
			json_array_append_new(all, json_string(cidr_print(&cidr[i], s)));
		return all;
	case PLACE_PATHS:
		all = json_array();
		paths = *(const char *const *const *)place;
		for (size_t i = 0; i < *n; i++)
			json_array_append_new(all, option_text_json(paths[i]));
		return all;
	}
	return NULL;
}

const struct option_type type_text = { SHAPE_TEXT, PLACE_TEXT };
const struct option_type type_socket = { SHAPE_TEXT, PLACE_SOCKET };
const struct option_type type_interface = { SHAPE_TEXT, PLACE_INTERFACE };
const struct option_type type_choice = { SHAPE_TEXT, PLACE_CHOICE };
const struct option_type type_paths = { SHAPE_LIST, PLACE_PATHS };
const struct option_type type_bool = { SHAPE_BOOL, PLACE_BOOL };
const struct option_type type_number = { SHAPE_NUMBER, PLACE_UNSIGNED };
const struct option_type type_real = { SHAPE_REAL, PLACE_REAL };
const struct option_type type_duration = { SHAPE_DURATION, PLACE_DURATION };
const struct option_type type_ip = { SHAPE_TEXT, PLACE_IP };
const struct option_type type_listen = { SHAPE_TEXT, PLACE_LISTEN };
const struct option_type type_cidr_pair = { SHAPE_TEXT, PLACE_CIDR_PAIR };
const struct option_type type_cidrs = { SHAPE_LIST, PLACE_CIDRS, .commas = true };

const struct option_type type_kept_bool = { SHAPE_BOOL };
const struct option_type type_kept_number = { SHAPE_NUMBER };
const struct option_type type_kept_duration = { SHAPE_DURATION };
const struct option_type type_kept_time = { SHAPE_TIME };
const struct option_type type_kept_text = { SHAPE_TEXT };
const struct option_type type_kept_quantity = { SHAPE_QUANTITY };
const struct option_type type_kept_gates = { SHAPE_GATES, .commas = true };
const struct option_type type_kept_vmodule = { SHAPE_VMODULE, .commas = true };
