// SPDX-License-Identifier: GPL-2.0-or-later
/* Any document is an object or an error in words. A decoded document decodes again. */
#include <errno.h>

#include "check_object.h"
#include "decode/yaml.h"
#include "fuzz.h"

static void decode_again(const json_t *tree)
{
	char *dump = json_dumps(tree, JSON_SORT_KEYS | JSON_COMPACT);
	struct decode_error err;
	struct object o;
	json_t *copy;

	must(dump);
	copy = json_loads(dump, JSON_DECODE_ANY, NULL);
	must(copy);
	must(!decode_object(copy, &o, &err));
	object_done(&o);
	json_decref(copy);
	free(dump);
}

static void on_document(json_t *doc, unsigned line, void *arg)
{
	struct decode_error err;
	struct object o;
	int r = decode_object(doc, &o, &err);

	(void)line;
	(void)arg;
	if (r) {
		must(r == -EINVAL || r == -ENOTSUP);
		must(err.message[0]);
		return;
	}
	check_object(&o);
	object_done(&o);
	decode_again(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_error err;

	yaml_parse((const char *)data, size, on_document, NULL, &err);
	return 0;
}
