// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/spread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/endpoints.h"

/* Where the weights have no small common divisor, shares are rounded to about this many slots. */
enum { ROUNDED_SLOTS = 840 };

static const char prefix[] = "KUBE-SPREAD-", nowhere[] = "nowhere";

static const struct {
	char letter;
	uint8_t flag;
} letters[] = { { 'L', SPREAD_LOCAL }, { 'M', SPREAD_MASQUERADE }, { 'P', SPREAD_NODE_PORT } };

const char *packet_source_name(enum packet_source source)
{
	static const char *const names[PACKET_SOURCES] = {
		[FROM_POD] = "pod",
		[FROM_NODE] = "node",
		[FROM_OUTSIDE] = "outside",
	};

	return names[source];
}

const char *spread_chain_name(const struct spread *s, char name[static CHAIN_NAME_LEN + 1])
{
	int n;

	if (!s->slots) {
		snprintf(name, CHAIN_NAME_LEN + 1, "%s", nowhere);
		return name;
	}
	n = snprintf(name, CHAIN_NAME_LEN + 1, "%s%u%s", prefix, s->slots,
		s->flags & SPREAD_FLAGS ? "-" : "");

	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		if (s->flags & letters[i].flag)
			name[n++] = letters[i].letter;
	name[n] = '\0';
	if (s->affinity)
		snprintf(name + n, (size_t)(CHAIN_NAME_LEN + 1 - n), "-%" PRIu32, s->affinity);
	return name;
}

bool spread_chain_parse(const char *name, struct spread *ret)
{
	struct spread s = { .flags = SPREAD_ENTRY };
	char again[CHAIN_NAME_LEN + 1], *at;
	unsigned long slots, affinity;

	*ret = s;
	if (!strcmp(name, nowhere))
		return true;
	if (strncmp(name, prefix, strlen(prefix)) != 0 || strlen(name) > CHAIN_NAME_LEN)
		return false;
	slots = strtoul(name + strlen(prefix), &at, 10);
	at += *at == '-';
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		if (*at == letters[i].letter) {
			s.flags |= letters[i].flag;
			at++;
		}
	affinity = strtoul(at + (*at == '-'), NULL, 10);
	if (!slots || slots > SPREAD_SLOTS || affinity > SPREAD_AFFINITY)
		return false;
	s.slots = (uint16_t)slots;
	s.affinity = (uint32_t)affinity;
	/* All other mistakes show in this. */
	if (strcmp(spread_chain_name(&s, again), name) != 0)
		return false;
	*ret = s;
	return true;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		const uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

uint16_t spread_share(const struct endpoint_list *endpoints, bool local, uint16_t ret[])
{
	uint32_t divisor = 0, slots = 0;
	uint64_t weights = 0;
	size_t n = 0, limit;

	for (size_t i = 0; i < endpoints->n; i++) {
		const struct candidate *ep = &endpoints->eps[i];

		if (!candidate_is_in(ep, local) || !ep->weight)
			continue;
		divisor = common_divisor(ep->weight, divisor);
		weights += ep->weight;
		n++;
	}
	limit = n > ROUNDED_SLOTS ? n : ROUNDED_SLOTS;
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct candidate *ep = &endpoints->eps[i];
		uint64_t share = 0, room, most;

		if (candidate_is_in(ep, local) && ep->weight) {
			share = weights / divisor <= limit
				? ep->weight / divisor
				: (ep->weight * limit + weights / 2) / weights;
			share = share ? share : 1;
		}
		/* Each endpoint behind it is left a slot, as far as there are enough. */
		n -= share > 0;
		room = SPREAD_SLOTS - slots;
		most = room > n ? room - n : room > 0;
		share = share < most ? share : most;
		ret[i] = (uint16_t)share;
		slots += (uint32_t)share;
	}
	return (uint16_t)slots;
}
