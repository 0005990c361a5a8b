/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NL_H
#define KERNEL_NL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/err.h"

/*
 * A netlink socket and the three ways to use it: batches of requests which the kernel answers only
 * where they fail, questions which it answers with messages, and notifications.
 *
 * Messages and attributes are libnl's: struct nl_msg, nla_put(), nlmsg_parse(). The socket is not,
 * because nl_recvmsgs() waits for each acknowledgement without a time-out and folds ENOENT and
 * ESRCH into one error. nl knows the attributes of no family. Nests are begun with NLA_F_NESTED,
 * which nla_nest_start() adds by itself from libnl 3.5 on only.
 */

enum {
	NL_BATCH_MAX = 128,	  /* requests in one sendmsg */
	NL_REQUEST_MAX = 256,	  /* bytes of one request */
	NL_RECEIVE_SIZE = 65536,  /* the kernel makes dump datagrams of up to 32 KiB for it */
	NL_BUFFER_SIZE = 1 << 20, /* of the kernel, each way; an unread answer takes 900 bytes */
	NL_TIMEOUT_MS = 10000,	  /* for one answer */
	NL_DUMP_TRIES = 8,	  /* of a table that changes while it is read */
};

/*
 * Requests. Functions that build one return it, or NULL where it exceeds NL_REQUEST_MAX; running
 * out of memory aborts. nl fills in the sequence numbers.
 */
/* With NLM_F_REQUEST, the flags and the family's header. */
struct nl_msg *nl_request_new(int type, int flags, const void *header, size_t header_len);
/* A request of nfnetlink; `type` is NFNL_SUBSYS_* << 8 | message. NFPROTO_IPV4 and NFPROTO_IPV6 are
 * AF_INET and AF_INET6. */
struct nl_msg *nl_request_netfilter(int type, int flags, int family);

/* As nla_parse_nested(): 0, or -EBADMSG, also where the nest is missing (NULL). */
int nl_parse_nested(
	struct nlattr *nest, struct nlattr *tb[], int max, const struct nla_policy *policy);

/* Others only read `fd` and `id`; the rest belongs to nl.c. */
struct nl_port {
	int fd;
	uint32_t id;  /* the port id: nlmsg_pid of the notifications that its requests cause */
	uint32_t seq; /* of the last request */
	bool unread;  /* answers to a question that was given up may still come */
	char *out;    /* NL_BATCH_MAX requests */
	char *in;     /* NL_RECEIVE_SIZE */
};
/* A socket of a protocol (NETLINK_ROUTE ...). Returns 0, or a negative errno with words. */
int nl_port_open(int protocol, struct nl_port **ret, struct err *err);
/* Takes ownership of a datagram socket. */
struct nl_port *nl_port_from_fd(int fd);
void nl_port_free(struct nl_port *p);
/* Joins a multicast group. Returns 0, or a negative errno. */
int nl_port_join(struct nl_port *p, unsigned group);

/*
 * Carries out n requests in order: `build` makes the i-th one, `answer` gets its result: 0, or a
 * negative errno; -ENOBUFS: the answer was lost; -EMSGSIZE: there was no request. A failed request
 * does not stop the others. Requests must not have NLM_F_ACK or NLM_F_DUMP: the kernel handles all
 * of them inside sendmsg and answers only failures, so there is nothing to wait for.
 */
typedef struct nl_msg *(*nl_build_fn)(size_t i, void *arg);
typedef void (*nl_answer_fn)(size_t i, int result, void *arg);
void nl_port_batch(struct nl_port *p, size_t n, nl_build_fn build, nl_answer_fn answer, void *arg);

/*
 * Carries out n requests of a subsystem of nfnetlink (NFNL_SUBSYS_*) as one transaction: all of
 * them or none. Frees them; NULL is a request that could not be built. Writes the result of each:
 * 0, or a negative errno; -ECANCELED: it is not at fault, others are. A dry run finds the same
 * faults and changes nothing. `echo` gets each message that a request with NLM_F_ECHO causes (NULL:
 * ignores them).
 */
typedef void (*nl_message_fn)(struct nlmsghdr *msg, void *arg);
void nl_port_transaction(struct nl_port *p, uint16_t subsystem, bool dry, struct nl_msg **requests,
	size_t n, int *results, nl_message_fn echo, void *arg);

/*
 * Sends one request, which has NLM_F_DUMP or NLM_F_ACK, and frees it. `reply` gets each message of
 * the answer (NULL: ignores them) and returns 0, or a negative errno: the rest is not read.
 *
 * `kept` counts what `reply` keeps of a dump. A dump whose table changed meanwhile is asked again
 * with *kept = 0; where kept is NULL, it counts as complete.
 *
 * Returns 0, or a negative errno: the kernel's, that of `reply`, -EMSGSIZE (no request),
 * -ETIMEDOUT, or -EAGAIN: the table changed during each of NL_DUMP_TRIES dumps.
 */
typedef int (*nl_reply_fn)(struct nlmsghdr *msg, void *arg);
int nl_port_ask(
	struct nl_port *p, struct nl_msg *request, nl_reply_fn reply, size_t *kept, void *arg);

/* Hands over all messages that are queued, without blocking (NULL: ignores them). Returns 0, or
 * -ENOBUFS: some were lost. */
int nl_port_drain(struct nl_port *p, nl_message_fn message, void *arg);

#endif
