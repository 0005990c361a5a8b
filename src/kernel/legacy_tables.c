// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The legacy variant keeps a table as one block of memory, and getsockopt() copies it as it is
 * (ipt_get_ctl(), copy_entries_to_user()): milliseconds for a megabyte, where iptables-save has to
 * start, to load its extensions and to print. Nobody takes the block apart here, except to leave out
 * what packets change.
 */
#include "legacy_tables.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* <netinet/in.h> comes first: then the kernel's headers do not define its types again. */
#include <netinet/in.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/fact.h"
#include "core/resolve.h"

/* Where the parts of an entry are. The options of both families have the same numbers and, up to the
 * first entry, the same structs. */
struct legacy_layout {
	int level;
	size_t next_offset, comefrom, size;
};

static const struct legacy_layout legacy_ipv4 = { IPPROTO_IP,
	offsetof(struct ipt_entry, next_offset), offsetof(struct ipt_entry, comefrom),
	sizeof(struct ipt_entry) };
static const struct legacy_layout legacy_ipv6 = { IPPROTO_IPV6,
	offsetof(struct ip6t_entry, next_offset), offsetof(struct ip6t_entry, comefrom),
	sizeof(struct ip6t_entry) };

/* Behind comefrom are the counters, and then matches and target. */
static uint64_t hash_entries(
	uint64_t hash, const struct legacy_layout *l, const char *entries, size_t size)
{
	for (size_t at = 0; at + l->size <= size;) {
		const char *e = entries + at;
		uint16_t next;

		memcpy(&next, e + l->next_offset, sizeof(next));
		if (next < l->size || next > size - at)
			break;
		hash = hash_more(hash, e, l->comefrom);
		hash = hash_more(hash, e + l->size, next - l->size);
		at += next;
	}
	return hash;
}

static bool hash_legacy_table(
	uint64_t *hash, int fd, const struct legacy_layout *l, enum table table, struct buf *room)
{
	const size_t head = offsetof(struct ipt_get_entries, entrytable);
	struct ipt_getinfo info = { 0 };
	struct ipt_get_entries *get;
	socklen_t len = sizeof(info);

	strcpy(info.name, table_name(table));
	if (getsockopt(fd, l->level, IPT_SO_GET_INFO, &info, &len))
		return false;
	buf_reset(room);
	get = (void *)buf_reserve(room, head + info.size);
	/* The kernel leaves out what follows the end of a name. */
	memset(get, 0, head + info.size);
	strcpy(get->name, table_name(table));
	get->size = info.size;
	len = (socklen_t)(head + info.size);
	if (getsockopt(fd, l->level, IPT_SO_GET_ENTRIES, get, &len))
		return false;
	*hash = hash_more(*hash, &info.valid_hooks, sizeof(info.valid_hooks));
	*hash = hash_entries(*hash, l, (const char *)get + head, info.size);
	return true;
}

uint64_t legacy_tables_hash(int family, unsigned tables)
{
	const struct legacy_layout *l = family == AF_INET6 ? &legacy_ipv6 : &legacy_ipv4;
	_cleanup_(buf_done) struct buf room = { 0 };
	uint64_t hash = hash_more(HASH_EMPTY, &tables, sizeof(tables));
	bool read = true;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	for (enum table table = 0; read && table <= TABLE_MANGLE; table++)
		if (tables & 1u << table)
			read = hash_legacy_table(&hash, fd, l, table, &room);
	close(fd);
	return read ? hash : 0;
}
