// SPDX-License-Identifier: GPL-2.0-or-later
/* Whatever the values are, a log line is one line, has exactly its own fields, and is printable. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/printable.h"
#include "fuzz.h"

/* Behind the value at `p`: the blank, or the end of the line. */
static const char *value_end(const char *p)
{
	if (*p != '"')
		return p + strcspn(p, " \"");
	for (p++; *p != '"'; p++) {
		must(*p);
		p += *p == '\\';
	}
	return p + 1;
}

static void check_line(const char *line)
{
	static const char *const keys[] = { "time", "level", "msg", "text", "word", "pair", "n" };

	must(printable_all(line));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i]);

		must(!strncmp(line, keys[i], len) && line[len] == '=');
		line = value_end(line + len + 1);
		must(*line == (i + 1 < ARRAY_SIZE(keys) ? ' ' : '\0'));
		line += *line == ' ';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_strndup((const char *)data, size), *line = NULL;
	const char *middle = text + strlen(text) / 2;
	static int fd = -1;
	off_t len;

	if (fd < 0) {
		fd = memfd_create("log", MFD_CLOEXEC);
		log_open(fd);
		log_set_level(LOG_DEBUG); /* which has no limit */
	}
	must(!ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
	log_debug("fuzzed", "text=\"%s\" word=%s pair=%s/%s n=%d", text, middle, middle, text, 1);
	len = lseek(fd, 0, SEEK_CUR);
	must(len > 1 && len <= LOG_MAX_LINE);
	line = mem_zalloc((size_t)len + 1, 1);
	must(pread(fd, line, (size_t)len, 0) == len);
	must(line[len - 1] == '\n' && strlen(line) == (size_t)len);
	line[len - 1] = '\0';
	check_line(line);
	return 0;
}
