/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/utsname.h>

#include "api/certificate.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "command.h"
#include "config/config.h"
#include "kernel/interfaces.h"
#include "kube_proxy.h"

/*
 * `ipvsctl-svc doctor`: what is wrong with this node. Facts are read once; each check is a pure
 * judgement over them. What the daemon reports as a warning is taken from its Status and not judged a
 * second time.
 */

enum { DOCTOR_MAX_FILE = 16 << 20 /* bytes; what is longer is cut */ };
#define DOCTOR_UNKNOWN LONG_MIN /* a number that the kernel does not tell */

struct doctor_file {
	char *path, *text;
	bool sysctls; /* of sysctl.d(5); such files are in the order in which they are applied */
};

struct doctor_address {
	struct ip ip;
	char link[IFNAMSIZ];
};

enum module_state {
	MODULE_UNKNOWN, /* the machine does not tell which modules there are */
	MODULE_THERE,	/* loaded, built in, or can be loaded */
	MODULE_MISSING,
};

struct doctor_module {
	char name[32];
	enum module_state state;
};

enum { DOCTOR_MODULES = 8, DOCTOR_PROXIES = 3 };

enum { CERTIFICATE_OWN, CERTIFICATE_AUTHORITY, CERTIFICATE_SERVER, CERTIFICATES };

/* What the API server answers with the daemon's credentials. */
struct doctor_api {
	bool asked;
	struct err
		failure; /* -EPROTO: of TLS; -EACCES: it does not know us; else it is not reached */
	int64_t now, server_time; /* seconds since the epoch; 0: unknown */
	struct validity certificates[CERTIFICATES];
	json_t *denied; /* "list services" */
	json_t *node;	/* a list of one Node object, or none; NULL: unknown */
};

struct doctor_facts {
	struct doctor_file *files;
	size_t n_files, cap_files;
	struct interface *links;
	size_t n_links;
	struct doctor_address *addresses; /* of all links */
	size_t n_addresses, cap_addresses;
	struct doctor_module modules[DOCTOR_MODULES]; /* that the configuration needs */
	size_t n_modules;
	struct utsname kernel;

	const char *socket;
	json_t *status; /* of the daemon; NULL: it cannot be reached */
	struct err no_status;
	struct kube_proxy daemon; /* its process; pid 0: none is seen */
	struct config config;	  /* of the daemon, or that with which it would start */
	enum backend backend;
	/* Without a daemon: sentences of traps_judge(), and objects that kube-proxy left. */
	json_t *traps, *leftovers;

	struct doctor_api api;

	struct kube_proxy proxies[DOCTOR_PROXIES]; /* in the order of doctor_proxies */
	char *cilium_replaces; /* Cilium's kube-proxy-replacement; NULL: unknown */
};

/* "kube-proxy", "cilium-agent", "kube-router" */
extern const char *const doctor_proxies[DOCTOR_PROXIES];

void doctor_facts_init(struct doctor_facts *f);
void doctor_facts_done(struct doctor_facts *f);
/* Reads all of them; what cannot be read is unknown. */
void doctor_facts_read(struct doctor_facts *f, const char *socket);
/* Adds a file; takes nothing. */
void doctor_add_file(struct doctor_facts *f, const char *path, const char *text);

/* The text of a file that was read; NULL: there is none. */
const char *doctor_text(const struct doctor_facts *f, const char *path);
/* The number at its begin, or DOCTOR_UNKNOWN. */
long doctor_number(const struct doctor_facts *f, const char *path);
/*
 * What sysctl.d(5) sets last for the setting, as a path below /proc/sys. Appends the value; returns
 * the file, and the line, or NULL: none sets it.
 */
const char *doctor_sysctl_file(
	const struct doctor_facts *f, const char *setting, struct buf *value, unsigned *ret_line);
/* The device of the default route; NULL: there is none. */
const struct interface *doctor_default_link(const struct doctor_facts *f);

/*
 * Adds a finding to the list: a name, and why it hurts. doctor_say() completes it by "seen", "remedy"
 * and "command", which shows it. With the "level" "note" it is no reason to worry.
 */
json_t *doctor_finding(json_t *findings, const char *name, const char *why);
void doctor_say(json_t *finding, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds the finding that a warning of the daemon, or a sentence of traps_judge(), stands for. */
void doctor_add_warning(const struct doctor_facts *f, const char *sentence, json_t *findings);

typedef void doctor_judge(const struct doctor_facts *f, json_t *findings);
doctor_judge doctor_judge_modules, doctor_judge_sysctl_files, doctor_judge_ipvs_tables,
	doctor_judge_estimators; /* doctor_kernel.c */
doctor_judge doctor_judge_source_ports, doctor_judge_proxies, doctor_judge_mtu,
	doctor_judge_rp_filter, doctor_judge_addresses; /* doctor_network.c */
doctor_judge doctor_judge_api;
/* Asks for what doctor_judge_api() judges; it takes up to ten seconds for each answer. `api` has a
 * list `denied`. */
void doctor_api_ask(
	const char *kubeconfig, const char *master, const char *node, struct doctor_api *api);
extern const char doctor_api_why[];

/* Makes all checks. Returns the Diagnosis of ipvsctl-svc-doctor(1). */
json_t *doctor_diagnose(const struct doctor_facts *f);
/* The same for people. The tree is cleaned. */
void doctor_diagnosis_text(json_t *diagnosis, struct buf *out);

/*
 * Writes all facts into an archive (cli/bundle.h), or with `dry_run` lists what it would have. Returns
 * the exit code.
 */
enum exit_code doctor_bundle(
	const struct doctor_facts *f, const json_t *diagnosis, const char *path, bool dry_run);

#endif
