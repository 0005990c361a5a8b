// SPDX-License-Identifier: GPL-2.0-or-later
#include "conns_tally.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/printable.h"
#include "core/fact.h"
#include "tree.h"

/* An address with a port, of a virtual server or an endpoint; without padding, to be hashed. */
struct conn_place {
	struct ip ip;
	uint8_t proto; /* 0: `ip` has a firewall mark, as in struct connection */
	uint16_t port;
};

_Static_assert(sizeof(struct conn_place) == 20, "no padding");

/* A port of a Service, or a virtual server that none has. */
struct conn_name {
	const char *ns, *service, *port_name; /* "": of no Service */
	uint16_t port;
	uint8_t proto;
	struct conn_place vip; /* of no Service */
	bool selected;	       /* by the Service's name */
	char *json;	       /* the members that name it, for the list */
};

/* Leads from a VIP to its name. */
struct conn_vip {
	struct map_node by_place;
	struct conn_place place;
	struct conn_name *name;
};

enum { MAX_STATES = 12 };

struct conn_state {
	char name[CONNECTION_STATELEN];
	uint64_t n;
};

/* The connections of one name to one endpoint. */
struct conn_total {
	struct map_node by_endpoint;
	struct conn_place endpoint;
	struct conn_name *name;
	uint64_t active, inactive, templates;
	struct conn_state states[MAX_STATES]; /* the last one that is used stands for more */
	size_t n_states;
};

/* An address that is asked for */
struct conn_filter {
	struct ip ip;
	uint16_t port; /* 0: any */
};

enum { LIST_CELLS = 8, LIST_FLUSH = 1 << 16 /* bytes */ };

struct conns {
	bool named, translated;
	const char *ns; /* NULL: all */
	struct conn_filter *filters;
	size_t n_filters, cap_filters;
	bool by_name; /* a Service is asked for */
	struct conn_name **names;
	size_t n_names, cap_names;
	struct map vips, totals;

	FILE *file;
	bool json;
	size_t widths[LIST_CELLS];
	struct buf out;
};

/* Names */

static struct conn_place conn_place(const struct ip *ip, uint16_t port, uint8_t proto)
{
	return (struct conn_place){ *ip, proto, port };
}

static uint32_t hash_place(const struct conn_place *p)
{
	return map_hash(p, sizeof(*p));
}

static bool same_place(const struct conn_place *a, const struct conn_place *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static struct conn_name *find_vip(const struct conns *c, const struct conn_place *place)
{
	map_for_each_match_entry(struct conn_vip, v, &c->vips, hash_place(place), by_place)
		if (same_place(&v->place, place))
			return v->name;
	return NULL;
}

static void add_vip(struct conns *c, const struct conn_place *place, struct conn_name *name)
{
	struct conn_vip *v;

	if (find_vip(c, place))
		return;
	v = new0(struct conn_vip);
	v->place = *place;
	v->name = name;
	map_add(&c->vips, &v->by_place, hash_place(place));
}

static struct conn_name *add_name(struct conns *c, const struct conn_name *like)
{
	struct conn_name *name = new0(struct conn_name);
	json_t *o = like->service[0]
		? json_pack("{s:s, s:s, s:s, s:i, s:s}", "namespace", like->ns, "name",
			  like->service, "portName", like->port_name, "port", (int)like->port,
			  "protocol", proto_name(like->proto))
		: json_pack("{s:n, s:n, s:n, s:n, s:s?}", "namespace", "name", "portName", "port",
			  "protocol", like->proto ? proto_name(like->proto) : NULL);
	char *text = json_dumps(o, 0);
	struct buf printable = { 0 };

	*name = *like;
	text[strlen(text) - 1] = '\0'; /* the brace, as more members follow */
	printable_add_json(&printable, text);
	name->json = buf_take(&printable);
	free(text);
	json_decref(o);
	mem_grow(c->names, c->n_names, c->cap_names);
	c->names[c->n_names++] = name;
	return name;
}

static void add_service_port(struct conns *c, const json_t *service, const json_t *port)
{
	const struct conn_name like = { .ns = tree_text(service, "namespace"),
		.service = tree_text(service, "name"),
		.port_name = tree_text(port, "name"),
		.port = (uint16_t)tree_number(port, "port"),
		.proto = proto_parse(tree_text(port, "protocol")) };
	struct conn_name *name = add_name(c, &like);
	const json_t *a;
	struct ip ip;
	size_t i;

	json_array_foreach(json_object_get(port, "addresses"), i, a) {
		const char *state = tree_text(a, "state");
		struct conn_place place;

		/* Such an address is another Service's, or nobody's. */
		if (!strcmp(state, "Conflict") || !strcmp(state, "Refused") ||
			ip_parse(tree_text(a, "address"), &ip))
			continue;
		place = conn_place(&ip, (uint16_t)tree_number(a, "port"), like.proto);
		add_vip(c, &place, name);
	}
	json_array_foreach(json_object_get(port, "fwmarks"), i, a) {
		const int family = strcmp(tree_text(a, "family"), "IPv6") ? AF_INET : AF_INET6;
		const uint32_t mark = htonl((uint32_t)tree_number(a, "fwmark"));
		struct conn_place place = { .ip.family = (uint8_t)family };

		memcpy(place.ip.bytes, &mark, sizeof(mark));
		add_vip(c, &place, name);
	}
}

struct conns *conns_new(const json_t *status)
{
	struct conns *c = new0(struct conns);
	const json_t *service, *port;
	size_t i, j;

	c->named = status;
	json_array_foreach(json_object_get(status, "services"), i, service) {
		json_array_foreach(json_object_get(service, "ports"), j, port) {
			add_service_port(c, service, port);
		}
	}
	return c;
}

void conns_free(struct conns *c)
{
	if (!c)
		return;
	map_for_each_entry(struct conn_vip, v, &c->vips, by_place)
		free(v);
	map_for_each_entry(struct conn_total, t, &c->totals, by_endpoint)
		free(t);
	map_done(&c->vips);
	map_done(&c->totals);
	for (size_t i = 0; i < c->n_names; i++) {
		free(c->names[i]->json);
		free(c->names[i]);
	}
	free(c->names);
	free(c->filters);
	buf_done(&c->out);
	free(c);
}

/* Without IPVS, a node port is served at 0.0.0.0 or ::. */
static struct conn_name *find_name(const struct conns *conns, const struct connection *c)
{
	struct conn_place place = conn_place(&c->vip, c->vip_port, c->proto);
	struct conn_name *name = find_vip(conns, &place);

	if (name || !conns->translated)
		return name;
	place.ip = (struct ip){ .family = c->vip.family };
	return find_vip(conns, &place);
}

/* The name of a virtual server of no Service, which is remembered. */
static struct conn_name *foreign_name(struct conns *conns, const struct connection *c)
{
	const struct conn_name like = { .ns = "",
		.service = "",
		.port_name = "",
		.port = c->vip_port,
		.proto = c->proto,
		.vip = conn_place(&c->vip, c->vip_port, c->proto) };
	struct conn_name *name = add_name(conns, &like);

	add_vip(conns, &like.vip, name);
	return name;
}

/* Selection */

void conns_select_namespace(struct conns *c, const char *ns)
{
	c->ns = ns;
}

void conns_select_translated(struct conns *c)
{
	c->translated = true;
}

int conns_select(struct conns *c, const char *what, struct err *err)
{
	struct conn_filter f = { 0 };
	bool found = false;

	if (!ip_parse(what, &f.ip) || !ip_parse_port(what, &f.ip, &f.port)) {
		mem_grow(c->filters, c->n_filters, c->cap_filters);
		c->filters[c->n_filters++] = f;
		return 0;
	}
	if (!c->named)
		return err_set(err, -EOPNOTSUPP, "only the daemon knows Services by name");
	for (size_t i = 0; i < c->n_names; i++) {
		struct conn_name *n = c->names[i];
		const size_t len = strlen(n->ns);

		if (!strcmp(n->service, what) ||
			(!strncmp(n->ns, what, len) && what[len] == '/' &&
				!strcmp(n->service, what + len + 1)))
			found = n->selected = true;
	}
	if (!found)
		return err_set(err, -ENOENT, "no Service \"%s\"", what);
	c->by_name = true;
	return 0;
}

static bool is_selected(
	const struct conns *conns, const struct connection *c, const struct conn_name *name)
{
	const struct {
		const struct ip *ip;
		uint16_t port;
	} ends[] = { { &c->client, c->client_port }, { &c->vip, c->vip_port },
		{ &c->endpoint, c->endpoint_port } };

	if (conns->ns && strcmp(conns->ns, name->ns) != 0)
		return false;
	if (name->selected || (!conns->by_name && !conns->n_filters))
		return true;
	for (size_t i = 0; i < conns->n_filters; i++) {
		const struct conn_filter *f = &conns->filters[i];

		for (size_t j = 0; j < ARRAY_SIZE(ends); j++)
			if (ip_eq(&f->ip, ends[j].ip) && (!f->port || f->port == ends[j].port))
				return true;
	}
	return false;
}

/* The name of a connection that is selected, or NULL. */
static struct conn_name *take_connection(struct conns *conns, const struct connection *c)
{
	struct conn_name *name = find_name(conns, c);

	if (conns->translated && (!c->translated || (conns->named && !name)))
		return NULL;
	if (!name)
		name = foreign_name(conns, c);
	return is_selected(conns, c, name) ? name : NULL;
}

/* Totals */

static struct conn_total *get_total(
	struct conns *conns, struct conn_name *name, const struct connection *c)
{
	const struct conn_place endpoint = conn_place(&c->endpoint, c->endpoint_port, name->proto);
	const uint32_t hash = hash_place(&endpoint) ^ map_hash(&name, sizeof(name));
	struct conn_total *t;

	map_for_each_match_entry(struct conn_total, it, &conns->totals, hash, by_endpoint)
		if (it->name == name && same_place(&it->endpoint, &endpoint))
			return it;
	t = new0(struct conn_total);
	t->name = name;
	t->endpoint = endpoint;
	map_add(&conns->totals, &t->by_endpoint, hash);
	return t;
}

static void count_state(struct conn_total *t, const char *state)
{
	size_t i = 0;

	while (i < t->n_states && strcmp(t->states[i].name, state) != 0)
		i++;
	if (i == MAX_STATES)
		strcpy(t->states[--i].name, "others");
	else if (i == t->n_states)
		strcpy(t->states[t->n_states++].name, state);
	t->states[i].n++;
}

void conns_count(const struct connection *c, void *arg)
{
	struct conns *conns = arg;
	struct conn_name *name = take_connection(conns, c);
	struct conn_total *t;

	if (!name)
		return;
	t = get_total(conns, name, c);
	if (c->template) {
		t->templates++;
		return;
	}
	if (connection_is_active(c))
		t->active++;
	else
		t->inactive++;
	count_state(t, c->state);
}

static json_t *place_json(const struct conn_place *p)
{
	char s[IP_STRLEN];
	struct connection c = { .vip = p->ip };

	if (!p->proto)
		return json_pack("{s:I, s:s}", "fwmark", (json_int_t)connection_fwmark(&c),
			"family", family_name(p->ip.family));
	return json_pack("{s:s, s:i}", "address", ip_print(&p->ip, s), "port", (int)p->port);
}

static int by_count(const void *a, const void *b)
{
	const struct conn_total *x = *(struct conn_total *const *)a;
	const struct conn_total *y = *(struct conn_total *const *)b;

	if (x->active != y->active)
		return x->active < y->active ? 1 : -1;
	if (x->inactive != y->inactive)
		return x->inactive < y->inactive ? 1 : -1;
	if (x->name != y->name) {
		int r = strcmp(x->name->ns, y->name->ns);

		r = r ? r : strcmp(x->name->service, y->name->service);
		r = r ? r : memcmp(&x->name->vip, &y->name->vip, sizeof(x->name->vip));
		r = r ? r : x->name->port - y->name->port;
		if (r)
			return r;
	}
	return memcmp(&x->endpoint, &y->endpoint, sizeof(x->endpoint));
}

static json_t *total_json(const struct conn_total *t)
{
	const struct conn_name *name = t->name;
	json_t *states = json_object(), *o;
	struct conn_place endpoint = t->endpoint;

	for (size_t i = 0; i < t->n_states; i++)
		json_object_set_new(
			states, t->states[i].name, json_integer((json_int_t)t->states[i].n));
	if (name->service[0])
		o = json_pack("{s:s, s:s, s:s, s:i, s:s}", "namespace", name->ns, "name",
			name->service, "portName", name->port_name, "port", (int)name->port,
			"protocol", proto_name(name->proto));
	else
		o = json_pack("{s:o, s:s?}", "vip", place_json(&name->vip), "protocol",
			name->proto ? proto_name(name->proto) : NULL);
	endpoint.proto = IPPROTO_TCP; /* an address, also below a firewall mark */
	json_object_set_new(o, "endpoint", place_json(&endpoint));
	json_object_set_new(o, "active", json_integer((json_int_t)t->active));
	json_object_set_new(o, "inactive", json_integer((json_int_t)t->inactive));
	json_object_set_new(o, "templates", json_integer((json_int_t)t->templates));
	json_object_set_new(o, "states", states);
	return o;
}

json_t *conns_totals_json(const struct conns *c)
{
	_cleanup_free_ struct conn_total **sorted = mem_zalloc(c->totals.count, sizeof(*sorted));
	json_t *services = json_array(), *virtual_servers = json_array();
	uint64_t active = 0, inactive = 0, templates = 0;
	size_t n = 0;

	map_for_each_entry(struct conn_total, t, &c->totals, by_endpoint)
		sorted[n++] = t;
	if (n)
		qsort(sorted, n, sizeof(struct conn_total *), by_count);
	for (size_t i = 0; i < n; i++) {
		active += sorted[i]->active;
		inactive += sorted[i]->inactive;
		templates += sorted[i]->templates;
		json_array_append_new(sorted[i]->name->service[0] ? services : virtual_servers,
			total_json(sorted[i]));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "apiVersion",
		"ipvsctl.io/v1", "kind", "Connections", "source", c->named ? "daemon" : "kernel",
		"table", c->translated ? "conntrack" : "ipvs", "active", (json_int_t)active,
		"inactive", (json_int_t)inactive, "templates", (json_int_t)templates, "services",
		services, "virtualServers", virtual_servers);
}

void conns_totals_head(const json_t *totals, struct buf *out)
{
	json_int_t active = tree_number(totals, "active");
	json_int_t inactive = tree_number(totals, "inactive");

	buf_addf(out, "Connections: %lld   Active: %lld   Inactive: %lld   Templates: %lld\n",
		active + inactive, active, inactive, tree_number(totals, "templates"));
}

static void add_total_row(struct show *t, const json_t *o)
{
	const json_t *vip = json_object_get(o, "vip"), *n;
	const char *separator = "";
	struct buf *cell;
	const char *state;

	show_row(t, COLOUR_NONE);
	buf_adds(show_cell(t), tree_text(o, "namespace"));
	buf_adds(show_cell(t), tree_text(o, "name"));
	cell = show_cell(t);
	if (json_object_get(vip, "fwmark"))
		tree_virtual_server(vip, cell);
	else if (vip)
		tree_address_port(vip, cell);
	else
		buf_addf(cell, "%lld", tree_number(o, "port"));
	if (json_object_get(o, "protocol") && *tree_text(o, "protocol"))
		buf_addf(cell, "/%s", tree_text(o, "protocol"));
	tree_address_port(json_object_get(o, "endpoint"), show_cell(t));
	buf_addf(show_cell(t), "%lld", tree_number(o, "active"));
	buf_addf(show_cell(t), "%lld", tree_number(o, "inactive"));
	buf_addf(show_cell(t), "%lld", tree_number(o, "templates"));
	cell = show_cell(t);
	json_object_foreach(json_object_get(o, "states"), state, n) {
		buf_addf(cell, "%s%s %lld", separator, state, json_integer_value(n));
		separator = ", ";
	}
}

void conns_totals_table(const json_t *totals, struct show *ret)
{
	static const char *const titles[] = { "NAMESPACE", "NAME", "PORT", "ENDPOINT", "ACTIVE",
		"INACTIVE", "TEMPLATES", "STATES" };
	const json_t *o;
	size_t i;

	show_init(ret, titles, ARRAY_SIZE(titles));
	json_array_foreach(json_object_get(totals, "services"), i, o) {
		add_total_row(ret, o);
	}
	json_array_foreach(json_object_get(totals, "virtualServers"), i, o) {
		add_total_row(ret, o);
	}
}

/* The list */

/* A column is as wide as its widest cell so far: how wide the next ones are is not known. */
static void add_list_cell(struct conns *c, size_t column, const char *text)
{
	const size_t begin = c->out.len;
	size_t width;

	printable_add(&c->out, *text ? text : "-");
	if (column == LIST_CELLS - 1) {
		buf_addc(&c->out, '\n');
		return;
	}
	width = printable_count(buf_str(&c->out) + begin);
	if (width > c->widths[column])
		c->widths[column] = width;
	for (; width < c->widths[column] + 2; width++)
		buf_addc(&c->out, ' ');
}

void conns_list(struct conns *c, FILE *file, bool json, bool headers)
{
	static const char *const titles[LIST_CELLS] = { "NAMESPACE", "NAME", "PORT", "CLIENT",
		"VIP", "ENDPOINT", "STATE", "EXPIRES" };
	/* Those of the usual texts; of names, the ones that are known. */
	static const size_t widths[LIST_CELLS] = { 0, 0, 8, 21, 21, 21, 11, 0 };

	c->file = file;
	c->json = json;
	memcpy(c->widths, widths, sizeof(widths));
	for (size_t i = 0; i < c->n_names; i++) {
		const size_t ns = printable_count(c->names[i]->ns);
		const size_t service = printable_count(c->names[i]->service);

		c->widths[0] = ns > c->widths[0] ? ns : c->widths[0];
		c->widths[1] = service > c->widths[1] ? service : c->widths[1];
	}
	for (size_t i = 0; !json && headers && i < LIST_CELLS; i++)
		add_list_cell(c, i, titles[i]);
}

void conns_flush(struct conns *c)
{
	fwrite(buf_str(&c->out), 1, c->out.len, c->file);
	buf_reset(&c->out);
}

static void add_end_json(struct buf *out, const char *key, const struct ip *ip, uint16_t port)
{
	char s[IP_STRLEN];

	buf_addf(out, ", \"%s\": {\"address\": \"%s\", \"port\": %u}", key, ip_print(ip, s),
		(unsigned)port);
}

static void print_json(struct buf *out, const struct conn_name *name, const struct connection *c)
{
	buf_adds(out, name->json);
	add_end_json(out, "client", &c->client, c->client_port);
	if (c->proto)
		add_end_json(out, "vip", &c->vip, c->vip_port);
	else
		buf_addf(out, ", \"vip\": {\"fwmark\": %" PRIu32 ", \"family\": \"%s\"}",
			connection_fwmark(c), family_name(c->vip.family));
	add_end_json(out, "endpoint", &c->endpoint, c->endpoint_port);
	buf_adds(out, ", \"state\": \"");
	/* The kernel's word needs no escapes; of any other character nothing must be left. */
	for (const char *s = c->state; *s; s++)
		buf_addc(out, *s > ' ' && *s < 0x7f && *s != '"' && *s != '\\' ? *s : '?');
	buf_addf(out, "\", \"template\": %s, \"expiresSeconds\": %" PRIu32 "}\n",
		c->template ? "true" : "false", c->expires);
}

static void print_row(struct conns *conns, const struct conn_name *name, const struct connection *c)
{
	char port[16], client[IP_PORT_STRLEN], vip[IP_PORT_STRLEN], endpoint[IP_PORT_STRLEN];
	char expires[16];

	snprintf(port, sizeof(port), "%u/%s", (unsigned)name->port,
		name->proto ? proto_name(name->proto) : "-");
	snprintf(expires, sizeof(expires), "%" PRIu32 "s", c->expires);
	if (c->proto)
		ip_print_port(&c->vip, c->vip_port, vip);
	else
		snprintf(vip, sizeof(vip), "fwmark:%" PRIu32 "/%s", connection_fwmark(c),
			family_name(c->vip.family));
	if (c->template)
		ip_print(&c->client, client);
	else
		ip_print_port(&c->client, c->client_port, client);
	add_list_cell(conns, 0, name->ns);
	add_list_cell(conns, 1, name->service);
	add_list_cell(conns, 2, port);
	add_list_cell(conns, 3, client);
	add_list_cell(conns, 4, vip);
	add_list_cell(conns, 5, ip_print_port(&c->endpoint, c->endpoint_port, endpoint));
	add_list_cell(conns, 6, c->template ? "TEMPLATE" : c->state);
	add_list_cell(conns, 7, expires);
}

void conns_print(const struct connection *c, void *arg)
{
	struct conns *conns = arg;
	const struct conn_name *name = take_connection(conns, c);

	if (!name)
		return;
	if (conns->json)
		print_json(&conns->out, name, c);
	else
		print_row(conns, name, c);
	if (conns->out.len >= LIST_FLUSH)
		conns_flush(conns);
}
