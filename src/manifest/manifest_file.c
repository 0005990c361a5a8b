// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/yaml.h"

/*
 * The text is parsed again to find the line of an error, as long as that costs no more than this
 * many bytes a file; later errors get the line of their document.
 */
enum { MAX_LOCATED = 4 << 20 };

/* Trees take ten times as much memory as their text: those of a larger file are not kept while it
 * is parsed to its end. It is parsed once more instead. */
enum { MAX_KEPT = 1 << 20 };

/* One reading of one file. */
struct reading {
	struct manifest_file *file;
	struct catalog *catalog;
	struct problems *problems;
	struct buf text;
	struct manifest_document {
		json_t *tree;
		unsigned line;
	} * documents;
	size_t n_documents, cap_documents;
	unsigned line;	  /* of the current document */
	const char *item; /* path of the object in it: "", or "items[5]" */
	bool incomplete;  /* an object could not be read, and no version of it is known */
	bool nameless;	  /* one of these may be a version of any object */
	bool again;	  /* objects of the file are known from an earlier reading */
	size_t n_problems;
	size_t located; /* bytes parsed again */
};

static void reading_done(struct reading *r)
{
	for (size_t i = 0; i < r->n_documents; i++)
		json_decref(r->documents[i].tree);
	free(r->documents);
	buf_done(&r->text);
}

/* Problems */

/* A problem of the whole file, then its only one. `where` may be NULL. */
static void tell_file(const struct reading *r, const struct yaml_error *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void tell_file(const struct reading *r, const struct yaml_error *where, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf message = { 0 };
	struct manifest_file *f = r->file;
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	buf_addf(&message, "%s; %s", words,
		list_empty(&f->definitions) ? "nothing is taken from it"
					    : "what it defined before stays");
	problems_begin(&f->problems);
	problems_add(r->problems, &f->problems,
		&(struct manifest_problem){ .path = f->path,
			.line = where ? where->line : 0,
			.column = where ? where->column : 0,
			.object = "",
			.field = "",
			.message = buf_str(&message) });
	problems_end(r->problems, &f->problems);
}

/* A problem of one object in the current document. */
static void tell_object(struct reading *r, const char *object, const char *field, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

static void tell_object(
	struct reading *r, const char *object, const char *field, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	char message[512];
	struct manifest_problem p = { .path = r->file->path,
		.line = r->line,
		.object = object,
		.field = field,
		.message = message };
	va_list ap;

	if (r->n_problems++ >= MANIFEST_MAX_PROBLEMS)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (r->text.len <= MAX_LOCATED - r->located) {
		r->located += r->text.len;
		buf_addf(&path, "%s%s%s", r->item, *r->item && *field ? "." : "", field);
		yaml_locate(
			buf_str(&r->text), r->text.len, p.line, buf_str(&path), &p.line, &p.column);
	}
	problems_add(r->problems, &r->file->problems, &p);
}

/* Objects */

static void warn_of_node_ports(struct reading *r, const char *object, const struct object *o)
{
	if (o->kind != OBJECT_SERVICE || !o->wish.node_ports || o->service->headless ||
		o->service->other_proxy)
		return;
	for (size_t i = 0; i < o->service->n_ports; i++) {
		char field[64];

		if (o->service->ports[i].node_port)
			continue;
		snprintf(field, sizeof(field), "spec.ports[%zu].nodePort", i);
		tell_object(r, object, field,
			"is missing: only an API server can allocate one; the port is served at the other addresses only");
	}
}

/* No version of the object is known. */
static void leave_out(struct reading *r, const json_t *tree)
{
	_cleanup_free_ char *text = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);

	r->incomplete = true;
	if (text)
		mentions_add(&r->catalog->unread, text, strlen(text));
}

static void take_object(struct reading *r, const json_t *tree)
{
	struct decode_error err;
	struct object_id id;
	struct definition *d = NULL;
	struct object o;
	bool nameless;
	char *content;
	int e = decode_id(tree, &id, &err);

	if (e == -ENOTSUP && !strcmp(err.field, "kind")) {
		log_debug("passing over an object in a manifest", "file=\"%s\" kind=%s",
			r->file->path, json_string_value(json_object_get(tree, "kind")));
		return;
	}
	if (!e)
		d = catalog_find(r->catalog, &id, r->file->path);
	nameless = e;
	r->nameless |= nameless;
	if (d && d->seen) {
		tell_object(r, err.object, "",
			"is defined twice in this file; the second definition is left out");
		return;
	}
	if (d)
		d->seen = true; /* it stays even where its new version is invalid */
	e = e ?: decode_object(tree, &o, &err);
	if (!e && !catalog_can_assign(r->catalog, &o)) {
		snprintf(err.field, sizeof(err.field), "spec.clusterIP");
		snprintf(err.message, sizeof(err.message),
			"is missing: only an API server can allocate one; set it or use --service-cluster-ip-range");
		object_done(&o);
		e = -EINVAL;
	}
	if (e) {
		/* An earlier run could not proxy to the names of hosts either. */
		if (!d && (e != -ENOTSUP || strcmp(err.field, "addressType") != 0))
			leave_out(r, tree);
		tell_object(r, err.object, err.field, "%s%s; %s", err.message,
			strstr(err.message, "\"{{") || strstr(err.message, "\"${")
				? ", a template that was not rendered"
				: "",
			d ? "the version read before stays"
				: !nameless || !r->again
				? "the object is left out"
				: "the object is left out, and what the file defined before stays");
		return;
	}

	warn_of_node_ports(r, err.object, &o);
	content = json_dumps(tree, JSON_SORT_KEYS | JSON_COMPACT);
	if (!content)
		abort(); /* out of memory, as everywhere */
	d = catalog_define(r->catalog, &id, r->file->path, content, &o);
	list_remove(&d->in_file);
	list_insert(&r->file->definitions, &d->in_file);
	d->seen = true;
	d->line = r->line;
}

/* "Service" for "ServiceList", "" for "List"; NULL for an object that is no list. */
static char *item_kind(const json_t *tree)
{
	const char *kind = json_string_value(json_object_get(tree, "kind"));
	size_t len = kind ? strlen(kind) : 0;

	if (len < 4 || strcmp(kind + len - 4, "List") != 0 || !json_object_get(tree, "items"))
		return NULL;
	return mem_strndup(kind, len - 4);
}

static void take_list(struct reading *r, const json_t *list, const char *kind)
{
	json_t *items = json_object_get(list, "items"), *it;
	json_t *version = json_object_get(list, "apiVersion");
	char path[32];
	size_t i;

	if (!json_is_array(items) && !json_is_null(items)) {
		leave_out(r, items);
		r->nameless = true;
		tell_object(r, "", "items", "must be a list; nothing is taken from it");
	}
	json_array_foreach(items, i, it) {
		_cleanup_free_ char *inner = item_kind(it);

		snprintf(path, sizeof(path), "items[%zu]", i);
		r->item = path;

		/* The items of a typed list, as the API answers it, leave kind and version out. */
		if (*kind && json_is_object(it)) {
			if (!json_object_get(it, "kind"))
				json_object_set_new(it, "kind", json_string(kind));
			if (!json_object_get(it, "apiVersion") && version)
				json_object_set(it, "apiVersion", version);
		}
		if (!inner) {
			take_object(r, it);
			continue;
		}
		leave_out(r, it);
		tell_object(r, "", "", "is a list inside of a list, which is not read");
	}
	r->item = "";
}

static void take_document(json_t *tree, unsigned line, void *arg)
{
	struct reading *r = arg;
	_cleanup_free_ char *kind = item_kind(tree);

	r->line = line;
	if (kind)
		take_list(r, tree, kind);
	else
		take_object(r, tree);
}

static void keep_document(json_t *tree, unsigned line, void *arg)
{
	struct reading *r = arg;

	if (r->text.len > MAX_KEPT)
		return;
	mem_grow(r->documents, r->n_documents, r->cap_documents);
	r->documents[r->n_documents++] =
		(struct manifest_document){ .tree = json_incref(tree), .line = line };
}

static void take_text(struct reading *r)
{
	struct manifest_file *f = r->file;
	struct yaml_error err;
	char message[64];

	if (yaml_parse(buf_str(&r->text), r->text.len, keep_document, r, &err)) {
		mentions_add(&r->catalog->unread, buf_str(&r->text), r->text.len);
		f->incomplete |= !f->parsed;
		tell_file(r, &err, "%s", err.message);
		return;
	}
	f->parsed = true;
	r->again = !list_empty(&f->definitions);
	problems_begin(&f->problems);
	list_for_each_entry(struct definition, d, &f->definitions, in_file)
		d->seen = false;
	r->item = "";
	for (size_t i = 0; i < r->n_documents; i++)
		take_document(r->documents[i].tree, r->documents[i].line, r);
	if (r->text.len > MAX_KEPT)
		yaml_parse(buf_str(&r->text), r->text.len, take_document, r, &err);
	if (f->half)
		problems_add(r->problems, &f->problems,
			&(struct manifest_problem){ .path = f->path,
				.object = "",
				.field = "",
				.message =
					"is being written; it is read again when it is closed" });
	if (r->n_problems > MANIFEST_MAX_PROBLEMS) {
		snprintf(message, sizeof(message), "has %zu more problems, which are not listed",
			r->n_problems - MANIFEST_MAX_PROBLEMS);
		problems_add(r->problems, &f->problems,
			&(struct manifest_problem){
				.path = f->path, .object = "", .field = "", .message = message });
	}
	f->incomplete = r->incomplete;
	list_for_each_entry_safe(struct definition, d, &f->definitions, in_file)
		if (!d->seen && !r->nameless)
			catalog_remove(r->catalog, d);
	problems_end(r->problems, &f->problems);
}

/* Bytes */

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/*
 * The whole file. Returns 0 or a negative errno; of these three are our own: -EFBIG above the
 * limit, -ENODEV for a special file, and -ENOENT also for a directory.
 */
static int read_file(
	const char *path, struct stat *ret_st, struct buf *ret, bool *ret_being_written)
{
	_cleanup_(close_file) int fd = file_open(path);
	struct stat st = { 0 };
	ssize_t n = 1;

	if (fd < 0)
		return fd == -EISDIR ? -ENOENT : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > MANIFEST_MAX_FILE)
		return -EFBIG;

	/* To the end, or one byte beyond the limit: it may be growing. */
	while (n && ret->len <= MANIFEST_MAX_FILE) {
		size_t size = (size_t)st.st_size, room = size > ret->len ? size - ret->len : 0;

		if (room < 4096)
			room = 4096;
		n = read(fd, buf_reserve(ret, room), room);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			ret->len += (size_t)n;
	}
	buf_adds(ret, "");
	if (ret->len > MANIFEST_MAX_FILE)
		return -EFBIG;
	*ret_st = st;
	*ret_being_written = file_is_being_written(fd);
	return 0;
}

int manifest_file_read(
	struct manifest_file *f, struct catalog *catalog, struct problems *problems, bool closed)
{
	_cleanup_(reading_done) struct reading r = {
		.file = f, .catalog = catalog, .problems = problems
	};
	struct stat st = { 0 };
	bool being_written = false, was_half = f->half;
	int e = read_file(f->path, &st, &r.text, &being_written);
	uint64_t hash;

	if (e == -ENOENT || e == -ENOTDIR || (e == -ENODEV && f->parsed)) {
		log_debug("a manifest is gone", "file=\"%s\"", f->path);
		return -ENOENT;
	}
	f->unreadable = e < 0;
	if (e < 0) {
		f->read = false;
		f->incomplete |= !f->parsed;
		catalog->unread.all |= f->incomplete;
		if (e == -EFBIG)
			tell_file(&r, NULL, "is larger than %d MiB", MANIFEST_MAX_FILE >> 20);
		else if (e == -ENODEV)
			tell_file(&r, NULL, "is not a regular file");
		else
			tell_file(&r, NULL, "cannot be read: %s", strerror(-e));
		return 0;
	}

	/* Its writer's close will tell. */
	if (being_written && !closed && f->parsed && !f->half)
		return 0;
	f->half = being_written && !closed;
	catalog->unread.all |= f->half;
	hash = hash_text(buf_str(&r.text));
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (f->read && f->len == r.text.len && f->hash == hash && f->half == was_half)
		return 0;
	f->read = true;
	f->len = r.text.len;
	f->hash = hash;
	take_text(&r);
	return 0;
}
