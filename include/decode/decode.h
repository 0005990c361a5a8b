/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/model.h"
#include "decode/value.h"

/*
 * The one door from the API's objects to the model, for JSON trees (of manifests through
 * decode/yaml) and protobuf messages. Field meanings and defaults: Kubernetes API reference core/v1
 * and discovery.k8s.io/v1. Unknown fields are ignored.
 *
 * In a manifest a wrong type or range is an error that names the field. An API server has accepted
 * its objects by rules of its own. There, as in kube-proxy, a wrong field does not discard the
 * object: the innermost wrong element of a list is left out, any other wrong field counts as
 * absent, and the error describes the first of them although the call succeeds.
 */

enum object_kind { OBJECT_SERVICE, OBJECT_ENDPOINTS, OBJECT_ENDPOINT_SLICE, OBJECT_NODE };
/* As in the API: "EndpointSlice". */
const char *object_kind_name(enum object_kind kind);

enum { NAMESPACE_MAX_LEN = 63, OBJECT_ID_STRLEN = 340 };

/* The identity of an object. */
struct object_id {
	enum object_kind kind;
	char ns[NAMESPACE_MAX_LEN + 1]; /* "" for a Node, which has none */
	char name[NAME_MAX_LEN + 1];
};
/* "Service default/web", "Node node-a" into `s`, which is returned. */
const char *object_id_print(const struct object_id *id, char s[static OBJECT_ID_STRLEN]);

/*
 * Requests of a Service to an API server. The model does not keep them, because in a running
 * cluster they have been granted.
 */
struct service_wish {
	/* spec.ipFamilies as AF_INET or AF_INET6; 0: not set */
	uint8_t families[2];
	bool prefer_dual_stack;	 /* spec.ipFamilyPolicy is PreferDualStack or RequireDualStack */
	bool require_dual_stack; /* ... RequireDualStack */
	/* The type has node ports, and spec.allocateLoadBalancerNodePorts is not false. */
	bool node_ports;
};

struct object {
	enum object_kind kind;
	union {
		struct service *service;
		struct slice *slice; /* of both kinds of endpoints */
		struct node *node;
	};
	struct service_wish wish; /* of a Service */
};

struct decode_error {
	struct object_id id;	       /* name "" before it is known */
	char object[OBJECT_ID_STRLEN]; /* "Service default/web"; "" before the name is known */
	char field[160];	       /* "spec.ports[0].port"; "" */
	char message[300];	       /* "is 70000, must be 1..65535" */
};

/*
 * Reads only the identity. Returns 0, or with an error -EINVAL or -ENOTSUP: field "kind" for a
 * foreign kind of object, "apiVersion" for another version of one of our kinds.
 */
int decode_id(const json_t *root, struct object_id *ret, struct decode_error *err);
/*
 * Decodes one object (not a List). The caller owns what is in `ret`. Returns 0, -EINVAL with an
 * error, or -ENOTSUP as decode_id() does, and for an EndpointSlice of addressType FQDN (field
 * "addressType").
 */
int decode_object(const json_t *root, struct object *ret, struct decode_error *err);
/*
 * As decode_object(), for an object that an API server has sent: an element of a list, or the
 * object of an event, whose kind is known from the requested resource. `root` is a JSON tree
 * (value_of_json()) or the object's own protobuf message (value_of_message()). -ENOTSUP also for an
 * EndpointSlice that names no Service; -EBADMSG: the bytes are no such message.
 */
int decode_accepted(
	enum object_kind kind, struct value root, struct object *ret, struct decode_error *err);
void object_done(struct object *o);

#endif
