// SPDX-License-Identifier: GPL-2.0-or-later
#include "origin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/mem.h"
#include "url.h"

static bool is_loopback_host(const char *host)
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
	return !ip_parse(host, &ip) && ip_kind(&ip) == IP_LOOPBACK;
}

/*
 * libcurl takes the name that must be in the certificate, and that it sends as SNI, from the URL.
 * So a name other than the host's goes into the URL, and the host becomes the address to connect
 * to.
 */
static int rename_host(struct origin *o, CURLU *u, const char *host, const char *name)
{
	_cleanup_(url_text_freep) char *port = NULL;
	_cleanup_(buf_done) struct buf b = { 0 };

	if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return -EINVAL;
	buf_addf(&b, strchr(name, ':') ? "[%s]" : "%s", name);
	if (curl_url_set(u, CURLUPART_HOST, buf_str(&b), 0) != CURLUE_OK)
		return -EINVAL;

	buf_reset(&b);
	buf_addf(&b, "::%s:%s", host, port);
	o->connect_to = curl_slist_append(NULL, buf_str(&b));
	if (!o->connect_to)
		abort(); /* out of memory, as in base/mem.h */
	buf_reset(&b);
	buf_addf(&b, "Host: %s:%s", host, port);
	o->host_header = buf_take(&b);
	return 0;
}

int origin_init(struct origin *ret, const struct credentials *creds, struct err *err)
{
	_cleanup_(url_text_freep) char *host = NULL, *port = NULL, *url = NULL;
	_cleanup_(url_freep) CURLU *u = curl_url();
	struct buf b = { 0 };
	size_t len;

	if (!u)
		abort(); /* out of memory, as in base/mem.h */
	if (curl_url_set(u, CURLUPART_URL, creds->server, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return err_set(err, -EINVAL, "%s is not a URL", creds->server);
	ret->loopback = is_loopback_host(host);
	ret->server = mem_strdup(creds->server);

	buf_adds(&b, host);
	if (curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK)
		buf_addf(&b, ":%s", port);
	ret->host = buf_take(&b);

	if (creds->server_name && rename_host(ret, u, host, creds->server_name) < 0)
		return err_set(
			err, -EINVAL, "tls-server-name %s is not a name", creds->server_name);
	if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		return err_set(err, -EINVAL, "%s is not a URL", creds->server);
	/* libcurl adds a '/' to a URL without a path; our paths begin with one. */
	len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	ret->url = mem_strndup(url, len);
	return 0;
}

void origin_done(struct origin *o)
{
	curl_slist_free_all(o->connect_to);
	free(o->host_header);
	free(o->url);
	free(o->server);
	free(o->host);
	*o = (struct origin){ 0 };
}
