// SPDX-License-Identifier: GPL-2.0-or-later
#include "audit.h"

#include <stdlib.h>

#include "base/mem.h"

/* Times in milliseconds. */
enum {
	RATE_LOST = 100, /* between audits because of lost answers */
	RETRY = 1000,	 /* after an audit that failed */
	/* At most this part of the time goes into reading what takes long to read. */
	READING_SHARE = 20,
};

void audit_adapter_changed(struct audit *a, enum fact_kind kind)
{
	a->epochs[kind] = 0;
}

/*
 * Of the kinds under audit those that others may have changed since they were read. An adapter reads
 * its kinds together, so all of them are left out or none.
 */
static unsigned changed_kinds(struct audit *a, unsigned suspect)
{
	unsigned kinds = a->kinds;

	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *adapter = a->adapters[kind];
		const unsigned own = adapter ? adapter->kinds & a->kinds : 0;
		uint64_t epoch;
		bool same;

		/* Once for each adapter, at its first kind. */
		if (!(own & 1u << kind) || own & ((1u << kind) - 1) || !adapter->epoch)
			continue;
		epoch = adapter->epoch(adapter);
		same = epoch && !(suspect & own);
		for (enum fact_kind k = kind; k < FACT_KINDS; k++) {
			if (!(own & 1u << k))
				continue;
			same = same && epoch == a->epochs[k];
			a->epochs[k] = epoch;
		}
		if (same)
			kinds &= ~own;
	}
	return kinds;
}

/* A request that comes while the kernel is read may tell of what was read already: the next audit
 * is for it. */
bool audit_begin(struct audit *a, bool lost, bool doubt, uint64_t now)
{
	const bool interval = now >= a->next;
	const bool at_once = lost && !a->failed && now >= a->last + RATE_LOST;
	unsigned resting = 0, suspect;

	if (a->kinds)
		return true;
	for (enum fact_kind kind = 0; kind < FACT_KINDS && now < a->rest_until; kind++)
		if (a->adapters[kind] && a->adapters[kind]->read_ahead)
			resting |= 1u << kind;
	if (!a->done || (a->failed && interval) || at_once)
		a->kinds = FACT_ALL_KINDS;
	else if (interval)
		a->kinds = (FACT_ALL_KINDS & ~resting) | a->requested;
	else
		a->kinds = a->failed ? 0 : a->requested;
	suspect = !a->done || a->failed || lost || doubt ? FACT_ALL_KINDS : a->requested;
	a->regular = interval || a->kinds == FACT_ALL_KINDS;
	if (interval && !a->kinds)
		a->next = a->rest_until;
	a->requested &= ~a->kinds;
	a->begun = now;
	a->reading = changed_kinds(a, suspect);
	return a->kinds;
}

bool audit_read_ahead(const struct audit *a)
{
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct adapter *adapter = a->reading & 1u << kind ? a->adapters[kind] : NULL;

		if (adapter && adapter->read_ahead && !adapter->read_ahead(adapter))
			return false;
	}
	return true;
}

void audit_add_virtual_server(struct audit *a, const struct fact_key *vs)
{
	mem_grow(a->virtual_servers, a->n_virtual_servers, a->cap_virtual_servers);
	a->virtual_servers[a->n_virtual_servers++] = *vs;
}

void audit_dumped(struct audit *a, uint64_t now)
{
	a->dumped = true;
	a->took = now - a->begun;
}

const struct fact_key *audit_next_virtual_server(struct audit *a)
{
	return a->n_checked < a->n_virtual_servers ? &a->virtual_servers[a->n_checked++] : NULL;
}

void audit_done(struct audit *a)
{
	free(a->virtual_servers);
	a->virtual_servers = NULL;
	a->n_virtual_servers = a->cap_virtual_servers = a->n_checked = 0;
}

void audit_end(struct audit *a, bool failed, uint64_t now)
{
	/* Before the first audit nothing can be written, so that reading keeps nothing waiting. */
	const uint64_t took = a->dumped ? a->took : now - a->begun;
	const uint64_t rest = a->done ? READING_SHARE * took : 0;

	audit_done(a);
	a->kinds = a->reading = 0;
	a->dumped = false;
	a->drift = 0;
	if (failed) {
		a->failed = true;
		a->next = now + (rest > RETRY ? rest : RETRY);
		return;
	}
	if (took)
		a->rest_until = now + READING_SHARE * took;
	if (!a->regular)
		return;
	a->done = true;
	a->failed = false;
	a->last = now;
	a->next = a->interval ? now + a->interval : UINT64_MAX;
}

uint64_t audit_next(const struct audit *a, bool lost)
{
	const uint64_t at_once = a->last + RATE_LOST;

	return lost && !a->failed && at_once < a->next ? at_once : a->next;
}
