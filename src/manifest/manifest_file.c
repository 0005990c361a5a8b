// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/yaml.h"
#include "manifest_objects.h"

struct manifest_file *manifest_file_new(const char *path)
{
	struct manifest_file *f = new0(struct manifest_file);

	f->path = mem_strdup(path);
	list_init(&f->todo);
	list_init(&f->gone);
	list_init(&f->definitions);
	list_init(&f->problems);
	return f;
}

void manifest_file_free(struct manifest_file *f, struct catalog *catalog, struct problems *problems)
{
	list_for_each_safe(it, &f->definitions)
		catalog_remove(catalog, container_of(it, struct definition, in_file));
	problems_drop(problems, &f->problems);
	free(f->path);
	free(f);
}

/* The file as a whole cannot be used: that is its only problem then. */
static void tell_whole(struct manifest_file *f, struct problems *problems,
	const struct yaml_error *where, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void tell_whole(struct manifest_file *f, struct problems *problems,
	const struct yaml_error *where, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf message = { 0 };
	char words[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	buf_addf(&message, "%s; %s", words,
		list_empty(&f->definitions) ? "nothing is taken from it"
					    : "what it defined before stays");
	problems_begin(&f->problems);
	problems_add(problems, &f->problems,
		&(struct manifest_problem){ .path = f->path,
			.line = where ? where->line : 0,
			.column = where ? where->column : 0,
			.object = "",
			.field = "",
			.message = buf_str(&message) });
	problems_end(problems, &f->problems);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* To the end of the file, or one byte beyond the limit. */
static int read_all(int fd, size_t expected, struct buf *ret)
{
	ssize_t n = 1;

	while (n && ret->len <= MANIFEST_MAX_FILE) {
		size_t room = expected > ret->len ? expected - ret->len : 0;

		if (room < 4096)
			room = 4096;
		n = read(fd, buf_reserve(ret, room), room);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			ret->len += (size_t)n;
	}
	if (ret->data)
		ret->data[ret->len] = '\0';
	return 0;
}

/*
 * The whole file. Returns 0 or a negative errno, of which are ours: -EFBIG above the limit, -ENODEV
 * for what is no regular file and -ENOENT also for a directory.
 */
static int slurp(const char *path, struct stat *ret_st, struct buf *ret)
{
	/* Not to hang on a FIFO, nor to take a terminal. */
	_cleanup_(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st = { 0 };
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -ENOENT : -ENODEV;
	if (st.st_size > MANIFEST_MAX_FILE)
		return -EFBIG;
	r = read_all(fd, (size_t)st.st_size, ret);
	if (!r && ret->len > MANIFEST_MAX_FILE)
		r = -EFBIG;
	if (!r)
		*ret_st = st;
	return r;
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ESTALE;
}

static void tell_unreadable(struct manifest_file *f, struct problems *problems, int r)
{
	if (r == -EFBIG)
		tell_whole(f, problems, NULL, "is larger than %d MiB", MANIFEST_MAX_FILE >> 20);
	else if (r == -ENODEV)
		tell_whole(f, problems, NULL, "is not a regular file");
	else
		tell_whole(f, problems, NULL, "cannot be read: %s", strerror(-r));
}

static void take_objects(struct manifest_file *f, const struct buf *text, struct catalog *catalog,
	struct problems *problems)
{
	struct yaml_error err;
	struct manifest_objects objects = { .catalog = catalog,
		.problems = problems,
		.path = f->path,
		.definitions = &f->definitions,
		.owner = &f->problems,
		.text = buf_str(text),
		.len = text->len };

	if (manifest_objects_parse(&objects, &err)) {
		tell_whole(f, problems, &err, "%s", err.message);
		return;
	}
	problems_begin(&f->problems);
	manifest_objects_take(&objects);
	problems_end(problems, &f->problems);
}

int manifest_file_read(struct manifest_file *f, struct catalog *catalog, struct problems *problems)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct stat st = { 0 };
	int r = slurp(f->path, &st, &text);
	uint64_t hash;

	if (is_gone(r)) {
		log_debug("a manifest is gone", "file=\"%s\"", f->path);
		return -ENOENT;
	}
	f->unreadable = r < 0;
	if (r < 0) {
		f->read = false;
		tell_unreadable(f, problems, r);
		return 0;
	}
	hash = hash_text(buf_str(&text));
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (f->read && f->len == text.len && f->hash == hash)
		return 0;
	f->read = true;
	f->len = text.len;
	f->hash = hash;
	take_objects(f, &text, catalog, problems);
	return 0;
}
