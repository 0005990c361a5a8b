// SPDX-License-Identifier: GPL-2.0-or-later
#include "emit.h"

#include <assert.h>

#include "base/mem.h"

void emit_json(const json_t *tree, struct buf *out)
{
	_cleanup_free_ char *s = json_dumps(tree, JSON_INDENT(2) | JSON_ENCODE_ANY);

	assert(s);
	buf_adds(out, s);
	buf_addc(out, '\n');
}
