/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_ORIGIN_H
#define API_ORIGIN_H

#include <curl/curl.h>
#include <stdbool.h>

#include "api/auth.h"
#include "base/err.h"

/* The API server as libcurl is told of it. */
struct origin {
	char *server;		       /* its URL, for messages */
	char *host;		       /* of that URL, with the port if it has one */
	char *url;		       /* for requests, without a '/' at its end */
	struct curl_slist *connect_to; /* CURLOPT_CONNECT_TO, where `url` has another host */
	char *host_header;	       /* for that case; NULL: libcurl's own */
	bool loopback;		       /* no proxy is between */
};

/* `ret` is zeroed. Returns 0, or a negative errno with words; origin_done() in both cases. */
int origin_init(struct origin *ret, const struct credentials *creds, struct err *err);
void origin_done(struct origin *o);

#endif
