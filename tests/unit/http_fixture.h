/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

/* What the tests of the HTTP client share: the fake API server, which is started once. */

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake/call.h"

static struct fake_api api;

/* The server is again as it was at the beginning. */
static inline int drop_caller(void **state)
{
	struct caller *c = *state;

	if (c->base)
		caller_done(c);
	free(c);
	fake_api_order(&api,
		"{\"clearFaults\": true, \"set\": {\"tls\": \"good\", \"token\": null,"
		" \"basic\": null, \"clientCert\": null}}");
	return 0;
}

static inline int stop_server(void **state)
{
	(void)state;
	fake_api_stop(&api);
	return 0;
}

static inline void elapse(const struct caller *c, uint64_t ms)
{
	fake_api_elapse(&api, c->base, http_client_timers(c->client), ms);
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* A header of the last request, as the server saw it; NULL: there is none. */
static inline void assert_header(const char *name, const char *wanted)
{
	json_t *request = fake_api_last_request(&api);
	const char *is =
		json_string_value(json_object_get(json_object_get(request, "headers"), name));

	if (!wanted)
		assert_null(is);
	else if (!is)
		fail_msg("there is no header %s", name);
	else
		assert_string_equal(is, wanted);
	json_decref(request);
}

#endif
