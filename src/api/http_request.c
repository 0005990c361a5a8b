// SPDX-License-Identifier: GPL-2.0-or-later
#include "http_request.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { KEEPALIVE_IDLE_S = 30, KEEPALIVE_INTERVAL_S = 15, UNAUTHORIZED = 401 };

/* Options fail for want of memory only: http_client_new() has seen what the library can do. */
static void must(CURLcode code)
{
	if (code != CURLE_OK)
		abort();
}

static struct curl_slist *append(struct curl_slist *list, const char *s)
{
	struct curl_slist *grown = curl_slist_append(list, s);

	if (!grown)
		abort();
	return grown;
}

static const char *method_name(enum http_method method)
{
	switch (method) {
	case HTTP_METHOD_GET:
		return "GET";
	case HTTP_METHOD_POST:
		return "POST";
	case HTTP_METHOD_PATCH:
		return "PATCH";
	}
	return "";
}

/* Who observes the client */

static void tell_answered(const struct http_request *r, unsigned status)
{
	const struct http_observer *o = &r->client->observer;

	if (o->answered)
		o->answered(method_name(r->config.method), status, o->arg);
}

static void tell_ended(const struct http_request *r, const struct http_result *result)
{
	const struct http_observer *o = &r->client->observer;

	if (!r->answered)
		tell_answered(r, 0);
	if (o->ended && !r->config.endless)
		o->ended(method_name(r->config.method), result->took_ms, o->arg);
}

/* What libcurl calls */

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

static unsigned retry_after(CURL *easy)
{
	curl_off_t seconds = 0;

	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds < 0)
		return 0;
	return seconds < HTTP_MAX_RETRY_AFTER_S ? (unsigned)seconds : HTTP_MAX_RETRY_AFTER_S;
}

static unsigned http_status(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status > 0 ? (unsigned)status : 0;
}

static void tell_head(struct http_request *r)
{
	struct http_head head = {
		.status = http_status(r->easy),
		.version = http_version(r->easy),
		.retry_after_s = retry_after(r->easy),
	};
	struct curl_header *warning;
	char *type = NULL;

	if (head.status == UNAUTHORIZED)
		auth_rejected(r->client->auth);
	r->answered = true;
	tell_answered(r, head.status);
	if (!r->config.on_head)
		return;
	curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
	head.content_type = type ? type : "";
	if (curl_easy_header(r->easy, "Warning", 0, CURLH_HEADER, -1, &warning) == CURLHE_OK)
		head.warning = warning->value;
	r->config.on_head(&head, r->config.arg);
}

/* One line of the head; an empty one ends it. Informational answers (1xx) have heads of their own.
 */
static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	bool last = n && (*line == '\r' || *line == '\n');

	r->heard_ms = clock_ms();
	if (last && !r->answered && !r->cancelled && http_status(r->easy) >= 200)
		tell_head(r);
	return r->cancelled ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;

	r->heard_ms = clock_ms();
	if (!r->cancelled && r->config.on_body)
		r->config.on_body(data, size * n, r->config.arg);
	return r->cancelled ? CURL_WRITEFUNC_ERROR : size * n;
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

/* The end */

static enum http_end no_connection(CURL *easy)
{
	long os_error = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	return os_error == ETIMEDOUT ? HTTP_END_TIMEOUT : HTTP_END_UNREACHED;
}

static enum http_end classify(CURL *easy, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return HTTP_END_ANSWERED;
	case CURLE_COULDNT_CONNECT:
		return no_connection(easy);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		return HTTP_END_UNREACHED;
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_END_TIMEOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return HTTP_END_LOST;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_END_TLS;
	default:
		return HTTP_END_FAILED;
	}
}

/* libcurl may quote a proxy's URL, and with it a password. */
static const char *why(const struct http_request *r, CURLcode code)
{
	return *r->error && !strchr(r->error, '@') ? r->error : curl_easy_strerror(code);
}

static void add_message(const struct http_request *r, CURLcode code, struct buf *b)
{
	if (code != CURLE_OK)
		buf_addf(b, "%s %s%s: %s", method_name(r->config.method), r->client->server,
			r->path, why(r, code));
}

void http_request_free(struct http_request *r)
{
	list_remove(&r->node);
	if (r->running)
		curl_multi_remove_handle(r->client->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	event_free(r->idle);
	free(r->path);
	free(r);
}

/* What the server did not like may have been replaced on disk meanwhile. */
static bool may_be_credentials(const struct http_request *r, enum http_end end)
{
	return end == HTTP_END_TLS || (end == HTTP_END_LOST && !r->answered);
}

void http_request_end(struct http_request *r, CURLcode code)
{
	_cleanup_(buf_done) struct buf message = { 0 };
	struct http_result result = {
		.end = classify(r->easy, code),
		.status = r->answered ? http_status(r->easy) : 0,
		.took_ms = clock_ms() - r->begun_ms,
	};
	curl_off_t received = 0;

	curl_easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	result.received = received > 0 ? (uint64_t)received : 0;
	add_message(r, code, &message);
	result.message = buf_str(&message);
	if (may_be_credentials(r, result.end))
		auth_rejected(r->client->auth);
	if (!r->cancelled) {
		tell_ended(r, &result);
		r->config.on_end(&result, r->config.arg);
	}
	http_request_free(r);
}

/* libcurl would keep an HTTP/2 connection on which nothing comes, for the next request. */
static void give_up(struct http_request *r)
{
	long port = 0;

	curl_easy_getinfo(r->easy, CURLINFO_LOCAL_PORT, &port);
	if (port > 0)
		http_client_shut_down(r->client, (uint16_t)port);
	snprintf(r->error, sizeof(r->error), "nothing came for %.3g s", r->config.idle_ms / 1000.0);
	http_request_end(r, CURLE_OPERATION_TIMEDOUT);
}

static void arm_idle(struct http_request *r, uint64_t ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	event_add(r->idle, &tv);
}

/* The timer is not wound up for each byte: when it goes off it looks when the last one came. */
static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct http_request *r = arg;
	uint64_t silent = clock_ms() - r->heard_ms;

	(void)fd;
	(void)what;
	if (r->cancelled)
		return;
	if (silent >= r->config.idle_ms)
		give_up(r);
	else
		arm_idle(r, r->config.idle_ms - silent);
}

/* The beginning */

static void set_callbacks(struct http_request *r)
{
	CURL *easy = r->easy;

	must(curl_easy_setopt(easy, CURLOPT_PRIVATE, r));
	must(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
	must(curl_easy_setopt(easy, CURLOPT_HEADERDATA, r));
	must(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
	must(curl_easy_setopt(easy, CURLOPT_WRITEDATA, r));
	must(curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made));
	must(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error));
	must(curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
}

static void set_connection(const struct http_request *r, const struct credentials *c)
{
	CURL *easy = r->easy;

	must(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
	/* Else the removal of a request waits for getaddrinfo() to return. */
	must(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
	must(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
	must(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS));
	must(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS));
	must(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
	must(curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S));
	must(curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S));
	must(curl_easy_setopt(easy, CURLOPT_CONNECT_TO, r->client->connect_to));
	if (c->proxy) {
		must(curl_easy_setopt(easy, CURLOPT_PROXY, c->proxy));
		must(curl_easy_setopt(easy, CURLOPT_NOPROXY, ""));
	} else if (r->client->loopback) {
		must(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
	}
}

/*
 * As memory, not as files: libcurl compares the contents before it uses a connection again, so what
 * was rotated is in force at once.
 */
static void set_blob(CURL *easy, CURLoption option, const struct pem *pem)
{
	struct curl_blob blob = {
		.data = (void *)pem->data,
		.len = pem->len,
		.flags = CURL_BLOB_COPY,
	};

	if (pem->data)
		must(curl_easy_setopt(easy, option, &blob));
}

static void set_tls(CURL *easy, const struct credentials *c)
{
	must(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
	must(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L));
	must(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L));
	if (c->ca.data) { /* and nobody else: libcurl would add the system's directory */
		must(curl_easy_setopt(easy, CURLOPT_CAINFO, NULL));
		must(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
		set_blob(easy, CURLOPT_CAINFO_BLOB, &c->ca);
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, &c->cert);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, &c->key);
	/* A key that wants a passphrase fails; without this OpenSSL would ask the terminal. */
	must(curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""));
}

static void set_user(struct http_request *r, const struct credentials *c)
{
	CURL *easy = r->easy;

	if (c->token) {
		must(curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER));
		must(curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, c->token));
	} else if (c->username) {
		must(curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC));
		must(curl_easy_setopt(easy, CURLOPT_USERNAME, c->username));
		must(curl_easy_setopt(easy, CURLOPT_PASSWORD, c->password));
	}
	for (const char *const *h = c->headers; *h; h++)
		r->headers = append(r->headers, *h);
}

static void set_method(struct http_request *r, const struct http_request_config *c)
{
	CURL *easy = r->easy;

	if (c->method == HTTP_METHOD_GET)
		return;
	must(curl_easy_setopt(easy, CURLOPT_POST, 1L));
	must(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len));
	must(curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, c->body_len ? c->body : ""));
	must(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_name(c->method)));
	r->headers = append(r->headers, "Expect:"); /* "100-continue" costs a round trip */
}

static void set_headers(struct http_request *r, const struct http_request_config *c,
	const struct credentials *creds)
{
	CURL *easy = r->easy;

	for (const char *const *h = c->headers; h && *h; h++)
		r->headers = append(r->headers, *h);
	if (r->client->host_header)
		r->headers = append(r->headers, r->client->host_header);
	must(curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers));
	must(curl_easy_setopt(easy, CURLOPT_USERAGENT, r->client->user_agent));
	if (creds->compression)
		must(curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip"));
}

static void set_url(struct http_request *r, const char *path)
{
	_cleanup_(buf_done) struct buf url = { 0 };

	buf_adds(&url, r->client->url);
	buf_adds(&url, path);
	must(curl_easy_setopt(r->easy, CURLOPT_URL, buf_str(&url)));
}

static void set_up(struct http_request *r, const struct http_request_config *config)
{
	const struct credentials *c = auth_get(r->client->auth, r->begun_ms);

	set_callbacks(r);
	set_connection(r, c);
	set_tls(r->easy, c);
	set_user(r, c);
	set_method(r, config);
	set_headers(r, config, c);
	set_url(r, config->path);
}

struct http_request *http_request_new(
	struct http_client *c, const struct http_request_config *config)
{
	struct http_request *r = new0(struct http_request);

	assert(config->path[0] == '/' && config->on_end);
	r->client = c;
	r->config = *config;
	r->config.path = NULL;
	r->config.headers = NULL;
	r->config.body = NULL;
	if (!r->config.idle_ms)
		r->config.idle_ms = HTTP_IDLE_TIMEOUT_MS;
	r->path = mem_strndup(config->path, strcspn(config->path, "?"));
	r->begun_ms = r->heard_ms = clock_ms();
	r->easy = curl_easy_init();
	r->idle = event_new(c->base, -1, 0, on_idle, r);
	if (!r->easy || !r->idle)
		abort();
	set_up(r, config);
	list_insert(&c->requests, &r->node);
	event_active(c->work, EV_TIMEOUT, 0);
	return r;
}

void http_request_set_idle(struct http_request *r, unsigned idle_ms)
{
	r->config.idle_ms = idle_ms;
	if (!r->cancelled)
		arm_idle(r, idle_ms);
}

void http_request_cancel(struct http_request *r)
{
	if (!r)
		return;
	r->cancelled = true;
	event_active(r->client->work, EV_TIMEOUT, 0);
}

void http_request_work(struct http_request *r)
{
	if (r->cancelled) {
		http_request_free(r);
	} else if (!r->running) {
		r->running = true;
		if (curl_multi_add_handle(r->client->multi, r->easy) != CURLM_OK)
			abort();
		arm_idle(r, r->config.idle_ms);
	}
}
