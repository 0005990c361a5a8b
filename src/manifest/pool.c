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

static struct use *find_use(const struct pool *p, const struct ip *ip)
{
	map_for_each_match_entry(struct use, use, &p->used, map_hash(ip, sizeof(*ip)), by_ip)
		if (ip_eq(&use->ip, ip))
			return use;
	return NULL;
}

void pool_done(struct pool *p)
{
	map_for_each_entry(struct use, use, &p->used, by_ip)
		free(use);
	map_done(&p->used);
}

void pool_hold(struct pool *p, const struct ip *ip)
{
	struct use *use = find_use(p, ip);

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
	struct use *use = find_use(p, ip);

	if (!use || --use->n)
		return;
	map_del(&p->used, &use->by_ip);
	free(use);
}

int pool_allocate(struct pool *p, const char *name, struct ip *ret)
{
	unsigned host_bits, last = p->range.ip.family == AF_INET ? 3 : 15;
	uint64_t n, hash = hash_text(name), first = 0;

	if (!p->range.ip.family)
		return -ENOSPC;
	/* Of larger ranges only the first 2^32 addresses are given out. */
	host_bits = (unsigned)ip_bits(p->range.ip.family) - p->range.len;
	n = UINT64_C(1) << (host_bits < 32 ? host_bits : 32);
	/* The network's and the broadcast address, as an API server leaves them out. */
	if (n > 2) {
		first = 1;
		n -= 2;
	}
	for (uint64_t i = 0; i < n && i <= p->used.count; i++) {
		uint64_t host = first + ((hash ^ hash >> 32) + i) % n;
		struct ip ip = p->range.ip;

		/* The host bits of the range are zero and at most 32 are used: nothing carries. */
		for (unsigned k = 0; k < 4; k++)
			ip.bytes[last - k] |= (uint8_t)(host >> (8 * k));
		if (find_use(p, &ip))
			continue;
		pool_hold(p, &ip);
		*ret = ip;
		return 0;
	}
	return -ENOSPC;
}
