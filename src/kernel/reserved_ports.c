// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/reserved_ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/sysctl.h"

enum {
	LIST_SIZE = 65536 / 2 * sizeof("65535"), /* every other port */
	RANGE_SIZE = 64,
	/* The kernel reads one page of a write, and old ones cut what is longer in the middle of a
	 * number (proc_do_large_bitmap()). */
	WRITE_SIZE = 4000,
};

static const char list_path[] = "net/ipv4/ip_local_reserved_ports";
static const char range_path[] = "net/ipv4/ip_local_port_range";

/* The kernel prints the whole list in the first read, and nothing after that. */
static int read_port_setting(const char *path, char *text, size_t size, struct err *err)
{
	int fd = sysctl_open(path, O_RDONLY), r = fd;
	ssize_t n;

	if (fd >= 0) {
		n = read(fd, text, size - 1);
		r = n < 0 ? -errno : (int)n;
		close(fd);
	}
	if (r < 0)
		return err_errno(err, r, "cannot read /proc/sys/%s", path);
	text[r] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

static int read_list(struct port_set *ret, struct err *err)
{
	_cleanup_free_ char *text = mem_zalloc(LIST_SIZE, 1);
	int r = read_port_setting(list_path, text, LIST_SIZE, err);

	if (!r && port_set_parse(text, ret))
		r = err_set(err, -EPROTO, "/proc/sys/%s is no list of ports", list_path);
	return r;
}

static int read_range(struct port_set *ret, struct err *err)
{
	struct port_set range = { 0 };
	unsigned first, last;
	char text[RANGE_SIZE];
	int r = read_port_setting(range_path, text, sizeof(text), err);

	if (r)
		return r;
	if (sscanf(text, "%u %u", &first, &last) != 2 || last > UINT16_MAX)
		return err_set(err, -EPROTO, "/proc/sys/%s is no range of ports", range_path);
	for (; first <= last; first++)
		port_set_add(&range, (uint16_t)first);
	*ret = range;
	return 0;
}

/* A piece that is not the first adds to the list. */
static int write_list(int fd, const struct port_set *list)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *p;

	port_set_print(&text, list);
	buf_addc(&text, '\n');
	for (p = buf_str(&text); *p;) {
		size_t len = strlen(p);

		if (len > WRITE_SIZE)
			for (len = WRITE_SIZE; p[len - 1] != ',';)
				len--;
		if (write(fd, p, len) != (ssize_t)len)
			return errno ? -errno : -EIO;
		p += len;
	}
	return 0;
}

void reserved_ports_decide(const struct port_set *found, const struct port_set *noted, bool theirs,
	const struct port_set *wanted, struct port_set *ret_ours, struct port_set *ret_list)
{
	static const struct port_set none;
	struct port_set others;

	port_set_minus(found, theirs ? &none : noted, &others);
	port_set_minus(wanted, &others, ret_ours);
	port_set_or(&others, ret_ours, ret_list);
}

/* Whoever is killed in between has noted more than he has reserved, never less. */
static int change_list(struct reserved_ports *r, const struct port_set *noted,
	const struct port_set *ours, const struct port_set *list, struct err *err)
{
	struct port_set either;
	int fd = sysctl_open(list_path, O_WRONLY), e = fd < 0 ? fd : 0;

	port_set_or(noted, ours, &either);
	if (!e && !port_set_eq(&either, noted)) {
		e = r->adapter->write_note(r->adapter, RESERVED_PORTS_NOTE, &either, err);
		if (e) {
			close(fd);
			return e;
		}
	}
	errno = 0;
	if (!e)
		e = write_list(fd, list);
	if (fd >= 0)
		close(fd);
	return e ? err_errno(err, e, "cannot write /proc/sys/%s", list_path) : 0;
}

int reserved_ports_sync(struct reserved_ports *r, const struct port_set *wanted, struct err *err)
{
	struct port_set found, noted, range, need, ours, list, lacking;
	int e;

	r->n_lacking = 0;
	e = read_range(&range, err);
	if (!e)
		e = read_list(&found, err);
	if (!e)
		e = r->adapter->read_note(r->adapter, RESERVED_PORTS_NOTE, &noted, err);
	if (e)
		return e;
	port_set_and(wanted, &range, &need);
	reserved_ports_decide(
		&found, &noted, r->known && !port_set_eq(&found, &r->list), &need, &ours, &list);
	r->known = true;
	r->list = found;

	if (!port_set_eq(&list, &found)) {
		e = change_list(r, &noted, &ours, &list, err);
		if (e) {
			r->known = false; /* a part of it may be written */
			port_set_minus(&need, &found, &lacking);
			r->n_lacking = port_set_count(&lacking);
			return e;
		}
		r->list = list;
	}
	return port_set_eq(&ours, &noted)
		? 0
		: r->adapter->write_note(r->adapter, RESERVED_PORTS_NOTE, &ours, err);
}
