// SPDX-License-Identifier: GPL-2.0-or-later
#include "tree.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/printable.h"
#include "decode/yaml.h"

const char *tree_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

json_int_t tree_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool tree_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

void tree_address_port(const json_t *object, struct buf *out)
{
	const char *address = tree_text(object, "address");

	buf_addf(out, strchr(address, ':') ? "[%s]:%lld" : "%s:%lld", address,
		tree_number(object, "port"));
}

void tree_virtual_server(const json_t *object, struct buf *out)
{
	if (json_object_get(object, "fwmark")) {
		buf_addf(out, "fwmark:%lld/%s", tree_number(object, "fwmark"),
			tree_text(object, "family"));
		return;
	}
	tree_address_port(object, out);
	buf_addf(out, "/%s", tree_text(object, "protocol"));
}

int tree_print(const json_t *tree, bool yaml, struct buf *out, struct err *err)
{
	_cleanup_free_ char *json = NULL;

	if (yaml)
		return yaml_print(tree, out, err);
	json = json_dumps(tree, JSON_INDENT(2) | JSON_ENCODE_ANY);
	assert(json);
	printable_add_json(out, json);
	buf_addc(out, '\n');
	return 0;
}

void tree_freep(json_t **tree)
{
	json_decref(*tree);
}
