// SPDX-License-Identifier: GPL-2.0-or-later
/* Every text is read to its end, in as many steps as it has certificates. */
#include <string.h>

#include "api/certificate.h"
#include "base/mem.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_strndup((const char *)data, size);
	const char *p = text;
	struct validity v;

	for (const char *last = p; certificate_next(&p, &v); last = p)
		must(p > last && p <= text + strlen(text));
	must(!*p);
	return 0;
}
