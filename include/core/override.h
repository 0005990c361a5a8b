/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_OVERRIDE_H
#define CORE_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

/*
 * Weights that an operator gave endpoints by hand: they count before those of the inputs. Weight 0
 * drains: new connections go elsewhere, and those that exist stay.
 */

struct slot;

enum { OVERRIDE_MAX_WEIGHT = 65535 };
enum { OVERRIDES_MAX = 1000 };
/* An endpoint that has been gone for so many milliseconds does not return; a pod with its address would
 * be another one. */
enum { OVERRIDE_LOST_MS = 60 * 1000 };
/* The time of an override that does not end by itself. */
#define OVERRIDE_FOREVER UINT64_MAX

struct override {
	struct ip ip;
	uint16_t port;	 /* 0: every port of the address */
	char *service;	 /* "namespace/name"; "": every Service */
	uint32_t weight; /* 0..OVERRIDE_MAX_WEIGHT */
	uint64_t until;	 /* milliseconds of CLOCK_MONOTONIC, or OVERRIDE_FOREVER */
	uint32_t by;	 /* the user who asked for it */
	uint64_t
		lost_at; /* since when no Service has the endpoint, the same clock; 0: one has it */
};

/* A zeroed list is empty. */
struct overrides {
	struct override *v;
	size_t n, cap;
};

void overrides_done(struct overrides *o);
/* Adds a copy, which replaces the override of the same endpoint and Service. Returns 0, or -ENOSPC:
 * there are OVERRIDES_MAX. */
int overrides_put(struct overrides *o, const struct override *new);
/*
 * The override that sets the weight of a Service's endpoint; NULL: none does. Of several, one for this
 * Service comes first, then one for this port. Valid until the list changes.
 */
const struct override *overrides_find(const struct overrides *o, const char *ns, const char *name,
	const struct ip *ip, uint16_t port);
/* The Service of the slot has the endpoint, and the override is for it or for all Services. */
bool override_concerns(const struct override *o, const struct slot *slot);

/* `resume` with this wish ends the override: without a port or a Service it ends all of the address. */
bool override_is_meant(const struct override *o, const struct override *wish);
/* Notes whether any Service has the endpoint now. Returns whether none has had it for too long. */
bool override_is_lost(struct override *o, bool there, uint64_t now);

/* "10.244.1.5:8080", or "10.244.1.5" for every port. */
void override_print_endpoint(const struct override *o, struct buf *ret);
/* The inverse, also "fd00::5" and "[fd00::5]". Returns 0, or -EINVAL with words. */
int override_parse_endpoint(
	const char *text, struct ip *ret_ip, uint16_t *ret_port, struct err *err);

/*
 * The list as text, one override a line: "10.244.1.5:8080 shop/web weight=0 until=1234 by=0".
 * A Service of "*" stands for all, and an override without an end has no "until".
 */
void overrides_print(const struct overrides *o, struct buf *ret);
/* Adds what overrides_print() printed. Returns 0, or -EINVAL with words at the first line that is
 * none. */
int overrides_parse(struct overrides *ret, const char *text, struct err *err);

#endif
