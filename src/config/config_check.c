// SPDX-License-Identifier: GPL-2.0-or-later
/* When everything is given: the defaults that depend on it, and what options say of each other. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "config_own.h"

static void mistake(struct config *c, const struct option_row *o, const char *words)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	option_shown(c, o, &b);
	note(c, &c->mistakes, "%s: %s", buf_str(&b), words);
}

/* Defaults */

/* kube-proxy's servers follow the family of bindAddress, as far as that comes from the file. */
static const char *preset_of(const struct config *c, const struct option_row *o)
{
	const struct option_row *bind = option_named("bind-address");
	bool v6 = c->given[option_index(bind)].origin == ORIGIN_FILE &&
		c->bind_address.family == AF_INET6;

	if (v6 && o == option_named("healthz-bind-address"))
		return "[::]:10256";
	if (v6 && o == option_named("metrics-bind-address"))
		return "[::1]:10249";
	return o->preset;
}

/* On a machine that is no node of a cluster nothing is tuned or opened without being asked for. */
static void set_cluster_presets(struct config *c)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	if (c->n_manifests)
		return;
	for (; n; n--, o++)
		if (o->traits & CLUSTER_PRESET && !option_given(c, o))
			o->type->set(c, o, preset_of(c, o), NULL);
}

/*
 * The deprecated options for a port alone: it is that of an address that was given without one, and
 * 0 means no server.
 */
static void set_port(struct config *c, const char *address_name, const char *port_name,
	struct listen_address *address)
{
	const struct option_row *o = option_named(port_name);
	const char *text = c->given[option_index(option_named(address_name))].text;
	struct ip ip;
	long port;

	if (!option_given(c, o))
		return;
	port = strtol(c->given[option_index(o)].text, NULL, 10);
	if (!port)
		*address = (struct listen_address){ 0 };
	else if (text && !ip_parse(text, &ip))
		address->port = (uint16_t)port;
}

/* By values and not by what was given: what is printed gives everything. */
static bool uses_ipvs_periods(const struct config *c)
{
	int64_t preset = 0;

	switch (c->options.backend) {
	case BACKEND_IPVS:
		return true;
	case BACKEND_IPTABLES:
		return false;
	case BACKEND_AUTO:
		read_duration(option_named("ipvs-sync-period")->preset, &preset, NULL);
		return c->ipvs_sync_period != preset;
	}
	return false;
}

/* What kube-proxy does every syncPeriod, to look at the kernel as a whole, is the audit here. */
static void set_sync_period(struct config *c)
{
	bool ipvs = uses_ipvs_periods(c);
	const struct option_row *o =
		option_named(ipvs ? "ipvs-sync-period" : "iptables-sync-period");
	int64_t min = ipvs ? c->ipvs_min_sync_period : c->iptables_min_sync_period;

	c->sync_period = ipvs ? c->ipvs_sync_period : c->iptables_sync_period;
	if (min > c->sync_period)
		mistake(c, option_named(ipvs ? "ipvs-min-sync-period" : "iptables-min-sync-period"),
			"is longer than the sync period itself");
	if (option_given(c, o) && !option_given(c, option_named("audit-interval")))
		c->audit_interval = c->sync_period > AUDIT_INTERVAL_MIN ? (uint64_t)c->sync_period
									: AUDIT_INTERVAL_MIN;
}

static void set_json(struct config *c)
{
	const char *types = *c->accept_content_types ? c->accept_content_types : c->content_type;

	c->json = !strstr(types, "application/vnd.kubernetes.protobuf");
}

/* Checks */

static void check_interface(struct config *c, const char *name, const char *interface)
{
	_cleanup_(buf_done) struct buf words = { 0 };

	buf_adds(&words, "is needed with ");
	option_shown_short(c, option_named("detect-local-mode"), &words);
	buf_addf(&words, "=%s",
		c->options.detect_local == DETECT_BRIDGE_INTERFACE ? "BridgeInterface"
								   : "InterfaceNamePrefix");
	if (!*interface)
		mistake(c, option_named(name), buf_str(&words));
	snprintf(c->options.interface, sizeof(c->options.interface), "%s", interface);
}

static void check_detect_local(struct config *c)
{
	switch (c->options.detect_local) {
	case DETECT_BRIDGE_INTERFACE:
		check_interface(c, "pod-bridge-interface", c->bridge_interface);
		break;
	case DETECT_INTERFACE_NAME_PREFIX:
		check_interface(c, "pod-interface-name-prefix", c->interface_prefix);
		break;
	case DETECT_CLUSTER_CIDR:
	case DETECT_NODE_CIDR:
		break;
	}
}

/*
 * The bit that asks for masquerading is set in packets whose other bits select a virtual server.
 * Where only that bit was chosen, ours are what is left of the default beside it.
 */
static void check_marks(struct config *c)
{
	const struct option_row *o = option_named("mark-mask");
	uint32_t bit = UINT32_C(1) << c->options.masquerade_bit, *mask = &c->options.mark_mask;
	uint32_t below = *mask & (bit - 1), above = *mask & ~(bit - 1) & ~bit;

	if (!(*mask & bit))
		return;
	if (option_given(c, o))
		mistake(c, o, "must not have the bit that asks for masquerading");
	else
		*mask = __builtin_popcount(below) > __builtin_popcount(above) ? below : above;
}

static const char *text_of(const struct config *c, const struct option_row *o)
{
	const char *text = c->given[option_index(o)].text;

	return text ? text : "";
}

static bool is_in_file(const struct config *c, const struct option_row *o)
{
	return c->given[option_index(o)].origin == ORIGIN_FILE;
}

/* Where the file says a thing in kube-proxy's way and in ours, ours counts: not to be missed. */
static void check_said_twice(struct config *c)
{
	const struct option_row *backend = option_named("backend"), *mode = option_keyed("mode");
	const struct option_row *level = option_named("log-level");
	const struct option_row *verbosity = option_keyed("logging.verbosity");
	bool debug = strtol(text_of(c, verbosity), NULL, 10) >= VERBOSITY_DEBUG;

	if (*text_of(c, mode) && is_in_file(c, backend) &&
		strcasecmp(text_of(c, mode), backend_name(c->options.backend)) != 0)
		note(c, &c->warnings, CONFIG_KIND ".%s: %s counts in its place", mode->key,
			backend->key);
	if (debug && is_in_file(c, level) && c->log_level != LOG_DEBUG)
		note(c, &c->warnings, CONFIG_KIND ".%s: %s counts in its place", verbosity->key,
			level->key);
}

static void check_actions(struct config *c)
{
	if (c->once + c->cleanup + c->init_only > 1)
		note(c, &c->mistakes,
			"--once, --cleanup, --init-only: only one of them can be done");
}

static void check_input(struct config *c)
{
	const struct option_row *api = option_named(*c->kubeconfig ? "kubeconfig" : "master");
	_cleanup_(buf_done) struct buf words = { 0 };

	if (!c->n_manifests || (!*c->kubeconfig && !*c->master))
		return;
	buf_adds(&words, "cannot be used together with ");
	option_shown_short(c, api, &words);
	buf_adds(&words, ": Services come either from files or from an API server");
	mistake(c, option_named("manifests"), buf_str(&words));
}

/* kube-proxy's rules about its own log, as it would refuse to start. */
static void check_logging(struct config *c)
{
	static const char *const alpha[] = { "log-text-split-stream", "log-text-info-buffer-size",
		"log-json-split-stream", "log-json-info-buffer-size" };
	const char *format = c->given[option_index(option_named("logging-format"))].text;
	const struct option_row *vmodule = option_named("vmodule");

	if (option_given(c, vmodule) && format && !strcmp(format, "json"))
		mistake(c, vmodule, "can be had with the format \"text\" only");
	for (size_t i = 0; i < ARRAY_SIZE(alpha) && !gate_enabled(c, "LoggingAlphaOptions"); i++) {
		const struct option_row *o = option_named(alpha[i]);
		const char *text = c->given[option_index(o)].text;
		bool on = false;

		if (text && (strtod(text, NULL) > 0 || (!read_bool(text, &on, NULL) && on)))
			mistake(c, o, "needs the feature gate LoggingAlphaOptions");
	}
}

static void warn_unhonoured(struct config *c)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (config_unhonoured(c, &text))
		note(c, &c->warnings, "known, and without effect here: %s", buf_str(&text));
}

void config_check(struct config *c)
{
	set_cluster_presets(c);
	set_port(c, "healthz-bind-address", "healthz-port", &c->healthz);
	set_port(c, "metrics-bind-address", "metrics-port", &c->metrics);
	set_json(c);
	c->options.external_ips = gate_enabled(c, "AllowServiceExternalIPs");
	check_detect_local(c);
	check_marks(c);
	check_said_twice(c);
	check_actions(c);
	check_input(c);
	set_sync_period(c);
	check_logging(c);
	warn_unhonoured(c);
}
