// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conns_tally.h"

/* A Service with two addresses and a mark, one with a name that would spoil a terminal, and an
 * address that another Service has. */
static const char status_text[] =
	"{\"services\": ["
	"{\"namespace\": \"shop\", \"name\": \"web\", \"ports\": [{\"name\": \"http\", \"port\": 80,"
	" \"protocol\": \"TCP\", \"addresses\": ["
	"  {\"address\": \"10.96.0.10\", \"port\": 80, \"state\": \"OK\"},"
	"  {\"address\": \"203.0.113.9\", \"port\": 80, \"state\": \"OK\"},"
	"  {\"address\": \"0.0.0.0\", \"port\": 30080, \"state\": \"OK\"}],"
	" \"fwmarks\": [{\"fwmark\": 1048576, \"family\": \"IPv4\"}]}]},"
	"{\"namespace\": \"dns\\u001b\", \"name\": \"dns\", \"ports\": [{\"name\": \"\", \"port\": 53,"
	" \"protocol\": \"UDP\", \"addresses\": ["
	"  {\"address\": \"10.96.0.53\", \"port\": 53, \"state\": \"OK\"}]},"
	" {\"name\": \"\", \"port\": 80, \"protocol\": \"TCP\", \"addresses\": ["
	"  {\"address\": \"10.96.0.10\", \"port\": 80, \"state\": \"Conflict\"}]}]}]}";

static const char *const lines[] = {
	"TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED 898",
	"TCP C0A8320A 9C41 CB007109 0050 0AF4010B 1F90 ESTABLISHED 897",
	"TCP C0A8320B 9C42 0A60000A 0050 0AF4010B 1F90 SYN_RECV 50",
	"TCP C0A8320B 9C43 0A60000A 0050 0AF4010C 1F90 TIME_WAIT 100",
	"TCP C0A8320B 0000 0A60000A 0050 0AF4010B 1F90 ASSURED 10000",
	"IP  C0A8320B 0000 00100000 0000 0AF4010B 1F90 NONE 60",
	"UDP C0A8320A 9C44 0A600035 0035 0AF4010C 14E9 UDP 299",
	"TCP C0A8320A 9C45 C0000201 01BB C0000207 01BB ESTABLISHED 800",
	"IP  C0A8320A 0000 00000007 0000 C0000207 01BB NONE 60",
};

struct scene {
	json_t *status;
	struct conns *conns;
};

static struct scene scene_begin(bool daemon)
{
	struct scene s = { .status = daemon ? json_loads(status_text, 0, NULL) : NULL };

	assert_true(!daemon || s.status);
	s.conns = conns_new(s.status);
	return s;
}

static void scene_end(struct scene *s)
{
	conns_free(s->conns);
	json_decref(s->status);
}

static void feed(struct scene *s, connection_fn fn)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct connection c;

		assert_true(connection_parse(lines[i], &c));
		fn(&c, s->conns);
	}
}

static void assert_totals(struct scene *s, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	_cleanup_(show_done) struct show t = { 0 };
	json_t *totals;

	feed(s, conns_count);
	totals = conns_totals_json(s->conns);
	conns_totals_head(totals, &out);
	conns_totals_table(totals, &t);
	show_print(&t, false, false, &out);
	assert_string_equal(buf_str(&out), want);
	json_decref(totals);
	scene_end(s);
}

static void connections_are_counted_by_service_port_and_endpoint(void **state)
{
	struct scene s = scene_begin(true);

	(void)state;
	assert_totals(&s,
		"Connections: 6   Active: 3   Inactive: 3   Templates: 3\n"
		"shop  web  80/TCP             10.244.1.11:8080  2  1  2  ESTABLISHED 2, SYN_RECV 1\n"
		"dns?  dns  53/UDP             10.244.1.12:5353  0  1  0  UDP 1\n"
		"shop  web  80/TCP             10.244.1.12:8080  0  1  0  TIME_WAIT 1\n"
		"-     -    192.0.2.1:443/TCP  192.0.2.7:443     1  0  0  ESTABLISHED 1\n"
		"-     -    fwmark:7/IPv4      192.0.2.7:443     0  0  1  -\n");
}

static void without_a_daemon_virtual_servers_are_counted(void **state)
{
	struct scene s = scene_begin(false);
	struct err err;

	(void)state;
	assert_int_equal(conns_select(s.conns, "192.168.50.10", &err), 0);
	assert_int_equal(conns_select(s.conns, "web", &err), -EOPNOTSUPP);
	assert_totals(&s,
		"Connections: 4   Active: 3   Inactive: 1   Templates: 1\n"
		"-  -  10.96.0.10:80/TCP   10.244.1.11:8080  1  0  0  ESTABLISHED 1\n"
		"-  -  192.0.2.1:443/TCP   192.0.2.7:443     1  0  0  ESTABLISHED 1\n"
		"-  -  203.0.113.9:80/TCP  10.244.1.11:8080  1  0  0  ESTABLISHED 1\n"
		"-  -  10.96.0.53:53/UDP   10.244.1.12:5353  0  1  0  UDP 1\n"
		"-  -  fwmark:7/IPv4       192.0.2.7:443     0  0  1  -\n");
}

static void services_and_addresses_are_selected(void **state)
{
	static const char dns[] = "Connections: 1   Active: 0   Inactive: 1   Templates: 0\n"
				  "dns?  dns  53/UDP  10.244.1.12:5353  0  1  0  UDP 1\n";
	static const char *const whats[] = { "dns", "dns\033/dns", "10.96.0.53", "10.96.0.53:53",
		"10.244.1.12:5353", "192.168.50.10:40004" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whats); i++) {
		struct scene s = scene_begin(true);

		assert_int_equal(conns_select(s.conns, whats[i], &err), 0);
		assert_totals(&s, dns);
	}
}

static void one_of_several_selections_is_enough(void **state)
{
	struct scene s = scene_begin(true);
	struct err err;

	(void)state;
	assert_int_equal(conns_select(s.conns, "shop/web", &err), 0);
	assert_int_equal(conns_select(s.conns, "10.244.1.12", &err), 0);
	conns_select_namespace(s.conns, "shop");
	assert_totals(&s,
		"Connections: 4   Active: 2   Inactive: 2   Templates: 2\n"
		"shop  web  80/TCP  10.244.1.11:8080  2  1  2  ESTABLISHED 2, SYN_RECV 1\n"
		"shop  web  80/TCP  10.244.1.12:8080  0  1  0  TIME_WAIT 1\n");
}

static void a_service_that_is_not_there_is_an_error(void **state)
{
	static const char *const whats[] = { "shop/dns", "shop/", "/web", "shop", "",
		"10.96.0.10:" };
	struct scene s = scene_begin(true);
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whats); i++)
		assert_int_equal(conns_select(s.conns, whats[i], &err), -ENOENT);
	scene_end(&s);
}

/* Of netfilter's table: no untranslated connection, nobody else's, and node ports on any address. */
static void translated_connections_are_those_of_services(void **state)
{
	static const struct connection node_port = {
		.client = { AF_INET, { 192, 168, 50, 10 } },
		.vip = { AF_INET, { 192, 168, 50, 1 } },
		.endpoint = { AF_INET, { 10, 244, 1, 11 } },
		.client_port = 40000,
		.vip_port = 30080,
		.endpoint_port = 8080,
		.proto = IPPROTO_TCP,
		.translated = true,
		.state = "CLOSE",
	};
	struct connection local = node_port;
	struct scene s = scene_begin(true);

	(void)state;
	local.translated = false;
	conns_select_translated(s.conns);
	conns_count(&node_port, s.conns);
	conns_count(&local, s.conns);
	assert_totals(&s,
		"Connections: 6   Active: 2   Inactive: 4   Templates: 2\n"
		"shop  web  80/TCP  10.244.1.11:8080  2  2  2  "
		"CLOSE 1, ESTABLISHED 2, SYN_RECV 1\n"
		"dns?  dns  53/UDP  10.244.1.12:5353  0  1  0  UDP 1\n"
		"shop  web  80/TCP  10.244.1.12:8080  0  1  0  TIME_WAIT 1\n");
}

static char *list(struct scene *s, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	conns_list(s->conns, file, json, true);
	feed(s, conns_print);
	conns_flush(s->conns);
	fclose(file);
	scene_end(s);
	return text;
}

static void the_list_has_a_line_for_each(void **state)
{
	struct scene s = scene_begin(true);
	_cleanup_free_ char *text = NULL;
	struct err err;

	(void)state;
	assert_int_equal(conns_select(s.conns, "192.168.50.11", &err), 0);
	text = list(&s, false);
	assert_string_equal(text,
		"NAMESPACE  NAME  PORT      CLIENT                 VIP                    "
		"ENDPOINT               STATE        EXPIRES\n"
		"shop       web   80/TCP    192.168.50.11:40002    10.96.0.10:80          "
		"10.244.1.11:8080       SYN_RECV     50s\n"
		"shop       web   80/TCP    192.168.50.11:40003    10.96.0.10:80          "
		"10.244.1.12:8080       TIME_WAIT    100s\n"
		"shop       web   80/TCP    192.168.50.11          10.96.0.10:80          "
		"10.244.1.11:8080       TEMPLATE     10000s\n"
		"shop       web   80/TCP    192.168.50.11          fwmark:1048576/IPv4    "
		"10.244.1.11:8080       TEMPLATE     60s\n");
}

static void each_line_of_the_list_is_an_object(void **state)
{
	struct scene s = scene_begin(true);
	_cleanup_free_ char *text = list(&s, true);
	size_t n = 0;

	(void)state;
	assert_null(strchr(text, '\033'));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		assert_true(json_is_object(o));
		assert_true(json_is_string(json_object_get(o, "state")));
		assert_int_equal(json_is_null(json_object_get(o, "name")), n >= 7);
		json_decref(o);
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(lines));
}

static void more_states_than_there_is_room_for_are_one(void **state)
{
	struct connection c;
	struct scene s = scene_begin(false);
	json_t *totals, *states;

	(void)state;
	assert_true(connection_parse(lines[0], &c));
	for (int i = 0; i < 40; i++) {
		snprintf(c.state, sizeof(c.state), "S%d", i);
		conns_count(&c, s.conns);
	}
	totals = conns_totals_json(s.conns);
	states = json_object_get(
		json_array_get(json_object_get(totals, "virtualServers"), 0), "states");
	assert_int_equal(json_object_size(states), 12);
	assert_int_equal(json_integer_value(json_object_get(states, "others")), 29);
	json_decref(totals);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_counted_by_service_port_and_endpoint),
		cmocka_unit_test(without_a_daemon_virtual_servers_are_counted),
		cmocka_unit_test(services_and_addresses_are_selected),
		cmocka_unit_test(one_of_several_selections_is_enough),
		cmocka_unit_test(a_service_that_is_not_there_is_an_error),
		cmocka_unit_test(translated_connections_are_those_of_services),
		cmocka_unit_test(the_list_has_a_line_for_each),
		cmocka_unit_test(each_line_of_the_list_is_an_object),
		cmocka_unit_test(more_states_than_there_is_room_for_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
