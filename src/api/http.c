// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/http.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/mem.h"
#include "http_request.h"

/* A socket of libcurl's on the loop */
struct http_socket {
	struct list node;
	curl_socket_t fd;
	struct event *event; /* NULL: nothing to wait for at the moment */
};

/* What libcurl and the loop tell each other */

static void take_finished(struct http_client *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode code = msg->data.result;
		void *r = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
		http_request_end(r, code);
	}
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;
	CURLMcode code = curl_multi_socket_action(c->multi, fd, what, &running);

	assert(code == CURLM_OK);
	(void)code;
	take_finished(c);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd,
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* CURLMOPT_TIMERFUNCTION: there is one timer; -1 stops it. */
static int on_timeout_wanted(CURLM *multi, long ms, void *arg)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct http_client *c = arg;

	(void)multi;
	if (ms < 0)
		event_del(c->timer);
	else
		event_add(c->timer, &tv);
	return 0;
}

static void socket_free(struct http_socket *s)
{
	list_remove(&s->node);
	if (s->event)
		event_free(s->event);
	free(s);
}

static struct http_socket *socket_new(struct http_client *c, curl_socket_t fd)
{
	struct http_socket *s = new0(struct http_socket);

	s->fd = fd;
	list_init(&s->node);
	list_insert(&c->sockets, &s->node);
	curl_multi_assign(c->multi, fd, s);
	return s;
}

/* CURLMOPT_SOCKETFUNCTION: what to wait for on a socket, until it is removed */
static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *c = arg;
	struct http_socket *s = socket_arg;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_free(s);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (!s)
		s = socket_new(c, fd);
	if (s->event)
		event_free(s->event);
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	s->event = event_new(c->base, fd, events, on_ready, c);
	if (!s->event || event_add(s->event, NULL) < 0)
		abort();
	return 0;
}

static uint16_t local_port(curl_socket_t fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address = { 0 };
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any, &len) < 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.in.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.in6.sin6_port) : 0;
}

/* libcurl finds an end of file there; the socket is its own to close. */
void http_client_shut_down(struct http_client *c, uint16_t port)
{
	list_for_each(it, &c->sockets) {
		const struct http_socket *s = container_of(it, struct http_socket, node);

		if (local_port(s->fd) == port)
			shutdown(s->fd, SHUT_RDWR);
	}
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;

	(void)fd;
	(void)what;
	list_for_each_safe(it, &c->requests)
		http_request_work(container_of(it, struct http_request, node));
}

/* The server */

static void url_freep(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void curl_freep(char **s)
{
	curl_free(*s);
}

static bool is_loopback(const char *host)
{
	char text[IP_STRLEN];
	size_t len = strlen(host);
	struct ip ip;

	if (!strcasecmp(host, "localhost"))
		return true;
	if (*host == '[' && len - 2 < sizeof(text)) {
		snprintf(text, sizeof(text), "%.*s", (int)len - 2, host + 1);
		host = text;
	}
	return !ip_parse(host, &ip) && ip_is_loopback(&ip);
}

/*
 * libcurl takes the name that must be in the certificate, and that it sends as SNI, from the URL:
 * where another one than the server's is wanted it goes there, and the server's is where to connect
 * to.
 */
static int rename_server(struct http_client *c, CURLU *u, const char *host, const char *name)
{
	_cleanup_(curl_freep) char *port = NULL;
	_cleanup_(buf_done) struct buf b = { 0 };

	if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return -EINVAL;
	buf_addf(&b, strchr(name, ':') ? "[%s]" : "%s", name);
	if (curl_url_set(u, CURLUPART_HOST, buf_str(&b), 0) != CURLUE_OK)
		return -EINVAL;
	buf_reset(&b);
	buf_addf(&b, "::%s:%s", host, port);
	c->connect_to = curl_slist_append(NULL, buf_str(&b));
	if (!c->connect_to)
		abort();
	buf_reset(&b);
	buf_addf(&b, "Host: %s:%s", host, port);
	c->host_header = buf_take(&b);
	return 0;
}

static char *join_host(CURLU *u, const char *host)
{
	_cleanup_(curl_freep) char *port = NULL;
	_cleanup_(buf_done) struct buf b = { 0 };

	buf_adds(&b, host);
	if (curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK)
		buf_addf(&b, ":%s", port);
	return buf_take(&b);
}

/* A URL ends with '/' where it has no path, which ours begin with. */
static void set_url(struct http_client *c, const char *url)
{
	size_t len = strlen(url);

	while (len && url[len - 1] == '/')
		len--;
	c->url = mem_strndup(url, len);
}

static int find_server(struct http_client *c, const struct credentials *creds, struct err *err)
{
	_cleanup_(curl_freep) char *host = NULL, *url = NULL;
	_cleanup_(url_freep) CURLU *u = curl_url();

	if (!u)
		abort();
	if (curl_url_set(u, CURLUPART_URL, creds->server, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return err_set(err, -EINVAL, "%s is not a URL", creds->server);
	c->loopback = is_loopback(host);
	c->server = mem_strdup(creds->server);
	c->host = join_host(u, host);
	if (creds->server_name && rename_server(c, u, host, creds->server_name) < 0)
		return err_set(
			err, -EINVAL, "tls-server-name %s is not a name", creds->server_name);
	if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		return err_set(err, -EINVAL, "%s is not a URL", creds->server);
	set_url(c, url);
	return 0;
}

/* The client */

/* Go's names of the common ones, as kube-proxy sends them. */
static const char *machine_name(const char *machine)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" },
		{ "aarch64", "arm64" },
		{ "armv7l", "arm" },
		{ "i686", "386" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(machine, names[i][0]))
			return names[i][1];
	return machine;
}

static void name_agent(struct http_client *c)
{
	struct utsname uts = { 0 };

	uname(&uts);
	snprintf(c->user_agent, sizeof(c->user_agent), "ipvsctl-svcd/%s (linux/%s)", VERSION,
		machine_name(uts.machine));
}

/* libcurl is built with one of several TLS libraries, and not all can do that. */
static int check_library(struct err *err)
{
	static const CURLoption needed[] = { CURLOPT_CAINFO_BLOB, CURLOPT_SSLCERT_BLOB,
		CURLOPT_SSLKEY_BLOB };
	struct curl_blob blob = { .data = "", .len = 1, .flags = CURL_BLOB_COPY };
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
	CURL *easy = curl_easy_init();
	bool can = easy != NULL;

	for (size_t i = 0; can && i < ARRAY_SIZE(needed); i++)
		can = curl_easy_setopt(easy, needed[i], &blob) == CURLE_OK;
	curl_easy_cleanup(easy);
	if (!can)
		return err_set(err, -ENOTSUP,
			"libcurl %s with %s does not take certificates from memory; one with OpenSSL does",
			v->version, v->ssl_version ? v->ssl_version : "no TLS");
	return 0;
}

static void set_up_multi(struct http_client *c)
{
	c->multi = curl_multi_init();
	c->timer = evtimer_new(c->base, on_timer, c);
	c->work = event_new(c->base, -1, 0, on_work, c);
	if (!c->multi || !c->timer || !c->work)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/*
	 * libcurl 7.88 forgets to wake a stream whose last bytes came in while it read for another
	 * one on the same connection; they would wait for whatever comes next.
	 */
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	list_for_each_safe(it, &c->requests)
		http_request_free(container_of(it, struct http_request, node));
	curl_multi_cleanup(c->multi);
	list_for_each_safe(it, &c->sockets)
		socket_free(container_of(it, struct http_socket, node));
	if (c->timer)
		event_free(c->timer);
	if (c->work)
		event_free(c->work);
	curl_slist_free_all(c->connect_to);
	free(c->host_header);
	free(c->url);
	free(c->server);
	free(c->host);
	free(c);
	curl_global_cleanup();
}

static void http_client_freep(struct http_client **c)
{
	http_client_free(*c);
}

int http_client_new(
	struct event_base *base, struct auth *auth, struct http_client **ret, struct err *err)
{
	_cleanup_(http_client_freep) struct http_client *c = new0(struct http_client);
	int r;

	c->base = base;
	c->auth = auth;
	list_init(&c->requests);
	list_init(&c->sockets);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	r = check_library(err);
	if (!r)
		r = find_server(c, auth_get(auth, clock_ms()), err);
	if (r < 0)
		return r;
	name_agent(c);
	set_up_multi(c);
	*ret = take(c);
	return 0;
}

void http_client_observe(struct http_client *c, const struct http_observer *o)
{
	c->observer = *o;
}

const char *http_client_host(const struct http_client *c)
{
	return c->host;
}
