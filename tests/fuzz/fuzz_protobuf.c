// SPDX-License-Identifier: GPL-2.0-or-later
/* The first byte selects the kind. Any bytes behind it are such an object or an error in words. */
#include <errno.h>

#include "check_object.h"
#include "decode/protobuf.h"
#include "fuzz.h"

static void check_fields(const uint8_t *data, size_t size)
{
	struct pb pb = pb_make(data, size);
	struct pb_field f;

	while (pb_next(&pb, &f))
		must(f.type != PB_BYTES || (f.bytes >= data && f.bytes + f.len <= pb.p));
	must(pb.bad == !pb_is_valid(pb_make(data, size)));
	must(pb.bad || pb.p == data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decode_error err;
	enum object_kind kind;
	struct object o;
	int r;

	if (!size)
		return 0;
	kind = data[0] % (OBJECT_NODE + 1);
	check_fields(data + 1, size - 1);
	r = decode_accepted(kind, value_of_message(data + 1, size - 1), &o, &err);
	if (r) {
		must(r == -EINVAL || r == -EBADMSG || r == -ENOTSUP);
		must(err.message[0]);
		return 0;
	}
	must(o.kind == kind);
	must(err.id.kind == kind && err.id.name[0]);
	check_object(&o);
	object_done(&o);
	return 0;
}
