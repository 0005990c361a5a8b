// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/rule_text.h"
#include "report/explain.h"
#include "world.h"

/* Queries */

static void what_is_asked_is_an_address_or_a_service(void **state)
{
	static const struct {
		const char *what, *ns, *name, *port_name, *address;
		unsigned port, proto;
	} rows[] = {
		{ "10.0.0.1:80", "", "", "", "10.0.0.1:80", 80, 0 },
		{ "10.0.0.1:80/tcp", "", "", "", "10.0.0.1:80", 80, IPPROTO_TCP },
		{ "[fd00::1]:80/UDP", "", "", "", "[fd00::1]:80", 80, IPPROTO_UDP },
		{ "a/b", "a", "b", "", "", 0, 0 },
		{ "a/b:443", "a", "b", "", "", 443, 0 },
		{ "a/b:https/SCTP", "a", "b", "https", "", 0, IPPROTO_SCTP },
		{ "a/tcp", "a", "tcp", "", "", 0, 0 },
		{ "a/b:0x50", "a", "b", "0x50", "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct explain_query q;
		char s[IP_PORT_STRLEN];
		struct err err;

		if (explain_parse(rows[i].what, NULL, &q, &err))
			fail_msg("%s: %s", rows[i].what, err.msg);
		assert_string_equal(q.ns, rows[i].ns);
		assert_string_equal(q.name, rows[i].name);
		assert_string_equal(q.port_name, rows[i].port_name);
		assert_int_equal(q.port, rows[i].port);
		assert_int_equal(q.proto, rows[i].proto);
		assert_string_equal(
			q.ip.family ? ip_print_port(&q.ip, q.port, s) : "", rows[i].address);
	}
}

static void what_makes_no_sense_is_refused_with_words(void **state)
{
	static const struct {
		const char *what, *from, *words;
	} rows[] = {
		{ "", NULL, "\"\" has no port; give ADDRESS:PORT" },
		{ "10.0.0.1", NULL, "\"10.0.0.1\" has no port; give ADDRESS:PORT" },
		{ "10.0.0.1:", NULL, "port \"\" is not a number from 1 to 65535" },
		{ "10.0.0.1:65536", NULL, "port \"65536\" is not a number from 1 to 65535" },
		{ "10.0.0.1:-1", NULL, "port \"-1\" is not a number from 1 to 65535" },
		{ "10.0.0.1:80/x", NULL, "port \"80/x\" is not a number from 1 to 65535" },
		{ "fd00::1", NULL, "\"fd00::1\" has no port; give [ADDRESS]:PORT" },
		{ "[fd00::1]", NULL, "\"[fd00::1]\" has no port; give [ADDRESS]:PORT" },
		{ "[10.0.0.1]:80", NULL, "address \"[10.0.0.1\" is not an IP address" },
		{ "[]:80", NULL, "address \"[]\" is not an IP address" },
		{ "a/", NULL, "\"a/\" is not NAMESPACE/NAME" },
		{ "/b", NULL, "\"/b\" is not NAMESPACE/NAME" },
		{ "a/b/c", NULL, "\"a/b/c\" is not NAMESPACE/NAME" },
		{ "a/b:", NULL, "port \"\" is not a number or a name" },
		{ "a/b", "there", "from \"there\": must be pod, node, outside or an address" },
		{ "10.0.0.1:80", "::1", "from ::1: must be an IPv4 address, too" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct explain_query q;
		struct err err = { 0 };

		if (explain_parse(rows[i].what, rows[i].from, &q, &err) != -EINVAL)
			fail_msg("\"%s\" is taken", rows[i].what);
		assert_string_equal(err.msg, rows[i].words);
	}
}

/* Explanations */

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static struct report_input input_of(struct world *w)
{
	return (struct report_input){ .store = &w->store,
		.engine = w->engine,
		.view = &w->node.view,
		.backend = "ipvs",
		.now = w->now,
		.print_chain = rule_text_print_chain,
		.print_rule = rule_text_print };
}

static json_t *ask(const struct report_input *in, const char *what, const char *from)
{
	struct explain_query q;
	struct err err;

	if (explain_parse(what, from, &q, &err))
		fail_msg("%s: %s", what, err.msg);
	return explain(in, &q);
}

static json_t *address_of(const json_t *answer)
{
	const json_t *s = json_array_get(json_object_get(answer, "services"), 0);
	const json_t *port = json_array_get(json_object_get(s, "ports"), 0);

	return json_array_get(json_object_get(port, "addresses"), 0);
}

/* "forwarded 10.244.0.5 10.244.1.7*": the endpoints in use, with a star if masqueraded. */
static void print_path(struct buf *b, const json_t *path)
{
	const json_t *eps = json_object_get(path, "endpoints"), *ep;
	const json_t *vs = json_object_get(path, "virtualServer");
	size_t i;

	buf_adds(b, text(path, "verdict"));
	if (json_object_get(vs, "fwmark"))
		buf_adds(b, " by mark");
	json_array_foreach(eps, i, ep) {
		if (json_is_true(json_object_get(ep, "used")))
			buf_addf(b, " %s%s", text(ep, "address"),
				json_is_true(json_object_get(ep, "masquerade")) ? "*" : "");
	}
}

struct row {
	const char *what, *from, *path;
};

static void check(struct world *w, const struct row *rows, size_t n)
{
	const struct report_input in = input_of(w);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		json_t *answer = ask(&in, rows[i].what, rows[i].from);

		print_path(&b, json_array_get(json_object_get(address_of(answer), "paths"), 0));
		if (strcmp(buf_str(&b), rows[i].path) != 0)
			fail_msg("%s from %s: \"%s\", not \"%s\"", rows[i].what, rows[i].from,
				buf_str(&b), rows[i].path);
		json_decref(answer);
	}
}

#define SLICE "slice a/web-1 port=p:8080/TCP ep=10.244.0.5@test-node ep=10.244.1.7@other\n"
#define REMOTE "slice a/web-1 port=p:8080/TCP ep=10.244.1.7@other\n"
#define BOTH "forwarded 10.244.0.5 10.244.1.7"
#define BOTH_MASQUERADED "forwarded 10.244.0.5* 10.244.1.7*"

static void with_cluster_policies_all_endpoints_answer(void **state)
{
	static const struct row rows[] = {
		{ "10.20.30.41:80", "pod", BOTH },
		{ "10.20.30.41:80", "node", BOTH_MASQUERADED },
		{ "10.20.30.41:80", "outside", BOTH_MASQUERADED },
		{ "10.20.30.41:80", "10.244.0.5", "forwarded 10.244.0.5* 10.244.1.7" },
		{ "1.2.3.4:80", "pod", BOTH_MASQUERADED },
		{ "1.2.3.4:80", "node", BOTH_MASQUERADED },
		{ "1.2.3.4:80", "outside", BOTH_MASQUERADED },
		{ "50.60.70.81:80", "outside", BOTH_MASQUERADED },
		{ "100.101.102.103:30001", "pod", BOTH_MASQUERADED },
		{ "100.101.102.103:30001", "node", BOTH_MASQUERADED },
		{ "100.101.102.103:30001", "outside", BOTH_MASQUERADED },
	};
	struct world *w = *state;

	world_start(w,
		"service a/web type=LoadBalancer ip=10.20.30.41 lb=1.2.3.4 external=50.60.70.81 "
		"port=p:80/TCP:30001\n" SLICE);
	check(w, rows, ARRAY_SIZE(rows));
}

static void external_local_keeps_clients_here_with_their_address(void **state)
{
	static const struct row rows[] = {
		{ "10.20.30.41:80", "outside", BOTH_MASQUERADED },
		{ "1.2.3.4:80", "pod", "forwarded by mark 10.244.0.5 10.244.1.7" },
		{ "1.2.3.4:80", "node", "forwarded by mark 10.244.0.5 10.244.1.7" },
		{ "1.2.3.4:80", "outside", "forwarded 10.244.0.5" },
		{ "100.101.102.103:30001", "pod", "forwarded by mark 10.244.0.5 10.244.1.7" },
		{ "100.101.102.103:30001", "outside", "forwarded 10.244.0.5" },
	};
	static const struct row remote[] = {
		{ "1.2.3.4:80", "pod", "forwarded by mark 10.244.1.7" },
		{ "1.2.3.4:80", "outside", "dropped" },
		{ "100.101.102.103:30001", "node", "forwarded by mark 10.244.1.7" },
		{ "100.101.102.103:30001", "outside", "dropped" },
		{ "10.20.30.41:80", "pod", "forwarded 10.244.1.7" },
	};
	static const struct row none[] = {
		{ "1.2.3.4:80", "pod", "rejected by mark" },
		{ "1.2.3.4:80", "outside", "rejected" },
	};
	struct world *w = *state;

	world_start(w,
		"service a/web type=LoadBalancer ip=10.20.30.41 lb=1.2.3.4 etp=Local "
		"port=p:80/TCP:30001\n" SLICE);
	check(w, rows, ARRAY_SIZE(rows));
	world_load(w, REMOTE);
	check(w, remote, ARRAY_SIZE(remote));
	world_load(w, "slice a/web-1 port=p:8080/TCP\n");
	check(w, none, ARRAY_SIZE(none));
}

static void internal_local_never_leaves_the_node(void **state)
{
	static const struct row rows[] = {
		{ "10.20.30.41:80", "pod", "forwarded 10.244.0.5" },
		{ "100.101.102.103:30001", "pod", BOTH_MASQUERADED },
	};
	static const struct row remote[] = {
		{ "10.20.30.41:80", "pod", "dropped" },
		{ "10.20.30.41:80", "node", "dropped" },
	};
	struct world *w = *state;

	world_start(w,
		"service a/web type=NodePort ip=10.20.30.41 itp=Local port=p:80/TCP:30001\n" SLICE);
	check(w, rows, ARRAY_SIZE(rows));
	world_load(w, REMOTE);
	check(w, remote, ARRAY_SIZE(remote));
}

static void source_ranges_are_looked_up_by_the_client(void **state)
{
	static const struct row rows[] = {
		{ "1.2.3.4:80", "9.8.7.6", BOTH_MASQUERADED },
		{ "1.2.3.4:80", "9.9.7.6", "dropped" },
		{ "1.2.3.4:80", "8.8.8.8", BOTH_MASQUERADED },
		{ "1.2.3.4:80", "node", "dropped" },
		{ "10.20.30.41:80", "9.9.7.6", BOTH_MASQUERADED },
	};
	struct world *w = *state;

	world_start(w,
		"service a/web type=LoadBalancer ip=10.20.30.41 lb=1.2.3.4 "
		"ranges=9.8.0.0/16,8.8.8.8/32 port=p:80/TCP\n" SLICE);
	check(w, rows, ARRAY_SIZE(rows));
}

static void pods_can_be_told_by_their_interface(void **state)
{
	static const struct row rows[] = {
		{ "10.20.30.41:80", "pod", BOTH },
		{ "10.20.30.41:80", "node", BOTH_MASQUERADED },
		{ "10.20.30.41:80", "outside", BOTH_MASQUERADED },
	};
	struct world *w = *state;

	w->node.options.detect_local = DETECT_INTERFACE_NAME_PREFIX;
	strcpy(w->node.options.interface, "cali+");
	world_start(w, "service a/web ip=10.20.30.41 port=p:80/TCP\n" SLICE);
	check(w, rows, ARRAY_SIZE(rows));
}

static void weight_zero_answers_nobody(void **state)
{
	static const struct row rows[] = { { "10.20.30.41:80", "pod", "rejected 10.244.0.5" } };

	world_start(*state,
		"service a/web ip=10.20.30.41 port=p:80/TCP\n"
		"slice a/web-1 weight=0 port=p:8080/TCP ep=10.244.0.5@test-node\n");
	check(*state, rows, ARRAY_SIZE(rows));
}

static void assert_text(const json_t *o, const char *key, const char *want)
{
	assert_string_equal(text(o, key), want);
}

static void of_two_services_the_loser_names_the_winner(void **state)
{
	struct world *w = *state;
	struct report_input in;
	json_t *answer, *address;

	world_start(w,
		"service a/new ip=10.20.30.41 external=1.2.3.4 port=p:80/TCP created=20\n"
		"service b/old ip=10.20.30.42 external=1.2.3.4 port=p:80/TCP created=10\n");
	in = input_of(w);
	answer = ask(&in, "1.2.3.4:80", NULL);
	assert_int_equal(json_array_size(json_object_get(answer, "services")), 2);
	address = address_of(answer);
	assert_text(address, "heldBy", "b/old");
	assert_int_equal(json_array_size(json_object_get(address, "paths")), 0);
	json_decref(answer);
	answer = ask(&in, "b/old:80", NULL);
	address = address_of(answer);
	assert_true(json_is_array(json_object_get(address, "alsoWantedBy")));
	json_decref(answer);
}

static int refuse_vs(const struct op *op, void *arg)
{
	(void)arg;
	return op->fact.key.kind == FACT_VS ? -EPERM : 0;
}

static void what_the_kernel_refuses_is_told_at_its_address(void **state)
{
	struct world *w = *state;
	struct report_input in;
	const json_t *problems;
	json_t *answer;

	w->kernel.fault = refuse_vs;
	world_start(w, "service a/web ip=10.20.30.41 port=p:80/TCP\n" SLICE);
	in = input_of(w);
	answer = ask(&in, "a/web", "pod");
	problems = json_object_get(address_of(answer), "problems");
	assert_string_equal(json_string_value(json_array_get(problems, 0)),
		"virtual server 10.20.30.41:80/TCP: Operation not permitted, for the last 0 s");
	json_decref(answer);
}

static int count_conns(const struct fact_key *vs, void (*fn)(const struct rs_conns *c, void *arg),
	void *arg, void *conns_arg)
{
	struct world *w = conns_arg;
	struct err err;

	return w->kernel.adapter.conns(&w->kernel.adapter, vs, fn, arg, &err);
}

static uint32_t three(const struct fact_key *rs, void *arg)
{
	(void)rs;
	(void)arg;
	return 3;
}

static void an_endpoint_that_drains_is_told(void **state)
{
	struct world *w = *state;
	struct report_input in;
	const json_t *draining;
	json_t *answer;

	world_restart_with(w, (struct engine_config){ .drain = true });
	w->kernel.active = three;
	world_start(w, "service a/web ip=10.20.30.41 port=p:80/TCP\n" SLICE);
	world_load(w, REMOTE);
	in = input_of(w);
	in.conns = count_conns;
	in.conns_arg = w;
	answer = ask(&in, "a/web:p", "pod");
	draining = json_array_get(json_object_get(address_of(answer), "draining"), 0);
	assert_text(draining, "address", "10.244.0.5");
	assert_int_equal(json_integer_value(json_object_get(draining, "active")), 3);
	json_decref(answer);
}

static void on_nftables_rules_are_in_its_words(void **state)
{
	struct world *w = *state;
	struct report_input in;
	json_t *answer, *path;

	w->node.view.netfilter = NETFILTER_NFTABLES;
	world_start(w,
		"service a/web type=LoadBalancer ip=10.20.30.41 lb=1.2.3.4 etp=Local "
		"port=p:80/TCP\n" REMOTE);
	in = input_of(w);
	answer = ask(&in, "1.2.3.4:80", "outside");
	path = json_array_get(json_object_get(address_of(answer), "paths"), 0);
	assert_text(path, "rule",
		"add rule ip ipvsctl-svc mangle-KUBE-IPVS-PODS ct state new meta mark & 0xfff00000 == "
		"0x00000000 ip daddr . meta l4proto . th dport @KUBE-NO-LOCAL drop");
	json_decref(answer);
	answer = ask(&in, "10.20.30.41:80", "node");
	path = json_array_get(json_object_get(address_of(answer), "paths"), 0);
	assert_text(json_array_get(json_object_get(path, "endpoints"), 0), "masqueradeRule",
		"add rule ip ipvsctl-svc nat-KUBE-SERVICES ip saddr != 10.244.0.0/16 ip daddr . "
		"meta l4proto . th dport @KUBE-CLUSTER-IP jump nat-KUBE-MARK-MASQ comment "
		"\"Kubernetes service cluster ip + port for masquerade purpose\"");
	json_decref(answer);
}

static void what_is_not_found_says_why(void **state)
{
	static const struct {
		const char *what, *words;
	} rows[] = {
		{ "10.20.30.41:81", "Service a/web has no such port; it has: 80/TCP (p)" },
		{ "10.20.30.41:80/UDP", "Service a/web has no such port; it has: 80/TCP (p)" },
		{ "a/web:81", "Service a/web has no such port; it has: 80/TCP (p)" },
		{ "a/none", "Service a/none does not exist" },
		{ "a/loose", "Service a/loose does not exist, but has endpoints" },
		{ "100.101.102.103:31000",
			"this is an address of the node, and no Service has this node port" },
		{ "100.101.102.103:30001/UDP", "Service a/web has this node port for TCP only" },
		{ "10.244.0.5:8080",
			"this is the address of an endpoint of Service a/web: packets "
			"go to it directly" },
		{ "9.9.9.9:80",
			"no Service has this address and port: packets to it "
			"are routed as usual" },
		{ "7.7.7.7:80",
			"Service a/web has this address with ipMode Proxy: the load "
			"balancer itself delivers to it" },
		{ "10.20.30.50:80",
			"Service a/other has this address, but is not proxied: Label "
			"service.kubernetes.io/service-proxy-name" },
		{ "192.0.2.9:53/UDP",
			"another program made a virtual server for this address and port "
			"(UDP); it is never touched" },
	};
	struct world *w = *state;
	struct report_input in;

	fake_kernel_put(&w->kernel, "vs 192.0.2.9:53/UDP rr");
	world_start(w,
		"service a/web type=LoadBalancer ip=10.20.30.41 lbproxy=7.7.7.7 "
		"port=p:80/TCP:30001\n" SLICE
		"service a/other ip=10.20.30.50 port=p:80/TCP otherproxy\n"
		"slice a/loose-1 port=p:8080/TCP ep=10.244.9.9@other\n");
	in = input_of(w);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *answer = ask(&in, rows[i].what, NULL);
		const json_t *note = json_array_get(json_object_get(answer, "notes"), 0);

		assert_int_equal(json_array_size(json_object_get(answer, "services")), 0);
		if (!note || strcmp(json_string_value(note), rows[i].words) != 0)
			fail_msg("%s: %s", rows[i].what, json_string_value(note));
		json_decref(answer);
	}
}

static void what_an_earlier_run_left_is_said(void **state)
{
	struct world *w = *state;
	struct report_input in;
	json_t *answer, *notes;

	world_start(w, "service a/web ip=10.20.30.41 port=p:80/TCP\n" SLICE);
	world_restart(w);
	engine_set_input_complete(w->engine, false);
	world_start(w, "");
	in = input_of(w);
	answer = ask(&in, "10.20.30.41:80", NULL);
	notes = json_object_get(answer, "notes");
	assert_int_equal(json_array_size(notes), 1);
	assert_string_equal(json_string_value(json_array_get(notes, 0)),
		"an earlier run served this address and port (TCP), and still the kernel does: "
		"input incomplete, so its Service is unknown");
	json_decref(answer);
}

static void endpoints_that_are_services_are_noted(void **state)
{
	struct world *w = *state;
	struct report_input in;
	json_t *answer, *notes;

	world_start(w,
		"service a/web ip=10.20.30.41 port=p:80/TCP\n"
		"slice a/web-1 port=p:8080/TCP ep=10.20.30.50 ep=10.244.0.1\n"
		"service a/other ip=10.20.30.50 port=p:80/TCP\n");
	in = input_of(w);
	answer = ask(&in, "a/web", NULL);
	notes = json_object_get(answer, "notes");
	assert_string_equal(json_string_value(json_array_get(notes, 0)),
		"the endpoint 10.20.30.50:8080 is the cluster IP of Service a/other: packets do not "
		"go on from one Service to another");
	json_decref(answer);
}

static void a_rule_that_cannot_be_walked_is_never_guessed(void **state)
{
	static const struct rule rules[] = {
		{ .match = { { .type = MATCH_INTERFACE, .interface = "eth7" } },
			.target = { .type = TARGET_DROP } },
		{ .match = { { .type = MATCH_SHARE, .share = RULE_SHARE_ALL } },
			.target = { .type = TARGET_DROP } },
		{ .match = { { .type = MATCH_REMEMBERED, .client = { "x", 1 } } },
			.target = { .type = TARGET_DROP } },
		{ .target = { .type = TARGET_DNAT } },
		{ .target = { .type = TARGET_JUMP, .chain = "KUBE-NOTHING" } },
		{ .target = { .type = TARGET_GOTO, .chain = "KUBE-SERVICES" } },
	};
	const struct ip ip = fixture_ip("10.20.30.41");
	const struct claimant who = { .name = "test" };
	struct fixture_node node;

	(void)state;
	fixture_node_init(&node);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		_cleanup_(rule_list_done) struct rule_list list = { 0 };
		struct rule_pool pool = { 0 };
		struct ledger *ledger = ledger_new();
		struct fact chain = fact_chain(AF_INET, TABLE_NAT, "KUBE-SERVICES", 0);
		const struct fact jump =
			fact_jump(AF_INET, TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES", 0);
		struct walk_packet p = { .source = FROM_NODE,
			.src = node.view.node_ip[0],
			.dst = ip,
			.port = 80,
			.proto = IPPROTO_TCP };
		struct walk_path path;
		struct walk w;

		rule_list_add(&list, &rules[i]);
		chain.val.chain.rules = rule_pool_put(&pool, &list);
		ledger_claim(ledger, &chain, &who);
		ledger_claim(ledger, &jump, &who);
		walk_init(&w, ledger, &pool, &node.view);
		walk_to_vs(&w, &p, &path);
		assert_int_equal(path.end, WALK_UNREADABLE);
		assert_int_equal(path.rule.table, TABLE_NAT);
		assert_string_equal(path.rule.chain, "KUBE-SERVICES");
		assert_int_equal(path.rule.rule.target.type, rules[i].target.type);
		walk_done(&w);
		ledger_free(ledger);
		rule_pool_done(&pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_is_an_address_or_a_service),
		cmocka_unit_test(what_makes_no_sense_is_refused_with_words),
		WORLD_TEST(with_cluster_policies_all_endpoints_answer),
		WORLD_TEST(external_local_keeps_clients_here_with_their_address),
		WORLD_TEST(internal_local_never_leaves_the_node),
		WORLD_TEST(source_ranges_are_looked_up_by_the_client),
		WORLD_TEST(pods_can_be_told_by_their_interface),
		WORLD_TEST(weight_zero_answers_nobody),
		WORLD_TEST(of_two_services_the_loser_names_the_winner),
		WORLD_TEST(what_the_kernel_refuses_is_told_at_its_address),
		WORLD_TEST(an_endpoint_that_drains_is_told),
		WORLD_TEST(on_nftables_rules_are_in_its_words),
		WORLD_TEST(what_is_not_found_says_why),
		WORLD_TEST(what_an_earlier_run_left_is_said),
		WORLD_TEST(endpoints_that_are_services_are_noted),
		cmocka_unit_test(a_rule_that_cannot_be_walked_is_never_guessed),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
