/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_DECODE_KINDS_H
#define DECODE_DECODE_KINDS_H

#include "decode/decode.h"
#include "decode/reader.h"

/*
 * One function a kind; each fills the empty object that it gets. Kind, namespace and name have been
 * read by the caller, who found `meta` under the root's "metadata". They return 0, or a negative
 * errno as decode_object() and decode_accepted() do with the reader's error filled in.
 *
 * Field numbers are those of generated.proto in k8s.io/api/{core,discovery}/v1 and
 * k8s.io/apimachinery/pkg/apis/meta/v1.
 */
struct decode_source {
	struct value root, meta;
};
int decode_service(struct reader *r, const struct decode_source *src, struct service *s,
	struct service_wish *ret_wish);
int decode_endpoint_slice(struct reader *r, const struct decode_source *src, struct slice *s);
int decode_endpoints(struct reader *r, const struct decode_source *src, struct slice *s);
int decode_node(struct reader *r, const struct decode_source *src, struct node *n);

/*
 * Parts of several kinds. They leave outputs alone where the field is absent. Those of the metadata
 * are read with the reader at "metadata".
 */

/* The maps of the metadata, for reader_entry() */
#define META_LABELS KEY("labels", 11)
#define META_ANNOTATIONS KEY("annotations", 12)
/* The error that the annotation of that name is `text`, and must be as `rule` says: -EINVAL. */
int decode_annotation_fail(struct reader *r, const char *name, const char *text, const char *rule);
/* Annotation ipvsctl.io/weight */
int decode_weight(struct reader *r, const struct value *meta, int32_t *ret);

/* IPPROTO_* of the field `protocol`; TCP is the API's default. */
int decode_protocol(struct reader *r, const struct value *port, struct key key, uint8_t *ret);
/* The field `name` of a port is a DNS label, or "". */
int decode_check_port_name(struct reader *r, const char *name);

#endif
