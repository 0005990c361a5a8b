// SPDX-License-Identifier: GPL-2.0-or-later
/* What doctor judges of given facts: each trap, and silence about a healthy node. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "doctor.h"
#include "tree.h"

#define SYS "/proc/sys/net/"

static void add_link(struct doctor_facts *f, const char *name, const char *kind, unsigned mtu)
{
	struct interface l = {
		.mtu = mtu, .up = true, .carrier = true, .index = (int)f->n_links + 1
	};

	snprintf(l.name, sizeof(l.name), "%s", name);
	snprintf(l.kind, sizeof(l.kind), "%s", kind);
	f->links = mem_realloc(f->links, f->n_links + 1, sizeof(l));
	f->links[f->n_links++] = l;
}

static void add_address(struct doctor_facts *f, const char *link, const char *address)
{
	struct doctor_address a = { 0 };

	assert_int_equal(ip_parse(address, &a.ip), 0);
	snprintf(a.link, sizeof(a.link), "%s", link);
	mem_grow(f->addresses, f->n_addresses, f->cap_addresses);
	f->addresses[f->n_addresses++] = a;
}

static void add_module(struct doctor_facts *f, const char *name, enum module_state state)
{
	struct doctor_module *m = &f->modules[f->n_modules++];

	snprintf(m->name, sizeof(m->name), "%s", name);
	m->state = state;
}

static void set_status(struct doctor_facts *f, const char *json)
{
	json_error_t at;

	json_decref(f->status);
	f->status = json_loads(json, 0, &at);
	if (!f->status)
		fail_msg("%s", at.text);
}

/* Replaces a file. */
static void put(struct doctor_facts *f, const char *path, const char *text)
{
	for (size_t i = 0; i < f->n_files; i++)
		if (!strcmp(f->files[i].path, path)) {
			free(f->files[i].text);
			f->files[i].text = mem_strdup(text);
			return;
		}
	doctor_add_file(f, path, text);
}

static const char healthy_status[] =
	"{\"node\": \"node-a\", \"backend\": \"ipvs\","
	" \"input\": {\"kind\": \"apiserver\", \"synced\": true, \"complete\": true},"
	" \"warnings\": [], \"failures\": [], \"services\": ["
	"  {\"namespace\": \"default\", \"name\": \"kubernetes\", \"state\": \"OK\", \"reason\": \"\","
	"   \"ports\": [{\"port\": 443, \"state\": \"OK\", \"reason\": \"\","
	"    \"addresses\": [{\"address\": \"10.96.0.1\", \"port\": 443, \"kind\": \"ClusterIP\"}],"
	"    \"endpoints\": [{\"address\": \"192.168.50.1\", \"port\": 6443, \"used\": true}]}]},"
	"  {\"namespace\": \"shop\", \"name\": \"web\", \"state\": \"OK\", \"reason\": \"\","
	"   \"ports\": [{\"port\": 80, \"state\": \"OK\", \"reason\": \"\","
	"    \"addresses\": [{\"address\": \"10.96.0.9\", \"port\": 80, \"kind\": \"ClusterIP\"},"
	"     {\"address\": \"192.168.50.1\", \"port\": 30080, \"kind\": \"NodePort\"},"
	"     {\"address\": \"192.168.50.1\", \"port\": 80, \"kind\": \"ExternalIP\"}],"
	"    \"endpoints\": [{\"address\": \"10.244.1.11\", \"port\": 8080, \"used\": true}]}]}]}";

/* A node of kubeadm with flannel on Debian 12, served by the daemon. */
static int healthy_setup(void **state)
{
	struct doctor_facts *f = mem_zalloc(1, sizeof(*f));

	doctor_facts_init(f);
	f->socket = "/run/ipvsctl-svc/status.sock";
	f->backend = BACKEND_IPVS;
	snprintf(f->kernel.release, sizeof(f->kernel.release), "6.1.0-57-amd64");
	snprintf(f->kernel.version, sizeof(f->kernel.version), "#1 SMP Debian 6.1.0-57");
	set_status(f, healthy_status);
	add_module(f, "ip_vs", MODULE_THERE);
	put(f, SYS "ipv4/ip_forward", "1\n");
	put(f, SYS "ipv6/conf/all/forwarding", "1\n");
	put(f, SYS "ipv4/conf/all/rp_filter", "0\n");
	put(f, SYS "ipv4/ip_local_port_range", "32768\t60999\n");
	put(f, SYS "ipv4/ip_local_reserved_ports", "\n");
	put(f, SYS "ipv4/vs/conntrack", "1\n");
	put(f, SYS "ipv4/vs/conn_reuse_mode", "1\n");
	put(f, SYS "ipv4/vs/expire_nodest_conn", "1\n");
	put(f, SYS "ipv4/vs/expire_quiescent_template", "1\n");
	put(f, SYS "ipv4/vs/run_estimation", "1\n");
	put(f, "/proc/net/route",
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
		"eth0\t00000000\t0132A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		"cni0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
	put(f, "/proc/net/if_inet6",
		"00000000000000000000000000000001 01 80 10 80       lo\n"
		"fe80000000000000021122fffe334455 02 40 20 80     eth0\n");
	put(f, "/proc/net/ip_vs",
		"IP Virtual Server version 1.2.1 (size=4096)\n"
		"Prot LocalAddress:Port Scheduler Flags\n"
		"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
		"TCP  0A600001:01BB rr \n"
		"  -> C0A83201:192B      Masq    1      20         3         \n");
	put(f, "/usr/lib/sysctl.d/50-default.conf", /* of systemd */
		"# comment\nkernel.sysrq = 16\nnet.ipv4.conf.default.rp_filter = 2\n"
		"net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n"
		"net.ipv4.conf.*.accept_source_route = 0\n-net.ipv4.ping_group_range = 0 2147483647\n");
	put(f, "/usr/lib/sysctl.d/99-protect-links.conf", "fs.protected_fifos = 1\n");
	put(f, "/etc/sysctl.d/99-kubernetes-cri.conf", "net.ipv4.ip_forward = 1\n");
	add_link(f, "lo", "loopback", 65536);
	add_link(f, "eth0", "", 1500);
	add_link(f, "docker0", "bridge", 1500);
	add_link(f, "cni0", "bridge", 1450);
	add_link(f, "veth0a", "veth", 1450);
	add_link(f, "flannel.1", "vxlan", 1450);
	add_link(f, "kube-ipvs0", "dummy", 1500);
	f->links[4].master = f->links[3].index;
	f->links[2].carrier = false;
	add_address(f, "lo", "127.0.0.1");
	add_address(f, "eth0", "192.168.50.1");
	add_address(f, "docker0", "172.17.0.1");
	add_address(f, "cni0", "10.244.1.1");
	add_address(f, "kube-ipvs0", "10.96.0.1");
	add_address(f, "flannel.1", "10.244.1.0");
	*state = f;
	return 0;
}

static int healthy_teardown(void **state)
{
	doctor_facts_done(*state);
	free(*state);
	return 0;
}

/* Each finding has a paragraph in a man page. */
static void assert_documented(const char *name)
{
	static const char *const pages[] = { "man/ipvsctl-svc-doctor.1.scd",
		"man/ipvsctl-svc-status.1.scd" };
	_cleanup_(buf_done) struct buf last = { 0 }, other = { 0 };
	bool found = false;

	buf_addf(&last, "*%s*\n", name);
	buf_addf(&other, "*%s*,", name);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		char text[65536];
		FILE *f = fopen(pages[i], "re");

		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
		found |= strstr(text, buf_str(&last)) || strstr(text, buf_str(&other));
	}
	if (!found)
		fail_msg("no man page has %s", name);
}

/* The names of all findings, separated by blanks; in each of them all members are told. */
static const char *names_of(const struct doctor_facts *f)
{
	static char names[1024];
	json_t *diagnosis = doctor_diagnose(f), *o;
	size_t i, len = 0;

	names[0] = '\0';
	json_array_foreach(json_object_get(diagnosis, "findings"), i, o) {
		static const char *const members[] = { "name", "seen", "why", "remedy", "command" };

		for (size_t m = 0; m < ARRAY_SIZE(members); m++)
			assert_true(*tree_text(o, members[m]));
		assert_documented(tree_text(o, "name"));
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? " " : "",
			tree_text(o, "name"));
	}
	assert_int_equal(tree_true(diagnosis, "healthy"), !len || !strcmp(names, "tcp-timeout"));
	json_decref(diagnosis);
	return names;
}

/* A member of the only finding. */
static const char *member_of(const struct doctor_facts *f, const char *member)
{
	static char text[1024];
	json_t *diagnosis = doctor_diagnose(f);
	const json_t *findings = json_object_get(diagnosis, "findings");

	assert_int_equal(json_array_size(findings), 1);
	snprintf(text, sizeof(text), "%s", tree_text(json_array_get(findings, 0), member));
	json_decref(diagnosis);
	return text;
}

static void a_healthy_node_has_no_findings(void **state)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *diagnosis = doctor_diagnose(*state);

	assert_string_equal(names_of(*state), "");
	doctor_diagnosis_text(diagnosis, &out);
	assert_non_null(
		strstr(buf_str(&out), "Node: node-a   Backend: ipvs (kernel 6.1.0-57-amd64)"));
	assert_non_null(strstr(buf_str(&out), "\nNothing is wrong.\n"));
	json_decref(diagnosis);
}

static void a_finding_is_told_in_full(void **state)
{
	struct doctor_facts *f = *state;
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *diagnosis;

	put(f, SYS "ipv4/vs/est_nice", "-5\n");
	diagnosis = doctor_diagnose(f);
	doctor_diagnosis_text(diagnosis, &out);
	assert_non_null(strstr(buf_str(&out),
		"Findings: 1\n\n"
		"estimators: net.ipv4.vs.est_nice is -5\n"
		"  Why:    Estimating rates comes before the programs of this node.\n"
		"  Remedy: sysctl -w net.ipv4.vs.est_nice=0\n"
		"  Proof:  sysctl net.ipv4.vs.est_nice\n"));
	json_decref(diagnosis);
}

static void without_a_daemon_that_comes_first(void **state)
{
	struct doctor_facts *f = *state;

	json_decref(take(f->status));
	err_set(&f->no_status, -111, "Connection refused");
	f->modules[0].state = MODULE_MISSING;
	add_module(f, "ip_vs_rr", MODULE_UNKNOWN);
	json_array_append_new(f->traps,
		json_string("input-drop: the policy of chain input in table "
			    "t; remedy: nft insert rule"));
	json_array_append_new(f->leftovers, json_string("nftables table ip kube-proxy"));
	assert_string_equal(names_of(f), "no-daemon input-drop module other-proxy");
}

static void missing_modules_have_their_package(void **state)
{
	struct doctor_facts *f = *state;

	json_decref(take(f->status));
	f->modules[0].state = MODULE_MISSING;
	snprintf(f->kernel.release, sizeof(f->kernel.release), "6.1.0-57-cloud-amd64");
	{
		json_t *diagnosis = doctor_diagnose(f);
		const json_t *o = json_array_get(json_object_get(diagnosis, "findings"), 1);

		assert_string_equal(
			tree_text(o, "seen"), "Linux 6.1.0-57-cloud-amd64 has no module ip_vs");
		assert_string_equal(
			tree_text(o, "remedy"), "install the package linux-image-amd64");
		json_decref(diagnosis);
	}
}

/* Each warning of the daemon has a name and a remedy of its own. */
static void warnings_of_the_daemon_are_taken(void **state)
{
	static const struct {
		const char *sentence, *name;
	} cases[] = {
		{ "bridge: pods are connected to a bridge", "bridge" },
		{ "conn-reuse: net.ipv4.vs.conn_reuse_mode is 0 and should be 1: x", "conn-reuse" },
		{ "conntrack-full: 9 of 10", "conntrack-full" },
		{ "conntrack-off: net.ipv4.vs.conntrack is 0 and should be 1: x", "conntrack-off" },
		{ "estimators: Linux 5.10", "estimators" },
		{ "expire: net.ipv4.vs.expire_nodest_conn is 0", "expire" },
		{ "forward-drop: the policy", "forward-drop" },
		{ "input-drop: the policy", "input-drop" },
		{ "ip-forward: net.ipv4.ip_forward is 0 and should be 1: x", "ip-forward" },
		{ "mark-bit: the IPv4 policy rule", "mark-bit" },
		{ "output-drop: the policy", "output-drop" },
		{ "policy-rule: the IPv4 policy rule", "policy-rule" },
		{ "route-localnet: net.ipv4.conf.all.route_localnet is 0", "route-localnet" },
		{ "rp-filter: net.ipv4.conf.all.rp_filter is 1 (strict): x", "rp-filter" },
		{ "source-ports: ports at which", "source-ports" },
		{ "tcp-timeout: IPVS forgets", "tcp-timeout" },
		{ "IPVS cannot be used, so iptables is", "fallback" },
		{ "ipset and iptables cannot be used, so nftables is", "fallback" },
		{ "the input is incomplete: 3 objects", "input-incomplete" },
		{ "cannot follow services: GET https://h/api: HTTP status 401", "api-credentials" },
		{ "cannot follow services: GET https://h/api: HTTP status 403", "api-rights" },
		{ "cannot follow services: SSL certificate problem", "api-certificate" },
		{ "cannot follow services: connection refused", "api" },
		{ "kube-proxy left chain IPv4 nat KUBE-SEP: see cleanup", "other-proxy" },
		{ "iptables-legacy: the other variant of iptables has rules", "other-variant" },
		{ "/m/a.yaml:3:1: wrong", "warning" },
	};
	struct doctor_facts *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_object_set_new(f->status, "warnings", json_pack("[s]", cases[i].sentence));
		assert_string_equal(names_of(f), cases[i].name);
	}
	json_object_set_new(f->status, "warnings",
		json_pack(
			"[s]", "input-drop: the policy of input drops; remedy: nft insert rule x"));
	assert_string_equal(member_of(f, "seen"), "the policy of input drops");
	assert_string_equal(member_of(f, "remedy"), "nft insert rule x");
}

static void a_note_is_no_reason_to_worry(void **state)
{
	struct doctor_facts *f = *state;
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *diagnosis;

	json_object_set_new(
		f->status, "warnings", json_pack("[s, s]", "tcp-timeout: IPVS", "expire: x"));
	assert_string_equal(names_of(f), "expire tcp-timeout");
	json_object_set_new(f->status, "warnings", json_pack("[s]", "tcp-timeout: IPVS forgets"));
	diagnosis = doctor_diagnose(f);
	assert_true(tree_true(diagnosis, "healthy"));
	doctor_diagnosis_text(diagnosis, &out);
	assert_non_null(strstr(buf_str(&out),
		"   Findings: 0   Notes: 1\nNothing is wrong.\n\ntcp-timeout: IPVS forgets\n"));
	json_decref(diagnosis);
}

static void a_setting_that_was_changed_has_its_file(void **state)
{
	struct doctor_facts *f = *state;

	json_object_set_new(f->status, "warnings",
		json_pack("[s]", "ip-forward: net.ipv4.ip_forward is 0 and should be 1: x"));
	put(f, SYS "ipv4/ip_forward", "0\n");
	put(f, "/etc/sysctl.d/99-kubernetes-cri.conf", "# net.ipv4.ip_forward = 1\n");
	assert_non_null(
		strstr(member_of(f, "seen"), "should be 1: x; no file of sysctl.d sets it"));
	assert_non_null(
		strstr(member_of(f, "command"), "auditctl -w /proc/sys/net/ipv4/ip_forward"));
	put(f, "/etc/sysctl.d/zz-hard.conf", "\n-net/ipv4/ip_forward=0\n");
	assert_non_null(
		strstr(member_of(f, "seen"), "; /etc/sysctl.d/zz-hard.conf:2 sets it to 0"));
	assert_non_null(strstr(member_of(f, "command"), "sed -n 2p /etc/sysctl.d/zz-hard.conf"));
}

static void the_last_file_of_sysctl_d_counts(void **state)
{
	struct doctor_facts *f = *state;

	put(f, "/usr/lib/sysctl.d/10-vendor.conf", "net.ipv4.ip_forward=0");
	assert_string_equal(names_of(f), "sysctl-file"); /* it is read last here */
	assert_string_equal(member_of(f, "seen"),
		"/usr/lib/sysctl.d/10-vendor.conf:1 sets net/ipv4/ip_forward to 0, and it must be 1");
	put(f, "/etc/sysctl.d/zz.conf", "; x = y\nnet.ipv4.ip_forward= 1 \n");
	assert_string_equal(names_of(f), "");
	put(f, "/etc/sysctl.conf", "net.ipv4.vs.conntrack =0\n"); /* 1 is right, and it is so now */
	assert_string_equal(names_of(f), "sysctl-file");
}

static void a_pattern_of_sysctl_d_counts_less_than_a_name(void **state)
{
	struct doctor_facts *f = *state;
	_cleanup_(buf_done) struct buf value = { 0 };
	unsigned line;

	put(f, "/usr/lib/sysctl.d/50-default.conf",
		"net.ipv4.conf.eth0/100.rp_filter = 1\nnet.ipv4.conf.*.rp_filter = 2\n");
	assert_string_equal(doctor_sysctl_file(f, "net/ipv4/conf/eth1/rp_filter", &value, &line),
		"/usr/lib/sysctl.d/50-default.conf");
	assert_string_equal(buf_str(&value), "2");
	assert_int_equal(line, 2);
	doctor_sysctl_file(f, "net/ipv4/conf/eth0.100/rp_filter", &value, &line);
	assert_string_equal(buf_str(&value), "1");
	assert_null(doctor_sysctl_file(f, "net/ipv4/tcp_syncookies", &value, &line));
}

static void source_ports_inside_of_node_ports(void **state)
{
	struct doctor_facts *f = *state;

	put(f, SYS "ipv4/ip_local_port_range", "1024\t65535\n");
	assert_string_equal(names_of(f), "port-range");
	put(f, SYS "ipv4/ip_local_reserved_ports", "30080\n"); /* of one Service */
	assert_string_equal(names_of(f), "port-range");
	put(f, SYS "ipv4/ip_local_reserved_ports", "8080,30000-32767\n");
	assert_string_equal(names_of(f), "");
}

static void other_proxies(void **state)
{
	struct doctor_facts *f = *state;

	f->proxies[1].pid = 7;
	f->cilium_replaces = mem_strdup("false");
	assert_string_equal(names_of(f), "");
	memcpy(f->cilium_replaces, "true", sizeof("true"));
	assert_string_equal(names_of(f), "other-proxy");
	memcpy(f->cilium_replaces, "", 1);
	f->proxies[0].pid = 8;
	assert_string_equal(member_of(f, "seen"), "kube-proxy runs as process 8");
	f->proxies[0].pid = 0;
	f->proxies[2].pid = 9;
	assert_string_equal(names_of(f), "other-proxy");
	add_link(f, "kube-dummy-if", "", 1500);
	assert_string_equal(member_of(f, "command"), "ip link show kube-dummy-if");
	add_link(f, "bpfin.cali", "", 1500);
	assert_string_equal(names_of(f), "other-proxy other-proxy");
}

static void kube_router_may_route_only(void **state)
{
	struct doctor_facts *f = *state;

	f->proxies[2].pid = 9;
	f->proxies[2].options = mem_zalloc(1, sizeof(*f->proxies[2].options));
	f->proxies[2].options[f->proxies[2].n_options++] = mem_strdup("--run-service-proxy=false");
	assert_string_equal(names_of(f), "");
}

#define IPVS_STATUS(conns, buckets, services, service_buckets)                  \
	"Conns:\t" conns "\nConn buckets:\t" buckets " (19 bits, lfactor -4)\n" \
	"Conn buckets empty:\t505633 (96%)\nConn buckets len-1:\t18322 (98%)\n" \
	"Services:\t" services "\nService buckets:\t" service_buckets           \
	" (7 bits, lfactor -3)\nService buckets empty:\t116 (90%)\n"            \
	"Stats thread slots:\t1 (max 16)\n"

static void tables_of_ipvs_that_grow(void **state)
{
	struct doctor_facts *f = *state;

	put(f, SYS "ipv4/vs/conn_max", "1048576\n");
	put(f, "/proc/net/ip_vs_status", IPVS_STATUS("9401", "524288", "12", "128"));
	assert_string_equal(names_of(f), "");
	put(f, "/proc/net/ip_vs_status", IPVS_STATUS("1000000", "524288", "12", "128"));
	assert_string_equal(names_of(f), "ipvs-full");
	put(f, "/proc/net/ip_vs_status", IPVS_STATUS("40960", "4096", "12", "128"));
	assert_string_equal(names_of(f), "ipvs-table");
	assert_non_null(strstr(member_of(f, "remedy"), "conn_lfactor"));
	put(f, "/proc/net/ip_vs_status", IPVS_STATUS("40", "4096", "5000", "16"));
	assert_string_equal(names_of(f), "ipvs-services");
	assert_non_null(strstr(member_of(f, "remedy"), "svc_lfactor"));
}

static void tables_of_ipvs_of_one_size(void **state)
{
	static const char head[] = "IP Virtual Server version 1.2.1 (size=4096)\n"
				   "Prot LocalAddress:Port Scheduler Flags\n"
				   "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
	struct doctor_facts *f = *state;
	_cleanup_(buf_done) struct buf table = { 0 };

	buf_addf(&table,
		"%sTCP  0A600001:01BB rr \n"
		"  -> C0A83201:192B      Masq    1      20000      13000\n"
		"  -> C0A83202:192B      Masq    1      1          0\n",
		head);
	put(f, "/proc/net/ip_vs", buf_str(&table));
	assert_string_equal(names_of(f), "ipvs-table");
	assert_string_equal(
		member_of(f, "seen"), "IPVS has 33001 connections in 4096 buckets, 8 in each");
	assert_non_null(strstr(member_of(f, "remedy"), "conn_tab_bits"));
	buf_reset(&table);
	buf_adds(&table, head);
	for (int i = 0; i < 8192; i++)
		buf_addf(&table, "UDP  [fd00:0000:0000:0000:0000:0000:0000:%04X]:0035 rr \n", i);
	put(f, "/proc/net/ip_vs", buf_str(&table));
	assert_string_equal(
		member_of(f, "seen"), "IPVS has 8192 virtual servers in 256 buckets, 32 in each");
}

static void estimators_on_isolated_cpus(void **state)
{
	struct doctor_facts *f = *state;

	put(f, SYS "ipv4/vs/est_cpulist", "0-3,8\n");
	put(f, "/sys/devices/system/cpu/isolated", "\n");
	assert_string_equal(names_of(f), "");
	put(f, "/sys/devices/system/cpu/isolated", "4-7,8-11\n");
	assert_non_null(strstr(member_of(f, "seen"), "CPU 8"));
	put(f, SYS "ipv4/vs/run_estimation", "0\n");
	assert_string_equal(names_of(f), "");
}

static void tunnels_that_are_too_large(void **state)
{
	struct doctor_facts *f = *state;

	f->links[5].mtu = 1500;
	assert_string_equal(names_of(f), "mtu");
	assert_string_equal(member_of(f, "seen"),
		"the vxlan tunnel flannel.1 has MTU 1500 and adds 50 bytes, but eth0, through which its "
		"packets leave, has MTU 1500");
	f->links[5].up = false;
	assert_string_equal(names_of(f), "");
	add_link(f, "eth1", "", 9000); /* it may be the way of the tunnel */
	f->links[5].up = true;
	assert_string_equal(names_of(f), "");
	f->links[5].lower = f->links[1].index;
	assert_string_equal(names_of(f), "mtu");
	f->links[5].lower = 0;
	add_link(f, "genev_sys_6081", "geneve", 65000); /* of Open vSwitch */
	assert_string_equal(names_of(f), "");
}

static void pods_that_are_too_large(void **state)
{
	struct doctor_facts *f = *state;

	f->n_links = 5; /* no tunnel */
	f->links[1].mtu = 1400;
	assert_string_equal(names_of(f), "mtu");
	assert_string_equal(member_of(f, "seen"),
		"cni0 of pods has MTU 1450, but eth0 with the default route has 1400");
	f->links[1].mtu = 1450;
	assert_string_equal(names_of(f), ""); /* docker0 is not ours */
	f->links[1].mtu = 1400;
	put(f, "/proc/net/route", "Iface\tDestination\n"); /* no way to the outside */
	assert_string_equal(names_of(f), "");
}

static void strict_filters_with_several_ways(void **state)
{
	struct doctor_facts *f = *state;

	put(f, SYS "ipv4/conf/eth0/rp_filter", "1\n");
	assert_string_equal(names_of(f), "");
	add_link(f, "eth1", "", 1500);
	assert_string_equal(names_of(f), "rp-filter");
	put(f, SYS "ipv4/conf/all/rp_filter", "2\n"); /* the greater one counts */
	assert_string_equal(names_of(f), "");
	put(f, SYS "ipv4/conf/all/rp_filter", "1\n"); /* the daemon warns */
	assert_string_equal(names_of(f), "");
}

static void duplicate_addresses(void **state)
{
	struct doctor_facts *f = *state;

	add_link(f, "eth1", "", 1500);
	add_address(f, "eth1", "192.168.50.1");
	assert_string_equal(names_of(f), "duplicate-address");
	assert_string_equal(member_of(f, "seen"), "192.168.50.1 is on eth0 and on eth1");
	f->n_addresses--;
	add_address(f, "kube-ipvs0", "192.168.50.1");
	assert_string_equal(names_of(f), "");
	put(f, "/proc/net/if_inet6", "fd000050000000000000000000000001 02 40 00 c8     eth0\n");
	assert_string_equal(
		member_of(f, "seen"), "duplicate address detection failed for fd00:50::1 on eth0");
}

static void addresses_without_a_carrier(void **state)
{
	struct doctor_facts *f = *state;

	f->links[1].carrier = false;
	assert_string_equal(names_of(f), "unreachable-address");
}

static void services_that_are_wrong(void **state)
{
	struct doctor_facts *f = *state;
	json_t *services = json_object_get(f->status, "services");
	json_t *web = json_array_get(services, 1);
	json_t *port = json_array_get(json_object_get(web, "ports"), 0);
	json_t *endpoint = json_array_get(json_object_get(port, "endpoints"), 0);

	json_object_set_new(web, "state", json_string("Degraded"));
	assert_string_equal(names_of(f), "degraded");
	json_object_set_new(web, "state", json_string("Refused"));
	json_object_set_new(json_array_get(services, 0), "state", json_string("Failing"));
	assert_string_equal(names_of(f), "failing refused");
	json_object_set_new(json_array_get(services, 0), "state", json_string("Draining"));
	json_object_set_new(web, "state", json_string("NoEndpoints"));
	assert_string_equal(names_of(f), "");
	json_object_set_new(port, "reason",
		json_string("no endpoint has a port \"http\" for TCP; they have \"web\" for TCP"));
	assert_string_equal(names_of(f), "port-name");
	json_object_set_new(port, "reason", json_string(""));
	json_object_set_new(endpoint, "address", json_string("10.96.0.1"));
	assert_string_equal(member_of(f, "seen"),
		"the endpoint 10.96.0.1:8080 of shop/web is an address of the Service "
		"default/kubernetes");
	json_object_set_new(
		endpoint, "address", json_string("192.168.50.1")); /* of the host network */
	assert_string_equal(names_of(f), "");
	json_object_set_new(endpoint, "port", json_integer(80));
	assert_string_equal(names_of(f), "service-endpoint");
}

static void objects_that_fail(void **state)
{
	struct doctor_facts *f = *state;

	json_object_set_new(f->status, "failures", json_pack("[s, s]", "one", "two"));
	assert_string_equal(member_of(f, "seen"), "one, and more objects");
	json_object_set_new(f->status, "failures", json_array());
	json_object_set_new(
		f->status, "input", json_pack("{s:s, s:b}", "kind", "apiserver", "synced", 0));
	assert_string_equal(names_of(f), "not-synced");
}

static void names_that_were_not_expanded(void **state)
{
	char *const argv[] = { (char *)"ipvsctl-svcd", (char *)"--hostname-override=$(NODE_NAME)",
		NULL };
	struct doctor_facts *f = *state;
	int rest;

	config_parse(
		&f->config, OPTIONS_DAEMON | OPTIONS_INPUT | OPTIONS_POLICY, 2, argv, &rest, NULL);
	assert_string_equal(names_of(f), "unexpanded");
	assert_non_null(strstr(member_of(f, "remedy"), "fieldPath: spec.nodeName"));
}

static void a_configuration_with_mistakes(void **state)
{
	struct doctor_facts *f = *state;

	f->config.mistakes.line[f->config.mistakes.n++] = "--proxy-mode: \"x\" is not supported";
	assert_string_equal(names_of(f), "configuration");
}

enum { NOW = 1700000000, HOUR = 3600, DAY = 24 * HOUR };

static void an_api_server_that_answers(void **state)
{
	struct doctor_facts *f = *state;

	f->api.asked = true;
	f->api.now = NOW;
	f->api.server_time = NOW + 60;
	snprintf(f->config.options.node_name, sizeof(f->config.options.node_name), "node-a");
	f->api.node = json_loads("[{\"status\": {\"addresses\": ["
				 "{\"type\": \"InternalIP\", \"address\": \"192.168.50.1\"},"
				 "{\"type\": \"ExternalIP\", \"address\": \"203.0.113.9\"},"
				 "{\"type\": \"Hostname\", \"address\": \"node-a\"}]}}]",
		0, NULL);
	f->api.certificates[CERTIFICATE_OWN] = (struct validity){ NOW - 20 * HOUR, NOW + 4 * HOUR };
	f->api.certificates[CERTIFICATE_SERVER] =
		(struct validity){ NOW - 300 * DAY, NOW + 65 * DAY };
	assert_string_equal(names_of(f), "");
	f->n_addresses = 1;
	assert_string_equal(member_of(f, "seen"),
		"the InternalIP 192.168.50.1 of Node node-a is on no interface here");
	json_array_clear(f->api.node);
	assert_string_equal(member_of(f, "seen"), "the API server has no Node \"node-a\"");
}

static void an_api_server_that_does_not(void **state)
{
	struct doctor_facts *f = *state;

	f->api.asked = true;
	err_set(&f->api.failure, -ECONNREFUSED, "GET https://h/version: refused");
	assert_string_equal(names_of(f), "api");
	f->api.failure.code = -EACCES;
	assert_string_equal(names_of(f), "api-credentials");
	f->api.failure.code = -EPROTO;
	assert_string_equal(names_of(f), "api-certificate");
	json_object_set_new(/* the daemon tells it already */
		f->status, "warnings", json_pack("[s]", "cannot follow services: refused"));
	assert_string_equal(names_of(f), "api");
}

static void clocks_that_differ(void **state)
{
	struct doctor_facts *f = *state;

	f->api.now = NOW;
	f->api.server_time = NOW - 90;
	assert_string_equal(member_of(f, "seen"),
		"the clock of this node is 90 s before that of the API server");
	f->api.server_time = NOW + 61;
	assert_string_equal(member_of(f, "seen"),
		"the clock of this node is 61 s behind that of the API server");
	f->api.server_time = 0;
	assert_string_equal(names_of(f), "");
}

static void certificates_that_expire(void **state)
{
	struct doctor_facts *f = *state;

	f->api.now = NOW;
	f->api.certificates[CERTIFICATE_OWN] = (struct validity){ NOW - 350 * DAY, NOW + 15 * DAY };
	assert_string_equal(
		member_of(f, "seen"), "the certificate of the daemon expires in 15 days");
	f->api.certificates[CERTIFICATE_OWN].until = NOW + 5 * HOUR;
	assert_string_equal(member_of(f, "seen"), "the certificate of the daemon expires in 5 h");
	f->api.certificates[CERTIFICATE_OWN].until = NOW;
	assert_string_equal(member_of(f, "seen"), "the certificate of the daemon has expired");
	f->api.certificates[CERTIFICATE_SERVER] = f->api.certificates[CERTIFICATE_OWN];
	assert_string_equal(names_of(f), "certificate certificate");
}

static void rights_that_are_missing(void **state)
{
	struct doctor_facts *f = *state;

	json_array_append_new(f->api.denied, json_string("list services"));
	json_array_append_new(f->api.denied, json_string("watch services"));
	assert_string_equal(
		member_of(f, "seen"), "the daemon's user may not: list services, watch services");
	assert_string_equal(names_of(f), "api-rights");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, healthy_setup, healthy_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_node_has_no_findings),
		TEST(a_finding_is_told_in_full),
		TEST(without_a_daemon_that_comes_first),
		TEST(missing_modules_have_their_package),
		TEST(warnings_of_the_daemon_are_taken),
		TEST(a_note_is_no_reason_to_worry),
		TEST(a_setting_that_was_changed_has_its_file),
		TEST(the_last_file_of_sysctl_d_counts),
		TEST(a_pattern_of_sysctl_d_counts_less_than_a_name),
		TEST(source_ports_inside_of_node_ports),
		TEST(other_proxies),
		TEST(kube_router_may_route_only),
		TEST(tables_of_ipvs_that_grow),
		TEST(tables_of_ipvs_of_one_size),
		TEST(estimators_on_isolated_cpus),
		TEST(tunnels_that_are_too_large),
		TEST(pods_that_are_too_large),
		TEST(strict_filters_with_several_ways),
		TEST(duplicate_addresses),
		TEST(addresses_without_a_carrier),
		TEST(services_that_are_wrong),
		TEST(objects_that_fail),
		TEST(names_that_were_not_expanded),
		TEST(a_configuration_with_mistakes),
		TEST(an_api_server_that_answers),
		TEST(an_api_server_that_does_not),
		TEST(clocks_that_differ),
		TEST(certificates_that_expire),
		TEST(rights_that_are_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
