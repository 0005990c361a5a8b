// SPDX-License-Identifier: GPL-2.0-or-later
/* A rule that can be read is printed so that it is read as the same rule again. */
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "kernel/iptables_text.h"

static void check_line(const char *text, size_t len, int family)
{
	_cleanup_(iptables_rule_done) struct iptables_rule once = { 0 }, again = { 0 };
	_cleanup_(rule_list_done) struct rule_list a = { 0 }, b = { 0 };
	_cleanup_(buf_done) struct buf printed = { 0 };
	struct rule rule;
	size_t at = 0;

	iptables_parse_rule(text, len, family, &once);
	must(strlen(once.target) <= CHAIN_NAME_LEN);
	if (!once.readable)
		return;
	rule_list_add(&a, &once.rule);
	must(rule_list_next(&a, &at, &rule) && at == a.packed.len);
	iptables_print_rule(&printed, family, NULL, &rule);
	iptables_parse_rule(buf_str(&printed), printed.len, family, &again);
	must(again.readable && !strcmp(again.target, once.target));
	rule_list_add(&b, &again.rule);
	must(a.packed.len == b.packed.len &&
		!memcmp(buf_str(&a.packed), buf_str(&b.packed), a.packed.len));
}

/* The first byte says which family; each line is a rule. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = size ? mem_strndup((const char *)data + 1, size - 1) : NULL;

	for (char *line = text, *end; line && *line; line = end + (*end == '\n')) {
		end = strchrnul(line, '\n');
		check_line(line, (size_t)(end - line), data[0] & 1 ? AF_INET6 : AF_INET);
	}
	return 0;
}
