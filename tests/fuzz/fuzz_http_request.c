// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes are a request, the beginning of one, or an error with a status, and it does not matter in
 * which pieces they come. A request's parts are strings without control characters; a parameter of
 * its query is printable UTF-8.
 */
#include <errno.h>
#include <string.h>

#include "../../src/server/http_request.h"
#include "base/mem.h"
#include "base/printable.h"
#include "fuzz.h"

enum { MAX_BODY = 4096 };

static void check_text(const char *s, const char *data, size_t len)
{
	must(!*s || (s >= data && s < data + len));
	for (; *s; s++)
		must(*s > ' ' && *s < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf all = { 0 }, value = { 0 };
	size_t searched = 0, n, in_pieces = 0;
	struct http_head head;
	struct err err = { 0 };
	int r;

	buf_add(&all, data, size);
	n = http_head_length(buf_str(&all), all.len, &searched);
	must(n <= size && (n || searched == size));
	searched = 0;
	for (size_t len = 1; len <= size && !in_pieces; len += 1 + len / 2)
		in_pieces = http_head_length(buf_str(&all), len, &searched);
	must(!in_pieces || in_pieces == n);
	if (!n)
		return 0;

	r = http_head_parse(all.data, n, MAX_BODY, &head);
	if (r) {
		must(r >= 400 && r < 600 && *http_reason(r));
		return 0;
	}
	must(*head.method && strlen(head.method) <= HTTP_MAX_METHOD);
	check_text(head.method, all.data, n);
	check_text(head.path, all.data, n);
	check_text(head.query, all.data, n);
	must(head.minor == 0 || head.minor == 1);
	must(head.content_length <= MAX_BODY);

	r = http_query_get(head.query, "what", &value, &err);
	must(r == 1 || r == 0 || (r == -EINVAL && *err.msg));
	must(r == 1 || !value.len);
	must(printable_all(buf_str(&value)) && strlen(buf_str(&value)) == value.len);
	return 0;
}
