// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"
#include "fake/kernel.h"
#include "fixture.h"
#include "kernel/iptables_text.h"
#include "report/plan.h"

static const char web[] = "service default/web ip=10.20.30.41 port=http:80/TCP affinity=60\n"
			  "slice default/web-a port=http:8080/TCP ep=10.244.0.5@test-node\n";

struct planned {
	struct store store;
	struct fixture_node node;
	struct engine *engine;
	struct plan plan;
	struct err audit;
};

static void on_audit(const struct err *err, void *arg)
{
	struct planned *t = arg;

	if (err)
		t->audit = *err;
}

/* kernel NULL: compares nothing. */
static int make(struct planned *t, const char *objects, struct fake_kernel *kernel)
{
	struct engine_config config = {
		.store = &t->store,
		.view = &t->node.view,
		.dry_run = true,
		.on_audit = on_audit,
		.arg = t,
	};
	int r;

	*t = (struct planned){ 0 };
	store_init(&t->store);
	fixture_load(&t->store, objects);
	fixture_node_init(&t->node);
	t->engine = engine_new(&config);
	if (kernel)
		engine_add_adapter(t->engine, &kernel->adapter);
	r = plan_make(&t->plan, t->engine, &t->store, &t->node.view, kernel);
	t->plan.print_rule = iptables_print_rule;
	return r;
}

static void planned_done(struct planned *t)
{
	plan_done(&t->plan);
	engine_free(t->engine);
	store_done(&t->store);
}

/* A kernel that is in sync with these objects. */
static void fill(struct fake_kernel *kernel, const char *objects)
{
	_cleanup_(planned_done) struct planned t;

	fake_kernel_init(kernel);
	assert_int_equal(make(&t, objects, NULL), 0);
	for (size_t i = 0; i < t.plan.facts.n; i++)
		fake_kernel_put_fact(kernel, &t.plan.facts.facts[i]);
}

/* The lines of the text after the title of the differences. */
static void assert_differences(const struct planned *t, const char *lines)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *at;

	plan_text(&t->plan, &text);
	at = strstr(buf_str(&text), "\nDifferences to the kernel: ");
	assert_non_null(at);
	assert_string_equal(strchr(at + 1, '\n') + 1, lines);
}

static void without_a_kernel_nothing_is_said_of_differences(void **state)
{
	_cleanup_(planned_done) struct planned t;
	_cleanup_(buf_done) struct buf text = { 0 };
	json_t *json;

	(void)state;
	assert_int_equal(make(&t, web, NULL), 0);
	assert_false(t.plan.compared);
	plan_text(&t.plan, &text);
	assert_null(strstr(buf_str(&text), "Differences"));
	json = plan_json(&t.plan);
	assert_null(json_object_get(json, "differences"));
	json_decref(json);
}

static void an_empty_kernel_lacks_everything(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t;

	(void)state;
	fake_kernel_init(&kernel);
	assert_int_equal(make(&t, web, &kernel), 0);
	assert_true(t.plan.compared);
	assert_int_equal(t.plan.n_differences, t.plan.facts.n);
	for (size_t i = 0; i < t.plan.n_differences; i++) {
		assert_int_equal(t.plan.differences[i].type, OP_ADD);
		assert_true(
			fact_key_eq(&t.plan.differences[i].fact.key, &t.plan.facts.facts[i].key));
	}
	assert_int_equal(kernel.n_ops, 0);
}

static void a_kernel_that_holds_the_plan_does_not_differ(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t;

	(void)state;
	fill(&kernel, web);
	assert_int_equal(make(&t, web, &kernel), 0);
	assert_differences(&t, "");
	assert_int_equal(t.plan.n_differences, 0);
}

static void differences_are_shown_as_lines(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t;
	_cleanup_(buf_done) struct buf expected = { 0 };

	(void)state;
	fill(&kernel, web);
	fake_kernel_put(&kernel, "vs 10.20.30.41:80/TCP wlc");
	fake_kernel_remove(&kernel, "rs 10.20.30.41:80/TCP 10.244.0.5:8080 weight=1");
	fake_kernel_put(&kernel, "rs 10.20.30.41:80/TCP 10.244.0.9:8080 weight=1");
	fake_kernel_put(&kernel, "member KUBE-CLUSTER-IP 10.20.30.99,tcp:80");
	fake_kernel_put(&kernel, "set KUBE-IPVS-IPS hash:ip maxelem=1048576");
	fake_kernel_put(&kernel, "chain IPv4 nat KUBE-MARK-MASQ text=0000000000000001");
	fake_kernel_put(&kernel, "route 10.20.30.41");
	assert_int_equal(make(&t, web, &kernel), 0);
	buf_adds(&expected,
		"~ set KUBE-IPVS-IPS hash:ip maxelem=65536 (is hash:ip maxelem=1048576)\n"
		"- member KUBE-CLUSTER-IP 10.20.30.99,tcp:80\n~ ");
	for (size_t i = 0; i < t.plan.facts.n; i++)
		if (t.plan.facts.facts[i].key.kind == FACT_CHAIN &&
			t.plan.facts.facts[i].key.family == AF_INET &&
			!strcmp(t.plan.facts.facts[i].key.name, "KUBE-MARK-MASQ"))
			fact_print(&expected, &t.plan.facts.facts[i]);
	buf_adds(&expected,
		" (is text=0000000000000001)\n"
		"~ vs 10.20.30.41:80/TCP rr persistence=60 (is wlc)\n"
		"+ rs 10.20.30.41:80/TCP 10.244.0.5:8080 weight=1\n"
		"- rs 10.20.30.41:80/TCP 10.244.0.9:8080 weight=1\n"
		"~ route 10.20.30.41 src=100.101.102.103 (is none)\n");
	assert_differences(&t, buf_str(&expected));
}

static void differences_are_in_the_json(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t;
	_cleanup_free_ char *text = NULL;
	json_t *json;

	(void)state;
	fill(&kernel, web);
	fake_kernel_put(&kernel, "rs 10.20.30.41:80/TCP 10.244.0.5:8080 weight=0");
	fake_kernel_put(&kernel, "rs 10.20.30.41:80/TCP 10.244.0.9:8080 weight=1");
	fake_kernel_remove(&kernel, "route 10.20.30.41");
	assert_int_equal(make(&t, web, &kernel), 0);
	json = plan_json(&t.plan);
	text = json_dumps(json_object_get(json, "differences"), JSON_COMPACT);
	json_decref(json);
	assert_string_equal(text,
		"[{\"change\":\"set\",\"fact\":\"rs 10.20.30.41:80/TCP 10.244.0.5:8080 weight=1\","
		"\"is\":\"weight=0\"},"
		"{\"change\":\"delete\",\"fact\":\"rs 10.20.30.41:80/TCP 10.244.0.9:8080 "
		"weight=1\"},"
		"{\"change\":\"add\",\"fact\":\"route 10.20.30.41 src=100.101.102.103\"}]");
}

static void what_others_made_is_no_difference(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t;

	(void)state;
	fill(&kernel, web);
	fake_kernel_put(&kernel, "vs 192.0.2.1:80/TCP wlc");
	fake_kernel_put(&kernel, "rs 192.0.2.1:80/TCP 192.0.2.2:80 weight=1");
	assert_int_equal(make(&t, web, &kernel), 0);
	assert_differences(&t, "");
}

static void a_kernel_that_cannot_be_read_leaves_the_plan_alone(void **state)
{
	_cleanup_(fake_kernel_done) struct fake_kernel kernel;
	_cleanup_(planned_done) struct planned t, alone;
	_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 };

	(void)state;
	fake_kernel_init(&kernel);
	kernel.dump_error = -EPERM;
	kernel.dump_error_kind = FACT_VS;
	assert_int_equal(make(&t, web, &kernel), -EIO);
	assert_false(t.plan.compared);
	assert_int_equal(t.audit.code, -EPERM);
	assert_int_equal(make(&alone, web, NULL), 0);
	plan_text(&t.plan, &a);
	plan_text(&alone.plan, &b);
	assert_string_equal(buf_str(&a), buf_str(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_kernel_nothing_is_said_of_differences),
		cmocka_unit_test(an_empty_kernel_lacks_everything),
		cmocka_unit_test(a_kernel_that_holds_the_plan_does_not_differ),
		cmocka_unit_test(differences_are_shown_as_lines),
		cmocka_unit_test(differences_are_in_the_json),
		cmocka_unit_test(what_others_made_is_no_difference),
		cmocka_unit_test(a_kernel_that_cannot_be_read_leaves_the_plan_alone),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
