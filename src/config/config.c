// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/command_line.h"
#include "config_file.h"
#include "config_values.h"
#include "option_value.h"

void config_init(struct config *c)
{
	const char *pod = getenv("KUBERNETES_SERVICE_HOST");
	const struct option_row *name = config_row("hostname-override");
	char host[NAME_MAX_LEN + 1] = "";

	*c = (struct config){ .in_cluster = pod && *pod, .default_dir = "", .what = "" };
	options_init(&c->options);
	config_set_presets(c);
	if (!gethostname(host, sizeof(host) - 1))
		option_set(name, c, host, true, NULL);
}

void config_done(struct config *c)
{
	free(c->manifests);
	arena_done(&c->arena);
	buf_done(&c->text);
	*c = (struct config){ 0 };
}

enum config_input config_input(const struct config *c)
{
	if (c->n_manifests)
		return INPUT_MANIFESTS;
	return *c->kubeconfig || *c->master || c->in_cluster ? INPUT_API : INPUT_NONE;
}

/* The command line */

static struct command_line begin_args(unsigned groups, int argc, char *const argv[])
{
	struct command_line l = {
		.groups = groups,
		.abbreviations = !(groups & OPTIONS_DAEMON),
		.options_first = !(groups & (OPTIONS_PLAN | OPTIONS_EXPLAIN)),
		.argc = argc,
		.argv = argv,
		.next = 1,
	};

	l.rows = config_options(&l.n_rows);
	return l;
}

/* Finds what decides which file is read: that comes before the options count. */
static void scout_args(struct config *c, unsigned groups, int argc, char *const argv[])
{
	struct command_line l = begin_args(groups, argc, argv);
	struct command_line_item item;
	int r;

	while ((r = command_line_next(&l, &item, NULL))) {
		if (r < 0)
			continue;
		if (!item.option)
			c->input_named |= (groups & OPTIONS_PLAN) != 0;
		else if (item.option == config_row("config"))
			config_set(c, item.option, item.value, ORIGIN_OPTION, NULL);
		else if (item.option == config_row("manifests") ||
			item.option == config_row("kubeconfig") ||
			item.option == config_row("master"))
			c->input_named = true;
	}
}

/* preflight only names the file: it is read with kube-proxy's own options. */
static bool reads_file(const struct config *c, unsigned groups)
{
	return *c->file && !(groups & OPTIONS_PREFLIGHT);
}

/* Returns the index of the first argument that is left. */
static int take_args(struct config *c, unsigned groups, int argc, char *const argv[])
{
	struct command_line l = begin_args(groups, argc, argv);
	_cleanup_(buf_done) struct buf ignored = { 0 };
	struct command_line_item item;
	struct err err;
	int r;

	while ((r = command_line_next(&l, &item, &err))) {
		const struct option_row *o;
		const char *shown = item.shown;
		unsigned wins;

		if (r < 0) {
			config_note(c, &c->mistakes, "%s", err.msg);
			continue;
		}
		o = item.option;
		if (!o && groups & OPTIONS_EXPLAIN) {
			if (*c->what)
				config_note(c, &c->mistakes, "%s: is one argument too many",
					item.value);
			c->what = item.value;
			continue;
		}
		if (!o) {
			o = config_row("manifests");
			shown = "--manifests";
		}
		wins = item.by_alias ? ALIAS_FILE_WINS | FILE_WINS : FILE_WINS;
		if (reads_file(c, groups) && o->traits & wins)
			buf_addf(&ignored, "%s%s", ignored.len ? ", " : "", shown);
		else if (config_set(c, o, item.value, ORIGIN_OPTION, &err))
			config_note(c, &c->mistakes, "%s: %s", shown, err.msg);
	}
	if (ignored.len)
		config_note(c, &c->warnings,
			"ignored beside a configuration file, as in kube-proxy; set them in the file: %s",
			buf_str(&ignored));
	return l.next;
}

/* Defaults that depend on other values */

/*
 * A machine that is no node of a cluster is not tuned, and no port opened, without being asked.
 * kube-proxy's servers follow the family of bindAddress if that comes from the file.
 */
static void set_cluster_presets(struct config *c)
{
	bool v6 = config_given(c, config_row("bind-address"))->origin == ORIGIN_FILE &&
		c->bind_address.family == AF_INET6;
	size_t n;
	const struct option_row *rows = config_options(&n);

	if (c->n_manifests)
		return;
	for (const struct option_row *o = rows; o < rows + n; o++) {
		const char *preset = o->preset;

		if (!(o->traits & CLUSTER_PRESET) || config_is_given(c, o))
			continue;
		if (v6 && o == config_row("healthz-bind-address"))
			preset = "[::]:10256";
		else if (v6 && o == config_row("metrics-bind-address"))
			preset = "[::1]:10249";
		option_set(o, c, preset, true, NULL);
	}
}

/*
 * The deprecated options for a port alone: the port belongs to an address that was given without
 * one; 0 means no server.
 */
static void set_port(struct config *c, const char *address_name, const char *port_name,
	uint16_t port, struct listen_address *address)
{
	const char *text = config_given(c, config_row(address_name))->text;
	struct ip ip;

	if (!config_is_given(c, config_row(port_name)))
		return;
	if (!port)
		*address = (struct listen_address){ 0 };
	else if (text && !ip_parse(text, &ip))
		address->port = port;
}

/*
 * kube-proxy reads the whole kernel state every syncPeriod of its backend; here the audit does.
 * With the automatic choice the value decides which period counts, and not its origin, because
 * --print-config gives every value.
 */
static void set_sync_period(struct config *c)
{
	const struct option_row *ipvs = config_row("ipvs-sync-period");
	const struct option_row *iptables = config_row("iptables-sync-period");
	const struct option_row *o = ipvs;
	int64_t preset = 0;

	switch (c->options.backend) {
	case BACKEND_IPVS:
		break;
	case BACKEND_IPTABLES:
	case BACKEND_NFTABLES:
		o = iptables;
		break;
	case BACKEND_AUTO:
		option_read_duration(ipvs->preset, &preset, NULL);
		o = c->ipvs_sync_period != preset ? ipvs : iptables;
		break;
	}
	c->sync_period = o == ipvs ? c->ipvs_sync_period : c->iptables_sync_period;
	if (config_is_given(c, o) && !config_is_given(c, config_row("audit-interval")))
		c->audit_interval = c->sync_period > AUDIT_INTERVAL_MIN ? (uint64_t)c->sync_period
									: AUDIT_INTERVAL_MIN;
}

/* kube-proxy's file has keys of their own for its nftables mode. */
static void take_nftables_keys(struct config *c)
{
	size_t n;
	const struct option_row *rows = config_options(&n);
	struct err err;

	for (size_t i = 0; i < n && c->options.backend == BACKEND_NFTABLES; i++) {
		const char *twin = config_nftables_twin(&rows[i]);

		if (twin && config_is_given(c, &rows[i]) &&
			config_set(c, config_row(twin), config_given(c, &rows[i])->text,
				ORIGIN_FILE, &err))
			config_note_key(c, &c->mistakes, rows[i].key, "%s", err.msg);
	}
}

/* Values that must fit each other */

static void check_netfilter(struct config *c)
{
	if (c->options.backend != BACKEND_NFTABLES)
		return;
	if (c->options.netfilter == NETFILTER_IPTABLES)
		config_mistake(c, config_row("netfilter"), "excludes --backend=nftables");
	if (c->hand_over)
		config_mistake(c, config_row("hand-over"),
			"leads from the backends ipvs and iptables; restart with one of these "
			"first");
}

static void check_detect_local(struct config *c)
{
	bool bridge = c->options.detect_local == DETECT_BRIDGE_INTERFACE;
	const char *interface = bridge ? c->bridge_interface : c->interface_prefix;
	_cleanup_(buf_done) struct buf option = { 0 };

	if (!options_detect_by_interface(&c->options))
		return;
	config_show(c, config_row("detect-local-mode"), &option);
	if (!*interface)
		config_mistake(c,
			config_row(bridge ? "pod-bridge-interface" : "pod-interface-name-prefix"),
			"is required with %s=%s", buf_str(&option),
			bridge ? "BridgeInterface" : "InterfaceNamePrefix");
	snprintf(c->options.interface, sizeof(c->options.interface), "%s%s", interface,
		bridge ? "" : "+");
}

/*
 * The masquerade bit is set in packets whose other bits select a virtual server. Where only that
 * bit was chosen, our mask is the larger part of the default beside it.
 */
static void check_marks(struct config *c)
{
	const struct option_row *o = config_row("mark-mask");
	uint32_t bit = UINT32_C(1) << c->options.masquerade_bit, *mask = &c->options.mark_mask;
	uint32_t below = *mask & (bit - 1), above = *mask & ~(bit - 1) & ~bit;

	if (!(*mask & bit))
		return;
	if (config_is_given(c, o))
		config_mistake(c, o, "must not contain the masquerade bit, which is bit %u",
			c->options.masquerade_bit);
	else
		*mask = __builtin_popcount(below) > __builtin_popcount(above) ? below : above;
}

static bool bit_has_other_purpose(const struct config *c, unsigned bit)
{
	return bit == c->options.masquerade_bit || (c->options.mark_mask & UINT32_C(1) << bit);
}

/* A packet to a port of an external address can have the bits of other purposes at the same time. */
static void check_external_mark(struct config *c)
{
	const struct option_row *o = config_row("external-mark-bit");
	_cleanup_(buf_done) struct buf other = { 0 };

	if (c->options.external_addresses == EXTERNAL_LOCAL ||
		c->options.backend == BACKEND_IPTABLES || c->options.backend == BACKEND_NFTABLES)
		return;
	/* The default gives way, first to bits 5 to 0, which other programs use least. */
	for (unsigned i = 0; !config_is_given(c, o) && i < 32; i++) {
		const unsigned bit = (37 - i) % 32;

		if (!bit_has_other_purpose(c, c->options.external_mark_bit))
			break;
		if (!bit_has_other_purpose(c, bit))
			c->options.external_mark_bit = (uint8_t)bit;
	}
	if (c->options.external_mark_bit == c->options.masquerade_bit) {
		config_show(c, config_row("iptables-masquerade-bit"), &other);
		config_mistake(c, o, "must differ from %s, which is bit %u too", buf_str(&other),
			c->options.masquerade_bit);
	} else if (c->options.mark_mask & UINT32_C(1) << c->options.external_mark_bit) {
		config_show(c, config_row("mark-mask"), &other);
		config_mistake(c, o, "bit %u must not be in %s, which is 0x%x",
			c->options.external_mark_bit, buf_str(&other), c->options.mark_mask);
	}
}

/* Where the file has kube-proxy's key and ours for one thing, ours counts. */
static void check_overridden(struct config *c)
{
	const struct option_row *backend = config_row("backend"), *mode = config_row("mode");
	const struct option_row *level = config_row("log-level");
	const struct option_row *verbosity = config_row("logging.verbosity");
	const char *mode_text = config_given(c, mode)->text;
	const char *verbosity_text = config_given(c, verbosity)->text;
	bool debug = verbosity_text && strtol(verbosity_text, NULL, 10) >= VERBOSITY_DEBUG;

	if (mode_text && *mode_text && config_given(c, backend)->origin == ORIGIN_FILE &&
		strcasecmp(mode_text, backend_name(c->options.backend)) != 0)
		config_note_key(c, &c->warnings, mode->key, "overridden by %s", backend->key);
	if (debug && config_given(c, level)->origin == ORIGIN_FILE && c->log_level != LOG_DEBUG)
		config_note_key(c, &c->warnings, verbosity->key, "overridden by %s", level->key);
}

static void check_values(struct config *c)
{
	const char *types;
	json_t *gates;
	_cleanup_(buf_done) struct buf unhonoured = { 0 }, api = { 0 };

	set_cluster_presets(c);
	set_port(c, "healthz-bind-address", "healthz-port", c->healthz_port, &c->healthz);
	set_port(c, "metrics-bind-address", "metrics-port", c->metrics_port, &c->metrics);
	take_nftables_keys(c);
	set_sync_period(c);
	types = *c->accept_content_types ? c->accept_content_types : c->content_type;
	c->json = !strstr(types, "application/vnd.kubernetes.protobuf");
	gates = config_value(c, config_row("feature-gates"));
	c->options.external_ips = !json_is_false(json_object_get(gates, "AllowServiceExternalIPs"));
	json_decref(gates);

	check_detect_local(c);
	check_marks(c);
	check_external_mark(c);
	check_overridden(c);
	check_netfilter(c);
	if (c->once + c->cleanup + c->init_only + c->hand_over > 1)
		config_note(c, &c->mistakes,
			"--once, --hand-over, --cleanup and --init-only exclude each other");
	if (c->n_manifests && (*c->kubeconfig || *c->master)) {
		config_show(c, config_row(*c->kubeconfig ? "kubeconfig" : "master"), &api);
		config_mistake(c, config_row("manifests"),
			"excludes %s: Services come either from files or from an API server",
			buf_str(&api));
	}
	if (config_unhonoured(c, &unhonoured))
		config_note(c, &c->warnings, "accepted without effect: %s", buf_str(&unhonoured));
}

/* All in one */

/* Where nothing names an input: that entry of the usual directory, if it is there. */
static void take_default(struct config *c, const char *option, const char *entry)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	if (!*c->default_dir || c->input_named)
		return;
	buf_addf(&path, "%s/%s", c->default_dir, entry);
	if (!access(buf_str(&path), F_OK))
		config_set(c, config_row(option), buf_str(&path), ORIGIN_OPTION, NULL);
}

int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err)
{
	const size_t room = sizeof(err->msg) - sizeof("; and 1234567890 more");
	const struct config_notes *m = &c->mistakes;
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t i = 0, left_out;
	int rest;

	scout_args(c, groups, argc, argv);
	if (!*c->file)
		take_default(c, "config", "config.yaml");
	if (reads_file(c, groups))
		config_file(c);
	rest = take_args(c, groups, argc, argv);
	if (config_input(c) == INPUT_NONE)
		take_default(c, "manifests", "manifests.d");
	check_values(c);

	if (!m->n || c->help || c->version) {
		*ret_rest = rest;
		return 0;
	}
	/* All mistakes in one text, as far as there is room. */
	for (; i < m->n && text.len + strlen(m->line[i]) + 2 <= room; i++)
		buf_addf(&text, "%s%s", i ? "; " : "", m->line[i]);
	left_out = m->n - i + m->left_out;
	if (left_out && i)
		buf_addf(&text, "; and %zu more", left_out);
	return err_set(err, -EINVAL, "%s", i ? buf_str(&text) : m->line[0]);
}
