// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libcurl must not be called from inside its own callbacks, so requests are given to it and taken
 * from it by an event of their own only: `work`.
 */
#include "api/http.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "ca_files.h"
#include "coding.h"
#include "http_end.h"
#include "origin.h"

#ifndef CURL_WRITEFUNC_ERROR /* libcurl 7.87; before, any number but that of the bytes was one */
#define CURL_WRITEFUNC_ERROR 0xFFFFFFFF
#endif

enum {
	KEEPALIVE_IDLE_S = 10,
	KEEPALIVE_INTERVAL_S = 5,
	NAMES_KEPT_S = 5, /* a server that is away may come back with another address */
	UNAUTHORIZED = 401
};

struct http_client {
	struct event_base *base;
	struct auth *auth;
	struct timers *timers;
	CURLM *multi;
	struct event *curl_timer; /* the one that libcurl wants; its clock cannot be replaced */
	struct event *work;
	struct event *next_turn; /* runs while requests are paused */
	struct list requests, sockets, connections;
	void (*peer)(const struct ip *ip, uint16_t port, bool open, void *arg); /* may be NULL */
	void *peer_arg;
	struct http_observer observer; /* functions may be NULL */
	struct origin origin;
	struct ca_files ca_files;
	char user_agent[128];
};

/* A socket of libcurl's on the loop */
struct http_socket {
	struct list node;
	curl_socket_t fd;
	struct event *event; /* NULL: nothing to wait for at the moment */
};

/* A connection of libcurl's, idle or not, from before connect() on */
struct http_connection {
	struct list node;
	curl_socket_t fd;
	struct ip ip;
	uint16_t port;
};

struct http_request {
	struct list node;
	struct http_client *client;
	struct http_request_config config; /* without `path`, `headers` and `body` */
	char *path;			   /* without the query, for messages */
	CURL *easy;
	struct curl_slist *headers;
	struct timer *idle;
	uint64_t begun_ms, heard_ms;
	unsigned status;   /* of the answer; 0: on_head was not called yet */
	bool running;	   /* libcurl has it */
	bool cancelled;	   /* no callback is called any more */
	bool silent;	   /* it ended because no data came */
	bool paused;	   /* libcurl keeps the body back until the next turn */
	size_t turn_bytes; /* of the body, handed over since the last pause */
	uint64_t turn_us;  /* that this took */
	size_t head_bytes;
	uint64_t received;
	char *warning;	       /* of the head that comes at the moment; NULL: none */
	int64_t date;	       /* the same; 0: none */
	struct buf encoding;   /* the same: its Content-Encoding, several with commas */
	struct coding *coding; /* of the body; NULL: on_head was not called yet */
	size_t taken; /* of what libcurl delivers once more after a pause: handed over already */
	struct err failure; /* why we ended it; a code of 0: we did not */
	char error[CURL_ERROR_SIZE];
};

static const char *const http_method_names[] = {
	[HTTP_METHOD_GET] = "GET",
	[HTTP_METHOD_POST] = "POST",
	[HTTP_METHOD_PATCH] = "PATCH",
};

/* Answers: called by libcurl */

static unsigned http_version(CURL *easy)
{
	long version = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0:
		return 10;
	case CURL_HTTP_VERSION_1_1:
		return 11;
	case CURL_HTTP_VERSION_2_0:
		return 20;
	default:
		return 0;
	}
}

/* The value of a line of the head, without white space around it; NULL: it is another field's. */
static char *field_value(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
		return NULL;
	for (line += name_len + 1, len -= name_len + 1; len && isspace((unsigned char)*line); len--)
		line++;
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	return mem_strndup(line, len);
}

/* Keeps the first Warning, the Date and all content codings of a head, of which this is a line. */
static void note_fields(struct http_request *r, const char *line, size_t len)
{
	_cleanup_free_ char *encoding = NULL, *date = field_value(line, len, "Date");

	if (len >= 5 && !strncmp(line, "HTTP/", 5)) {
		free(take(r->warning));
		buf_reset(&r->encoding);
		r->date = 0;
	}
	if (date)
		r->date = curl_getdate(date, NULL) > 0 ? curl_getdate(date, NULL) : 0;
	if (!r->warning)
		r->warning = field_value(line, len, "Warning");
	encoding = field_value(line, len, "Content-Encoding");
	if (encoding)
		buf_addf(&r->encoding, "%s%s", r->encoding.len ? ", " : "", encoding);
}

/* "Start date:..." and "Expire date:..." of the first certificate, in the words of the TLS library */
static struct validity server_validity(CURL *easy)
{
	static const char from[] = "Start date:", until[] = "Expire date:";
	const struct curl_certinfo *info = NULL;
	struct validity v = { 0 };

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
		!info->num_of_certs)
		return v;
	for (const struct curl_slist *l = info->certinfo[0]; l; l = l->next) {
		if (!strncmp(l->data, from, strlen(from)))
			v.from = curl_getdate(l->data + strlen(from), NULL);
		if (!strncmp(l->data, until, strlen(until)))
			v.until = curl_getdate(l->data + strlen(until), NULL);
	}
	return v.from > 0 && v.until > 0 ? v : (struct validity){ 0 };
}

/* One line of the head; an empty one ends it. Informational answers (1xx) have heads of their own.
 */
static size_t on_header_line(char *line, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	const struct http_observer *o = &r->client->observer;
	bool last = n && (*line == '\r' || *line == '\n');
	struct http_head head = { 0 };
	curl_off_t seconds = 0;
	char *type = NULL;
	long status = 0;

	r->heard_ms = timers_now(r->client->timers);
	if (r->cancelled)
		return 0;
	r->head_bytes += n;
	if (r->head_bytes > HTTP_MAX_HEAD) {
		err_set(&r->failure, -EMSGSIZE, "the head of the answer is larger than %d KiB",
			HTTP_MAX_HEAD >> 10);
		return 0;
	}
	note_fields(r, line, size * n);
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!last || r->status || status < 200)
		return size * n;

	r->status = head.status = (unsigned)status;
	r->coding = coding_new(buf_str(&r->encoding));
	head.version = http_version(r->easy);
	if (head.status == UNAUTHORIZED)
		auth_rejected(r->client->auth);
	if (o->answered)
		o->answered(http_method_names[r->config.method], head.status, o->arg);
	if (!r->config.on_head)
		return size * n;

	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds > 0)
		head.retry_after_s = seconds < HTTP_MAX_RETRY_AFTER_S ? (unsigned)seconds
								      : HTTP_MAX_RETRY_AFTER_S;
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	head.content_type = type ? type : "";
	head.warning = r->warning;
	head.date = r->date;
	if (r->config.certificate)
		head.certificate = server_validity(r->easy);
	r->config.on_head(&head, r->config.arg);
	return r->cancelled ? 0 : size * n;
}

/*
 * A pause keeps these bytes back, and all that follow: libcurl delivers them once more, and ends the
 * request only when it got rid of them.
 */
static size_t on_body_bytes(char *data, size_t size, size_t n, void *arg)
{
	static const struct timeval at_once = { 0 };
	struct http_request *r = arg;
	struct http_client *c = r->client;
	size_t again = r->taken < size * n ? r->taken : size * n, len = size * n - again;
	const char *in = data + again;
	struct coding_piece piece;

	r->heard_ms = timers_now(c->timers);
	if (r->cancelled)
		return CURL_WRITEFUNC_ERROR;
	if (r->config.limit_ms && r->heard_ms - r->begun_ms > r->config.limit_ms) {
		err_set(&r->failure, -ETIMEDOUT, "the answer did not end within %u s",
			r->config.limit_ms / 1000);
		return CURL_WRITEFUNC_ERROR;
	}
	while (r->turn_bytes < HTTP_TURN_BYTES && r->turn_us <= HTTP_TURN_US) {
		uint64_t began = clock_us();

		if (coding_next(r->coding, &in, &len, HTTP_TURN_BYTES - r->turn_bytes, &piece,
			    &r->failure) < 0)
			return CURL_WRITEFUNC_ERROR;
		if (!piece.len) {
			r->taken -= again;
			return size * n;
		}
		r->received += piece.len;
		if (r->config.on_body)
			r->config.on_body(piece.data, piece.len, r->config.arg);
		if (r->cancelled)
			return CURL_WRITEFUNC_ERROR;
		r->turn_bytes += piece.len;
		r->turn_us += clock_us() - began;
	}
	r->taken += size * n - again - len;
	r->paused = true;
	event_add(c->next_turn, &at_once);
	return CURL_WRITEFUNC_PAUSE;
}

/* Connections: called by libcurl */

static void http_connection_end(struct http_client *c, struct http_connection *connection)
{
	if (c->peer)
		c->peer(&connection->ip, connection->port, false, c->peer_arg);
	list_remove(&connection->node);
	free(connection);
}

/* libcurl closes each socket by this, but what it forgot would still be known by its number. */
static void forget_connection(struct http_client *c, curl_socket_t fd)
{
	list_for_each_entry_safe(struct http_connection, it, &c->connections, node) {
		if (it->fd == fd)
			http_connection_end(c, it);
	}
}

static int on_socket_closed(void *arg, curl_socket_t fd)
{
	forget_connection(arg, fd);
	return close(fd);
}

static curl_socket_t on_socket_opened(
	void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_client *c = arg;
	struct http_connection *connection;
	curl_socket_t fd =
		socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	uint16_t port = 0;
	struct ip ip;

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	forget_connection(c, fd);
	if (ip_of_sockaddr(&address->addr, &ip, &port) < 0)
		return fd;
	connection = new0(struct http_connection);
	connection->fd = fd;
	connection->ip = ip;
	connection->port = port;
	list_insert(&c->connections, &connection->node);
	if (c->peer)
		c->peer(&ip, port, true, c->peer_arg);
	return fd;
}

/* Unacknowledged data and unanswered keepalives both end the connection after this (tcp(7)). */
static int on_socket_made(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned ms = HTTP_DEAD_AFTER_MS;

	(void)arg;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
	return CURL_SOCKOPT_OK;
}

/* The end of a request */

/* Takes it from libcurl; no callback is called. */
static void http_request_free(struct http_request *r)
{
	list_remove(&r->node);
	if (r->running)
		curl_multi_remove_handle(r->client->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	timer_free(r->idle);
	free(r->warning);
	buf_done(&r->encoding);
	coding_free(r->coding);
	free(r->path);
	free(r);
}

/*
 * The same words for the same failure: libcurl's often tell how many milliseconds it took. It may
 * also quote a proxy's URL, and with it a password.
 */
static void add_failure(struct buf *b, const struct http_request *r, CURLcode code)
{
	long os_error = 0;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_COULDNT_CONNECT && os_error)
		buf_addf(b, "cannot connect: %s", strerror((int)os_error));
	else if (r->failure.code)
		buf_adds(b, r->failure.msg);
	else if (code == CURLE_OPERATION_TIMEDOUT && !r->silent)
		buf_addf(b, "no connection within %d s", HTTP_CONNECT_TIMEOUT_MS / 1000);
	else if (*r->error && !strchr(r->error, '@'))
		buf_adds(b, r->error);
	else
		buf_adds(b, curl_easy_strerror(code));
}

static void http_request_end(struct http_request *r, CURLcode code)
{
	const struct http_observer *o = &r->client->observer;
	_cleanup_(buf_done) struct buf message = { 0 };
	struct http_result result = {
		.status = r->status,
		.took_ms = timers_now(r->client->timers) - r->begun_ms,
	};
	curl_off_t received = 0;
	long os_error = 0;

	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
	if (code == CURLE_OK && r->coding && coding_end(r->coding, &r->failure) < 0)
		code = CURLE_BAD_CONTENT_ENCODING;
	result.end = http_end_of(code, os_error);
	curl_easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	result.received = received > 0 ? (uint64_t)received : 0;
	if (code != CURLE_OK) {
		buf_addf(&message, "%s %s%s: ", http_method_names[r->config.method],
			r->client->origin.server, r->path);
		add_failure(&message, r, code);
	}
	result.message = buf_str(&message);

	if (http_end_blames_credentials(result.end, r->status))
		auth_rejected(r->client->auth);
	if (!r->cancelled) {
		if (!r->status && o->answered)
			o->answered(http_method_names[r->config.method], 0, o->arg);
		if (o->ended && !r->config.endless)
			o->ended(http_method_names[r->config.method],
				&(struct http_traffic){ result.took_ms, r->config.body_len,
					r->received, r->status },
				o->arg);
		r->config.on_end(&result, r->config.arg);
	}
	http_request_free(r);
}

/* Ends the connection from that local port. The socket is libcurl's to close: it finds an end of
 * file there. */
static void shut_down_connection(struct http_client *c, in_port_t port)
{
	list_for_each_entry(const struct http_socket, s, &c->sockets, node) {
		union {
			struct sockaddr any;
			struct sockaddr_in in;
			struct sockaddr_in6 in6;
		} local = { 0 };
		socklen_t len = sizeof(local);

		if (getsockname(s->fd, &local.any, &len) < 0)
			continue;
		if ((local.any.sa_family == AF_INET && local.in.sin_port == htons(port)) ||
			(local.any.sa_family == AF_INET6 && local.in6.sin6_port == htons(port)))
			shutdown(s->fd, SHUT_RDWR);
	}
}

/* The timer is not wound up for each byte: when it goes off it looks when the last one came. */
static void on_idle(void *arg)
{
	struct http_request *r = arg;
	uint64_t silent = timers_now(r->client->timers) - r->heard_ms;
	long port = 0;

	if (r->cancelled)
		return;
	if (silent < r->config.idle_ms) {
		timer_start(r->idle, r->config.idle_ms - silent);
		return;
	}
	/* libcurl would keep a silent HTTP/2 connection for the next request. */
	curl_easy_getinfo(r->easy, CURLINFO_LOCAL_PORT, &port);
	if (port > 0)
		shut_down_connection(r->client, (in_port_t)port);
	r->silent = true;
	snprintf(r->error, sizeof(r->error), "no data came for %.3g s", r->config.idle_ms / 1000.0);
	http_request_end(r, CURLE_OPERATION_TIMEDOUT);
}

/* The beginning of a request */

/* Options fail for want of memory only: http_client_new() has seen that libcurl supports them. */
static void must_set(CURLcode code)
{
	if (code != CURLE_OK)
		abort();
}

static void add_header_line(struct http_request *r, const char *line)
{
	struct curl_slist *grown = curl_slist_append(r->headers, line);

	if (!grown)
		abort();
	r->headers = grown;
}

static void set_connection(const struct http_request *r, const struct credentials *c)
{
	const struct origin *origin = &r->client->origin;
	CURL *easy = r->easy;

	must_set(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
#ifdef HAVE_CURLOPT_QUICK_EXIT
	/* Else the removal of a request waits for getaddrinfo() to return. */
	must_set(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
#endif
#ifdef HAVE_CURLOPT_PROTOCOLS_STR
	must_set(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
#else
	must_set(curl_easy_setopt(
		easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)));
#endif
	must_set(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS));
	must_set(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS));
	must_set(curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)NAMES_KEPT_S));
	must_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
	must_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S));
	must_set(curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S));
	must_set(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket_opened));
	must_set(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, r->client));
	must_set(curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_socket_closed));
	must_set(curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, r->client));
	must_set(curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made));
	must_set(curl_easy_setopt(easy, CURLOPT_CONNECT_TO, origin->connect_to));
	must_set(curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
	if (c->proxy) {
		must_set(curl_easy_setopt(easy, CURLOPT_PROXY, c->proxy));
		must_set(curl_easy_setopt(easy, CURLOPT_NOPROXY, ""));
	} else if (origin->loopback) {
		must_set(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
	}
}

/* For libcurl before 7.77. NULL: it takes the authority from memory. */
static const char *authority_file(struct http_client *c, const struct pem *ca)
{
#ifdef HAVE_CURLOPT_CAINFO_BLOB
	(void)c;
	(void)ca;
	return NULL;
#else
	const char *path = ca_files_path(&c->ca_files, ca->data, ca->len);

	/* Without a descriptor there is no connection either, and this path trusts nobody. */
	return path ? path : "/dev/null";
#endif
}

static void set_credentials(struct http_request *r, const struct credentials *c)
{
	const struct {
		CURLoption option;
		struct pem pem;
	} blobs[] = {
#ifdef HAVE_CURLOPT_CAINFO_BLOB
		{ CURLOPT_CAINFO_BLOB, c->ca },
#endif
		{ CURLOPT_SSLCERT_BLOB, c->cert },
		{ CURLOPT_SSLKEY_BLOB, c->key },
	};
	CURL *easy = r->easy;

	must_set(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
	must_set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L));
	must_set(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L));
	if (c->ca.data) { /* and no other: libcurl would add the system's directory */
		must_set(curl_easy_setopt(easy, CURLOPT_CAINFO, authority_file(r->client, &c->ca)));
		must_set(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
	}
	/*
	 * As memory, not as files: libcurl compares the contents before it uses a connection again,
	 * so rotated credentials are in force at once.
	 */
	for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
		struct curl_blob blob = {
			.data = (void *)blobs[i].pem.data,
			.len = blobs[i].pem.len,
			.flags = CURL_BLOB_COPY,
		};

		if (blob.data)
			must_set(curl_easy_setopt(easy, blobs[i].option, &blob));
	}
	/* A key that wants a passphrase fails; without this OpenSSL would ask the terminal. */
	must_set(curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""));

	if (c->token) {
		must_set(curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER));
		must_set(curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, c->token));
	} else if (c->username) {
		must_set(curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC));
		must_set(curl_easy_setopt(easy, CURLOPT_USERNAME, c->username));
		must_set(curl_easy_setopt(easy, CURLOPT_PASSWORD, c->password));
	}
	for (const char *const *h = c->headers; *h; h++)
		add_header_line(r, *h);
	if (c->compression)
		add_header_line(r, "Accept-Encoding: gzip");
}

/* Method, URL, headers and body */
static void set_message(struct http_request *r, const struct http_request_config *c)
{
	_cleanup_(buf_done) struct buf url = { 0 };
	const struct origin *origin = &r->client->origin;
	CURL *easy = r->easy;

	buf_adds(&url, origin->url);
	buf_adds(&url, c->path);
	must_set(curl_easy_setopt(easy, CURLOPT_URL, buf_str(&url)));
	if (c->method != HTTP_METHOD_GET) {
		must_set(curl_easy_setopt(easy, CURLOPT_POST, 1L));
		must_set(curl_easy_setopt(
			easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len));
		must_set(
			curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, c->body_len ? c->body : ""));
		must_set(curl_easy_setopt(
			easy, CURLOPT_CUSTOMREQUEST, http_method_names[c->method]));
		add_header_line(r, "Expect:"); /* "100-continue" costs a round trip */
	}
	for (const char *const *h = c->headers; h && *h; h++)
		add_header_line(r, *h);
	if (origin->host_header)
		add_header_line(r, origin->host_header);
	must_set(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers));
	must_set(curl_easy_setopt(easy, CURLOPT_USERAGENT, r->client->user_agent));

	must_set(curl_easy_setopt(easy, CURLOPT_PRIVATE, r));
	must_set(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header_line));
	if (r->config.certificate) /* not each TLS library can */
		curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
	must_set(curl_easy_setopt(easy, CURLOPT_HEADERDATA, r));
	must_set(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body_bytes));
	must_set(curl_easy_setopt(easy, CURLOPT_WRITEDATA, r));
	must_set(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error));
}

struct http_request *http_request_new(
	struct http_client *c, const struct http_request_config *config)
{
	struct http_request *r = new0(struct http_request);
	const struct credentials *creds;

	assert(config->path[0] == '/' && config->on_end);
	r->client = c;
	r->config = *config;
	r->config.path = NULL;
	r->config.headers = NULL;
	r->config.body = NULL;
	if (!r->config.idle_ms)
		r->config.idle_ms = HTTP_IDLE_TIMEOUT_MS;
	r->path = mem_strndup(config->path, strcspn(config->path, "?"));
	r->begun_ms = r->heard_ms = timers_now(c->timers);
	r->idle = timer_new(c->timers, on_idle, r);
	r->easy = curl_easy_init();
	if (!r->easy)
		abort();

	creds = auth_get(c->auth, r->begun_ms);
	set_connection(r, creds);
	set_credentials(r, creds);
	set_message(r, config);
	list_insert(&c->requests, &r->node);
	event_active(c->work, EV_TIMEOUT, 0);
	return r;
}

void http_request_lift_limit(struct http_request *r)
{
	r->config.limit_ms = 0;
}

void http_request_set_idle(struct http_request *r, unsigned idle_ms)
{
	r->config.idle_ms = idle_ms;
	if (!r->cancelled)
		timer_start(r->idle, idle_ms);
}

void http_request_cancel(struct http_request *r)
{
	if (!r)
		return;
	r->cancelled = true;
	event_active(r->client->work, EV_TIMEOUT, 0);
}

/* Gives new requests to libcurl and takes cancelled ones back. */
static void on_work(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;

	(void)fd;
	(void)what;
	list_for_each_entry_safe(struct http_request, r, &c->requests, node) {
		if (r->cancelled) {
			http_request_free(r);
		} else if (!r->running) {
			r->running = true;
			if (curl_multi_add_handle(c->multi, r->easy) != CURLM_OK)
				abort();
			timer_start(r->idle, r->config.idle_ms);
		}
	}
}

/* A timer, because an event that is active is called in the same turn. */
static void on_next_turn(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;

	(void)fd;
	(void)what;
	list_for_each_entry_safe(struct http_request, r, &c->requests, node) {
		bool paused = r->paused && !r->cancelled;

		r->paused = false;
		if (!paused)
			continue;
		r->turn_bytes = 0;
		r->turn_us = 0;
		curl_easy_pause(r->easy, CURLPAUSE_CONT);
	}
}

/* libcurl on the loop */

/* A socket is ready, or the timer went off, whose event has CURL_SOCKET_TIMEOUT (-1) for `fd`. */
static void on_curl_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	int ready =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running, left;
	CURLMcode code = curl_multi_socket_action(c->multi, fd, ready, &running);
	CURLMsg *msg;

	assert(code == CURLM_OK);
	(void)code;
	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode result = msg->data.result;
		void *r = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
		http_request_end(r, result);
	}
}

/* CURLMOPT_TIMERFUNCTION: there is one timer; -1 stops it. */
static int on_timer_wanted(CURLM *multi, long ms, void *arg)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct http_client *c = arg;

	(void)multi;
	if (ms < 0)
		event_del(c->curl_timer);
	else
		event_add(c->curl_timer, &tv);
	return 0;
}

static void http_socket_free(struct http_socket *s)
{
	list_remove(&s->node);
	if (s->event)
		event_free(s->event);
	free(s);
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
			http_socket_free(s);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (!s) {
		s = new0(struct http_socket);
		s->fd = fd;
		list_init(&s->node);
		list_insert(&c->sockets, &s->node);
		curl_multi_assign(c->multi, fd, s);
	}
	if (s->event)
		event_free(s->event);
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	s->event = event_new(c->base, fd, events, on_curl_event, c);
	if (!s->event || event_add(s->event, NULL) < 0)
		abort();
	return 0;
}

/* The client */

/* libcurl is built with one of several TLS libraries; not all of them take credentials from memory.
 */
static int check_libcurl(struct err *err)
{
	static const CURLoption needed[] = {
#ifdef HAVE_CURLOPT_CAINFO_BLOB
		CURLOPT_CAINFO_BLOB,
#endif
		CURLOPT_SSLCERT_BLOB, CURLOPT_SSLKEY_BLOB
	};
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

/* With Go's names of the common machines, as kube-proxy sends them. */
static void name_agent(struct http_client *c)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" },
		{ "aarch64", "arm64" },
		{ "armv7l", "arm" },
		{ "i686", "386" },
	};
	struct utsname uts = { 0 };
	const char *machine = uts.machine;

	uname(&uts);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(uts.machine, names[i][0]))
			machine = names[i][1];
	snprintf(c->user_agent, sizeof(c->user_agent), "ipvsctl-svcd/%s (linux/%s)", VERSION,
		machine);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	list_for_each_entry_safe(struct http_request, r, &c->requests, node)
		http_request_free(r);
	curl_multi_cleanup(c->multi);
	list_for_each_entry_safe(struct http_socket, s, &c->sockets, node)
		http_socket_free(s);
	list_for_each_entry_safe(struct http_connection, connection, &c->connections, node)
		http_connection_end(c, connection);
	if (c->curl_timer)
		event_free(c->curl_timer);
	if (c->work)
		event_free(c->work);
	if (c->next_turn)
		event_free(c->next_turn);
	timers_free(c->timers);
	origin_done(&c->origin);
	ca_files_done(&c->ca_files);
	free(c);
	curl_global_cleanup();
}

int http_client_new(
	struct event_base *base, struct auth *auth, struct http_client **ret, struct err *err)
{
	struct http_client *c = new0(struct http_client);
	int r;

	c->base = base;
	c->auth = auth;
	c->timers = timers_new(base);
	list_init(&c->requests);
	list_init(&c->sockets);
	list_init(&c->connections);
	name_agent(c);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	r = check_libcurl(err);
	if (!r)
		r = origin_init(&c->origin, auth_get(auth, timers_now(c->timers)), err);
	if (r < 0) {
		http_client_free(c);
		return r;
	}

	c->multi = curl_multi_init();
	c->curl_timer = event_new(base, CURL_SOCKET_TIMEOUT, 0, on_curl_event, c);
	c->work = event_new(base, -1, 0, on_work, c);
	c->next_turn = evtimer_new(base, on_next_turn, c);
	if (!c->multi || !c->curl_timer || !c->work || !c->next_turn)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/*
	 * libcurl 7.88 forgets to wake a stream whose last bytes came in while it read for another
	 * one on the same connection; they would wait for whatever comes next.
	 */
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*ret = c;
	return 0;
}

void http_client_observe(struct http_client *c, const struct http_observer *o)
{
	c->observer = *o;
}

void http_client_follow_peers(struct http_client *c,
	void (*peer)(const struct ip *ip, uint16_t port, bool open, void *arg), void *arg)
{
	c->peer = peer;
	c->peer_arg = arg;
}

const char *http_client_host(const struct http_client *c)
{
	return c->origin.host;
}

struct timers *http_client_timers(struct http_client *c)
{
	return c->timers;
}
