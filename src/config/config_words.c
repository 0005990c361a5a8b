// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of values: texts and words that have a place in struct config. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/mem.h"
#include "config_own.h"

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

int each_element(void *target, const struct option_row *o, const char *text,
	int (*add)(void *target, const struct option_row *o, const char *element, struct err *err),
	struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(text);
	char *save = NULL;

	for (char *e = strtok_r(copy, ", \t", &save); e; e = strtok_r(NULL, ", \t", &save)) {
		int r = add(target, o, e, err);

		if (r < 0)
			return r;
	}
	return 0;
}

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

/* Texts */

static int set_text(void *target, const struct option_row *o, const char *text, struct err *err)
{
	(void)err;
	*(const char **)option_place(target, o) = text;
	return 0;
}

static json_t *get_text(const void *target, const struct option_row *o)
{
	return text_json(*(const char *const *)option_value(target, o));
}

const struct option_type type_text = { SHAPE_TEXT, .set = set_text, .get = get_text };

static int set_socket(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct sockaddr_un addr;

	if (strlen(text) >= sizeof(addr.sun_path))
		return err_set(err, -EINVAL, "the path is longer than %zu characters",
			sizeof(addr.sun_path) - 1);
	return set_text(target, o, text, err);
}

const struct option_type type_socket = { SHAPE_TEXT, .set = set_socket, .get = get_text };

/* Words */

/* Of an enum whose values are indices of the names; the ABI stores those as unsigned. */
static int set_choice(void *target, const struct option_row *o, const char *text, struct err *err)
{
	return read_choice(text, o->names, option_place(target, o), err);
}

static json_t *get_choice(const void *target, const struct option_row *o)
{
	return json_string(o->names[*(const unsigned *)option_value(target, o)]);
}

const struct option_type type_choice = { SHAPE_TEXT, .set = set_choice, .get = get_choice };

/* kube-proxy's name for the backend. Its empty one means iptables there. */
static int set_mode(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	static const char *const names[] = { "auto", "ipvs", "iptables", NULL };
	unsigned i = BACKEND_AUTO;

	if (!strcasecmp(text, "nftables")) {
		note(c, &c->warnings,
			CONFIG_KIND ".%s: \"nftables\" is not done here, doing what works best "
				    "(--backend=auto)",
			o->key);
		text = "";
	}
	if (*text && (!strcasecmp(text, names[BACKEND_AUTO]) || read_choice(text, names, &i, NULL)))
		return err_set(err, -EINVAL,
			"\"%.60s\" is not done here: use ipvs, iptables, or \"\" for what works best",
			text);
	c->options.backend = (enum backend)i;
	return 0;
}

static json_t *get_mode(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return json_string(
		c->options.backend == BACKEND_AUTO ? "" : backend_name(c->options.backend));
}

const struct option_type type_mode = { SHAPE_TEXT, .set = set_mode, .get = get_mode };

static int set_scheduler(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;

	(void)o;
	if (!*text || strlen(text) >= SCHED_NAME_SIZE ||
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(text))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of a scheduler", text);
	snprintf(c->options.scheduler, sizeof(c->options.scheduler), "%s", text);
	return 0;
}

static json_t *get_scheduler(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return json_string(c->options.scheduler);
}

const struct option_type type_scheduler = { SHAPE_TEXT, .set = set_scheduler,
	.get = get_scheduler };

/* As Kubernetes writes node names: without blanks around it, in lower case. Nothing at all is not
 * another name. */
static int set_hostname(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
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
		c->options.node_name[i] = (char)tolower((unsigned char)text[i]);
	c->options.node_name[len] = '\0';
	return 0;
}

/* The host's own name is not printed: the file may go to another host. */
static json_t *get_hostname(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	return text_json(option_given(target, o) ? c->options.node_name : "");
}

const struct option_type type_hostname = { SHAPE_TEXT, .set = set_hostname, .get = get_hostname };

/* Log levels */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	NULL,
};

static int set_verbosity(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	long v = 0;
	int r = read_number(text, 0, INT32_MAX, &v, err);

	(void)o;
	if (!r)
		c->log_level = v >= VERBOSITY_DEBUG ? LOG_DEBUG : LOG_INFO;
	return r;
}

static json_t *get_verbosity(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return json_integer(c->log_level == LOG_DEBUG ? VERBOSITY_DEBUG : 0);
}

const struct option_type type_verbosity = { SHAPE_NUMBER, .set = set_verbosity,
	.get = get_verbosity };

/* kube-proxy's numbers are taken as well. */
static int set_log_level(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;
	unsigned i = LOG_INFO;
	int r;

	if (*text && strspn(text, "0123456789") == strlen(text))
		return set_verbosity(target, o, text, err);
	r = read_choice(text, level_names, &i, err);
	if (!r)
		c->log_level = (enum log_level)i;
	return r;
}

static json_t *get_log_level(const void *target, const struct option_row *o)
{
	const struct config *c = target;

	(void)o;
	return json_string(level_names[c->log_level]);
}

const struct option_type type_log_level = { SHAPE_TEXT, .set = set_log_level,
	.get = get_log_level };

/* Paths */

static int add_manifests(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct config *c = target;

	(void)o;
	if (!*text)
		return err_set(err, -EINVAL, "the path is empty");
	c->manifests = mem_realloc(c->manifests, c->n_manifests + 1, sizeof(*c->manifests));
	c->manifests[c->n_manifests++] = text;
	return 0;
}

static void clear_manifests(void *target, const struct option_row *o)
{
	struct config *c = target;

	(void)o;
	c->n_manifests = 0;
}

static json_t *get_manifests(const void *target, const struct option_row *o)
{
	const struct config *c = target;
	json_t *list = json_array();

	(void)o;
	for (size_t i = 0; i < c->n_manifests; i++)
		json_array_append_new(list, text_json(c->manifests[i]));
	return list;
}

const struct option_type type_manifests = { SHAPE_LIST, .add = add_manifests,
	.clear = clear_manifests, .get = get_manifests };
