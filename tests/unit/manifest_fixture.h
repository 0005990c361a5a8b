/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_MANIFEST_FIXTURE_H
#define TEST_MANIFEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "manifest/manifest.h"

/* A directory of its own, a store, and manifests that are read from the directory. */
struct fixture {
	char top[64]; /* only of this process, as inotify reports what others do beside `dir` */
	char dir[80];
	char path[4][192]; /* that path() returned last */
	unsigned n_path;
	struct store store;
	struct manifests *m;
	uint64_t now;	    /* milliseconds */
	unsigned announced; /* calls of on_problem */
};

static inline void on_problem(const struct manifest_problem *p, void *arg)
{
	struct fixture *f = arg;

	(void)p;
	f->announced++;
}

/* Four of them may be in use at once. */
static inline const char *path(struct fixture *f, const char *name)
{
	char *s = f->path[f->n_path++ % ARRAY_SIZE(f->path)];

	snprintf(s, sizeof(f->path[0]), "%s/%s", f->dir, name);
	return s;
}

static inline void write_file(struct fixture *f, const char *name, const char *text)
{
	int fd = open(path(f, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static inline int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	const char *tmp = getenv("TMPDIR");

	/* In memory where that can be: one of the tests writes 10,000 files. */
	if (!tmp)
		tmp = access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm";
	snprintf(f->top, sizeof(f->top), "%.40s/manifest-XXXXXX", tmp);
	assert_non_null(mkdtemp(f->top));
	snprintf(f->dir, sizeof(f->dir), "%s/dir", f->top);
	assert_int_equal(mkdir(f->dir, 0755), 0);
	/* for the tests that give up being root */
	assert_int_equal(chmod(f->top, 0755), 0);
	store_init(&f->store);
	*state = f;
	return 0;
}

static inline void remove_tree(const char *dir)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	manifests_free(f->m);
	store_done(&f->store);
	remove_tree(f->top);
	free(f);
	return 0;
}

static inline void start_with(struct fixture *f, const struct manifests_config *template,
	const char *const *paths, size_t n_paths)
{
	struct manifests_config config = *template;
	struct err err = { 0 };
	int r;

	config.paths = paths;
	config.n_paths = n_paths;
	config.store = &f->store;
	config.on_problem = on_problem;
	config.arg = f;
	r = manifests_new(&config, &f->m, &err);
	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
}

/* Follows the directory. */
static inline void start(struct fixture *f)
{
	const char *const paths[] = { f->dir };

	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
}

static inline void must_load(struct fixture *f)
{
	struct err err = { 0 };
	int r = manifests_load(f->m, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(r, 0);
}

/* Takes all dirty slots off the queue: their names in order of the queue, with blanks between. */
static inline const char *dirty(struct fixture *f, char ret[static 512])
{
	struct slot *slot;
	size_t len = 0;

	ret[0] = '\0';
	while ((slot = store_next_dirty(&f->store)))
		len += (size_t)snprintf(
			ret + len, len < 512 ? 512 - len : 0, "%s%s", len ? " " : "", slot->name);
	return ret;
}

static inline void assert_dirty(struct fixture *f, const char *wanted)
{
	char names[512];

	assert_string_equal(dirty(f, names), wanted);
}

static inline const struct service *service(struct fixture *f, const char *name)
{
	const struct slot *slot = store_find(&f->store, "default", name);

	return slot ? slot->service : NULL;
}

/* "path:line:column: object: field: message" of each problem, one a line, the path without the
 * fixture's directory. */
static inline void assert_problems(struct fixture *f, const char *wanted)
{
	_cleanup_(buf_done) struct buf got = { 0 };
	const struct manifest_problem *const *problems;
	size_t n = manifests_problems(f->m, &problems);

	for (size_t i = 0; i < n; i++) {
		const struct manifest_problem *p = problems[i];
		size_t len = strlen(f->dir);
		const char *name = strncmp(p->path, f->dir, len) ? p->path : p->path + len;

		buf_addf(&got, "%s:%u:%u: %s: %s: %s\n", name, p->line, p->column, p->object,
			p->field, p->message);
	}
	assert_string_equal(buf_str(&got), wanted);
}

#define SERVICE(name, ip, port)        \
	"---\n"                        \
	"apiVersion: v1\n"             \
	"kind: Service\n"              \
	"metadata: {name: " name "}\n" \
	"spec: {clusterIP: " ip ", ports: [{port: " port "}]}\n"

#endif
