// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest_fixture.h"

#include <poll.h>

/* What happens to files while they are followed. The kernel queues an event before the system call
 * that causes it returns, and time passes when a test says so: nothing here waits. */

#ifndef HISTORIES
#define HISTORIES 4
#endif

static bool readable(struct fixture *f)
{
	struct pollfd p = { manifests_fd(f->m), POLLIN, 0 };

	return poll(&p, 1, 0) > 0;
}

/* Does all that the events so far ask for. */
static bool dispatch(struct fixture *f)
{
	bool changed = false;

	while (readable(f))
		changed |= manifests_dispatch(f->m, f->now);
	return changed;
}

static bool time_passes(struct fixture *f, uint64_t ms)
{
	f->now += ms;
	return manifests_dispatch(f->m, f->now);
}

static void forget_dirty(struct fixture *f)
{
	while (store_next_dirty(&f->store))
		;
}

static unsigned port(struct fixture *f, const char *name)
{
	const struct service *s = service(f, name);

	return s ? s->ports[0].port : 0;
}

static void load(struct fixture *f)
{
	start(f);
	must_load(f);
	dispatch(f);
	forget_dirty(f);
}

static void new_files_are_read(void **state)
{
	struct fixture *f = *state;

	load(f);
	assert_false(readable(f));
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_true(dispatch(f));
	assert_dirty(f, "default/a");
	write_file(f, "tmp", SERVICE("b", "10.0.0.2", "80"));
	assert_false(dispatch(f));
	assert_int_equal(rename(path(f, "tmp"), path(f, "b.yaml")), 0);
	assert_true(dispatch(f));
	assert_dirty(f, "default/b");
}

static void an_edit_touches_what_it_changes(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	load(f);
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	assert_true(dispatch(f));
	assert_dirty(f, "default/b");
	/* bit by bit the same */
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	assert_false(dispatch(f));
	assert_dirty(f, "");
}

static void a_file_is_not_read_before_its_writer_closes_it(void **state)
{
	static const char part[] = SERVICE("a", "10.0.0.1", "81");
	static const char rest[] = SERVICE("b", "10.0.0.2", "81");
	struct fixture *f = *state;
	int fd;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	load(f);
	fd = open(path(f, "a.yaml"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, part, strlen(part)), strlen(part));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_false(dispatch(f));
	assert_int_equal(port(f, "a"), 80);
	assert_int_equal(port(f, "b"), 80);
	assert_int_equal(write(fd, rest, strlen(rest)), strlen(rest));
	assert_false(dispatch(f));
	close(fd);
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
	assert_int_equal(port(f, "b"), 81);
}

/* At a start whatever is there has to do; what it may lack is not gone. */
static void a_file_that_is_being_written_at_the_start_is_incomplete(void **state)
{
	static const char text[] = SERVICE("a", "10.0.0.1", "80");
	struct fixture *f = *state;
	struct err err;
	int fd = open(path(f, "a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	load(f);
	assert_non_null(service(f, "a"));
	assert_false(manifests_complete(f->m));
	assert_true(manifests_miss(f->m, "other"));
	assert_problems(
		f, "/a.yaml:0:0: : : is being written; it is read again when it is closed\n");
	/* Nothing more was written to it. */
	close(fd);
	dispatch(f);
	assert_problems(f, "");
	assert_true(manifests_complete(f->m));

	/* Nor does a reload read half a file. */
	fd = open(path(f, "a.yaml"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(manifests_reload(f->m, f->now, &err), 0);
	assert_non_null(service(f, "a"));
	close(fd);
	assert_true(dispatch(f));
	assert_null(service(f, "a"));
}

static void a_new_file_is_not_read_before_its_writer_closes_it(void **state)
{
	static const char text[] = "broken: [\n";
	struct fixture *f = *state;
	int fd;

	load(f);
	fd = open(path(f, "a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_false(dispatch(f));
	assert_problems(f, "");
	close(fd);
	assert_false(dispatch(f));
	assert_problems(f,
		"/a.yaml:2:1: : : did not find expected node content; nothing is taken "
		"from it\n");
}

static void a_file_that_disappears_is_given_a_moment(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yaml", SERVICE("b", "10.0.0.2", "80"));
	load(f);
	assert_true(manifests_next(f->m) == UINT64_MAX);
	f->now = 1000;
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	assert_false(dispatch(f));
	f->now += 100;
	assert_int_equal(rename(path(f, "b.yaml"), path(f, "b.yaml~")), 0);
	assert_false(dispatch(f));
	assert_int_equal(manifests_next(f->m), 1000 + MANIFEST_GONE_MS);
	assert_false(time_passes(f, MANIFEST_GONE_MS - 101));
	assert_true(time_passes(f, 1));
	assert_dirty(f, "default/a");
	assert_int_equal(manifests_next(f->m), 1100 + MANIFEST_GONE_MS);
	assert_false(time_passes(f, 99));
	assert_true(time_passes(f, 1));
	assert_dirty(f, "default/b");
	assert_true(manifests_next(f->m) == UINT64_MAX);
	assert_problems(f, "");
}

static void what_is_no_file_any_more_is_gone(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yaml", SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "c.yaml", SERVICE("c", "10.0.0.3", "80"));
	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	load(f);
	/* A directory and a FIFO in its place, and a link that leads to a directory. */
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	assert_int_equal(mkdir(path(f, "a.yaml"), 0755), 0);
	assert_int_equal(unlink(path(f, "b.yaml")), 0);
	assert_int_equal(mkfifo(path(f, "b.yaml"), 0600), 0);
	assert_int_equal(symlink("d", path(f, "link")), 0);
	assert_int_equal(rename(path(f, "link"), path(f, "c.yaml")), 0);
	assert_false(dispatch(f));
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "a"));
	assert_null(service(f, "b"));
	assert_null(service(f, "c"));
	assert_problems(f, "");
	assert_true(manifests_next(f->m) == UINT64_MAX);

	/* A directory that becomes a file again. */
	assert_int_equal(rmdir(path(f, "a.yaml")), 0);
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_true(dispatch(f));
	assert_non_null(service(f, "a"));
}

static void a_file_that_disappears_before_a_reload_is_given_a_moment_too(void **state)
{
	struct fixture *f = *state;
	struct err err;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	load(f);
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	f->now = 1000;
	assert_int_equal(manifests_reload(f->m, f->now, &err), 0);
	assert_non_null(service(f, "a"));
	assert_int_equal(manifests_next(f->m), 1000 + MANIFEST_GONE_MS);
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "a"));
}

static void editors_that_move_the_old_version_away_do_not_hurt(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	load(f);
	assert_int_equal(rename(path(f, "a.yaml"), path(f, "a.yaml~")), 0);
	assert_false(dispatch(f));
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	assert_true(dispatch(f));
	assert_dirty(f, "default/b");
	assert_true(manifests_next(f->m) == UINT64_MAX);
	assert_false(time_passes(f, MANIFEST_GONE_MS));
	assert_non_null(service(f, "a"));
}

/* Its writer has created it again and not closed it yet. */
static void a_file_that_is_being_written_again_is_not_gone(void **state)
{
	static const char text[] = SERVICE("a", "10.0.0.1", "81");
	struct fixture *f = *state;
	int fd;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	load(f);
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	assert_false(dispatch(f));
	fd = open(path(f, "a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_false(time_passes(f, MANIFEST_GONE_MS));
	assert_int_equal(port(f, "a"), 80);
	close(fd);
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
}

static void a_file_that_vanishes_before_it_is_read_is_no_problem(void **state)
{
	struct fixture *f = *state;

	load(f);
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	assert_false(dispatch(f));
	assert_problems(f, "");
	assert_int_equal(f->announced, 0);
}

static void a_broken_edit_is_told_and_its_repair_too(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	load(f);
	write_file(f, "a.yaml", "a: 1\na: 2\n");
	assert_false(dispatch(f));
	assert_problems(f,
		"/a.yaml:2:1: : : the key \"a\" occurs twice in one mapping; what it "
		"defined before stays\n");
	assert_int_equal(f->announced, 1);
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_false(dispatch(f));
	assert_problems(f, "");
}

static void links_are_followed_when_they_appear(void **state)
{
	struct fixture *f = *state;

	write_file(f, "target", SERVICE("a", "10.0.0.1", "80"));
	load(f);
	assert_int_equal(symlink("target", path(f, "a.yaml")), 0);
	assert_true(dispatch(f));
	assert_dirty(f, "default/a");
	write_file(f, "other", SERVICE("b", "10.0.0.2", "80"));
	assert_int_equal(link(path(f, "other"), path(f, "b.yaml")), 0);
	assert_true(dispatch(f));
	assert_dirty(f, "default/b");
}

/* As the kubelet updates a volume: a new directory, then ..data is swapped for it. */
static void publish(struct fixture *f, const char *version, const char *a, const char *b)
{
	char name[64];

	assert_int_equal(mkdir(path(f, version), 0755), 0);
	snprintf(name, sizeof(name), "%s/a.yaml", version);
	write_file(f, name, a);
	snprintf(name, sizeof(name), "%s/b.yaml", version);
	if (b)
		write_file(f, name, b);
	assert_int_equal(symlink(version, path(f, "..data_tmp")), 0);
	assert_int_equal(rename(path(f, "..data_tmp"), path(f, "..data")), 0);
}

static void config_map_volumes_are_followed(void **state)
{
	struct fixture *f = *state;

	publish(f, "..2026_1", SERVICE("a", "10.0.0.1", "80"), SERVICE("b", "10.0.0.2", "80"));
	assert_int_equal(symlink("..data/a.yaml", path(f, "a.yaml")), 0);
	assert_int_equal(symlink("..data/b.yaml", path(f, "b.yaml")), 0);
	load(f);
	assert_non_null(service(f, "a"));
	publish(f, "..2026_2", SERVICE("a", "10.0.0.1", "81"), SERVICE("b", "10.0.0.2", "80"));
	assert_true(dispatch(f));
	assert_dirty(f, "default/a");
	/* a key of the map is removed: its link goes after the swap */
	publish(f, "..2026_3", SERVICE("a", "10.0.0.1", "82"), NULL);
	assert_int_equal(unlink(path(f, "b.yaml")), 0);
	remove_tree(path(f, "..2026_2"));
	dispatch(f);
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "b"));
	assert_int_equal(port(f, "a"), 82);
	assert_problems(f, "");
}

static void a_single_file_in_a_config_map_volume_is_followed(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { path(f, "a.yaml") };

	publish(f, "..2026_1", SERVICE("a", "10.0.0.1", "80"), NULL);
	assert_int_equal(symlink("..data/a.yaml", path(f, "a.yaml")), 0);
	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
	must_load(f);
	assert_int_equal(port(f, "a"), 80);
	publish(f, "..2026_2", SERVICE("a", "10.0.0.1", "81"), NULL);
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
}

static void a_single_file_comes_goes_and_comes_back(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { path(f, "services") };
	struct err err;

	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
	assert_int_equal(manifests_load(f->m, &err), -ENOENT);
	write_file(f, "other", SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "services", SERVICE("a", "10.0.0.1", "80"));
	assert_true(dispatch(f));
	assert_dirty(f, "default/a");
	assert_problems(f, "");
	write_file(f, "tmp", SERVICE("a", "10.0.0.1", "81"));
	assert_int_equal(rename(path(f, "tmp"), path(f, "services")), 0);
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
	assert_int_equal(unlink(path(f, "services")), 0);
	dispatch(f);
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "a"));
	assert_problems(
		f, "/services:0:0: : : does not exist; nothing is taken from it until it does\n");
	write_file(f, "services", SERVICE("a", "10.0.0.1", "82"));
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 82);
	assert_problems(f, "");
}

static void start_in(struct fixture *f, const char *name)
{
	const char *const paths[] = { path(f, name) };

	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
}

static void a_directory_is_found_again_after_it_was_deleted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	write_file(f, "d/a.yaml", SERVICE("a", "10.0.0.1", "80"));
	start_in(f, "d");
	must_load(f);
	assert_non_null(service(f, "a"));
	remove_tree(path(f, "d"));
	dispatch(f);
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "a"));
	assert_problems(f, "/d:0:0: : : does not exist; nothing is taken from it until it does\n");
	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	dispatch(f);
	assert_problems(f, "");
	write_file(f, "d/b.yaml", SERVICE("b", "10.0.0.2", "80"));
	assert_true(dispatch(f));
	assert_non_null(service(f, "b"));
}

static void a_directory_may_be_replaced_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	assert_int_equal(mkdir(path(f, "new"), 0755), 0);
	write_file(f, "d/a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "new/a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	start_in(f, "d");
	must_load(f);
	assert_dirty(f, "default/a default/b");
	assert_int_equal(rename(path(f, "d"), path(f, "old")), 0);
	assert_int_equal(rename(path(f, "new"), path(f, "d")), 0);
	assert_true(dispatch(f));
	assert_dirty(f, "default/b");
	/* What is in the old one is nothing to us any more, what is in the new one is. */
	write_file(f, "old/c.yaml", SERVICE("c", "10.0.0.3", "80"));
	assert_false(dispatch(f));
	write_file(f, "d/c.yaml", SERVICE("c", "10.0.0.3", "80"));
	assert_true(dispatch(f));
}

static void a_directory_may_be_a_link(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdir(path(f, "v1"), 0755), 0);
	assert_int_equal(mkdir(path(f, "v2"), 0755), 0);
	write_file(f, "v1/a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "v2/a.yaml", SERVICE("a", "10.0.0.1", "81"));
	assert_int_equal(symlink("v1", path(f, "d")), 0);
	start_in(f, "d");
	must_load(f);
	assert_int_equal(port(f, "a"), 80);
	assert_int_equal(symlink("v2", path(f, "tmp")), 0);
	assert_int_equal(rename(path(f, "tmp"), path(f, "d")), 0);
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
	write_file(f, "v2/b.yaml", SERVICE("b", "10.0.0.2", "80"));
	assert_true(dispatch(f));
	assert_non_null(service(f, "b"));
}

static void a_path_may_appear_from_far_above(void **state)
{
	struct fixture *f = *state;
	struct err err;

	start_in(f, "x/y/d");
	assert_int_equal(manifests_load(f->m, &err), -ENOENT);
	assert_int_equal(mkdir(path(f, "x"), 0755), 0);
	assert_false(dispatch(f));
	assert_int_equal(mkdir(path(f, "x/y"), 0755), 0);
	assert_int_equal(mkdir(path(f, "x/y/d"), 0755), 0);
	assert_false(dispatch(f));
	write_file(f, "x/y/d/a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_true(dispatch(f));
	assert_non_null(service(f, "a"));
	assert_problems(f, "");
	remove_tree(path(f, "x"));
	dispatch(f);
	assert_true(time_passes(f, MANIFEST_GONE_MS));
	assert_null(service(f, "a"));
	assert_int_equal(mkdir(path(f, "x"), 0755), 0);
	assert_int_equal(mkdir(path(f, "x/y"), 0755), 0);
	assert_int_equal(mkdir(path(f, "x/y/d"), 0755), 0);
	write_file(f, "x/y/d/a.yaml", SERVICE("a", "10.0.0.1", "80"));
	dispatch(f);
	assert_non_null(service(f, "a"));
}

static void the_input_is_complete_once_everything_could_be_read(void **state)
{
	static const char slice[] =
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,\n"
		" metadata: {name: web-1, labels: {kubernetes.io/service-name: web}},\n"
		" endpoints: [{addresses: [10.1]}]}\n";
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") "metadata: {name: shop-7\n");
	write_file(f, "b.yaml", slice);
	write_file(f, "c.yaml", "{apiVersion: apps/v1, kind: Deployment}\n");
	load(f);
	assert_false(manifests_complete(f->m));
	assert_true(manifests_miss(f->m, "shop"));
	assert_true(manifests_miss(f->m, "a"));
	assert_true(manifests_miss(f->m, "web"));
	assert_false(manifests_miss(f->m, "other"));
	assert_false(manifests_miss(f->m, "we"));

	/* What is gone is not missed. */
	assert_int_equal(unlink(path(f, "b.yaml")), 0);
	dispatch(f);
	assert_false(manifests_complete(f->m));
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_true(dispatch(f));
	assert_true(manifests_complete(f->m));
	assert_false(manifests_miss(f->m, "web"));

	/* From now on the last good version of everything is known. */
	write_file(f, "a.yaml", "a: [\n");
	write_file(f, "b.yaml", slice);
	dispatch(f);
	assert_true(manifests_complete(f->m));
	assert_non_null(service(f, "a"));
}

/* Of a file that cannot be read, nothing is known. */
static void an_unreadable_file_may_be_about_every_service(void **state)
{
	static const struct {
		const char *name, *text;
		bool complete;
	} cases[] = {
		{ "a.yaml", SERVICE("a", "10.0.0.1", "80"), true },
		{ "a.yaml", SERVICE("a", "10.0.0.1", "80000"), false },
		{ "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("a", "10.0.0.1", "81"), true },
		{ "a.yaml", "apiVersion: v1\nkind: Service\n", false },
		{ "a.yaml", "{apiVersion: v1, kind: List, items: 5}\n", false },
		{ "a.yaml", "{apiVersion: v1, kind: List, items: [{kind: List, items: []}]}\n",
			false },
		{ "a.yaml",
			"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: FQDN,"
			" metadata: {name: web}}\n",
			true },
		{ "a.yaml", "", true },
		{ "a.txt", "a: [\n", true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_file(f, cases[i].name, cases[i].text);
		load(f);
		if (manifests_complete(f->m) != cases[i].complete)
			fail_msg("case %zu", i);
		manifests_free(take(f->m));
		assert_int_equal(unlink(path(f, cases[i].name)), 0);
	}
	assert_int_equal(mkfifo(path(f, "a.yaml"), 0600), 0);
	load(f);
	assert_false(manifests_complete(f->m));
	assert_true(manifests_miss(f->m, "other"));
	manifests_free(take(f->m));

	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	start_in(f, "missing");
	assert_int_equal(manifests_load(f->m, &(struct err){ 0 }), -ENOENT);
	assert_false(manifests_complete(f->m));
	assert_true(manifests_miss(f->m, "other"));
	assert_int_equal(mkdir(path(f, "missing"), 0755), 0);
	dispatch(f);
	assert_true(manifests_complete(f->m));
}

static void a_file_is_read_when_it_becomes_readable(void **state)
{
	struct fixture *f = *state;
	bool root = !geteuid();

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_int_equal(chmod(path(f, "a.yaml"), 0), 0);
	start(f);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	must_load(f);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_null(service(f, "a"));
	assert_problems(f,
		"/a.yaml:0:0: : : cannot be read: Permission denied; nothing is taken "
		"from it\n");
	assert_int_equal(chmod(path(f, "a.yaml"), 0644), 0);
	assert_true(dispatch(f));
	assert_non_null(service(f, "a"));
	assert_problems(f, "");
}

static unsigned long max_queued_events(void)
{
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	char line[32] = "";

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	return strtoul(line, NULL, 10);
}

static void lost_events_lead_to_a_full_reading(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yaml", SERVICE("b", "10.0.0.2", "80"));
	load(f);
	/* Equal events in a row are merged, so two names take turns. */
	for (unsigned long i = 0; i < max_queued_events() / 2 + 10; i++) {
		assert_int_equal(rename(path(f, "b.yaml"), path(f, "x")), 0);
		assert_int_equal(rename(path(f, "x"), path(f, "b.yaml")), 0);
	}
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "81"));
	assert_true(dispatch(f));
	assert_int_equal(port(f, "a"), 81);
	assert_non_null(service(f, "b"));
}

/* Random histories */

static unsigned draw(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

static const char *random_name(unsigned *seed)
{
	static const char *const names[] = { "d/a.yaml", "d/b.yaml", "d/c.yml", "d/x" };

	return names[draw(seed, ARRAY_SIZE(names))];
}

static void random_text(unsigned *seed, struct buf *ret)
{
	unsigned n = draw(seed, 4);

	for (unsigned i = 0; i < n; i++)
		buf_addf(ret, SERVICE("s%u", "10.0.0.1", "%u"), i * 2 + draw(seed, 2),
			80 + draw(seed, 3));
}

static void random_write(struct fixture *f, unsigned *seed, const char *name)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	/* A link's target is nobody's to write to. */
	unlink(path(f, name));
	random_text(seed, &text);
	write_file(f, name, buf_str(&text));
}

static void random_link(struct fixture *f, unsigned *seed)
{
	const char *name = path(f, random_name(seed));

	unlink(name);
	if (draw(seed, 2))
		assert_int_equal(symlink("../target", name), 0);
	else
		assert_int_equal(link(path(f, "target"), name), 0);
}

static void replace_directory(struct fixture *f, unsigned *seed)
{
	if (draw(seed, 2)) {
		remove_tree(path(f, "d"));
	} else {
		remove_tree(path(f, "old"));
		assert_int_equal(rename(path(f, "d"), path(f, "old")), 0);
	}
	if (draw(seed, 2))
		dispatch(f);
	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
}

static void random_step(struct fixture *f, unsigned *seed)
{
	const char *name = random_name(seed);

	switch (draw(seed, 12)) {
	case 0:
		unlink(path(f, name));
		break;
	case 1:
	case 2:
		random_write(f, seed, "d/tmp");
		assert_int_equal(rename(path(f, "d/tmp"), path(f, name)), 0);
		break;
	case 3:
	case 4:
		rename(path(f, name), path(f, random_name(seed)));
		break;
	case 5:
		random_link(f, seed);
		break;
	case 6:
		replace_directory(f, seed);
		break;
	case 7:
	case 8:
		dispatch(f);
		break;
	default:
		random_write(f, seed, name);
		break;
	}
}

/* The ports of s0..s7; 0: not there. */
static void ports(struct fixture *f, char ret[static 64])
{
	size_t len = 0;

	for (unsigned i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%u", i);
		len += (size_t)snprintf(ret + len, 64 - len, "%u ", port(f, name));
	}
}

static void after_any_history_the_store_is_what_a_fresh_load_gives(void **state)
{
	struct fixture *f = *state, fresh = { 0 };

	strcpy(fresh.dir, f->dir);
	store_init(&fresh.store);
	write_file(f, "target", SERVICE("s0", "10.0.0.1", "90") SERVICE("s7", "10.0.0.1", "90"));
	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	start_in(f, "d");
	must_load(f);
	start_in(&fresh, "d");
	for (unsigned round = 1; round <= HISTORIES; round++) {
		char got[64], wanted[64];
		unsigned seed = round;

		for (int i = 0; i < 60; i++)
			random_step(f, &seed);
		dispatch(f);
		time_passes(f, MANIFEST_GONE_MS);
		must_load(&fresh);
		ports(&fresh, wanted);
		ports(f, got);
		assert_string_equal(got, wanted);
	}
	manifests_free(fresh.m);
	store_done(&fresh.store);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(new_files_are_read),
		test(an_edit_touches_what_it_changes),
		test(a_file_is_not_read_before_its_writer_closes_it),
		test(a_file_that_is_being_written_at_the_start_is_incomplete),
		test(a_new_file_is_not_read_before_its_writer_closes_it),
		test(a_file_that_disappears_is_given_a_moment),
		test(a_file_that_is_being_written_again_is_not_gone),
		test(what_is_no_file_any_more_is_gone),
		test(a_file_that_disappears_before_a_reload_is_given_a_moment_too),
		test(editors_that_move_the_old_version_away_do_not_hurt),
		test(a_file_that_vanishes_before_it_is_read_is_no_problem),
		test(a_broken_edit_is_told_and_its_repair_too),
		test(links_are_followed_when_they_appear),
		test(config_map_volumes_are_followed),
		test(a_single_file_in_a_config_map_volume_is_followed),
		test(a_single_file_comes_goes_and_comes_back),
		test(a_directory_is_found_again_after_it_was_deleted),
		test(a_directory_may_be_replaced_at_once),
		test(a_directory_may_be_a_link),
		test(a_path_may_appear_from_far_above),
		test(the_input_is_complete_once_everything_could_be_read),
		test(an_unreadable_file_may_be_about_every_service),
		test(a_file_is_read_when_it_becomes_readable),
		test(lost_events_lead_to_a_full_reading),
		test(after_any_history_the_store_is_what_a_fresh_load_gives),
	};

	return cmocka_run_group_tests_name("manifest_watch", tests, NULL, NULL);
}
