// SPDX-License-Identifier: GPL-2.0-or-later
/* What a check finds, as doctor prints it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/printable.h"
#include "doctor.h"

const char doctor_api_why[] =
	"The kernel keeps the last known Services. Changes of Services and endpoints do not arrive, so "
	"that clients are sent to pods that are gone.";

void doctor_say(json_t *finding, const char *member, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf clean = { 0 };
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		abort(); /* out of memory, as in base/mem.h */
	printable_add(&clean, text);
	json_object_set_new(finding, member, json_string(buf_str(&clean)));
}

json_t *doctor_finding(json_t *findings, const char *name, const char *why)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "level", "warning",
		"seen", "", "why", why, "remedy", "", "command", "");

	json_array_append_new(findings, o);
	return o;
}
