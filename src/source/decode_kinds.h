/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_DECODE_KINDS_H
#define SOURCE_DECODE_KINDS_H

#include "reader.h"
#include "source/decode.h"

/*
 * One function a kind; each fills the empty object that it gets. Kind, namespace and name have been
 * read by the caller. They return 0, -EINVAL or -ENOTSUP with the reader's error filled in.
 */
int decode_service(
	struct reader *r, const json_t *root, struct service *s, struct service_wish *ret_wish);
int decode_endpoint_slice(struct reader *r, const json_t *root, struct slice *s);
int decode_endpoints(struct reader *r, const json_t *root, struct slice *s);
int decode_node(struct reader *r, const json_t *root, struct node *n);

/*
 * Parts of several kinds. They leave outputs alone where the field is absent.
 */

/* IPPROTO_* of the field `protocol`; TCP is the API's default. */
int decode_protocol(struct reader *r, const json_t *port, uint8_t *ret);
/* metadata.annotations[KEY] or metadata.labels[KEY], borrowed from the tree */
int decode_annotation(struct reader *r, const json_t *root, const char *key, const char **ret);
int decode_label(struct reader *r, const json_t *root, const char *key, const char **ret);
/* An error about that annotation. Returns -EINVAL. */
int decode_annotation_fail(struct reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Annotation ipvsctl.io/weight */
int decode_weight(struct reader *r, const json_t *root, int32_t *ret);
int decode_resource_version(struct reader *r, const json_t *root, const char **ret);

#endif
