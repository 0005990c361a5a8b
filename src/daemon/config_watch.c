// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_watch.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"

struct config_watch {
	const char *path;
	int fd;
	struct buf first, last; /* content at the beginning, and when it was looked at last */
};

/* The directory tells of renames; the file itself of what happens where a symbolic link leads to.
 */
static int add_watches(const struct config_watch *w)
{
	_cleanup_free_ char *copy = mem_strdup(w->path);

	if (inotify_add_watch(w->fd, dirname(copy), IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	return inotify_add_watch(w->fd, w->path, IN_CLOSE_WRITE | IN_MASK_ADD) < 0 ? -errno : 0;
}

static void config_watch_freep(struct config_watch **w)
{
	config_watch_free(*w);
}

int config_watch_new(const char *path, struct config_watch **ret, struct err *err)
{
	_cleanup_(config_watch_freep) struct config_watch *w = new0(struct config_watch);
	int r;

	w->path = path;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = w->fd < 0 ? -errno : add_watches(w);
	if (!r)
		r = config_read(path, &w->first);
	if (r < 0)
		return err_errno(err, r, "%s", path);
	buf_add(&w->last, buf_str(&w->first), w->first.len);
	*ret = take(w);
	return 0;
}

void config_watch_free(struct config_watch *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	buf_done(&w->first);
	buf_done(&w->last);
	free(w);
}

int config_watch_fd(const struct config_watch *w)
{
	return w->fd;
}

/* What happened does not matter: the content tells. */
static void drain(const struct config_watch *w)
{
	char events[4096];

	while (read(w->fd, events, sizeof(events)) > 0)
		;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && !memcmp(buf_str(a), buf_str(b), a->len);
}

static int check(const char *path, struct err *err)
{
	_cleanup_(config_done) struct config c;
	char *const argv[] = { "ipvsctl-svcd", "--config", (char *)path, NULL };
	int rest;

	config_init(&c);
	return config_parse(&c, OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON,
		ARRAY_SIZE(argv) - 1, argv, &rest, err);
}

int config_watch_read(struct config_watch *w, struct err *err)
{
	_cleanup_(buf_done) struct buf now = { 0 };
	int r;

	drain(w);
	if (config_read(w->path, &now) < 0 || same(&now, &w->last))
		return 0;
	buf_reset(&w->last);
	buf_add(&w->last, buf_str(&now), now.len);
	if (same(&now, &w->first))
		return 0;
	r = check(w->path, err);
	return r < 0 ? r : 1;
}
