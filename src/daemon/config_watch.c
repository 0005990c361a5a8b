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
	struct buf first, last; /* contents at the start, and at the last look */
};

int config_watch_new(const char *path, struct config_watch **ret, struct err *err)
{
	struct config_watch *w = new0(struct config_watch);
	_cleanup_free_ char *copy = mem_strdup(path);
	int r = 0;

	w->path = path;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* The directory reports renames; the file reports writes to where a symbolic link leads. */
	if (w->fd < 0 ||
		inotify_add_watch(w->fd, dirname(copy), IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO) <
			0 ||
		inotify_add_watch(w->fd, path, IN_CLOSE_WRITE | IN_MASK_ADD) < 0)
		r = -errno;
	if (!r)
		r = config_read(path, &w->first);
	if (r < 0) {
		config_watch_free(w);
		return err_errno(err, r, "%s", path);
	}
	buf_add(&w->last, buf_str(&w->first), w->first.len);
	*ret = w;
	return w->fd;
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

int config_watch_read(struct config_watch *w, struct err *err)
{
	char *const argv[] = { "ipvsctl-svcd", "--config", (char *)w->path, NULL };
	_cleanup_(buf_done) struct buf now = { 0 };
	_cleanup_(config_done) struct config c;
	char events[4096];
	int rest, r;

	/* Events only say when to look; the content says what changed. */
	while (read(w->fd, events, sizeof(events)) > 0)
		;
	config_init(&c);
	if (config_read(w->path, &now) < 0)
		return 0;
	if (now.len == w->last.len && !memcmp(buf_str(&now), buf_str(&w->last), now.len))
		return 0;
	buf_reset(&w->last);
	buf_add(&w->last, buf_str(&now), now.len);
	if (now.len == w->first.len && !memcmp(buf_str(&now), buf_str(&w->first), now.len))
		return 0;

	r = config_parse(&c, OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON, ARRAY_SIZE(argv) - 1,
		argv, &rest, err);
	return r < 0 ? r : 1;
}
