// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipset_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_ERRNO = 133 };

/* lib/errcode.c and lib/session.c of ipset 6 and 7; the beginning is enough. */
static const struct {
	const char *begin;
	int error;
} messages[] = {
	{ "The set with the given name does not exist", -ENOENT },
	{ "Sets cannot be swapped: the second set does not exist", -ENOENT },
	{ "Set cannot be created: set with the same name already exists", -EEXIST },
	{ "Set cannot be renamed: a set with the new name already exists", -EEXIST },
	{ "Set cannot be destroyed: it is in use", -EBUSY },
	{ "Set cannot be renamed: it is in use", -EBUSY },
	{ "The sets cannot be swapped: their type does not match", -EPROTOTYPE },
	{ "Hash is full", -ENOSPC },
	{ "Kernel error received: maximal number of sets reached", -ENOSPC },
	{ "Kernel error received: set type not supported", -EOPNOTSUPP },
	{ "Kernel error received: set type does not supported", -EOPNOTSUPP },
	{ "Kernel supports ", -EOPNOTSUPP }, /* another revision of the type than libipset */
	{ "Kernel-library incompatibility", -EOPNOTSUPP },
	{ "Kernel error received: ipset protocol error", -EPROTO },
	{ "Kernel error received: message could not be created", -EMSGSIZE },
	/* no answer, or none that libipset understood */
	{ "Internal protocol error", -ENOBUFS },
};

/* The others end in strerror() of what the kernel said. */
static int kernel_error(const char *text)
{
	static const char begin[] = "Kernel error received: ";
	size_t len;

	if (strncmp(text, begin, strlen(begin)) != 0)
		return -EINVAL;
	text += strlen(begin);
	len = strcspn(text, "\n");
	for (int e = 1; e <= MAX_ERRNO; e++)
		if (strlen(strerror(e)) == len && !strncmp(text, strerror(e), len))
			return -e;
	return -EINVAL;
}

int ipset_text_errno(const char *text, uint32_t *ret_line)
{
	int len = 0;

	*ret_line = 0;
	if (sscanf(text, "Error in line %u: %n", ret_line, &len) == 1)
		text += len;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		if (!strncmp(text, messages[i].begin, strlen(messages[i].begin)))
			return messages[i].error;
	return kernel_error(text);
}
