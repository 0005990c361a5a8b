// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions that return int return 0, or -EINVAL with the reader's error filled in. Messages never
 * show a value: it may be a secret.
 */
#include "kubeconfig.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth.h"
#include "base/base64.h"
#include "base/mem.h"
#include "decode/reader.h"
#include "decode/yaml.h"

struct kubeconfig_reader {
	struct reader reader;
	const char *path; /* of the file */
	struct kubeconfig *to;
};

/* Fields */

/* x, y and z in one string of the arena. */
static const char *join_text(
	struct kubeconfig_reader *k, const char *x, const char *y, const char *z)
{
	char *s = arena_alloc(&k->to->arena, strlen(x) + strlen(y) + strlen(z) + 1, 1);

	stpcpy(stpcpy(stpcpy(s, x), y), z);
	return s;
}

/* The name of a field below where the reader is, as messages have it: "FILE: users[0].user.token".
 */
static const char *name_key(struct kubeconfig_reader *k, const char *key)
{
	size_t mark = reader_enter(&k->reader, key);
	char path[READER_PATH_SIZE];
	const char *s = join_text(k, k->path, ": ", reader_path(&k->reader, path));

	reader_leave(&k->reader, mark);
	return s;
}

/* An empty string counts as absent. */
static int read_kubeconfig_text(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char **ret)
{
	const json_t *v = json_object_get(obj, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return reader_fail_at(&k->reader, key, "must be a string");
	if (json_string_length(v))
		*ret = arena_strdup(&k->to->arena, json_string_value(v));
	return 0;
}

/* The path of a file, which is relative to the directory of the kubeconfig. */
static int read_kubeconfig_path(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char **ret)
{
	const char *path = NULL, *slash = strrchr(k->path, '/');
	int e = read_kubeconfig_text(k, obj, key, &path);

	if (e || !path)
		return e;
	if (*path != '/' && slash)
		path = join_text(k,
			arena_strndup(&k->to->arena, k->path, (size_t)(slash - k->path)), "/",
			path);
	*ret = path;
	return 0;
}

/* KEY names a file; KEY-data holds its content in base64 and takes precedence. */
static int read_kubeconfig_pem(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, struct credential *ret)
{
	const char *data_key = join_text(k, key, "-data", ""), *text = NULL, *path = NULL;
	int e = read_kubeconfig_text(k, obj, data_key, &text);

	if (!e)
		e = read_kubeconfig_path(k, obj, key, &path);
	if (e)
		return e;
	*ret = (struct credential){ .kind = CREDENTIAL_PEM };
	if (!text) {
		ret->key = name_key(k, key);
		ret->path = path;
		return 0;
	}

	if (base64_decode(text, &ret->value) < 0)
		return reader_fail_at(&k->reader, data_key, "is not base64");
	ret->key = name_key(k, data_key);
	return 0;
}

static int read_kubeconfig_cluster(struct kubeconfig_reader *k, const json_t *cluster)
{
	const struct value v = value_of_json(cluster);
	struct kubeconfig *to = k->to;
	int e = read_kubeconfig_text(k, cluster, "server", &to->server);

	if (!e)
		e = read_kubeconfig_text(k, cluster, "tls-server-name", &to->server_name);
	if (!e)
		e = read_kubeconfig_text(k, cluster, "proxy-url", &to->proxy);
	if (!e)
		e = reader_bool(&k->reader, &v, KEY("insecure-skip-tls-verify", 0), &to->insecure);
	if (!e)
		e = reader_bool(
			&k->reader, &v, KEY("disable-compression", 0), &to->disable_compression);
	if (!e)
		e = read_kubeconfig_pem(k, cluster, "certificate-authority", &to->ca);
	if (!e && to->insecure && credential_is_given(&to->ca))
		e = reader_fail_at(&k->reader, "insecure-skip-tls-verify",
			"is true although a certificate-authority is given");
	to->server_key = name_key(k, "server");
	to->proxy_key = name_key(k, "proxy-url");
	return e;
}

/* Impersonation: the headers of k8s.io/client-go/transport's ImpersonatingRoundTripper */

/* One header for each string of the list at `key`, or for the string there. */
static int add_impersonation(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char *name)
{
	const json_t *v = json_object_get(obj, key);
	size_t n = json_is_array(v) ? json_array_size(v) : 1, end = 0;

	while (k->to->headers[end])
		end++;
	for (size_t i = 0; i < n; i++) {
		const char *value = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);

		if (!value)
			return reader_fail_at(&k->reader, key, "must be a list of strings");
		/* A line break would let the value bring more headers. */
		for (const char *c = value; *c; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				return reader_fail_at(&k->reader, key, "holds a control character");
		k->to->headers[end++] = join_text(k, name, ": ", value);
	}
	return 0;
}

/* The API server unescapes the names of extra fields as parts of a URL's path. */
static int add_impersonation_extra(struct kubeconfig_reader *k, const json_t *extra)
{
	size_t mark = reader_enter(&k->reader, "as-user-extra");
	const char *key;
	json_t *values;
	int e = 0;

	json_object_foreach((json_t *)extra, key, values) {
		char *escaped = curl_easy_escape(NULL, key, 0);

		if (!escaped)
			abort(); /* out of memory, as in base/mem.h */
		if (!json_is_array(values) && !json_is_null(values))
			e = reader_fail_at(&k->reader, key, "must be a list of strings");
		else if (json_is_array(values))
			e = add_impersonation(
				k, extra, key, join_text(k, "Impersonate-Extra-", escaped, ""));
		curl_free(escaped);
		if (e)
			break;
	}
	reader_leave(&k->reader, mark);
	return e;
}

static int read_impersonation(struct kubeconfig_reader *k, const json_t *user)
{
	const json_t *groups = json_object_get(user, "as-groups");
	const struct value v = value_of_json(user);
	const char *name = NULL, *uid = NULL, *key;
	size_t n = 2 + json_array_size(groups);
	struct value extra = { 0 };
	json_t *values;
	int e = read_kubeconfig_text(k, user, "as", &name);

	if (!e)
		e = read_kubeconfig_text(k, user, "as-uid", &uid);
	if (!e)
		e = reader_object(&k->reader, &v, KEY("as-user-extra", 0), &extra);
	if (!e && groups && !json_is_null(groups) && !json_is_array(groups))
		e = reader_fail_at(&k->reader, "as-groups", "must be a list of strings");
	if (e)
		return e;

	json_object_foreach((json_t *)extra.json, key, values) {
		n += json_array_size(values);
	}
	k->to->headers = arena_alloc(&k->to->arena, n + 1, sizeof(*k->to->headers));
	if (name)
		e = add_impersonation(k, user, "as", "Impersonate-User");
	if (!e && uid)
		e = add_impersonation(k, user, "as-uid", "Impersonate-Uid");
	if (!e && json_is_array(groups))
		e = add_impersonation(k, user, "as-groups", "Impersonate-Group");
	if (!e)
		e = add_impersonation_extra(k, extra.json);
	if (!e && !name && *k->to->headers)
		e = reader_fail_at(&k->reader, "as",
			"is missing, but as-uid, as-groups or as-user-extra is given");
	return e;
}

/* The rules of clientcmd's validateAuthInfo(). */
static int check_user(struct kubeconfig_reader *k)
{
	const struct kubeconfig *to = k->to;
	bool cert = credential_is_given(&to->cert);

	if (cert != credential_is_given(&to->key))
		return reader_fail_at(&k->reader, cert ? "client-certificate" : "client-key",
			"client-certificate and client-key must be given together");
	if (!to->username != !to->password)
		return reader_fail_at(&k->reader, to->username ? "username" : "password",
			"username and password must be given together");
	if (to->username && credential_is_given(&to->token))
		return reader_fail_at(
			&k->reader, "username", "is given as well as a token; give one of them");
	return 0;
}

static int read_kubeconfig_user(struct kubeconfig_reader *k, const json_t *user)
{
	static const char *const plugins[] = { "exec", "auth-provider" };
	const char *token = NULL, *token_path = NULL;
	struct kubeconfig *to = k->to;
	int e;

	/* client-go runs a program or a provider's code for these. */
	for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
		const json_t *v = json_object_get(user, plugins[i]);

		if (v && !json_is_null(v))
			return reader_fail_at(&k->reader, plugins[i],
				"credential plugins are not supported; give a client certificate, a token or a tokenFile");
	}
	e = read_kubeconfig_pem(k, user, "client-certificate", &to->cert);
	if (!e)
		e = read_kubeconfig_pem(k, user, "client-key", &to->key);
	if (!e)
		e = read_kubeconfig_text(k, user, "token", &token);
	if (!e)
		e = read_kubeconfig_path(k, user, "tokenFile", &token_path);
	if (e)
		return e;
	to->token = (struct credential){
		.kind = CREDENTIAL_TOKEN,
		.key = name_key(k, token_path ? "tokenFile" : "token"),
		.path = token_path,
	};
	if (token)
		buf_adds(&to->token.value, token);

	e = read_kubeconfig_text(k, user, "username", &to->username);
	if (!e)
		e = read_kubeconfig_text(k, user, "password", &to->password);
	if (!e)
		e = check_user(k);
	return e ? e : read_impersonation(k, user);
}

/* The lists, whose elements have names */

/* Returns the object under `kind` in the element of that name, and leaves the reader there. */
static int enter_named(struct kubeconfig_reader *k, const json_t *root, const char *list,
	const char *kind, const char *name, const json_t **ret)
{
	const json_t *array = json_object_get(root, list), *it, *v;
	char quoted[QUOTE_SIZE];
	size_t i;

	assert(name);
	reader_enter(&k->reader, list);
	if (array && !json_is_null(array) && !json_is_array(array))
		return reader_fail(&k->reader, "must be a list");
	json_array_foreach(array, i, it) {
		const char *is = json_string_value(json_object_get(it, "name"));

		if (!is || strcmp(is, name) != 0)
			continue;
		v = json_object_get(it, kind);
		reader_enter_index(&k->reader, i);
		if (!json_is_object(v))
			return reader_fail_at(&k->reader, kind, "is missing");
		reader_enter(&k->reader, kind);
		*ret = v;
		return 0;
	}
	return reader_fail(&k->reader, "there is no %s named %s", kind, reader_quote(name, quoted));
}

static int read_current_context(struct kubeconfig_reader *k, const json_t *root)
{
	const char *name = NULL, *cluster = NULL, *user = NULL;
	const json_t *obj = NULL;
	int e = read_kubeconfig_text(k, root, "current-context", &name);

	if (e)
		return e;
	if (!name)
		return reader_fail_at(&k->reader, "current-context", "is missing");

	/* Both names are a must, as for clientcmd's validateContext(). */
	e = enter_named(k, root, "contexts", "context", name, &obj);
	if (!e)
		e = read_kubeconfig_text(k, obj, "cluster", &cluster);
	if (!e)
		e = read_kubeconfig_text(k, obj, "user", &user);
	if (!e && (!cluster || !user))
		e = reader_fail_at(&k->reader, cluster ? "user" : "cluster", "is missing");
	reader_leave(&k->reader, 0);

	if (!e)
		e = enter_named(k, root, "clusters", "cluster", cluster, &obj);
	if (!e)
		e = read_kubeconfig_cluster(k, obj);
	reader_leave(&k->reader, 0);

	if (!e)
		e = enter_named(k, root, "users", "user", user, &obj);
	if (!e)
		e = read_kubeconfig_user(k, obj);
	reader_leave(&k->reader, 0);
	return e;
}

static int read_kubeconfig_root(struct kubeconfig_reader *k, const json_t *root)
{
	static const char *const keys[] = { "current-context", "contexts", "clusters", "users" };
	const char *version = NULL, *kind = NULL;
	int e;

	if (!json_is_object(root) && !json_is_null(root))
		return reader_fail(&k->reader, "is not a kubeconfig");
	e = read_kubeconfig_text(k, root, "apiVersion", &version);
	if (!e)
		e = read_kubeconfig_text(k, root, "kind", &kind);
	if (e)
		return e;
	if (version && strcmp(version, "v1") != 0)
		return reader_fail_at(&k->reader, "apiVersion", "must be v1");
	if (kind && strcmp(kind, "Config") != 0)
		return reader_fail_at(&k->reader, "kind", "must be Config");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(root, keys[i]);

		if (json_string_length(v) || json_array_size(v) || json_object_size(v))
			return read_current_context(k, root);
	}
	k->to->empty = true;
	return 0;
}

/* The file */

struct kubeconfig_documents {
	json_t *first;
	size_t n;
};

static void count_document(json_t *doc, unsigned line, void *arg)
{
	struct kubeconfig_documents *d = arg;

	(void)line;
	if (!d->n++)
		d->first = json_incref(doc);
}

int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct kubeconfig_documents d = { 0 };
	struct decode_error error = { 0 };
	struct yaml_error syntax;
	struct kubeconfig_reader k = {
		.reader = { .arena = &ret->arena, .err = &error },
		.path = path,
		.to = ret,
	};
	int r = credential_read_file(path, AUTH_MAX_FILE, &text, err);

	if (r < 0)
		return r;
	r = yaml_parse(buf_str(&text), text.len, count_document, &d, &syntax);
	if (r < 0) {
		err_set(err, r, "%s:%u:%u: %s", path, syntax.line, syntax.column, syntax.message);
	} else if (d.n > 1) {
		r = err_set(err, -EINVAL, "%s: holds %zu documents, must be one", path, d.n);
	} else {
		r = read_kubeconfig_root(&k, d.first ? d.first : json_null());
		if (r)
			err_set(err, r, "%s: %s%s%s", path, error.field, *error.field ? ": " : "",
				error.message);
	}
	json_decref(d.first);
	return r;
}

void kubeconfig_done(struct kubeconfig *k)
{
	credential_done(&k->ca);
	credential_done(&k->cert);
	credential_done(&k->key);
	credential_done(&k->token);
	arena_done(&k->arena);
	*k = (struct kubeconfig){ 0 };
}
