// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes parse as the output of iptables-save, or are an error in words. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "../../src/kernel/iptables_save.h"
#include "base/mem.h"
#include "fuzz.h"
#include "kernel/iptables_gate.h"

/* The first byte selects the table and the family. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = size ? mem_strndup((const char *)data + 1, size - 1) : NULL;
	const struct gate_packets forwarded = { HOOK_FORWARD, .translated = true };
	struct err err = { 0 };
	struct saved s = { 0 };
	int r;

	if (!size)
		return 0;
	s.family = data[0] & 1 ? AF_INET6 : AF_INET;
	r = saved_add(&s, (data[0] >> 1) % (TABLE_MANGLE + 1), text, &err);
	must(!r || (r == -EPROTO && err.msg[0]));
	must(iptables_gate_read(text, s.family, &forwarded) <= GATE_RULE);
	saved_done(&s);
	return 0;
}
