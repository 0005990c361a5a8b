// SPDX-License-Identifier: GPL-2.0-or-later
/* When a certificate is valid, against certificates that openssl made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "api/certificate.h"

#define CERT_UTC                                                             \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIH/MIGmAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAXgwHhcNMjMxMTE0MjIx\n" \
	"MzIwWhcNMjQxMTEzMjIxMzIwWjAMMQowCAYDVQQDDAF4MFkwEwYHKoZIzj0CAQYI\n" \
	"KoZIzj0DAQcDQgAEppkSN7rAd0dpXI/DAxmZW/S50JtEaEe3G7qDIpRj9ZxyxXqw\n" \
	"4GMdnaMTtVx8GxlAnuZP+WOWHDzJJLwYJMDGPTAKBggqhkjOPQQDAgNIADBFAiBi\n" \
	"RRH0MgEFkp59cQmqdfq1aT0Z8BfKY9m3gDMr5lzlWgIhANEbr/15DY4ZE4uscyLH\n" \
	"OsbikjIw7CqFxMl5H43LvAsg\n"                                         \
	"-----END CERTIFICATE-----\n"
#define CERT_GENERALIZED                                                     \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBAjCBqAIBAjAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAF4MCAXDTIzMTExNDIy\n" \
	"MTMyMFoYDzIwNTUwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAF4MFkwEwYHKoZIzj0C\n" \
	"AQYIKoZIzj0DAQcDQgAEppkSN7rAd0dpXI/DAxmZW/S50JtEaEe3G7qDIpRj9Zxy\n" \
	"xXqw4GMdnaMTtVx8GxlAnuZP+WOWHDzJJLwYJMDGPTAKBggqhkjOPQQDAgNJADBG\n" \
	"AiEAr2lbYa3d/n29F9z7nchn9EytSThypygB1qZUdUmj4C4CIQClarzqgJXxeal2\n" \
	"DVIcyjzeKhiyQnsbC3cgwAJFIvUrwA==\n"                                 \
	"-----END CERTIFICATE-----\n"

static void both_forms_of_time_are_read(void **state)
{
	static const char bundle[] = CERT_UTC "between\n" CERT_GENERALIZED;
	const char *p = bundle;
	struct validity v;

	(void)state;
	assert_int_equal(certificate_next(&p, &v), 1);
	assert_int_equal(v.from, 1700000000);
	assert_int_equal(v.until, 1731536000);
	assert_int_equal(certificate_next(&p, &v), 1);
	assert_int_equal(v.from, 1700000000);
	assert_int_equal(v.until, 2682374400); /* 2055-01-01 */
	assert_int_equal(certificate_next(&p, &v), 0);
	assert_int_equal(certificate_next(&p, &v), 0);
}

static void what_is_no_certificate_is_told(void **state)
{
	static const char *const bad[] = { "", "MA==", "MIIB", "MAYwBAICAAA=", "!" };
	struct validity v = { 7, 7 };
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *p = text;

		strcpy(text, "-----BEGIN CERTIFICATE-----\n");
		strcat(text, bad[i]);
		strcat(text, "\n-----END CERTIFICATE-----\nrest");
		assert_int_equal(certificate_next(&p, &v), -EBADMSG);
		assert_string_equal(p, "\nrest");
	}
	assert_int_equal(v.until, 7);
	{
		const char *p = "-----BEGIN CERTIFICATE-----\nMA==\n"; /* no end */

		assert_int_equal(certificate_next(&p, &v), 0);
		assert_string_equal(p, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_of_time_are_read),
		cmocka_unit_test(what_is_no_certificate_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
