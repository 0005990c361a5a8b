// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipvs_msg.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <string.h>

#include <netlink/genl/genl.h>

enum {
	ADDR_SIZE = 16, /* union nf_inet_addr, whatever the family */
	IPV6_FULL_PREFIX = 128,
};

/* The kernel's name of "no scheduler". */
static const char no_scheduler[] = "none";

struct nl_msg *ipvs_msg_find_family(void)
{
	const struct genlmsghdr h = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	struct nl_msg *msg = nl_request_new(GENL_ID_CTRL, NLM_F_ACK, &h, sizeof(h));

	NLA_PUT_STRING(msg, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *ipvs_msg_new(uint16_t family, int flags, uint8_t command)
{
	const struct genlmsghdr h = { .cmd = command, .version = IPVS_GENL_VERSION };

	return nl_request_new(family, flags, &h, sizeof(h));
}

/*
 * The nest that identifies a virtual server; with a value, also the four attributes on which
 * ip_vs_genl_parse_service() insists for NEW and SET. All flags are in the mask, so that SET clears
 * those which somebody else added.
 */
static int put_service(struct nl_msg *msg, const struct fact_key *key, const struct fact_val *val)
{
	struct nlattr *nest = nla_nest_start(msg, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED);

	if (!nest)
		return -EMSGSIZE;
	NLA_PUT_U16(msg, IPVS_SVC_ATTR_AF, key->family);
	if (key->proto) {
		NLA_PUT_U16(msg, IPVS_SVC_ATTR_PROTOCOL, key->proto);
		NLA_PUT(msg, IPVS_SVC_ATTR_ADDR, ADDR_SIZE, key->addr);
		NLA_PUT_U16(msg, IPVS_SVC_ATTR_PORT, htons(key->port));
	} else {
		NLA_PUT_U32(msg, IPVS_SVC_ATTR_FWMARK, fact_fwmark(key));
	}
	if (val) {
		const struct ip_vs_flags flags = { .flags = val->vs.flags, .mask = ~0u };

		NLA_PUT_STRING(msg, IPVS_SVC_ATTR_SCHED_NAME,
			*val->vs.scheduler ? val->vs.scheduler : no_scheduler);
		NLA_PUT(msg, IPVS_SVC_ATTR_FLAGS, sizeof(flags), &flags);
		NLA_PUT_U32(msg, IPVS_SVC_ATTR_TIMEOUT, val->vs.timeout);
		NLA_PUT_U32(msg, IPVS_SVC_ATTR_NETMASK,
			key->family == AF_INET6 ? IPV6_FULL_PREFIX : INADDR_BROADCAST);
	}
	nla_nest_end(msg, nest);
	return 0;

nla_put_failure:
	return -EMSGSIZE;
}

struct nl_msg *ipvs_msg_op(uint16_t family, const struct op *op)
{
	static const struct {
		uint8_t vs, rs;
	} commands[] = {
		[OP_ADD] = { IPVS_CMD_NEW_SERVICE, IPVS_CMD_NEW_DEST },
		[OP_SET] = { IPVS_CMD_SET_SERVICE, IPVS_CMD_SET_DEST },
		[OP_DEL] = { IPVS_CMD_DEL_SERVICE, IPVS_CMD_DEL_DEST },
	};
	const struct fact_key *key = &op->fact.key;
	const struct fact_val *val = op->type == OP_DEL ? NULL : &op->fact.val;
	bool rs = key->kind == FACT_RS;
	struct nl_msg *msg =
		ipvs_msg_new(family, 0, rs ? commands[op->type].rs : commands[op->type].vs);
	struct nlattr *nest;

	if (put_service(msg, key, rs ? NULL : val))
		goto nla_put_failure;
	if (!rs)
		return msg;

	/* With a value, also the four attributes on which ip_vs_genl_parse_dest() insists for NEW
	 * and SET. */
	nest = nla_nest_start(msg, IPVS_CMD_ATTR_DEST | NLA_F_NESTED);
	if (!nest)
		goto nla_put_failure;
	NLA_PUT_U16(msg, IPVS_DEST_ATTR_ADDR_FAMILY, key->family);
	NLA_PUT(msg, IPVS_DEST_ATTR_ADDR, ADDR_SIZE, key->addr2);
	NLA_PUT_U16(msg, IPVS_DEST_ATTR_PORT, htons(key->port2));
	if (val) {
		NLA_PUT_U32(msg, IPVS_DEST_ATTR_FWD_METHOD, val->rs.forwarding);
		NLA_PUT_U32(msg, IPVS_DEST_ATTR_WEIGHT, val->rs.weight);
		NLA_PUT_U32(msg, IPVS_DEST_ATTR_U_THRESH, 0);
		NLA_PUT_U32(msg, IPVS_DEST_ATTR_L_THRESH, 0);
	}
	nla_nest_end(msg, nest);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

struct nl_msg *ipvs_msg_dump(uint16_t family, const struct fact_key *vs)
{
	struct nl_msg *msg =
		ipvs_msg_new(family, NLM_F_DUMP, vs ? IPVS_CMD_GET_DEST : IPVS_CMD_GET_SERVICE);

	if (vs && put_service(msg, vs, NULL)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

struct nl_msg *ipvs_msg_set_timeouts(uint16_t family, uint32_t tcp, uint32_t tcp_fin, uint32_t udp)
{
	struct nl_msg *msg = ipvs_msg_new(family, NLM_F_ACK, IPVS_CMD_SET_CONFIG);

	NLA_PUT_U32(msg, IPVS_CMD_ATTR_TIMEOUT_TCP, tcp);
	NLA_PUT_U32(msg, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, tcp_fin);
	NLA_PUT_U32(msg, IPVS_CMD_ATTR_TIMEOUT_UDP, udp);
	return msg;

nla_put_failure:
	nlmsg_free(msg);
	return NULL;
}

int ipvs_read_family(struct nlmsghdr *msg, void *ret)
{
	static const struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
	};
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	if (genlmsg_parse(msg, 0, tb, CTRL_ATTR_MAX, policy) || !tb[CTRL_ATTR_FAMILY_ID])
		return -EBADMSG;
	*(uint16_t *)ret = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return 0;
}

static uint32_t optional_u32(const struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

int ipvs_read_timeouts(struct nlmsghdr *msg, void *ret)
{
	static const struct nla_policy policy[IPVS_CMD_ATTR_MAX + 1] = {
		[IPVS_CMD_ATTR_TIMEOUT_TCP] = { .type = NLA_U32 },
		[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN] = { .type = NLA_U32 },
		[IPVS_CMD_ATTR_TIMEOUT_UDP] = { .type = NLA_U32 },
	};
	struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1];

	if (genlmsg_parse(msg, 0, tb, IPVS_CMD_ATTR_MAX, policy))
		return -EBADMSG;
	*(struct ipvs_timeouts *)ret = (struct ipvs_timeouts){
		.tcp = optional_u32(tb[IPVS_CMD_ATTR_TIMEOUT_TCP]),
		.tcp_fin = optional_u32(tb[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN]),
		.udp = optional_u32(tb[IPVS_CMD_ATTR_TIMEOUT_UDP]),
	};
	return 0;
}

/* All that a reply consists of is in one nest. */
static const struct nla_policy reply_policy[IPVS_CMD_ATTR_MAX + 1] = {
	[IPVS_CMD_ATTR_SERVICE] = { .type = NLA_NESTED },
	[IPVS_CMD_ATTR_DEST] = { .type = NLA_NESTED },
};

/* The attributes of a virtual server, and its identity as a fact. Returns 1, 0 or -EBADMSG as
 * ipvs_read_vs(). Of an IPv4 address only the first four bytes count. */
static int ipvs_parse_service(
	struct nlmsghdr *msg, struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1], struct fact *ret)
{
	static const struct nla_policy policy[IPVS_SVC_ATTR_MAX + 1] = {
		[IPVS_SVC_ATTR_AF] = { .type = NLA_U16 },
		[IPVS_SVC_ATTR_PROTOCOL] = { .type = NLA_U16 },
		[IPVS_SVC_ATTR_ADDR] = { .minlen = ADDR_SIZE },
		[IPVS_SVC_ATTR_PORT] = { .type = NLA_U16 },
		[IPVS_SVC_ATTR_FWMARK] = { .type = NLA_U32 },
		[IPVS_SVC_ATTR_SCHED_NAME] = { .type = NLA_STRING, .maxlen = SCHED_NAME_SIZE },
		[IPVS_SVC_ATTR_FLAGS] = { .minlen = sizeof(struct ip_vs_flags) },
		[IPVS_SVC_ATTR_TIMEOUT] = { .type = NLA_U32 },
		[IPVS_SVC_ATTR_STATS] = { .type = NLA_NESTED },
		[IPVS_SVC_ATTR_STATS64] = { .type = NLA_NESTED },
	};

	struct nlattr *reply[IPVS_CMD_ATTR_MAX + 1];
	uint16_t family, proto;
	struct ip ip;

	if (genlmsg_parse(msg, 0, reply, IPVS_CMD_ATTR_MAX, reply_policy) ||
		nl_parse_nested(reply[IPVS_CMD_ATTR_SERVICE], tb, IPVS_SVC_ATTR_MAX, policy) ||
		!tb[IPVS_SVC_ATTR_AF])
		return -EBADMSG;
	family = nla_get_u16(tb[IPVS_SVC_ATTR_AF]);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (tb[IPVS_SVC_ATTR_FWMARK]) {
		*ret = fact_vs_fwmark(family, nla_get_u32(tb[IPVS_SVC_ATTR_FWMARK]));
		return 1;
	}

	if (!tb[IPVS_SVC_ATTR_PROTOCOL] || !tb[IPVS_SVC_ATTR_ADDR] || !tb[IPVS_SVC_ATTR_PORT])
		return -EBADMSG;
	proto = nla_get_u16(tb[IPVS_SVC_ATTR_PROTOCOL]);
	if (!proto || proto > UINT8_MAX)
		return 0;
	ip = ip_make(family, nla_data(tb[IPVS_SVC_ATTR_ADDR]));
	*ret = fact_vs(&ip, ntohs(nla_get_u16(tb[IPVS_SVC_ATTR_PORT])), (uint8_t)proto);
	return 1;
}

int ipvs_read_vs(struct nlmsghdr *msg, struct fact *ret)
{
	struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1];
	struct ip_vs_flags flags;
	const char *scheduler;
	struct fact f;
	int r = ipvs_parse_service(msg, tb, &f);

	if (r <= 0)
		return r;
	if (!tb[IPVS_SVC_ATTR_SCHED_NAME] || !tb[IPVS_SVC_ATTR_FLAGS] || !tb[IPVS_SVC_ATTR_TIMEOUT])
		return -EBADMSG;
	scheduler = nla_get_string(tb[IPVS_SVC_ATTR_SCHED_NAME]);
	if (strcmp(scheduler, no_scheduler) != 0)
		strncpy(f.val.vs.scheduler, scheduler, SCHED_NAME_SIZE - 1);
	memcpy(&flags, nla_data(tb[IPVS_SVC_ATTR_FLAGS]), sizeof(flags));
	f.val.vs.flags = flags.flags & ~(uint32_t)IP_VS_SVC_F_HASHED;
	if (flags.flags & IP_VS_SVC_F_PERSISTENT)
		f.val.vs.timeout = nla_get_u32(tb[IPVS_SVC_ATTR_TIMEOUT]);
	*ret = f;
	return 1;
}

/* Counters are 32 bits wide in STATS and 64 in STATS64, which kernels have since 4.1. */
static uint64_t counter(const struct nlattr *attr)
{
	if (!attr)
		return 0;
	return nla_len(attr) == sizeof(uint64_t) ? nla_get_u64(attr) : nla_get_u32(attr);
}

int ipvs_read_stats(struct nlmsghdr *msg, struct vs_stats *ret)
{
	static const struct nla_policy policy[IPVS_STATS_ATTR_MAX + 1] = {
		[IPVS_STATS_ATTR_CONNS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_INPKTS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_OUTPKTS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_INBYTES] = { .minlen = sizeof(uint64_t) },
		[IPVS_STATS_ATTR_OUTBYTES] = { .minlen = sizeof(uint64_t) },
	};
	struct nlattr *service[IPVS_SVC_ATTR_MAX + 1], *tb[IPVS_STATS_ATTR_MAX + 1], *stats;
	struct fact vs;
	int r = ipvs_parse_service(msg, service, &vs);

	if (r <= 0)
		return r;
	stats = service[IPVS_SVC_ATTR_STATS64] ? service[IPVS_SVC_ATTR_STATS64]
					       : service[IPVS_SVC_ATTR_STATS];
	if (!stats)
		return 0;
	if (nl_parse_nested(stats, tb, IPVS_STATS_ATTR_MAX, policy))
		return -EBADMSG;
	*ret = (struct vs_stats){
		.key = vs.key,
		.connections = counter(tb[IPVS_STATS_ATTR_CONNS]),
		.in_packets = counter(tb[IPVS_STATS_ATTR_INPKTS]),
		.out_packets = counter(tb[IPVS_STATS_ATTR_OUTPKTS]),
		.in_bytes = counter(tb[IPVS_STATS_ATTR_INBYTES]),
		.out_bytes = counter(tb[IPVS_STATS_ATTR_OUTBYTES]),
	};
	return 1;
}

/* Kernels before 3.18 do not tell the family of a real server: it is that of the virtual server.
 * Only tunnels can have the other one, which are none of ours. */
int ipvs_read_rs(struct nlmsghdr *msg, const struct fact_key *vs, struct fact *ret,
	struct rs_conns *ret_conns)
{
	static const struct nla_policy policy[IPVS_DEST_ATTR_MAX + 1] = {
		[IPVS_DEST_ATTR_ADDR] = { .minlen = ADDR_SIZE },
		[IPVS_DEST_ATTR_PORT] = { .type = NLA_U16 },
		[IPVS_DEST_ATTR_FWD_METHOD] = { .type = NLA_U32 },
		[IPVS_DEST_ATTR_WEIGHT] = { .type = NLA_U32 },
		[IPVS_DEST_ATTR_ACTIVE_CONNS] = { .type = NLA_U32 },
		[IPVS_DEST_ATTR_INACT_CONNS] = { .type = NLA_U32 },
		[IPVS_DEST_ATTR_PERSIST_CONNS] = { .type = NLA_U32 },
		[IPVS_DEST_ATTR_ADDR_FAMILY] = { .type = NLA_U16 },
	};
	struct nlattr *reply[IPVS_CMD_ATTR_MAX + 1], *tb[IPVS_DEST_ATTR_MAX + 1];
	struct ip ip;

	if (genlmsg_parse(msg, 0, reply, IPVS_CMD_ATTR_MAX, reply_policy) ||
		nl_parse_nested(reply[IPVS_CMD_ATTR_DEST], tb, IPVS_DEST_ATTR_MAX, policy) ||
		!tb[IPVS_DEST_ATTR_ADDR] || !tb[IPVS_DEST_ATTR_PORT] ||
		!tb[IPVS_DEST_ATTR_FWD_METHOD] || !tb[IPVS_DEST_ATTR_WEIGHT])
		return -EBADMSG;
	if (tb[IPVS_DEST_ATTR_ADDR_FAMILY] &&
		nla_get_u16(tb[IPVS_DEST_ATTR_ADDR_FAMILY]) != vs->family)
		return 0;

	ip = ip_make(vs->family, nla_data(tb[IPVS_DEST_ATTR_ADDR]));
	*ret = fact_rs(vs, &ip, ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_PORT])),
		nla_get_u32(tb[IPVS_DEST_ATTR_WEIGHT]));
	ret->val.rs.forwarding = nla_get_u32(tb[IPVS_DEST_ATTR_FWD_METHOD]) & IP_VS_CONN_F_FWD_MASK;
	*ret_conns = (struct rs_conns){
		.key = ret->key,
		.weight = ret->val.rs.weight,
		.active = optional_u32(tb[IPVS_DEST_ATTR_ACTIVE_CONNS]),
		.inactive = optional_u32(tb[IPVS_DEST_ATTR_INACT_CONNS]),
		.persistent = optional_u32(tb[IPVS_DEST_ATTR_PERSIST_CONNS]),
	};
	return 1;
}

/*
 * For a virtual server ESRCH means that it does not exist (ip_vs_genl_set_cmd()), and ENOENT that
 * its scheduler does not (ip_vs_add_service(), ip_vs_edit_service()). For a real server both mean
 * what they mean to the ledger.
 */
int ipvs_result(const struct op *op, int answer)
{
	if (op->fact.key.kind != FACT_VS)
		return answer;
	if (answer == -ESRCH)
		return -ENOENT;
	return answer == -ENOENT && op->type != OP_DEL ? -EPROTONOSUPPORT : answer;
}
