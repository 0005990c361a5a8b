/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef API_HTTP_END_H
#define API_HTTP_END_H

#include <curl/curl.h>
#include <stdbool.h>

#include "api/http.h"

/* How a request ended, by libcurl's code and the errno of its connection (0: none). */
enum http_end http_end_of(CURLcode code, long os_error);
/*
 * Whether the credentials may be to blame, which may have been replaced on disk meanwhile: nobody
 * answered, although there was a connection. Reading them again costs little; to keep old ones in
 * force because libcurl has a new code for them would be for ever.
 */
bool http_end_blames_credentials(enum http_end end, unsigned status);

#endif
