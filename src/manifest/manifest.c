// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "manifest_own.h"

/* What an event asks to do with a file, once all events have been read. */
enum { ACTION_READ = 1, ACTION_CHECK = 2 };

/* Reads of the event queue in one turn; the rest comes in the next one. */
enum { MAX_READS = 16, EVENT_BUFFER = 65536 };

/* Setting up */

static void add_roots(struct manifests *m, const struct manifests_config *config)
{
	m->roots = mem_zalloc(config->n_paths, sizeof(*m->roots));
	for (size_t i = 0; i < config->n_paths; i++) {
		struct root *r = &m->roots[m->n_roots];
		bool twice = false;

		root_init(r, config->paths[i]);
		for (size_t k = 0; k < m->n_roots; k++)
			twice |= !strcmp(m->roots[k].path, r->path);
		if (twice)
			root_done(r);
		else
			m->n_roots++;
	}
}

static int add_to_epoll(struct manifests *m, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return fd < 0 || epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_fds(struct manifests *m, struct err *err)
{
	int e;

	m->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (m->inotify < 0)
		return err_errno(err, -errno,
			"changes of manifests cannot be noticed: inotify (fs.inotify.max_user_instances)");
	m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->timer < 0 || m->epoll < 0)
		return err_errno(err, -errno, "changes of manifests cannot be noticed");
	e = add_to_epoll(m, m->inotify);
	if (!e)
		e = add_to_epoll(m, m->timer);
	return e ? err_errno(err, e, "changes of manifests cannot be noticed: epoll") : 0;
}

int manifests_new(const struct manifests_config *config, struct manifests **ret, struct err *err)
{
	struct manifests *m = new0(struct manifests);
	int r;

	m->inotify = m->timer = m->epoll = -1;
	list_init(&m->todo);
	list_init(&m->gone);
	problems_init(&m->problems, config->on_problem, config->arg);
	catalog_init(&m->catalog, config->store, config->service_range, &m->problems);
	add_roots(m, config);
	r = open_fds(m, err);
	for (size_t i = 0; i < m->n_roots && !r; i++) {
		r = root_watch(&m->roots[i], m->inotify, err);
		if (r)
			err_prefix(err, "%s", m->roots[i].path);
	}
	if (r) {
		manifests_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void manifests_free(struct manifests *m)
{
	if (!m)
		return;
	map_for_each(n, &m->files)
		manifests_remove_file(m, container_of(n, struct manifest_file, by_path));
	map_done(&m->files);
	catalog_done(&m->catalog);
	for (size_t i = 0; i < m->n_roots; i++) {
		problems_drop(&m->problems, &m->roots[i].problems);
		root_done(&m->roots[i]);
	}
	problems_done(&m->problems);
	free(m->roots);
	close_fd(m->epoll);
	close_fd(m->timer);
	close_fd(m->inotify);
	free(m);
}

int manifests_fd(const struct manifests *m)
{
	return m->epoll;
}

size_t manifests_problems(struct manifests *m, const struct manifest_problem *const **ret)
{
	return problems_list(&m->problems, ret);
}

static int refresh_all(struct manifests *m, bool wait, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < m->n_roots; i++) {
		int r = manifests_refresh(m, &m->roots[i], wait, first ? NULL : err);

		if (!first)
			first = r;
	}
	return first;
}

int manifests_load(struct manifests *m, struct err *err)
{
	int r = refresh_all(m, false, err);

	catalog_settle(&m->catalog);
	return r;
}

/* Events */

/* Links are complete when they are there; anything else is being written still. */
static bool is_complete(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

static void add_action(struct manifests *m, struct root *r, const char *path, unsigned actions)
{
	struct manifest_file *f = manifests_file(m, path);

	if (!f && !(actions & ACTION_READ))
		return;
	if (!f && m->files.count >= MANIFEST_MAX_FILES) {
		r->relist = true; /* which tells that there are too many */
		return;
	}
	if (!f)
		f = manifests_add_file(m, r, path);
	f->actions |= actions;
	if (list_empty(&f->todo))
		list_insert(&m->todo, &f->todo);
}

static void on_file_event(struct manifests *m, struct root *r, const char *path, uint32_t mask)
{
	const struct manifest_file *f = manifests_file(m, path);
	unsigned actions = 0;

	if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
		actions |= ACTION_READ;
	if (mask & IN_CREATE && is_complete(path))
		actions |= ACTION_READ;
	/* Somebody may be writing it, unless it could not be read at all. */
	if (mask & IN_ATTRIB && f && f->unreadable)
		actions |= ACTION_READ;
	if (mask & (IN_MOVED_FROM | IN_DELETE))
		actions |= ACTION_CHECK;
	if (actions && !(mask & IN_ISDIR))
		add_action(m, r, path, actions);
}

/* `name` beside or in the path, whichever it is that the event's watch is for. */
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

static void on_self_event(struct manifests *m, struct root *r, const struct inotify_event *ev)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	if (!ev->len) {
		r->refresh |= !(ev->mask & IN_ATTRIB) || !list_empty(&r->problems);
	} else if (manifests_is_name(ev->name)) {
		buf_addf(&path, "%s/%s", strcmp(r->path, "/") ? r->path : "", ev->name);
		on_file_event(m, r, buf_str(&path), ev->mask);
	} else {
		r->relist |= is_new_link(r, ev->name, ev->mask);
	}
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

static void on_event(struct manifests *m, const struct inotify_event *ev)
{
	if (ev->mask & IN_Q_OVERFLOW) {
		m->overflow = true;
		return;
	}
	for (size_t i = 0; i < m->n_roots; i++) {
		struct root *r = &m->roots[i];

		if (ev->wd == r->self)
			on_self_event(m, r, ev);
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

			on_event(m, ev);
			p += sizeof(*ev) + ev->len;
		}
	}
}

static void clear_root_problem(struct manifests *m, const char *path)
{
	for (size_t i = 0; i < m->n_roots; i++)
		if (!strcmp(m->roots[i].path, path))
			problems_drop(&m->problems, &m->roots[i].problems);
}

static void do_actions(struct manifests *m, struct manifest_file *f)
{
	unsigned actions = f->actions;

	f->actions = 0;
	if (actions & ACTION_READ) {
		if (!manifests_read_file(m, f, true))
			clear_root_problem(m, f->path);
	} else if (manifests_is_missing(f->path)) {
		manifests_file_gone(m, f, true);
	}
}

bool manifests_dispatch(struct manifests *m)
{
	m->catalog.changed = false;
	read_events(m);
	if (m->overflow)
		refresh_all(m, true, NULL);
	m->overflow = false;
	for (size_t i = 0; i < m->n_roots; i++)
		if (m->roots[i].refresh)
			manifests_refresh(m, &m->roots[i], true, NULL);
		else if (m->roots[i].relist)
			manifests_relist(m, &m->roots[i]);
	while (!list_empty(&m->todo)) {
		struct manifest_file *f = container_of(m->todo.next, struct manifest_file, todo);

		list_remove(&f->todo);
		do_actions(m, f);
	}
	manifests_remove_gone(m);
	catalog_settle(&m->catalog);
	return m->catalog.changed;
}
