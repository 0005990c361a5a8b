/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_SCALAR_H
#define DECODE_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The value of a YAML scalar, typed as sigs.k8s.io/yaml (go-yaml v2) types it for Kubernetes.
 * `plain` is false for quoted and block scalars; `tag` is the resolved tag or NULL. `text` has no
 * NUL inside. Returns a new reference, or NULL with a message that continues "the value ".
 */
json_t *scalar_value(const char *text, size_t len, const char *tag, bool plain, char message[120]);

#endif
