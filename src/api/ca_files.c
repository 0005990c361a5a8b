// SPDX-License-Identifier: GPL-2.0-or-later
#include "ca_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool ca_file_has(const struct ca_file *f, const void *data, size_t len)
{
	void *content;
	bool same;

	if (f->len != len)
		return false;
	content = mmap(NULL, len, PROT_READ, MAP_PRIVATE, f->fd, 0);
	if (content == MAP_FAILED)
		return false;
	same = !memcmp(content, data, len);
	munmap(content, len);
	return same;
}

static int ca_file_open(const void *data, size_t len)
{
	const int fd = memfd_create("ca", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, data, len);
	if (n == (ssize_t)len)
		return fd;
	errno = n < 0 ? errno : EIO;
	close(fd);
	return -1;
}

const char *ca_files_path(struct ca_files *c, const void *data, size_t len)
{
	struct ca_file *f;
	int fd;

	for (size_t i = 0; i < CA_FILES_MAX; i++)
		if (ca_file_has(&c->files[i], data, len))
			return c->files[i].path;
	/* Opened before the old one is closed: its number must not be that of the new one. */
	fd = ca_file_open(data, len);
	if (fd < 0)
		return NULL;
	f = &c->files[c->next];
	c->next = (c->next + 1) % CA_FILES_MAX;
	if (f->len)
		close(f->fd);
	*f = (struct ca_file){ .fd = fd, .len = len };
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", fd);
	return f->path;
}

void ca_files_done(struct ca_files *c)
{
	for (size_t i = 0; i < CA_FILES_MAX; i++)
		if (c->files[i].len)
			close(c->files[i].fd);
	*c = (struct ca_files){ 0 };
}
