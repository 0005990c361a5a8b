/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MANIFEST_OBJECTS_H
#define MANIFEST_MANIFEST_OBJECTS_H

#include "catalog.h"
#include "decode/yaml.h"

/* From the text of one file to the definitions in it. */
struct manifest_objects {
	struct catalog *catalog;
	struct problems *problems;
	const char *path;
	struct list *definitions; /* of struct definition.in_file */
	struct list *owner;	  /* of the problems */
	const char *text;
	size_t len;
	/* From here on its own: zeroed at first. */
	struct manifest_document {
		json_t *tree;
		unsigned line;
	} * documents;
	size_t n_documents, cap_documents;
	const struct manifest_document *document; /* the current one */
	const char *item;			  /* path of the object in it: "", or "items[5]" */
	size_t n_problems;
	size_t located; /* bytes parsed again to find the places of errors */
};

/* Reads the documents. Returns 0, or -EINVAL: then there is nothing to take. */
int manifest_objects_parse(struct manifest_objects *m, struct yaml_error *err);
/*
 * Tells the catalog what the documents define and what they define no more, and the problems;
 * frees the documents.
 */
void manifest_objects_take(struct manifest_objects *m);

#endif
