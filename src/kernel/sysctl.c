// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"

enum { NUMBER_SIZE = 32 };

static int open_setting(const char *path, int flags)
{
	char file[PATH_MAX];
	int fd;

	snprintf(file, sizeof(file), "%s%s", *path == '/' ? "" : "/proc/sys/", path);
	fd = open(file, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, long *ret)
{
	char text[NUMBER_SIZE], *end;
	int fd = open_setting(path, O_RDONLY);
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

static int write_setting(const struct sysctl *s)
{
	char text[NUMBER_SIZE];
	int fd = open_setting(s->path, O_WRONLY);
	int len = snprintf(text, sizeof(text), "%ld\n", s->value);
	int r;

	if (fd < 0)
		return fd;
	r = write(fd, text, (size_t)len) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* "net.ipv4.ip_forward", as sysctl(8) writes it; elsewhere than in /proc/sys the path */
static const char *dotted(const char *path, char ret[static PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s", path);
	for (char *p = ret; *path != '/' && (p = strchr(p, '/'));)
		*p = '.';
	return ret;
}

int sysctl_ensure(const struct sysctl *s, struct err *err)
{
	char name[PATH_MAX];
	long value = 0;
	int r = sysctl_read(s->path, &value);

	if (r == -ENOENT)
		return err_set(err, r, "the kernel has no setting %s", dotted(s->path, name));
	if (r)
		return err_errno(err, r, "cannot read %s", dotted(s->path, name));
	if (value == s->value || (s->at_least && value > s->value))
		return 0;
	r = write_setting(s);
	if (r)
		return err_errno(err, r, "%s is %ld, must be %ld and cannot be written",
			dotted(s->path, name), value, s->value);
	return 1;
}

static bool before(unsigned major, unsigned minor, unsigned than_major, unsigned than_minor)
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
	 * What a new connection from a used client port does. Before 5.9 any value but 0 drops its
	 * first packet when conntrack is on; with 0 it sticks to its old real server, even one of
	 * weight 0. Before 4.1 there is no such setting.
	 */
	if (!before(major, minor, 5, 9))
		ret[n++] = (struct sysctl){ "net/ipv4/vs/conn_reuse_mode", 1, .at_least = true };
	else if (!before(major, minor, 4, 1))
		ret[n++] = (struct sysctl){ "net/ipv4/vs/conn_reuse_mode", 0 };
	/* Connections to a real server that is gone are ended, not left to time out. */
	ret[n++] = (struct sysctl){ "net/ipv4/vs/expire_nodest_conn", 1 };
	/* Session affinity lets go of a real server that is draining. */
	ret[n++] = (struct sysctl){ "net/ipv4/vs/expire_quiescent_template", 1 };
	return add_forwarding(ret, n, strict_arp, ipv6);
}

size_t sysctl_wanted_iptables(bool strict_arp, bool ipv6, bool localhost_node_ports,
	struct sysctl ret[static SYSCTL_MAX_WANTED])
{
	size_t n = add_forwarding(ret, 0, strict_arp, ipv6);

	/* What comes from 127.0.0.1 may be translated and leave. */
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
