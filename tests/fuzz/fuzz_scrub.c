// SPDX-License-Identifier: GPL-2.0-or-later
/* Whatever the text is, no PEM block is left of it, and it grows by a constant factor only. */
#include <string.h>

#include "base/mem.h"
#include "bundle.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_strndup((const char *)data, size);
	_cleanup_(buf_done) struct buf once = { 0 };

	bundle_scrub(text, &once);
	must(!strstr(buf_str(&once), "-----BEGIN "));
	must(once.len <= 8 * strlen(text) + 16);
	return 0;
}
