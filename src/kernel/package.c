// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/package.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { OS_RELEASE_SIZE = 4096 };

const char *package_of_modules(const struct utsname *kernel, char s[static PACKAGE_NAME_SIZE])
{
	static const char cloud[] = "-cloud-";
	const char *at = strstr(kernel->release, cloud);

	*s = '\0';
	if (strstr(kernel->release, ".el") || strstr(kernel->release, ".fc"))
		snprintf(s, PACKAGE_NAME_SIZE, "kernel-modules-extra");
	else if (strstr(kernel->version, "Ubuntu"))
		snprintf(s, PACKAGE_NAME_SIZE, "linux-modules-extra-%s", kernel->release);
	/* All other kernels of Debian have their modules in one package. */
	else if (at && strstr(kernel->version, "Debian"))
		snprintf(s, PACKAGE_NAME_SIZE, "linux-image-%s", at + strlen(cloud));
	return s;
}

/* Whether a line like ID_LIKE="rhel centos fedora" has the word. */
static bool line_has(const char *line, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = strchr(line, '=') + 1; *p && *p != '\n'; p += strcspn(p, "\" \n")) {
		p += strspn(p, "\" ");
		if (!strncmp(p, word, len) && strchr("\" \n", p[len]))
			return true;
	}
	return false;
}

const char *package_of_iptables(const char *os_release)
{
	static const char *const keys[] = { "ID=", "ID_LIKE=" };
	static const char *const with_nft[] = { "rhel", "fedora", "centos" };

	for (const char *line = os_release; *line;
		line += strcspn(line, "\n"), line += *line == '\n')
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			for (size_t i = 0; i < ARRAY_SIZE(with_nft); i++)
				if (!strncmp(line, keys[k], strlen(keys[k])) &&
					line_has(line, with_nft[i]))
					return "iptables-nft";
	return "iptables";
}

void package_suggest_modules(struct err *err)
{
	char package[PACKAGE_NAME_SIZE];
	struct utsname kernel = { 0 };

	uname(&kernel);
	if (*package_of_modules(&kernel, package))
		err_suffix(err, "the package %s brings more modules of this kernel", package);
}

void package_suggest_iptables(struct err *err)
{
	char text[OS_RELEASE_SIZE] = "";
	FILE *f = fopen("/etc/os-release", "re");

	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	err_suffix(err, "install the package %s (1.8 or newer)", package_of_iptables(text));
}
