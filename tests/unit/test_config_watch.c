// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file as it changes under the daemon, in all the ways that files do. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/daemon/config_watch.h"
#include "base/mem.h"

static const char first[] = "{apiVersion: kubeproxy.config.k8s.io/v1alpha1, "
			    "kind: KubeProxyConfiguration, ipvs: {scheduler: rr}}\n";
static const char second[] = "{apiVersion: kubeproxy.config.k8s.io/v1alpha1, "
			     "kind: KubeProxyConfiguration, ipvs: {scheduler: lc}}\n";

struct bench {
	char dir[64], path[80], other[80];
	struct config_watch *watch;
	int fd;
	struct err err;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);

	strcpy(b->dir, "/tmp/config-watch-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/config", b->dir);
	snprintf(b->other, sizeof(b->other), "%s/other", b->dir);
	write_file(b->path, first);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	config_watch_free(b->watch);
	unlink(b->path);
	unlink(b->other);
	rmdir(b->dir);
	free(b);
	return 0;
}

static void start(struct bench *b)
{
	b->fd = config_watch_new(b->path, &b->watch, &b->err);
	assert_true(b->fd >= 0);
}

static bool has_news(const struct bench *b)
{
	struct pollfd fd = { .fd = b->fd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void assert_changed(struct bench *b)
{
	assert_true(has_news(b));
	assert_int_equal(config_watch_read(b->watch, &b->err), 1);
	assert_false(has_news(b));
}

static void a_file_that_is_written_in_place_has_changed(void **state)
{
	struct bench *b = *state;

	start(b);
	assert_false(has_news(b));
	write_file(b->path, second);
	assert_changed(b);
}

static void a_file_that_is_renamed_over_it_has_changed(void **state)
{
	struct bench *b = *state;

	start(b);
	write_file(b->other, second);
	assert_int_equal(rename(b->other, b->path), 0);
	assert_changed(b);
}

/* As the kubelet does it with a ConfigMap. */
static void a_symbolic_link_that_leads_elsewhere_has_changed(void **state)
{
	char data[80], data_new[80];
	struct bench *b = *state;

	snprintf(data, sizeof(data), "%s/..data", b->dir);
	snprintf(data_new, sizeof(data_new), "%s/..data_tmp", b->dir);
	assert_int_equal(rename(b->path, b->other), 0);
	assert_int_equal(symlink("other", data), 0);
	assert_int_equal(symlink("..data", b->path), 0);
	start(b);
	snprintf(b->path, sizeof(b->path), "%s/new", b->dir);
	write_file(b->path, second);
	assert_int_equal(symlink("new", data_new), 0);
	assert_int_equal(rename(data_new, data), 0);
	unlink(b->path);
	write_file(b->path, second);
	snprintf(b->path, sizeof(b->path), "%s/config", b->dir);
	assert_changed(b);
	unlink(data);
	snprintf(data, sizeof(data), "%s/new", b->dir);
	unlink(data);
}

static void the_same_content_again_is_no_change(void **state)
{
	struct bench *b = *state;

	start(b);
	write_file(b->path, first);
	assert_true(has_news(b));
	assert_int_equal(config_watch_read(b->watch, &b->err), 0);
}

static void what_becomes_invalid_is_told_once(void **state)
{
	struct bench *b = *state;

	start(b);
	write_file(b->path,
		"{apiVersion: kubeproxy.config.k8s.io/v1alpha1, "
		"kind: KubeProxyConfiguration, ipvs: {scheduler: 7}}\n");
	assert_int_equal(config_watch_read(b->watch, &b->err), -EINVAL);
	assert_non_null(strstr(b->err.msg, "ipvs.scheduler"));
	write_file(b->other, ""); /* something else happens in the directory */
	assert_int_equal(config_watch_read(b->watch, &b->err), 0);
	write_file(b->path, first);
	assert_int_equal(config_watch_read(b->watch, &b->err), 0);
	write_file(b->path, second);
	assert_changed(b);
}

static void a_file_that_is_gone_is_waited_for(void **state)
{
	struct bench *b = *state;

	start(b);
	unlink(b->path);
	assert_int_equal(config_watch_read(b->watch, &b->err), 0);
	write_file(b->path, second);
	assert_changed(b);
}

static void what_is_not_there_cannot_be_watched(void **state)
{
	struct bench *b = *state;

	unlink(b->path);
	assert_int_equal(config_watch_new(b->path, &b->watch, &b->err), -ENOENT);
	assert_non_null(strstr(b->err.msg, b->path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(a_file_that_is_written_in_place_has_changed),
		TEST(a_file_that_is_renamed_over_it_has_changed),
		TEST(a_symbolic_link_that_leads_elsewhere_has_changed),
		TEST(the_same_content_again_is_no_change),
		TEST(what_becomes_invalid_is_told_once),
		TEST(a_file_that_is_gone_is_waited_for),
		TEST(what_is_not_there_cannot_be_watched),
	};

	return cmocka_run_group_tests_name("config_watch", tests, NULL, NULL);
}
