// SPDX-License-Identifier: GPL-2.0-or-later
#include "root.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/mem.h"

/*
 * No IN_MODIFY: a file is read after it was written. IN_CREATE is for links and for directories on
 * the way to the path, IN_ATTRIB for a file that becomes readable. One mask serves all, because the
 * kernel keeps one watch a directory, whatever it is for.
 */
static const uint32_t watch_mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
	IN_CREATE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/* Cuts the last component off: "a/b" becomes "a", "a" becomes ".", "/a" becomes "/". Returns the
 * component; NULL where there is none left. */
static char *cut_component(char *path)
{
	char *slash = strrchr(path, '/');
	char *child;

	if (!strcmp(path, "/") || !strcmp(path, "."))
		return NULL;
	child = mem_strdup(slash ? slash + 1 : path);
	if (!slash)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
	return child;
}

/* Watches the deepest directory above the path that exists and can be watched. */
static int watch_above(struct root *r, int inotify)
{
	_cleanup_free_ char *path = mem_strdup(r->path);
	int wd = -ENOENT;

	r->is_parent = true;
	free(take(r->child));
	for (bool first = true;; first = false) {
		char *child = cut_component(path);

		if (!child)
			break;
		free(r->child);
		r->child = child;
		r->is_parent = first;
		wd = inotify_add_watch(inotify, path, watch_mask);
		if (wd < 0)
			wd = -errno;
		if (wd != -ENOENT && wd != -ENOTDIR && wd != -EACCES)
			break;
	}
	r->above = wd < 0 ? -1 : wd;
	return wd < 0 ? wd : 0;
}

int root_watch(struct root *r, int inotify, struct err *err)
{
	struct stat st;
	int e = 0;

	/* The next directory on the way may have appeared before the one above was watched. */
	for (int tries = 0; tries < 3; tries++) {
		e = watch_above(r, inotify);
		if (e || r->is_parent || lstat(r->path, &st))
			break;
	}
	/* The file system's root has nothing above it. */
	if (e && !strcmp(r->path, "/"))
		e = 0;

	r->is_dir = !stat(r->path, &st) && S_ISDIR(st.st_mode);
	r->self = -1;
	if (r->is_dir) {
		r->self = inotify_add_watch(inotify, r->path, watch_mask);
		/* A directory that cannot be read is reported by the attempt to read it. */
		if (r->self < 0 && !e && errno != EACCES && errno != ENOENT && errno != ENOTDIR)
			e = -errno;
	}

	if (e == -ENOSPC)
		return err_set(err, e,
			"cannot watch it for changes: no inotify watch is left (fs.inotify.max_user_watches)");
	return e ? err_errno(err, e, "cannot watch it for changes") : 0;
}
