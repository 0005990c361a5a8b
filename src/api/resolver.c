// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each query is a thread that runs getaddrinfo() and nothing else, as libcurl has them for its
 * connections. The loop looks from time to time whether it has ended. Why no library does this:
 *
 * 1. libevent's resolver knows neither nsswitch.conf nor DNS over TCP: a connection could go to an
 *    address that it does not find.
 * 2. getaddrinfo_a(3) cannot cancel a query that has begun, and nobody would free it.
 */
#include "resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/timer.h"
#include "base/mem.h"

/* How long to wait between two looks, doubled from one to the next. */
enum { LOOK_FIRST_MS = 2, LOOK_LAST_MS = 500 };

/* Whoever leaves the first state second frees the query. */
enum query_state { QUERY_RUNNING, QUERY_ANSWERED, QUERY_CANCELLED };

struct resolver_query {
	_Atomic enum query_state state;
	/* The thread's until the query is answered */
	char *name;
	struct addrinfo *found;
	int error; /* EAI_AGAIN and so on; 0: none */
	/* The loop's */
	struct timer *look;
	uint64_t wait_ms;
	void (*answered)(const struct ip *ips, size_t n, const char *failure, void *arg);
	void *arg;
};

static void free_query(struct resolver_query *q)
{
	if (q->found)
		freeaddrinfo(q->found);
	free(q->name);
	free(q);
}

static void *run_query(void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct resolver_query *q = arg;

	q->error = getaddrinfo(q->name, NULL, &hints, &q->found);
	if (atomic_exchange(&q->state, QUERY_ANSWERED) == QUERY_CANCELLED)
		free_query(q);
	return NULL;
}

/* Signals are for the loop. */
static int start_thread(struct resolver_query *q)
{
	pthread_attr_t detached;
	sigset_t all, before;
	pthread_t thread;
	int e = pthread_attr_init(&detached);

	if (e)
		return e;
	sigfillset(&all);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&thread, &detached, run_query, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return e;
}

static void look_at_query(void *arg)
{
	struct resolver_query *q = arg;
	struct ip ips[RESOLVER_MAX_ADDRESSES];
	uint16_t port;
	size_t n = 0;

	if (atomic_load(&q->state) == QUERY_RUNNING) {
		timer_start(q->look, q->wait_ms);
		q->wait_ms = q->wait_ms < LOOK_LAST_MS / 2 ? q->wait_ms * 2 : LOOK_LAST_MS;
		return;
	}
	for (const struct addrinfo *a = q->found; a && n < RESOLVER_MAX_ADDRESSES; a = a->ai_next)
		if (!ip_of_sockaddr(a->ai_addr, &ips[n], &port))
			n++;
	q->answered(ips, n, n ? NULL : gai_strerror(q->error ? q->error : EAI_NONAME), q->arg);
	timer_free(q->look);
	free_query(q);
}

static struct resolver_query *ask_system(struct timers *timers, const char *name,
	void (*answered)(const struct ip *ips, size_t n, const char *failure, void *arg), void *arg)
{
	struct resolver_query *q = new0(struct resolver_query);

	q->name = mem_strdup(name);
	q->wait_ms = LOOK_FIRST_MS;
	q->answered = answered;
	q->arg = arg;
	q->look = timer_new(timers, look_at_query, q);
	timer_start(q->look, 0);
	if (start_thread(q)) {
		q->error = EAI_AGAIN;
		atomic_store(&q->state, QUERY_ANSWERED);
	}
	return q;
}

static void cancel_system(struct resolver_query *q)
{
	timer_free(q->look);
	if (atomic_exchange(&q->state, QUERY_CANCELLED) == QUERY_ANSWERED)
		free_query(q);
}

const struct resolver system_resolver = { ask_system, cancel_system };
