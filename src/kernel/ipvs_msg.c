// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipvs_msg.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <string.h>

enum {
	ADDR_SIZE = 16, /* union nf_inet_addr, whatever the family */
	IPV6_FULL_PREFIX = 128,
};

/* The kernel's name of "no scheduler". */
static const char no_scheduler[] = "none";

static void begin(struct nl_writer *w, uint16_t family, uint16_t flags, uint8_t command)
{
	struct genlmsghdr *h = nl_write_begin(w, family, flags, GENL_HDRLEN);

	h->cmd = command;
	h->version = IPVS_GENL_VERSION;
}

void ipvs_write_find_family(struct nl_writer *w)
{
	struct genlmsghdr *h = nl_write_begin(w, GENL_ID_CTRL, NLM_F_ACK, GENL_HDRLEN);

	h->cmd = CTRL_CMD_GETFAMILY;
	h->version = 1;
	nl_write_string(w, CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
}

void ipvs_write_info(struct nl_writer *w, uint16_t family)
{
	begin(w, family, NLM_F_ACK, IPVS_CMD_GET_INFO);
}

static void write_identity(struct nl_writer *w, const struct fact_key *key)
{
	nl_write_u16(w, IPVS_SVC_ATTR_AF, key->family);
	if (!key->proto) {
		nl_write_u32(w, IPVS_SVC_ATTR_FWMARK, fact_fwmark(key));
		return;
	}
	nl_write_u16(w, IPVS_SVC_ATTR_PROTOCOL, key->proto);
	nl_write_attr(w, IPVS_SVC_ATTR_ADDR, key->addr, ADDR_SIZE);
	nl_write_u16(w, IPVS_SVC_ATTR_PORT, htons(key->port));
}

/* ip_vs_genl_parse_service() wants all four of them. Of the flags all are set, so that SET takes
 * away what somebody else added. */
static void write_vs_value(struct nl_writer *w, int family, const struct fact_val *val)
{
	struct ip_vs_flags flags = { .flags = val->vs.flags, .mask = ~0u };
	const char *scheduler = *val->vs.scheduler ? val->vs.scheduler : no_scheduler;

	nl_write_string(w, IPVS_SVC_ATTR_SCHED_NAME, scheduler);
	nl_write_attr(w, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	nl_write_u32(w, IPVS_SVC_ATTR_TIMEOUT, val->vs.timeout);
	nl_write_u32(
		w, IPVS_SVC_ATTR_NETMASK, family == AF_INET6 ? IPV6_FULL_PREFIX : INADDR_BROADCAST);
}

static void write_vs(struct nl_writer *w, const struct op *op)
{
	struct nlattr *nest = nl_write_nest(w, IPVS_CMD_ATTR_SERVICE);

	write_identity(w, &op->fact.key);
	if (op->type != OP_DEL)
		write_vs_value(w, op->fact.key.family, &op->fact.val);
	nl_write_nest_end(w, nest);
}

/* ip_vs_genl_parse_dest() wants all four of them. */
static void write_rs_value(struct nl_writer *w, const struct fact_val *val)
{
	nl_write_u32(w, IPVS_DEST_ATTR_FWD_METHOD, val->rs.forwarding);
	nl_write_u32(w, IPVS_DEST_ATTR_WEIGHT, val->rs.weight);
	nl_write_u32(w, IPVS_DEST_ATTR_U_THRESH, 0);
	nl_write_u32(w, IPVS_DEST_ATTR_L_THRESH, 0);
}

static void write_rs(struct nl_writer *w, const struct op *op)
{
	const struct fact_key *key = &op->fact.key;
	struct nlattr *nest = nl_write_nest(w, IPVS_CMD_ATTR_SERVICE);

	write_identity(w, key);
	nl_write_nest_end(w, nest);
	nest = nl_write_nest(w, IPVS_CMD_ATTR_DEST);
	nl_write_u16(w, IPVS_DEST_ATTR_ADDR_FAMILY, key->family);
	nl_write_attr(w, IPVS_DEST_ATTR_ADDR, key->addr2, ADDR_SIZE);
	nl_write_u16(w, IPVS_DEST_ATTR_PORT, htons(key->port2));
	if (op->type != OP_DEL)
		write_rs_value(w, &op->fact.val);
	nl_write_nest_end(w, nest);
}

void ipvs_write_op(struct nl_writer *w, uint16_t family, const struct op *op)
{
	static const uint8_t vs_commands[] = {
		[OP_ADD] = IPVS_CMD_NEW_SERVICE,
		[OP_SET] = IPVS_CMD_SET_SERVICE,
		[OP_DEL] = IPVS_CMD_DEL_SERVICE,
	};
	static const uint8_t rs_commands[] = {
		[OP_ADD] = IPVS_CMD_NEW_DEST,
		[OP_SET] = IPVS_CMD_SET_DEST,
		[OP_DEL] = IPVS_CMD_DEL_DEST,
	};

	if (op->fact.key.kind == FACT_VS) {
		begin(w, family, 0, vs_commands[op->type]);
		write_vs(w, op);
	} else {
		begin(w, family, 0, rs_commands[op->type]);
		write_rs(w, op);
	}
}

void ipvs_write_dump_vs(struct nl_writer *w, uint16_t family)
{
	begin(w, family, NLM_F_DUMP, IPVS_CMD_GET_SERVICE);
}

void ipvs_write_dump_rs(struct nl_writer *w, uint16_t family, const struct fact_key *vs)
{
	struct nlattr *nest;

	begin(w, family, NLM_F_DUMP, IPVS_CMD_GET_DEST);
	nest = nl_write_nest(w, IPVS_CMD_ATTR_SERVICE);
	write_identity(w, vs);
	nl_write_nest_end(w, nest);
}

void ipvs_write_timeouts(
	struct nl_writer *w, uint16_t family, uint32_t tcp, uint32_t tcp_fin, uint32_t udp)
{
	begin(w, family, NLM_F_ACK, IPVS_CMD_SET_CONFIG);
	nl_write_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP, tcp);
	nl_write_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, tcp_fin);
	nl_write_u32(w, IPVS_CMD_ATTR_TIMEOUT_UDP, udp);
}

void ipvs_write_get_timeouts(struct nl_writer *w, uint16_t family)
{
	begin(w, family, NLM_F_ACK, IPVS_CMD_GET_CONFIG);
}

int ipvs_read_timeouts(const struct nlmsghdr *msg, struct ipvs_timeouts *ret)
{
	static const struct nla_policy policy[IPVS_CMD_ATTR_MAX + 1] = {
		[IPVS_CMD_ATTR_TIMEOUT_TCP] = { .type = NLA_U32 },
		[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN] = { .type = NLA_U32 },
		[IPVS_CMD_ATTR_TIMEOUT_UDP] = { .type = NLA_U32 },
	};
	struct nlattr *tb[IPVS_CMD_ATTR_MAX + 1] = { NULL };

	if (nl_read_attrs(msg, GENL_HDRLEN, tb, IPVS_CMD_ATTR_MAX, policy))
		return -EBADMSG;
	*ret = (struct ipvs_timeouts){ 0 };
	if (tb[IPVS_CMD_ATTR_TIMEOUT_TCP])
		ret->tcp = nla_get_u32(tb[IPVS_CMD_ATTR_TIMEOUT_TCP]);
	if (tb[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN])
		ret->tcp_fin = nla_get_u32(tb[IPVS_CMD_ATTR_TIMEOUT_TCP_FIN]);
	if (tb[IPVS_CMD_ATTR_TIMEOUT_UDP])
		ret->udp = nla_get_u32(tb[IPVS_CMD_ATTR_TIMEOUT_UDP]);
	return 0;
}

int ipvs_read_family(const struct nlmsghdr *msg, uint16_t *ret)
{
	static const struct nla_policy policy[CTRL_ATTR_MAX + 1] = {
		[CTRL_ATTR_FAMILY_ID] = { .type = NLA_U16 },
	};
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	if (nl_read_attrs(msg, GENL_HDRLEN, tb, CTRL_ATTR_MAX, policy) || !tb[CTRL_ATTR_FAMILY_ID])
		return -EBADMSG;
	*ret = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return 0;
}

/* The attributes of the one nest in a reply. Returns 0, or -EBADMSG. */
static int read_nested(const struct nlmsghdr *msg, int attr, struct nlattr *tb[], int max,
	const struct nla_policy *policy)
{
	static const struct nla_policy outer_policy[IPVS_CMD_ATTR_MAX + 1] = {
		[IPVS_CMD_ATTR_SERVICE] = { .type = NLA_NESTED },
		[IPVS_CMD_ATTR_DEST] = { .type = NLA_NESTED },
	};
	struct nlattr *outer[IPVS_CMD_ATTR_MAX + 1];
	int r = nl_read_attrs(msg, GENL_HDRLEN, outer, IPVS_CMD_ATTR_MAX, outer_policy);

	return r ? r : nl_read_nest(outer[attr], tb, max, policy);
}

static bool known_family(int family)
{
	return family == AF_INET || family == AF_INET6;
}

/* Of an IPv4 address only the first four bytes count. */
static struct ip read_ip(int family, const struct nlattr *attr)
{
	return ip_make(family, nla_data(attr));
}

/* Returns 1, 0 or -EBADMSG as ipvs_read_vs(). */
static int read_vs_key(struct nlattr *tb[], struct fact *ret)
{
	uint16_t family, proto;
	struct ip ip;

	if (!tb[IPVS_SVC_ATTR_AF])
		return -EBADMSG;
	family = nla_get_u16(tb[IPVS_SVC_ATTR_AF]);
	if (!known_family(family))
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
	ip = read_ip(family, tb[IPVS_SVC_ATTR_ADDR]);
	*ret = fact_vs(&ip, ntohs(nla_get_u16(tb[IPVS_SVC_ATTR_PORT])), (uint8_t)proto);
	return 1;
}

static int read_vs_value(struct nlattr *tb[], struct fact_val *ret)
{
	struct ip_vs_flags flags;
	const char *scheduler;

	if (!tb[IPVS_SVC_ATTR_SCHED_NAME] || !tb[IPVS_SVC_ATTR_FLAGS] || !tb[IPVS_SVC_ATTR_TIMEOUT])
		return -EBADMSG;
	scheduler = nla_get_string(tb[IPVS_SVC_ATTR_SCHED_NAME]);
	if (strcmp(scheduler, no_scheduler) != 0)
		strncpy(ret->vs.scheduler, scheduler, SCHED_NAME_SIZE - 1);
	memcpy(&flags, nla_data(tb[IPVS_SVC_ATTR_FLAGS]), sizeof(flags));
	ret->vs.flags = flags.flags & ~(uint32_t)IP_VS_SVC_F_HASHED;
	if (flags.flags & IP_VS_SVC_F_PERSISTENT)
		ret->vs.timeout = nla_get_u32(tb[IPVS_SVC_ATTR_TIMEOUT]);
	return 1;
}

int ipvs_read_vs(const struct nlmsghdr *msg, struct fact *ret)
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
	};
	struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1] = { NULL };
	struct fact f;
	int r = read_nested(msg, IPVS_CMD_ATTR_SERVICE, tb, IPVS_SVC_ATTR_MAX, policy);

	if (!r)
		r = read_vs_key(tb, &f);
	if (r > 0)
		r = read_vs_value(tb, &f.val);
	if (r > 0)
		*ret = f;
	return r;
}

/* Counters are 32 bits wide in STATS and 64 in STATS64, which kernels have since 4.1. */
static uint64_t counter(const struct nlattr *attr)
{
	if (!attr)
		return 0;
	return nla_len(attr) == sizeof(uint64_t) ? nla_get_u64(attr) : nla_get_u32(attr);
}

static int read_counters(struct nlattr *nest, struct vs_stats *ret)
{
	static const struct nla_policy policy[IPVS_STATS_ATTR_MAX + 1] = {
		[IPVS_STATS_ATTR_CONNS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_INPKTS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_OUTPKTS] = { .minlen = sizeof(uint32_t) },
		[IPVS_STATS_ATTR_INBYTES] = { .minlen = sizeof(uint64_t) },
		[IPVS_STATS_ATTR_OUTBYTES] = { .minlen = sizeof(uint64_t) },
	};
	struct nlattr *tb[IPVS_STATS_ATTR_MAX + 1] = { NULL };
	int r = nl_read_nest(nest, tb, IPVS_STATS_ATTR_MAX, policy);

	if (r)
		return r;
	ret->connections = counter(tb[IPVS_STATS_ATTR_CONNS]);
	ret->in_packets = counter(tb[IPVS_STATS_ATTR_INPKTS]);
	ret->out_packets = counter(tb[IPVS_STATS_ATTR_OUTPKTS]);
	ret->in_bytes = counter(tb[IPVS_STATS_ATTR_INBYTES]);
	ret->out_bytes = counter(tb[IPVS_STATS_ATTR_OUTBYTES]);
	return 1;
}

int ipvs_read_stats(const struct nlmsghdr *msg, struct vs_stats *ret)
{
	static const struct nla_policy policy[IPVS_SVC_ATTR_MAX + 1] = {
		[IPVS_SVC_ATTR_STATS] = { .type = NLA_NESTED },
		[IPVS_SVC_ATTR_STATS64] = { .type = NLA_NESTED },
	};
	struct nlattr *tb[IPVS_SVC_ATTR_MAX + 1] = { NULL };
	struct vs_stats s = { 0 };
	struct fact vs;
	int r = ipvs_read_vs(msg, &vs);

	if (r <= 0)
		return r;
	r = read_nested(msg, IPVS_CMD_ATTR_SERVICE, tb, IPVS_SVC_ATTR_MAX, policy);
	if (!r && !tb[IPVS_SVC_ATTR_STATS] && !tb[IPVS_SVC_ATTR_STATS64])
		return 0;
	if (!r)
		r = read_counters(tb[IPVS_SVC_ATTR_STATS64] ? tb[IPVS_SVC_ATTR_STATS64]
							    : tb[IPVS_SVC_ATTR_STATS],
			&s);
	if (r <= 0)
		return r;
	s.key = vs.key;
	*ret = s;
	return 1;
}

static uint32_t optional_u32(const struct nlattr *attr)
{
	return attr ? nla_get_u32(attr) : 0;
}

/* Returns 1, 0 or -EBADMSG as ipvs_read_rs(). Kernels before 3.18 do not tell the family: it is the
 * virtual server's. Another one can only be a tunnel's. */
static int read_rs_fact(struct nlattr *tb[], const struct fact_key *vs, struct fact *ret)
{
	const struct nlattr *family = tb[IPVS_DEST_ATTR_ADDR_FAMILY];
	struct ip ip;

	if (!tb[IPVS_DEST_ATTR_ADDR] || !tb[IPVS_DEST_ATTR_PORT] ||
		!tb[IPVS_DEST_ATTR_FWD_METHOD] || !tb[IPVS_DEST_ATTR_WEIGHT])
		return -EBADMSG;
	if (family && nla_get_u16(family) != vs->family)
		return 0;
	ip = read_ip(vs->family, tb[IPVS_DEST_ATTR_ADDR]);
	*ret = fact_rs(vs, &ip, ntohs(nla_get_u16(tb[IPVS_DEST_ATTR_PORT])),
		nla_get_u32(tb[IPVS_DEST_ATTR_WEIGHT]));
	ret->val.rs.forwarding = nla_get_u32(tb[IPVS_DEST_ATTR_FWD_METHOD]) & IP_VS_CONN_F_FWD_MASK;
	return 1;
}

int ipvs_read_rs(const struct nlmsghdr *msg, const struct fact_key *vs, struct fact *ret,
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
	struct nlattr *tb[IPVS_DEST_ATTR_MAX + 1] = { NULL };
	struct fact f;
	int r = read_nested(msg, IPVS_CMD_ATTR_DEST, tb, IPVS_DEST_ATTR_MAX, policy);

	if (!r)
		r = read_rs_fact(tb, vs, &f);
	if (r <= 0)
		return r;
	*ret = f;
	*ret_conns = (struct rs_conns){
		.key = f.key,
		.weight = f.val.rs.weight,
		.active = optional_u32(tb[IPVS_DEST_ATTR_ACTIVE_CONNS]),
		.inactive = optional_u32(tb[IPVS_DEST_ATTR_INACT_CONNS]),
		.persistent = optional_u32(tb[IPVS_DEST_ATTR_PERSIST_CONNS]),
	};
	return 1;
}

/*
 * Of a virtual server, ESRCH says that it is not there (ip_vs_genl_set_cmd()), ENOENT that the
 * scheduler is not (ip_vs_add_service(), ip_vs_edit_service()). Of a real server the two mean what
 * they mean to the ledger.
 */
int ipvs_result(const struct op *op, int answer)
{
	if (op->fact.key.kind != FACT_VS)
		return answer;
	if (answer == -ESRCH)
		return -ENOENT;
	return answer == -ENOENT && op->type != OP_DEL ? -EPROTONOSUPPORT : answer;
}
