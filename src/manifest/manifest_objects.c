// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest_objects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

/* To tell the line of an error the text is parsed again, as long as that costs no more than this
 * many bytes a file; then it is the line of the document. */
enum { MAX_LOCATED = 4 << 20 };

static void keep(json_t *doc, unsigned line, void *arg)
{
	struct manifest_objects *m = arg;

	mem_grow(m->documents, m->n_documents, m->cap_documents);
	m->documents[m->n_documents++] =
		(struct manifest_document){ .tree = json_incref(doc), .line = line };
}

static void drop_documents(struct manifest_objects *m)
{
	for (size_t i = 0; i < m->n_documents; i++)
		json_decref(m->documents[i].tree);
	free(take(m->documents));
	m->n_documents = m->cap_documents = 0;
}

int manifest_objects_parse(struct manifest_objects *m, struct yaml_error *err)
{
	int r = yaml_parse(m->text, m->len, keep, m, err);

	if (r)
		drop_documents(m);
	return r;
}

/* Problems */

static void locate(struct manifest_objects *m, const char *field, struct manifest_problem *p)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	p->line = m->document->line;
	p->column = 0;
	if (m->len > MAX_LOCATED - m->located)
		return;
	m->located += m->len;
	buf_addf(&path, "%s%s%s", m->item, *m->item && *field ? "." : "", field);
	yaml_locate(m->text, m->len, p->line, buf_str(&path), &p->line, &p->column);
}

static void tell(struct manifest_objects *m, const char *object, const char *field, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static void tell(
	struct manifest_objects *m, const char *object, const char *field, const char *fmt, ...)
{
	char message[512];
	struct manifest_problem p = {
		.path = m->path, .object = object, .field = field, .message = message
	};
	va_list ap;

	if (m->n_problems++ >= MANIFEST_MAX_PROBLEMS)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	locate(m, field, &p);
	problems_add(m->problems, m->owner, &p);
}

static void tell_rest(struct manifest_objects *m)
{
	char message[64];

	if (m->n_problems <= MANIFEST_MAX_PROBLEMS)
		return;
	snprintf(message, sizeof(message), "has %zu more problems, which are not listed",
		m->n_problems - MANIFEST_MAX_PROBLEMS);
	problems_add(m->problems, m->owner,
		&(struct manifest_problem){
			.path = m->path, .object = "", .field = "", .message = message });
}

static void tell_invalid(
	struct manifest_objects *m, const struct definition *before, const struct decode_error *err)
{
	tell(m, err->object, err->field, "%s; %s", err->message,
		before ? "the version read before stays" : "the object is left out");
}

/* Objects */

/* What an API server would have filled in and nobody can do without. */
static int check_address(
	const struct manifest_objects *m, const struct object *o, struct decode_error *err)
{
	if (o->kind != OBJECT_SERVICE || catalog_can_assign(m->catalog, o))
		return 0;
	snprintf(err->field, sizeof(err->field), "spec.clusterIP");
	snprintf(err->message, sizeof(err->message),
		"is missing: only an API server can allocate one; set it or use --service-cluster-ip-range");
	return -EINVAL;
}

static void warn_of_node_ports(
	struct manifest_objects *m, const char *object, const struct object *o)
{
	if (o->kind != OBJECT_SERVICE || !o->wish.node_ports || o->service->headless ||
		o->service->other_proxy)
		return;
	for (size_t i = 0; i < o->service->n_ports; i++) {
		char field[64];

		if (o->service->ports[i].node_port)
			continue;
		snprintf(field, sizeof(field), "spec.ports[%zu].nodePort", i);
		tell(m, object, field,
			"is missing: only an API server can allocate one; the port is served at the other addresses only");
	}
}

static void define(struct manifest_objects *m, const json_t *tree, const struct object_id *id,
	struct object *o)
{
	char *content = json_dumps(tree, JSON_SORT_KEYS | JSON_COMPACT);
	struct definition *d;

	if (!content)
		abort(); /* out of memory, as everywhere */
	d = catalog_define(m->catalog, id, m->path, content, o);
	list_remove(&d->in_file);
	list_insert(m->definitions, &d->in_file);
	d->seen = true;
	d->line = m->document->line;
}

static void take_object(struct manifest_objects *m, const json_t *tree)
{
	struct decode_error err;
	struct object_id id;
	struct definition *before;
	struct object o;
	int r = decode_id(tree, &id, &err);

	if (r == -ENOTSUP && !strcmp(err.field, "kind")) {
		log_debug("passing over an object in a manifest", "file=\"%s\" kind=%s", m->path,
			json_string_value(json_object_get(tree, "kind")));
		return;
	}
	if (r) {
		tell_invalid(m, NULL, &err);
		return;
	}
	before = catalog_find(m->catalog, &id, m->path);
	if (before && before->seen) {
		tell(m, err.object, "",
			"is defined twice in this file; the second definition is left out");
		return;
	}
	if (before)
		before->seen = true;
	r = decode_object(tree, &o, &err);
	if (!r) {
		r = check_address(m, &o, &err);
		if (r)
			object_done(&o);
	}
	if (r) {
		tell_invalid(m, before, &err);
		return;
	}
	warn_of_node_ports(m, err.object, &o);
	define(m, tree, &id, &o);
}

/* Lists */

/* "Service" for "ServiceList", "" for "List"; NULL for what is no list. */
static char *item_kind(const json_t *tree)
{
	const char *kind = json_string_value(json_object_get(tree, "kind"));
	size_t len = kind ? strlen(kind) : 0;

	if (len < 4 || strcmp(kind + len - 4, "List") != 0 || !json_object_get(tree, "items"))
		return NULL;
	return mem_strndup(kind, len - 4);
}

/* The items of a typed list (as the API answers) leave out what the list says. */
static void complete_item(json_t *item, const char *kind, const json_t *list)
{
	json_t *version = json_object_get(list, "apiVersion");

	if (!*kind || !json_is_object(item))
		return;
	if (!json_object_get(item, "kind"))
		json_object_set_new(item, "kind", json_string(kind));
	if (!json_object_get(item, "apiVersion") && version)
		json_object_set(item, "apiVersion", version);
}

static void take_list(struct manifest_objects *m, const json_t *list, const char *kind)
{
	json_t *items = json_object_get(list, "items"), *it;
	char path[32];
	size_t i;

	if (!json_is_array(items) && !json_is_null(items))
		tell(m, "", "items", "must be a list; nothing is taken from it");
	json_array_foreach(items, i, it) {
		_cleanup_free_ char *inner = item_kind(it);

		snprintf(path, sizeof(path), "items[%zu]", i);
		m->item = path;
		complete_item(it, kind, list);
		if (inner)
			tell(m, "", "", "is a list inside of a list, which is not read");
		else
			take_object(m, it);
	}
	m->item = "";
}

static void remove_unseen(struct manifest_objects *m)
{
	list_for_each_safe(it, m->definitions) {
		struct definition *d = container_of(it, struct definition, in_file);

		if (!d->seen)
			catalog_remove(m->catalog, d);
	}
}

void manifest_objects_take(struct manifest_objects *m)
{
	list_for_each(it, m->definitions)
		container_of(it, struct definition, in_file)->seen = false;
	m->item = "";
	for (size_t i = 0; i < m->n_documents; i++) {
		_cleanup_free_ char *kind = item_kind(m->documents[i].tree);

		m->document = &m->documents[i];
		if (kind)
			take_list(m, m->document->tree, kind);
		else
			take_object(m, m->document->tree);
	}
	tell_rest(m);
	remove_unseen(m);
	drop_documents(m);
}
