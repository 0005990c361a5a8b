/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * One kind of exchange again and again, for tests/bench/measure_packets: in a machine with one
 * processor whose time counts instructions, the time in which it is not idle is the work of both
 * ends and of all that is between them.
 */

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum {
	MESSAGE_BYTES = 64,
	STREAM_BYTES = 65536, /* written and read at a time */
};

static char message[STREAM_BYTES];

static int exchange_socket(const struct sockaddr_storage *a, int type)
{
	int fd = socket(a->ss_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		peer_fail("socket");
	return fd;
}

/* ---- The server ---- */

/* Answers each message, which ends with ".", of one connection after the other. The buffer has a fixed
 * size, because the kernel would let it grow by and by. */
static _Noreturn void answer_connections(const char *port)
{
	struct sockaddr_storage any;
	socklen_t len = peer_resolve("0.0.0.0", port, &any);
	int fd = exchange_socket(&any, SOCK_STREAM), on = 1, size = 4 * STREAM_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&any, len) < 0 || listen(fd, SOMAXCONN) < 0)
		peer_fail("listen");
	printf("serving\n");
	fflush(stdout);
	for (;;) {
		int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		ssize_t n;

		while ((n = recv(connection, message, sizeof(message), 0)) > 0)
			if (message[n - 1] == '.')
				send(connection, message, MESSAGE_BYTES, MSG_NOSIGNAL);
		close(connection);
	}
}

/* The server has a socket for each address, because an answer must come from the one that was asked. */
static _Noreturn void answer_datagrams(const char *address, const char *port)
{
	struct sockaddr_storage own, from;
	socklen_t len = peer_resolve(address, port, &own);
	int fd = exchange_socket(&own, SOCK_DGRAM);

	if (bind(fd, (struct sockaddr *)&own, len) < 0)
		peer_fail("bind");
	for (;;) {
		len = sizeof(from);
		ssize_t n =
			recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &len);

		if (n > 0)
			sendto(fd, message, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

_Noreturn void answer(int argc, char **argv)
{
	if (argc < 1)
		peer_usage();
	for (int i = 1; i < argc; i++) {
		if (fork() == 0) {
			alarm(LIFETIME_SECONDS);
			answer_datagrams(argv[i], argv[0]);
		}
	}
	answer_connections(argv[0]);
}

/* ---- The client ---- */

struct exchange {
	struct sockaddr_storage to;
	socklen_t len;
};

static int exchange_connect(const struct exchange *x, int type)
{
	int fd = exchange_socket(&x->to, type);

	if (connect(fd, (const struct sockaddr *)&x->to, x->len) < 0)
		peer_fail("connect");
	return fd;
}

static void exchange_message(int fd, size_t size)
{
	char reply[MESSAGE_BYTES];

	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(
			fd, message + sizeof(message) - size + sent, size - sent, MSG_NOSIGNAL);

		if (n <= 0)
			peer_fail("send");
		sent += (size_t)n;
	}
	if (recv(fd, reply, sizeof(reply), 0) <= 0)
		peer_fail("recv");
}

static void new_sockets(const struct exchange *x, int type, long n)
{
	for (long i = 0; i < n; i++) {
		int fd = exchange_connect(x, type);

		exchange_message(fd, MESSAGE_BYTES);
		close(fd);
	}
}

/* Sends n messages on one connection; returns how many packets they were. */
static long one_connection(const struct exchange *x, long n, size_t size)
{
	int fd = exchange_connect(x, SOCK_STREAM);
	struct tcp_info info;
	socklen_t len = sizeof(info);

	for (long i = 0; i < n; i++)
		exchange_message(fd, size);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		peer_fail("TCP_INFO");
	close(fd);
	return info.tcpi_data_segs_out;
}

/* Returns the number of operations. */
static long exchange_burst(const char *kind, const struct exchange *x, long n)
{
	if (strcmp(kind, "connection") == 0)
		new_sockets(x, SOCK_STREAM, n);
	else if (strcmp(kind, "datagram") == 0)
		new_sockets(x, SOCK_DGRAM, n);
	else if (strcmp(kind, "request") == 0)
		one_connection(x, n, MESSAGE_BYTES);
	else if (strcmp(kind, "stream") == 0)
		return one_connection(x, n, STREAM_BYTES);
	else
		peer_usage();
	return n;
}

/* Returns how long tasks have run on this processor; being idle does not count. */
static int64_t exchange_work_ns(void)
{
	const struct timespec moment = { .tv_nsec = 1 };
	FILE *f = fopen("/proc/schedstat", "re");
	char line[LINE_SIZE];
	long long ns = -1;

	/* The time of a task counts when it stops running. */
	nanosleep(&moment, NULL);
	while (f && ns < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu0 %*d %*d %*d %*d %*d %*d %lld", &ns) != 1)
			ns = -1;
	if (ns < 0)
		peer_fail("/proc/schedstat");
	fclose(f);
	return ns;
}

int exchange(int argc, char **argv)
{
	struct exchange x;

	if (argc != 5)
		peer_usage();
	x.len = peer_resolve(argv[3], argv[4], &x.to);
	memset(message, 'x', sizeof(message));
	message[sizeof(message) - 1] = '.';
	for (long i = atol(argv[1]); i > 0; i--) {
		int64_t start_ns = exchange_work_ns();
		long n = exchange_burst(argv[0], &x, atol(argv[2]));

		printf("%.1f\n", (double)(exchange_work_ns() - start_ns) / (double)n);
	}
	return 0;
}
