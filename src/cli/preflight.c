// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Announces what ipvsctl-svcd would do on a node that kube-proxy serves. It takes the daemon's own
 * steps, from the choice of the backend to the first audit, with an engine that applies nothing.
 */
#include "preflight.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "command.h"
#include "config/config.h"
#include "core/engine.h"
#include "daemon/backend.h"
#include "daemon/inputs.h"
#include "daemon/netfilter.h"
#include "dry.h"
#include "kernel/adapters.h"
#include "kernel/iptables.h"
#include "kernel/iptables_text.h"
#include "kernel/leftovers.h"
#include "kernel/link.h"
#include "kernel/nftables.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"
#include "kernel/traps.h"
#include "report/plan.h"
#include "takeover_config.h"
#include "tree.h"
#include "way.h"

#define COMMAND "preflight"

enum {
	PREFLIGHT_OPTIONS = OPTIONS_PREFLIGHT | OPTIONS_INPUT | OPTIONS_POLICY,
	FEED_MS = 40000,    /* longer than the API server's source waits for a Node object */
	TROUBLE_MS = 10000, /* of an API server that does not answer */
};

static const char preflight_help[] =
	"Usage: ipvsctl-svc preflight [--manifests FILE|DIR | --kubeconfig FILE] [OPTIONS]\n\n"
	"Run on a node that kube-proxy serves, as root: reads the configuration of kube-proxy and\n"
	"the kernel, and tells what ipvsctl-svcd would adopt and change with these options, which\n"
	"options of kube-proxy have no effect, what must be done first, and the commands there and\n"
	"back. Writes nothing to the kernel.\n\n";

static const char preflight_exit_codes[] =
	"\nExit code: 0 everything can be taken over, 1 something must be done first,\n"
	"2 wrong usage, 4 no permission.\n";

struct preflight {
	struct takeover_config takeover;

	struct node_view view;
	struct store store;
	struct event_base *base;
	struct inputs inputs;
	bool fed;
	struct adapters adapters, other;
	struct rule_pool other_rules; /* none */
	struct engine *engine;
	struct plan plan;
	struct err audit; /* why the kernel could not be read */

	json_t *tree, *first, *warnings, *layout;
};

static void preflight_init(struct preflight *p)
{
	*p = (struct preflight){
		.tree = json_pack("{s:s, s:s}", "apiVersion", "ipvsctl.io/v1", "kind", "Preflight"),
		.first = json_array(),
		.warnings = json_array(),
		.layout = json_array(),
	};
	takeover_config_init(&p->takeover);
	store_init(&p->store);
}

static void preflight_done(struct preflight *p)
{
	plan_done(&p->plan);
	engine_free(take(p->engine)); /* before its adapters */
	adapters_close(&p->adapters);
	adapters_close(&p->other);
	rule_pool_done(&p->other_rules);
	inputs_done(&p->inputs);
	if (p->base)
		event_base_free(take(p->base));
	store_done(&p->store);
	node_view_done(&p->view);
	takeover_config_done(&p->takeover);
	json_decref(p->tree);
	json_decref(p->first);
	json_decref(p->warnings);
	json_decref(p->layout);
}

static void add_sentence(const char *sentence, void *arg)
{
	json_array_append_new(arg, json_string(sentence));
}

static void add_words(json_t *list, const char *before, const char *words)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	buf_addf(&b, "%s%s", before, words);
	add_sentence(buf_str(&b), list);
}

/* The configuration */

/* The warning with the options that notHonoured lists. */
static const char unhonoured_note[] = "accepted without effect";

static void add_unhonoured(const char *name, const char *why, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s}", "option", name, "reason", why));
}

/* What the configuration is, and what is wrong with it. */
static void tell_configuration(struct preflight *p)
{
	const struct config *c = &p->takeover.config;
	json_t *unhonoured = json_array();

	for (size_t i = 0; i < c->mistakes.n; i++)
		add_words(p->first, "correct the configuration: ", c->mistakes.line[i]);
	if (p->takeover.extra)
		add_words(p->first, "take this argument of kube-proxy away: ", p->takeover.extra);
	config_each_unhonoured(c, add_unhonoured, unhonoured);
	json_object_set_new(p->tree, "notHonoured", unhonoured);
	for (size_t i = 0; i < c->warnings.n; i++)
		if (strncmp(c->warnings.line[i], unhonoured_note, strlen(unhonoured_note)) != 0)
			add_words(p->warnings, "configuration: ", c->warnings.line[i]);
}

static const char *proxy_mode(const struct preflight *p)
{
	/* kube-proxy's automatic choice on Linux. */
	return p->takeover.proxy.options.backend == BACKEND_AUTO
		? backend_name(BACKEND_IPTABLES)
		: backend_name(p->takeover.proxy.options.backend);
}

static void tell_kube_proxy(struct preflight *p)
{
	const char *file = takeover_config_file(&p->takeover);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "pid", p->takeover.found.pid, "runsIn",
		p->takeover.found.pod		 ? "pod"
			: p->takeover.found.unit ? "unit"
			: p->takeover.found.pid	 ? "process"
						 : "",
		"unit", p->takeover.found.unit ? p->takeover.found.unit : "", "configuration",
		file ? file : "");
	json_t *options = json_array();

	for (size_t i = 0; i < p->takeover.found.n_options; i++)
		add_sentence(p->takeover.found.options[i], options);
	json_object_set_new(o, "options", options);
	json_object_set_new(
		o, "mode", json_string(file || p->takeover.found.pid ? proxy_mode(p) : ""));
	json_object_set_new(p->tree, "kubeProxy", o);
	if (!file && !p->takeover.found.pid)
		add_sentence(
			"kube-proxy's configuration was not found: no process of that name runs in "
			"this network namespace, and there is no " TAKEOVER_CONFIG_FILE
			"; give --config FILE, or its options",
			p->warnings);
}

/* The backend */

static bool can_make_namespaces(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &header, data) && data[0].effective & 1u << CAP_SYS_ADMIN;
}

/* As the daemon's start does, which ends where this returns false. */
static bool choose_backend(struct preflight *p)
{
	struct err no_ipvs = { 0 }, no_iptables = { 0 }, err;
	int r = backend_choose(&p->takeover.config, &p->view, &no_ipvs, &err);

	if (r >= 0)
		r = netfilter_choose(
			&p->takeover.config, &p->view, &no_ipvs, &p->adapters, &no_iptables, &err);
	if (r >= 0 && p->view.backend == BACKEND_IPVS)
		r = backend_check_scheduler(&p->takeover.config.options, &err);
	if (r < 0) {
		add_sentence(err.msg, p->first);
		return false;
	}
	if (no_ipvs.code) {
		_cleanup_(buf_done) struct buf b = { 0 };

		buf_addf(&b, "IPVS cannot be used, so the backend would be %s: %s",
			backend_name(p->view.backend), no_ipvs.msg);
		add_sentence(buf_str(&b), p->warnings);
	}
	if (no_iptables.code)
		add_words(p->warnings, "ipset and iptables cannot be used, so nftables would be: ",
			no_iptables.msg);
	return true;
}

/* The Services */

static void on_input_changed(void *arg)
{
	(void)arg;
}

static void on_input_fed(void *arg)
{
	struct preflight *p = arg;

	p->fed = true;
	event_base_loopbreak(p->base);
}

/* Whoever cannot be reached for a while is not waited for. */
static void on_trouble_time(evutil_socket_t fd, short what, void *arg)
{
	struct preflight *p = arg;

	(void)fd;
	(void)what;
	if (p->inputs.trouble[0].resource)
		event_base_loopbreak(p->base);
}

static void on_input_servers(void *arg)
{
	struct preflight *p = arg;
	size_t n;
	const struct node_socket *servers = kube_servers(p->inputs.kube, &n);

	node_view_set_api_in_use(&p->view, servers, n);
}

/* Returns 0, or a negative errno with words: the Services are not known. */
static int read_services(struct preflight *p, struct err *err)
{
	const struct timeval limit = clock_timeval(FEED_MS), trouble = clock_timeval(TROUBLE_MS);
	int r;

	if (config_input(&p->takeover.config) == INPUT_NONE)
		return err_set(err, -ENOENT, "give --kubeconfig FILE or --manifests FILE|DIR");
	p->base = event_base_new();
	if (!p->base)
		return err_set(err, -ENOMEM, "cannot make an event loop");
	r = inputs_start(&p->inputs,
		&(struct inputs_config){ .config = &p->takeover.config,
			.base = p->base,
			.store = &p->store,
			.on_changed = on_input_changed,
			.on_fed = on_input_fed,
			.on_complete = on_input_changed,
			.on_servers = on_input_servers,
			.arg = p },
		err);
	if (r >= 0 && p->inputs.kube) {
		event_base_loopexit(p->base, &limit);
		event_base_once(p->base, -1, EV_TIMEOUT, on_trouble_time, p, &trouble);
		event_base_dispatch(p->base);
	}
	inputs_warn(&p->inputs, add_sentence, p->warnings);
	if (r >= 0 && !p->fed)
		r = err_set(err, -ETIMEDOUT, "the API server did not send all objects");
	return r < 0 ? r : 0;
}

/* The kernel */

static void on_preflight_audit(const struct err *err, void *arg)
{
	struct preflight *p = arg;

	if (err)
		p->audit = *err;
}

static int read_addresses(struct preflight *p, struct err *err)
{
	struct ip *local, primary[2];
	size_t n_local;
	int r = link_addresses(&local, &n_local, err);

	if (r < 0)
		return r;
	primary[0] = link_primary_address(AF_INET, local, n_local);
	primary[1] = link_primary_address(AF_INET6, local, n_local);
	node_view_update(&p->view, local, n_local, primary, &p->store);
	return 0;
}

/* Reads the kernel with the daemon's adapters and an engine that applies nothing. Without Services
 * nothing is to be removed. */
static int look_at_kernel(struct preflight *p, bool compared, struct err *err)
{
	/* Asking IPVS would load it. */
	const bool with_ipvs = p->view.backend == BACKEND_IPVS || !access("/proc/net/ip_vs", F_OK);
	int r = read_addresses(p, err);

	p->engine = engine_new(&(struct engine_config){ .store = &p->store,
		.view = &p->view,
		.dry_run = true,
		.on_audit = on_preflight_audit,
		.arg = p });
	engine_set_input_complete(p->engine, compared && inputs_complete(&p->inputs));
	if (r >= 0)
		r = adapters_open(&p->adapters, with_ipvs ? ADAPTERS_ALL : ADAPTERS_NO_IPVS,
			engine_rules(p->engine), &p->view, err);
	if (r >= 0)
		r = adapters_open_other(&p->other, &p->other_rules, &p->view, err);
	if (r < 0)
		return r;
	adapters_serve(&p->adapters, p->engine);
	engine_add_earlier_members(p->engine, adapters_sets(&p->other));
	if (netfilter_translates(&p->other))
		engine_enter_last(p->engine);
	p->view.random_fully =
		!p->adapters.iptables || iptables_info(p->adapters.iptables)->random_fully;
	if (plan_make(&p->plan, p->engine, &p->store, &p->view, true))
		return err_set(err, -EIO, "%s", p->audit.msg);
	return 0;
}

/* What is told about the kernel */

/* preflight_text.c has their names for people. */
static const char *const kind_keys[FACT_KINDS] = {
	[FACT_LINK] = "devices",
	[FACT_POLICY_RULE] = "policyRules",
	[FACT_SET] = "sets",
	[FACT_MEMBER] = "setMembers",
	[FACT_CHAIN] = "chains",
	[FACT_DISPATCH] = "dispatchEntries",
	[FACT_JUMP] = "jumps",
	[FACT_VS] = "virtualServers",
	[FACT_RS] = "realServers",
	[FACT_HELD] = "heldAddresses",
	[FACT_ROUTE] = "routes",
	[FACT_ADDR] = "addresses",
};

struct kind_counts {
	bool compared;
	json_int_t adopted, changed, added, removed, kept, foreign;
};

static void count_state(const struct fact_key *key, const struct fact_state *s, void *arg)
{
	struct kind_counts *c = arg;
	const bool same = s->present && fact_val_eq(&s->want, &s->have);

	(void)key;
	if (s->present && s->foreign)
		c->foreign++;
	else if (s->present && !c->compared) /* what Services want is not known */
		c->adopted++;
	else if (s->present && s->wanted)
		*(same ? &c->adopted : &c->changed) += 1;
	else if (s->present)
		*(s->kept ? &c->kept : &c->removed) += 1;
	else if (s->wanted)
		c->added++;
}

static void tell_objects(struct preflight *p, bool compared)
{
	json_t *objects = json_object();

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct kind_counts c = { .compared = compared };
		json_t *o;

		ledger_each(engine_ledger(p->engine), kind, count_state, &c);
		if (!(c.adopted + c.changed + c.added + c.removed + c.kept + c.foreign) ||
			(!compared && !(c.adopted + c.foreign)))
			continue;
		o = json_pack("{s:I, s:I}", "adopted", c.adopted, "foreign", c.foreign);
		if (compared) {
			json_object_set_new(o, "changed", json_integer(c.changed));
			json_object_set_new(o, "added", json_integer(c.added));
			json_object_set_new(o, "removed", json_integer(c.removed));
			json_object_set_new(o, "kept", json_integer(c.kept));
		}
		json_object_set_new(objects, kind_keys[kind], o);
	}
	json_object_set_new(p->tree, "objects", objects);
}

/* The members of a plan that matter here have the same names and forms. */
static void tell_differences(struct preflight *p)
{
	static const char *const members[] = { "differences", "conflicts", "refused",
		"notProxied" };
	json_t *tree;

	p->plan.print_rule = iptables_print_rule;
	p->plan.nftables = &dry_nftables_words;
	tree = plan_json(&p->plan);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_object_set(p->tree, members[i], json_object_get(tree, members[i]));
	json_decref(tree);
}

/* What the other interface of netfilter has of kube-proxy or of us goes when ours is in force. */
static void tell_other_interface(struct preflight *p)
{
	struct store none;
	struct engine *e;
	struct plan removal;

	if (!p->other.ipset && !p->other.iptables && !p->other.nftables)
		return;
	store_init(&none);
	e = engine_new(
		&(struct engine_config){ .store = &none, .view = &p->view, .dry_run = true });
	adapters_serve(&p->other, e);
	engine_release_all(e);
	if (!plan_make(&removal, e, &none, &p->view, true) && removal.n_differences)
		json_object_set_new(p->tree, "otherInterface",
			json_pack("{s:s, s:I}", "netfilter",
				netfilter_name(p->view.netfilter == NETFILTER_NFTABLES
						? NETFILTER_IPTABLES
						: NETFILTER_NFTABLES),
				"removed", (json_int_t)removal.n_differences));
	plan_done(&removal);
	engine_free(e);
	store_done(&none);
}

static void tell_leftovers(struct preflight *p)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	json_t *list = json_array();
	struct err err;

	iptables_leftovers(p->adapters.iptables, &l);
	iptables_leftovers(p->other.iptables, &l); /* where nftables is to be used */
	if (leftovers_find_tables(&l, &err) < 0)
		add_sentence(err.msg, p->warnings);
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		leftover_print(&line, &l.v[i]);
		add_sentence(buf_str(&line), list);
	}
	json_object_set_new(p->tree, "leftovers", list);
}

/* Whether kube-proxy's nftables mode has left a table. */
static bool tables_left(const struct preflight *p)
{
	const json_t *list = json_object_get(p->tree, "leftovers"), *line;
	size_t i;

	json_array_foreach(list, i, line) {
		if (!strncmp(json_string_value(line), "nftables", strlen("nftables")))
			return true;
	}
	return false;
}

/* Where its configuration is unknown, the mode of kube-proxy is seen by what it left. */
static void tell_mode_by_kernel(struct preflight *p)
{
	json_t *o = json_object_get(p->tree, "kubeProxy");
	const struct ledger *l = engine_ledger(p->engine);
	const struct ledger_counts *servers = ledger_counts_of(l, FACT_VS);
	const char *mode = "";

	if (*tree_text(o, "mode"))
		return;
	if (tables_left(p))
		mode = backend_name(BACKEND_NFTABLES);
	else if (servers->present > servers->foreign)
		mode = backend_name(BACKEND_IPVS);
	else if (ledger_counts_of(l, FACT_CHAIN)->present ||
		json_object_get(p->tree, "otherInterface"))
		mode = backend_name(BACKEND_IPTABLES);
	json_object_set_new(o, "mode", json_string(mode));
}

static void tell_traps(struct preflight *p)
{
	_cleanup_(buf_done) struct buf mixed = { 0 };
	const struct ledger *l = engine_ledger(p->engine);
	struct trap_facts traps;

	traps_read(p->view.backend == BACKEND_IPVS ? p->adapters.ipvs : NULL, p->adapters.iptables,
		&p->view,
		ledger_counts_of(l, FACT_VS)->present + ledger_counts_of(l, FACT_RS)->present,
		ledger_counts_of(l, FACT_POLICY_RULE)->wanted, &traps);
	traps.n_wanted = 0; /* the daemon makes these settings: tell_settings() */
	traps_judge(&traps, add_sentence, p->warnings);
	iptables_print_mixed(p->adapters.iptables, &mixed);
	if (mixed.len)
		add_words(p->warnings,
			"the other variant of iptables has rules for Services, too, and packets pass "
			"both; remove these rules with: ",
			buf_str(&mixed));
}

/* Settings */

static void tell_settings_of(json_t *list, const struct sysctl *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sysctl *s = &wanted[i];
		long value = 0;
		json_t *o;
		int r = sysctl_read(s->path, &value);

		if (!r && (value == s->value || (s->at_least && value > s->value)))
			continue;
		o = json_pack("{s:s, s:I}", "setting", s->path, "becomes", (json_int_t)s->value);
		if (!r)
			json_object_set_new(o, "is", json_integer(value));
		json_array_append_new(list, o);
	}
}

static void tell_settings(struct preflight *p)
{
	struct sysctl wanted[SYSCTL_MAX_WANTED], conntrack[SYSCTL_MAX_CONNTRACK];
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	json_t *list = json_array();
	unsigned major, minor;
	size_t n;

	sysctl_kernel_version(&major, &minor);
	n = p->view.backend == BACKEND_IPVS
		? sysctl_wanted(major, minor, p->takeover.config.strict_arp, p->view.ipv6, wanted)
		: sysctl_wanted_without_ipvs(p->takeover.config.strict_arp, p->view.ipv6,
			  node_view_localhost_nodeports(&p->view), wanted);
	tell_settings_of(list, wanted, n);
	n = sysctl_wanted_conntrack(
		&p->takeover.config.conntrack, cpus > 0 ? (unsigned)cpus : 1, conntrack);
	tell_settings_of(list, conntrack, n);
	json_object_set_new(p->tree, "settings", list);
}

/* What the layout changes whatever the Services are. */
static void tell_layout(struct preflight *p)
{
	const struct options *o = &p->takeover.config.options;
	const bool ipvs = p->view.backend == BACKEND_IPVS;
	const size_t addresses = ledger_counts_of(engine_ledger(p->engine), FACT_ADDR)->present;
	const size_t servers = ledger_counts_of(engine_ledger(p->engine), FACT_VS)->present;

	if (ipvs && o->vip_mode == VIP_ROUTE && addresses)
		add_sentence(
			"addresses on kube-ipvs0 become local routes, each before its address is "
			"removed; --vip-mode=address keeps them",
			p->layout);
	if (ipvs && o->external_addresses == EXTERNAL_PORTS)
		add_sentence(
			"of external and load balancer addresses only the ports of Services are "
			"taken; connections of this node itself to such addresses end when "
			"kube-proxy's address goes; --external-addresses=local keeps them local",
			p->layout);
	if (!ipvs && servers)
		add_sentence(
			"virtual servers are removed when the rules of the backend are in force, "
			"and their connections end with --drain-timeout",
			p->layout);
	if (p->view.netfilter == NETFILTER_NFTABLES)
		add_sentence(
			"sets and rules are in a table of nftables; those of kube-proxy in ipset "
			"and iptables are removed when ours are in force",
			p->layout);
	add_sentence("the rules inside of the chains become ours", p->layout);
}

static void tell_commands(struct preflight *p)
{
	const struct way way = {
		.kube_proxy = &p->takeover.found,
		.mode = tree_text(json_object_get(p->tree, "kubeProxy"), "mode"),
		.backend = node_view_backend(&p->view),
		.daemon = buf_str(&p->takeover.command),
		.leftovers = json_array_size(json_object_get(p->tree, "leftovers")),
	};

	json_object_set_new(p->tree, "commands",
		json_pack("{s:o, s:o}", "there", way_there(&way), "back", way_back(&way)));
}

/* All in one */

static void tell_node(struct preflight *p)
{
	struct utsname u = { 0 };
	json_t *families = json_array();

	uname(&u);
	json_object_set_new(p->tree, "node", json_string(p->takeover.config.options.node_name));
	json_object_set_new(p->tree, "kernel", json_string(u.release));
	json_object_set_new(
		p->tree, "backend", json_string(backend_name(node_view_backend(&p->view))));
	json_object_set_new(p->tree, "netfilter",
		json_string(netfilter_name(node_view_on_nftables(&p->view) ? NETFILTER_NFTABLES
									   : NETFILTER_IPTABLES)));
	if (p->view.ipv4)
		add_sentence(family_name(AF_INET), families);
	if (p->view.ipv6)
		add_sentence(family_name(AF_INET6), families);
	json_object_set_new(p->tree, "families", families);
}

static void check_node(struct preflight *p)
{
	struct err err = { 0 };
	bool compared;

	node_view_init(&p->view, &p->takeover.config.options);
	if (!choose_backend(p))
		return;
	backend_view_config(&p->takeover.config, &p->view);
	compared = !read_services(p, &err);
	json_object_set_new(p->tree, "comparedWith",
		json_string(!compared		 ? ""
				: p->inputs.kube ? "apiserver"
						 : "manifests"));
	if (!compared)
		json_object_set_new(p->tree, "notCompared", json_string(err.msg));
	if (look_at_kernel(p, compared, &err) < 0) {
		add_words(p->first, "the kernel's state cannot be read: ", err.msg);
		return;
	}
	tell_objects(p, compared);
	if (compared)
		tell_differences(p);
	tell_other_interface(p);
	tell_layout(p);
	tell_leftovers(p);
	tell_mode_by_kernel(p);
	tell_traps(p);
	tell_settings(p);
}

static enum exit_code print_preflight(struct preflight *p)
{
	const enum plan_output output = p->takeover.given.output;
	_cleanup_(buf_done) struct buf out = { 0 };
	enum exit_code code;
	struct err err;

	if (output == PLAN_TEXT)
		preflight_text(p->tree, &out);
	else if (tree_print(p->tree, output == PLAN_YAML, &out, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT, err.msg);
	code = write_out(COMMAND, &out);
	return code || !json_array_size(p->first) ? code : EXIT_CODE_DIFFERENT;
}

static enum exit_code run_preflight(struct preflight *p)
{
	struct err err;

	if (probe_capabilities(&err) < 0)
		return command_complain(COMMAND, EXIT_CODE_PERMISSION, err.msg);
	if (!can_make_namespaces())
		return command_complain(COMMAND, EXIT_CODE_PERMISSION,
			"CAP_SYS_ADMIN is missing, without which trials would be visible in the "
			"kernel: run as root");
	log_set_level(LOG_ERROR); /* what the daemon would log is told below */
	if (takeover_config_read(&p->takeover, &err) < 0)
		return command_complain(COMMAND, EXIT_CODE_DIFFERENT, err.msg);
	tell_configuration(p);
	tell_kube_proxy(p);
	check_node(p);
	tell_node(p);
	tell_commands(p);
	json_object_set_new(p->tree, "ready", json_boolean(!json_array_size(p->first)));
	json_object_set(p->tree, "first", p->first);
	json_object_set(p->tree, "layout", p->layout);
	json_object_set(p->tree, "warnings", p->warnings);
	return print_preflight(p);
}

enum exit_code preflight_main(int argc, char **argv)
{
	_cleanup_(preflight_done) struct preflight p;
	struct err err;
	int rest;

	preflight_init(&p);
	if (config_parse(&p.takeover.given, PREFLIGHT_OPTIONS, argc, argv, &rest, &err))
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	if (p.takeover.given.help) {
		fputs(preflight_help, stdout);
		config_help(PREFLIGHT_OPTIONS, stdout);
		fputs(preflight_exit_codes, stdout);
		return EXIT_CODE_OK;
	}
	if (rest < argc) {
		err_set(&err, -EINVAL, "unexpected argument \"%s\"", argv[rest]);
		return command_complain(COMMAND, EXIT_CODE_USAGE, err.msg);
	}
	return run_preflight(&p);
}
