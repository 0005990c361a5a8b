/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_SYNC_H
#define DAEMON_SYNC_H

#include <event2/event.h>
#include <stdbool.h>

#include "api/auth.h"
#include "api/events.h"
#include "api/kube.h"
#include "base/err.h"
#include "config/config.h"
#include "core/adapter.h"
#include "core/engine.h"
#include "core/store.h"
#include "kernel/conntrack.h"
#include "kernel/link.h"
#include "kernel/link_monitor.h"
#include "manifest/manifest.h"
#include "observe.h"
#include "server/server.h"

/* What of the API server cannot be followed now. */
struct input_trouble {
	const char *resource; /* NULL: none */
	char *message;
};

/* The parts of the running daemon, wired together on one event loop. */
struct daemon {
	struct config *config;
	struct store store;
	struct engine *engine;
	struct node_view view;
	struct err no_ipvs;   /* why --backend=auto became iptables; code 0: it did not */
	struct adapter *ipvs; /* NULL: it is neither used nor loaded */
	struct adapter *link, *ipset, *iptables;
	struct conntrack *conntrack; /* NULL: the kernel cannot be asked */
	bool flows_failed;	     /* the last deletion of flows, which was told */
	struct manifests *manifests; /* one of these is the input */
	struct auth *auth;
	struct kube *kube;
	struct events *events; /* NULL: nobody to tell */
	struct input_trouble trouble[4];
	uint32_t node_generation;		  /* of the store, as the view has it */
	struct link_monitor *monitor;
	struct server *server;
	struct event_base *base;
	struct config_watch *config_watch;
	struct event *step, *config_changed, *manifests_changed, *kernel_changed,
		*iptables_answered, *rules_changed, *sigs[3];
	char kernel[65];  /* release of the running kernel */
	uint64_t started; /* ms */
	struct observe observe;
	char *mixed; /* programs of the other variant of iptables that has rules, too; NULL: none */
	const char *failure; /* it must end, for that reason; NULL: it must not */
	bool ready;	     /* the first sync is through and was told */
};

/*
 * Opens the kernel's interfaces and makes the engine. `view` has what the start found out. Returns
 * 0, or a negative errno with words; daemon_done() in both cases.
 */
int daemon_init(struct daemon *d, struct config *config, const struct node_view *view,
	const struct err *no_ipvs, struct err *err);
void daemon_done(struct daemon *d);

/*
 * Reads the manifests into the store, or begins to follow the API server. Returns 0, or a negative
 * errno with words if a path cannot be read; what could be read is in the store nevertheless.
 */
int daemon_feed(struct daemon *d, struct err *err);
/* Waits until the input is complete. Returns 0, or -ETIMEDOUT with words. */
int daemon_await_feed(struct daemon *d, struct err *err);

/*
 * Steps until everything is true, or until nothing more can be done about what fails. Returns 0, or
 * -EIO after logging each fact that could not be made true.
 */
int daemon_settle(struct daemon *d);

/* Follows the inputs and the kernel until SIGTERM or SIGINT. Returns 0, or a negative errno with
 * words. */
int daemon_run(struct daemon *d, struct err *err);

/* Between the files of this directory */

void daemon_step_now(struct daemon *d);
void daemon_open_flows(struct daemon *d);
/* struct engine_config, delete_flows */
int daemon_delete_flows(const struct stale_list *stale, bool *ret_more, void *arg);
/* What kube-proxy has left, in words; nothing where nothing is known of. */
void daemon_print_leftovers(const struct daemon *d, struct buf *b);
/* Logs it. */
void daemon_tell_leftovers(const struct daemon *d);
/* Looks whether both variants of iptables are in use; logs it once. */
void daemon_find_mixed(struct daemon *d);
/* Reads the interfaces and the Node object. Returns 1 if the view changed, 0 if not, or a negative
 * errno with words. */
int daemon_read_node(struct daemon *d, struct err *err);
void daemon_refresh_node(struct daemon *d);
void daemon_watch_inputs(struct daemon *d);
void daemon_reload_inputs(struct daemon *d);
void daemon_inputs_done(struct daemon *d);
/* How many objects or files of the manifests are wrong. */
size_t daemon_problems(struct daemon *d);
/* What is wrong with the inputs now, a sentence each; the caller frees the strings and the array.
 */
char **daemon_warnings(struct daemon *d, size_t *ret_n);

#endif
