/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Tests many flows at a time and prints for each the servers that answered, with the client address
 * that they saw. Each flow is asked on one connection after the other until the wanted number of
 * servers has answered, and a few times more to find unwanted servers. If no answer is wanted, the
 * timeout is shorter: on a slow machine this can hide a fault, but cannot invent one.
 */

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum {
	MAX_FLOWS = 1024,
	MAX_AT_ONCE = 32,
	MAX_ANSWERS = 8,
	MIN_ASKS = 6,
	MANY_ASKS = 20,
	MAX_ASKS = 200, /* by chance, one of three is missed in (2/3)^200 of all cases */
	MIN_REFUSALS = 2,
	ANSWER_SECONDS = 120, /* what is wanted has so much time to come */
	WORD_SIZE = 64,
};

static const char http_question[] = "GET / HTTP/1.0\r\n\r\n";

struct flow {
	char id[WORD_SIZE];
	int proto;
	bool http;
	struct sockaddr_storage source, dest;
	socklen_t source_len, dest_len; /* 0: none given */
	int wanted;			/* so many different answers; 0: none at all */
	int asked;
	char answers[MAX_ANSWERS][LINE_SIZE];
	int n_answers;
	int64_t deadline_us; /* of the question that stands */
};

struct survey {
	struct flow flows[MAX_FLOWS];
	size_t n, next;
	struct flow *active[MAX_FLOWS];
	struct pollfd fds[MAX_FLOWS];
	nfds_t n_active;
	nfds_t n_busy; /* of them, those that want an answer */
	int silence_ms;
};

static void read_flow(struct flow *f, const char *line)
{
	char proto[WORD_SIZE], host[WORD_SIZE], port[WORD_SIZE], source[WORD_SIZE];

	*f = (struct flow){ 0 };
	if (sscanf(line, "%63s %63s %63s %63s %63s %d", f->id, proto, host, port, source,
		    &f->wanted) != 6)
		peer_usage();
	f->http = strcmp(proto, "http") == 0;
	f->dest_len = peer_resolve(host, port, &f->dest);
	if (strcmp(source, "-") != 0)
		f->source_len = peer_resolve(source, "0", &f->source);
	if (strcmp(proto, "icmp") == 0)
		f->proto = f->dest.ss_family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else
		f->proto = peer_proto(f->http ? "tcp" : proto);
}

/* Records an answer once, as SERVER@CLIENT or the word of an error. */
static void note_answer(struct flow *f, const char *word)
{
	for (int i = 0; i < f->n_answers; i++)
		if (strcmp(f->answers[i], word) == 0)
			return;
	if (f->n_answers < MAX_ANSWERS)
		snprintf(f->answers[f->n_answers++], LINE_SIZE, "%s", word);
}

static void note_text(struct flow *f, char *text)
{
	char *blank = strchr(text, ' ');

	text[strcspn(text, "\r\n")] = '\0';
	if (f->http && blank) {
		blank[1 + strcspn(blank + 1, " ")] = '\0';
		note_answer(f, blank + 1);
		return;
	}
	if (blank)
		*blank = '@';
	note_answer(f, text);
}

static int start(struct flow *f)
{
	int fd = peer_socket(f->dest.ss_family, f->proto), on = 1;

	f->asked++;
	if (fd < 0)
		return -errno;
	/* Without this option SCTP does not report ICMP errors. */
	if (f->proto == IPPROTO_SCTP && f->dest.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	else if (f->proto == IPPROTO_SCTP)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	if (f->source_len && bind(fd, (const struct sockaddr *)&f->source, f->source_len) < 0)
		peer_fail("bind to the source address");
	if (connect(fd, (const struct sockaddr *)&f->dest, f->dest_len) < 0 &&
		errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int send_question(const struct flow *f, int fd)
{
	struct icmphdr echo = { .type = ICMP_ECHO };
	struct icmp6_hdr echo6 = { .icmp6_type = ICMP6_ECHO_REQUEST };
	const void *question = f->http ? http_question : "?\n";
	size_t len = strlen(question);
	int error = 0;
	socklen_t error_len = sizeof(error);

	if (f->proto == IPPROTO_ICMP) {
		question = &echo;
		len = sizeof(echo);
	} else if (f->proto == IPPROTO_ICMPV6) {
		question = &echo6;
		len = sizeof(echo6);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0 || error)
		return -error;
	return send(fd, question, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive(struct flow *f, int fd)
{
	char text[LINE_SIZE];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	text[n] = '\0';
	/* A socket of this kind receives only answers to its own echo requests. */
	if (f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6)
		strcpy(text, "echo");
	note_text(f, text);
	return 0;
}

static bool enough(const struct flow *f, int r)
{
	if (r == -ETIMEDOUT || f->asked >= MAX_ASKS)
		return true;
	if (r < 0)
		return f->asked >= MIN_REFUSALS;
	return f->asked >= MIN_ASKS && f->n_answers >= f->wanted;
}

static void print(const struct flow *f)
{
	fputs(f->id, stdout);
	for (int i = 0; i < f->n_answers; i++)
		printf(" %s", f->answers[i]);
	putchar('\n');
}

/* Asks again, or for the first time. Returns whether place i now waits for an answer. */
static bool ask_in(struct survey *s, nfds_t i, struct flow *f, int r)
{
	while (f->asked == 0 || !enough(f, r)) {
		int fd;

		/* Two clients of one virtual server that ask in step take turns: each would hear one
		 * of two servers for ever. A pause of random length breaks the step. */
		if (f->asked > MANY_ASKS)
			usleep((useconds_t)(random() % 2000));
		fd = start(f);
		if (fd >= 0) {
			s->active[i] = f;
			s->fds[i] = (struct pollfd){ .fd = fd, .events = POLLOUT };
			f->deadline_us = peer_now_us() +
				INT64_C(1000) * (f->wanted ? ANSWER_SECONDS * 1000 : s->silence_ms);
			return true;
		}
		r = fd;
		note_answer(f, peer_error_word(r));
	}
	print(f);
	return false;
}

/* Reads from the socket in place i: 0 is an answer, -EINPROGRESS nothing yet, others are errors. */
static int advance(struct survey *s, nfds_t i)
{
	struct pollfd *p = &s->fds[i];
	int r;

	if (!p->revents)
		return peer_now_us() < s->active[i]->deadline_us ? -EINPROGRESS : -ETIMEDOUT;
	if (p->events == POLLIN)
		return receive(s->active[i], p->fd);
	r = send_question(s->active[i], p->fd);
	/* The sender's host dropped the packet; the refusal may still follow. */
	if (r < 0 && r != -EPERM)
		return r;
	p->events = POLLIN;
	return -EINPROGRESS;
}

static void begin(struct survey *s, struct flow *f)
{
	if (!ask_in(s, s->n_active, f, 0))
		return;
	s->n_active++;
	s->n_busy += f->wanted > 0;
}

static void turn(struct survey *s)
{
	/* This is precise enough for the deadlines. */
	if (poll(s->fds, s->n_active, 50) < 0)
		peer_fail("poll");
	for (nfds_t i = s->n_active; i-- > 0;) {
		struct flow *f = s->active[i];
		int r = advance(s, i);

		if (r == -EINPROGRESS)
			continue;
		if (r < 0)
			note_answer(f, peer_error_word(r));
		close(s->fds[i].fd);
		if (!ask_in(s, i, f, r)) {
			s->n_busy -= f->wanted > 0;
			s->n_active--;
			s->fds[i] = s->fds[s->n_active];
			s->active[i] = s->active[s->n_active];
		}
	}
}

int survey(int argc, char **argv)
{
	static struct survey s;
	char line[LINE_SIZE];

	if (argc != 1 || (s.silence_ms = atoi(argv[0])) <= 0)
		peer_usage();
	srandom((unsigned)getpid());
	while (fgets(line, sizeof(line), stdin)) {
		if (s.n == MAX_FLOWS)
			peer_usage();
		read_flow(&s.flows[s.n++], line);
	}
	while (s.n_active || s.next < s.n) {
		while (s.n_busy < MAX_AT_ONCE && s.next < s.n)
			begin(&s, &s.flows[s.next++]);
		turn(&s);
	}
	return 0;
}
