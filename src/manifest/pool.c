// SPDX-License-Identifier: GPL-2.0-or-later
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

struct use {
	struct map_node by_ip;
	struct ip ip;
	size_t n;
};

static struct use *use_of(struct map_node *n)
{
	return container_of(n, struct use, by_ip);
}

static struct use *find(const struct pool *p, const struct ip *ip)
{
	map_for_each_match(n, &p->used, map_hash(ip, sizeof(*ip)))
		if (ip_eq(&use_of(n)->ip, ip))
			return use_of(n);
	return NULL;
}

void pool_init(struct pool *p, const struct cidr *range)
{
	*p = (struct pool){ .range = *range };
}

void pool_done(struct pool *p)
{
	map_for_each(n, &p->used)
		free(use_of(n));
	map_done(&p->used);
}

void pool_hold(struct pool *p, const struct ip *ip)
{
	struct use *use = find(p, ip);

	if (!p->range.ip.family || !cidr_contains(&p->range, ip))
		return;
	if (!use) {
		use = new0(struct use);
		use->ip = *ip;
		map_add(&p->used, &use->by_ip, map_hash(ip, sizeof(*ip)));
	}
	use->n++;
}

void pool_release(struct pool *p, const struct ip *ip)
{
	struct use *use = find(p, ip);

	if (!use || --use->n)
		return;
	map_del(&p->used, &use->by_ip);
	free(use);
}

/* Of larger ranges only the first 2^32 addresses are given out. */
static uint64_t size(const struct pool *p)
{
	unsigned host_bits = (unsigned)ip_bits(p->range.ip.family) - p->range.len;

	return UINT64_C(1) << (host_bits < 32 ? host_bits : 32);
}

/* The host bits of a range are zero and at most 32 of them are used, so nothing carries. */
static struct ip nth(const struct pool *p, uint64_t n)
{
	struct ip ip = p->range.ip;
	unsigned last = ip.family == AF_INET ? 3 : 15;

	for (unsigned i = 0; i < 4; i++)
		ip.bytes[last - i] |= (uint8_t)(n >> (8 * i));
	return ip;
}

int pool_allocate(struct pool *p, const char *name, struct ip *ret)
{
	uint64_t n = size(p), hash = hash_text(name), first = 0;

	if (!p->range.ip.family)
		return -ENOSPC;
	/* The network's and the broadcast address, as an API server leaves them out. */
	if (n > 2) {
		first = 1;
		n -= 2;
	}
	for (uint64_t i = 0; i < n && i <= p->used.count; i++) {
		struct ip ip = nth(p, first + ((hash ^ hash >> 32) + i) % n);

		if (find(p, &ip))
			continue;
		pool_hold(p, &ip);
		*ret = ip;
		return 0;
	}
	return -ENOSPC;
}
