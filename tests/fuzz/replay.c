// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a fuzzing harness over the files of a directory, once each. */
#include <dirent.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fuzz.h"

static void read_file(const char *path, struct buf *ret)
{
	FILE *file = fopen(path, "re");
	size_t n = 1;

	must(file);
	while (n) {
		n = fread(buf_reserve(ret, 65536), 1, 65536, file);
		ret->len += n;
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *it;
	size_t n = 0;

	must(dir);
	while ((it = readdir(dir))) {
		_cleanup_(buf_done) struct buf path = { 0 }, text = { 0 };

		if (it->d_name[0] == '.')
			continue;
		buf_addf(&path, "%s/%s", argv[1], it->d_name);
		read_file(buf_str(&path), &text);
		LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&text), text.len);
		n++;
	}
	closedir(dir);
	must(n);
	printf("%zu inputs\n", n);
	return 0;
}
