// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel handles the requests of one sendmsg in order and before sendmsg returns, and answers
 * each with a datagram of its own. So once a batch is sent, all answers to it wait in the receive
 * queue, and a request without an answer there succeeded - unless the queue overflowed, which
 * recvmsg reports with ENOBUFS.
 */
#include "nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { UNANSWERED = 1 }; /* a result that is no negative errno */

struct nl_msg *nl_request_new(int type, int flags, const void *header, size_t header_len)
{
	struct nl_msg *msg = nlmsg_alloc_size(NL_REQUEST_MAX);
	struct nlmsghdr *h;

	if (!msg)
		abort(); /* out of memory */
	h = nlmsg_put(msg, 0, 0, type, (int)header_len, NLM_F_REQUEST | flags);
	memcpy(nlmsg_data(h), header, header_len);
	return msg;
}

struct nl_msg *nl_request_netfilter(int type, int flags, int family)
{
	struct nfgenmsg h = { .nfgen_family = (uint8_t)family, .version = NFNETLINK_V0 };

	return nl_request_new(type, flags, &h, sizeof(h));
}

int nl_parse_nested(
	struct nlattr *nest, struct nlattr *tb[], int max, const struct nla_policy *policy)
{
	return nest && !nla_parse_nested(tb, max, nest, policy) ? 0 : -EBADMSG;
}

struct nl_port *nl_port_from_fd(int fd)
{
	struct nl_port *p = new0(struct nl_port);

	p->fd = fd;
	p->out = mem_zalloc(NL_BATCH_MAX, NL_REQUEST_MAX);
	p->in = mem_zalloc(1, NL_RECEIVE_SIZE);
	return p;
}

int nl_port_open(int protocol, struct nl_port **ret, struct err *err)
{
	static const struct timeval timeout = { .tv_sec = NL_TIMEOUT_MS / 1000 };
	static const int size = NL_BUFFER_SIZE, on = 1;
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return err_errno(err, -errno, "cannot open a netlink socket");

	/* Without CAP_NET_ADMIN in the initial user namespace net.core.{w,r}mem_max is the limit.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Errors come without a copy of the request that caused them (Linux 4.2). */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	/* rtnetlink checks the headers of dumps and filters by them (Linux 4.20). */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		getsockname(fd, (struct sockaddr *)&addr, &len)) {
		int r = err_errno(err, -errno, "cannot set up a netlink socket");

		close(fd);
		return r;
	}
	*ret = nl_port_from_fd(fd);
	(*ret)->id = addr.nl_pid;
	return 0;
}

void nl_port_free(struct nl_port *p)
{
	if (!p)
		return;
	close(p->fd);
	free(p->out);
	free(p->in);
	free(p);
}

int nl_port_join(struct nl_port *p, unsigned group)
{
	if (setsockopt(p->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return 0;
}

/* The length of one datagram of the kernel in p->in, or a negative errno; -EAGAIN: none. Any
 * process may send to a netlink socket; only the kernel has the port id 0. */
static ssize_t nl_receive(struct nl_port *p, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = p->in, .iov_len = NL_RECEIVE_SIZE };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from };
	ssize_t n;

	do {
		h.msg_namelen = sizeof(from);
		n = recvmsg(p->fd, &h, flags);
	} while (n < 0 ? errno == EINTR : from.nl_pid != 0);
	if (n < 0)
		return -errno;
	if (!n)
		return -ECONNRESET;
	return h.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* The result in an NLMSG_ERROR or NLMSG_DONE: 0, or a negative errno. */
static int nl_error(const struct nlmsghdr *msg)
{
	int error = 0;

	if (nlmsg_datalen(msg) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(msg), sizeof(error));
	return error < 0 ? error : 0;
}

int nl_port_drain(struct nl_port *p, nl_message_fn message, void *arg)
{
	bool lost = false;
	ssize_t n;

	while ((n = nl_receive(p, MSG_DONTWAIT)) != -EAGAIN) {
		int left = (int)n;

		lost |= n < 0;
		if (n == -ENOBUFS || n == -EMSGSIZE)
			continue;
		if (n < 0)
			break;
		for (struct nlmsghdr *m = (struct nlmsghdr *)p->in; message && nlmsg_ok(m, left);
			m = nlmsg_next(m, &left))
			message(m, arg);
	}
	return lost ? -ENOBUFS : 0;
}

/* Returns 0, or a negative errno: the kernel saw none of it. */
static int nl_transmit(struct nl_port *p, const void *data, size_t len)
{
	ssize_t n;

	/* A dump that was given up goes on as long as it is read, and keeps any other from
	 * starting: EBUSY. */
	if (p->unread)
		nl_port_drain(p, NULL, NULL);
	p->unread = false;

	do {
		n = send(p->fd, data, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ENOBUFS ? -ENOMEM : -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

struct nl_batch {
	uint32_t first; /* sequence number of the first */
	uint32_t n;
	int results[NL_BATCH_MAX];
};

static void nl_batch_answer(struct nlmsghdr *msg, void *arg)
{
	struct nl_batch *b = arg;
	uint32_t i = msg->nlmsg_seq - b->first;

	if (msg->nlmsg_type == NLMSG_ERROR && i < b->n)
		b->results[i] = nl_error(msg);
}

void nl_port_batch(struct nl_port *p, size_t n, nl_build_fn build, nl_answer_fn answer, void *arg)
{
	for (size_t from = 0; from < n; from += NL_BATCH_MAX) {
		struct nl_batch b = { .first = p->seq + 1 };
		size_t len = 0;
		int result;

		b.n = (uint32_t)(n - from < NL_BATCH_MAX ? n - from : NL_BATCH_MAX);
		for (uint32_t i = 0; i < b.n; i++) {
			struct nl_msg *request = build(from + i, arg);
			struct nlmsghdr *h = request ? nlmsg_hdr(request) : NULL;

			p->seq++;
			b.results[i] = h ? UNANSWERED : -EMSGSIZE;
			if (!h)
				continue;
			h->nlmsg_seq = p->seq;
			memcpy(p->out + len, h, h->nlmsg_len);
			len += h->nlmsg_len;
			nlmsg_free(request);
		}

		result = len ? nl_transmit(p, p->out, len) : 0;
		if (!result)
			result = nl_port_drain(p, nl_batch_answer, &b);
		for (uint32_t i = 0; i < b.n; i++)
			answer(from + i, b.results[i] == UNANSWERED ? result : b.results[i], arg);
	}
}

struct nl_transaction {
	uint32_t first; /* sequence number of the beginning */
	size_t n;
	int *results;
	int whole;   /* what is wrong with all of it */
	bool failed; /* some request is at fault */
	nl_message_fn echo;
	void *arg;
};

static void nl_transaction_answer(struct nlmsghdr *msg, void *arg)
{
	struct nl_transaction *t = arg;
	const uint32_t i = msg->nlmsg_seq - t->first - 1;
	const int error = msg->nlmsg_type == NLMSG_ERROR ? nl_error(msg) : 0;

	if (i < t->n && msg->nlmsg_type != NLMSG_ERROR && t->echo)
		t->echo(msg, t->arg);
	if (!error)
		return;
	if (i < t->n && t->results[i] == UNANSWERED)
		t->results[i] = error;
	else if (i >= t->n && !t->whole)
		t->whole = error;
	t->failed = true;
}

static void add_request(struct buf *b, struct nl_msg *request, uint32_t seq)
{
	struct nlmsghdr *h = nlmsg_hdr(request);

	h->nlmsg_seq = seq;
	buf_add(b, h, NLMSG_ALIGN(h->nlmsg_len));
	nlmsg_free(request);
}

/* The kernel checks the requests one by one, tells all that are at fault, and carries them out when
 * none is and the end is there (nfnetlink_rcv_batch()). */
void nl_port_transaction(struct nl_port *p, uint16_t subsystem, bool dry, struct nl_msg **requests,
	size_t n, int *results, nl_message_fn echo, void *arg)
{
	const struct nfgenmsg of = { .res_id = htons(subsystem) };
	struct nl_transaction t = {
		.first = p->seq + 1, .n = n, .results = results, .echo = echo, .arg = arg
	};
	_cleanup_(buf_done) struct buf out = { 0 };

	add_request(&out, nl_request_new(NFNL_MSG_BATCH_BEGIN, 0, &of, sizeof(of)), ++p->seq);
	for (size_t i = 0; i < n; i++) {
		p->seq++;
		results[i] = requests[i] ? UNANSWERED : -EMSGSIZE;
		if (requests[i])
			add_request(&out, requests[i], p->seq);
		t.failed |= !requests[i];
	}
	if (!dry && !t.failed)
		add_request(
			&out, nl_request_new(NFNL_MSG_BATCH_END, 0, &of, sizeof(of)), p->seq + 1);
	p->seq++;
	t.whole = nl_transmit(p, out.data, out.len);
	if (!t.whole)
		t.whole = nl_port_drain(p, nl_transaction_answer, &t);
	for (size_t i = 0; i < n; i++)
		if (results[i] == UNANSWERED)
			results[i] = t.whole ? t.whole : t.failed ? -ECANCELED : 0;
}

/* Reads the answer to the last request. Returns 0, or the negative errno that ends it. */
static int nl_read_answer(struct nl_port *p, nl_reply_fn reply, void *arg, bool *ret_interrupted)
{
	p->unread = true;
	for (;;) {
		ssize_t n = nl_receive(p, 0);
		int left = (int)n, r;

		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : (int)n;
		for (struct nlmsghdr *m = (struct nlmsghdr *)p->in; nlmsg_ok(m, left);
			m = nlmsg_next(m, &left)) {
			if (m->nlmsg_seq != p->seq)
				continue;
			if (m->nlmsg_flags & NLM_F_DUMP_INTR)
				*ret_interrupted = true;
			if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
				p->unread = false;
				return nl_error(m);
			}
			r = reply ? reply(m, arg) : 0;
			if (r < 0)
				return r;
		}
	}
}

int nl_port_ask(
	struct nl_port *p, struct nl_msg *request, nl_reply_fn reply, size_t *kept, void *arg)
{
	int r = request ? -EAGAIN : -EMSGSIZE;

	for (int i = 0; r == -EAGAIN && i < NL_DUMP_TRIES; i++) {
		struct nlmsghdr *h = nlmsg_hdr(request);
		bool interrupted = false;

		h->nlmsg_seq = ++p->seq;
		r = nl_transmit(p, h, h->nlmsg_len);
		if (!r)
			r = nl_read_answer(p, reply, arg, &interrupted);
		if (r || !interrupted || !kept)
			break;
		*kept = 0;
		r = -EAGAIN;
	}
	nlmsg_free(request);
	return r;
}
