/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_DECODE_H
#define SOURCE_DECODE_H

#include <jansson.h>

#include "base/err.h"
#include "core/model.h"

/*
 * The one door from the API's objects to the model, for JSON trees (manifests come here through
 * source/yaml). Field meanings and defaults: Kubernetes API reference core/v1 and
 * discovery.k8s.io/v1. Unknown fields are ignored; a wrong type or range is an error that names the
 * field.
 */

enum object_kind { OBJECT_SERVICE, OBJECT_SLICE, OBJECT_NODE };

struct object {
	enum object_kind kind;
	union {
		struct service *service;
		struct slice *slice;
		struct node *node;
	};
};

struct decode_error {
	char object[600];  /* "Service default/web"; "" before the name is known */
	char field[128];   /* "spec.ports[0].port"; "" */
	char message[300]; /* "is 70000, must be 1..65535" */
};

/*
 * Decodes one object (not a List) of kind Service, EndpointSlice, Endpoints or Node. The caller
 * owns what is in `ret`. Returns 0, -EINVAL with an error, or -ENOTSUP (another kind, apiVersion or
 * an addressType FQDN: to be passed over, with an error that says so).
 */
int decode_object(const json_t *root, struct object *ret, struct decode_error *err);
void object_done(struct object *o);

#endif
