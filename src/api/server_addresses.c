// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/server_addresses.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/timer.h"
#include "base/log.h"
#include "base/mem.h"
#include "resolver.h"
#include "url.h"

/* libcurl's port of a proxy whose URL has none (CURLOPT_PROXYPORT). */
enum { PROXY_PORT = 1080, HTTPS_PORT = 443 };

/* A host in a URL. */
struct server_name {
	struct server_addresses *owner;
	char *host;
	uint16_t port;
	struct resolver_query *query; /* under way; NULL: none is */
	bool failing;		      /* the last query failed, which was logged */
};

/* The server and a proxy; bits of known_socket.names are their indexes. */
enum { NAME_SERVER, NAME_PROXY, NAMES };

struct known_socket {
	struct node_socket socket;
	bool fixed;	      /* stands in a URL */
	unsigned names;	      /* whose last answer contains it */
	unsigned connections; /* that use it */
	uint64_t used_ms;     /* when the last of these went */
};

struct server_addresses {
	struct server_addresses_config config; /* without the URLs */
	struct server_name names[NAMES];
	struct known_socket known[SERVER_ADDRESSES_MAX];
	size_t n_known;
	struct node_socket told[SERVER_ADDRESSES_MAX]; /* those of `known`, sorted */
	size_t n_told;
	struct timer *refresh, *tell;
	uint64_t asked_ms, refresh_ms; /* when names were resolved, and will be again */
};

/* What is known */

static bool is_used(const struct known_socket *k)
{
	return k->fixed || k->names || k->connections;
}

static struct known_socket *find_socket(
	struct server_addresses *a, const struct ip *ip, uint16_t port)
{
	for (size_t i = 0; i < a->n_known; i++)
		if (a->known[i].socket.port == port && ip_eq(&a->known[i].socket.ip, ip))
			return &a->known[i];
	return NULL;
}

/* The one that can best be done without: unused for the longest time, or else only in answers. */
static struct known_socket *find_dispensable(struct server_addresses *a, bool answers_too)
{
	struct known_socket *unused = NULL, *answered = NULL;

	for (size_t i = 0; i < a->n_known; i++) {
		struct known_socket *k = &a->known[i];

		if (!is_used(k) && (!unused || k->used_ms < unused->used_ms))
			unused = k;
		if (k->names && !k->fixed && !k->connections)
			answered = k;
	}
	return unused || !answers_too ? unused : answered;
}

/* Finds the socket, or makes room for it; NULL: there is none. */
static struct known_socket *know_socket(
	struct server_addresses *a, const struct ip *ip, uint16_t port, bool answers_too)
{
	struct known_socket *k = find_socket(a, ip, port);

	if (k)
		return k;
	if (a->n_known < SERVER_ADDRESSES_MAX)
		k = &a->known[a->n_known++];
	else
		k = find_dispensable(a, answers_too);
	if (!k)
		return NULL;
	memset(k, 0, sizeof(*k));
	k->socket.ip = *ip;
	k->socket.port = port;
	return k;
}

/* Returns whether there is one that will expire. */
static bool expire_sockets(struct server_addresses *a, uint64_t now)
{
	bool later = false;
	size_t n = 0;

	for (size_t i = 0; i < a->n_known; i++) {
		struct known_socket *k = &a->known[i];

		if (!is_used(k) && now - k->used_ms >= SERVER_ADDRESSES_KEPT_MS)
			continue;
		later |= !is_used(k);
		memmove(&a->known[n++], k, sizeof(*k));
	}
	a->n_known = n;
	return later;
}

/* Not at once: a peer is told from inside of libcurl. */
static void tell_change(struct server_addresses *a)
{
	struct node_socket was[SERVER_ADDRESSES_MAX];
	const size_t n_was = a->n_told;

	memcpy(was, a->told, sizeof(was));
	for (size_t i = 0; i < a->n_known; i++)
		memcpy(&a->told[i], &a->known[i].socket, sizeof(a->told[i]));
	a->n_told = a->n_known;
	qsort(a->told, a->n_told, sizeof(*a->told), node_socket_compare);
	if (a->n_told != n_was || memcmp(a->told, was, n_was * sizeof(*was)) != 0)
		timer_start(a->tell, 0);
}

static void on_tell(void *arg)
{
	struct server_addresses *a = arg;

	a->config.changed(a->config.arg);
}

/* Names */

static void on_answer(const struct ip *ips, size_t n, const char *failure, void *arg)
{
	struct server_name *name = arg;
	struct server_addresses *a = name->owner;
	const unsigned bit = 1u << (name - a->names);
	const uint64_t now = timers_now(a->config.timers);

	name->query = NULL;
	if (!n && !name->failing)
		log_warn(
			"cannot resolve the name of the API server or its proxy, going on with the "
			"addresses known before, retrying every minute",
			"host=\"%s\" err=\"%s\"", name->host, failure);
	else if (n && name->failing)
		log_info("the name of the API server or its proxy can be resolved again",
			"host=\"%s\"", name->host);
	name->failing = !n;
	if (!n)
		return;
	for (size_t i = 0; i < a->n_known; i++) {
		if (a->known[i].names & bit)
			a->known[i].used_ms = now;
		a->known[i].names &= ~bit;
	}
	for (size_t i = 0; i < n; i++) {
		struct known_socket *k = know_socket(a, &ips[i], name->port, false);

		if (k)
			k->names |= bit;
	}
	tell_change(a);
}

static void refresh_in(struct server_addresses *a, uint64_t ms)
{
	const uint64_t due = timers_now(a->config.timers) + ms;

	if (timer_is_running(a->refresh) && a->refresh_ms <= due)
		return;
	a->refresh_ms = due;
	timer_start(a->refresh, ms);
}

static void on_refresh(void *arg)
{
	struct server_addresses *a = arg;
	const struct resolver *resolver = a->config.resolver;
	const uint64_t now = timers_now(a->config.timers);
	bool later = expire_sockets(a, now);

	for (size_t i = 0; i < NAMES; i++) {
		struct server_name *name = &a->names[i];

		if (!name->host)
			continue;
		if (!name->query)
			name->query = resolver->ask(a->config.timers, name->host, on_answer, name);
		a->asked_ms = now;
		later = true;
	}
	tell_change(a);
	if (later)
		refresh_in(a, SERVER_ADDRESSES_REFRESH_MS);
}

/* Connections */

void server_addresses_peer(const struct ip *ip, uint16_t port, bool open, void *arg)
{
	struct server_addresses *a = arg;
	const uint64_t now = timers_now(a->config.timers);
	const uint64_t earliest = a->asked_ms + SERVER_ADDRESSES_PACE_MS;
	struct known_socket *k = open ? know_socket(a, ip, port, true) : find_socket(a, ip, port);

	if (k && open) {
		k->connections++;
	} else if (k && k->connections) {
		k->connections--;
		k->used_ms = now;
		if (!k->fixed)
			refresh_in(a, earliest > now ? earliest - now : 0);
	}
	tell_change(a);
}

/* The whole */

/* An address in the URL counts for ever; a name is resolved from now on. */
static void add_url(struct server_addresses *a, size_t i, const char *url)
{
	_cleanup_(url_text_freep) char *host = NULL, *port = NULL, *scheme = NULL;
	_cleanup_(url_freep) CURLU *u = curl_url();
	unsigned flags = CURLU_NON_SUPPORT_SCHEME | (i == NAME_SERVER ? CURLU_DEFAULT_PORT : 0);
	struct server_name *name = &a->names[i];
	struct known_socket *k;
	struct ip ip;
	size_t len;

	if (!u)
		abort(); /* out of memory, as in base/mem.h */
	/* Who read the URL before has refused one that is none. */
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return;
	if (curl_url_get(u, CURLUPART_PORT, &port, flags) == CURLUE_OK)
		name->port = (uint16_t)strtoul(port, NULL, 10);
	else
		name->port = !strcmp(scheme, "https") ? HTTPS_PORT : PROXY_PORT;
	name->owner = a;
	len = strlen(host);
	if (*host == '[')
		name->host = mem_strndup(host + 1, len - 2);
	else
		name->host = mem_strdup(host);
	if (ip_parse(name->host, &ip))
		return;
	free(take(name->host));
	k = know_socket(a, &ip, name->port, false);
	k->fixed = true;
}

struct server_addresses *server_addresses_new(const struct server_addresses_config *config)
{
	struct server_addresses *a = new0(struct server_addresses);

	a->config = *config;
	a->config.server = a->config.proxy = NULL;
	if (!a->config.resolver)
		a->config.resolver = &system_resolver;
	a->refresh = timer_new(config->timers, on_refresh, a);
	a->tell = timer_new(config->timers, on_tell, a);
	add_url(a, NAME_SERVER, config->server);
	if (config->proxy)
		add_url(a, NAME_PROXY, config->proxy);
	tell_change(a);
	if (a->names[NAME_SERVER].host || a->names[NAME_PROXY].host)
		refresh_in(a, 0);
	return a;
}

void server_addresses_free(struct server_addresses *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < NAMES; i++) {
		if (a->names[i].query)
			a->config.resolver->cancel(a->names[i].query);
		free(a->names[i].host);
	}
	timer_free(a->refresh);
	timer_free(a->tell);
	free(a);
}

const struct node_socket *server_addresses_get(const struct server_addresses *a, size_t *ret_n)
{
	*ret_n = a->n_told;
	return a->told;
}
