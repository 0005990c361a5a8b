// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include "kernel/sysctl.h"

enum {
	CONNTRACK_CAP = 1 << 20, /* connections; what CPUs alone ask for is not more than that */
	PER_BUCKET = 4,		 /* connections in one hash bucket, when the table is full */
};

/*
 * kube-proxy's arithmetic, but for one thing: there the cap beats a greater minimum, which is what
 * somebody asked for.
 */
static long wanted_max(const struct conntrack_settings *c, unsigned cpus)
{
	long max = (long)c->max_per_core * (long)cpus;

	if (max > CONNTRACK_CAP)
		max = CONNTRACK_CAP;
	return max > (long)c->min ? max : (long)c->min;
}

static size_t add(struct sysctl *ret, size_t n, const char *path, uint32_t value)
{
	if (!value)
		return n;
	ret[n] = (struct sysctl){ .path = path, .value = value };
	return n + 1;
}

size_t sysctl_wanted_conntrack(const struct conntrack_settings *c, unsigned cpus,
	struct sysctl ret[static SYSCTL_MAX_CONNTRACK])
{
	const long max = c->max_per_core ? wanted_max(c, cpus) : 0;
	size_t n = 0;

	if (max) {
		ret[n++] = (struct sysctl){ "net/netfilter/nf_conntrack_max", max };
		ret[n++] = (struct sysctl){ "/sys/module/nf_conntrack/parameters/hashsize",
			max / PER_BUCKET, .at_least = true };
	}
	n = add(ret, n, "net/netfilter/nf_conntrack_tcp_timeout_established",
		c->tcp_established_timeout);
	n = add(ret, n, "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
		c->tcp_close_wait_timeout);
	n = add(ret, n, "net/netfilter/nf_conntrack_tcp_be_liberal", c->tcp_be_liberal);
	n = add(ret, n, "net/netfilter/nf_conntrack_udp_timeout", c->udp_timeout);
	return add(ret, n, "net/netfilter/nf_conntrack_udp_timeout_stream", c->udp_stream_timeout);
}

int sysctl_setup_conntrack(const struct conntrack_settings *c, struct err *err)
{
	struct sysctl wanted[SYSCTL_MAX_CONNTRACK];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = sysctl_wanted_conntrack(c, cpus > 0 ? (unsigned)cpus : 1, wanted);

	return sysctl_setup(wanted, n, err);
}
