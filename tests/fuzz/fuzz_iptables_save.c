// SPDX-License-Identifier: GPL-2.0-or-later
/* Any output of iptables-save is chains or an error in words, and rules in their normal form stay
 * as they are. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "../../src/kernel/iptables_save.h"
#include "base/list.h"
#include "base/mem.h"
#include "fuzz.h"

static void check_rules(const char *text, int family)
{
	while (*text) {
		_cleanup_(buf_done) struct buf once = { 0 }, again = { 0 };
		size_t len = strcspn(text, "\n");

		saved_normalise(text, len, family, &once);
		must(once.len && buf_str(&once)[once.len - 1] == '\n');
		saved_normalise(buf_str(&once), once.len - 1, family, &again);
		must(!strcmp(buf_str(&again), buf_str(&once)));
		text += len + (text[len] == '\n');
	}
}

/* The first byte says which table of which family. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = size ? mem_strndup((const char *)data + 1, size - 1) : NULL;
	struct err err = { 0 };
	struct saved s = { 0 };
	int r;

	if (!size)
		return 0;
	s.family = data[0] & 1 ? AF_INET6 : AF_INET;
	r = saved_add(&s, (data[0] >> 1) % (TABLE_MANGLE + 1), text, &err);
	must(!r || (r == -EPROTO && err.msg[0]));
	check_rules(text, s.family);
	saved_done(&s);
	return 0;
}
