// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes are documents or an error with a position in the text. */
#include "decode/yaml.h"
#include "fuzz.h"

static void on_document(json_t *doc, unsigned line, void *arg)
{
	char *dump = json_dumps(doc, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
	const unsigned *lines = arg;

	must(dump);
	must(line >= 1 && line <= *lines);
	free(dump);
}

/* Counts lines as libyaml does, which also ends lines at \r, NEL, LS, PS and the end. */
static unsigned count_lines(const uint8_t *data, size_t size)
{
	unsigned n = 2;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n' || data[i] == '\r' || data[i] == 0x85 || data[i] == 0xa8 ||
			data[i] == 0xa9;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	unsigned lines = count_lines(data, size), line = 1, column = 1;
	struct yaml_error err = { 0 };

	if (yaml_parse(text, size, on_document, &lines, &err)) {
		must(err.message[0]);
		must(err.line >= 1 && err.line <= lines && err.column >= 1);
	}
	for (unsigned i = 1; i <= lines && i < 4; i++)
		if (!yaml_locate(text, size, i, "items[1].spec[a].b", &line, &column))
			must(line >= i && line <= lines && column >= 1);
	return 0;
}
