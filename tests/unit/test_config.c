// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_fixture.h"

static void without_options_the_defaults_hold(void **state)
{
	_cleanup_(line_done) struct line l;
	char host[NAME_MAX_LEN + 1];

	(void)state;
	ok(&l, "");
	assert_string_equal(l.c.options.scheduler, "rr");
	assert_int_equal(l.c.options.masquerade_bit, 14);
	assert_int_equal(l.c.options.drain_timeout, 60000);
	assert_int_equal(l.c.audit_interval, 30000);
	assert_int_equal(l.c.options.backend, BACKEND_AUTO);
	assert_int_equal(l.c.log_level, LOG_INFO);
	assert_string_equal(l.c.status_socket, DEFAULT_STATUS_SOCKET);
	assert_int_equal(l.c.n_manifests, 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_int_equal(strcasecmp(l.c.options.node_name, host), 0);
}

static void the_table_tells_the_defaults_that_hold(void **state)
{
	_cleanup_(line_done) struct line without, with;
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_free_ char *with_yaml = NULL, *without_yaml = NULL;
	size_t n;
	const struct option_row *o = config_options(&n);

	(void)state;
	for (; n; n--, o++)
		if (o->name && o->preset && o->groups & OF_DAEMON)
			buf_addf(&text, "--%s=%s ", o->name, o->preset);
	ok(&with, buf_str(&text));
	ok(&without, "");
	with_yaml = yaml_of(&with.c);
	without_yaml = yaml_of(&without.c);
	assert_string_equal(with_yaml, without_yaml);
	assert_false(with.c.once || with.c.cleanup || with.c.init_only || with.c.print_config);
	assert_int_equal(with.c.warnings.n, 0);
}

static void policy_options_reach_the_policy(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l,
		"--scheduler mh --hostname-override ~Node-A~ --cluster-cidr fd00:1::/64,10.244.0.0/16 "
		"--masquerade-all --iptables-masquerade-bit 31 --nodeport-addresses 192.168.0.0/16 "
		"--nodeport-addresses fd00::/8,10.1.2.3/24 --ipvs-exclude-cidrs 10.0.0.0/8,~fd01::/16 "
		"--vip-mode address --drain-timeout 1m30s");
	assert_string_equal(l.c.options.scheduler, "mh");
	assert_string_equal(l.c.options.node_name, "node-a");
	assert_cidr(&l.c.options.cluster_cidr[0], "10.244.0.0/16");
	assert_cidr(&l.c.options.cluster_cidr[1], "fd00:1::/64");
	assert_true(l.c.options.masquerade_all);
	assert_int_equal(l.c.options.masquerade_bit, 31);
	assert_int_equal(l.c.options.n_nodeport_addresses, 3);
	assert_cidr(&l.c.options.nodeport_addresses[2], "10.1.2.0/24");
	assert_int_equal(l.c.options.n_exclude, 2);
	assert_cidr(&l.c.options.exclude[1], "fd01::/16");
	assert_int_equal(l.c.options.vip_mode, VIP_ADDRESS);
	assert_int_equal(l.c.options.drain_timeout, 90000);
}

static void options_of_external_addresses_reach_the_policy(void **state)
{
	_cleanup_(line_done) struct line none, l, plan;

	(void)state;
	ok(&none, "");
	assert_int_equal(none.c.options.external_addresses, EXTERNAL_PORTS);
	assert_int_equal(none.c.options.external_mark_bit, 12);
	assert_int_equal(none.c.options.external_table, 2512);
	assert_int_equal(none.c.options.external_rule_priority, 90);
	assert_int_equal(none.c.options.n_local_ranges, 0);
	assert_int_equal(none.c.options.n_external_ip_ranges, 0);
	assert_int_equal(none.c.options.n_load_balancer_ranges, 0);
	assert_int_equal(none.c.options.cluster_ip_ranges[0].ip.family, 0);
	ok(&l,
		"--external-addresses local --local-address-ranges 192.0.2.0/28,2001:db8::/64 "
		"--external-ip-ranges=198.51.100.0/24 --external-ip-ranges=203.0.113.0/24 "
		"--load-balancer-ranges=192.0.2.0/24 --service-cluster-ip-range=10.96.0.0/12,fd00::/108 "
		"--external-mark-bit=0 --external-table=65535 --external-rule-priority=32765");
	assert_int_equal(l.c.options.external_addresses, EXTERNAL_LOCAL);
	assert_int_equal(l.c.options.n_local_ranges, 2);
	assert_cidr(&l.c.options.local_ranges[1], "2001:db8::/64");
	assert_int_equal(l.c.options.n_external_ip_ranges, 2);
	assert_cidr(&l.c.options.external_ip_ranges[1], "203.0.113.0/24");
	assert_int_equal(l.c.options.n_load_balancer_ranges, 1);
	assert_cidr(&l.c.options.load_balancer_ranges[0], "192.0.2.0/24");
	assert_cidr(&l.c.options.cluster_ip_ranges[0], "10.96.0.0/12");
	assert_cidr(&l.c.options.cluster_ip_ranges[1], "fd00::/108");
	assert_int_equal(l.c.options.external_mark_bit, 0);
	assert_int_equal(l.c.options.external_table, 65535);
	assert_int_equal(l.c.options.external_rule_priority, 32765);
	assert_int_equal(
		parse(&plan, OF_PLAN, "a --external-addresses=local --external-table=7"), 0);
	assert_int_equal(plan.c.options.external_table, 7);
}

static void the_external_mark_has_a_bit_of_its_own(void **state)
{
	static const struct {
		const char *line;
		uint8_t bit;
	} cases[] = {
		{ "", 12 },
		/* The default gives way. */
		{ "--iptables-masquerade-bit=12", 5 },
		{ "--mark-mask=0x3000", 5 },
		{ "--mark-mask=0x3fff", 31 },
		{ "--iptables-masquerade-bit=12 --mark-mask=0xf0", 3 },
		/* It has no effect. */
		{ "--external-addresses=local --iptables-masquerade-bit=12", 12 },
		{ "--backend=iptables --iptables-masquerade-bit=12", 12 },
		{ "--backend=iptables --iptables-masquerade-bit=3 --external-mark-bit=3", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(line_done) struct line l;

		ok(&l, cases[i].line);
		assert_int_equal(l.c.options.external_mark_bit, cases[i].bit);
	}
	assert_mistake(OF_DAEMON, "--iptables-masquerade-bit=12 --external-mark-bit=12",
		"--external-mark-bit: must differ from --iptables-masquerade-bit, which is bit 12 "
		"too");
}

static void marks_leave_the_masquerade_bit_alone(void **state)
{
	static const struct {
		const char *line;
		uint32_t mask;
	} cases[] = {
		{ "", 0xfff00000 },
		{ "--mark-mask 0x00ff0000", 0x00ff0000 },
		{ "--mark-mask 3", 3 },
		{ "--mark-mask 0", 0 },
		{ "--iptables-masquerade-bit 19", 0xfff00000 },
		{ "--iptables-masquerade-bit 31", 0x7ff00000 },
		{ "--iptables-masquerade-bit 20", 0xffe00000 },
		{ "--iptables-masquerade-bit 22", 0xff800000 },
		{ "--iptables-masquerade-bit 29", 0x1ff00000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(line_done) struct line l;

		ok(&l, cases[i].line);
		assert_int_equal(l.c.options.mark_mask, cases[i].mask);
	}
}

static void pods_are_recognised_by_what_the_mode_names(void **state)
{
	_cleanup_(line_done) struct line bridge, prefix, node;

	(void)state;
	ok(&bridge, "--pod-bridge-interface=cni0 --detect-local-mode=BridgeInterface");
	assert_int_equal(bridge.c.options.detect_local, DETECT_BRIDGE_INTERFACE);
	assert_string_equal(bridge.c.options.interface, "cni0");
	ok(&prefix,
		"--detect-local-mode=interfacenameprefix --pod-interface-name-prefix=cali "
		"--pod-bridge-interface=cni0");
	assert_int_equal(prefix.c.options.detect_local, DETECT_INTERFACE_NAME_PREFIX);
	assert_string_equal(prefix.c.options.interface, "cali+");
	ok(&node, "--detect-local-mode=NodeCIDR");
	assert_int_equal(node.c.options.detect_local, DETECT_NODE_CIDR);
}

static void daemon_options_reach_the_config(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l,
		"--manifests a --manifests=b --service-cluster-ip-range 10.96.0.0/16,fd00::/108 "
		"--backend ipvs --ipvs-strict-arp --ipvs-tcp-timeout 15m --ipvs-tcpfin-timeout 2m "
		"--ipvs-udp-timeout 300s --audit-interval 0 --status-socket= -v debug --once");
	assert_int_equal(l.c.n_manifests, 2);
	assert_string_equal(l.c.manifests[0], "a");
	assert_string_equal(l.c.manifests[1], "b");
	assert_cidr(&l.c.options.cluster_ip_ranges[0], "10.96.0.0/16");
	assert_cidr(&l.c.options.cluster_ip_ranges[1], "fd00::/108");
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_true(l.c.strict_arp);
	assert_int_equal(l.c.tcp_timeout, 900);
	assert_int_equal(l.c.tcp_fin_timeout, 120);
	assert_int_equal(l.c.udp_timeout, 300);
	assert_int_equal(l.c.audit_interval, 0);
	assert_string_equal(l.c.status_socket, "");
	assert_int_equal(l.c.log_level, LOG_DEBUG);
	assert_true(l.c.once);
}

static void aliases_and_underscores_name_the_same_options(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l,
		"--ipvs_scheduler=wlc --proxy-mode IPVS --masquerade_all --cluster_cidr "
		"10.0.0.0/8 --v=4");
	assert_string_equal(l.c.options.scheduler, "wlc");
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_true(l.c.options.masquerade_all);
	assert_cidr(&l.c.options.cluster_cidr[0], "10.0.0.0/8");
	assert_int_equal(l.c.log_level, LOG_DEBUG);
}

static void booleans_take_a_value_only_behind_an_equals_sign(void **state)
{
	_cleanup_(line_done) struct line yes, no, loose;

	(void)state;
	ok(&yes, "--masquerade-all=T --ipvs-strict-arp=true --once=1");
	assert_true(yes.c.options.masquerade_all && yes.c.strict_arp && yes.c.once);
	ok(&no, "--masquerade-all --masquerade-all=false --once=F");
	assert_false(no.c.options.masquerade_all || no.c.once);
	assert_int_equal(parse(&loose, OF_DAEMON, "--masquerade-all false"), 0);
	assert_true(loose.c.options.masquerade_all);
	assert_int_equal(loose.rest, 2);
}

static void a_letter_takes_its_value_in_three_ways(void **state)
{
	static const char *const ways[] = { "-v warning", "-vwarning", "-v=warning" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		_cleanup_(line_done) struct line l;

		ok(&l, ways[i]);
		assert_int_equal(l.c.log_level, LOG_WARN);
	}
}

static void kube_proxys_log_numbers_are_understood(void **state)
{
	_cleanup_(line_done) struct line two, ten;

	(void)state;
	ok(&two, "-v=2");
	assert_int_equal(two.c.log_level, LOG_INFO);
	ok(&ten, "--v 10");
	assert_int_equal(ten.c.log_level, LOG_DEBUG);
}

static void an_empty_value_means_the_default_as_for_kube_proxy(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l,
		"--proxy-mode= --ipvs-scheduler= --detect-local-mode= --cluster-cidr= "
		"--nodeport-addresses= --ipvs-exclude-cidrs= --pod-bridge-interface=");
	assert_int_equal(l.c.options.backend, BACKEND_AUTO);
	assert_string_equal(l.c.options.scheduler, "rr");
	assert_int_equal(l.c.options.n_nodeport_addresses, 0);
}

static void the_zeros_of_kube_api_options_mean_the_default_as_for_kube_proxy(void **state)
{
	_cleanup_(line_done) struct line zero, less, some;

	(void)state;
	ok(&zero, "--kube-api-qps 0.0 --kube-api-burst 0");
	assert_true(zero.c.qps > 4.9 && zero.c.qps < 5.1);
	assert_int_equal(zero.c.burst, 10);
	ok(&less, "--kube-api-qps=-1 --kube-api-burst=0");
	assert_true(less.c.qps < 0);
	ok(&some, "--kube-api-qps=0.5 --kube-api-burst=1");
	assert_true(some.c.qps > 0.4 && some.c.qps < 0.6);
	assert_int_equal(some.c.burst, 1);
}

static void options_end_at_the_first_other_argument(void **state)
{
	_cleanup_(line_done) struct line plain, dashes;

	(void)state;
	assert_int_equal(parse(&plain, OF_DAEMON, "--once a --cleanup"), 0);
	assert_int_equal(plain.rest, 2);
	assert_false(plain.c.cleanup);
	assert_int_equal(parse(&dashes, OF_DAEMON, "--once -- --cleanup"), 0);
	assert_int_equal(dashes.rest, 3);
	assert_false(dashes.c.cleanup);
}

static void arguments_of_plan_are_manifests(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_int_equal(
		parse(&l, OF_PLAN, "a.yaml --manifests b.yaml c.yaml -ojson --diff -- --d"), 0);
	assert_int_equal(l.rest, l.argc);
	assert_int_equal(l.c.n_manifests, 4);
	assert_string_equal(l.c.manifests[0], "a.yaml");
	assert_string_equal(l.c.manifests[2], "c.yaml");
	assert_string_equal(l.c.manifests[3], "--d");
	assert_int_equal(l.c.output, PLAN_JSON);
	assert_int_equal(l.c.diff, DIFF_YES);
}

static void wrong_values_are_refused_in_words(void **state)
{
	static const char *const cases[][2] = {
		{ "--scheduler=a~b", "--scheduler: \"a b\" is not the name of a scheduler" },
		{ "--scheduler=abcdefghijklmnop",
			"--scheduler: \"abcdefghijklmnop\" is not the name of a scheduler" },
		{ "--hostname-override=~",
			"--hostname-override: must have between 1 and 253 "
			"characters" },
		{ "--cluster-cidr=10.0.0.0/8,10.1.0.0/16",
			"--cluster-cidr: more than one IPv4 CIDR" },
		{ "--cluster-cidr=10.0.0.0",
			"--cluster-cidr: \"10.0.0.0\" is not a CIDR such as "
			"10.0.0.0/8" },
		{ "--service-cluster-ip-range=fd00::/108,fd01::/108",
			"--service-cluster-ip-range: more than one IPv6 CIDR" },
		{ "--detect-local-mode=Bridge",
			"--detect-local-mode: \"Bridge\" is none of ClusterCIDR, NodeCIDR, "
			"BridgeInterface, InterfaceNamePrefix" },
		{ "--detect-local-mode=BridgeInterface",
			"--pod-bridge-interface: is required with "
			"--detect-local-mode=BridgeInterface" },
		{ "--detect-local-mode=InterfaceNamePrefix --pod-bridge-interface=x",
			"--pod-interface-name-prefix: is required with "
			"--detect-local-mode=InterfaceNamePrefix" },
		{ "--pod-bridge-interface=abcdefghijklmnop",
			"--pod-bridge-interface: \"abcdefghijklmnop\" is not the name of an "
			"interface" },
		{ "--masquerade-all=yes", "--masquerade-all: \"yes\" is neither true nor false" },
		{ "--iptables-masquerade-bit=32",
			"--iptables-masquerade-bit: \"32\" is not a number "
			"between 0 and 31" },
		{ "--iptables-masquerade-bit=-1",
			"--iptables-masquerade-bit: \"-1\" is not a number "
			"between 0 and 31" },
		{ "--iptables-masquerade-bit=1x",
			"--iptables-masquerade-bit: \"1x\" is not a number "
			"between 0 and 31" },
		{ "--mark-mask=ffff0000",
			"--mark-mask: \"ffff0000\" is not a mask such as 0xfff00000" },
		{ "--mark-mask=0x1fff00000",
			"--mark-mask: \"0x1fff00000\" is not a mask such as 0xfff00000" },
		{ "--mark-mask=-1", "--mark-mask: \"-1\" is not a mask such as 0xfff00000" },
		{ "--mark-mask=0xf0f00000",
			"--mark-mask: \"0xf0f00000\" is not two or more adjacent bits" },
		{ "--mark-mask=0x80000000",
			"--mark-mask: \"0x80000000\" is not two or more adjacent bits" },
		{ "--mark-mask=0xffffffff",
			"--mark-mask: must not contain the masquerade bit, which is bit 14; "
			"--external-mark-bit: bit 12 must not be in --mark-mask, which is "
			"0xffffffff" },
		{ "--mark-mask=0xffff0000 --iptables-masquerade-bit=16",
			"--mark-mask: must not contain the masquerade bit, which is bit 16" },
		{ "--external-mark-bit=14",
			"--external-mark-bit: must differ from --iptables-masquerade-bit, which is "
			"bit 14 too" },
		{ "--external-mark-bit=20",
			"--external-mark-bit: bit 20 must not be in --mark-mask, which is "
			"0xfff00000" },
		{ "--external-mark-bit=32",
			"--external-mark-bit: \"32\" is not a number between 0 and 31" },
		{ "--external-table=0",
			"--external-table: \"0\" is not a number between 1 and 65535" },
		{ "--external-table=65536",
			"--external-table: \"65536\" is not a number between 1 and 65535" },
		{ "--external-table=253",
			"--external-table: \"253\" is a table of the kernel itself" },
		{ "--external-table=255",
			"--external-table: \"255\" is a table of the kernel itself" },
		{ "--external-rule-priority=0",
			"--external-rule-priority: \"0\" is not a number between 1 and 32765" },
		{ "--external-rule-priority=32766",
			"--external-rule-priority: \"32766\" is not a number between 1 and "
			"32765" },
		{ "--external-addresses=none",
			"--external-addresses: \"none\" is none of ports, local" },
		{ "--external-ip-ranges=192.0.2.1",
			"--external-ip-ranges: \"192.0.2.1\" is not a CIDR such as 10.0.0.0/8" },
		{ "--nodeport-addresses=primary,10.0.0.0/8",
			"--nodeport-addresses: \"primary\" and CIDRs exclude each other" },
		{ "--nodeport-addresses=10.0.0.0/8 --nodeport-addresses=primary",
			"--nodeport-addresses: \"primary\" and CIDRs exclude each other" },
		{ "--vip-mode=dummy", "--vip-mode: \"dummy\" is none of route, address" },
		{ "--drain-timeout=60", "--drain-timeout: \"60\" is not a duration such as 1m30s" },
		{ "--drain-timeout=-1s", "--drain-timeout: \"-1s\" is negative" },
		{ "--ipvs-tcp-timeout=500ms",
			"--ipvs-tcp-timeout: \"500ms\" is not a whole number of seconds" },
		{ "--ipvs-udp-timeout=999999h", "--ipvs-udp-timeout: \"999999h\" is too long" },
		{ "--audit-interval=1ms", "--audit-interval: \"1ms\" is less than 100 ms" },
		{ "--backend=ebpf",
			"--backend: \"ebpf\" is none of auto, ipvs, iptables, nftables" },
		{ "--proxy-mode=ebpf",
			"--proxy-mode: \"ebpf\" is none of auto, ipvs, iptables, nftables" },
		{ "--backend=nftables --netfilter=iptables",
			"--netfilter: excludes --backend=nftables" },
		{ "--backend=nftables --hand-over",
			"--hand-over: leads from the backends ipvs and iptables; restart with one "
			"of these first" },
		{ "-v loud", "-v: \"loud\" is none of error, warning, info, debug" },
		{ "--manifests=", "--manifests: the path is empty" },
		{ "--manifests", "--manifests: needs a value" },
		{ "--manifests --once", "--manifests: needs a value" },
		{ "--once --cleanup",
			"--once, --hand-over, --cleanup and --init-only exclude each other" },
		{ "--hand-over --cleanup",
			"--once, --hand-over, --cleanup and --init-only exclude each other" },
		{ "--diff", "--diff: is not an option of this command" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_mistake(OF_DAEMON, cases[i][0], cases[i][1]);
}

static void a_socket_path_must_fit_its_address(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	buf_adds(&text, "--status-socket=/");
	for (int i = 0; i < 108; i++)
		buf_addc(&text, 'x');
	assert_mistake(OF_DAEMON, buf_str(&text),
		"--status-socket: the path is longer than 107 characters");
}

static void a_list_has_a_limit(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	buf_adds(&text, "--ipvs-exclude-cidrs=");
	for (int i = 0; i <= OPTIONS_MAX_CIDRS; i++)
		buf_addf(&text, "10.%d.0.0/16,", i);
	assert_mistake(OF_DAEMON, buf_str(&text), "--ipvs-exclude-cidrs: more than 64 CIDRs");
}

static void an_unknown_option_names_the_nearest_one(void **state)
{
	(void)state;
	assert_mistake(OF_DAEMON, "--schedular=rr",
		"--schedular: unknown option; did you mean --scheduler?");
	assert_mistake(OF_DAEMON, "--cluster_cdir 10.0.0.0/8 --once=x",
		"--cluster_cdir: unknown option; did you mean --cluster-cidr?; "
		"--once: \"x\" is neither true nor false");
	assert_mistake(OF_DAEMON, "--zzz", "--zzz: unknown option");
	assert_mistake(OF_DAEMON, "-x", "-x: unknown option");
	assert_mistake(OF_PLAN, "--audit-interval=1s",
		"--audit-interval: is not an option of this command");
	assert_mistake(OF_PLAN, "--masqerade-all",
		"--masqerade-all: unknown option; did you mean --masquerade-all?");
}

static void a_very_long_unknown_name_is_only_unknown(void **state)
{
	_cleanup_(line_done) struct line l;
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	buf_adds(&text, "--");
	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 'a');
	assert_int_equal(parse(&l, OF_DAEMON, buf_str(&text)), -EINVAL);
	assert_non_null(strstr(l.err.msg, "aaaa: unknown option"));
	assert_true(strlen(l.err.msg) < 100);
}

static void all_mistakes_are_named_at_once(void **state)
{
	(void)state;
	assert_mistake(OF_DAEMON,
		"--scheduler=! --drain-timeout=x --foo --iptables-masquerade-bit=99",
		"--scheduler: \"!\" is not the name of a scheduler; "
		"--drain-timeout: \"x\" is not a duration such as 1m30s; "
		"--foo: unknown option; "
		"--iptables-masquerade-bit: \"99\" is not a number between 0 and 31");
}

static void mistakes_beyond_the_room_are_counted(void **state)
{
	_cleanup_(line_done) struct line l;
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++)
		buf_addf(&text, "--what-is-this-%d ", i);
	assert_int_equal(parse(&l, OF_DAEMON, buf_str(&text)), -EINVAL);
	assert_non_null(strstr(l.err.msg, "--what-is-this-0: unknown option; "));
	assert_non_null(strstr(l.err.msg, " more"));
	assert_true(strlen(l.err.msg) < sizeof(l.err.msg) - 1);
}

static void help_and_version_forgive_mistakes(void **state)
{
	_cleanup_(line_done) struct line help, version;

	(void)state;
	assert_int_equal(parse(&help, OF_DAEMON, "--nonsense -h"), 0);
	assert_true(help.c.help);
	assert_int_equal(parse(&version, OF_DAEMON, "--version"), 0);
	assert_true(version.c.version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_the_defaults_hold),
		cmocka_unit_test(the_table_tells_the_defaults_that_hold),
		cmocka_unit_test(policy_options_reach_the_policy),
		cmocka_unit_test(options_of_external_addresses_reach_the_policy),
		cmocka_unit_test(the_external_mark_has_a_bit_of_its_own),
		cmocka_unit_test(marks_leave_the_masquerade_bit_alone),
		cmocka_unit_test(pods_are_recognised_by_what_the_mode_names),
		cmocka_unit_test(daemon_options_reach_the_config),
		cmocka_unit_test(aliases_and_underscores_name_the_same_options),
		cmocka_unit_test(booleans_take_a_value_only_behind_an_equals_sign),
		cmocka_unit_test(a_letter_takes_its_value_in_three_ways),
		cmocka_unit_test(kube_proxys_log_numbers_are_understood),
		cmocka_unit_test(an_empty_value_means_the_default_as_for_kube_proxy),
		cmocka_unit_test(the_zeros_of_kube_api_options_mean_the_default_as_for_kube_proxy),
		cmocka_unit_test(options_end_at_the_first_other_argument),
		cmocka_unit_test(arguments_of_plan_are_manifests),
		cmocka_unit_test(wrong_values_are_refused_in_words),
		cmocka_unit_test(a_socket_path_must_fit_its_address),
		cmocka_unit_test(a_list_has_a_limit),
		cmocka_unit_test(an_unknown_option_names_the_nearest_one),
		cmocka_unit_test(a_very_long_unknown_name_is_only_unknown),
		cmocka_unit_test(all_mistakes_are_named_at_once),
		cmocka_unit_test(mistakes_beyond_the_room_are_counted),
		cmocka_unit_test(help_and_version_forgive_mistakes),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
