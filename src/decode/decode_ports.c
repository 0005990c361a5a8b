// SPDX-License-Identifier: GPL-2.0-or-later
/* The ports of a Service, which have to differ from each other in three ways. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decode_kinds.h"

struct port_list {
	struct service_port *ports;
	size_t n;
};

static int read_port(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct port_list *list = arg;
	struct service_port port = { .name = "" };
	int64_t number = 0, node_port = 0;
	size_t mark;
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : reader_string(r, v, KEY("name", 1), &port.name);
	e = e ? e : decode_protocol(r, v, KEY("protocol", 2), &port.proto);
	e = e ? e : reader_int(r, v, KEY("port", 3), 1, UINT16_MAX, &number);
	e = e ? e : reader_int(r, v, KEY("nodePort", 5), 0, UINT16_MAX, &node_port);
	if (!e && !number)
		e = reader_fail_at(r, "port", "is missing");
	if (e)
		return e;
	port.port = (uint16_t)number;
	port.node_port = (uint16_t)node_port;
	mark = reader_enter(r, "name");
	e = reader_check_port_name(r, port.name);
	reader_leave(r, mark);
	if (!e)
		list->ports[list->n++] = port;
	return e;
}

static int cmp_number(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	return p->proto != q->proto ? p->proto - q->proto : p->port - q->port;
}

static int cmp_name(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	return p->proto != q->proto ? p->proto - q->proto : strcmp(p->name, q->name);
}

/* Ports without a node port differ from each other. */
static int cmp_node_port(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	if (p->node_port != q->node_port)
		return p->node_port - q->node_port;
	if (!p->node_port)
		return p < q ? -1 : p > q;
	return p->proto - q->proto;
}

/* The later one of two ports that the order takes as equal: its index; n where there are none. */
static size_t find_twin(const struct service_port *ports, size_t n,
	int (*cmp)(const void *a, const void *b), size_t *ret_first)
{
	_cleanup_free_ const struct service_port **sorted = NULL;

	if (n < 2)
		return n;
	sorted = mem_zalloc(n, sizeof(const struct service_port *));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &ports[i];
	qsort(sorted, n, sizeof(const struct service_port *), cmp);
	for (size_t i = 1; i < n; i++) {
		size_t a = (size_t)(sorted[i - 1] - ports), b = (size_t)(sorted[i] - ports);

		if (cmp(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		*ret_first = a < b ? a : b;
		return a < b ? b : a;
	}
	return n;
}

struct port_rule {
	int (*cmp)(const void *a, const void *b);
	const char *key;
};

/* Twins are refused, or left out from the second one on. */
static int check_rule(struct reader *r, const struct port_rule *rule, struct port_list *list)
{
	size_t first = 0, twin, mark;
	int e = 0;

	while (!e && (twin = find_twin(list->ports, list->n, rule->cmp, &first)) < list->n) {
		mark = reader_enter(r, "ports");
		reader_enter_index(r, twin);
		e = reader_leave_out(r,
			reader_fail_at(r, rule->key,
				"is the same as that of ports[%zu], which has the same protocol",
				first));
		reader_leave(r, mark);
		list->n--;
		memmove(&list->ports[twin], &list->ports[twin + 1],
			(list->n - twin) * sizeof(*list->ports));
	}
	return e;
}

static int check_ports(struct reader *r, struct port_list *list)
{
	static const struct port_rule rules[] = {
		{ cmp_number, "port" },
		{ cmp_name, "name" },
		{ cmp_node_port, "nodePort" },
	};
	int e = 0;

	for (size_t i = 0; !e && i < ARRAY_SIZE(rules); i++)
		e = check_rule(r, &rules[i], list);
	return e;
}

int decode_service_ports(struct reader *r, const struct value *spec, struct service *s)
{
	const struct key key = KEY("ports", 1);
	struct port_list list = { 0 };
	int e;

	list.ports = arena_alloc(r->arena, value_count(spec, key), sizeof(*list.ports));
	e = reader_each(r, spec, key, read_port, &list);
	e = e ? e : check_ports(r, &list);
	s->ports = list.ports;
	s->n_ports = list.n;
	return e;
}
