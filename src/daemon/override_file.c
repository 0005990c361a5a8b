// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/override_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

enum { BOOT_ID_LEN = 36, FILE_MODE = 0600, FILE_MAX = 1 << 20 };

static const char boot_id_path[] = "/proc/sys/kernel/random/boot_id";

void override_file_path(const char *status_socket, struct buf *ret)
{
	const char *slash = strrchr(status_socket, '/');

	if (!*status_socket)
		return;
	if (slash)
		buf_add(ret, status_socket, (size_t)(slash + 1 - status_socket));
	buf_adds(ret, "overrides");
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static int read_text(const char *path, struct buf *ret, struct err *err)
{
	_cleanup_(close_file) int fd = file_open(path);
	char piece[4096];
	ssize_t n;

	if (fd < 0)
		return err_errno(err, fd, "%s", path);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		if (ret->len + (size_t)n > FILE_MAX)
			return err_set(err, -EFBIG, "%s: longer than %d bytes", path, FILE_MAX);
		buf_add(ret, piece, (size_t)n);
	}
	return n < 0 ? err_errno(err, -errno, "%s", path) : 0;
}

/* "boot=01234567-89ab-cdef-0123-456789abcdef" */
static void print_boot(struct buf *ret)
{
	_cleanup_(buf_done) struct buf id = { 0 };
	struct err err;

	read_text(boot_id_path, &id, &err);
	buf_addf(ret, "boot=%.*s\n", BOOT_ID_LEN, buf_str(&id));
}

int override_file_read(const char *path, struct overrides *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, boot = { 0 };
	int r = read_text(path, &text, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	print_boot(&boot);
	if (text.len < boot.len || memcmp(buf_str(&text), buf_str(&boot), boot.len) != 0)
		return 0;
	r = overrides_parse(ret, buf_str(&text) + boot.len, err);
	if (r < 0)
		err_prefix(err, "%s", path);
	return r;
}

static int write_text(int fd, const struct buf *text)
{
	size_t sent = 0;

	while (sent < text->len) {
		const ssize_t n = write(fd, text->data + sent, text->len - sent);

		if (n < 0)
			return -errno;
		sent += (size_t)n;
	}
	return 0;
}

int override_file_write(const char *path, const struct overrides *o, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, temporary = { 0 };
	_cleanup_(close_file) int fd = -1;
	int r;

	if (!o->n) {
		r = unlink(path) < 0 ? -errno : 0;
		return r && r != -ENOENT ? err_errno(err, r, "cannot remove %s", path) : 0;
	}
	print_boot(&text);
	overrides_print(o, &text);
	buf_addf(&temporary, "%s.new", path);
	fd = open(buf_str(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		FILE_MODE);
	r = fd < 0 ? -errno : write_text(fd, &text);
	if (!r && rename(buf_str(&temporary), path) < 0)
		r = -errno;
	return r ? err_errno(err, r, "cannot write %s", path) : 0;
}
