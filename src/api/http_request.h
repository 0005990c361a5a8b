/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_HTTP_REQUEST_H
#define API_HTTP_REQUEST_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>

#include "base/list.h"
#include "api/http.h"

/*
 * Between http.c, which joins libcurl to the loop, and http_request.c, which knows what a request
 * is. libcurl must not be called from inside its own callbacks, so requests are given to it and
 * taken from it by an event of their own only: `work`.
 */
struct http_client {
	struct event_base *base;
	struct auth *auth;
	CURLM *multi;
	struct event *timer; /* libcurl's */
	struct event *work;
	struct list requests;
	struct list sockets;
	struct http_observer observer; /* functions may be NULL */
	char *server;		       /* its URL, for messages */
	char *host;		       /* and port, of it */
	char *url;		       /* the same as libcurl gets it */
	struct curl_slist
		*connect_to; /* the server's real address where the URL holds another name */
	char *host_header;   /* the same for the Host header; NULL: as in the URL */
	bool loopback;	     /* no proxy stands between */
	char user_agent[128];
};

struct http_request {
	struct list node;
	struct http_client *client;
	struct http_request_config config; /* `path`, `headers` and `body` are gone */
	char *path;			   /* without the query, for messages */
	CURL *easy;
	struct curl_slist *headers;
	struct event *idle;
	uint64_t begun_ms, heard_ms;
	bool running;	/* libcurl has it */
	bool answered;	/* on_head was called */
	bool cancelled; /* nothing is called back any more */
	char error[CURL_ERROR_SIZE];
};

/* Gives a new request to libcurl; takes a cancelled one back and frees it. */
void http_request_work(struct http_request *r);
/* libcurl is through with it: tells and frees it. */
void http_request_end(struct http_request *r, CURLcode code);
/* Takes it from libcurl without a word. */
void http_request_free(struct http_request *r);

/* Ends the connection that is in use from that local port. */
void http_client_shut_down(struct http_client *c, uint16_t port);

#endif
