// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int main(void)
{
	return cmocka_run_group_tests((struct CMUnitTest[]){ 0 }, NULL, NULL);
}
