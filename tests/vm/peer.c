/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Both ends of the traffic in the lab: servers that answer with their name and the client's
 * address, and a client that prints the answers. Each process exits after LIFETIME_SECONDS, so that
 * a test that dies leaves nothing behind.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ip_vs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum {
	MAX_SOCKETS = 1024,
	DEFAULT_WAIT_MS = 2000,
	MAX_REAL_SERVERS = 64,
	CHANGE_LIMIT_SECONDS = 60,
	TURN_MS = 32,
	LOOP_PORTS = 4000,
};

_Noreturn void peer_fail(const char *what)
{
	perror(what);
	exit(2);
}

_Noreturn void peer_usage(void)
{
	fprintf(stderr,
		"peer serve NAME PROTO:PORT...\n"
		"    answers every line or datagram with \"NAME ADDRESS\": who asked, as seen here\n"
		"peer ask [-n COUNT] [-s SOURCE] [-w MILLISECONDS] PROTO ADDRESS PORT\n"
		"    asks, each time on a new connection, and prints the answers\n"
		"peer hold [-n COUNT] [-s SOURCE] [-w MILLISECONDS] PROTO ADDRESS PORT\n"
		"    opens connections and asks on all of them, again for every line of its input\n"
		"peer survey MILLISECONDS\n"
		"    asks what its input says, many at a time, and prints who answered each:\n"
		"    ID PROTO ADDRESS PORT SOURCE|- WANTED, where PROTO is icmp or http too\n"
		"peer loop [-p FIRST] [-s SOURCE] [-w MILLISECONDS] PROTO ADDRESS PORT\n"
		"    asks again and again, each time on a new connection, until SIGTERM, with a line\n"
		"    now and then; prints how often each answer came. Silence before the first\n"
		"    answer does not count. FIRST: the first of 4000 ports to come from, none of them\n"
		"    twice within two minutes, not even in a loop after this one\n"
		"peer notify SOCKET\n"
		"    prints the messages that a service sends to its NOTIFY_SOCKET\n"
		"peer change FILE MANIFEST ADDRESS PORT REAL_ADDRESS REAL_PORT\n"
		"    renames FILE to MANIFEST and prints after how many microseconds that real\n"
		"    server of that TCP virtual server stands in the kernel\n"
		"peer connect\n"
		"    connects to each line of its input, an IPv4 ADDRESS:PORT, one after another, and\n"
		"    prints how many microseconds that took\n"
		"peer store PORT\n"
		"    serves \"peer transfer\" over TCP; takes datagrams and never reads them\n"
		"peer transfer MILLISECONDS up|down BYTES ADDRESS PORT\n"
		"    sends the bytes to a store, or receives them; prints \"done\"\n"
		"peer datagram MILLISECONDS BYTES ADDRESS PORT\n"
		"    sends a datagram that must not be fragmented, until it learns the MTU of the\n"
		"    path, which it prints, or an answer comes\n"
		"peer flood COUNT ADDRESS PORT\n"
		"    sends that many small datagrams one after another, and prints how many\n"
		"    microseconds that took\n"
		"peer answer PORT ADDRESS...\n"
		"    serves \"peer exchange\", over UDP at these addresses, over TCP at all\n"
		"peer exchange connection|request|datagram|stream BURSTS COUNT ADDRESS PORT\n"
		"    makes COUNT TCP connections with one request each, or sends requests on one\n"
		"    connection, or datagrams from a new socket each, or messages of 64 KiB; prints\n"
		"    for each burst the nanoseconds that one took, of a stream one packet\n"
		"peer who-has MILLISECONDS INTERFACE SOURCE ADDRESS WITNESS\n"
		"    asks on the link who has the address, and prints who answers until the host\n"
		"    with the address WITNESS has answered\n"
		"PROTO is tcp, udp or sctp.\n");
	exit(2);
}

int peer_proto(const char *name)
{
	if (strcmp(name, "tcp") == 0)
		return IPPROTO_TCP;
	if (strcmp(name, "udp") == 0)
		return IPPROTO_UDP;
	if (strcmp(name, "sctp") == 0)
		return IPPROTO_SCTP;
	peer_usage();
}

int peer_socket(int family, int proto)
{
	int type = proto == IPPROTO_TCP || proto == IPPROTO_SCTP ? SOCK_STREAM : SOCK_DGRAM;

	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto);
}

static const char *address_text(const struct sockaddr_storage *a, socklen_t len, char *buf)
{
	if (getnameinfo((const struct sockaddr *)a, len, buf, LINE_SIZE, NULL, 0, NI_NUMERICHOST))
		snprintf(buf, LINE_SIZE, "?");
	return strncmp(buf, "::ffff:", 7) == 0 ? buf + 7 : buf;
}

/* ---- serve ---- */

enum socket_kind { SOCKET_LISTENER, SOCKET_DATAGRAM, SOCKET_CONNECTION };

struct server {
	const char *name;
	struct pollfd fds[MAX_SOCKETS];
	enum socket_kind kinds[MAX_SOCKETS];
	nfds_t n;
};

static void server_add(struct server *s, int fd, enum socket_kind kind)
{
	if (s->n == MAX_SOCKETS) {
		close(fd);
		return;
	}
	s->fds[s->n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	s->kinds[s->n++] = kind;
}

static void server_bind(struct server *s, int proto, const struct sockaddr *a, socklen_t len)
{
	int fd = peer_socket(a->sa_family, proto), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, a, len) < 0)
		peer_fail("bind");
	if (proto != IPPROTO_UDP && listen(fd, SOMAXCONN) < 0)
		peer_fail("listen");
	server_add(s, fd, proto == IPPROTO_UDP ? SOCKET_DATAGRAM : SOCKET_LISTENER);
}

/*
 * One SCTP socket for each address: a socket bound to no address announces all addresses to its
 * peer, which would then use one that IPVS does not translate.
 */
static void server_bind_each(struct server *s, int proto, uint16_t port)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		peer_fail("getifaddrs");
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in a = *(struct sockaddr_in *)i->ifa_addr;

			a.sin_port = htons(port);
			server_bind(s, proto, (struct sockaddr *)&a, sizeof(a));
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			struct sockaddr_in6 a = *(struct sockaddr_in6 *)i->ifa_addr;

			a.sin6_port = htons(port);
			/* The address may still be tentative; no Service has such an endpoint. */
			if (IN6_IS_ADDR_LINKLOCAL(&a.sin6_addr))
				continue;
			server_bind(s, proto, (struct sockaddr *)&a, sizeof(a));
		}
	}
	freeifaddrs(all);
}

static void server_listen(struct server *s, const char *spec)
{
	char proto[8];
	unsigned port;

	if (sscanf(spec, "%7[a-z]:%u", proto, &port) != 2 || port == 0 || port > UINT16_MAX)
		peer_usage();
	if (strcmp(proto, "sctp") == 0) {
		server_bind_each(s, IPPROTO_SCTP, (uint16_t)port);
		return;
	}
	/* Receives IPv4, too, as mapped addresses. */
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	server_bind(s, peer_proto(proto), (struct sockaddr *)&any, sizeof(any));
}

static bool server_answer(struct server *s, nfds_t i)
{
	char buf[LINE_SIZE], text[LINE_SIZE], line[2 * LINE_SIZE + 8];
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(s->fds[i].fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
	bool datagram = s->kinds[i] == SOCKET_DATAGRAM;

	if (n < 0)
		return datagram || errno == EAGAIN;
	if (n == 0 && !datagram)
		return false;
	if (!datagram) {
		len = sizeof(from);
		if (getpeername(s->fds[i].fd, (struct sockaddr *)&from, &len) < 0)
			return false;
	}
	n = snprintf(line, sizeof(line), "%s %s\n", s->name, address_text(&from, len, text));
	n = sendto(s->fds[i].fd, line, (size_t)n, MSG_NOSIGNAL,
		datagram ? (struct sockaddr *)&from : NULL, datagram ? len : 0);
	return datagram || n > 0;
}

static void server_turn(struct server *s)
{
	if (poll(s->fds, s->n, -1) < 0)
		peer_fail("poll");
	for (nfds_t i = s->n; i-- > 0;) {
		if (!s->fds[i].revents)
			continue;
		if (s->kinds[i] == SOCKET_LISTENER) {
			int fd = accept4(s->fds[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

			if (fd >= 0)
				server_add(s, fd, SOCKET_CONNECTION);
		} else if (!server_answer(s, i)) {
			/* The last one, which was handled already, takes its place. */
			close(s->fds[i].fd);
			s->n--;
			s->fds[i] = s->fds[s->n];
			s->kinds[i] = s->kinds[s->n];
		}
	}
}

_Noreturn static void serve(int argc, char **argv)
{
	static struct server s;

	if (argc < 2)
		peer_usage();
	s.name = argv[0];
	for (int i = 1; i < argc; i++)
		server_listen(&s, argv[i]);
	/* The parent may wait for this line. */
	printf("serving\n");
	fflush(stdout);
	for (;;)
		server_turn(&s);
}

/* ---- ask and hold ---- */

struct question {
	int count, wait_ms, proto;
	struct sockaddr_storage source, dest;
	socklen_t source_len, dest_len; /* 0: none given */
	unsigned first_port;		/* of LOOP_PORTS for a loop to come from; 0: any */
	unsigned port;			/* to come from; 0: any */
};

socklen_t peer_resolve(const char *host, const char *port, struct sockaddr_storage *ret)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *found = NULL;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		peer_usage();
	socklen_t len = found->ai_addrlen;

	memcpy(ret, found->ai_addr, len);
	freeaddrinfo(found);
	return len;
}

static struct question question_parse(int argc, char **argv)
{
	struct question q = { .count = 1, .wait_ms = DEFAULT_WAIT_MS };
	int option;

	while ((option = getopt(argc, argv, "n:p:s:w:")) != -1) {
		if (option == 'n')
			q.count = atoi(optarg);
		else if (option == 'p')
			q.first_port = (unsigned)atoi(optarg);
		else if (option == 's')
			q.source_len = peer_resolve(optarg, "0", &q.source);
		else if (option == 'w')
			q.wait_ms = atoi(optarg);
		else
			peer_usage();
	}
	if (argc - optind != 3 || q.count < 1 || q.count > MAX_SOCKETS ||
		q.first_port + LOOP_PORTS > UINT16_MAX)
		peer_usage();
	q.proto = peer_proto(argv[optind]);
	q.dest_len = peer_resolve(argv[optind + 1], argv[optind + 2], &q.dest);
	if (!q.source_len) {
		q.source.ss_family = q.dest.ss_family;
		q.source_len = q.first_port ? q.dest_len : 0;
	}
	return q;
}

static int await(int fd, short events, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, wait_ms);

	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

/* Returns 0 or a negative errno. */
static int bind_source(int fd, struct question *q)
{
	int on = 1;

	if (!q->source_len)
		return 0;
	/* sin_port and sin6_port are in the same place. */
	((struct sockaddr_in *)&q->source)->sin_port = htons((uint16_t)q->port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&q->source, q->source_len) < 0 ? -errno : 0;
}

/* Returns a connected socket, or a negative errno. */
static int dial(struct question *q, int wait_ms)
{
	int fd = peer_socket(q->dest.ss_family, q->proto), error;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -errno;
	error = -bind_source(fd, q);
	if (!error && connect(fd, (const struct sockaddr *)&q->dest, q->dest_len) < 0) {
		error = errno == EINPROGRESS ? -await(fd, POLLOUT, wait_ms) : errno;
		if (!error)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		/* To connect from a port that is in use for this address has an error of its own. */
		if (error == EADDRNOTAVAIL)
			error = EADDRINUSE;
	}
	if (!error)
		return fd;
	close(fd);
	return -error;
}

/* Asks on a connected socket. Sets the answer without its newline, or returns a negative errno. */
static int ask_on(int fd, int wait_ms, char answer[static LINE_SIZE])
{
	if (send(fd, "?\n", 2, MSG_NOSIGNAL) < 0)
		return -errno;
	int r = await(fd, POLLIN, wait_ms);

	if (r < 0)
		return r;
	ssize_t n = recv(fd, answer, LINE_SIZE - 1, 0);

	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	answer[n] = '\0';
	answer[strcspn(answer, "\n")] = '\0';
	return 0;
}

const char *peer_error_word(int r)
{
	if (r == -ETIMEDOUT)
		return "timeout";
	if (r == -ECONNREFUSED)
		return "refused";
	if (r == -ECONNRESET || r == -EPIPE)
		return "reset";
	if (r == -EHOSTUNREACH || r == -ENETUNREACH)
		return "unreachable";
	return strerror(-r);
}

/* Prints the answer or the error. Returns whether there was an answer. */
static bool print_answer(int r, const char *answer)
{
	puts(r == 0 ? answer : peer_error_word(r));
	fflush(stdout);
	return r == 0;
}

/* Asks on a new connection and prints the answer. */
static int ask_anew(struct question *q, int wait_ms, char answer[static LINE_SIZE])
{
	int fd = dial(q, wait_ms);
	int r = fd < 0 ? fd : ask_on(fd, wait_ms, answer);

	if (fd >= 0)
		close(fd);
	return r;
}

static int ask(int argc, char **argv)
{
	struct question q = question_parse(argc, argv);
	char answer[LINE_SIZE];
	bool all = true;

	for (int i = 0; i < q.count; i++)
		all = print_answer(ask_anew(&q, q.wait_ms, answer), answer) && all;
	return all ? 0 : 1;
}

static int hold(int argc, char **argv)
{
	struct question q = question_parse(argc, argv);
	char answer[LINE_SIZE], line[LINE_SIZE];
	static int fds[MAX_SOCKETS];
	bool all = true;

	for (int i = 0; i < q.count; i++)
		fds[i] = dial(&q, q.wait_ms);
	do {
		for (int i = 0; i < q.count; i++) {
			int r = fds[i] < 0 ? fds[i] : ask_on(fds[i], q.wait_ms, answer);

			all = print_answer(r, answer) && all;
		}
	} while (fgets(line, sizeof(line), stdin));
	return all ? 0 : 1;
}

/* ---- loop ---- */

enum { MAX_TALLIES = 64, FIRST_WAITS = 16, ASKED = 4 };

struct tally {
	char text[LINE_SIZE];
	unsigned long n;
};

static volatile sig_atomic_t stopping;

static void stop(int sig)
{
	(void)sig;
	stopping = 1;
}

static void count(struct tally tallies[static MAX_TALLIES], const char *text)
{
	for (size_t i = 0; i < MAX_TALLIES; i++) {
		if (tallies[i].n && strcmp(tallies[i].text, text) != 0)
			continue;
		snprintf(tallies[i].text, sizeof(tallies[i].text), "%s", text);
		tallies[i].n++;
		return;
	}
}

/*
 * A loop asks once in a turn, and the clock's turn chooses the port: so a port comes again after TURN_MS *
 * LOOP_PORTS, when conntrack and IPVS have forgotten a closed TCP connection.
 */
static unsigned long turn_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((unsigned long)t.tv_sec * 1000 + (unsigned long)t.tv_nsec / 1000000) / TURN_MS;
}

static int loop(int argc, char **argv)
{
	static struct tally tallies[MAX_TALLIES];
	struct question q = question_parse(argc, argv);
	char answer[LINE_SIZE];
	bool answered = false;

	signal(SIGTERM, stop);
	for (unsigned n = 0; !stopping; n++) {
		unsigned long turn = turn_now();

		if (q.first_port)
			q.port = q.first_port + (unsigned)(turn % LOOP_PORTS);
		/* A long attempt must not hide the moment when a server appears. */
		int r = ask_anew(&q, q.wait_ms / (answered ? 1 : FIRST_WAITS), answer);
		bool silent = r == -ETIMEDOUT || r == -EHOSTUNREACH || r == -ENETUNREACH;
		/* Somebody else has the port. */
		bool asked = r != -EADDRINUSE;

		if (r == -EINTR)
			break;
		if (n % ASKED == 0) {
			printf("asking\n");
			fflush(stdout);
		}
		answered |= r == 0;
		if (asked && (answered || !silent))
			count(tallies, r == 0 ? answer : peer_error_word(r));
		while (!stopping && turn_now() == turn)
			usleep(1000);
	}
	for (size_t i = 0; i < MAX_TALLIES && tallies[i].n; i++)
		printf("%lu %s\n", tallies[i].n, tallies[i].text);
	return 0;
}

/* ---- notify ---- */

_Noreturn static void notify(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char buf[LINE_SIZE];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 1 || strlen(argv[0]) >= sizeof(a.sun_path))
		peer_usage();
	memcpy(a.sun_path, argv[0], strlen(argv[0]) + 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		peer_fail("bind");
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

		if (n < 0)
			peer_fail("recv");
		buf[n] = '\0';
		printf("%s\n", buf);
		fflush(stdout);
	}
}

/* ---- change ---- */

/* Uses the old interface of IPVS: one system call takes almost no time. */
static bool has_real_server(int fd, const struct sockaddr_in *vs, const struct sockaddr_in *rs)
{
	union {
		struct ip_vs_get_dests all;
		char room[sizeof(struct ip_vs_get_dests) +
			MAX_REAL_SERVERS * sizeof(struct ip_vs_dest_entry)];
	} u = { .all = { .protocol = IPPROTO_TCP,
			.addr = vs->sin_addr.s_addr,
			.port = vs->sin_port,
			.num_dests = MAX_REAL_SERVERS } };
	socklen_t len = sizeof(u);

	if (getsockopt(fd, IPPROTO_IP, IP_VS_SO_GET_DESTS, &u, &len) < 0)
		return false;
	for (size_t i = 0; i < MAX_REAL_SERVERS; i++)
		if (u.all.entrytable[i].addr == rs->sin_addr.s_addr &&
			u.all.entrytable[i].port == rs->sin_port)
			return true;
	return false;
}

int64_t peer_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct sockaddr_in ipv4(const char *address, const char *port)
{
	struct sockaddr_storage any;
	struct sockaddr_in ret;

	peer_resolve(address, port, &any);
	if (any.ss_family != AF_INET)
		peer_usage();
	memcpy(&ret, &any, sizeof(ret));
	return ret;
}

static int change(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (argc != 6)
		peer_usage();
	struct sockaddr_in vs = ipv4(argv[2], argv[3]), rs = ipv4(argv[4], argv[5]);
	int64_t start = peer_now_us();

	if (fd < 0 || rename(argv[0], argv[1]) < 0)
		peer_fail("rename");
	while (!has_real_server(fd, &vs, &rs)) {
		if (peer_now_us() - start > CHANGE_LIMIT_SECONDS * INT64_C(1000000)) {
			fprintf(stderr, "not there after %d s\n", CHANGE_LIMIT_SECONDS);
			return 1;
		}
		/* Leave the CPU to the daemon, if there is only one. */
		usleep(100);
	}
	printf("%lld\n", (long long)(peer_now_us() - start));
	return 0;
}

/* ---- connect ---- */

static int connect_timed(void)
{
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), stdin)) {
		char *port = strchr(line, ':');
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (!port || fd < 0)
			peer_usage();
		*port++ = '\0';
		port[strcspn(port, "\n")] = '\0';
		struct sockaddr_in a = ipv4(line, port);
		int64_t start = peer_now_us();

		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			peer_fail("connect");
		printf("%lld\n", (long long)(peer_now_us() - start));
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	alarm(LIFETIME_SECONDS);
	if (argc < 2)
		peer_usage();
	if (strcmp(argv[1], "serve") == 0)
		serve(argc - 2, argv + 2);
	if (strcmp(argv[1], "ask") == 0)
		return ask(argc - 1, argv + 1);
	if (strcmp(argv[1], "hold") == 0)
		return hold(argc - 1, argv + 1);
	if (strcmp(argv[1], "survey") == 0)
		return survey(argc - 2, argv + 2);
	if (strcmp(argv[1], "loop") == 0)
		return loop(argc - 1, argv + 1);
	if (strcmp(argv[1], "notify") == 0)
		notify(argc - 2, argv + 2);
	if (strcmp(argv[1], "change") == 0)
		return change(argc - 2, argv + 2);
	if (strcmp(argv[1], "connect") == 0)
		return connect_timed();
	if (strcmp(argv[1], "store") == 0)
		store(argc - 2, argv + 2);
	if (strcmp(argv[1], "transfer") == 0)
		return transfer(argc - 2, argv + 2);
	if (strcmp(argv[1], "datagram") == 0)
		return datagram(argc - 2, argv + 2);
	if (strcmp(argv[1], "flood") == 0)
		return flood(argc - 2, argv + 2);
	if (strcmp(argv[1], "answer") == 0)
		answer(argc - 2, argv + 2);
	if (strcmp(argv[1], "exchange") == 0)
		return exchange(argc - 2, argv + 2);
	if (strcmp(argv[1], "who-has") == 0)
		return who_has(argc - 2, argv + 2);
	peer_usage();
}
