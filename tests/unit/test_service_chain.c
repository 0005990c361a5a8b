// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/service_chain.h"
#include "fixture.h"

/* Chains that kube-proxy made. */
static void names_are_those_of_kube_proxy(void **state)
{
	static const struct {
		const char *service, *ip;
		uint16_t port;
		const char *name;
	} rows[] = {
		{ "ns1/svc1 port=p80:80/TCP", NULL, 0, "KUBE-SVC-XPGD46QRK7WJZT7O" },
		{ "ns1/svc1 port=p80:80/TCP", "10.180.0.1", 80, "KUBE-SEP-SXIVWICOYRO3J4NJ" },
		{ "kube-system/kube-dns port=dns:53/UDP", NULL, 0, "KUBE-SVC-TCOU7JCQXEZGVUNU" },
		{ "default/kubernetes port=https:443/TCP", NULL, 0, "KUBE-SVC-NPX46M4PTMTKRN6Y" },
		{ "ns/noname port=:80/TCP", NULL, 0, "KUBE-SVC-J6ETZERLML2FBL3F" },
		/* an IPv6 endpoint in brackets */
		{ "ns1/svc1 port=p80:80/TCP", "fd00::1", 80, "KUBE-SEP-T5UNFIPVCZXM3U7X" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service *s = fixture_service(rows[i].service);
		char hash[SERVICE_HASH_LEN], name[CHAIN_NAME_LEN + 1];
		struct ip ip = { 0 };

		if (rows[i].ip)
			ip = fixture_ip(rows[i].ip);
		service_chain_hash(s, &s->ports[0], rows[i].ip ? &ip : NULL, rows[i].port, hash);
		service_chain_name(rows[i].ip ? SERVICE_CHAIN_SEP : SERVICE_CHAIN_SVC, hash, name);
		assert_string_equal(name, rows[i].name);
		service_free(s);
	}
}

static void a_name_is_read_back(void **state)
{
	char hash[SERVICE_HASH_LEN], name[CHAIN_NAME_LEN + 1];

	(void)state;
	for (enum service_chain c = 0; c < SERVICE_CHAINS; c++) {
		enum service_chain read = SERVICE_CHAINS;

		service_chain_name(c, "ABCDEFGHIJ234567", name);
		assert_true(service_chain_parse(name, &read, hash));
		assert_int_equal(read, c);
		assert_memory_equal(hash, "ABCDEFGHIJ234567", SERVICE_HASH_LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_kube_proxy),
		cmocka_unit_test(a_name_is_read_back),
	};

	return cmocka_run_group_tests_name("service_chain", tests, NULL, NULL);
}
