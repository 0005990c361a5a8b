/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_NL_H
#define KERNEL_NL_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include <netlink/attr.h>

#include "base/err.h"

/*
 * A netlink socket and the ways to talk through it: batches of requests that are only answered when
 * they fail, questions that are answered with messages, and notifications. libnl reads the
 * attributes; writing them into a buffer that exists already and taking the kernel's errno as it
 * is (libnl folds ENOENT and ESRCH into one error) is done here. No attribute of any family is
 * known here.
 */

enum {
	NL_BATCH_MAX = 128,	  /* requests in one sendmsg */
	NL_REQUEST_MAX = 256,	  /* bytes of one request */
	NL_RECEIVE_SIZE = 65536,  /* the kernel makes dump datagrams of up to 32 KiB for it */
	NL_BUFFER_SIZE = 1 << 20, /* of the kernel, each way; an unread answer takes 900 bytes */
	NL_TIMEOUT_MS = 10000,	  /* for one answer */
	NL_DUMP_TRIES = 8,	  /* of a table that changes while it is read */
};

/* One request, written straight into the place that it is sent from. */
struct nl_writer {
	struct nlmsghdr *msg; /* its nlmsg_len is how far it is written */
};

/* Starts a request with NLM_F_REQUEST and the flags; returns the family's zeroed header. */
void *nl_write_begin(struct nl_writer *w, uint16_t type, uint16_t flags, size_t header_len);
void nl_write_attr(struct nl_writer *w, uint16_t type, const void *data, size_t len);
void nl_write_u16(struct nl_writer *w, uint16_t type, uint16_t value);
void nl_write_u32(struct nl_writer *w, uint16_t type, uint32_t value);
void nl_write_string(struct nl_writer *w, uint16_t type, const char *s);
/* Returns what nl_write_nest_end() takes. */
struct nlattr *nl_write_nest(struct nl_writer *w, uint16_t type);
void nl_write_nest_end(struct nl_writer *w, struct nlattr *nest);

/* Takes apart the attributes behind the family's header. Returns 0, or -EBADMSG. */
int nl_read_attrs(const struct nlmsghdr *msg, size_t header_len, struct nlattr *tb[], int max,
	const struct nla_policy *policy);
/* The same for the attributes inside one, which may be NULL: -EBADMSG. */
int nl_read_nest(
	struct nlattr *nest, struct nlattr *tb[], int max, const struct nla_policy *policy);

struct nl_port;
/* A socket of a protocol (NETLINK_ROUTE ...). Returns 0, or a negative errno with words. */
int nl_port_open(int protocol, struct nl_port **ret, struct err *err);
/* Takes ownership of a datagram socket. */
struct nl_port *nl_port_from_fd(int fd);
void nl_port_free(struct nl_port *p);
int nl_port_fd(const struct nl_port *p);
/* The port id: nlmsg_pid of the notifications that its requests cause. */
uint32_t nl_port_id(const struct nl_port *p);
/* Lets the kernel check the headers of rtnetlink dumps and filter by them (Linux 4.20). */
void nl_port_set_strict(struct nl_port *p);
/* Joins a multicast group. Returns 0, or a negative errno. */
int nl_port_join(struct nl_port *p, unsigned group);

/*
 * Carries out n requests in order: `encode` writes the i-th one, `answer` gets its result: 0 or a
 * negative errno; -ENOBUFS: the answer was lost. A failed one does not stop the others. Requests
 * must not have NLM_F_ACK or NLM_F_DUMP: the kernel handles all of them inside sendmsg and answers
 * only failures, so there is nothing to wait for.
 */
typedef void (*nl_encode_fn)(struct nl_writer *w, size_t i, void *arg);
typedef void (*nl_answer_fn)(size_t i, int result, void *arg);
void nl_port_batch(
	struct nl_port *p, size_t n, nl_encode_fn encode, nl_answer_fn answer, void *arg);

/*
 * Asks one question, written by `write`, which has NLM_F_DUMP or NLM_F_ACK, and hands the replies
 * to `reply`, which returns 0, or a negative errno: the rest is not read. A dump whose table
 * changed meanwhile is asked again, after `restart` (NULL: no dump) forgot the replies to the
 * first. Returns 0, or a negative errno: the kernel's, that of `reply`, -ETIMEDOUT, or -EAGAIN: the
 * table never stood still.
 */
struct nl_question {
	void (*write)(struct nl_writer *w, void *arg);
	int (*reply)(const struct nlmsghdr *msg, void *arg);
	void (*restart)(void *arg);
	void *arg;
};
int nl_port_ask(struct nl_port *p, const struct nl_question *q);

/* Hands over all messages that are queued, without blocking. Returns 0, or -ENOBUFS: some were
 * lost. */
int nl_port_drain(
	struct nl_port *p, void (*message)(const struct nlmsghdr *msg, void *arg), void *arg);

#endif
