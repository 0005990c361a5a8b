// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/marks.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "core/frontends.h"

/* What the kernel's set said at the start. */
struct adopted {
	struct map_node by_address;
	struct ip ip;
	uint8_t proto;
	uint16_t port;
	uint32_t index;
};

/* USE_RESERVED: of a port that was adopted and may still come to ask for it. */
enum use { USE_FREE, USE_RESERVED, USE_TAKEN };

struct marks {
	unsigned shift;
	uint32_t n;   /* indices 1..n-1 can be used */
	uint8_t *use; /* enum use, by index */
	struct map adopted;
};

struct marks *marks_new(uint32_t mask)
{
	struct marks *m = new0(struct marks);

	m->shift = mask ? (unsigned)__builtin_ctz(mask) : 0;
	m->n = (mask >> m->shift) + 1;
	if (m->n > MARKS_MAX)
		m->n = MARKS_MAX;
	m->use = mem_zalloc(m->n, 1);
	return m;
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	map_for_each_entry(struct adopted, a, &m->adopted, by_address)
		free(a);
	map_done(&m->adopted);
	free(m->use);
	free(m);
}

static uint32_t hash_address(const struct ip *ip, uint8_t proto, uint16_t port)
{
	return map_hash(ip, sizeof(*ip)) ^ ((uint32_t)proto << 16 | port);
}

void marks_adopt(struct marks *m, const struct ip *ip, uint8_t proto, uint16_t port, uint32_t mark)
{
	struct adopted *a;
	uint32_t index = mark >> m->shift;

	if (!index || index >= m->n || index << m->shift != mark)
		return;
	a = new0(struct adopted);
	*a = (struct adopted){ .ip = *ip, .proto = proto, .port = port, .index = index };
	map_add(&m->adopted, &a->by_address, hash_address(ip, proto, port));
	m->use[index] = USE_RESERVED;
}

static bool index_fits(uint32_t index, uint8_t proto)
{
	return index && (index & 1) == (proto != IPPROTO_TCP);
}

static uint32_t first_index(const struct marks *m, uint32_t from, uint8_t proto, enum use use)
{
	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t index = (from + i) % m->n;

		if (m->use[index] == use && index_fits(index, proto))
			return index;
	}
	return 0;
}

/*
 * In this order: the mark that one of the port's addresses had before the restart, the first free
 * one behind the hash of its name, one that another port had before the restart.
 */
static uint32_t choose_index(
	const struct marks *m, const char *service, const struct served_port *p)
{
	uint32_t from = (map_hash_str(service) ^ p->port->port) % m->n, index;
	const uint8_t proto = p->port->proto;

	for (size_t i = 0; i < p->frontends.n; i++) {
		const struct frontend *fe = &p->frontends.fes[i];
		const uint32_t hash = hash_address(&fe->ip, proto, fe->port);

		if (fe->kind == FRONTEND_CLUSTER_IP)
			continue;
		map_for_each_match_entry(struct adopted, a, &m->adopted, hash, by_address)
			if (ip_eq(&a->ip, &fe->ip) && a->proto == proto && a->port == fe->port &&
				index_fits(a->index, proto) && m->use[a->index] != USE_TAKEN)
				return a->index;
	}
	index = first_index(m, from, proto, USE_FREE);
	return index ? index : first_index(m, from, proto, USE_RESERVED);
}

/* By port, whatever the mark. */
static int port_mark_compare(const void *a, const void *b)
{
	const struct port_mark *x = a, *y = b;

	if (x->family != y->family)
		return x->family - y->family;
	return x->proto != y->proto ? x->proto - y->proto : x->port - y->port;
}

static const struct port_mark *port_mark_find(
	const struct port_marks *marks, const struct port_mark *port)
{
	return marks->n ? bsearch(port, marks->marks, marks->n, sizeof(*port), port_mark_compare)
			: NULL;
}

void port_marks_fill(const struct port_marks *marks, struct served_ports *served)
{
	for (size_t k = 0; marks->n && k < served->n; k++) {
		struct served_port *p = &served->ports[k];
		const struct port_mark port = {
			.family = (uint8_t)p->family, .proto = p->port->proto, .port = p->port->port
		};
		const struct port_mark *found = port_mark_find(marks, &port);

		if (found)
			p->mark = found->mark;
	}
}

bool marks_assign(
	struct marks *m, struct port_marks *marks, const char *service, struct served_ports *served)
{
	struct port_marks old = *marks;
	bool enough = true;

	port_marks_fill(&old, served);
	*marks = (struct port_marks){ 0 };
	for (size_t k = 0; m->n > 1 && k < served->n; k++) {
		struct served_port *p = &served->ports[k];
		uint32_t index = p->mark >> m->shift;
		bool needed = false;

		p->mark = 0;
		for (size_t i = 0; i < p->frontends.n; i++)
			needed |= p->frontends.fes[i].kind != FRONTEND_CLUSTER_IP &&
				p->frontends.fes[i].local;
		if (!needed)
			continue;
		if (!index)
			index = choose_index(m, service, p);
		if (!index) {
			enough = false;
			continue;
		}
		m->use[index] = USE_TAKEN;
		p->mark = index << m->shift;
		if (!marks->marks)
			marks->marks = mem_zalloc(served->n, sizeof(*marks->marks));
		marks->marks[marks->n++] = (struct port_mark){ .family = (uint8_t)p->family,
			.proto = p->port->proto,
			.port = p->port->port,
			.mark = p->mark };
	}
	if (marks->n)
		qsort(marks->marks, marks->n, sizeof(*marks->marks), port_mark_compare);
	/* A port keeps its mark; the marks of ports that need none any more are free again. */
	for (size_t i = 0; i < old.n; i++)
		if (!port_mark_find(marks, &old.marks[i]))
			m->use[old.marks[i].mark >> m->shift] = USE_FREE;
	free(old.marks);
	return enough;
}

void marks_release(struct marks *m, struct port_marks *marks)
{
	for (size_t i = 0; i < marks->n; i++)
		m->use[marks->marks[i].mark >> m->shift] = USE_FREE;
	free(marks->marks);
	*marks = (struct port_marks){ 0 };
}

bool marks_is_tcp(uint32_t mask, uint32_t mark)
{
	return mask && !(mark >> __builtin_ctz(mask) & 1);
}
