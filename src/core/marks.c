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

static struct adopted *adopted_of(struct map_node *n)
{
	return container_of(n, struct adopted, by_address);
}

void marks_free(struct marks *m)
{
	if (!m)
		return;
	map_for_each(n, &m->adopted)
		free(adopted_of(n));
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

static uint32_t find_adopted(const struct marks *m, const struct frontend *fe, uint8_t proto)
{
	map_for_each_match(n, &m->adopted, hash_address(&fe->ip, proto, fe->port)) {
		const struct adopted *a = adopted_of(n);

		if (ip_eq(&a->ip, &fe->ip) && a->proto == proto && a->port == fe->port)
			return a->index;
	}
	return 0;
}

static bool fits(uint32_t index, uint8_t proto)
{
	return index && (index & 1) == (proto != IPPROTO_TCP);
}

static uint32_t first(const struct marks *m, uint32_t from, uint8_t proto, enum use use)
{
	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t index = (from + i) % m->n;

		if (m->use[index] == use && fits(index, proto))
			return index;
	}
	return 0;
}

/* What one of its addresses had before, or the first free one behind where its name hashes to; what
 * others had before only when there is nothing else. */
static uint32_t choose(const struct marks *m, const struct slot *slot,
	const struct frontend_list *fes, uint8_t proto, uint16_t port)
{
	uint32_t from = (map_hash_str(slot->claimant.name) ^ port) % m->n, index;

	for (size_t i = 0; i < fes->n; i++) {
		index = fes->fes[i].kind == FRONTEND_CLUSTER_IP
			? 0
			: find_adopted(m, &fes->fes[i], proto);
		if (fits(index, proto) && m->use[index] != USE_TAKEN)
			return index;
	}
	index = first(m, from, proto, USE_FREE);
	return index ? index : first(m, from, proto, USE_RESERVED);
}

uint32_t marks_find(const struct slot *slot, int family, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < slot->n_marks; i++) {
		const struct slot_mark *sm = &slot->marks[i];

		if (sm->family == family && sm->proto == proto && sm->port == port)
			return sm->mark;
	}
	return 0;
}

static bool needs_mark(const struct frontend_list *fes)
{
	for (size_t i = 0; i < fes->n; i++)
		if (fes->fes[i].kind != FRONTEND_CLUSTER_IP && fes->fes[i].local)
			return true;
	return false;
}

static bool assign_port(struct marks *m, const struct slot *slot, const struct service_port *port,
	int family, const struct frontend_list *fes, struct slot_mark *ret)
{
	uint32_t mark = marks_find(slot, family, port->proto, port->port);
	uint32_t index = mark ? mark >> m->shift : choose(m, slot, fes, port->proto, port->port);

	if (!index)
		return false;
	m->use[index] = USE_TAKEN;
	*ret = (struct slot_mark){ .family = (uint8_t)family,
		.proto = port->proto,
		.port = port->port,
		.mark = index << m->shift };
	return true;
}

/* Marks of ports that need none any more. */
static void give_back(struct marks *m, const struct slot_mark *old, size_t n_old,
	const struct slot_mark *new, size_t n_new)
{
	for (size_t i = 0; i < n_old; i++) {
		bool kept = false;

		for (size_t j = 0; j < n_new; j++)
			kept |= new[j].mark == old[i].mark;
		if (!kept)
			m->use[old[i].mark >> m->shift] = USE_FREE;
	}
}

bool marks_assign(struct marks *m, struct slot *slot, const struct node_view *view)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct service *s = slot->service;
	struct frontend_list fes = { 0 };
	struct slot_mark *new;
	size_t n = 0;
	bool enough = true;

	if (!s || !view->options->mark_mask || !service_external_local(s)) {
		marks_release(m, slot);
		return true;
	}
	new = mem_zalloc(s->n_ports * 2, sizeof(*new));
	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (size_t i = 0; i < s->n_ports; i++) {
			frontends_list(s, &s->ports[i], families[f], view, &fes);
			if (!needs_mark(&fes))
				continue;
			if (assign_port(m, slot, &s->ports[i], families[f], &fes, &new[n]))
				n++;
			else
				enough = false;
		}
	frontends_done(&fes);
	give_back(m, slot->marks, slot->n_marks, new, n);
	free(slot->marks);
	slot->marks = new;
	slot->n_marks = n;
	return enough;
}

void marks_release(struct marks *m, struct slot *slot)
{
	give_back(m, slot->marks, slot->n_marks, NULL, 0);
	free(take(slot->marks));
	slot->n_marks = 0;
}

bool marks_is_tcp(uint32_t mask, uint32_t mark)
{
	return mask && !(mark >> __builtin_ctz(mask) & 1);
}
