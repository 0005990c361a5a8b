// SPDX-License-Identifier: GPL-2.0-or-later
/* A list of ports that can be read is printed so that it is read as the same set again. */
#include "base/mem.h"
#include "base/port_set.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_strndup((const char *)data, size);
	_cleanup_(buf_done) struct buf printed = { 0 };
	struct port_set once, again;

	if (port_set_parse(text, &once))
		return 0;
	port_set_print(&printed, &once);
	must(!port_set_parse(buf_str(&printed), &again));
	must(port_set_eq(&once, &again));
	return 0;
}
