// SPDX-License-Identifier: GPL-2.0-or-later
/* Any line is a fact or an error in words. A fact is printed as a line that parses to it. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "core/fact.h"
#include "core/fact_text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *line = mem_strndup((const char *)data, size);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct fact f, again;
	struct err err = { 0 };
	int r = fact_parse(line, &f, &err);

	if (r) {
		must(r == -EINVAL && err.msg[0]);
		return 0;
	}
	fact_print(&text, &f);
	must(!fact_parse(buf_str(&text), &again, &err));
	must(fact_key_eq(&f.key, &again.key) && fact_val_eq(&f.val, &again.val));
	return 0;
}
