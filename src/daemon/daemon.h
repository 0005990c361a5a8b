/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <event2/event.h>
#include <stdbool.h>

#include "announce.h"
#include "base/err.h"
#include "config/config.h"
#include "core/engine.h"
#include "core/store.h"
#include "daemon/inputs.h"
#include "flows.h"
#include "kernel/adapters.h"
#include "kernel/leftovers.h"
#include "kernel/link.h"
#include "observe.h"
#include "overriding.h"
#include "reservation.h"
#include "server/server.h"

/* The parts of the running daemon, wired together on one event loop. */
struct daemon {
	const struct config *config;
	struct event_base *base;
	struct store store;
	struct node_view view;
	struct err no_ipvs; /* why --backend=auto is not IPVS; code 0: it is, or was not asked */
	struct err no_iptables; /* the same of --netfilter=auto, or that backend, and nftables */
	struct engine *engine;
	struct adapters adapters; /* ipvs is NULL where it is neither used nor loaded */
	/* Of the other interface of netfilter, until the first sync with a complete input. Its
	 * rules: none. */
	struct adapters other;
	bool has_other;
	struct leftovers left_there; /* of kube-proxy, when ours had been removed */
	struct rule_pool other_rules;
	struct inputs inputs;
	uint32_t node_generation; /* of the store, as the view has it */
	struct announcer announcer;
	struct observe observe;
	struct flows flows;
	struct reservation reservation;
	struct overriding overriding;
	struct link_monitor *monitor;
	struct http_pool *pool; /* of all servers */
	struct server *server;
	struct config_watch *config_watch;
	struct event *step, *config_changed, *kernel_changed, *iptables_answered, *rules_changed,
		*log_flush, *watchdog, *sigs[3];
	char kernel[65];  /* release of the running kernel */
	uint64_t started; /* ms */
	uint64_t fed;	  /* ms, when all objects had been read for the first time */
	char *mixed; /* programs of the other variant of iptables that has rules, too; NULL: none */
	const char *failure; /* why the daemon ends with an error; NULL: it does not */
	bool ready;	     /* the first sync has ended and was logged */
	bool incomplete;     /* the input, and this was logged */
};

/*
 * Opens the kernel's interfaces and makes the engine. `view` has what the start found out, and
 * `opened` the adapters that it has opened, which become the daemon's. Returns 0, or a negative errno with words; daemon_done() in both cases.
 */
int daemon_init(struct daemon *d, const struct config *config, const struct node_view *view,
	struct adapters *opened, const struct err *no_ipvs, const struct err *no_iptables,
	struct err *err);
void daemon_done(struct daemon *d);

/* As inputs_start(); the cluster hears that we start. */
int daemon_feed(struct daemon *d, struct err *err);
/* Waits until the input is complete, and no longer. Returns 0, or -ETIMEDOUT with words. */
int daemon_await_feed(struct daemon *d, unsigned limit_ms, struct err *err);
/* Reads the interfaces and the Node object. Returns 1 if the view changed, 0 if not, or a negative
 * errno with words. */
int daemon_read_node(struct daemon *d, struct err *err);

/* Removes what is left in the other interface of netfilter: once ours is in force. Returns 0, or a
 * negative errno after logging what is left. */
int daemon_remove_other(struct daemon *d);

/* Follows the inputs and the kernel until SIGTERM or SIGINT. Returns 0, or a negative errno with
 * words. */
int daemon_run(struct daemon *d, struct err *err);

#endif
