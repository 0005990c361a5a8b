// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/server/http_request.h"
#include "base/mem.h"

enum { MAX_BODY = 100 };

/* The length of the head, looked for as if its bytes came one by one. */
static size_t head_length(const char *text)
{
	size_t searched = 0, n = 0;

	for (size_t len = 1; len <= strlen(text) && !n; len++) {
		_cleanup_free_ char *part = mem_strndup(text, len);

		n = http_head_length(part, len, &searched);
	}
	return n;
}

struct parsed {
	char *text;
	struct http_head head;
	int status;
};

static struct parsed parse(const char *text)
{
	struct parsed p = { .text = mem_strdup(text) };
	size_t n = head_length(text);

	assert_int_not_equal(n, 0);
	p.status = http_head_parse(p.text, n, MAX_BODY, &p.head);
	return p;
}

static void the_head_ends_with_an_empty_line(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "", 0 },
		{ "\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\n", 0 },
		{ "GET / HTTP/1.1\r\n\r", 0 },
		{ "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "GET / HTTP/1.1\n\n", 16 },
		{ "GET / HTTP/1.1\r\n\nX: y", 17 },
		{ "\r\n\n\r\nGET / HTTP/1.1\r\n\r\n", 23 },
		{ "GET / HTTP/1.1\r\nA: b\r\n\r\nGET ", 24 },
		{ "GET / HTTP/1.1\r\n \r\nA: b", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (head_length(cases[i].text) != cases[i].n)
			fail_msg("case %zu: %zu", i, head_length(cases[i].text));
}

static void targets_are_taken_apart(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{ "/", "/", "" },
		{ "/v1/status", "/v1/status", "" },
		{ "/a?b=c&d?e", "/a", "b=c&d?e" },
		{ "/a?", "/a", "" },
		{ "/a?b#c", "/a", "b" },
		{ "/a#b?c", "/a", "" },
		{ "http://node/v1/status?x=1", "/v1/status", "x=1" },
		{ "http://node", "", "" },
		{ "/redirect?to=http://node/x", "/redirect", "to=http://node/x" },
		{ "/a://b", "/a://b", "" },
		{ "*", "*", "" },
		{ "node:443", "node:443", "" },
		{ "//a/../b", "//a/../b", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct parsed p;

		buf_addf(&text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", cases[i].target);
		p = parse(buf_str(&text));
		assert_int_equal(p.status, 0);
		assert_string_equal(p.head.method, "GET");
		assert_string_equal(p.head.path, cases[i].path);
		assert_string_equal(p.head.query, cases[i].query);
		free(p.text);
	}
}

static void fields_that_matter_are_read(void **state)
{
	static const struct {
		const char *text;
		int minor;
		bool keep_alive, expects;
		size_t content_length;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 1, true, false, 0 },
		{ "GET / HTTP/1.0\r\n\r\n", 0, false, false, 0 },
		{ "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 1, false, false, 0 },
		{ "GET / HTTP/1.1\nconnection:\tTE , Close \n\n", 1, false, false, 0 },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 0, true, false, 0 },
		{ "GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", 1, true, false, 0 },
		{ "PUT / HTTP/1.1\r\nContent-Length: 007\r\n\r\n", 1, true, false, 7 },
		{ "PUT / HTTP/1.1\r\nContent-Length: 7\r\nContent-Length: 7\r\n\r\n", 1, true,
			false, 7 },
		{ "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", 1, true,
			true, 100 },
		{ "GET / HTTP/1.1\r\nX:\r\nY: \x80\r\n\r\n", 1, true, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text);

		if (p.status || p.head.minor != cases[i].minor ||
			p.head.keep_alive != cases[i].keep_alive ||
			p.head.expects != cases[i].expects ||
			p.head.content_length != cases[i].content_length)
			fail_msg("case %zu: status %d", i, p.status);
		free(p.text);
	}
}

static void what_is_wrong_has_a_status(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "GET\r\n\r\n", 400 },
		{ "GET /\r\n\r\n", 400 },
		{ "GET  HTTP/1.1\r\n\r\n", 400 },
		{ "GET  / HTTP/1.1\r\n\r\n", 400 },
		{ " GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / \r\n\r\n", 400 },
		{ "GET / HTTP\r\n\r\n", 400 },
		{ "GET / HTTP/1.1 \r\n\r\n", 505 },
		{ "G\x01T / HTTP/1.1\r\n\r\n", 400 },
		{ "GETTTTTTTTTTTTTTTTTTT / HTTP/1.1\r\n\r\n", 400 },
		{ "GET /\x80 HTTP/1.1\r\n\r\n", 400 },
		{ "GET /\x7f HTTP/1.1\r\n\r\n", 400 },
		{ "GET /\t HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/0.9\r\n\r\n", 505 },
		{ "GET / HTTP/1.10\r\n\r\n", 505 },
		{ "PRI * HTTP/2.0\r\n\r\n", 505 },
		{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n: x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA : x\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA: x\r\n y: z\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA: x\ry\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 1 1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", 413 },
		{ "GET / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n", 413 },
		{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501 },
		{ "\x16\x03\x01 not http\r\n\r\n", 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text);

		if (p.status != cases[i].status)
			fail_msg("case %zu: %d instead of %d", i, p.status, cases[i].status);
		assert_string_not_equal(http_reason(p.status), "");
		free(p.text);
	}
}

static void a_nul_is_refused(void **state)
{
	char text[] = "GET /\0 HTTP/1.1\r\n\r\n";
	struct http_head head;

	(void)state;
	assert_int_equal(http_head_parse(text, sizeof(text) - 1, MAX_BODY, &head), 400);
}

static void parameters_of_a_query_are_decoded(void **state)
{
	static const struct {
		const char *query, *value;
	} cases[] = {
		{ "what=a%2Fb", "a/b" },
		{ "x=1&what=%5Bfd00%3a%3a1%5D:80&what=2", "[fd00::1]:80" },
		{ "what=a+b%20c", "a b c" },
		{ "what", "" },
		{ "what=", "" },
		{ "%77hat=x", "x" },
		{ "what=a=b", "a=b" },
		{ "what=%", "%" },
		{ "what=%4", "%4" },
		{ "what=%zz", "%zz" },
		{ "&&what=caf%C3%A9", "caf\xc3\xa9" },
	};
	static const char *const without[] = { "", "x=what", "whatever=1", "wha", "&", "=what" };
	static const char *const wrong[] = { "what=%ff", "what=%00", "what=a%0ab", "what=%1b[2J",
		"what=%C2%9B", "what=%C3", "what%00=x" };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf value = { 0 };

		assert_int_equal(http_query_get(cases[i].query, "what", &value, &err), 1);
		assert_string_equal(buf_str(&value), cases[i].value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		assert_int_equal(http_query_get(without[i], "what", NULL, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(http_query_get(wrong[i], "what", NULL, &err), -EINVAL);
		assert_string_equal(err.msg,
			"the value of what in the query has bytes that are not printable UTF-8");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_ends_with_an_empty_line),
		cmocka_unit_test(targets_are_taken_apart),
		cmocka_unit_test(fields_that_matter_are_read),
		cmocka_unit_test(what_is_wrong_has_a_status),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(parameters_of_a_query_are_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
