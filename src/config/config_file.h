/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_CONFIG_FILE_H
#define CONFIG_CONFIG_FILE_H

#include "config/config.h"

/*
 * Sets the values that the KubeProxyConfiguration c->file gives. Notes every mistake with its key,
 * and warns of keys that nothing reads. Printing is in config/config.h: config_tree().
 */
void config_file(struct config *c);

#endif
