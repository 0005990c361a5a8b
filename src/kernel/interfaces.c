// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/interfaces.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nl.h"

struct interface_list {
	struct interface *v;
	size_t n, cap;
};

/* All of them have the index as an u32 in the attribute of that number. */
static int lower_of(const char *kind, struct nlattr *data)
{
	static const struct {
		const char *kind;
		int attribute;
	} kinds[] = { { "vxlan", IFLA_VXLAN_LINK }, { "ipip", IFLA_IPTUN_LINK },
		{ "sit", IFLA_IPTUN_LINK }, { "ip6tnl", IFLA_IPTUN_LINK },
		{ "gre", IFLA_GRE_LINK } };
	const struct nlattr *a = NULL;

	for (size_t i = 0; data && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kind, kinds[i].kind))
			a = nla_find(nla_data(data), nla_len(data), kinds[i].attribute);
	return a && nla_len(a) == sizeof(uint32_t) ? (int)nla_get_u32(a) : 0;
}

/* For nl_port_ask() */
static int take_interface(struct nlmsghdr *msg, void *arg)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = { .type = NLA_STRING },
		[IFLA_MTU] = { .type = NLA_U32 },
		[IFLA_MASTER] = { .type = NLA_U32 },
		[IFLA_CARRIER] = { .type = NLA_U8 },
		[IFLA_LINKINFO] = { .type = NLA_NESTED },
	};
	static const struct nla_policy info_policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = { .type = NLA_STRING },
		[IFLA_INFO_DATA] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	struct interface_list *l = arg;
	const struct ifinfomsg *h = nlmsg_data(msg);
	struct interface one = { 0 };

	if (nlmsg_parse(msg, sizeof(*h), tb, IFLA_MAX, policy) || !tb[IFLA_IFNAME])
		return -EBADMSG;
	one.index = h->ifi_index;
	one.up = h->ifi_flags & IFF_UP;
	one.carrier = !tb[IFLA_CARRIER] || nla_get_u8(tb[IFLA_CARRIER]);
	one.mtu = tb[IFLA_MTU] ? nla_get_u32(tb[IFLA_MTU]) : 0;
	one.master = tb[IFLA_MASTER] ? (int)nla_get_u32(tb[IFLA_MASTER]) : 0;
	snprintf(one.name, sizeof(one.name), "%s", nla_get_string(tb[IFLA_IFNAME]));
	if (h->ifi_flags & IFF_LOOPBACK)
		strcpy(one.kind, "loopback");
	if (!nl_parse_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_MAX, info_policy) &&
		info[IFLA_INFO_KIND]) {
		snprintf(one.kind, sizeof(one.kind), "%s", nla_get_string(info[IFLA_INFO_KIND]));
		one.lower = lower_of(one.kind, info[IFLA_INFO_DATA]);
	}
	mem_grow(l->v, l->n, l->cap);
	l->v[l->n++] = one;
	return 0;
}

int interfaces_read(struct interface **ret, size_t *ret_n, struct err *err)
{
	const struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	struct interface_list l = { 0 };
	struct nl_port *p;
	int r = nl_port_open(NETLINK_ROUTE, &p, err);

	if (r)
		return r;
	r = nl_port_ask(p, nl_request_new(RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all)),
		take_interface, &l.n, &l);
	nl_port_free(p);
	if (r < 0) {
		free(l.v);
		return err_errno(err, r, "cannot read the interfaces of this node");
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}
