// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "manifest_own.h"

static struct manifest_file *file_of(struct map_node *n)
{
	return container_of(n, struct manifest_file, by_path);
}

struct manifest_file *manifests_file(const struct manifests *m, const char *path)
{
	map_for_each_match(n, &m->files, map_hash_str(path))
		if (!strcmp(file_of(n)->path, path))
			return file_of(n);
	return NULL;
}

struct manifest_file *manifests_add_file(
	struct manifests *m, const struct root *root, const char *path)
{
	struct manifest_file *f = manifest_file_new(path);

	f->root = root;
	map_add(&m->files, &f->by_path, map_hash_str(path));
	return f;
}

void manifests_remove_file(struct manifests *m, struct manifest_file *f)
{
	list_remove(&f->todo);
	list_remove(&f->gone);
	map_del(&m->files, &f->by_path);
	manifest_file_free(f, &m->catalog, &m->problems);
}

bool manifests_is_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot &&
		(!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

/* Problems of a path as a whole */

static void add_problem(struct manifests *m, struct root *r, const char *message)
{
	problems_add(&m->problems, &r->problems,
		&(struct manifest_problem){
			.path = r->path, .object = "", .field = "", .message = message });
}

static void add_read_problem(struct manifests *m, struct root *r, int code)
{
	char message[200];

	if (code == -ENOENT)
		snprintf(message, sizeof(message),
			"does not exist; nothing is taken from it until it does");
	else
		snprintf(message, sizeof(message),
			"cannot be read: %s; what it defined before stays", strerror(-code));
	add_problem(m, r, message);
}

/* Files that disappear */

static void arm_timer(struct manifests *m, uint64_t ms)
{
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = (time_t)(ms / 1000);
	when.it_value.tv_nsec = (long)(ms % 1000) * 1000000;
	timerfd_settime(m->timer, 0, &when, NULL);
}

static void expect_back(struct manifests *m, struct manifest_file *f)
{
	if (!list_empty(&f->gone))
		return;
	if (list_empty(&m->gone))
		arm_timer(m, MANIFEST_GONE_MS);
	f->deadline = clock_ms() + MANIFEST_GONE_MS;
	list_insert(&m->gone, &f->gone);
}

static void remove_for_good(struct manifests *m, struct manifest_file *f)
{
	for (size_t i = 0; i < m->n_roots; i++) {
		struct root *r = &m->roots[i];

		if (strcmp(r->path, f->path) != 0)
			continue;
		problems_begin(&r->problems);
		add_read_problem(m, r, -ENOENT);
		problems_end(&m->problems, &r->problems);
	}
	manifests_remove_file(m, f);
}

void manifests_file_gone(struct manifests *m, struct manifest_file *f, bool wait)
{
	if (wait && !list_empty(&f->definitions))
		expect_back(m, f);
	else
		remove_for_good(m, f);
}

bool manifests_is_missing(const char *path)
{
	struct stat st;

	return stat(path, &st) && (errno == ENOENT || errno == ENOTDIR);
}

void manifests_remove_gone(struct manifests *m)
{
	uint64_t now = clock_ms(), ticks;

	if (read(m->timer, &ticks, sizeof(ticks)) < 0)
		return;
	while (!list_empty(&m->gone)) {
		struct manifest_file *f = container_of(m->gone.next, struct manifest_file, gone);

		if (f->deadline > now) {
			arm_timer(m, f->deadline - now);
			return;
		}
		list_remove(&f->gone);
		/* One that is there again is being written: its writer's close will tell. */
		if (manifests_is_missing(f->path))
			remove_for_good(m, f);
	}
}

/* Reading */

int manifests_read_file(struct manifests *m, struct manifest_file *f, bool wait)
{
	int r = manifest_file_read(f, &m->catalog, &m->problems);

	if (!r) {
		list_remove(&f->gone);
		return 0;
	}
	r = wait && !list_empty(&f->definitions) ? -EAGAIN : -ENOENT;
	manifests_file_gone(m, f, wait);
	return r;
}

static void unlist_all(struct manifests *m)
{
	map_for_each(n, &m->files)
		file_of(n)->listed = false;
}

static void drop_unlisted(struct manifests *m, const struct root *r, bool wait)
{
	map_for_each(n, &m->files)
		if (file_of(n)->root == r && !file_of(n)->listed)
			manifests_file_gone(m, file_of(n), wait);
}

static int read_single(struct manifests *m, struct root *r, bool wait)
{
	struct manifest_file *f = manifests_file(m, r->path);
	int e;

	if (!f)
		f = manifests_add_file(m, r, r->path);
	unlist_all(m);
	f->listed = true;
	e = manifests_read_file(m, f, wait);
	drop_unlisted(m, r, wait); /* the path was a directory before */
	return e == -EAGAIN ? 0 : e;
}

/* The names of the manifests in a directory, sorted; not more than one above the limit. */
struct names {
	char **names;
	size_t n, cap;
};

static void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_names(const char *path, struct names *ret)
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
		if (!manifests_is_name(it->d_name) || it->d_type == DT_DIR)
			continue;
		mem_grow(ret->names, ret->n, ret->cap);
		ret->names[ret->n++] = mem_strdup(it->d_name);
	}
	if (dir)
		closedir(dir);
	if (ret->n)
		qsort(ret->names, ret->n, sizeof(*ret->names), cmp_names);
	return e == -ENOTDIR ? -ENOENT : e;
}

/* Whether the path leads to another file than what was read from it. */
static bool leads_elsewhere(const struct manifest_file *f)
{
	struct stat st;

	return !f->read || stat(f->path, &st) || st.st_dev != f->dev || st.st_ino != f->ino;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* False where there are too many files already. */
static bool visit(struct manifests *m, struct root *r, const char *path, bool all, bool wait)
{
	struct manifest_file *f = manifests_file(m, path);

	if (f) {
		f->listed = true;
		if (all || leads_elsewhere(f))
			manifests_read_file(m, f, wait);
		return true;
	}
	if (is_directory(path))
		return true;
	if (m->files.count >= MANIFEST_MAX_FILES)
		return false;
	f = manifests_add_file(m, r, path);
	f->listed = true;
	manifests_read_file(m, f, wait);
	return true;
}

/* Returns 0, 1 if there are too many files, or a negative errno. */
static int read_directory(struct manifests *m, struct root *r, bool all, bool wait)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	_cleanup_(names_done) struct names l = { 0 };
	bool good = true;
	int e = list_names(r->path, &l);

	if (e && e != -ENOENT)
		return e;
	unlist_all(m);
	for (size_t i = 0; i < l.n; i++) {
		buf_reset(&path);
		buf_addf(&path, "%s/%s", strcmp(r->path, "/") ? r->path : "", l.names[i]);
		good &= visit(m, r, buf_str(&path), all, wait);
	}
	drop_unlisted(m, r, wait);
	return e ? e : !good;
}

static void add_too_many(struct manifests *m, struct root *r)
{
	char message[100];

	snprintf(message, sizeof(message), "there are more than %d manifests; some are not read",
		MANIFEST_MAX_FILES);
	add_problem(m, r, message);
}

/* A watch that served this path alone serves nobody now. */
static void drop_watch(const struct manifests *m, int wd)
{
	for (size_t i = 0; i < m->n_roots; i++)
		if (m->roots[i].self == wd || m->roots[i].above == wd)
			return;
	if (wd >= 0)
		inotify_rm_watch(m->inotify, wd);
}

int manifests_refresh(struct manifests *m, struct root *r, bool wait, struct err *err)
{
	int self = r->self, above = r->above;
	struct err watch_err;
	int w = root_watch(r, m->inotify, &watch_err);
	int e = r->is_dir ? read_directory(m, r, true, wait) : read_single(m, r, wait);

	drop_watch(m, self);
	drop_watch(m, above);
	r->refresh = r->relist = false;
	problems_begin(&r->problems);
	if (w)
		add_problem(m, r, watch_err.msg);
	if (e > 0)
		add_too_many(m, r);
	if (e < 0)
		add_read_problem(m, r, e);
	problems_end(&m->problems, &r->problems);
	if (e < 0)
		return err_errno(err, e, "%s cannot be read", r->path);
	return w ? err_set(err, w, "%s: %s", r->path, watch_err.msg) : 0;
}

void manifests_relist(struct manifests *m, struct root *r)
{
	struct manifest_file *f = manifests_file(m, r->path);
	int e;

	r->relist = false;
	if (!r->is_dir) {
		if (f && leads_elsewhere(f))
			manifests_read_file(m, f, true);
		return;
	}
	e = read_directory(m, r, false, true);
	problems_begin(&r->problems);
	if (e > 0)
		add_too_many(m, r);
	if (e < 0)
		add_read_problem(m, r, e);
	problems_end(&m->problems, &r->problems);
}
