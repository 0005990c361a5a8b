// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/streams.h"

#include <fcntl.h>
#include <unistd.h>

void streams_open(void)
{
	int fd;

	/* open() returns the lowest number that is free. */
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}
