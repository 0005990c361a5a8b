/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_FACT_H
#define CORE_FACT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "core/set.h"
#include "core/spread.h"

/*
 * A fact is one thing that should be, or is, in the kernel: a fixed-size key, by which the kernel
 * itself identifies it, and a small value. Facts hold no pointers; they are compared, hashed
 * and copied as memory, so all bytes that a kind does not use are zero. core/fact_text.h has them
 * as text.
 *
 * The kinds are sorted by dependency, for lists that people read; src/core/op_order.c has the order
 * of operations.
 */
enum fact_kind {
	FACT_LINK,	  /* a dummy device: kube-ipvs0 or kube-ipvs1 */
	FACT_POLICY_RULE, /* an `ip rule`: packets with a mark look up a table of routes first */
	FACT_SET,	  /* an ipset */
	FACT_MEMBER,	  /* an element of an ipset */
	FACT_CHAIN,	  /* an iptables chain of ours, with all its rules */
	FACT_DISPATCH,	  /* where new connections to an address and port are led: a chain of table
			  nat, or with nftables spreads. The virtual server of these backends */
	FACT_JUMP,	  /* the rule in a built-in chain that leads to a chain of ours */
	FACT_VS,	  /* an IPVS virtual server */
	FACT_RS,	  /* a real server of a virtual server */
	FACT_HELD,  /* an IPv4 address on kube-ipvs1, which the kernel knows and does not take:
			  it sends ICMP and resets from it, and routes packets to it as before */
	FACT_ROUTE, /* a VIP made local by a route of type local, for all packets or for those
			  that look up its table */
	FACT_ADDR,  /* a VIP made local by an address on kube-ipvs0 */
	FACT_KINDS
};

/* A mask of 1 << enum fact_kind. */
#define FACT_ALL_KINDS ((1u << FACT_KINDS) - 1)

enum table { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };
const char *table_name(enum table table);
/* The inverse; false: it is not one of these tables. */
bool table_parse(const char *name, enum table *ret);

/* Built-in chains, in the order of the hooks. */
enum hook { HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING };
const char *hook_name(enum hook hook);
bool hook_parse(const char *name, enum hook *ret);

/*
 * The chains of a Service port in kube-proxy's iptables mode: a prefix and 16 characters of
 * base32(sha256(...)), see core/service_chain.h. Their rules lead to each other, also to chains
 * that are added in a later batch.
 */
enum service_chain {
	SERVICE_CHAIN_SVC, /* KUBE-SVC-: all endpoints */
	SERVICE_CHAIN_SVL, /* KUBE-SVL-: the endpoints of this node */
	SERVICE_CHAIN_EXT, /* KUBE-EXT-: packets to an external address */
	SERVICE_CHAIN_FW,  /* KUBE-FW-: only kube-proxy makes it */
	SERVICE_CHAIN_SEP, /* KUBE-SEP-: one endpoint */
	SERVICE_CHAINS
};
enum { SERVICE_HASH_LEN = 16 };

struct fact_key {
	uint8_t kind;	/* enum fact_kind */
	uint8_t family; /* AF_INET, AF_INET6; 0: LINK */
	uint8_t proto;	/* IPPROTO_*: MEMBER, DISPATCH, VS, RS */
	uint8_t set;	/* enum set_id: SET, MEMBER; enum table: CHAIN, JUMP */
	uint16_t port; /* host order: MEMBER, DISPATCH, VS, RS; enum hook: JUMP; ROUTE: the table, 0
			   is table local */
	uint16_t port2; /* RS: the real server's port; MEMBER of hash:ip,port,net: prefix length, of
			   slots: the number of the slot */
	union {
		struct {
			/* MEMBER, DISPATCH, VS, RS, HELD, ROUTE, ADDR: the VIP; of a node port on
			 * iptables and nftables: zero; MEMBER of SET_SPREADS: the spread */
			uint8_t addr[16];
			uint8_t addr2[16]; /* RS: the real server; MEMBER: the second address */
		};
		char name[32]; /* CHAIN, JUMP: the chain of ours; LINK: the device */
		struct {
			uint32_t priority, mark, mask, table;
			uint32_t unused[4]; /* as long as the others */
		} policy_rule;		    /* POLICY_RULE */
	};
};
static_assert(sizeof(struct fact_key) == 40, "keys are hashed and compared as bytes: no padding");

/* ip_vs.h IP_VS_SVC_F_*: the only ones that we set */
enum { VS_PERSISTENT = 0x1, VS_SCHED_SH_FALLBACK = 0x8, VS_SCHED_MH_PORT = 0x10 };
/* IP_VS_SCHEDNAME_MAXLEN with its NUL */
enum { SCHED_NAME_SIZE = 16 };
/* What is wrong with a held address; never desired. */
enum {
	HELD_LOCAL = 0x1,  /* the kernel routes it to kube-ipvs1: the address is taken as a whole */
	HELD_THROW = 0x2,  /* the route that prevents this while it is added was left behind */
	HELD_ABSENT = 0x4, /* only one of those two is left of it, and no address */
};

/* The devices that carry addresses. */
#define LINK_VIPS "kube-ipvs0" /* FACT_ADDR */
#define LINK_HELD "kube-ipvs1" /* FACT_HELD */

struct fact_val {
	union {
		struct {
			char scheduler[SCHED_NAME_SIZE];
			uint32_t flags;
			uint32_t timeout; /* of persistence, seconds; 0 without */
		} vs;
		struct {
			uint32_t weight;     /* 0..65535; 0: no new connections */
			uint32_t forwarding; /* ip_vs.h IP_VS_CONN_F_*; 0: masquerade (NAT) */
		} rs;
		struct {
			uint32_t type;	      /* enum set_type */
			uint32_t max_members; /* 0: no limit, or a bitmap */
			uint32_t marks;	      /* 1: created with skbinfo */
		} set;
		struct {
			uint32_t mark, mask; /* of a set with marks; else 0 */
		} member;
		struct {
			uint32_t up; /* 1: kube-ipvs1 is up, which is never desired */
		} link;
		struct {
			uint32_t flaws; /* HELD_* */
		} held;
		struct {
			uint64_t rules; /* rule_list_hash() */
		} chain;		/* CHAIN, JUMP */
		struct {
			uint32_t chain; /* enum service_chain */
			char hash[SERVICE_HASH_LEN];
		} dispatch;	      /* with iptables */
		struct spread spread; /* DISPATCH with nftables, and MEMBER of SET_DISPATCH_* */
		struct {
			uint8_t addr[16];
			uint16_t port; /* host order */
		} endpoint;	       /* MEMBER of slots and of SET_AFFINITY* */
		struct {
			/* preferred source address of packets from this node; zero: none */
			uint8_t source[16];
		} route;
		uint8_t bytes[24];
	};
};
static_assert(sizeof(struct fact_val) == 24, "values are compared as bytes: no padding");

struct fact {
	struct fact_key key; /* comes first: see fact_compare() */
	struct fact_val val;
};

/* LINK_VIPS or LINK_HELD. */
struct fact fact_link(const char *device);
struct fact fact_policy_rule(
	int family, uint32_t priority, uint32_t mark, uint32_t mask, uint32_t table);
/* With room for SET_MEMBERS, if it is an ipset. */
struct fact fact_set(enum set_id id, int family);
/* Arguments that the type of the set does not use are ignored. */
struct fact fact_member(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, const struct cidr *second);
/* A member of a set with marks: matching packets get `mark` in the bits of `mask`. */
struct fact fact_member_mark(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, uint32_t mark, uint32_t mask);
struct fact fact_chain(int family, enum table table, const char *name, uint64_t rules);
struct fact fact_jump(
	int family, enum table table, enum hook hook, const char *chain, uint64_t rules);
/* The unspecified address stands for a node port, on every address that carries node ports. */
struct fact fact_dispatch(const struct ip *ip, uint16_t port, uint8_t proto,
	enum service_chain chain, const char hash[static SERVICE_HASH_LEN]);
/* The entry of that address and port with nftables, which leads to a spread. */
struct fact fact_dispatch_spread(
	const struct ip *ip, uint16_t port, uint8_t proto, const struct spread *s);
/* The entry is one of nftables, which has a spread. */
bool fact_has_spread(const struct fact *dispatch);
/* Leads to an endpoint; the set is SET_ENDPOINTS or SET_ENDPOINTS_LOCAL. */
struct fact fact_slot(enum set_id set, const struct ip *ip, uint16_t port, uint8_t proto,
	uint16_t slot, const struct ip *endpoint, uint16_t endpoint_port);
/* A member of SET_SPREADS, which leads to the chain of that spread. */
struct fact fact_member_spread(int family, const struct spread *s);
struct spread fact_spread(const struct fact_key *key); /* of such a member */
struct fact fact_vs(const struct ip *ip, uint16_t port, uint8_t proto);
/* A virtual server selected by firewall mark: proto and port are 0, addr holds the mark (big
 * endian). */
struct fact fact_vs_fwmark(int family, uint32_t mark);
struct fact fact_rs(const struct fact_key *vs, const struct ip *ip, uint16_t port, uint32_t weight);
/* A source of another family than the VIP's is none. */
struct fact fact_route(const struct ip *vip, const struct ip *source);
/* In a table that only a policy rule leads to; 1..65535. */
struct fact fact_route_in_table(const struct ip *vip, uint16_t table);
struct fact fact_addr(const struct ip *vip);
struct fact fact_held(const struct ip *vip);

struct ip fact_ip(const struct fact_key *key);	  /* addr */
struct ip fact_ip2(const struct fact_key *key);	  /* addr2 */
uint32_t fact_fwmark(const struct fact_key *key); /* of a virtual server with proto 0 */

/* A virtual server or dispatch entry: only one Service may have an address and port. */
bool fact_is_frontend(const struct fact_key *key);

/*
 * The fact without which this one cannot be in the kernel: RS -> VS, MEMBER -> SET, ADDR and HELD ->
 * LINK.
 * When the kernel deletes the parent it deletes the children with it.
 */
bool fact_parent(const struct fact_key *key, struct fact_key *ret);

/* A member of KUBE-LOCAL-MARK: it leads packets from the virtual server of an address to the one of
 * a mark. */
bool fact_diverts(const struct fact_key *key);
/* A member of KUBE-EXTERNAL-PORT: it leads packets to an address and port of others to us. */
bool fact_exposes(const struct fact_key *key);
/* A jump by which the first packet of a connection enters table nat. */
bool fact_enters_nat(const struct fact_key *key);

/* Sorts for people: by kind, family, set, address, port. 0 exactly when the bytes are equal. */
int fact_key_cmp(const struct fact_key *a, const struct fact_key *b);
/* As fact_key_cmp(), for qsort() and bsearch(): of keys, and of facts, which begin with theirs. */
int fact_compare(const void *a, const void *b);
bool fact_key_eq(const struct fact_key *a, const struct fact_key *b);
bool fact_val_eq(const struct fact_val *a, const struct fact_val *b);
const char *fact_kind_name(enum fact_kind kind);

/* "IPv4", "IPv6" */
const char *family_name(int family);
/* "TCP", "UDP", "SCTP", or "?" */
const char *proto_name(uint8_t proto);
/* "tcp", "udp", "sctp", or NULL */
const char *proto_lower(uint8_t proto);
/* In any case; 0: unknown. */
uint8_t proto_parse(const char *name);

#endif
