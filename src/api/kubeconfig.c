// SPDX-License-Identifier: GPL-2.0-or-later
#include "kubeconfig.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base64.h"
#include "api/auth.h"
#include "decode/yaml.h"

/* Fields */

const char *kubeconfig_join(
	struct kubeconfig_reader *k, const char *x, const char *y, const char *z)
{
	size_t size = strlen(x) + strlen(y) + strlen(z) + 1;
	char *s = arena_alloc(&k->to->arena, size, 1);

	stpcpy(stpcpy(stpcpy(s, x), y), z);
	return s;
}

const char *kubeconfig_name_key(struct kubeconfig_reader *k, const char *key)
{
	size_t mark = reader_enter(&k->reader, key);
	char path[READER_PATH_SIZE];
	const char *s = kubeconfig_join(k, k->path, ": ", reader_path(&k->reader, path));

	reader_leave(&k->reader, mark);
	return s;
}

int kubeconfig_read_text(
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

int kubeconfig_read_path(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, const char **ret)
{
	const char *path = NULL, *slash = strrchr(k->path, '/');
	int e = kubeconfig_read_text(k, obj, key, &path);

	if (e || !path)
		return e;
	if (*path != '/' && slash)
		path = kubeconfig_join(k,
			arena_strndup(&k->to->arena, k->path, (size_t)(slash - k->path)), "/",
			path);
	*ret = path;
	return 0;
}

int kubeconfig_read_pem(
	struct kubeconfig_reader *k, const json_t *obj, const char *key, struct credential *ret)
{
	const char *data_key = kubeconfig_join(k, key, "-data", ""), *text = NULL, *path = NULL;
	char *data;
	size_t len;
	int e = kubeconfig_read_text(k, obj, data_key, &text);

	if (!e)
		e = kubeconfig_read_path(k, obj, key, &path);
	if (e)
		return e;
	if (!text) {
		credential_init(ret, CREDENTIAL_PEM, kubeconfig_name_key(k, key), path, NULL, 0);
		return 0;
	}
	data = arena_strdup(&k->to->arena, text);
	if (base64_decode(data, &len) < 0)
		return reader_fail_at(&k->reader, data_key, "is not base64");
	credential_init(ret, CREDENTIAL_PEM, kubeconfig_name_key(k, data_key), NULL, data, len);
	return 0;
}

/* Clusters and contexts */

static int read_cluster(struct kubeconfig_reader *k, const json_t *cluster)
{
	const struct value v = value_of_json(cluster);
	struct kubeconfig *to = k->to;
	int e = kubeconfig_read_text(k, cluster, "server", &to->server);

	if (!e)
		e = kubeconfig_read_text(k, cluster, "tls-server-name", &to->server_name);
	if (!e)
		e = kubeconfig_read_text(k, cluster, "proxy-url", &to->proxy);
	if (!e)
		e = reader_bool(&k->reader, &v, KEY("insecure-skip-tls-verify", 0), &to->insecure);
	if (!e)
		e = reader_bool(
			&k->reader, &v, KEY("disable-compression", 0), &to->disable_compression);
	if (!e)
		e = kubeconfig_read_pem(k, cluster, "certificate-authority", &to->ca);
	if (!e && to->insecure && credential_is_given(&to->ca))
		e = reader_fail_at(&k->reader, "insecure-skip-tls-verify",
			"is true although a certificate-authority is given");
	to->server_key = kubeconfig_name_key(k, "server");
	to->proxy_key = kubeconfig_name_key(k, "proxy-url");
	return e;
}

struct part {
	const char *list, *kind; /* "clusters", "cluster" */
};

static int enter_element(struct kubeconfig_reader *k, const json_t *element, size_t i,
	const struct part *part, const json_t **ret)
{
	const json_t *v = json_object_get(element, part->kind);

	reader_enter_index(&k->reader, i);
	if (!json_is_object(v))
		return reader_fail_at(&k->reader, part->kind, "is missing");
	reader_enter(&k->reader, part->kind);
	*ret = v;
	return 0;
}

/* Leaves the reader in the element of that name. */
static int enter_named(struct kubeconfig_reader *k, const json_t *root, const struct part *part,
	const char *name, const json_t **ret)
{
	const json_t *array = json_object_get(root, part->list), *it;
	char quoted[QUOTE_SIZE];
	size_t i;

	reader_enter(&k->reader, part->list);
	if (array && !json_is_null(array) && !json_is_array(array))
		return reader_fail(&k->reader, "must be a list");
	json_array_foreach(array, i, it) {
		const char *is = json_string_value(json_object_get(it, "name"));

		if (is && !strcmp(is, name))
			return enter_element(k, it, i, part, ret);
	}
	return reader_fail(
		&k->reader, "there is no %s named %s", part->kind, reader_quote(name, quoted));
}

static int read_named(struct kubeconfig_reader *k, const json_t *root, const struct part *part,
	const char *name, int (*fn)(struct kubeconfig_reader *k, const json_t *value))
{
	const json_t *value = NULL;
	int e = enter_named(k, root, part, name, &value);

	if (!e)
		e = fn(k, value);
	reader_leave(&k->reader, 0);
	return e;
}

struct context {
	const char *cluster, *user;
};

/* Both names are a must, as for clientcmd's validateContext(). */
static int read_context(
	struct kubeconfig_reader *k, const json_t *root, const char *name, struct context *ret)
{
	static const struct part contexts = { "contexts", "context" };
	const json_t *context = NULL;
	int e = enter_named(k, root, &contexts, name, &context);

	if (!e)
		e = kubeconfig_read_text(k, context, "cluster", &ret->cluster);
	if (!e)
		e = kubeconfig_read_text(k, context, "user", &ret->user);
	if (!e && (!ret->cluster || !ret->user))
		e = reader_fail_at(&k->reader, ret->cluster ? "user" : "cluster", "is missing");
	reader_leave(&k->reader, 0);
	return e;
}

/* The file */

static bool is_empty(const json_t *root)
{
	static const char *const keys[] = { "current-context", "contexts", "clusters", "users" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(root, keys[i]);

		if (json_string_length(v) || json_array_size(v) || json_object_size(v))
			return false;
	}
	return true;
}

static int check_kind(struct kubeconfig_reader *k, const json_t *root)
{
	const char *version = NULL, *kind = NULL;
	int e = kubeconfig_read_text(k, root, "apiVersion", &version);

	if (!e)
		e = kubeconfig_read_text(k, root, "kind", &kind);
	if (!e && version && strcmp(version, "v1") != 0)
		e = reader_fail_at(&k->reader, "apiVersion", "must be v1");
	if (!e && kind && strcmp(kind, "Config") != 0)
		e = reader_fail_at(&k->reader, "kind", "must be Config");
	return e;
}

static int read_current(struct kubeconfig_reader *k, const json_t *root)
{
	static const struct part clusters = { "clusters", "cluster" }, users = { "users", "user" };
	struct context context = { 0 };
	const char *name = NULL;
	int e = kubeconfig_read_text(k, root, "current-context", &name);

	if (!e && !name)
		e = reader_fail_at(&k->reader, "current-context", "is missing");
	if (!e)
		e = read_context(k, root, name, &context);
	if (!e)
		e = read_named(k, root, &clusters, context.cluster, read_cluster);
	if (!e)
		e = read_named(k, root, &users, context.user, kubeconfig_read_user);
	return e;
}

static int read_root(struct kubeconfig_reader *k, const json_t *root)
{
	int e;

	if (!json_is_object(root) && !json_is_null(root))
		return reader_fail(&k->reader, "it is not a kubeconfig");
	e = check_kind(k, root);
	if (e)
		return e;
	k->to->empty = is_empty(root);
	return k->to->empty ? 0 : read_current(k, root);
}

static int read_tree(const char *path, const json_t *root, struct kubeconfig *ret, struct err *err)
{
	struct decode_error error = { 0 };
	struct kubeconfig_reader k = {
		.reader = { .arena = &ret->arena, .err = &error },
		.path = path,
		.to = ret,
	};
	int e = read_root(&k, root);

	if (e)
		return err_set(err, e, "%s: %s%s%s", path, error.field, *error.field ? ": " : "",
			error.message);
	return 0;
}

struct documents {
	json_t *first;
	size_t n;
};

static void take_document(json_t *doc, unsigned line, void *arg)
{
	struct documents *d = arg;

	(void)line;
	if (!d->n++)
		d->first = json_incref(doc);
}

/* `ret` is a new reference. */
static int parse(const char *path, const struct buf *text, json_t **ret, struct err *err)
{
	struct documents d = { 0 };
	struct yaml_error error;
	int r = yaml_parse(buf_str(text), text->len, take_document, &d, &error);

	if (r < 0)
		err_set(err, r, "%s:%u:%u: %s", path, error.line, error.column, error.message);
	else if (d.n > 1)
		r = err_set(err, -EINVAL, "%s: it holds %zu documents, but a kubeconfig is one",
			path, d.n);
	if (r < 0) {
		json_decref(d.first);
		return r;
	}
	*ret = d.first ? d.first : json_null();
	return 0;
}

int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	json_t *root;
	int r = credential_read_file(path, AUTH_MAX_FILE, &text, err);

	if (r < 0)
		return r;
	r = parse(path, &text, &root, err);
	if (r < 0)
		return r;
	r = read_tree(path, root, ret, err);
	json_decref(root);
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
