/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/adapter.h"

/*
 * When the kernel is read, and which kinds of facts. All kinds are read before anything is written,
 * then at every interval, and in between those that somebody asks for. What takes long to read, and what
 * nobody has changed, is left out. core/engine reads, and compares: real servers, of which there may
 * be a million, last and some at a time, between its other work.
 */
struct audit {
	struct adapter *const *adapters; /* by kind; NULL: facts of that kind cannot be had */
	uint64_t interval;		 /* milliseconds; 0: only on request */
	unsigned requested;		 /* masks of 1 << enum fact_kind: for the next audit */
	unsigned kinds;			 /* under audit; 0: no audit is under way */
	unsigned reading;		 /* of `kinds`: those that others may have changed */
	bool dumped;			 /* all of `reading` but the real servers were read */
	size_t drift;			 /* found by it so far */
	/* Those that the kernel has, of which the first n_checked have had their real servers read. */
	struct fact_key *virtual_servers;
	size_t n_virtual_servers, cap_virtual_servers, n_checked;
	bool regular;  /* of all kinds but those that rest */
	bool done;     /* one of all kinds has succeeded */
	bool failed;   /* the last one has not */
	uint64_t last; /* regular one that succeeded, ms; 0: never */
	uint64_t next, begun;
	uint64_t took;	     /* ms until `dumped` */
	uint64_t rest_until; /* for adapters that take long to read the kernel */
	/* Of the adapters when the kind was read last; 0: unknown. */
	uint64_t epochs[FACT_KINDS];
};

/* The adapter of that kind is another one. */
void audit_adapter_changed(struct audit *a, enum fact_kind kind);
/*
 * Begins one if it is time to and none is under way. Returns whether one is.
 * @param lost Results of operations are unknown. @param doubt The kernel has to be read also where
 * nobody has changed it.
 */
bool audit_begin(struct audit *a, bool lost, bool doubt, uint64_t now);
/* Returns whether all adapters can dump the kinds of a->reading. */
bool audit_read_ahead(const struct audit *a);
void audit_add_virtual_server(struct audit *a, const struct fact_key *vs);
/* All of a->reading but the real servers was read. */
void audit_dumped(struct audit *a, uint64_t now);
/* The next one whose real servers are to be read. NULL: there is none. */
const struct fact_key *audit_next_virtual_server(struct audit *a);
void audit_end(struct audit *a, bool failed, uint64_t now);
/* When the next one begins, unless somebody asks for one. */
uint64_t audit_next(const struct audit *a, bool lost);
void audit_done(struct audit *a);

#endif
