// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/kernel/link_held.h"
#include "../../src/kernel/link_msg.h"
#include "../../src/kernel/link_rule_msg.h"
#include "core/fact_text.h"
#include "kernel/link.h"
#include "kernel/link_monitor.h"
#include "recorded.h"

static struct op parse_op(const char *line)
{
	struct op op = { .type = OP_ADD };
	struct err err;

	if (!strncmp(line, "set", 3))
		op.type = OP_SET;
	if (!strncmp(line, "del", 3))
		op.type = OP_DEL;
	if (fact_parse(line + 4, &op.fact, &err))
		fail_msg("%s", err.msg);
	return op;
}

static struct nl_msg *build_request(const struct record *r)
{
	int index = (int)record_number(r, "index", 0);
	struct op op;

	if (record_is(r, "find device"))
		return link_msg_find_device(LINK_VIPS);
	if (record_is(r, "dump routes IPv4"))
		return link_msg_dump_routes(AF_INET, record_number(r, "table", RT_TABLE_LOCAL));
	if (record_is(r, "dump routes IPv6"))
		return link_msg_dump_routes(AF_INET6, record_number(r, "table", RT_TABLE_LOCAL));
	if (record_is(r, "dump rules IPv4"))
		return link_rule_msg_dump(AF_INET);
	if (record_is(r, "dump rules IPv6"))
		return link_rule_msg_dump(AF_INET6);
	if (record_is(r, "get route to ")) {
		struct ip dst;

		assert_int_equal(ip_parse(r->title + strlen("get route to "), &dst), 0);
		return link_msg_route_get(&dst);
	}
	if (record_is(r, "dump held local"))
		return link_held_msg_dump_local(index);
	if (record_is(r, "dump held throw"))
		return link_held_msg_dump_throw();
	if (record_is(r, "dump addresses"))
		return link_msg_dump_addresses(index);
	op = parse_op(r->title);
	if (op.fact.key.kind == FACT_POLICY_RULE)
		return link_rule_msg_op(&op);
	if (op.fact.key.kind == FACT_HELD)
		return link_held_msg(&op, record_number(r, "step", 0), index);
	return link_msg_op(&op, index);
}

static void compare_request(const struct record *r)
{
	record_compare(r, build_request(r));
}

static void requests_are_those_that_the_kernel_accepted(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("link-requests", compare_request), 0);
}

static void compare_route(const struct record *r)
{
	struct fact want, f;

	assert_int_equal(fact_parse(r->title, &want, NULL), 0);
	assert_int_equal(link_read_route(r->messages[0], &f), 1);
	if (!fact_key_eq(&want.key, &f.key) || !fact_val_eq(&want.val, &f.val))
		fail_msg("\"%s\" is read otherwise", r->title);
}

/* "hop TYPE GATEWAY" */
static void compare_hop(const struct record *r)
{
	char text[IP_STRLEN + 32], ip[IP_STRLEN];
	struct link_hop hop;

	assert_int_equal(link_read_hop(r->messages[0], &hop), 0);
	snprintf(text, sizeof(text), "hop %u %s", hop.type,
		hop.via.family ? ip_print(&hop.via, ip) : "none");
	assert_string_equal(text, r->title);
	assert_int_equal(hop.index, record_number(r, "index", 0));
}

static void compare_held(const struct record *r)
{
	int index = (int)record_number(r, "index", 0);
	struct fact want, f;

	assert_int_equal(fact_parse(r->title, &want, NULL), 0);
	assert_int_equal(link_held_read_route(r->messages[0], index, &f), 1);
	if (!fact_key_eq(&want.key, &f.key) || !fact_val_eq(&want.val, &f.val))
		fail_msg("\"%s\" is read otherwise", r->title);
	assert_int_equal(link_read_route(r->messages[0], &f), 0);
}

/* The notes have all of a rule; one of ours has its fact as title. */
static void compare_rule(const struct record *r)
{
	struct link_rule rule;
	struct fact want, f;

	assert_int_equal(link_read_rule(r->messages[0], &rule), 1);
	assert_int_equal(rule.family, strstr(r->title, "IPv6") ? AF_INET6 : AF_INET);
	assert_int_equal(rule.priority, record_number(r, "priority", 0));
	assert_int_equal(rule.mark, record_number(r, "mark", 0));
	assert_int_equal(rule.mask, record_number(r, "mask", 0));
	assert_int_equal(rule.table, record_number(r, "table", 0));
	assert_int_equal(rule.selectors, record_number(r, "selectors", 0));
	assert_int_equal(rule.inverted, record_number(r, "inverted", 0));
	if (!record_is(r, "policy-rule ")) {
		assert_false(link_rule_fact(&rule, &f));
		return;
	}
	assert_int_equal(fact_parse(r->title, &want, NULL), 0);
	assert_true(link_rule_fact(&rule, &f));
	assert_true(fact_key_eq(&want.key, &f.key) && fact_val_eq(&want.val, &f.val));
}

static void compare_address(const struct record *r)
{
	char text[IP_STRLEN + 32], ip[IP_STRLEN];
	struct link_address a;

	assert_int_equal(link_read_address(r->messages[0], &a), 1);
	snprintf(text, sizeof(text), "address %s/%u", ip_print(&a.ip, ip), a.prefix_len);
	assert_string_equal(text, r->title);
	assert_int_equal(a.index, record_number(r, "index", 0));
}

static void compare_device(const struct record *r)
{
	struct link_device d;

	assert_int_equal(link_read_device(r->messages[0], &d), 0);
	assert_int_equal(d.index, record_number(r, "index", 0));
	assert_int_equal(d.dummy, strstr(r->notes, "kind=dummy") != NULL);
	assert_int_equal(d.up, record_number(r, "up", 0));
}

static void compare_reply(const struct record *r)
{
	struct link_rule rule;
	struct fact f;

	assert_int_equal(r->n, 1);
	if (record_is(r, "policy-rule ") || record_is(r, "foreign rule "))
		compare_rule(r);
	else if (record_is(r, "no rule:"))
		assert_int_equal(link_read_rule(r->messages[0], &rule), 0);
	else if (record_is(r, "hop "))
		compare_hop(r);
	else if (record_is(r, "held "))
		compare_held(r);
	else if (record_is(r, "not held:"))
		assert_int_equal(
			link_held_read_route(r->messages[0], (int)record_number(r, "index", 0), &f),
			0);
	else if (record_is(r, "route "))
		compare_route(r);
	else if (record_is(r, "address "))
		compare_address(r);
	else if (record_is(r, "device "))
		compare_device(r);
	else
		assert_int_equal(link_read_route(r->messages[0], &f), 0);
}

static void replies_become_the_facts_that_are_in_the_kernel(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("link-replies", compare_reply), 0);
}

static void compare_event(const struct record *r)
{
	struct link_watch watch = {
		.index = { (int)record_number(r, "index", 0), (int)record_number(r, "held", 0) },
		.own_links = { record_number(r, "own_links", 0), record_number(r, "own_held", 0) },
		.own_addresses6 = record_number(r, "own_addresses6", 0),
	};
	unsigned changed = 0;

	for (size_t i = 0; i < r->n; i++)
		changed |= link_watch_read(&watch, r->messages[i]);
	if (changed != record_number(r, "changed", ~0u))
		fail_msg("\"%s\" is read as %u", r->title, changed);
	assert_int_equal(watch.own_links[LINK_DEVICE_VIPS], 0);
	assert_int_equal(watch.own_links[LINK_DEVICE_HELD], 0);
	assert_int_equal(watch.own_addresses6, 0);
}

static void notifications_report_changes_by_others(void **state)
{
	(void)state;
	assert_int_not_equal(recorded_each("link-events", compare_event), 0);
}

static void read_damaged(struct nlmsghdr *msg)
{
	struct link_watch watch = { .index = { 7, 8 } };
	struct link_address a;
	struct link_rule rule;
	struct link_device d;
	struct link_hop hop;
	struct fact f;

	assert_true(link_held_read_route(msg, 7, &f) >= -EBADMSG);
	assert_true(link_read_hop(msg, &hop) >= -EBADMSG);
	assert_true(link_read_rule(msg, &rule) >= -EBADMSG);
	assert_true(link_read_route(msg, &f) >= -EBADMSG);
	assert_true(link_read_address(msg, &a) >= -EBADMSG);
	assert_true(link_read_device(msg, &d) >= -EBADMSG);
	assert_true(link_watch_read(&watch, msg) <= (LINK_CHANGED_ADDRESSES | LINK_CHANGED_OURS));
}

static void damage(const struct record *r)
{
	record_damage(r->messages[0], r->lengths[0], read_damaged);
}

static void damaged_messages_do_no_harm(void **state)
{
	(void)state;
	recorded_each("link-replies", damage);
	recorded_each("link-events", damage);
}

/* Two deletions, of which one was ours: the other one is told. */
static void each_own_deletion_explains_one_notification(void **state)
{
	static const uint8_t vip[16] = { 0xfd, 0, 0, 0x96, [15] = 1 };
	struct link_watch watch = { .index = { 7 }, .own_addresses6 = 1 };
	const struct ifaddrmsg h = { .ifa_family = AF_INET6, .ifa_prefixlen = 128, .ifa_index = 7 };
	struct nl_msg *msg = nl_request_new(RTM_DELADDR, 0, &h, sizeof(h));

	(void)state;
	nla_put(msg, IFA_ADDRESS, sizeof(vip), vip);
	assert_int_equal(link_watch_read(&watch, nlmsg_hdr(msg)), 0);
	assert_int_equal(link_watch_read(&watch, nlmsg_hdr(msg)), LINK_CHANGED_OURS);
	nlmsg_free(msg);
}

static void answers_become_the_errnos_of_the_ledger(void **state)
{
	static const struct {
		const char *op;
		int answer, result;
	} cases[] = {
		{ "add route 10.96.0.1", -EEXIST, -EEXIST },
		{ "set route 10.96.0.1", -ENOENT, -ENOENT },
		{ "del route 10.96.0.1", -ESRCH, -ENOENT },
		{ "del route 10.96.0.1 table=2512", -ESRCH, -ENOENT },
		{ "add route 10.96.0.1 src=10.0.0.9", -EINVAL, -EINVAL },
		{ "add addr 10.96.0.1", -EEXIST, -EEXIST },
		{ "add addr 10.96.0.1", -ENODEV, -ESRCH },
		{ "del addr 10.96.0.1", -ENODEV, -ESRCH },
		{ "del addr 10.96.0.1", -EADDRNOTAVAIL, -ENOENT },
		{ "del addr fd00:96::1", -ENXIO, -ENOENT },
		{ "add addr fd00:96::1", -EACCES, -EACCES },
		{ "add link kube-ipvs0", -EEXIST, -EEXIST },
		{ "add link kube-ipvs0", -EOPNOTSUPP, -EOPNOTSUPP },
		{ "del link kube-ipvs0", -ENODEV, -ENOENT },
		{ "set link kube-ipvs1", -ENODEV, -ENOENT },
		{ "add policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", -EEXIST, -EEXIST },
		{ "set policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", -EEXIST, 0 },
		{ "del policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512", -ENOENT, -ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct op op = parse_op(cases[i].op);

		assert_int_equal(op.fact.key.kind == FACT_POLICY_RULE
				? link_rule_result(&op, cases[i].answer)
				: link_result(&op, cases[i].answer),
			cases[i].result);
	}
}

static void the_steps_of_a_held_address_have_one_result(void **state)
{
	static const struct {
		enum op_type type;
		int index, answers[LINK_HELD_STEPS], result;
		bool undo;
	} cases[] = {
		{ OP_ADD, 4, { 0, 0, 0, 0 }, 0, false },
		{ OP_ADD, 4, { 0, 0, -ESRCH, 0 }, 0, false },
		{ OP_SET, 4, { 0, 0, 0, 0 }, 0, false },
		/* It exists, without and with a flaw. */
		{ OP_ADD, 4, { 0, -EEXIST, -ESRCH, 0 }, -EEXIST, false },
		{ OP_ADD, 4, { -EEXIST, -EEXIST, -ESRCH, 0 }, 0, false },
		{ OP_ADD, 4, { 0, -EEXIST, 0, 0 }, 0, false },
		{ OP_SET, 4, { 0, -EEXIST, -ESRCH, 0 }, 0, false },
		{ OP_SET, 4, { -EEXIST, -EEXIST, 0, 0 }, 0, false },
		/* A step failed: nothing, the address, or the throw is left. */
		{ OP_ADD, 4, { -EPERM, -EPERM, -EPERM, -EPERM }, -EPERM, false },
		{ OP_ADD, 4, { 0, -ENODEV, -ESRCH, 0 }, -ESRCH, false },
		{ OP_ADD, 4, { -ENOMEM, 0, 0, -ESRCH }, -ENOMEM, true },
		{ OP_ADD, 4, { 0, 0, -ENOMEM, 0 }, -ENOMEM, true },
		{ OP_ADD, 4, { 0, 0, 0, -ENOMEM }, -ENOMEM, true },
		{ OP_ADD, 4, { 0, -ENOMEM, -ESRCH, -EINVAL }, -ENOMEM, true },
		{ OP_SET, 4, { 0, -EEXIST, -ENOMEM, 0 }, -ENOMEM, false },
		{ OP_ADD, 4, { 0, 0, -ENOBUFS, 0 }, -ENOBUFS, false },
		/* Deletion: anything was there, nothing was, the device is gone. */
		{ OP_DEL, 4, { 0, -ESRCH, -ESRCH }, 0, false },
		{ OP_DEL, 4, { -EADDRNOTAVAIL, 0, -ESRCH }, 0, false },
		{ OP_DEL, 4, { -EADDRNOTAVAIL, -ESRCH, 0 }, 0, false },
		{ OP_DEL, 4, { -EADDRNOTAVAIL, -ESRCH, -ESRCH }, -ENOENT, false },
		{ OP_DEL, 4, { -ENODEV, -ESRCH, -ESRCH }, -ESRCH, false },
		{ OP_DEL, 4, { 0, -ESRCH, -EPERM }, -EPERM, false },
		{ OP_DEL, 4, { 0, -ENOBUFS, -ESRCH }, -ENOBUFS, false },
		{ OP_DEL, 0, { 0 }, 0, false },
		{ OP_DEL, 0, { -ESRCH }, -ESRCH, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool undo;
		int result =
			link_held_result(cases[i].type, cases[i].index, cases[i].answers, &undo);

		if (result != cases[i].result || undo != cases[i].undo)
			fail_msg("case %zu: %d, undo %d", i, result, undo);
	}
}

/* How many requests the next datagram has; *ret_type: of the first. */
static size_t read_requests(int fd, uint16_t *ret_type)
{
	static char buf[NL_BATCH_MAX * NL_REQUEST_MAX];
	ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	struct nlmsghdr h;
	size_t n = 0;

	for (ssize_t at = 0; at < len; at += h.nlmsg_len) {
		memcpy(&h, buf + at, sizeof(h));
		if (!n++)
			*ret_type = h.nlmsg_type;
	}
	return n;
}

/* The other end of a socket pair plays the kernel. Its answers are queued before the requests, which
 * are numbered from 1 on. */
static void many_addresses_are_held_with_few_messages(void **state)
{
	static const struct {
		uint32_t op, step;
		int error;
	} failures[] = { { 3, 1, -EEXIST }, { 3, 2, -ESRCH }, { 5, 2, -ENOMEM }, { 7, 2, -ESRCH } };
	struct op ops[40];
	struct nl_port *port;
	uint16_t type = 0;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	port = nl_port_from_fd(fds[0]);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		struct {
			struct nlmsghdr h;
			int error;
		} answer = {
			.h = { .nlmsg_len = sizeof(answer),
				.nlmsg_type = NLMSG_ERROR,
				.nlmsg_seq = 1 + failures[i].op * 4 + failures[i].step },
			.error = failures[i].error,
		};

		assert_int_equal(send(fds[1], &answer, sizeof(answer), 0), sizeof(answer));
	}
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		ops[i] = parse_op("add held 192.0.2.1");
		ops[i].fact.key.addr[3] = (uint8_t)i;
	}
	link_held_apply(port, 4, ops, ARRAY_SIZE(ops));
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		assert_int_equal(ops[i].result, i == 3 ? -EEXIST : i == 5 ? -ENOMEM : 0);

	assert_int_equal(read_requests(fds[1], &type), NL_BATCH_MAX);
	assert_int_equal(read_requests(fds[1], &type), 4 * ARRAY_SIZE(ops) - NL_BATCH_MAX);
	/* The one that failed is taken back. */
	assert_int_equal(read_requests(fds[1], &type), 3);
	assert_int_equal(type, RTM_DELADDR);
	assert_int_equal(read_requests(fds[1], &type), 0);
	nl_port_free(port);
	close(fds[1]);
}

static void failures_are_explained_where_the_errno_is_not_enough(void **state)
{
	struct op op = parse_op("add link kube-ipvs0");

	(void)state;
	op.result = -ENOTUNIQ;
	assert_non_null(strstr(link_explain(&op), "kube-ipvs0 exists already and is not a dummy"));
	op.result = -EOPNOTSUPP;
	assert_non_null(strstr(link_explain(&op), "no dummy devices"));
	op = parse_op("add held 192.0.2.1");
	op.result = -ENOTUNIQ;
	assert_non_null(strstr(link_explain(&op), "kube-ipvs1 exists already and is not a dummy"));
	op = parse_op("add policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512");
	op.result = -EAFNOSUPPORT;
	assert_non_null(strstr(link_explain(&op), "no policy routing"));
	op.result = -EPERM;
	assert_non_null(strstr(link_explain(&op), "CAP_NET_ADMIN"));
	op.result = -EINVAL;
	assert_null(link_explain(&op));
}

static void loopback_and_ipv6_link_local_are_no_addresses_of_the_node(void **state)
{
	static const struct {
		const char *ip;
		bool node;
	} cases[] = {
		{ "127.0.0.1", false },
		{ "127.8.9.1", false },
		{ "::1", false },
		{ "fe80::1", false },
		{ "169.254.1.1", true },
		{ "192.168.50.1", true },
		{ "fd00:50::1", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(cases[i].ip, &ip), 0);
		assert_int_equal(link_is_node_address(&ip), cases[i].node);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_those_that_the_kernel_accepted),
		cmocka_unit_test(replies_become_the_facts_that_are_in_the_kernel),
		cmocka_unit_test(notifications_report_changes_by_others),
		cmocka_unit_test(damaged_messages_do_no_harm),
		cmocka_unit_test(each_own_deletion_explains_one_notification),
		cmocka_unit_test(answers_become_the_errnos_of_the_ledger),
		cmocka_unit_test(the_steps_of_a_held_address_have_one_result),
		cmocka_unit_test(many_addresses_are_held_with_few_messages),
		cmocka_unit_test(failures_are_explained_where_the_errno_is_not_enough),
		cmocka_unit_test(loopback_and_ipv6_link_local_are_no_addresses_of_the_node),
	};

	return record_skip_all() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
