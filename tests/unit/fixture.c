// SPDX-License-Identifier: GPL-2.0-or-later
#include "fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fact_text.h"

enum { MAX_ITEMS = 32 };

static void __attribute__((noreturn)) bad(const char *what, const char *text)
{
	fprintf(stderr, "fixture: bad %s \"%s\"\n", what, text);
	abort();
}

struct ip fixture_ip(const char *s)
{
	struct ip ip;

	if (ip_parse(s, &ip))
		bad("address", s);
	return ip;
}

struct cidr fixture_cidr(const char *s)
{
	struct cidr c;

	if (cidr_parse(s, &c))
		bad("range", s);
	return c;
}

struct fact fixture_fact(const char *line)
{
	struct err err;
	struct fact f;

	if (fact_parse(line, &f, &err))
		bad("fact", line);
	return f;
}

/* Appends to an array of the model that lies in the object's arena. */
#define PUSH(arena, array, n, item)                                            \
	do {                                                                   \
		if (!(array))                                                  \
			(array) = arena_alloc(arena, MAX_ITEMS, sizeof(item)); \
		if ((n) == MAX_ITEMS)                                          \
			bad("number of items", #array);                        \
		memcpy((void *)&(array)[(n)++], &(item), sizeof(item));        \
	} while (0)

/* Splits at the first `c`; returns what is behind it, or NULL. */
static char *split(char *s, char c)
{
	char *at = strchr(s, c);

	if (!at)
		return NULL;
	*at = '\0';
	return at + 1;
}

static void split_names(struct arena *a, const char *line, const char **ret_ns,
	const char **ret_name, char **ret_rest)
{
	char *copy = arena_strdup(a, line), *name;

	char *none = copy + strlen(copy);

	*ret_rest = split(copy, ' ');
	if (!*ret_rest)
		*ret_rest = none;
	name = split(copy, '/');
	if (!name)
		bad("name", line);
	*ret_ns = copy;
	*ret_name = name;
}

/* "p80:80/TCP:30001" */
static void parse_port(char *s, const char **name, uint16_t *port, uint8_t *proto, uint16_t *node)
{
	char *number = split(s, ':'), *protocol = number ? split(number, '/') : NULL,
	     *third = protocol ? split(protocol, ':') : NULL;

	if (!protocol || !proto_parse(protocol))
		bad("port", s);
	*name = s;
	*port = (uint16_t)atoi(number);
	*proto = proto_parse(protocol);
	*node = third ? (uint16_t)atoi(third) : 0;
}

static enum service_type parse_type(const char *s)
{
	for (enum service_type t = SERVICE_CLUSTER_IP; t <= SERVICE_EXTERNAL_NAME; t++)
		if (!strcmp(service_type_name(t), s))
			return t;
	bad("type", s);
}

static void add_service_port(struct service *s, char *value)
{
	struct service_port p;

	parse_port(value, &p.name, &p.port, &p.proto, &p.node_port);
	PUSH(&s->arena, s->ports, s->n_ports, p);
}

static void add_service_address(struct service *s, const char *key, const char *value)
{
	struct ingress in = { .proxy_mode = !strcmp(key, "lbproxy") };
	struct cidr range;

	if (!strcmp(key, "ranges")) {
		range = fixture_cidr(value);
		PUSH(&s->arena, s->source_ranges, s->n_source_ranges, range);
		return;
	}
	in.ip = fixture_ip(value);
	if (!strcmp(key, "ip") && s->n_cluster_ips < 2)
		s->cluster_ips[s->n_cluster_ips++] = in.ip;
	else if (!strcmp(key, "external"))
		PUSH(&s->arena, s->external_ips, s->n_external_ips, in.ip);
	else if (!strcmp(key, "lb") || in.proxy_mode)
		PUSH(&s->arena, s->ingress, s->n_ingress, in);
	else
		bad("word", key);
}

static void add_service_addresses(struct service *s, const char *key, char *values)
{
	char *save = NULL;

	for (char *v = strtok_r(values, ",", &save); v; v = strtok_r(NULL, ",", &save))
		add_service_address(s, key, v);
}

static void add_service_word(struct service *s, char *word)
{
	char *value = split(word, '=');

	if (!strcmp(word, "headless"))
		s->headless = true;
	else if (!strcmp(word, "otherproxy"))
		s->other_proxy = true;
	else if (!strcmp(word, "clusterdns"))
		s->cluster_dns = true;
	else if (!value)
		bad("word", word);
	else if (!strcmp(word, "type"))
		s->type = parse_type(value);
	else if (!strcmp(word, "etp"))
		s->external_local = !strcmp(value, "Local");
	else if (!strcmp(word, "itp"))
		s->internal_local = !strcmp(value, "Local");
	else if (!strcmp(word, "healthcheck"))
		s->health_check_node_port = (uint16_t)atoi(value);
	else if (!strcmp(word, "scheduler"))
		s->scheduler = value;
	else if (!strcmp(word, "version"))
		s->resource_version = value;
	else if (!strcmp(word, "hash"))
		s->hash = (uint64_t)atoll(value);
	else if (!strcmp(word, "drain"))
		s->drain_timeout = atoll(value);
	else if (!strcmp(word, "created"))
		s->created = atoll(value);
	else if (!strcmp(word, "port"))
		add_service_port(s, value);
	else if (!strcmp(word, "affinity")) {
		s->affinity_client_ip = true;
		s->affinity_timeout = (uint32_t)atoi(value);
	} else {
		add_service_addresses(s, word, value);
	}
}

struct service *fixture_service(const char *line)
{
	struct service *s = service_new();
	char *rest, *save = NULL;

	split_names(&s->arena, line, &s->ns, &s->name, &rest);
	for (char *w = strtok_r(rest, " ", &save); w; w = strtok_r(NULL, " ", &save))
		add_service_word(s, w);
	return s;
}

static void parse_hints(struct arena *a, char *s, const char *const **array, size_t *n)
{
	const char **list = arena_alloc(a, MAX_ITEMS, sizeof(*list));
	char *save = NULL;

	for (char *h = strtok_r(s, "|", &save); h && *n < MAX_ITEMS; h = strtok_r(NULL, "|", &save))
		list[(*n)++] = h;
	*array = list;
}

static void add_endpoint(struct slice *s, struct subset *subset, char *value)
{
	struct endpoint_place *place = arena_alloc(&s->arena, 1, sizeof(*place));
	struct endpoint ep = { .ready = true, .serving = true, .place = place };
	char *save = NULL, *address = strtok_r(value, ",", &save), *node = split(address, '@');

	ep.ip = fixture_ip(address);
	place->node_name = node ? node : "";
	for (char *w = strtok_r(NULL, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (!strncmp(w, "z=", 2)) {
			parse_hints(&s->arena, w + 2, &place->zone_hints, &place->n_zone_hints);
		} else if (!strncmp(w, "n=", 2)) {
			parse_hints(&s->arena, w + 2, &place->node_hints, &place->n_node_hints);
		} else if (w[strspn(w, "rst-")]) {
			bad("endpoint word", w);
		} else {
			ep.ready = strchr(w, 'r');
			ep.serving = strchr(w, 's');
			ep.terminating = strchr(w, 't');
		}
	}
	PUSH(&s->arena, subset->endpoints, subset->n_endpoints, ep);
}

static void add_endpoint_port(struct slice *s, struct subset *subset, char *value)
{
	struct endpoint_port p;
	uint16_t none;

	parse_port(value, &p.name, &p.port, &p.proto, &none);
	PUSH(&s->arena, subset->ports, subset->n_ports, p);
}

static void add_slice_word(struct slice *s, struct subset *subset, char *word)
{
	char *value = split(word, '=');

	if (!value)
		bad("word", word);
	if (!strcmp(word, "service"))
		s->service = value;
	else if (!strcmp(word, "version"))
		s->resource_version = value;
	else if (!strcmp(word, "hash"))
		s->hash = (uint64_t)atoll(value);
	else if (!strcmp(word, "kind"))
		s->kind = strcmp(value, "Endpoints") ? SLICE_ENDPOINT_SLICE : SLICE_ENDPOINTS;
	else if (!strcmp(word, "weight"))
		s->weight = atoi(value);
	else if (!strcmp(word, "trigger"))
		s->trigger_time = atoi(value);
	else if (!strcmp(word, "port"))
		add_endpoint_port(s, subset, value);
	else if (!strcmp(word, "ep"))
		add_endpoint(s, subset, value);
	else
		bad("word", word);
}

struct slice *fixture_slice(const char *line)
{
	struct slice *s = slice_new();
	struct subset *subset = arena_alloc(&s->arena, 1, sizeof(*subset));
	char *rest, *service, *dash, *save = NULL;

	split_names(&s->arena, line, &s->ns, &s->name, &rest);
	s->service = service = arena_strdup(&s->arena, s->name);
	dash = strrchr(service, '-');
	if (dash)
		*dash = '\0';
	for (char *w = strtok_r(rest, " ", &save); w; w = strtok_r(NULL, " ", &save))
		add_slice_word(s, subset, w);
	s->subsets = subset;
	s->n_subsets = 1;
	return s;
}

struct node *fixture_node(const char *line)
{
	struct node *n = node_new();
	char *save = NULL, *copy = arena_strdup(&n->arena, line);

	n->name = strtok_r(copy, " ", &save);
	for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *value = split(w, '=');

		if (value && !strcmp(w, "weight"))
			n->weight = atoi(value);
		else if (value && !strcmp(w, "zone"))
			n->zone = value;
		else
			bad("word", w);
	}
	return n;
}

static void load_line(struct store *s, char *line)
{
	char *rest = split(line, ' ');

	if (rest && !strcmp(line, "service"))
		store_put_service(s, fixture_service(rest));
	else if (rest && !strcmp(line, "slice"))
		store_put_slice(s, fixture_slice(rest));
	else if (rest && !strcmp(line, "node"))
		store_put_node(s, fixture_node(rest));
	else
		bad("line", line);
}

void fixture_load(struct store *s, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		load_line(s, l);
}

void fixture_node_init(struct fixture_node *n)
{
	static struct ip local[] = {
		{ .family = AF_INET, .bytes = { 100, 101, 102, 103 } },
		{ .family = AF_INET6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [13] = 1, [15] = 1 } },
	};

	options_init(&n->options);
	strcpy(n->options.node_name, "test-node");
	/* Tests of single ports of external addresses change this. */
	n->options.external_addresses = EXTERNAL_LOCAL;
	n->options.cluster_cidr[0] = fixture_cidr("10.244.0.0/16");
	n->options.cluster_cidr[1] = fixture_cidr("2012::/64");
	node_view_init(&n->view, &n->options);
	n->view.pod_cidrs[0] = fixture_cidr("10.244.99.0/24");
	n->view.pod_cidrs[1] = fixture_cidr("2012:0:0:0:99::/80");
	n->view.n_pod_cidrs = 2;
	strcpy(n->view.zone, "zone-a");
	n->view.node_ip[0] = local[0];
	n->view.node_ip[1] = local[1];
	n->view.local = local;
	n->view.n_local = ARRAY_SIZE(local);
}

void fixture_node_copy(struct fixture_node *n, const struct fixture_node *from)
{
	*n = *from;
	n->view.options = &n->options;
}

void fixture_resolve(const struct store *s, const char *ns, const char *name,
	const struct node_view *view, struct rule_pool *pool, struct fact_list *ret)
{
	struct served_ports served = { 0 };

	served_ports_select(&served, store_find(s, ns, name), view);
	resolve_service(&served, view, (bool[2]){ false, false }, pool, ret);
	served_ports_done(&served);
}

void fixture_print_facts(struct buf *ret, const struct fact *facts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fact_print(ret, &facts[i]);
		buf_addc(ret, '\n');
	}
}
