// SPDX-License-Identifier: GPL-2.0-or-later
#include "canary.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* <netinet/in.h> comes first: then the kernel's headers do not define its types again. */
#include <netinet/in.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <netlink/attr.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "iptables_tree.h"
#include "nl.h"

enum {
	TICK_MS = 200,
	MAX_TICKS = 3, /* that we wait for somebody who goes on changing rules */
	FAMILIES = 2,
	TABLES = TABLE_MANGLE + 1,
};

/* The tables of one family of the legacy variant. */
struct shapes {
	int family;
	int fd; /* any socket of the family */
	struct ipt_getinfo seen[TABLES];
};

struct canary {
	int epoll, timer;
	struct nl_port *port; /* notifications of nf_tables; NULL: no family uses it */
	bool nft4, nft6;
	const char *table; /* of ours; NULL: none */
	uint32_t writer;   /* nlmsg_pid of our own changes; 0: none yet */
	struct shapes shapes[FAMILIES];
	size_t n_shapes;
	uint64_t now;	    /* of the last canary_disturbed(), in ms */
	uint64_t next_tick; /* when the timer's next expiration counts */
	bool disturbed;	    /* and not told */
	bool sure;	    /* by a change of what is ours */
	bool again;	    /* since the last tick */
	unsigned ticks;	    /* since it was disturbed */
	uint64_t told;	    /* when, in ms; 0: never */
	uint64_t repairs;   /* until then */
};

int canary_new(struct canary **ret, struct err *err)
{
	struct epoll_event readable = { .events = EPOLLIN };
	struct canary *c = new0(struct canary);

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll < 0 || c->timer < 0 ||
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->timer, &readable)) {
		int r = -errno;

		canary_free(c);
		return err_errno(err, r, "cannot wait for changes of iptables rules");
	}
	*ret = c;
	return 0;
}

void canary_free(struct canary *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_shapes; i++)
		close(c->shapes[i].fd);
	nl_port_free(c->port);
	if (c->timer >= 0)
		close(c->timer);
	if (c->epoll >= 0)
		close(c->epoll);
	free(c);
}

int canary_fd(const struct canary *c)
{
	return c->epoll;
}

static void set_ticking(const struct canary *c, bool on)
{
	const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
	struct itimerspec t = { 0 };

	if (on)
		t.it_value = t.it_interval = tick;
	timerfd_settime(c->timer, 0, &t, NULL);
}

/* Rules have changed: surely some of ours, or perhaps. */
static void note_disturbance(struct canary *c, bool sure)
{
	c->sure |= sure;
	c->again |= c->disturbed;
	if (c->disturbed)
		return;
	c->disturbed = true;
	c->ticks = 0;
	/* Legacy tables are looked at by ticks in any case. */
	if (c->n_shapes)
		return;
	c->next_tick = c->now + TICK_MS;
	set_ticking(c, true);
}

/* nf_tables */

/* The table is the first attribute of tables, sets, elements, chains and rules alike. */
static bool is_in_our_table(const struct canary *c, struct nlmsghdr *msg)
{
	struct nlattr *table;

	if (!c->table || NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_NEWGEN)
		return false;
	table = nlmsg_find_attr(msg, sizeof(struct nfgenmsg), NFTA_TABLE_NAME);
	return table && !nla_strcmp(table, c->table);
}

static void take_nft_event(struct nlmsghdr *msg, void *arg)
{
	const struct nfgenmsg *header = NLMSG_DATA(msg);
	struct nla_policy policy[NFTA_CHAIN_NAME + 1] = {
		[NFTA_TABLE_NAME] = { .type = NLA_STRING },
	};
	struct nlattr *tb[NFTA_CHAIN_NAME + 1];
	struct canary *c = arg;
	int name = 0; /* attribute with the name of the chain; 0: there is none */
	bool sure;
	enum table table;
	enum hook hook;

	if (NFNL_SUBSYS_ID(msg->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
		msg->nlmsg_len < NLMSG_LENGTH(sizeof(*header)) ||
		(c->writer && msg->nlmsg_pid == c->writer))
		return;
	if (is_in_our_table(c, msg)) {
		note_disturbance(c, true);
		return;
	}
	if (!(header->nfgen_family == AF_INET ? c->nft4
					      : header->nfgen_family == AF_INET6 && c->nft6))
		return;
	switch (NFNL_MSG_TYPE(msg->nlmsg_type)) {
	case NFT_MSG_DELTABLE:
		break;
	case NFT_MSG_DELCHAIN:
		name = NFTA_CHAIN_NAME;
		break;
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		name = NFTA_RULE_CHAIN;
		break;
	default:
		return;
	}

	policy[name ? name : NFTA_TABLE_NAME].type = NLA_STRING;
	if (nlmsg_parse(msg, sizeof(*header), tb, NFTA_CHAIN_NAME, policy) ||
		!tb[NFTA_TABLE_NAME] || (name && !tb[name]) ||
		!table_parse(nla_get_string(tb[NFTA_TABLE_NAME]), &table))
		return;
	sure = !name || iptables_chain_is_ours(table, nla_get_string(tb[name]));
	/* A rule that leaves a built-in chain may be our jump: not every kernel says which rule it
	 * was. */
	if (sure ||
		(NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_DELRULE &&
			hook_parse(nla_get_string(tb[name]), &hook)))
		note_disturbance(c, sure);
}

/*
 * The port of a program's first netlink socket is its process id, in the program's own namespace
 * (netlink_autobind()). Thousands of its notifications would overflow the queue, so a filter drops
 * them before they are queued. Filters read words in network order.
 */
void canary_written_by(struct canary *c, uint32_t id)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(id), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (!c || !c->port)
		return;
	c->writer = id;
	setsockopt(c->port->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Legacy */

/* Whether any shape has changed since the last call. IPv6 has the same option and struct under names
 * of its own: IP6T_SO_GET_INFO, struct ip6t_getinfo. */
static bool shapes_changed(struct shapes *s)
{
	const int level = s->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	bool changed = false;

	for (enum table table = 0; table <= TABLE_MANGLE; table++) {
		struct ipt_getinfo info = { 0 };
		socklen_t len = sizeof(info);

		strcpy(info.name, table_name(table));
		if (getsockopt(s->fd, level, IPT_SO_GET_INFO, &info, &len))
			memset(&info, 0, sizeof(info));
		changed |= memcmp(&info, &s->seen[table], sizeof(info)) != 0;
		s->seen[table] = info;
	}
	return changed;
}

void canary_before_write(struct canary *c, int family)
{
	for (size_t i = 0; c && i < c->n_shapes; i++)
		if (c->shapes[i].family == family && shapes_changed(&c->shapes[i]))
			note_disturbance(c, false);
}

void canary_after_write(struct canary *c, int family)
{
	for (size_t i = 0; c && i < c->n_shapes; i++)
		if (c->shapes[i].family == family)
			shapes_changed(&c->shapes[i]);
}

/* Both */

static int watch_nf_tables(struct canary *c, struct err *err)
{
	struct epoll_event readable = { .events = EPOLLIN };
	int r;

	if (c->port)
		return 0;
	r = nl_port_open(NETLINK_NETFILTER, &c->port, err);
	if (r)
		return r;
	r = nl_port_join(c->port, NFNLGRP_NFTABLES);
	if (!r && epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->port->fd, &readable))
		r = -errno;
	return r ? err_errno(err, r, "cannot watch nf_tables") : 0;
}

int canary_add(struct canary *c, int family, bool nft, struct err *err)
{
	struct shapes *s = &c->shapes[c->n_shapes];

	if (!nft) {
		s->family = family;
		s->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (s->fd < 0)
			return err_errno(err, -errno, "cannot watch the tables of iptables");
		c->n_shapes++;
		shapes_changed(s);
		set_ticking(c, true);
		return 0;
	}

	*(family == AF_INET ? &c->nft4 : &c->nft6) = true;
	return watch_nf_tables(c, err);
}

int canary_add_table(struct canary *c, const char *name, struct err *err)
{
	c->table = name;
	return watch_nf_tables(c, err);
}

bool canary_disturbed(struct canary *c, uint64_t now, uint64_t interval, uint64_t repairs)
{
	bool before, wait, vain;
	uint64_t expirations;

	c->now = now;
	if (c->port && nl_port_drain(c->port, take_nft_event, c))
		note_disturbance(c, false); /* messages were lost */
	/* The timer only wakes the caller; `now` decides. */
	if (read(c->timer, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return false;
	/* The timer has a phase of its own and is late at times: half a tick is tolerated. */
	if ((!c->disturbed && !c->n_shapes) || now + TICK_MS / 2 < c->next_tick)
		return false;
	c->next_tick = now + TICK_MS;
	before = c->disturbed;
	for (size_t i = 0; i < c->n_shapes; i++)
		if (shapes_changed(&c->shapes[i]))
			note_disturbance(c, false);
	if (!before)
		return false;
	vain = !c->sure && c->told && c->repairs == repairs && now < c->told + interval;
	wait = vain || (c->again && ++c->ticks < MAX_TICKS);
	c->again = false;
	if (wait)
		return false;
	c->disturbed = c->sure = false;
	c->repairs = repairs;
	c->told = now;
	if (!c->n_shapes)
		set_ticking(c, false);
	return true;
}
