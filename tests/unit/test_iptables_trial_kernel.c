// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel and its iptables, and with an iptables-restore that refuses something. */
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/iptables_trial.h"
#include "kernel/probe.h"
#include "kernel_test.h"

enum { BOTH = IPTABLES_IPV4 | IPTABLES_IPV6 };

struct trial_fixture {
	struct fixture_node node;
	struct rule_pool pool;
	struct fact_list facts;
	char dir[32], program[64]; /* that is found first */
	char *path;		   /* as it was */
};

static int trial_setup(void **state)
{
	const struct node_needs needs = node_needs_all();
	struct trial_fixture *f = new0(struct trial_fixture);

	fixture_node_init(&f->node);
	resolve_node(&f->node.view, &needs, &f->pool, &f->facts);
	fact_list_finish(&f->facts);
	strcpy(f->dir, "/tmp/trial.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->program, sizeof(f->program), "%s/iptables-restore", f->dir);
	f->path = mem_strdup(getenv("PATH"));
	*state = f;
	return 0;
}

static int trial_teardown(void **state)
{
	struct trial_fixture *f = *state;

	setenv("PATH", f->path, 1);
	remove(f->program);
	remove(f->dir);
	fact_list_done(&f->facts);
	rule_pool_done(&f->pool);
	free(f->path);
	free(f);
	return 0;
}

/* An iptables-restore that complains where its input has that text. */
static void refuse_text(struct trial_fixture *f, const char *text, const char *complaint)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	FILE *file = fopen(f->program, "we");

	assert_non_null(file);
	fprintf(file,
		"#!/bin/sh\ninput=$(cat)\ncase $input in *'%s'*) echo '%s' >&2; exit 1 ;; esac\n"
		"echo \"$input\" | PATH='%s' iptables-restore \"$@\"\n",
		text, complaint, f->path);
	assert_int_equal(fchmod(fileno(file), 0700), 0);
	fclose(file);
	buf_addf(&path, "%s:%s", f->dir, f->path);
	setenv("PATH", buf_str(&path), 1);
}

static int run_trial_by(const struct trial_fixture *f,
	int (*try)(const struct adapter *iptables, const struct fact *facts, size_t n,
		const struct rule_pool *pool, struct err *err),
	struct err *err)
{
	bool four = true, six = true;
	struct adapter *a;
	int r = iptables_open(&four, &six, &a, err);

	if (r)
		return r;
	a->read_ahead(a);
	r = try(a, f->facts.facts, f->facts.n, &f->pool, err);
	iptables_free(a);
	return r;
}

static int run_trial(const struct trial_fixture *f, struct err *err)
{
	return run_trial_by(f, iptables_trial, err);
}

static void apply_facts(
	const struct trial_fixture *f, struct adapter *a, enum op_type type, enum fact_kind kind)
{
	_cleanup_free_ struct op *ops = mem_zalloc(f->facts.n, sizeof(*ops));
	size_t n = 0;

	for (size_t i = 0; i < f->facts.n; i++)
		if (f->facts.facts[i].key.kind == kind)
			ops[n++] = (struct op){ .type = type, .fact = f->facts.facts[i] };
	a->apply(a, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, 0);
}

static void assert_nothing_is_left(void)
{
	_cleanup_free_ char *sets = RUN(NULL, "ipset", "list", "-n");
	_cleanup_free_ char *four = RUN(NULL, "iptables-save"), *six = RUN(NULL, "ip6tables-save");

	assert_string_equal(sets, "");
	assert_null(strstr(four, IPTABLES_TRIAL_CHAIN));
	assert_null(strstr(six, IPTABLES_TRIAL_CHAIN));
}

static void what_works_leaves_nothing(void **state)
{
	struct err err;

	if (run_trial(*state, &err) != BOTH)
		fail_msg("%s", err.msg);
	assert_nothing_is_left();
}

static void what_is_in_force_stays(void **state)
{
	static const char rule[] =
		"*nat\n:MINE - [0:0]\n-A MINE -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN\n"
		"-A OUTPUT -j MINE\n:" IPTABLES_TRIAL_CHAIN " - [0:0]\n"
		"-A " IPTABLES_TRIAL_CHAIN " -j RETURN\nCOMMIT\n";
	_cleanup_free_ char *sets = NULL, *rules = NULL;
	struct err err;

	free(RUN(NULL, "ipset", "create", "KUBE-CLUSTER-IP", "hash:ip,port"));
	free(RUN(NULL, "ipset", "add", "KUBE-CLUSTER-IP", "10.96.0.1,tcp:443"));
	free(RUN(rule, "iptables-restore", "--noflush"));
	if (run_trial(*state, &err) != BOTH)
		fail_msg("%s", err.msg);
	sets = RUN(NULL, "ipset", "save");
	rules = RUN(NULL, "iptables-save", "-t", "nat");
	assert_non_null(strstr(sets, "add KUBE-CLUSTER-IP 10.96.0.1,tcp:443"));
	assert_null(strstr(sets, "KUBE-LOOP-BACK"));
	assert_non_null(strstr(rules, "-A MINE -m set --match-set KUBE-CLUSTER-IP dst,dst"));
	assert_non_null(strstr(rules, "-A OUTPUT -j MINE"));
	assert_null(strstr(rules, IPTABLES_TRIAL_CHAIN)); /* that a killed one had left */
	free(RUN("*nat\n-D OUTPUT -j MINE\n-F MINE\n-X MINE\nCOMMIT\n", "iptables-restore",
		"--noflush"));
	free(RUN(NULL, "ipset", "destroy", "KUBE-CLUSTER-IP"));
}

static void what_is_missing_is_named(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "--match-set", "iptables refuses \"-m set --match-set KUBE-" },
		{ "-m conntrack", "iptables refuses \"-m conntrack --ctstate " },
		{ "-j MASQUERADE",
			"iptables refuses \"-j MASQUERADE\" (kernel module xt_MASQUERADE" },
		{ "-j REJECT",
			"iptables refuses \"-j REJECT --reject-with icmp-port-unreachable\" "
			"(kernel module ipt_REJECT" },
		/* only together */
		{ "-A " IPTABLES_TRIAL_CHAIN " -m comment", "iptables refuses the rules: broken" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		refuse_text(*state, cases[i].text, "broken");
		assert_int_equal(run_trial(*state, &err), -EOPNOTSUPP);
		if (strncmp(err.msg, cases[i].words, strlen(cases[i].words)) != 0)
			fail_msg("\"%s\", not \"%s\"", err.msg, cases[i].words);
		assert_nothing_is_left();
	}
}

static void the_module_of_sets_is_named(void **state)
{
	struct err err = { 0 };

	refuse_text(*state, "-m set", "iptables-restore: line 3 failed");
	assert_int_equal(run_trial(*state, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.msg, "(kernel module xt_set"));
	assert_non_null(strstr(err.msg, "): iptables-restore: line 3 failed"));
}

static void a_lock_tells_nothing(void **state)
{
	struct err err;

	refuse_text(*state, "", "Another app is currently holding the xtables lock.");
	assert_int_equal(run_trial(*state, &err), BOTH);
}

static void what_stands_is_not_tried(void **state)
{
	struct trial_fixture *f = *state;
	struct adapter *sets, *iptables;
	struct err err;

	if (ipset_new(&sets, &err) || iptables_new(&f->pool, true, true, &iptables, &err))
		fail_msg("%s", err.msg);
	apply_facts(f, sets, OP_ADD, FACT_SET);
	apply_facts(f, iptables, OP_ADD, FACT_CHAIN);
	apply_facts(f, iptables, OP_ADD, FACT_JUMP);
	refuse_text(f, "", "broken");
	assert_int_equal(run_trial(f, &err), BOTH);
	setenv("PATH", f->path, 1);
	apply_facts(f, iptables, OP_DEL, FACT_JUMP);
	apply_facts(f, iptables, OP_DEL, FACT_CHAIN);
	apply_facts(f, sets, OP_DEL, FACT_SET);
	iptables_free(iptables);
	ipset_free(sets);
	refuse_text(f, "", "broken");
	assert_int_equal(run_trial(f, &err), -EOPNOTSUPP);
}

/* Not even its plain chains can be listed. */
static void a_family_that_does_not_work_is_left_out(void **state)
{
	struct trial_fixture *f = *state;
	char path[64];
	FILE *file;
	struct err err;

	refuse_text(f, "", "broken");
	snprintf(path, sizeof(path), "%s/iptables", f->dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file,
		"#!/bin/sh\n[ \"$1\" = -V ] && exec /usr/sbin/iptables -V\necho broken >&2\n"
		"exit 1\n");
	assert_int_equal(fchmod(fileno(file), 0700), 0);
	fclose(file);
	assert_int_equal(run_trial(f, &err), IPTABLES_IPV6);
	remove(path);
}

static void lose_sys_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		abort();
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data))
		abort();
}

/* Whether it fails for a daemon that may make a namespace, or may not. */
static int probe_in_child(const struct trial_fixture *f, bool may)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (!may)
			lose_sys_admin();
		_exit(run_trial_by(f, probe_iptables_rules, NULL) != BOTH);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void it_works_with_and_without_a_namespace_of_its_own(void **state)
{
	assert_int_equal(probe_in_child(*state, true), 0);
	assert_nothing_is_left();
	assert_int_equal(probe_in_child(*state, false), 0);
	assert_nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, trial_setup, trial_teardown)
		TEST(what_works_leaves_nothing),
		TEST(what_is_in_force_stays),
		TEST(what_is_missing_is_named),
		TEST(the_module_of_sets_is_named),
		TEST(a_lock_tells_nothing),
		TEST(what_stands_is_not_tried),
		TEST(a_family_that_does_not_work_is_left_out),
		TEST(it_works_with_and_without_a_namespace_of_its_own),
	};
	static const char name[] = "test_iptables_trial_kernel";
	struct err err;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all(
			name, "making a network namespace is not permitted: run it as root");
	if (exec_run((const char *const[]){ "ipset", "list", "-n", NULL }, NULL, 0, TIMEOUT_MS,
		    NULL, &err) ||
		exec_run((const char *const[]){ "iptables", "-S", NULL }, NULL, 0, TIMEOUT_MS, NULL,
			&err))
		kernel_skip_all(name, err.msg);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
