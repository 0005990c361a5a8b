// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "kernel/connection.h"

#define HEADER "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"

/* As ip_vs_conn_seq_show() of Linux 6.1 prints them. */
#define TCP "TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED     898\n"
#define UDP "UDP C0A8320A 9C41 0A600035 0035 0AF4010C 14E9 UDP             297\n"
#define SIP "UDP C0A8320A 9C41 0A600035 0035 0AF4010C 14E9 UDP             297 sip abc@192.0.2.1\n"
#define TEMPLATE "TCP C0A8320A 0000 0A60000A 0050 0AF4010B 1F90 ASSURED        10790\n"
#define MARK "IP  C0A8320A 0000 00100000 0000 0AF4010B 1F90 NONE             58\n"
#define IPV6                                                                              \
	"TCP fd00:0050:0000:0000:0000:0000:0000:0010 9C40 fd00:0096:0000:0000:0000:0000:" \
	"0000:0010 0050 fd00:0010:0244:0001:0000:0000:0000:0011 1F90 SYN_RECV         57\n"

/* "6 192.168.50.10:40000 10.96.0.10:80 10.244.1.11:8080 ESTABLISHED 898 active" */
static void add_connection(const struct connection *c, void *arg)
{
	char client[IP_PORT_STRLEN], vip[IP_PORT_STRLEN], endpoint[IP_PORT_STRLEN];

	buf_addf(arg, "%d %s %s %s %s %u%s%s\n", c->proto,
		ip_print_port(&c->client, c->client_port, client),
		ip_print_port(&c->vip, c->vip_port, vip),
		ip_print_port(&c->endpoint, c->endpoint_port, endpoint), c->state, c->expires,
		connection_is_active(c) ? " active" : "", c->template ? " template" : "");
}

static void assert_parsed(const char *line, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct connection c;

	assert_true(connection_parse(line, &c));
	add_connection(&c, &b);
	assert_string_equal(buf_str(&b), want);
}

static void lines_of_the_kernel_are_read(void **state)
{
	(void)state;
	assert_parsed(TCP,
		"6 192.168.50.10:40000 10.96.0.10:80 10.244.1.11:8080 ESTABLISHED 898 active\n");
	assert_parsed(UDP, "17 192.168.50.10:40001 10.96.0.53:53 10.244.1.12:5353 UDP 297\n");
	assert_parsed(SIP, "17 192.168.50.10:40001 10.96.0.53:53 10.244.1.12:5353 UDP 297\n");
	assert_parsed(IPV6,
		"6 [fd00:50::10]:40000 [fd00:96::10]:80 [fd00:10:244:1::11]:8080 SYN_RECV 57\n");
	assert_parsed(TEMPLATE,
		"6 192.168.50.10:0 10.96.0.10:80 10.244.1.11:8080 ASSURED 10790 template\n");
}

static void a_template_of_a_firewall_mark_has_it_in_place_of_the_vip(void **state)
{
	struct connection c;

	(void)state;
	assert_true(connection_parse(MARK, &c));
	assert_true(c.template && !c.proto);
	assert_int_equal(connection_fwmark(&c), 0x100000);
}

static void other_lines_are_refused(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		HEADER,
		"TCP",
		"TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED",
		"TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED -1",
		"TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED 4294967296",
		"TCP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 A_STATE_OF_TWENTY_AND 1",
		"TCP C0A8320  9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED 1",
		"TCP C0A8320G 9C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED 1",
		"TCP C0A8320A 19C40 0A60000A 0050 0AF4010B 1F90 ESTABLISHED 1",
		"TCP fd00-0050-0000-0000-0000-0000-0000-0010 9C40 0A60000A 0050 0AF4010B 1F90 NONE 1",
		"TCP fd00:0050:0000:0000:0000:0000:0000:0010 9C40 0A60000A 0050 0AF4010B 1F90 NONE 1",
		"ESP C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 NONE 1",
		"IP  C0A8320A 9C40 0A60000A 0050 0AF4010B 1F90 NONE 1",
	};
	struct connection c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_false(connection_parse(lines[i], &c));
}

static int read_table(const char *text, struct buf *out, uint64_t *skipped, struct err *err)
{
	FILE *table = fmemopen((void *)text, strlen(text), "r");
	int r;

	assert_non_null(table);
	r = connections_read(table, add_connection, out, skipped, err);
	fclose(table);
	return r;
}

static void a_table_is_read_from_its_header_on(void **state)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	struct err err = { 0 };
	uint64_t skipped;

	(void)state;
	assert_int_equal(read_table(HEADER TCP "dance\n" UDP, &b, &skipped, &err), 0);
	assert_int_equal(skipped, 1);
	assert_string_equal(buf_str(&b),
		"6 192.168.50.10:40000 10.96.0.10:80 10.244.1.11:8080 ESTABLISHED 898 active\n"
		"17 192.168.50.10:40001 10.96.0.53:53 10.244.1.12:5353 UDP 297\n");
	assert_int_equal(read_table(TCP, &b, &skipped, &err), -EPROTO);
	assert_string_equal(err.msg, "the table of connections has no header");
}

static void a_line_without_end_is_one_line(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 }, b = { 0 };
	struct err err = { 0 };
	uint64_t skipped;

	(void)state;
	buf_adds(&text, HEADER);
	for (size_t i = 0; i < 500; i++)
		buf_adds(&text, "TCP C0A8320A ");
	buf_adds(&text, "\n" TCP);
	assert_int_equal(read_table(buf_str(&text), &b, &skipped, &err), 0);
	assert_int_equal(skipped, 1);
	assert_string_equal(buf_str(&b),
		"6 192.168.50.10:40000 10.96.0.10:80 10.244.1.11:8080 ESTABLISHED 898 active\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_kernel_are_read),
		cmocka_unit_test(a_template_of_a_firewall_mark_has_it_in_place_of_the_vip),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(a_table_is_read_from_its_header_on),
		cmocka_unit_test(a_line_without_end_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
