// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel handles the requests of one sendmsg in order and before sendmsg returns, and answers
 * each with a datagram of its own. So when a batch is sent, everything that the kernel has to say
 * about it waits in the receive queue, and what is not mentioned there succeeded - unless the queue
 * overflowed, which recvmsg tells with ENOBUFS.
 */
#include "nl.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <netlink/msg.h>

#include "base/mem.h"

struct nl_port {
	int fd;
	uint32_t id;
	uint32_t seq; /* of the last request */
	bool unread;  /* answers of a question that was given up may still come */
	char *out;    /* NL_BATCH_MAX requests */
	char *in;     /* NL_RECEIVE_SIZE */
};

static void *append(struct nl_writer *w, size_t len)
{
	void *p = (char *)w->msg + w->msg->nlmsg_len;

	assert(w->msg->nlmsg_len + NLMSG_ALIGN(len) <= NL_REQUEST_MAX);
	memset(p, 0, NLMSG_ALIGN(len));
	w->msg->nlmsg_len += (uint32_t)NLMSG_ALIGN(len);
	return p;
}

void *nl_write_begin(struct nl_writer *w, uint16_t type, uint16_t flags, size_t header_len)
{
	*w->msg = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	return append(w, header_len);
}

static struct nlattr *append_attr(struct nl_writer *w, uint16_t type, size_t len)
{
	struct nlattr *a = append(w, sizeof(*a) + len);

	a->nla_type = type;
	a->nla_len = (uint16_t)(sizeof(*a) + len);
	return a;
}

void nl_write_attr(struct nl_writer *w, uint16_t type, const void *data, size_t len)
{
	memcpy(append_attr(w, type, len) + 1, data, len);
}

void nl_write_u16(struct nl_writer *w, uint16_t type, uint16_t value)
{
	nl_write_attr(w, type, &value, sizeof(value));
}

void nl_write_u32(struct nl_writer *w, uint16_t type, uint32_t value)
{
	nl_write_attr(w, type, &value, sizeof(value));
}

void nl_write_string(struct nl_writer *w, uint16_t type, const char *s)
{
	nl_write_attr(w, type, s, strlen(s) + 1);
}

struct nlattr *nl_write_nest(struct nl_writer *w, uint16_t type)
{
	return append_attr(w, type | NLA_F_NESTED, 0);
}

void nl_write_nest_end(struct nl_writer *w, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)w->msg + w->msg->nlmsg_len - (char *)nest);
}

int nl_read_attrs(const struct nlmsghdr *msg, size_t header_len, struct nlattr *tb[], int max,
	const struct nla_policy *policy)
{
	int header = (int)header_len;

	if (!nlmsg_valid_hdr(msg, header) ||
		nla_parse(tb, max, nlmsg_attrdata(msg, header), nlmsg_attrlen(msg, header), policy))
		return -EBADMSG;
	return 0;
}

int nl_read_nest(struct nlattr *nest, struct nlattr *tb[], int max, const struct nla_policy *policy)
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

void nl_port_free(struct nl_port *p)
{
	if (!p)
		return;
	close(p->fd);
	free(p->out);
	free(p->in);
	free(p);
}

int nl_port_fd(const struct nl_port *p)
{
	return p->fd;
}

uint32_t nl_port_id(const struct nl_port *p)
{
	return p->id;
}

/* Without CAP_NET_ADMIN in the initial user namespace the plain option has to do, up to
 * net.core.{r,w}mem_max. */
static void set_buffers(int fd)
{
	static const int size = NL_BUFFER_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int prepare(int fd, uint32_t *ret_id)
{
	static const struct timeval timeout = { .tv_sec = NL_TIMEOUT_MS / 1000 };
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(addr);
	int on = 1;

	set_buffers(fd);
	/* Errors come without a copy of the request that caused them (Linux 4.2). */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		getsockname(fd, (struct sockaddr *)&addr, &len))
		return -errno;
	*ret_id = addr.nl_pid;
	return 0;
}

int nl_port_open(int protocol, struct nl_port **ret, struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	uint32_t id = 0;
	int r;

	if (fd < 0)
		return err_errno(err, -errno, "cannot open a netlink socket");
	r = prepare(fd, &id);
	if (r < 0) {
		close(fd);
		return err_errno(err, r, "cannot set up a netlink socket");
	}
	*ret = nl_port_from_fd(fd);
	(*ret)->id = id;
	return 0;
}

void nl_port_set_strict(struct nl_port *p)
{
	int on = 1;

	setsockopt(p->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
}

int nl_port_join(struct nl_port *p, unsigned group)
{
	return setsockopt(p->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))
		? -errno
		: 0;
}

/* One datagram of the kernel: its length, or a negative errno; -EAGAIN: none. What other processes
 * send is passed over. */
static ssize_t receive(struct nl_port *p, int flags)
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

static int error_of(const struct nlmsghdr *msg)
{
	int error = 0;

	if (nlmsg_datalen(msg) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(msg), sizeof(error));
	return error;
}

int nl_port_drain(
	struct nl_port *p, void (*message)(const struct nlmsghdr *msg, void *arg), void *arg)
{
	bool lost = false;
	ssize_t n;

	while ((n = receive(p, MSG_DONTWAIT)) != -EAGAIN) {
		int left = (int)n;

		lost |= n < 0;
		if (n == -ENOBUFS || n == -EMSGSIZE)
			continue;
		if (n < 0)
			break;
		for (struct nlmsghdr *m = (struct nlmsghdr *)p->in; nlmsg_ok(m, left);
			m = nlmsg_next(m, &left))
			message(m, arg);
	}
	return lost ? -ENOBUFS : 0;
}

static void ignore(const struct nlmsghdr *msg, void *arg)
{
	(void)msg;
	(void)arg;
}

/* A dump that was given up goes on as long as it is read, and until then no other one can start. */
static void drop_unread(struct nl_port *p)
{
	if (p->unread)
		nl_port_drain(p, ignore, NULL);
	p->unread = false;
}

/* Returns 0, or a negative errno: the kernel did not see any of it. */
static int transmit(struct nl_port *p, size_t len)
{
	ssize_t n;

	do {
		n = send(p->fd, p->out, len, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ENOBUFS ? -ENOMEM : -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

struct results {
	uint32_t first; /* sequence number of the first */
	uint32_t n;
	bool answered[NL_BATCH_MAX];
	int result[NL_BATCH_MAX];
};

static void take_result(const struct nlmsghdr *msg, void *arg)
{
	struct results *r = arg;
	uint32_t i = msg->nlmsg_seq - r->first;

	if (msg->nlmsg_type != NLMSG_ERROR || i >= r->n)
		return;
	r->answered[i] = true;
	r->result[i] = error_of(msg);
}

/* Returns how many bytes to send. */
static size_t encode_batch(struct nl_port *p, size_t from, size_t n, nl_encode_fn encode, void *arg)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		struct nl_writer w = { .msg = (struct nlmsghdr *)(p->out + len) };

		encode(&w, from + i, arg);
		w.msg->nlmsg_seq = ++p->seq;
		len += w.msg->nlmsg_len;
	}
	return len;
}

static void run_batch(struct nl_port *p, size_t from, size_t n, nl_encode_fn encode,
	nl_answer_fn answer, void *arg)
{
	struct results r = { .first = p->seq + 1, .n = (uint32_t)n };
	int sent = transmit(p, encode_batch(p, from, n, encode, arg));
	int lost = sent ? 0 : nl_port_drain(p, take_result, &r);

	for (size_t i = 0; i < n; i++)
		answer(from + i, sent ? sent : r.answered[i] ? r.result[i] : lost, arg);
}

void nl_port_batch(struct nl_port *p, size_t n, nl_encode_fn encode, nl_answer_fn answer, void *arg)
{
	drop_unread(p);
	for (size_t i = 0; i < n; i += NL_BATCH_MAX)
		run_batch(p, i, n - i < NL_BATCH_MAX ? n - i : NL_BATCH_MAX, encode, answer, arg);
}

struct replies {
	const struct nl_question *q;
	uint32_t seq;
	bool done;
	bool interrupted; /* the table changed while it was read */
};

/* The messages of one datagram. Returns 0, or the negative errno that ends the question. */
static int take_replies(struct nlmsghdr *m, int left, struct replies *r)
{
	int e;

	for (; !r->done && nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
		if (m->nlmsg_seq != r->seq)
			continue;
		r->interrupted |= m->nlmsg_flags & NLM_F_DUMP_INTR;
		r->done = m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR;
		e = r->done ? error_of(m) : r->q->reply(m, r->q->arg);
		if (e < 0)
			return e;
	}
	return 0;
}

static int read_replies(struct nl_port *p, struct replies *r)
{
	int e = 0;

	while (!e && !r->done) {
		ssize_t n = receive(p, 0);

		if (n < 0)
			e = n == -EAGAIN ? -ETIMEDOUT : (int)n;
		else
			e = take_replies((struct nlmsghdr *)p->in, (int)n, r);
	}
	p->unread = !r->done;
	return e;
}

int nl_port_ask(struct nl_port *p, const struct nl_question *q)
{
	for (int i = 0; i < NL_DUMP_TRIES; i++) {
		struct nl_writer w = { .msg = (struct nlmsghdr *)p->out };
		struct replies r = { .q = q, .seq = ++p->seq };
		int e;

		drop_unread(p);
		q->write(&w, q->arg);
		w.msg->nlmsg_seq = r.seq;
		e = transmit(p, w.msg->nlmsg_len);
		if (!e)
			e = read_replies(p, &r);
		if (e || !r.interrupted || !q->restart)
			return e;
		q->restart(q->arg);
	}
	return -EAGAIN;
}
