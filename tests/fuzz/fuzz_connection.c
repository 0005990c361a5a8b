// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes read as the kernel's table of connections, or are an error in words; what they say can be
 * counted, and printed as JSON. */
#include <errno.h>
#include <string.h>

#include "../../src/cli/conns_tally.h"
#include "base/mem.h"
#include "fuzz.h"

static void take_fuzzed(const struct connection *c, void *arg)
{
	must(strlen(c->state) < sizeof(c->state) && c->client.family == c->vip.family);
	must(c->proto || c->template);
	conns_count(c, arg);
	conns_print(c, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_strndup((const char *)data, size);
	FILE *table = fmemopen(text, size + 1, "r"), *out = fopen("/dev/null", "w");
	struct conns *conns = conns_new(NULL);
	struct err err = { 0 };
	uint64_t skipped;
	json_t *totals;
	int r;

	must(table && out);
	conns_list(conns, out, size & 1, true);
	r = connections_read(table, take_fuzzed, conns, &skipped, &err);
	must(!r || (r == -EPROTO && err.msg[0]));
	conns_flush(conns);
	totals = conns_totals_json(conns);
	must(totals);
	json_decref(totals);
	conns_free(conns);
	fclose(table);
	fclose(out);
	return 0;
}
