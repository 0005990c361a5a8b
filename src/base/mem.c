// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *mem_must(void *p)
{
	if (p)
		return p;
	fputs("out of memory\n", stderr);
	abort();
}

void *mem_zalloc(size_t n, size_t size)
{
	return mem_must(calloc(n ? n : 1, size));
}

void *mem_realloc(void *p, size_t n, size_t size)
{
	return mem_must(reallocarray(p, n ? n : 1, size));
}

char *mem_strdup(const char *s)
{
	return mem_must(strdup(s));
}

char *mem_strndup(const char *s, size_t n)
{
	return mem_must(strndup(s, n));
}

void mem_freep(void *pointer_to_pointer)
{
	void *p;

	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}
