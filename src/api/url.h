/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_URL_H
#define API_URL_H

#include <curl/curl.h>

/* For _cleanup_() on what libcurl's URL functions hand out. */
static inline void url_freep(CURLU **u)
{
	curl_url_cleanup(*u);
}

static inline void url_text_freep(char **s)
{
	curl_free(*s);
}

static inline const char *url_failure(CURLUcode code)
{
#ifdef HAVE_CURL_URL_STRERROR
	return curl_url_strerror(code);
#else
	return code == CURLUE_BAD_PORT_NUMBER ? "the port is not a number between 0 and 65535"
					      : "it is malformed";
#endif
}

#endif
