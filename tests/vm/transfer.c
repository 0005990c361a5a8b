/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Large transfers, which only succeed if both ends learn the MTU of the path, and datagrams that
 * must not be fragmented.
 */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

enum { CHUNK_SIZE = 16384, RESEND_MS = 100, FLOOD_BYTES = 18 };

static char chunk[CHUNK_SIZE];

/* Waits until the socket can be read or written; false: it took too long. */
static bool transfer_wait(int fd, short events, int64_t deadline_us)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left_us = deadline_us - peer_now_us();

	return left_us > 0 && poll(&p, 1, (int)(left_us / 1000) + 1) > 0;
}

/* Returns 0 or a negative errno. */
static int send_bytes(int fd, long n, int64_t deadline_us)
{
	while (n > 0) {
		ssize_t sent =
			send(fd, chunk, n < CHUNK_SIZE ? (size_t)n : CHUNK_SIZE, MSG_NOSIGNAL);

		if (sent >= 0)
			n -= sent;
		else if (errno != EAGAIN)
			return -errno;
		else if (!transfer_wait(fd, POLLOUT, deadline_us))
			return -ETIMEDOUT;
	}
	return 0;
}

static int receive_bytes(int fd, long n, int64_t deadline_us)
{
	while (n > 0) {
		ssize_t got = recv(fd, chunk, n < CHUNK_SIZE ? (size_t)n : CHUNK_SIZE, 0);

		if (got > 0)
			n -= got;
		else if (got == 0)
			return -ECONNRESET;
		else if (errno != EAGAIN)
			return -errno;
		else if (!transfer_wait(fd, POLLIN, deadline_us))
			return -ETIMEDOUT;
	}
	return 0;
}

static int64_t in_milliseconds(int ms)
{
	return peer_now_us() + INT64_C(1000) * ms;
}

enum { ORDER_SIZE = 16 }; /* "u" (the client sends) or "d", and the number of bytes */

static void carry_out_order(int fd)
{
	int64_t deadline_us = in_milliseconds(LIFETIME_SECONDS * 1000);
	long n;

	if (receive_bytes(fd, ORDER_SIZE, deadline_us) < 0)
		return;
	bool up = chunk[0] == 'u';

	chunk[ORDER_SIZE] = '\0';
	n = atol(chunk + 1);
	if (up && receive_bytes(fd, n, deadline_us) < 0)
		return;
	send_bytes(fd, up ? 1 : n, deadline_us);
}

/* Datagrams are taken and never read. */
_Noreturn void store(int argc, char **argv)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int sink = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 1)
		peer_usage();
	any.sin6_port = htons((uint16_t)atoi(argv[0]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
		listen(fd, SOMAXCONN) < 0 || bind(sink, (struct sockaddr *)&any, sizeof(any)) < 0)
		peer_fail("listen");
	signal(SIGCHLD, SIG_IGN);
	printf("serving\n");
	fflush(stdout);
	for (;;) {
		int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (connection >= 0 && fork() == 0) {
			alarm(LIFETIME_SECONDS);
			carry_out_order(connection);
			exit(0);
		}
		close(connection);
	}
}

int transfer(int argc, char **argv)
{
	struct sockaddr_storage to;
	char order[ORDER_SIZE + 1];

	if (argc != 5 || (strcmp(argv[1], "up") != 0 && strcmp(argv[1], "down") != 0))
		peer_usage();
	int64_t deadline_us = in_milliseconds(atoi(argv[0]));
	bool up = argv[1][0] == 'u';
	long n = atol(argv[2]);
	socklen_t len = peer_resolve(argv[3], argv[4], &to);
	int fd = peer_socket(to.ss_family, IPPROTO_TCP), r = 0;

	if (connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
		peer_fail("connect");
	snprintf(order, sizeof(order), "%c%-*ld", argv[1][0], ORDER_SIZE - 1, n);
	if (!transfer_wait(fd, POLLOUT, deadline_us))
		r = -ETIMEDOUT;
	memcpy(chunk, order, ORDER_SIZE);
	if (!r)
		r = send_bytes(fd, ORDER_SIZE, deadline_us);
	if (!r && up)
		r = send_bytes(fd, n, deadline_us);
	if (!r)
		r = receive_bytes(fd, up ? 1 : n, deadline_us);
	puts(r ? peer_error_word(r) : "done");
	return r ? 1 : 0;
}

/* ---- Datagrams ---- */

static int path_mtu(int fd, int family)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (family == AF_INET6)
		getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len);
	else
		getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
	return mtu;
}

int datagram(int argc, char **argv)
{
	struct sockaddr_storage to;
	int how = IP_PMTUDISC_DO, how6 = IPV6_PMTUDISC_DO;

	if (argc != 4)
		peer_usage();
	int64_t deadline_us = in_milliseconds(atoi(argv[0]));
	size_t size = (size_t)atoi(argv[1]);
	socklen_t len = peer_resolve(argv[2], argv[3], &to);
	int fd = peer_socket(to.ss_family, IPPROTO_UDP);

	if (to.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &how6, sizeof(how6));
	else
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how));
	if (size > sizeof(chunk) || connect(fd, (struct sockaddr *)&to, len) < 0)
		peer_fail("connect");
	while (peer_now_us() < deadline_us) {
		int64_t resend_us = in_milliseconds(RESEND_MS);

		if (send(fd, chunk, size, 0) < 0 && errno == EMSGSIZE) {
			printf("mtu %d\n", path_mtu(fd, to.ss_family));
			return 0;
		}
		if (transfer_wait(fd, POLLIN, resend_us) &&
			recv(fd, chunk, sizeof(chunk), 0) >= 0) {
			puts("answered");
			return 0;
		}
	}
	puts("timeout");
	return 1;
}

int flood(int argc, char **argv)
{
	struct sockaddr_storage to;

	if (argc != 3)
		peer_usage();
	long n = atol(argv[0]);
	socklen_t len = peer_resolve(argv[1], argv[2], &to);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0)
		peer_fail("connect");
	int64_t start_us = peer_now_us();

	for (long i = 0; i < n; i++)
		if (send(fd, chunk, FLOOD_BYTES, 0) < 0 && errno != ECONNREFUSED)
			peer_fail("send");
	printf("%lld\n", (long long)(peer_now_us() - start_us));
	return 0;
}
