// SPDX-License-Identifier: GPL-2.0-or-later
/* The archive of `doctor --bundle`: what tar reads of it, and that no secret is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "bundle.h"
#include "kernel/exec.h"

static void secrets_are_removed(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "a: b\ntokens: 3\n", "a: b\ntokens: 3\n" },
		{ "    token: abc.def\n    x: y\n", "    token: [removed]\n    x: y\n" },
		{ "{\"token\": \"a\\\"b c\", \"x\": 1}", "{\"token\": \"[removed]\", \"x\": 1}" },
		{ "--token=abc --v=2", "--token=[removed] --v=2" },
		{ "id-token: abc", "id-token: [removed]" },
		{ "access_token=abc&x", "access_token=[removed]" },
		{ "Password = 'a b' c", "Password = [removed] c" },
		{ "password: \"unfinished\nx", "password: \"[removed]\"\nx" },
		{ "Authorization: Bearer abc\r\n", "Authorization: [removed]\r\n" },
		{ "authorization: Basic dXNlcjpwYXNz x", "authorization: [removed] x" },
		{ "got Bearer abcdefghijklmnopqrst.u, then", "got Bearer [removed], then" },
		{ "the bearer of news", "the bearer of news" },
		{ "client-key-data: LS0tLS1CRUdJTg==\n", "client-key-data: [removed]\n" },
		{ "certificate-authority-data: TFM=", "certificate-authority-data: [removed]" },
		{ "see https://u:p@host/x and http://host/a@b",
			"see https://[removed]@host/x and "
			"http://host/a@b" },
		{ "x eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln y", "x [removed] y" },
		{ "eyJ is short, heyJhbGciOiJSUzI1NiJ9", "eyJ is short, heyJhbGciOiJSUzI1NiJ9" },
		{ "a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nb",
			"a\n[removed]\nb" },
		{ "-----BEGIN X-----\nMII without an end", "[removed]" },
		{ "name: token-service", "name: token-service" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf out = { 0 };

		bundle_scrub(cases[i].text, &out);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
}

static void tar_reads_it(void **state)
{
	_cleanup_free_ char *large = mem_zalloc(1, 3000001);
	_cleanup_(buf_done) struct buf out = { 0 };
	char dir[] = "/tmp/bundle-XXXXXX", path[64];
	struct bundle *b = NULL;
	struct err err;

	(void)state;
	memset(large, 'x', 3000000);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/b.tar.gz", dir);
	assert_int_equal(bundle_open(path, 1700000000, &b, &err), 0);
	bundle_add(b, "b/empty", "");
	bundle_add(b, "b/one", "token: abc\n");
	bundle_add(b, "b/large", large);
	assert_int_equal(bundle_close(b, &err), 0);
	{
		const char *const list[] = { "tar", "--numeric-owner", "--utc", "-tvzf", path,
			NULL };

		assert_int_equal(exec_run(list, NULL, 0, 10000, &out, &err), 0);
		assert_string_equal(buf_str(&out),
			"-rw------- 0/0               0 2023-11-14 22:13 b/empty\n"
			"-rw------- 0/0              17 2023-11-14 22:13 b/one\n"
			"-rw------- 0/0         3000000 2023-11-14 22:13 b/large\n");
	}
	{
		const char *const cat[] = { "tar", "-xzOf", path, "b/one", NULL };

		assert_int_equal(exec_run(cat, NULL, 0, 10000, &out, &err), 0);
		assert_string_equal(buf_str(&out), "token: [removed]\n");
	}
	/* It may be somebody else's, or a link to somewhere. */
	assert_true(bundle_open(path, 0, &b, &err) < 0);
	assert_non_null(strstr(err.msg, "cannot create /tmp/bundle-"));
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_removed),
		cmocka_unit_test(tar_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
