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

/*
 * A fact is one thing that should be, or is, true in the kernel: a fixed-size key, which is what
 * the kernel itself compares, and a small value. Facts hold no pointers; they are compared, hashed
 * and copied as memory, so all bytes that a kind does not use are zero.
 *
 * The kinds stand in order of dependency: adds run forwards, deletes backwards. Guard before make:
 * sets, their members and the rules that refer to them stand before the virtual server that they
 * protect, and the virtual server and its real servers before the address that leads packets to it.
 */
enum fact_kind {
	FACT_LINK,     /* the dummy device kube-ipvs0 */
	FACT_SET,      /* an ipset */
	FACT_MEMBER,   /* an element of an ipset */
	FACT_CHAIN,    /* an iptables chain of ours, with all its rules */
	FACT_DISPATCH, /* the chain of table nat that a new connection to an address and port
			  enters: the virtual server of the iptables backend */
	FACT_JUMP,     /* the rule in a built-in chain that leads to a chain of ours */
	FACT_VS,       /* an IPVS virtual server */
	FACT_RS,       /* a real server of a virtual server */
	FACT_ROUTE,    /* a VIP made local by a route of type local */
	FACT_ADDR,     /* a VIP made local by an address on kube-ipvs0 */
	FACT_KINDS
};

/* A mask of 1 << enum fact_kind. */
#define FACT_ALL_KINDS ((1u << FACT_KINDS) - 1)

/* The ipsets of kube-proxy's IPVS mode; of one Service's members those that let pass come before
 * those that reject. */
enum set_id {
	SET_LOOP_BACK,
	SET_CLUSTER_IP,
	SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL,
	SET_LOAD_BALANCER,
	SET_LOAD_BALANCER_LOCAL,
	SET_LOCAL_MARK,	  /* not kube-proxy's: firewall marks for in-cluster sources, see
			     resolve_ipvs.c */
	SET_NO_LOCAL,	  /* not kube-proxy's: a Local policy and no endpoint here */
	SET_NO_ENDPOINTS, /* not kube-proxy's: on iptables, no endpoint anywhere */
	SET_LOAD_BALANCER_SOURCE_IP,
	SET_LOAD_BALANCER_SOURCE_CIDR,
	SET_LOAD_BALANCER_FW,
	SET_NODE_PORT_TCP,
	SET_NODE_PORT_LOCAL_TCP,
	SET_NODE_PORT_UDP,
	SET_NODE_PORT_LOCAL_UDP,
	SET_NODE_PORT_SCTP,
	SET_NODE_PORT_LOCAL_SCTP,
	SET_HEALTH_CHECK_NODE_PORT,
	SET_IPVS_IPS,
	SET_COUNT
};

enum set_type {
	SET_TYPE_HASH_IP,
	SET_TYPE_HASH_IP_PORT,
	SET_TYPE_HASH_IP_PORT_IP,
	SET_TYPE_HASH_IP_PORT_NET,
	SET_TYPE_BITMAP_PORT
};

/* IPSET_MAXNAMELEN - 1: kube-proxy cuts longer names */
enum { SET_NAME_LEN = 31, SET_MAX_MEMBERS = 1048576 };

struct set_info {
	const char *name;    /* in the IPv4 family, without "KUBE-" */
	const char *comment; /* stands in the iptables rules that refer to the set */
	enum set_type type;
	bool marks; /* its members carry firewall marks (skbinfo) */
};

const struct set_info *set_info(enum set_id id);
/* The set's name in the kernel: "KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP". */
const char *set_name(enum set_id id, int family, char s[static SET_NAME_LEN + 1]);
/* The inverse; false where it is none of ours. */
bool set_by_name(const char *name, enum set_id *ret_id, int *ret_family);
/* "hash:ip,port" */
const char *set_type_name(enum set_type type);

enum table { TABLE_NAT, TABLE_FILTER, TABLE_MANGLE };
const char *table_name(enum table table);
/* The inverse; false where it is none of these. */
bool table_parse(const char *name, enum table *ret);

/* Built-in chains, in the order of the hooks. */
enum hook { HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING };
const char *hook_name(enum hook hook);
bool hook_parse(const char *name, enum hook *ret);

/* XT_EXTENSION_MAXNAMELEN - 1 */
enum { CHAIN_NAME_LEN = 28 };

/*
 * The chains of a Service port in kube-proxy's iptables mode: a prefix and 16 characters of
 * base32(sha256(...)), see core/service_chain.h. Their rules lead to each other, and to chains that
 * are added later, maybe in another batch.
 */
enum service_chain {
	SERVICE_CHAIN_SVC, /* KUBE-SVC-: all endpoints */
	SERVICE_CHAIN_SVL, /* KUBE-SVL-: the endpoints of this node */
	SERVICE_CHAIN_EXT, /* KUBE-EXT-: what comes to an external address */
	SERVICE_CHAIN_FW,  /* KUBE-FW-: of kube-proxy only; never wanted */
	SERVICE_CHAIN_SEP, /* KUBE-SEP-: one endpoint */
	SERVICE_CHAINS
};
enum { SERVICE_HASH_LEN = 16 };

/* "KUBE-SVC-XPGD46QRK7WJZT7O" */
const char *service_chain_name(enum service_chain chain, const char hash[static SERVICE_HASH_LEN],
	char s[static CHAIN_NAME_LEN + 1]);
/* The inverse; false where it is no such name. */
bool service_chain_parse(
	const char *name, enum service_chain *ret_chain, char ret_hash[static SERVICE_HASH_LEN]);

struct fact_key {
	uint8_t kind;	/* enum fact_kind */
	uint8_t family; /* AF_INET, AF_INET6; 0: FACT_LINK */
	uint8_t proto;	/* IPPROTO_*: MEMBER, DISPATCH, VS, RS */
	uint8_t set;	/* enum set_id: SET, MEMBER; enum table: CHAIN, JUMP */
	uint16_t port;	/* host order: MEMBER, DISPATCH, VS, RS; enum hook: JUMP */
	uint16_t port2; /* RS: the real server's port; MEMBER of hash:ip,port,net: prefix length */
	union {
		struct {
			/* MEMBER, DISPATCH, VS, RS, ROUTE, ADDR: the VIP; DISPATCH of a node port:
			 * zero */
			uint8_t addr[16];
			uint8_t addr2[16]; /* RS: the real server; MEMBER: the second address */
		};
		char name[32]; /* CHAIN, JUMP: the chain of ours; LINK: the device */
	};
};
static_assert(sizeof(struct fact_key) == 40, "keys are hashed and compared as bytes: no padding");

/* ip_vs.h IP_VS_SVC_F_*; the only ones that we set */
enum { VS_PERSISTENT = 0x1, VS_SCHED_SH_FALLBACK = 0x8, VS_SCHED_MH_PORT = 0x10 };
/* IP_VS_SCHEDNAME_MAXLEN with its NUL */
enum { SCHED_NAME_SIZE = 16 };

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
			uint32_t max_members; /* 0: bitmap */
			uint32_t marks;	      /* 1: created with skbinfo */
		} set;
		struct {
			uint32_t mark, mask; /* of a set with marks; else 0 */
		} member;
		struct {
			uint64_t rules; /* rule_list_hash() */
		} chain;		/* CHAIN, JUMP */
		struct {
			uint32_t chain; /* enum service_chain */
			char hash[SERVICE_HASH_LEN];
		} dispatch;
		struct {
			uint8_t source[16]; /* preferred source of the node's own packets; zero:
					       none */
		} route;
		uint8_t bytes[24];
	};
};
static_assert(sizeof(struct fact_val) == 24, "values are compared as bytes: no padding");

struct fact {
	struct fact_key key;
	struct fact_val val;
};

struct fact fact_link(void);
struct fact fact_set(enum set_id id, int family);
/* The type of the set decides which of the others count. */
struct fact fact_member(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, const struct cidr *second);
/* The same, for a set with marks: packets that match get `mark` in the bits of `mask`. */
struct fact fact_member_mark(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, uint32_t mark, uint32_t mask);
struct fact fact_chain(int family, enum table table, const char *name, uint64_t rules);
struct fact fact_jump(
	int family, enum table table, enum hook hook, const char *chain, uint64_t rules);
/*
 * A new connection to this address and port enters the chain of that hash. An unspecified address:
 * a node port, on every address that carries node ports.
 */
struct fact fact_dispatch(const struct ip *ip, uint16_t port, uint8_t proto,
	enum service_chain chain, const char hash[static SERVICE_HASH_LEN]);
struct fact fact_vs(const struct ip *ip, uint16_t port, uint8_t proto);
/* A virtual server selected by firewall mark: proto and port are 0, the mark stands in addr (big
 * endian). */
struct fact fact_vs_fwmark(int family, uint32_t mark);
struct fact fact_rs(const struct fact_key *vs, const struct ip *ip, uint16_t port, uint32_t weight);
struct fact fact_route(const struct ip *vip, const struct ip *source); /* source may be none */
struct fact fact_addr(const struct ip *vip);

/* What one Service alone may have: the entry for an address and port that it answers on. */
bool fact_is_frontend(const struct fact_key *key);
struct ip fact_ip(const struct fact_key *key);	  /* of addr */
uint32_t fact_fwmark(const struct fact_key *key); /* of a virtual server with proto 0 */
struct ip fact_ip2(const struct fact_key *key);	  /* of addr2 */

/*
 * The fact without which this one cannot be in the kernel: RS -> VS, MEMBER -> SET, ADDR -> LINK.
 * When the kernel deletes the parent it deletes the children with it.
 */
bool fact_parent(const struct fact_key *key, struct fact_key *ret);

/*
 * A member that leads packets from the virtual server of their address to one for a mark: unlike
 * the others it must not come before that has its real servers, nor stay until they lose them.
 */
bool fact_diverts(const struct fact_key *key);

/* An order that people would choose: by kind, family, set, address, port. Equal exactly when the
 * bytes are. */
int fact_key_cmp(const struct fact_key *a, const struct fact_key *b);
bool fact_key_eq(const struct fact_key *a, const struct fact_key *b);
bool fact_val_eq(const struct fact_val *a, const struct fact_val *b);
const char *fact_kind_name(enum fact_kind kind);

/* Element text as the ipset command prints it: "10.96.0.10,tcp:80"; "30080" for bitmap:port. */
void fact_print_member(struct buf *b, const struct fact_key *key);
/* The same with the element's mark, where it has one: "203.0.113.1,tcp:80 skbmark
 * 0x100000/0xfff00000". */
void fact_print_element(struct buf *b, const struct fact *f);
/* One line without newline, e.g. "vs 10.96.0.10:80/TCP rr persistence=10800"; see ipvsctl-svc(1),
 * plan. */
void fact_print(struct buf *b, const struct fact *f);
/* The inverse of fact_print(). Returns 0, or -EINVAL with words. */
int fact_parse(const char *line, struct fact *ret, struct err *err);

/* "IPv4", "IPv6" */
const char *family_name(int family);
/* "TCP", "UDP", "SCTP", or "?" */
const char *proto_name(uint8_t proto);
/* "tcp", "udp", "sctp", or NULL */
const char *proto_lower(uint8_t proto);
/* Any case; returns 0 for an unknown one. */
uint8_t proto_parse(const char *name);

#endif
