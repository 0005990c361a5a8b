// SPDX-License-Identifier: GPL-2.0-or-later
#include "credential.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { READ_SIZE = 4096 };

static void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_done(b);
}

int credential_read_file(const char *path, size_t max, struct buf *ret, struct err *err)
{
	_cleanup_(closep) int fd = file_open(path);
	_cleanup_(wipe) struct buf data = { 0 };
	ssize_t n;

	if (fd == -ENODEV || fd == -EISDIR)
		return err_set(err, -EINVAL, "%s is not a regular file", path);
	if (fd < 0)
		return err_errno(err, fd, "cannot read %s", path);
	while ((n = read(fd, buf_reserve(&data, READ_SIZE), READ_SIZE)) > 0) {
		data.len += (size_t)n;
		if (data.len > max)
			return err_set(err, -EFBIG, "%s has more than %zu bytes", path, max);
	}
	if (n < 0)
		return err_errno(err, -errno, "cannot read %s", path);
	buf_add(&data, "", 0);
	*ret = data;
	data = (struct buf){ 0 };
	return 0;
}

/* Takes the white space around a token away. */
static int check_credential(
	const struct credential *c, const char *where, struct buf *b, struct err *err)
{
	static const char pem_begin[] = "-----BEGIN ", pem_end[] = "-----END ";
	const char *pem;
	size_t begin = 0;

	switch (c->kind) {
	case CREDENTIAL_TOKEN:
		while (b->len && isspace((unsigned char)b->data[b->len - 1]))
			b->len--;
		while (begin < b->len && isspace((unsigned char)b->data[begin]))
			begin++;
		b->len -= begin;
		if (!b->len)
			return err_set(err, -EINVAL, "%s is empty", where);
		memmove(b->data, b->data + begin, b->len);
		b->data[b->len] = '\0';
		/* Other characters would break out of the header that a token is sent in. */
		for (size_t i = 0; i < b->len; i++)
			if ((unsigned char)b->data[i] <= ' ' || b->data[i] == 0x7f)
				return err_set(err, -EINVAL,
					"%s holds characters that a token cannot have", where);
		return 0;
	case CREDENTIAL_PEM:
		/* A file in the middle of being written lacks the end. */
		pem = memmem(buf_str(b), b->len, pem_begin, strlen(pem_begin));
		if (!pem ||
			!memmem(pem, b->len - (size_t)(pem - b->data), pem_end, strlen(pem_end)))
			return err_set(err, -EINVAL, "%s holds no PEM block", where);
		return 0;
	}
	return 0;
}

void credential_done(struct credential *c)
{
	wipe(&c->value);
	*c = (struct credential){ 0 };
}

/* Returns 1 where the value has changed, 0 where it has not, or a negative errno with words. */
static int reload_credential(struct credential *c, struct err *err)
{
	_cleanup_(wipe) struct buf b = { 0 };
	int r = credential_read_file(c->path, AUTH_MAX_FILE, &b, err);

	if (r < 0)
		return r;
	r = check_credential(c, c->path, &b, err);
	if (r < 0)
		return r;
	if (b.len == c->value.len && !memcmp(buf_str(&b), buf_str(&c->value), b.len))
		return 0;
	wipe(&c->value);
	c->value = b;
	b = (struct buf){ 0 };
	return 1;
}

void credential_refresh(struct credential *c)
{
	struct err err;
	int r;

	if (!c->path)
		return;
	r = reload_credential(c, &err);
	if (r < 0 && !c->failing)
		log_warn("cannot reload a credential, keeping the previous one",
			"from=\"%s\" err=\"%s\"", c->key, err.msg);
	if (r > 0)
		log_info("reloaded a credential", "from=\"%s\" file=\"%s\"", c->key, c->path);
	c->failing = r < 0;
}

/* A value given in place is in force until the file that replaces it can be read. */
int credential_load(struct credential *c, struct err *err)
{
	bool inlined = c->value.len > 0;
	int r = inlined ? check_credential(c, "the value", &c->value, err) : 0;

	if (!r && c->path && inlined)
		credential_refresh(c);
	else if (!r && c->path)
		r = reload_credential(c, err);
	if (r < 0)
		err_prefix(err, "%s", c->key);
	return r < 0 ? r : 0;
}

bool credential_is_given(const struct credential *c)
{
	return c->path || c->value.len;
}
