// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	NUMBER_SIZE = 32,
	CONNTRACK_CAP = 1 << 20,  /* connections; the limit that CPUs alone can raise */
	CONNTRACK_PER_BUCKET = 4, /* connections in one hash bucket of a full table */
};

static const char path_max[] = "net/netfilter/nf_conntrack_max";
static const char path_hashsize[] = "/sys/module/nf_conntrack/parameters/hashsize";

static void sysctl_file(const char *path, char ret[static PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s%s", *path == '/' ? "" : "/proc/sys/", path);
}

int sysctl_open(const char *path, int flags)
{
	char file[PATH_MAX];
	int fd;

	sysctl_file(path, file);
	fd = open(file, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, long *ret)
{
	char text[NUMBER_SIZE], *end;
	int fd = sysctl_open(path, O_RDONLY);
	ssize_t n;
	long value;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || (*end && *end != '\n'))
		return -EINVAL;
	*ret = value;
	return 0;
}

/* "net.ipv4.ip_forward", as sysctl(8) writes it; elsewhere than in /proc/sys the path */
static const char *dotted_name(const char *path, char ret[static PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s", path);
	for (char *p = ret; *path != '/' && (p = strchr(p, '/'));)
		*p = '.';
	return ret;
}

int sysctl_ensure(const struct sysctl *s, struct err *err)
{
	char name[PATH_MAX], text[NUMBER_SIZE];
	long value = 0;
	int r = sysctl_read(s->path, &value), fd, len;

	if (r == -ENOENT)
		return err_set(err, r, "the kernel has no setting %s", dotted_name(s->path, name));
	if (r)
		return err_errno(err, r, "cannot read %s", dotted_name(s->path, name));
	if (value == s->value || (s->at_least && value > s->value))
		return 0;

	fd = sysctl_open(s->path, O_WRONLY);
	len = snprintf(text, sizeof(text), "%" PRId64 "\n", s->value);
	if (fd < 0) {
		r = fd;
	} else {
		r = write(fd, text, (size_t)len) < 0 ? -errno : 0;
		close(fd);
	}
	if (r)
		return err_errno(err, r, "%s is %ld, must be %s%" PRId64 " and cannot be written",
			dotted_name(s->path, name), value, s->at_least ? "at least " : "",
			s->value);
	return 1;
}

bool sysctl_kernel_before(unsigned major, unsigned minor, unsigned than_major, unsigned than_minor)
{
	return major != than_major ? major < than_major : minor < than_minor;
}

static size_t add_forwarding(
	struct sysctl ret[static SYSCTL_MAX_WANTED], size_t n, bool strict_arp, bool ipv6)
{
	ret[n++] = (struct sysctl){ "net/ipv4/ip_forward", 1 };
	if (ipv6)
		ret[n++] = (struct sysctl){ "net/ipv6/conf/all/forwarding", 1, .at_least = true };
	if (strict_arp) {
		ret[n++] = (struct sysctl){ "net/ipv4/conf/all/arp_ignore", 1 };
		ret[n++] = (struct sysctl){ "net/ipv4/conf/all/arp_announce", 2 };
	}
	return n;
}

size_t sysctl_wanted(unsigned major, unsigned minor, bool strict_arp, bool ipv6,
	struct sysctl ret[static SYSCTL_MAX_WANTED])
{
	size_t n = 0;

	/* IPVS packets pass netfilter's NAT, so that rules can masquerade them. */
	ret[n++] = (struct sysctl){ "net/ipv4/vs/conntrack", 1 };
	/*
	 * A new connection from a client port that is in use: before 5.9 any value but 0 drops its
	 * first packet when conntrack is on; with 0 it goes to its old real server, even one of
	 * weight 0. The setting exists since 4.1.
	 */
	if (!sysctl_kernel_before(major, minor, 5, 9))
		ret[n++] = (struct sysctl){ "net/ipv4/vs/conn_reuse_mode", 1, .at_least = true };
	else if (!sysctl_kernel_before(major, minor, 4, 1))
		ret[n++] = (struct sysctl){ "net/ipv4/vs/conn_reuse_mode", 0 };
	/* Connections to a removed real server are reset instead of timing out. */
	ret[n++] = (struct sysctl){ "net/ipv4/vs/expire_nodest_conn", 1 };
	/* Session affinity does not send clients to a draining real server. */
	ret[n++] = (struct sysctl){ "net/ipv4/vs/expire_quiescent_template", 1 };
	return add_forwarding(ret, n, strict_arp, ipv6);
}

size_t sysctl_wanted_without_ipvs(bool strict_arp, bool ipv6, bool localhost_node_ports,
	struct sysctl ret[static SYSCTL_MAX_WANTED])
{
	size_t n = add_forwarding(ret, 0, strict_arp, ipv6);

	/* Packets from 127.0.0.1 may be translated and leave the node. */
	if (localhost_node_ports)
		ret[n++] = (struct sysctl){ "net/ipv4/conf/all/route_localnet", 1 };
	return n;
}

int sysctl_setup(const struct sysctl *wanted, size_t n, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		int r = sysctl_ensure(&wanted[i], first ? NULL : err);

		if (r < 0 && !first)
			first = r;
	}
	return first;
}

size_t sysctl_wanted_conntrack(const struct conntrack_settings *c, unsigned cpus,
	struct sysctl ret[static SYSCTL_MAX_CONNTRACK])
{
	const struct sysctl plain[] = {
		{ "net/netfilter/nf_conntrack_tcp_timeout_established",
			c->tcp_established_timeout },
		{ "net/netfilter/nf_conntrack_tcp_timeout_close_wait", c->tcp_close_wait_timeout },
		{ "net/netfilter/nf_conntrack_tcp_be_liberal", c->tcp_be_liberal },
		{ "net/netfilter/nf_conntrack_udp_timeout", c->udp_timeout },
		{ "net/netfilter/nf_conntrack_udp_timeout_stream", c->udp_stream_timeout },
	};
	int64_t max = (int64_t)c->max_per_core * cpus;
	size_t n = 0;

	/*
	 * nf_conntrack_max as kube-proxy computes it, but for one thing: there the cap beats a
	 * greater minimum, although somebody asked for the minimum.
	 */
	if (max > CONNTRACK_CAP)
		max = CONNTRACK_CAP;
	if (max && max < c->min)
		max = c->min;
	if (max) {
		ret[n++] = (struct sysctl){ path_max, max, .at_least = true };
		ret[n++] = (struct sysctl){ path_hashsize, max / CONNTRACK_PER_BUCKET,
			.at_least = true };
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (plain[i].value)
			ret[n++] = plain[i];
	return n;
}

/* What to do about a limit that cannot be raised here, but does not keep the daemon from running;
 * NULL: it does. */
static const char *limit_remedy(const char *path)
{
	char file[PATH_MAX];
	struct stat st;

	if (!strcmp(path, path_hashsize))
		return "the table of connections gets slow when it is full; write it on the host, or "
		       "give --conntrack-max-per-core=0";
	/* The kernel lets nobody write it but in the initial network namespace. */
	sysctl_file(path, file);
	if (!strcmp(path, path_max) && !stat(file, &st) &&
		!(st.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)))
		return "it belongs to the initial network namespace: write it there, or give "
		       "--conntrack-max-per-core=0";
	return NULL;
}

int sysctl_setup_conntrack(const struct conntrack_settings *c,
	void (*warn)(const struct err *why, void *arg), void *arg, struct err *err)
{
	struct sysctl wanted[SYSCTL_MAX_CONNTRACK];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = sysctl_wanted_conntrack(c, cpus > 0 ? (unsigned)cpus : 1, wanted);
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		struct err why = { 0 };
		const char *remedy;
		int r = sysctl_ensure(&wanted[i], &why);

		if (r >= 0)
			continue;
		remedy = limit_remedy(wanted[i].path);
		if (remedy) {
			err_suffix(&why, "%s", remedy);
			warn(&why, arg);
		} else if (!first) {
			first = r;
			err_suffix(&why,
				"write it beforehand (ipvsctl-svcd --init-only), or give the option "
				"--conntrack-... as 0");
			err_set(err, r, "%s", why.msg);
		}
	}
	return first;
}

void sysctl_kernel_version(unsigned *ret_major, unsigned *ret_minor)
{
	struct utsname name;
	char *rest;

	*ret_major = *ret_minor = 0;
	if (uname(&name))
		return;
	*ret_major = (unsigned)strtoul(name.release, &rest, 10);
	if (*rest == '.')
		*ret_minor = (unsigned)strtoul(rest + 1, NULL, 10);
}
