// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "catalog.h"
#include "manifest_file.h"
#include "problem.h"
#include "root.h"

/* Reads of the event queue in one turn; the rest comes in the next one. */
enum { MAX_READS = 16, EVENT_BUFFER = 65536 };

/* What events ask to do with a file, once all events have been read. */
enum { ACTION_READ = 1, ACTION_CHECK = 2 };

/* A file that is followed. */
struct followed {
	struct map_node by_path;
	const struct root *root; /* that leads to it */
	unsigned listing;	 /* the latest one that has it */
	unsigned actions;
	struct list todo;  /* on manifests.todo while there are actions */
	struct list gone;  /* on manifests.gone while it may come back */
	uint64_t deadline; /* of its return */
	struct manifest_file file;
};

struct manifests {
	int inotify;
	struct root *roots;
	size_t n_roots;
	struct map files;
	struct list todo;
	struct list gone; /* the longest gone first */
	unsigned listing; /* the current one: they are counted */
	/* Of the current call: the first load drops a missing file at once, later it may come back.
	 */
	bool running;
	uint64_t now;
	bool overflow; /* events were lost */
	bool complete; /* see manifests_complete() */
	struct problems problems;
	struct catalog catalog;
};

/* Setting up */

int manifests_new(const struct manifests_config *config, struct manifests **ret, struct err *err)
{
	struct manifests *m = new0(struct manifests);
	int e = 0;

	list_init(&m->todo);
	list_init(&m->gone);
	m->problems = (struct problems){ .on_problem = config->on_problem, .arg = config->arg };
	list_init(&m->problems.all);
	m->catalog = (struct catalog){ .store = config->store,
		.problems = &m->problems,
		.pools = { { .range = config->service_range[0] },
			{ .range = config->service_range[1] } } };
	list_init(&m->catalog.touched);
	list_init(&m->catalog.starved);

	/* A path that is given twice is one root, with or without a slash at its end. */
	m->roots = mem_zalloc(config->n_paths, sizeof(*m->roots));
	for (size_t i = 0; i < config->n_paths; i++) {
		struct root *r = &m->roots[m->n_roots];
		const char *path = config->paths[i];
		size_t len = strlen(path), k = 0;

		while (len > 1 && path[len - 1] == '/')
			len--;
		while (k < m->n_roots &&
			(strncmp(m->roots[k].path, path, len) != 0 || m->roots[k].path[len]))
			k++;
		if (k < m->n_roots)
			continue;
		*r = (struct root){ .path = mem_strndup(path, len), .self = -1, .above = -1 };
		list_init(&r->problems);
		m->n_roots++;
	}

	m->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (m->inotify < 0)
		e = err_errno(err, -errno,
			"changes of manifests cannot be noticed: inotify (fs.inotify.max_user_instances)");
	for (size_t i = 0; i < m->n_roots && !e; i++) {
		e = root_watch(&m->roots[i], m->inotify, err);
		if (e)
			err_prefix(err, "%s", m->roots[i].path);
	}
	if (e) {
		manifests_free(m);
		return e;
	}
	*ret = m;
	return 0;
}

static struct followed *find_followed(const struct manifests *m, const char *path)
{
	map_for_each_match_entry(struct followed, f, &m->files, map_hash_str(path), by_path)
		if (!strcmp(f->file.path, path))
			return f;
	return NULL;
}

static struct followed *follow(struct manifests *m, const struct root *root, const char *path)
{
	struct followed *f = new0(struct followed);

	f->root = root;
	list_init(&f->todo);
	list_init(&f->gone);
	f->file.path = mem_strdup(path);
	list_init(&f->file.definitions);
	list_init(&f->file.problems);
	map_add(&m->files, &f->by_path, map_hash_str(path));
	return f;
}

static void unfollow(struct manifests *m, struct followed *f)
{
	list_for_each_entry_safe(struct definition, d, &f->file.definitions, in_file)
		catalog_remove(&m->catalog, d);
	problems_drop(&m->problems, &f->file.problems);
	list_remove(&f->todo);
	list_remove(&f->gone);
	map_del(&m->files, &f->by_path);
	free(f->file.path);
	free(f);
}

void manifests_free(struct manifests *m)
{
	if (!m)
		return;
	map_for_each_entry(struct followed, f, &m->files, by_path)
		unfollow(m, f);
	map_done(&m->files);
	catalog_done(&m->catalog);
	for (size_t i = 0; i < m->n_roots; i++) {
		problems_drop(&m->problems, &m->roots[i].problems);
		free(m->roots[i].path);
		free(m->roots[i].child);
	}
	free(m->problems.sorted);
	free(m->roots);
	if (m->inotify >= 0)
		close(m->inotify);
	free(m);
}

int manifests_fd(const struct manifests *m)
{
	return m->inotify;
}

size_t manifests_problems(struct manifests *m, const struct manifest_problem *const **ret)
{
	return problems_list(&m->problems, ret);
}

/* Problems of a path as a whole */

/* `e` is 0, 1 for too many files, or a negative errno; `watch` are words about the watch or NULL.
 */
static void tell_root(struct manifests *m, struct root *r, int e, const char *watch)
{
	char message[200];
	const char *const messages[] = { watch, e ? message : NULL };

	r->error = e;
	if (e > 0)
		snprintf(message, sizeof(message),
			"there are more than %d manifests; some are not read", MANIFEST_MAX_FILES);
	else if (e == -ENOENT)
		snprintf(message, sizeof(message),
			"does not exist; nothing is taken from it until it does");
	else if (e < 0)
		snprintf(message, sizeof(message),
			"cannot be read: %s; what it defined before stays", strerror(-e));

	problems_begin(&r->problems);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		const struct manifest_problem p = {
			.path = r->path, .object = "", .field = "", .message = messages[i]
		};

		if (p.message)
			problems_add(&m->problems, &r->problems, &p);
	}
	problems_end(&m->problems, &r->problems);
}

/* Files that disappear */

static void remove_for_good(struct manifests *m, struct followed *f)
{
	for (size_t i = 0; i < m->n_roots; i++)
		if (!strcmp(m->roots[i].path, f->file.path))
			tell_root(m, &m->roots[i], -ENOENT, NULL);
	unfollow(m, f);
}

/* Returns whether the file is waited for; one that is not is freed. */
static bool file_gone(struct manifests *m, struct followed *f)
{
	bool wait = m->running && !list_empty(&f->file.definitions);

	if (!wait) {
		remove_for_good(m, f);
	} else if (list_empty(&f->gone)) {
		f->deadline = m->now + MANIFEST_GONE_MS;
		list_insert(&m->gone, &f->gone);
	}
	return wait;
}

/* Or no file: a directory, for instance. */
static bool is_missing(const char *path)
{
	struct stat st;

	if (!stat(path, &st))
		return !S_ISREG(st.st_mode);
	return errno == ENOENT || errno == ENOTDIR;
}

uint64_t manifests_next(const struct manifests *m)
{
	if (list_empty(&m->gone))
		return UINT64_MAX;
	return container_of(m->gone.next, struct followed, gone)->deadline;
}

/* Reading */

/* Returns 0, -ENOENT, or -EAGAIN: not there, but it may come back. Frees what does not. `closed`: see
 * manifest_file_read(). */
static int read_followed(struct manifests *m, struct followed *f, bool closed)
{
	if (manifest_file_read(&f->file, &m->catalog, &m->problems, closed))
		return file_gone(m, f) ? -EAGAIN : -ENOENT;
	list_remove(&f->gone);
	return 0;
}

/* Of the root's files those that its latest listing does not have. */
static void drop_unlisted(struct manifests *m, const struct root *r)
{
	map_for_each_entry(struct followed, f, &m->files, by_path)
		if (f->root == r && f->listing != m->listing)
			file_gone(m, f);
}

/* The names of the manifests in a directory, sorted; not more than one above the limit. */
struct name_list {
	char **names;
	size_t n, cap;
};

static void names_done(struct name_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

static int cmp_file_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_manifest_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot &&
		(!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int list_names(const char *path, struct name_list *ret)
{
	DIR *dir = opendir(path);
	int e = dir ? 0 : -errno;

	while (dir && ret->n <= MANIFEST_MAX_FILES) {
		const struct dirent *it;

		errno = 0;
		it = readdir(dir);
		if (!it) {
			e = -errno;
			break;
		}
		if (!is_manifest_name(it->d_name) || it->d_type == DT_DIR)
			continue;
		mem_grow(ret->names, ret->n, ret->cap);
		ret->names[ret->n++] = mem_strdup(it->d_name);
	}
	if (dir)
		closedir(dir);
	if (ret->n)
		qsort(ret->names, ret->n, sizeof(*ret->names), cmp_file_names);
	return e == -ENOTDIR ? -ENOENT : e;
}

/* Whether the path leads to another file than the one that was read from it. */
static bool leads_elsewhere(const struct manifest_file *f)
{
	struct stat st;

	return !f->read || stat(f->path, &st) || st.st_dev != f->dev || st.st_ino != f->ino;
}

/*
 * Reads all files of a directory, or only the new ones and those that links lead to now. Returns 0,
 * 1 if there are too many files, or a negative errno.
 */
static int read_directory(struct manifests *m, struct root *r, bool all)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	_cleanup_(names_done) struct name_list l = { 0 };
	bool too_many = false;
	struct stat st;
	int e = list_names(r->path, &l);

	if (e && e != -ENOENT)
		return e;
	m->listing++;
	for (size_t i = 0; i < l.n; i++) {
		struct followed *f;
		bool new;

		buf_reset(&path);
		buf_addf(&path, "%s/%s", strcmp(r->path, "/") ? r->path : "", l.names[i]);
		f = find_followed(m, buf_str(&path));
		new = !f;
		if (new && !stat(buf_str(&path), &st) && S_ISDIR(st.st_mode))
			continue;
		if (new && m->files.count >= MANIFEST_MAX_FILES) {
			too_many = true;
			continue;
		}
		if (new)
			f = follow(m, r, buf_str(&path));
		f->listing = m->listing;
		if (new || all || leads_elsewhere(&f->file))
			read_followed(m, f, false);
	}
	drop_unlisted(m, r);
	return e ? e : too_many;
}

/*
 * Looks at the path anew, watches it and reads all files that it leads to. Returns 0, or a negative
 * errno with words.
 */
static int refresh_root(struct manifests *m, struct root *r, struct err *err)
{
	const int before[] = { r->self, r->above };
	struct err watch_err;
	int w = root_watch(r, m->inotify, &watch_err), e;

	if (r->is_dir) {
		e = read_directory(m, r, true);
	} else {
		struct followed *f = find_followed(m, r->path);

		if (!f)
			f = follow(m, r, r->path);
		f->listing = ++m->listing;
		e = read_followed(m, f, false);
		if (e == -EAGAIN)
			e = 0;
		drop_unlisted(m, r); /* the path was a directory before */
	}

	/* Watches that no path uses any more. */
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		bool used = before[i] < 0;

		for (size_t k = 0; k < m->n_roots; k++)
			used |= m->roots[k].self == before[i] || m->roots[k].above == before[i];
		if (!used)
			inotify_rm_watch(m->inotify, before[i]);
	}

	r->refresh = r->relist = false;
	tell_root(m, r, e, w ? watch_err.msg : NULL);
	if (e < 0)
		return err_errno(err, e, "%s cannot be read", r->path);
	return w ? err_set(err, w, "%s: %s", r->path, watch_err.msg) : 0;
}

/* The error of the first path that has one. */
static int refresh_all(struct manifests *m, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < m->n_roots; i++) {
		int e = refresh_root(m, &m->roots[i], first ? NULL : err);

		if (!first)
			first = e;
	}
	return first;
}

/* The objects of an earlier run are known from now on: later mistakes leave the last version. */
static void find_complete(struct manifests *m)
{
	if (m->complete)
		return;
	for (size_t i = 0; i < m->n_roots; i++) {
		if (!m->roots[i].error)
			continue;
		m->catalog.unread.all = true;
		return;
	}
	map_for_each_entry(const struct followed, f, &m->files, by_path)
		if (f->file.incomplete || f->file.half)
			return;
	m->complete = true;
}

bool manifests_complete(const struct manifests *m)
{
	return m->complete;
}

bool manifests_miss(const struct manifests *m, const char *name)
{
	return !m->complete && mentions_has(&m->catalog.unread, name);
}

int manifests_load(struct manifests *m, struct err *err)
{
	int e;

	m->running = false;
	e = refresh_all(m, err);
	catalog_settle(&m->catalog);
	find_complete(m);
	return e;
}

int manifests_reload(struct manifests *m, uint64_t now, struct err *err)
{
	int e;

	m->running = true;
	m->now = now;
	e = refresh_all(m, err);
	catalog_settle(&m->catalog);
	find_complete(m);
	return e;
}

/* Events */

static void on_file_event(struct manifests *m, struct root *r, const char *path, uint32_t mask)
{
	struct followed *f = find_followed(m, path);
	unsigned actions = 0;
	struct stat st;

	if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
		actions |= ACTION_READ;
	/* Links are complete when they are there; any other file is still being written. */
	if (mask & IN_CREATE && !lstat(path, &st) && (S_ISLNK(st.st_mode) || st.st_nlink > 1))
		actions |= ACTION_READ;
	/* Somebody may be writing it, unless it could not be read at all. */
	if (mask & IN_ATTRIB && f && f->file.unreadable)
		actions |= ACTION_READ;
	if (mask & (IN_MOVED_FROM | IN_DELETE))
		actions |= ACTION_CHECK;
	if (!actions || mask & IN_ISDIR)
		return;

	if (!f && !(actions & ACTION_READ))
		return;
	if (!f && m->files.count >= MANIFEST_MAX_FILES) {
		r->relist = true; /* which tells that there are too many */
		return;
	}
	if (!f)
		f = follow(m, r, path);
	f->actions |= actions;
	if (list_empty(&f->todo))
		list_insert(&m->todo, &f->todo);
}

/* `name` is in the path if that is a directory, else beside it. */
static bool is_new_link(const struct root *r, const char *name, uint32_t mask)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	const char *slash = strrchr(r->path, '/');
	size_t len = r->is_dir ? strlen(r->path) : slash ? (size_t)(slash - r->path) : 0;
	struct stat st;

	if (!(mask & (IN_CREATE | IN_MOVED_TO)))
		return false;
	if (r->is_dir || slash)
		buf_addf(&path, "%.*s/", (int)len, r->path);
	buf_adds(&path, name);
	return !lstat(buf_str(&path), &st) && S_ISLNK(st.st_mode);
}

static void on_above_event(struct manifests *m, struct root *r, const struct inotify_event *ev)
{
	bool single = r->is_parent && !r->is_dir && !(ev->mask & IN_ISDIR);

	if (!ev->len) {
		r->refresh |= !(ev->mask & IN_ATTRIB);
	} else if (strcmp(ev->name, r->child) != 0) {
		if (single)
			r->relist |= is_new_link(r, ev->name, ev->mask);
	} else if (single && !is_new_link(r, ev->name, ev->mask)) {
		on_file_event(m, r, r->path, ev->mask);
	} else {
		/* It may have become readable. */
		r->refresh |=
			!(ev->mask & (IN_ATTRIB | IN_CLOSE_WRITE)) || !list_empty(&r->problems);
	}
}

static void on_inotify_event(struct manifests *m, const struct inotify_event *ev)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	if (ev->mask & IN_Q_OVERFLOW) {
		m->overflow = true;
		return;
	}
	for (size_t i = 0; i < m->n_roots; i++) {
		struct root *r = &m->roots[i];
		bool self = ev->wd == r->self;

		if (self && !ev->len) {
			r->refresh |= !(ev->mask & IN_ATTRIB) || !list_empty(&r->problems);
		} else if (self && is_manifest_name(ev->name)) {
			buf_reset(&path);
			buf_addf(&path, "%s/%s", strcmp(r->path, "/") ? r->path : "", ev->name);
			on_file_event(m, r, buf_str(&path), ev->mask);
		} else if (self) {
			r->relist |= is_new_link(r, ev->name, ev->mask);
		}
		if (ev->wd == r->above)
			on_above_event(m, r, ev);
	}
}

static void read_events(struct manifests *m)
{
	_cleanup_free_ char *buffer = mem_zalloc(EVENT_BUFFER, 1);

	for (int i = 0; i < MAX_READS; i++) {
		ssize_t n = read(m->inotify, buffer, EVENT_BUFFER);
		const char *end = buffer + (n > 0 ? n : 0);

		if (n <= 0)
			return;
		for (const char *p = buffer; p < end;) {
			const struct inotify_event *ev = (const void *)p;

			on_inotify_event(m, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
}

static void do_actions(struct manifests *m, struct followed *f)
{
	unsigned actions = f->actions;

	f->actions = 0;
	if (!(actions & ACTION_READ)) {
		if (is_missing(f->file.path))
			file_gone(m, f);
		return;
	}
	if (read_followed(m, f, true))
		return;
	for (size_t i = 0; i < m->n_roots; i++) {
		struct root *r = &m->roots[i];

		if (strcmp(r->path, f->file.path) != 0)
			continue;
		r->error = 0;
		problems_drop(&m->problems, &r->problems);
	}
}

bool manifests_dispatch(struct manifests *m, uint64_t now)
{
	m->running = true;
	m->now = now;
	m->catalog.changed = false;
	read_events(m);
	if (m->overflow)
		refresh_all(m, NULL);
	m->overflow = false;
	for (size_t i = 0; i < m->n_roots; i++) {
		struct root *r = &m->roots[i];
		struct followed *f = find_followed(m, r->path);

		if (r->refresh)
			refresh_root(m, r, NULL);
		/* Not the files that were read before: they may be being written. */
		else if (r->relist && r->is_dir)
			tell_root(m, r, read_directory(m, r, false), NULL);
		else if (r->relist && f && leads_elsewhere(&f->file))
			read_followed(m, f, false);
		r->relist = false;
	}
	while (!list_empty(&m->todo)) {
		struct followed *f = container_of(m->todo.next, struct followed, todo);

		list_remove(&f->todo);
		do_actions(m, f);
	}

	list_for_each_entry_safe(struct followed, f, &m->gone, gone) {
		if (f->deadline > m->now)
			break;
		list_remove(&f->gone);
		/* One that is there again is being written: its writer's close will tell. */
		if (is_missing(f->file.path))
			remove_for_good(m, f);
	}
	catalog_settle(&m->catalog);
	find_complete(m);
	return m->catalog.changed;
}
