// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

/* Secrets */

enum { TOKEN_MIN = 16 /* bytes of a word that is a token and no word of a sentence */ };

static const char removed[] = "[removed]";

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-_.+/=~", c));
}

static size_t token_len(const char *s)
{
	size_t n = 0;

	while (is_token_char(s[n]))
		n++;
	return n;
}

/* The length of a PEM block with its markers; without an end it goes to the end of the text. */
static size_t pem_len(const char *s)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";
	const char *p;

	if (strncmp(s, begin, strlen(begin)) != 0)
		return 0;
	p = strstr(s, end);
	p = p ? strstr(p + strlen(end), "-----") : NULL;
	return p ? (size_t)(p - s) + strlen("-----") : strlen(s);
}

/* The length of "USER:PASSWORD" between "://" and '@'. */
static size_t user_len(const char *s)
{
	size_t n = strcspn(s, "@/ \t\r\n\"'<>");

	return s[n] == '@' ? n : 0;
}

/* The length of a value: a text in quotes, else a word; with "Bearer" and the like two. */
static size_t value_len(const char *s)
{
	static const char *const schemes[] = { "Bearer ", "Basic " };
	size_t n = 0;

	if (*s == '"' || *s == '\'') {
		for (n = 1; s[n] && s[n] != *s && s[n] != '\n'; n++)
			n += s[n] == '\\' && s[n + 1];
		return n + (s[n] == *s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (!strncasecmp(s, schemes[i], strlen(schemes[i])))
			n = strlen(schemes[i]);
	return n + strcspn(s + n, " \t\r\n,;}\"'");
}

/* The length of a key, or option, whose value is a secret, up to that value. */
static size_t secret_key_len(const char *s)
{
	static const char *const keys[] = { "token", "password", "passwd", "passphrase", "secret",
		"client-key-data", "client-certificate-data", "certificate-authority-data",
		"authorization", "private-key", "tokendata" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i]);

		if (strncasecmp(s, keys[i], n) != 0)
			continue;
		n += s[n] == '"' || s[n] == '\'';
		n += strspn(s + n, " \t");
		if (s[n] != ':' && s[n] != '=')
			continue;
		n++;
		return n + strspn(s + n, " \t");
	}
	return 0;
}

void bundle_scrub(const char *text, struct buf *ret)
{
	static const char bearer[] = "bearer ";
	const char *p = text;

	while (*p) {
		const bool word_begins = p == text || !isalnum((unsigned char)p[-1]);
		size_t n = pem_len(p), keep = 0;

		if (!n && !strncmp(p, "://", 3)) {
			keep = 3;
			n = user_len(p + keep);
		} else if (!n && word_begins && !strncmp(p, "eyJ", 3)) {
			n = token_len(p) >= TOKEN_MIN ? token_len(p) : 0;
		} else if (!n && word_begins && !strncasecmp(p, bearer, strlen(bearer))) {
			keep = strlen(bearer);
			n = token_len(p + keep) >= TOKEN_MIN ? token_len(p + keep) : 0;
		} else if (!n && word_begins) {
			keep = secret_key_len(p);
			n = keep ? value_len(p + keep) : 0;
		}
		if (!n) {
			buf_addc(ret, *p++);
			continue;
		}
		buf_add(ret, p, keep);
		/* A text in quotes stays one. */
		if (p[keep] == '"')
			buf_addf(ret, "\"%s\"", removed);
		else
			buf_adds(ret, removed);
		p += keep + n;
	}
	buf_adds(ret, "");
}

/* The archive */

enum { TAR_BLOCK = 512, TAR_NAME = 100 };

struct bundle {
	gzFile out;
	uint64_t time;
	bool failed;
};

int bundle_open(const char *path, uint64_t time, struct bundle **ret, struct err *err)
{
	const int fd = !strcmp(path, "-")
		? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
		: open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	gzFile out;

	if (fd < 0)
		return err_errno(err, -errno, "cannot create %.200s", path);
	out = gzdopen(fd, "wb");
	if (!out)
		abort(); /* out of memory, as in base/mem.h */
	*ret = new0(struct bundle);
	(*ret)->out = out;
	(*ret)->time = time;
	return 0;
}

static void bundle_put(struct bundle *b, const char *data, size_t len)
{
	while (len && !b->failed) {
		const unsigned part = len < 1 << 20 ? (unsigned)len : 1 << 20;

		b->failed = gzwrite(b->out, data, part) != (int)part;
		data += part;
		len -= part;
	}
}

/* POSIX.1-1988, "ustar Interchange Format" */
static void put_header(struct bundle *b, const char *name, size_t size)
{
	struct {
		char name[TAR_NAME], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type;
		char linkname[100], magic[6], version[2], rest[247];
	} h = { .type = '0', .magic = "ustar", .version = { '0', '0' } };
	const unsigned char *bytes = (const unsigned char *)&h;
	unsigned sum = 0;

	_Static_assert(sizeof(h) == TAR_BLOCK, "a block");
	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.mode, sizeof(h.mode), "%07o", 0600);
	snprintf(h.uid, sizeof(h.uid), "%07o", 0);
	snprintf(h.gid, sizeof(h.gid), "%07o", 0);
	snprintf(h.size, sizeof(h.size), "%011zo", size);
	snprintf(h.mtime, sizeof(h.mtime), "%011" PRIo64, b->time);
	memset(h.sum, ' ', sizeof(h.sum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += bytes[i];
	snprintf(h.sum, sizeof(h.sum), "%06o", sum);
	bundle_put(b, (const char *)&h, sizeof(h));
}

static const char zeros[2 * TAR_BLOCK];

void bundle_add(struct bundle *b, const char *name, const char *text)
{
	_cleanup_(buf_done) struct buf clean = { 0 };

	bundle_scrub(text, &clean);
	put_header(b, name, clean.len);
	bundle_put(b, buf_str(&clean), clean.len);
	bundle_put(b, zeros, (TAR_BLOCK - clean.len % TAR_BLOCK) % TAR_BLOCK);
}

int bundle_close(struct bundle *b, struct err *err)
{
	bool failed;

	bundle_put(b, zeros, sizeof(zeros));
	failed = b->failed;
	failed |= gzclose(b->out) != Z_OK;
	free(b);
	return failed ? err_set(err, -EIO, "cannot write the bundle: is the disk full?") : 0;
}
