// SPDX-License-Identifier: GPL-2.0-or-later
#include "top_view.h"

#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What is shown of a Service port or a virtual server. */
struct traffic {
	uint64_t active, inactive;
	uint64_t connections, in_packets, out_packets, in_bytes, out_bytes; /* in that time */
};

int top_sample_cmp(const void *a, const void *b)
{
	const struct top_sample *x = a, *y = b;

	return fact_key_cmp(&x->stats.key, &y->stats.key);
}

static struct top_sample *find(const struct top_samples *s, const struct fact_key *key)
{
	const struct top_sample wanted = { .stats.key = *key };

	return s->n ? bsearch(&wanted, s->list, s->n, sizeof(wanted), top_sample_cmp) : NULL;
}

/* Counters of a virtual server that was made anew in between begin at zero. */
static uint64_t grown(uint64_t before, uint64_t after)
{
	return after >= before ? after - before : after;
}

static void add_traffic(
	struct traffic *t, const struct top_samples *before, const struct top_sample *after)
{
	static const struct vs_stats none;
	const struct top_sample *old = find(before, &after->stats.key); /* NULL: it is new */
	const struct vs_stats *a = old ? &old->stats : &none, *b = &after->stats;

	t->active += after->active;
	t->inactive += after->inactive;
	t->connections += grown(a->connections, b->connections);
	t->in_packets += grown(a->in_packets, b->in_packets);
	t->out_packets += grown(a->out_packets, b->out_packets);
	t->in_bytes += grown(a->in_bytes, b->in_bytes);
	t->out_bytes += grown(a->out_bytes, b->out_bytes);
}

static json_t *rate(uint64_t n, double seconds)
{
	return json_integer((json_int_t)llround((double)n / seconds));
}

/* Adds the numbers to an object. */
static void set_traffic(json_t *o, const struct traffic *t, double seconds)
{
	json_object_set_new(o, "active", json_integer((json_int_t)t->active));
	json_object_set_new(o, "inactive", json_integer((json_int_t)t->inactive));
	json_object_set_new(o, "connectionsPerSecond", rate(t->connections, seconds));
	json_object_set_new(o, "inPacketsPerSecond", rate(t->in_packets, seconds));
	json_object_set_new(o, "outPacketsPerSecond", rate(t->out_packets, seconds));
	json_object_set_new(o, "inBytesPerSecond", rate(t->in_bytes, seconds));
	json_object_set_new(o, "outBytesPerSecond", rate(t->out_bytes, seconds));
}

/* By Service port */

struct top {
	const struct top_samples *before, *after;
	double seconds;
	bool *told; /* beside `after`: belongs to a Service */
	json_t *services, *virtual_servers;
};

static void take_sample(struct top *top, const struct fact_key *key, struct traffic *t)
{
	const struct top_sample *s = find(top->after, key);

	if (!s || top->told[s - top->after->list])
		return;
	top->told[s - top->after->list] = true;
	add_traffic(t, top->before, s);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* What another Service has is not this one's. */
static void take_addresses(struct top *top, const json_t *port, struct traffic *t)
{
	const json_t *list = json_object_get(port, "addresses"), *a;
	uint8_t proto = proto_parse(text(port, "protocol"));
	struct ip ip;
	size_t i;

	json_array_foreach(list, i, a) {
		struct fact vs;

		if (ip_parse(text(a, "address"), &ip) ||
			!json_is_true(json_object_get(a, "present")))
			continue;
		vs = fact_vs(&ip, (uint16_t)number(a, "port"), proto);
		take_sample(top, &vs.key, t);
	}
}

static void take_marks(struct top *top, const json_t *port, struct traffic *t)
{
	const json_t *list = json_object_get(port, "fwmarks"), *m;
	size_t i;

	json_array_foreach(list, i, m) {
		int family = strcmp(text(m, "family"), "IPv6") ? AF_INET : AF_INET6;
		struct fact vs = fact_vs_fwmark(family, (uint32_t)number(m, "fwmark"));

		take_sample(top, &vs.key, t);
	}
}

static void add_port(struct top *top, const json_t *service, const json_t *port)
{
	struct traffic t = { 0 };
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:s}", "namespace", text(service, "namespace"),
		"name", text(service, "name"), "portName", text(port, "name"), "port",
		number(port, "port"), "protocol", text(port, "protocol"));

	take_addresses(top, port, &t);
	take_marks(top, port, &t);
	set_traffic(o, &t, top->seconds);
	json_array_append_new(top->services, o);
}

static void add_services(struct top *top, const json_t *status)
{
	const json_t *services = json_object_get(status, "services"), *s, *port;
	size_t i, j;

	json_array_foreach(services, i, s) {
		const json_t *ports = json_object_get(s, "ports");

		json_array_foreach(ports, j, port) {
			add_port(top, s, port);
		}
	}
}

/* By virtual server */

static json_t *vs_json(const struct fact_key *key)
{
	struct ip ip = fact_ip(key);
	char s[IP_STRLEN];

	if (!key->proto)
		return json_pack("{s:I, s:s}", "fwmark", (json_int_t)fact_fwmark(key), "family",
			family_name(key->family));
	return json_pack("{s:s, s:i, s:s}", "address", ip_print(&ip, s), "port", (int)key->port,
		"protocol", proto_name(key->proto));
}

static void add_rest(struct top *top)
{
	for (size_t i = 0; i < top->after->n; i++) {
		const struct top_sample *s = &top->after->list[i];
		struct traffic t = { 0 };
		json_t *o;

		if (top->told[i])
			continue;
		o = vs_json(&s->stats.key);
		add_traffic(&t, top->before, s);
		set_traffic(o, &t, top->seconds);
		json_array_append_new(top->virtual_servers, o);
	}
}

json_t *top_json(const struct top_samples *before, const struct top_samples *after, double seconds,
	const json_t *status)
{
	_cleanup_free_ bool *told = mem_zalloc(after->n, sizeof(*told));
	struct top top = {
		.before = before,
		.after = after,
		.seconds = seconds,
		.told = told,
		.services = json_array(),
		.virtual_servers = json_array(),
	};

	add_services(&top, status);
	add_rest(&top);
	return json_pack("{s:s, s:s, s:s, s:f, s:o, s:o}", "apiVersion", "ipvsctl.io/v1", "kind",
		"Top", "source", status ? "daemon" : "kernel", "seconds", seconds, "services",
		top.services, "virtualServers", top.virtual_servers);
}

/* The table */

#define NUMBERS "ACTIVE", "INACTIVE", "CPS", "IN-PPS", "OUT-PPS", "IN-BPS", "OUT-BPS"
static const char *const titles[] = { "NAMESPACE", "NAME", "PORT", NUMBERS };
static const char *const keys[] = { "active", "inactive", "connectionsPerSecond",
	"inPacketsPerSecond", "outPacketsPerSecond", "inBytesPerSecond", "outBytesPerSecond" };
enum { NAMES = ARRAY_SIZE(titles) - ARRAY_SIZE(keys) };

static void add_row(
	struct show *t, const char *ns, const char *name, const char *port, const json_t *o)
{
	const char *cells[ARRAY_SIZE(titles)] = { ns, name, port };
	char numbers[ARRAY_SIZE(keys)][24];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%" JSON_INTEGER_FORMAT,
			number(o, keys[i]));
		cells[NAMES + i] = numbers[i];
	}
	show_add(t, cells, COLOUR_NONE);
}

static void print_virtual_server(struct buf *b, const json_t *o)
{
	const char *address = text(o, "address");

	if (!*address)
		buf_addf(b, "fwmark:%" JSON_INTEGER_FORMAT "/%s", number(o, "fwmark"),
			text(o, "family"));
	else
		buf_addf(b, "%s%s%s:%" JSON_INTEGER_FORMAT "/%s", strchr(address, ':') ? "[" : "",
			address, strchr(address, ':') ? "]" : "", number(o, "port"),
			text(o, "protocol"));
}

void top_view_table(const json_t *top, struct show *ret)
{
	const json_t *list = json_object_get(top, "services"), *o;
	size_t i;

	show_init(ret, titles, ARRAY_SIZE(titles));
	json_array_foreach(list, i, o) {
		_cleanup_(buf_done) struct buf port = { 0 };

		buf_addf(&port, "%" JSON_INTEGER_FORMAT "/%s", number(o, "port"),
			text(o, "protocol"));
		add_row(ret, text(o, "namespace"), text(o, "name"), buf_str(&port), o);
	}
	list = json_object_get(top, "virtualServers");
	json_array_foreach(list, i, o) {
		_cleanup_(buf_done) struct buf vs = { 0 };

		print_virtual_server(&vs, o);
		add_row(ret, "", "", buf_str(&vs), o);
	}
}
