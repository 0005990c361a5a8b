// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "../../src/api/http_end.h"
#include "base/mem.h"

/* libcurl's codes as numbers: those that it reports for one fault depend on its version. */
static void a_code_says_how_a_request_ended(void **state)
{
	static const struct {
		int code;
		long os_error;
		enum http_end end;
	} cases[] = {
		{ 0, 0, HTTP_END_ANSWERED },
		{ 6, 0, HTTP_END_UNREACHED },
		{ 7, ECONNREFUSED, HTTP_END_UNREACHED },
		{ 7, ETIMEDOUT, HTTP_END_TIMEOUT },
		{ 28, 0, HTTP_END_TIMEOUT },
		{ 52, 0, HTTP_END_LOST },
		{ 58, 0, HTTP_END_TLS }, /* key and certificate do not fit: up to 8.22 */
		{ 43, 0, HTTP_END_TLS }, /* and from 8.23 on */
		{ 98, 0, HTTP_END_TLS }, /* without a name before 7.77 */
		{ 23, 0, HTTP_END_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			http_end_of((CURLcode)cases[i].code, cases[i].os_error), cases[i].end);
}

/* A certificate and its key are two files: between their two replacements they do not fit. */
static void credentials_are_read_again_when_nobody_answered(void **state)
{
	(void)state;
	assert_true(http_end_blames_credentials(http_end_of((CURLcode)43, 0), 0));
	assert_true(http_end_blames_credentials(http_end_of((CURLcode)58, 0), 0));
	assert_true(http_end_blames_credentials(HTTP_END_LOST, 0));
	assert_false(http_end_blames_credentials(HTTP_END_LOST, 200));
	assert_true(http_end_blames_credentials(HTTP_END_FAILED, 0));
	assert_false(http_end_blames_credentials(HTTP_END_FAILED, 200));
	assert_false(http_end_blames_credentials(HTTP_END_UNREACHED, 0));
	assert_false(http_end_blames_credentials(HTTP_END_TIMEOUT, 0));
	assert_false(http_end_blames_credentials(HTTP_END_ANSWERED, 200));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_says_how_a_request_ended),
		cmocka_unit_test(credentials_are_read_again_when_nobody_answered),
	};

	return cmocka_run_group_tests_name("http_end", tests, NULL, NULL);
}
