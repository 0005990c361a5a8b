// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in network namespaces of its own, with the ipvsadm program as
 * witness. */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>

#include "core/fact_text.h"
#include "kernel/ipvs.h"
#include "kernel_test.h"

static struct adapter *adapter;

static int new_namespace(void **state)
{
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	free(RUN(NULL, "ip", "link", "set", "lo", "up"));
	return ipvs_new(&adapter, &err);
}

static int end_namespace(void **state)
{
	(void)state;
	ipvs_free(take(adapter));
	return 0;
}

static void by_ipvsadm(const char *commands)
{
	free(RUN(commands, "ipvsadm", "-R"));
}

static void assert_ipvsadm_shows(const char *line)
{
	_cleanup_free_ char *text = RUN(NULL, "ipvsadm", "-Sn");

	if (!strstr(text, line))
		fail_msg("\"%s\" is not in:\n%s", line, text);
}

static void apply(enum op_type type, const char *line, int expected)
{
	kernel_apply(adapter, type, kernel_fact(line), expected);
}

static void virtual_servers_are_created_and_deleted(void **state)
{
	(void)state;
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_ADD, "vs 10.96.0.10:53/UDP wlc persistence=10800", 0);
	apply(OP_ADD, "vs [fd00:96::10]:80/TCP lc", 0);
	apply(OP_ADD, "vs fwmark:1048576/IPv4 rr", 0);
	apply(OP_ADD, "vs fwmark:1048576/IPv6 rr persistence=300", 0);
	assert_ipvsadm_shows("-A -t 10.96.0.10:80 -s rr\n");
	assert_ipvsadm_shows("-A -u 10.96.0.10:53 -s wlc -p 10800\n");
	assert_ipvsadm_shows("-A -t [fd00:96::10]:80 -s lc\n");
	assert_ipvsadm_shows("-A -f 1048576 -s rr\n");
	assert_ipvsadm_shows("-A -f 1048576 -6 -s rr -p 300\n");
	kernel_assert_facts(adapter, FACT_VS,
		"vs fwmark:1048576/IPv4 rr\n"
		"vs 10.96.0.10:53/UDP wlc persistence=10800\n"
		"vs 10.96.0.10:80/TCP rr\n"
		"vs fwmark:1048576/IPv6 rr persistence=300\n"
		"vs [fd00:96::10]:80/TCP lc\n");
	apply(OP_DEL, "vs 10.96.0.10:53/UDP wlc", 0);
	apply(OP_DEL, "vs fwmark:1048576/IPv4 rr", 0);
	apply(OP_DEL, "vs [fd00:96::10]:80/TCP lc", 0);
	kernel_assert_facts(adapter, FACT_VS,
		"vs 10.96.0.10:80/TCP rr\nvs fwmark:1048576/IPv6 rr persistence=300\n");
}

static void a_virtual_server_changes_and_keeps_its_real_servers(void **state)
{
	(void)state;
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1", 0);
	apply(OP_SET, "vs 10.96.0.10:80/TCP wrr persistence=600", 0);
	kernel_assert_facts(adapter, FACT_VS, "vs 10.96.0.10:80/TCP wrr persistence=600\n");
	apply(OP_SET, "vs 10.96.0.10:80/TCP wrr", 0);
	kernel_assert_facts(adapter, FACT_VS, "vs 10.96.0.10:80/TCP wrr\n");
	kernel_assert_facts(adapter, FACT_RS, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1\n");
}

static void real_servers_are_created_and_deleted(void **state)
{
	(void)state;
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_ADD, "vs [fd00:96::10]:80/TCP rr", 0);
	apply(OP_ADD, "vs fwmark:7/IPv4 rr", 0);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1", 0);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.12:8080 weight=65535", 0);
	apply(OP_ADD, "rs [fd00:96::10]:80/TCP [fd00:244::1]:8080 weight=3", 0);
	apply(OP_ADD, "rs fwmark:7/IPv4 10.244.1.11:8080 weight=1", 0);
	apply(OP_SET, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=0", 0);
	assert_ipvsadm_shows("-a -t 10.96.0.10:80 -r 10.244.1.11:8080 -m -w 0\n");
	assert_ipvsadm_shows("-a -t [fd00:96::10]:80 -r [fd00:244::1]:8080 -m -w 3\n");
	kernel_assert_facts(adapter, FACT_RS,
		"rs fwmark:7/IPv4 10.244.1.11:8080 weight=1\n"
		"rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=0\n"
		"rs 10.96.0.10:80/TCP 10.244.1.12:8080 weight=65535\n"
		"rs [fd00:96::10]:80/TCP [fd00:244::1]:8080 weight=3\n");
	apply(OP_DEL, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=0", 0);
	apply(OP_DEL, "vs [fd00:96::10]:80/TCP rr", 0);
	kernel_assert_facts(adapter, FACT_RS,
		"rs fwmark:7/IPv4 10.244.1.11:8080 weight=1\n"
		"rs 10.96.0.10:80/TCP 10.244.1.12:8080 weight=65535\n");
}

static void existing_and_missing_servers_have_results_of_their_own(void **state)
{
	(void)state;
	apply(OP_SET, "vs 10.96.0.10:80/TCP rr", -ENOENT);
	apply(OP_DEL, "vs 10.96.0.10:80/TCP rr", -ENOENT);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", -ESRCH);
	apply(OP_SET, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", -ESRCH);
	apply(OP_DEL, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", -ESRCH);
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_ADD, "vs 10.96.0.10:80/TCP wrr", -EEXIST);
	apply(OP_SET, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", -ENOENT);
	apply(OP_DEL, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", -ENOENT);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=1", 0);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:80 weight=2", -EEXIST);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 224.0.0.1:80 weight=1", -EINVAL);
}

static void an_unknown_scheduler_has_an_error_of_its_own(void **state)
{
	struct err err;

	(void)state;
	apply(OP_ADD, "vs 10.96.0.10:80/TCP nosuch", -EPROTONOSUPPORT);
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_SET, "vs 10.96.0.10:80/TCP nosuch", -EPROTONOSUPPORT);
	assert_int_equal(ipvs_try_scheduler(adapter, "wrr", &err), 1);
	assert_int_equal(ipvs_try_scheduler(adapter, "nosuch", &err), 0);
	assert_int_equal(ipvs_try_scheduler(adapter, "a-name-that-is-too-long", &err), 0);
	kernel_assert_facts(adapter, FACT_VS, "vs 10.96.0.10:80/TCP rr\n");
}

static void foreign_servers_are_read_if_facts_can_express_them(void **state)
{
	(void)state;
	by_ipvsadm("-A -t 1.2.3.4:80 -s rr -p 100 -M 255.255.255.0\n"
		   "-a -t 1.2.3.4:80 -r 5.6.7.8:80 -i -w 3 -x 100 -y 10\n"
		   "-a -t 1.2.3.4:80 -r [fd00::9]:80 -i\n"
		   "-A -u 1.2.3.4:53 -s sh -b sh-port -o\n");
	kernel_assert_facts(adapter, FACT_VS,
		"vs 1.2.3.4:53/UDP sh flags=0x14\nvs 1.2.3.4:80/TCP rr persistence=100\n");
	kernel_assert_facts(
		adapter, FACT_RS, "rs 1.2.3.4:80/TCP 5.6.7.8:80 weight=3 forwarding=2\n");
}

static void count(const struct fact *f, void *arg)
{
	assert_int_equal(f->key.port, 53);
	++*(size_t *)arg;
}

static void real_servers_are_read_of_one_virtual_server(void **state)
{
	const struct fact dns = kernel_fact("vs 1.2.3.4:53/UDP rr");
	size_t n = 0;

	(void)state;
	by_ipvsadm("-A -t 1.2.3.4:80 -s rr\n"
		   "-a -t 1.2.3.4:80 -r 5.6.7.8:80 -m\n"
		   "-A -u 1.2.3.4:53 -s rr\n"
		   "-a -u 1.2.3.4:53 -r 5.6.7.8:53 -m\n"
		   "-a -u 1.2.3.4:53 -r 5.6.7.9:53 -m\n");
	assert_int_equal(adapter->dump_real_servers(adapter, &dns.key, count, &n, NULL), 0);
	assert_int_equal(n, 2);
}

static void ignore(const struct fact *f, void *arg)
{
	(void)f;
	(void)arg;
}

/* Of the virtual server on the line: it is so after a dump, and not before it or after a change. */
static void assert_change_is_seen(const char *vs, const char *rs, const char *by_others)
{
	const struct fact f = kernel_fact(vs);

	assert_false(adapter->unchanged(adapter, &f.key));
	assert_int_equal(adapter->dump_real_servers(adapter, &f.key, ignore, NULL, NULL), 0);
	assert_true(adapter->unchanged(adapter, &f.key));
	assert_true(adapter->unchanged(adapter, &f.key));
	if (by_others)
		by_ipvsadm(by_others);
	else
		apply(OP_ADD, rs, 0);
	assert_false(adapter->unchanged(adapter, &f.key));
}

static void what_others_change_behind_a_virtual_server_is_seen(void **state)
{
	static const struct {
		const char *vs, *server, *rs, *address;
	} cases[] = {
		{ "vs 10.96.0.10:80/TCP rr", "-t 10.96.0.10:80",
			"rs 10.96.0.10:80/TCP 10.244.1.99:8080 weight=1", "10.244.1" },
		{ "vs fwmark:7/IPv4 rr", "-f 7", "rs fwmark:7/IPv4 10.244.1.99:8080 weight=1",
			"10.244.1" },
		{ "vs [fd00:96::10]:80/TCP rr", "-t [fd00:96::10]:80",
			"rs [fd00:96::10]:80/TCP [fd00:244::99]:8080 weight=1", "fd00:244:" },
	};
	static const char *const changes[] = { "-a %s -r %s12%s:8080 -m -w 1\n",
		"-e %s -r %s12%s:8080 -m -w 2\n", "-a %s -r %s13%s:8080 -m -w 0\n",
		"-d %s -r %s12%s:8080\n", "-a %s -r %s14%s:8081 -m\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fact f = kernel_fact(cases[i].vs);
		const bool six = cases[i].address[0] == 'f';
		char address[32], commands[128];

		snprintf(address, sizeof(address), "%s%s%s", six ? "[" : "", cases[i].address,
			six ? ":" : ".");
		apply(OP_ADD, cases[i].vs, 0);
		for (size_t k = 0; k < ARRAY_SIZE(changes); k++) {
			snprintf(commands, sizeof(commands), changes[k], cases[i].server, address,
				six ? "]" : "");
			assert_change_is_seen(cases[i].vs, NULL, commands);
			assert_int_equal(
				adapter->dump_real_servers(adapter, &f.key, ignore, NULL, NULL), 0);
			apply(OP_SET, cases[i].vs, 0);
		}
		assert_change_is_seen(cases[i].vs, cases[i].rs, NULL);
	}
}

static void add_conns(const struct rs_conns *c, void *arg)
{
	*(uint32_t *)arg += c->weight + c->active + c->inactive + c->persistent;
}

static void connections_are_those_of_one_virtual_server(void **state)
{
	struct fact vs = kernel_fact("vs 10.96.0.10:80/TCP rr");
	uint32_t sum = 0;
	struct err err;

	(void)state;
	assert_int_equal(ipvs_conns(adapter, &vs.key, add_conns, &sum, &err), 0);
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	apply(OP_ADD, "rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=3", 0);
	apply(OP_ADD, "vs 10.96.0.11:80/TCP rr", 0);
	apply(OP_ADD, "rs 10.96.0.11:80/TCP 10.244.1.11:8080 weight=5", 0);
	assert_int_equal(ipvs_conns(adapter, &vs.key, add_conns, &sum, &err), 0);
	assert_int_equal(sum, 3);
}

static void list_server(const struct rs_conns *c, void *arg)
{
	fact_list_add(arg, (struct fact){ .key = c->key, .val.rs.weight = c->weight });
}

/* More than the adapter expects, before it has read them and after. */
static void connections_of_all_real_servers_are_told(void **state)
{
	static const struct {
		const char *vs, *format;
	} cases[] = {
		{ "vs 10.96.0.10:80/TCP rr", "rs 10.96.0.10:80/TCP 10.244.1.%d:8080 weight=%d" },
		{ "vs fwmark:7/IPv4 rr", "rs fwmark:7/IPv4 10.244.1.%d:8080 weight=%d" },
		{ "vs [fd00::1]:80/TCP rr", "rs [fd00::1]:80/TCP [fd00::2:%d]:8080 weight=%d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fact vs = kernel_fact(cases[i].vs);

		apply(OP_ADD, cases[i].vs, 0);
		for (int n = 1; n <= 40; n++) {
			_cleanup_(fact_list_done) struct fact_list told = { 0 };
			struct fact want;
			char line[96];
			struct err err;

			snprintf(line, sizeof(line), cases[i].format, n, n);
			apply(OP_ADD, line, 0);
			assert_int_equal(ipvs_conns(adapter, &vs.key, list_server, &told, &err), 0);
			fact_list_finish(&told);
			assert_int_equal(told.n, n);
			want = kernel_fact(line);
			assert_true(fact_key_eq(&told.facts[n - 1].key, &want.key));
			assert_int_equal(told.facts[n - 1].val.rs.weight, n);
			if (n == 20)
				assert_int_equal(adapter->dump_real_servers(
							 adapter, &vs.key, ignore, NULL, NULL),
					0);
		}
	}
}

static void add_stats(const struct vs_stats *s, void *arg)
{
	struct buf *b = arg;
	struct fact vs = { .key = s->key };

	fact_print(b, &vs);
	buf_addf(b, ": %llu\n", (unsigned long long)s->connections);
}

static void traffic_of_virtual_servers_is_counted(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct err err;

	(void)state;
	apply(OP_ADD, "vs 10.96.0.10:80/TCP rr", 0);
	assert_int_equal(ipvs_stats(adapter, add_stats, &b, &err), 0);
	assert_non_null(strstr(buf_str(&b), "vs 10.96.0.10:80/TCP"));
	assert_non_null(strstr(buf_str(&b), ": 0\n"));
}

static void time_outs_are_set_one_by_one(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct ipvs_timeouts t;
	struct err err;

	(void)state;
	assert_int_equal(ipvs_set_timeouts(adapter, 901, 0, 0, &err), 0);
	assert_int_equal(ipvs_set_timeouts(adapter, 0, 121, 302, &err), 0);
	text = RUN(NULL, "ipvsadm", "-l", "--timeout");
	assert_non_null(strstr(text, "901 121 302"));
	assert_int_equal(ipvs_get_timeouts(adapter, &t, &err), 0);
	assert_int_equal(t.tcp, 901);
	assert_int_equal(t.tcp_fin, 121);
	assert_int_equal(t.udp, 302);
	assert_int_equal(ipvs_set_timeouts(adapter, INT32_MAX, 0, 0, &err), -EINVAL);
}

enum { MANY_VS = 100, MANY_RS = 10 };

/* Every fact of one kind, in order of its key. */
static struct fact_list many(enum fact_kind kind)
{
	struct fact_list l = { 0 };
	char line[100];

	for (int i = 0; i < MANY_VS; i++) {
		snprintf(line, sizeof(line), "vs 10.96.%d.%d:80/TCP rr", i / 50, i % 50 + 1);
		for (int j = 0; kind == FACT_RS && j < MANY_RS; j++) {
			struct fact vs = kernel_fact(line);
			struct ip ip = { .family = AF_INET, .bytes = { 10, 244, 0, (uint8_t)j } };

			fact_list_add(&l, fact_rs(&vs.key, &ip, 8080, (uint32_t)(i + j)));
		}
		if (kind == FACT_VS)
			fact_list_add(&l, kernel_fact(line));
	}
	fact_list_finish(&l);
	return l;
}

static void apply_all(enum op_type type, const struct fact_list *l, int expected)
{
	_cleanup_free_ struct op *ops = mem_zalloc(l->n, sizeof(*ops));

	for (size_t i = 0; i < l->n; i++)
		ops[i] = (struct op){ .type = type, .result = 1, .fact = l->facts[i] };
	adapter->apply(adapter, ops, l->n);
	for (size_t i = 0; i < l->n; i++)
		assert_int_equal(ops[i].result, expected);
}

static void assert_all(enum fact_kind kind, const struct fact_list *expected)
{
	_cleanup_(fact_list_done) struct fact_list have = kernel_dump(adapter, kind);

	assert_int_equal(have.n, expected->n);
	assert_memory_equal(have.facts, expected->facts, have.n * sizeof(*have.facts));
}

static void many_servers_are_read_back_as_they_were_written(void **state)
{
	_cleanup_(fact_list_done) struct fact_list vs = many(FACT_VS), rs = many(FACT_RS);

	(void)state;
	apply_all(OP_ADD, &vs, 0);
	apply_all(OP_ADD, &rs, 0);
	assert_all(FACT_VS, &vs);
	assert_all(FACT_RS, &rs);
	apply_all(OP_ADD, &rs, -EEXIST);
	for (size_t i = 0; i < rs.n; i++)
		rs.facts[i].val.rs.weight = (uint32_t)i;
	apply_all(OP_SET, &rs, 0);
	assert_all(FACT_RS, &rs);
	apply_all(OP_DEL, &vs, 0);
	apply_all(OP_DEL, &rs, -ESRCH);
	kernel_assert_facts(adapter, FACT_VS, "");
	kernel_assert_facts(adapter, FACT_RS, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)
		TEST(virtual_servers_are_created_and_deleted),
		TEST(a_virtual_server_changes_and_keeps_its_real_servers),
		TEST(real_servers_are_created_and_deleted),
		TEST(existing_and_missing_servers_have_results_of_their_own),
		TEST(an_unknown_scheduler_has_an_error_of_its_own),
		TEST(foreign_servers_are_read_if_facts_can_express_them),
		TEST(real_servers_are_read_of_one_virtual_server),
		TEST(what_others_change_behind_a_virtual_server_is_seen),
		TEST(connections_are_those_of_one_virtual_server),
		TEST(connections_of_all_real_servers_are_told),
		TEST(traffic_of_virtual_servers_is_counted),
		TEST(time_outs_are_set_one_by_one),
		TEST(many_servers_are_read_back_as_they_were_written),
#undef TEST
	};
	struct err err;
	int r;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_ipvs_kernel",
			"making a network namespace is not permitted: run it as root");
	r = ipvs_new(&adapter, &err);
	if (r)
		kernel_skip_all("test_ipvs_kernel", err.msg);
	ipvs_free(take(adapter));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
