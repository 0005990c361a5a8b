/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_ALLOCATED_H
#define TESTS_ALLOCATED_H

#include <malloc.h>
#include <stddef.h>

/* Bytes that malloc() has handed out; 0 if the C library does not tell. */
static inline size_t allocated_bytes(void)
{
#ifdef HAVE_MALLINFO2
	const struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
#elif defined(__GLIBC__) /* right up to 4 GiB */
	const struct mallinfo m = mallinfo();

	return (size_t)(unsigned)m.uordblks + (unsigned)m.hblkhd;
#else
	return 0;
#endif
}

#endif
