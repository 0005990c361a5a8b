// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kubeconfig.h"

/* Impersonation: the headers of k8s.io/client-go/transport's ImpersonatingRoundTripper */

static const char extra_prefix[] = "Impersonate-Extra-";

/* What cannot be part of a header's name is percent-encoded (client-go: headerKeyEscape). */
static const char *extra_name(struct kubeconfig_reader *k, const char *key)
{
	static const char token[] = "!#$&'*+-.^_`|~0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char *s = arena_alloc(&k->to->arena, strlen(extra_prefix) + 3 * strlen(key) + 1, 1);
	char *p = stpcpy(s, extra_prefix);

	for (; *key; key++) {
		if (strchr(token, *key))
			*p++ = *key;
		else
			p += sprintf(p, "%%%02X", (unsigned)(unsigned char)*key);
	}
	return s;
}

/* A line break would let the value bring more headers. */
static bool is_header_value(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* The value is at `key`, below where the reader is. */
static int add_header(
	struct kubeconfig_reader *k, const char *key, const char *name, const char *value)
{
	const char **end = k->to->headers;

	if (!is_header_value(value))
		return reader_fail_at(&k->reader, key, "holds a control character");
	while (*end)
		end++;
	*end = kubeconfig_join(k, name, ": ", value);
	return 0;
}

static int add_list(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char *name)
{
	const json_t *array = json_object_get(obj, key), *it;
	size_t i;

	if (array && !json_is_null(array) && !json_is_array(array))
		return reader_fail_at(&k->reader, key, "must be a list of strings");
	json_array_foreach(array, i, it) {
		int e = json_is_string(it)
			? add_header(k, key, name, json_string_value(it))
			: reader_fail_at(&k->reader, key, "must be a list of strings");

		if (e)
			return e;
	}
	return 0;
}

static int add_extras(struct kubeconfig_reader *k, const json_t *extra)
{
	size_t mark = reader_enter(&k->reader, "as-user-extra");
	const char *key;
	json_t *values;
	int e = 0;

	json_object_foreach((json_t *)extra, key, values) {
		e = add_list(k, extra, key, extra_name(k, key));
		if (e)
			break;
	}
	reader_leave(&k->reader, mark);
	return e;
}

static size_t count_headers(const json_t *user)
{
	const json_t *extra = json_object_get(user, "as-user-extra");
	size_t n = 2 + json_array_size(json_object_get(user, "as-groups"));
	const char *key;
	json_t *values;

	json_object_foreach((json_t *)extra, key, values) {
		n += json_array_size(values);
	}
	return n;
}

static int add_impersonation(struct kubeconfig_reader *k, const json_t *user)
{
	const struct value v = value_of_json(user);
	const char *name = NULL, *uid = NULL;
	struct value extra = { 0 };
	int e = kubeconfig_read_text(k, user, "as", &name);

	if (!e)
		e = kubeconfig_read_text(k, user, "as-uid", &uid);
	if (!e)
		e = reader_object(&k->reader, &v, KEY("as-user-extra", 0), &extra);
	if (e)
		return e;
	k->to->headers =
		arena_alloc(&k->to->arena, count_headers(user) + 1, sizeof(*k->to->headers));
	e = name ? add_header(k, "as", "Impersonate-User", name) : 0;
	if (!e && uid)
		e = add_header(k, "as-uid", "Impersonate-Uid", uid);
	if (!e)
		e = add_list(k, user, "as-groups", "Impersonate-Group");
	if (!e)
		e = add_extras(k, extra.json);
	if (!e && !name && *k->to->headers)
		e = reader_fail_at(&k->reader, "as",
			"is missing, but as-uid, as-groups or as-user-extra is given");
	return e;
}

/* Credentials */

/* client-go runs a program or a provider's code for these. */
static int refuse_plugins(struct kubeconfig_reader *k, const json_t *user)
{
	static const char *const keys[] = { "exec", "auth-provider" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(user, keys[i]);

		if (v && !json_is_null(v))
			return reader_fail_at(&k->reader, keys[i],
				"credential plugins are not supported; give a client certificate, a token or a tokenFile");
	}
	return 0;
}

static int read_token(struct kubeconfig_reader *k, const json_t *user)
{
	const char *token = NULL, *path = NULL;
	int e = kubeconfig_read_text(k, user, "token", &token);

	if (!e)
		e = kubeconfig_read_path(k, user, "tokenFile", &path);
	if (e)
		return e;
	credential_init(&k->to->token, CREDENTIAL_TOKEN,
		kubeconfig_name_key(k, path ? "tokenFile" : "token"), path, token,
		token ? strlen(token) : 0);
	return 0;
}

/* The rules of clientcmd's validateAuthInfo(). */
static int check_user(struct kubeconfig_reader *k)
{
	const struct kubeconfig *to = k->to;
	bool cert = credential_is_given(&to->cert);

	if (cert != credential_is_given(&to->key))
		return reader_fail_at(&k->reader, cert ? "client-certificate" : "client-key",
			"client-certificate and client-key are of no use without each other");
	if (!to->username != !to->password)
		return reader_fail_at(&k->reader, to->username ? "username" : "password",
			"username and password are of no use without each other");
	if (to->username && credential_is_given(&to->token))
		return reader_fail_at(
			&k->reader, "username", "is given beside a token; only one can be meant");
	return 0;
}

int kubeconfig_read_user(struct kubeconfig_reader *k, const json_t *user)
{
	struct kubeconfig *to = k->to;
	int e = refuse_plugins(k, user);

	if (!e)
		e = kubeconfig_read_pem(k, user, "client-certificate", &to->cert);
	if (!e)
		e = kubeconfig_read_pem(k, user, "client-key", &to->key);
	if (!e)
		e = read_token(k, user);
	if (!e)
		e = kubeconfig_read_text(k, user, "username", &to->username);
	if (!e)
		e = kubeconfig_read_text(k, user, "password", &to->password);
	if (!e)
		e = check_user(k);
	return e ? e : add_impersonation(k, user);
}
