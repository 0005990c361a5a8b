/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_HTTP_POOL_H
#define SERVER_HTTP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/*
 * What the connections of all HTTP servers of this process may take together, and which of them goes
 * to make room for a new one. A flood must not shut out a probe: neither does a new connection wait
 * for idle ones, nor does one go that is about to be answered. They go in this order, and among
 * equals the one that has been in its state longest:
 *
 * 1. one that is being closed, or that got its answer and waits for another request: at once;
 * 2. one that has not sent anything for HTTP_POOL_SILENT, or no whole request in HTTP_POOL_PARTIAL;
 * 3. one that has not taken anything of its answer for HTTP_POOL_STALLED, or not all of it in
 *    HTTP_POOL_ANSWER.
 *
 * While there is none, nobody is accepted. `now` is milliseconds on a monotonic clock.
 */

enum {
	/* connections */
	HTTP_POOL_OF_SERVER = 100,
	HTTP_POOL_OF_ALL = 1000,
	/* bytes of all answers under way */
	HTTP_POOL_PENDING = 32 << 20,
	/* milliseconds */
	HTTP_POOL_SILENT = 100,
	HTTP_POOL_PARTIAL = 1000,
	HTTP_POOL_STALLED = 1000,
	HTTP_POOL_ANSWER = 10000,
};

struct http_pool_config {
	/* No server uses a descriptor from this one on: they are for the kernel's sockets and for
	 * programs. 0: all may be used. */
	int max_fd;
	uint64_t (*clock)(void); /* NULL: clock_ms() */
};

struct http_pool;
struct http_pool *http_pool_new(const struct http_pool_config *config);
/* The servers have gone. */
void http_pool_free(struct http_pool *p);

/* For the servers */

enum http_slot_state {
	HTTP_SLOT_CLOSES,
	HTTP_SLOT_RESTS,  /* got an answer, waits for another request */
	HTTP_SLOT_SILENT, /* new, has not sent anything */
	HTTP_SLOT_SENDS,  /* has sent a part of a request */
	HTTP_SLOT_TAKES,  /* an answer is under way */
};

/* A connection, as the pool sees it. */
struct http_slot {
	struct list in_pool;
	const void *server;
	/* Ends the connection, with http_pool_remove(). May return false, but not for a connection
	 * whose answer is under way: it is spared, because it has sent something just now. */
	bool (*evict)(struct http_slot *slot);
	enum http_slot_state state;
	uint64_t since;	   /* in this state */
	uint64_t progress; /* when it last took a part of its answer */
	bool spared;	   /* in the present search */
	size_t pending;	   /* bytes of its answer that wait here */
};

uint64_t http_pool_now(const struct http_pool *p);
int http_pool_max_fd(const struct http_pool *p);

/*
 * Makes room for one more connection of that server, of which `of_server` are open. Returns 0, or
 * the milliseconds after which there may be room.
 */
unsigned http_pool_make_room(struct http_pool *p, const void *server, size_t of_server);
/* Ends one connection of any server, for its descriptor. Returns as above. */
unsigned http_pool_free_descriptor(struct http_pool *p);

/* A new connection, HTTP_SLOT_SILENT. `server` and `evict` are set. */
void http_pool_add(struct http_pool *p, struct http_slot *s);
void http_pool_remove(struct http_pool *p, struct http_slot *s);
void http_pool_enter(struct http_pool *p, struct http_slot *s, enum http_slot_state state);
/*
 * So many bytes of its answer wait now. Where that is less than before, the client has taken some.
 * If all together are too many, connections end that have not taken anything for longest; never
 * this one.
 */
void http_pool_set_pending(struct http_pool *p, struct http_slot *s, size_t bytes);

#endif
