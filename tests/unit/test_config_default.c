// SPDX-License-Identifier: GPL-2.0-or-later
/* What is read where the command line does not say what: the usual places. */
#include <sys/stat.h>

#include "config_fixture.h"

/* The usual directory, with these lines of a file in it if there are any. */
struct usual {
	char dir[64], file[80], manifests[80];
};

static void usual_init(struct usual *u, const char *text)
{
	FILE *f;

	strcpy(u->dir, "/tmp/ipvsctl-config-XXXXXX");
	assert_non_null(mkdtemp(u->dir));
	snprintf(u->file, sizeof(u->file), "%s/config.yaml", u->dir);
	snprintf(u->manifests, sizeof(u->manifests), "%s/manifests.d", u->dir);
	if (!text)
		return;
	f = fopen(u->file, "we");
	assert_non_null(f);
	fprintf(f, "%s%s", CONFIG_HEAD, text);
	assert_int_equal(fclose(f), 0);
}

static void usual_done(struct usual *u)
{
	unlink(u->file);
	rmdir(u->manifests);
	rmdir(u->dir);
}

/* Parses a line where that is the usual directory, and expects no mistake. */
static void ok_with(struct line *l, const struct usual *u, const char *text)
{
	split(l, text);
	l->c.default_dir = u->dir;
	assert_int_equal(config_parse(&l->c, OF_DAEMON, l->argc, l->argv, &l->rest, &l->err), 0);
}

static void without_an_input_the_usual_file_is_read(void **state)
{
	static const char *const inputs[] = { "--manifests=/m", "--kubeconfig /k", "--master=a" };
	_cleanup_(usual_done) struct usual u;
	_cleanup_(line_done) struct line none, once;

	(void)state;
	usual_init(&u, "clusterCIDR: 10.1.0.0/16\nipvsctl: {manifests: [/other]}\n");
	assert_int_equal(mkdir(u.manifests, 0700), 0);
	ok_with(&none, &u, "");
	assert_string_equal(none.c.file, u.file);
	assert_cidr(&none.c.options.cluster_cidr[0], "10.1.0.0/16");
	assert_int_equal(none.c.n_manifests, 1);
	assert_string_equal(none.c.manifests[0], "/other");
	ok_with(&once, &u, "--once --scheduler=lc");
	assert_string_equal(once.c.file, u.file);
	assert_string_equal(once.c.options.scheduler, "lc");
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		_cleanup_(line_done) struct line l;

		ok_with(&l, &u, inputs[i]);
		assert_string_equal(l.c.file, "");
	}
}

static void a_file_that_is_named_counts_in_place_of_the_usual_one(void **state)
{
	_cleanup_(usual_done) struct usual u, named;
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(line_done) struct line l;

	(void)state;
	usual_init(&u, "clusterCIDR: 10.1.0.0/16\n");
	usual_init(&named, "clusterCIDR: 10.2.0.0/16\n");
	buf_addf(&text, "--config %s", named.file);
	ok_with(&l, &u, buf_str(&text));
	assert_cidr(&l.c.options.cluster_cidr[0], "10.2.0.0/16");
}

static void without_any_input_the_usual_manifests_are_read(void **state)
{
	_cleanup_(usual_done) struct usual u, with_file;
	_cleanup_(line_done) struct line nothing_there, none, file, pod;

	(void)state;
	usual_init(&u, NULL);
	ok_with(&nothing_there, &u, "");
	assert_int_equal(config_input(&nothing_there.c), INPUT_NONE);
	assert_int_equal(mkdir(u.manifests, 0700), 0);
	ok_with(&none, &u, "--once");
	assert_int_equal(none.c.n_manifests, 1);
	assert_string_equal(none.c.manifests[0], u.manifests);
	usual_init(&with_file, "clusterCIDR: 10.1.0.0/16\n");
	assert_int_equal(mkdir(with_file.manifests, 0700), 0);
	ok_with(&file, &with_file, "");
	assert_string_equal(file.c.file, with_file.file);
	assert_string_equal(file.c.manifests[0], with_file.manifests);
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	ok_with(&pod, &u, "");
	assert_int_equal(config_input(&pod.c), INPUT_API);
	unsetenv("KUBERNETES_SERVICE_HOST");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_input_the_usual_file_is_read),
		cmocka_unit_test(a_file_that_is_named_counts_in_place_of_the_usual_one),
		cmocka_unit_test(without_any_input_the_usual_manifests_are_read),
	};

	unsetenv("KUBERNETES_SERVICE_HOST");
	return cmocka_run_group_tests_name("config_default", tests, NULL, NULL);
}
