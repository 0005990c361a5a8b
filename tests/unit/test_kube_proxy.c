// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding kube-proxy's process, its options and its file, below a directory that looks like /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "kube_proxy.h"

struct proc_bench {
	char dir[64];
};

static void proc_put(const struct proc_bench *b, const char *name, const char *text, size_t len)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	FILE *f;

	buf_addf(&path, "%s/%s", b->dir, name);
	f = fopen(buf_str(&path), "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void proc_mkdir(const struct proc_bench *b, const char *name)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	buf_addf(&path, "%s/%s", b->dir, name);
	assert_int_equal(mkdir(buf_str(&path), 0700), 0);
}

/* A process in that network namespace; NUL stands between the words of its command line. */
static void proc_add(const struct proc_bench *b, const char *pid, const char *network,
	const char *command, size_t len, const char *cgroups)
{
	_cleanup_(buf_done) struct buf name = { 0 }, link = { 0 };

	proc_mkdir(b, pid);
	buf_addf(&name, "%s/ns", pid);
	proc_mkdir(b, buf_str(&name));
	buf_addf(&link, "%s/%s/ns/net", b->dir, pid);
	assert_int_equal(symlink(network, buf_str(&link)), 0);
	buf_reset(&name);
	buf_addf(&name, "%s/cmdline", pid);
	proc_put(b, buf_str(&name), command, len);
	buf_reset(&name);
	buf_addf(&name, "%s/cgroup", pid);
	proc_put(b, buf_str(&name), cgroups, strlen(cgroups));
}

#define ADD(pid, network, command, cgroups) \
	proc_add(b, pid, network, command, sizeof(command), cgroups)

static int proc_setup(void **state)
{
	struct proc_bench *b = new0(struct proc_bench);

	strcpy(b->dir, "/tmp/kube-proxy.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	ADD("self", "net:[1]", "test", "0::/\n");
	ADD("12", "net:[1]", "/usr/bin/kubelet\0--config=/a", "0::/system.slice/kubelet.service\n");
	*state = b;
	return 0;
}

static int proc_teardown(void **state)
{
	struct proc_bench *b = *state;
	_cleanup_(buf_done) struct buf command = { 0 };

	buf_addf(&command, "rm -rf %s", b->dir);
	assert_int_equal(system(buf_str(&command)), 0);
	free(b);
	return 0;
}

static void there_may_be_none(void **state)
{
	const struct proc_bench *b = *state;
	_cleanup_(kube_proxy_done) struct kube_proxy k;
	struct err err;

	ADD("13", "net:[2]", "kube-proxy\0--config=/a", "0::/\n"); /* of a node in a container */
	ADD("14", "net:[1]", "/opt/not-kube-proxy", "0::/\n");
	ADD("15", "net:[1]", "", "0::/\n");
	assert_int_equal(kube_proxy_find(b->dir, "kube-proxy", &k, &err), 0);
	assert_int_equal(k.pid, 0);
	assert_null(k.file);
}

static void a_pod_has_its_file_below_its_own_root(void **state)
{
	const struct proc_bench *b = *state;
	_cleanup_(kube_proxy_done) struct kube_proxy k;
	_cleanup_(buf_done) struct buf file = { 0 };
	struct err err;

	ADD("77", "net:[1]",
		"/usr/local/bin/kube-proxy\0--config=/var/lib/kube-proxy/config.conf\0"
		"--hostname-override=node-a",
		"0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-1.scope\n");
	assert_int_equal(kube_proxy_find(b->dir, "kube-proxy", &k, &err), 0);
	assert_int_equal(k.pid, 77);
	assert_true(k.pod);
	assert_null(k.unit);
	assert_string_equal(k.named, "/var/lib/kube-proxy/config.conf");
	buf_addf(&file, "%s/77/root/var/lib/kube-proxy/config.conf", b->dir);
	assert_string_equal(k.file, buf_str(&file));
	assert_int_equal(k.n_options, 1);
	assert_string_equal(k.options[0], "--hostname-override=node-a");
}

static void a_unit_may_run_it_with_options_alone(void **state)
{
	const struct proc_bench *b = *state;
	_cleanup_(kube_proxy_done) struct kube_proxy k;
	struct err err;

	ADD("78", "net:[1]",
		"kube-proxy\0--proxy-mode=ipvs\0--config\0conf\0-v\0"
		"2",
		"12:pids:/system.slice/kube-proxy.service\n1:name=systemd:/init.scope\n");
	assert_int_equal(kube_proxy_find(b->dir, "kube-proxy", &k, &err), 0);
	assert_int_equal(k.pid, 78);
	assert_false(k.pod);
	assert_string_equal(k.unit, "kube-proxy.service");
	assert_string_equal(k.named, "conf");
	assert_non_null(strstr(k.file, "/78/cwd/conf"));
	assert_int_equal(k.n_options, 3);
	assert_string_equal(k.options[2], "2");
}

static void words_are_quoted_where_a_shell_needs_it(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	(void)state;
	shell_word_add(&b, "--config=/a/b.yaml");
	shell_word_add(&b, "");
	shell_word_add(&b, "it's a $HOME");
	assert_string_equal(buf_str(&b), "--config=/a/b.yaml'''it'\\''s a $HOME'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_may_be_none, proc_setup, proc_teardown),
		cmocka_unit_test_setup_teardown(
			a_pod_has_its_file_below_its_own_root, proc_setup, proc_teardown),
		cmocka_unit_test_setup_teardown(
			a_unit_may_run_it_with_options_alone, proc_setup, proc_teardown),
		cmocka_unit_test(words_are_quoted_where_a_shell_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
