// SPDX-License-Identifier: GPL-2.0-or-later
#include "explain_view.h"

#include <string.h>

#include "show.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool truth(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void add_address_port(struct buf *out, const json_t *o)
{
	const char *address = text(o, "address");

	buf_addf(out,
		strchr(address, ':') ? "[%s]:%" JSON_INTEGER_FORMAT : "%s:%" JSON_INTEGER_FORMAT,
		address, number(o, "port"));
}

/* "a, b", or nothing */
static void add_list(struct buf *out, const char *title, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		buf_addf(out, "%s%s", i ? ", " : title, json_string_value(item));
	}
	if (json_array_size(list))
		buf_addc(out, '\n');
}

static void add_state(struct buf *out, const json_t *o)
{
	const char *state = text(o, "state"), *reason = text(o, "reason");

	buf_adds(out, state);
	if (!strcmp(state, "Draining") && number(o, "draining"))
		buf_addf(out, "(%" JSON_INTEGER_FORMAT ")", number(o, "draining"));
	if (*reason)
		buf_addf(out, " (%s)", reason);
}

/* A path */

static void add_virtual_server(struct buf *out, const json_t *vs)
{
	if (json_object_get(vs, "fwmark")) {
		buf_addf(out, " (virtual server of firewall mark %" JSON_INTEGER_FORMAT ")",
			number(vs, "fwmark"));
		return;
	}
	buf_adds(out, " (virtual server ");
	add_address_port(out, vs);
	buf_addf(out, "/%s)", text(vs, "protocol"));
}

static void add_endpoint(struct buf *out, const json_t *ep)
{
	const char *reason = text(ep, "reason");
	bool used = truth(ep, "used");

	buf_adds(out, used ? "      -> " : "      x  ");
	add_address_port(out, ep);
	if (!used) {
		buf_addf(out, "  left out: %s\n", reason);
		return;
	}
	buf_addf(out, "  weight %" JSON_INTEGER_FORMAT ", %s%s, %s", number(ep, "weight"),
		truth(ep, "local")	    ? "on this node"
			: *text(ep, "node") ? "on node "
					    : "on no known node",
		truth(ep, "local") ? "" : text(ep, "node"),
		truth(ep, "masquerade") ? "masqueraded" : "source address kept");
	if (strcmp(reason, "ready") != 0)
		buf_addf(out, " (%s)", reason);
	buf_addc(out, '\n');
}

static const char *source_words(const json_t *path)
{
	const char *from = text(path, "from");

	if (!strcmp(from, "pod"))
		return "pods";
	return strcmp(from, "node") ? from : "this node";
}

static void add_path(struct buf *out, const json_t *path)
{
	const json_t *eps = json_object_get(path, "endpoints"), *ep;
	const json_t *vs = json_object_get(path, "virtualServer");
	size_t i;

	buf_addf(out, "    from %s", source_words(path));
	if (*text(path, "address"))
		buf_addf(out, " (%s)", text(path, "address"));
	buf_addf(out, ": %s", text(path, "verdict"));
	if (*text(path, "reason"))
		buf_addf(out, ": %s", text(path, "reason"));
	if (json_is_object(vs))
		add_virtual_server(out, vs);
	if (*text(path, "chain"))
		buf_addf(out, " (chain %s)", text(path, "chain"));
	buf_addc(out, '\n');
	if (*text(path, "rule"))
		buf_addf(out, "      rule: %s\n", text(path, "rule"));
	if (!json_is_object(vs) && !*text(path, "chain"))
		return;
	json_array_foreach(eps, i, ep) {
		add_endpoint(out, ep);
	}
}

/* An address */

static void add_kernel(struct buf *out, const json_t *address)
{
	const json_t *present = json_object_get(address, "present");

	if (json_is_boolean(present))
		buf_adds(out, json_is_true(present) ? ", in the kernel" : ", NOT in the kernel");
	buf_addc(out, '\n');
	add_list(out, "    not as it should be: ", json_object_get(address, "problems"));
}

static void add_drain(struct buf *out, const json_t *address)
{
	const json_t *list = json_object_get(address, "draining"), *d;
	size_t i;

	json_array_foreach(list, i, d) {
		buf_adds(out, "    draining: ");
		add_address_port(out, d);
		buf_addf(out, " gets no new connections, has %" JSON_INTEGER_FORMAT " active\n",
			number(d, "active"));
	}
}

static void add_address(struct buf *out, const json_t *port, const json_t *address)
{
	const json_t *paths = json_object_get(address, "paths"), *path;
	size_t i;

	buf_adds(out, "\n  ");
	add_address_port(out, address);
	buf_addf(out, "/%s  %s, traffic policy %s", text(port, "protocol"), text(address, "kind"),
		text(address, "trafficPolicy"));
	if (*text(address, "heldBy")) {
		buf_addf(out, "\n    CONFLICT: the older Service %s has it\n",
			text(address, "heldBy"));
		return;
	}
	add_kernel(out, address);
	add_list(out, "    also wanted, in vain, by ", json_object_get(address, "alsoWantedBy"));
	add_drain(out, address);
	json_array_foreach(paths, i, path) {
		add_path(out, path);
	}
}

/* A port */

static void add_scheduler(struct buf *out, const json_t *service, const json_t *port, bool ipvs)
{
	const char *used = text(port, "scheduler"), *wanted = text(port, "requestedScheduler");

	buf_addf(out, "  scheduler %s", used);
	if (ipvs && strcmp(used, wanted) != 0)
		buf_addf(out, " (%s was asked for, which the kernel does not have)", wanted);
	if (number(port, "persistenceSeconds"))
		buf_addf(out, ", a client stays with its endpoint for %" JSON_INTEGER_FORMAT " s",
			number(port, "persistenceSeconds"));
	if (ipvs)
		buf_addf(out, ", endpoints that leave drain for at most %" JSON_INTEGER_FORMAT " s",
			number(service, "drainTimeoutMs") / 1000);
	else
		buf_adds(out, ", endpoints that leave keep their connections");
	buf_addc(out, '\n');
}

static void add_port(struct buf *out, const json_t *service, const json_t *port, bool ipvs)
{
	const json_t *addresses = json_object_get(port, "addresses"), *a;
	size_t i;

	buf_addf(out, "\nPort %s%s%" JSON_INTEGER_FORMAT "/%s", text(port, "name"),
		*text(port, "name") ? " " : "", number(port, "port"), text(port, "protocol"));
	if (number(port, "nodePort"))
		buf_addf(out, ", node port %" JSON_INTEGER_FORMAT, number(port, "nodePort"));
	buf_addf(out,
		": %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " endpoints get traffic, ",
		number(port, "ready"), number(port, "total"));
	add_state(out, port);
	buf_addc(out, '\n');
	add_scheduler(out, service, port, ipvs);
	json_array_foreach(addresses, i, a) {
		add_address(out, port, a);
	}
}

/* A Service */

static void add_health_check(struct buf *out, const json_t *check)
{
	json_int_t local = number(check, "localEndpoints");

	if (json_is_object(check))
		buf_addf(out,
			"  health check at node port %" JSON_INTEGER_FORMAT
			": %s, %" JSON_INTEGER_FORMAT " ready endpoints on this node\n",
			number(check, "port"), local ? "200" : "503", local);
}

static void add_service(struct buf *out, const json_t *service, bool ipvs)
{
	const json_t *ports = json_object_get(service, "ports"), *port;
	size_t i;

	buf_addf(out, "Service %s/%s, %s: ", text(service, "namespace"), text(service, "name"),
		text(service, "type"));
	add_state(out, service);
	buf_addc(out, '\n');
	if (!json_array_size(ports))
		return;
	buf_addf(out, "  traffic policy internal %s, external %s\n",
		text(service, "internalTrafficPolicy"), text(service, "externalTrafficPolicy"));
	add_list(out, "  load balancer addresses only from ",
		json_object_get(service, "loadBalancerSourceRanges"));
	add_health_check(out, json_object_get(service, "healthCheck"));
	add_list(out, "  limits of iptables: ", json_object_get(service, "limits"));
	json_array_foreach(ports, i, port) {
		add_port(out, service, port, ipvs);
	}
}

void explain_view(const json_t *explanation, struct buf *out)
{
	const json_t *services = json_object_get(explanation, "services"), *s;
	const json_t *notes = json_object_get(explanation, "notes"), *note;
	bool ipvs = strcmp(text(explanation, "backend"), "iptables") != 0;
	size_t i;

	json_array_foreach(services, i, s) {
		buf_adds(out, i ? "\n" : "");
		add_service(out, s, ipvs);
	}
	if (json_array_size(services) && json_array_size(notes))
		buf_addc(out, '\n');
	json_array_foreach(notes, i, note) {
		buf_addf(out, "%s\n", json_string_value(note));
	}
}

bool explain_view_found(const json_t *explanation)
{
	return json_array_size(json_object_get(explanation, "services"));
}

static bool is_bad(const char *state)
{
	static const char *const bad[] = { "Degraded", "Pending", "Conflict", "Failing" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!strcmp(state, bad[i]))
			return true;
	return false;
}

bool explain_view_is_fine(const json_t *explanation)
{
	const json_t *services = json_object_get(explanation, "services"), *s;
	size_t i;

	json_array_foreach(services, i, s) {
		if (is_bad(text(s, "state")))
			return false;
	}
	return true;
}
