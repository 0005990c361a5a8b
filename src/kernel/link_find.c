// SPDX-License-Identifier: GPL-2.0-or-later
#include "link_find.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static void write_find(struct nl_writer *w, void *arg)
{
	(void)arg;
	link_write_find_device(w);
}

static int read_device(const struct nlmsghdr *msg, void *arg)
{
	return link_read_device(msg, arg);
}

int link_find_device(struct nl_port *p, struct link_device *ret)
{
	struct link_device found = { 0 };
	int r = nl_port_ask(p,
		&(struct nl_question){ .write = write_find, .reply = read_device, .arg = &found });

	if (r && r != -ENODEV)
		return r;
	*ret = found;
	return 0;
}

struct address_dump {
	int index;
	struct link_addresses found;
};

static void write_dump(struct nl_writer *w, void *arg)
{
	const struct address_dump *d = arg;

	link_write_dump_addresses(w, d->index);
}

/* Kernels before 4.20 do not filter. */
static int read_address(const struct nlmsghdr *msg, void *arg)
{
	struct address_dump *d = arg;
	struct link_addresses *l = &d->found;
	struct link_address a;
	int r = link_read_address(msg, &a);

	if (r <= 0 || (d->index && a.index != d->index))
		return r < 0 ? r : 0;
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = a;
	return 0;
}

static void restart(void *arg)
{
	struct address_dump *d = arg;

	d->found.n = 0;
}

int link_find_addresses(struct nl_port *p, int index, struct link_addresses *ret)
{
	struct address_dump d = { .index = index };
	int r = nl_port_ask(p,
		&(struct nl_question){
			.write = write_dump,
			.reply = read_address,
			.restart = restart,
			.arg = &d,
		});

	if (r)
		free(d.found.v);
	else
		*ret = d.found;
	return r;
}
