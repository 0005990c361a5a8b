// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/decode.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "decode_kinds.h"

static const struct {
	const char *name, *group, *version;
	bool namespaced;
} kinds[] = {
	[OBJECT_SERVICE] = { "Service", "", "v1", true },
	[OBJECT_ENDPOINTS] = { "Endpoints", "", "v1", true },
	[OBJECT_ENDPOINT_SLICE] = { "EndpointSlice", "discovery.k8s.io", "v1", true },
	[OBJECT_NODE] = { "Node", "", "v1", false },
};

const char *object_kind_name(enum object_kind kind)
{
	return kinds[kind].name;
}

const char *object_id_print(const struct object_id *id, char s[static OBJECT_ID_STRLEN])
{
	snprintf(s, OBJECT_ID_STRLEN, "%s %s%s%s", kinds[id->kind].name, id->ns, *id->ns ? "/" : "",
		id->name);
	return s;
}

/* Parts of several kinds */

int decode_annotation_fail(struct reader *r, const char *name, const char *text, const char *rule)
{
	char quoted[QUOTE_SIZE];

	reader_within(r, "annotations");
	reader_enter_name(r, name);
	return reader_fail(r, "is %s, must be %s", reader_quote(text, quoted), rule);
}

int decode_weight(struct reader *r, const struct value *meta, int32_t *ret)
{
	static const char key[] = "ipvsctl.io/weight";
	const char *text = NULL;
	uint64_t weight;
	int e = reader_entry(r, meta, META_ANNOTATIONS, key, &text);

	if (e || !text)
		return e;
	if (strlen(text) > 5 || number_parse(text, UINT16_MAX, &weight))
		return decode_annotation_fail(r, key, text, "a number 0..65535");
	*ret = (int32_t)weight;
	return 0;
}

int decode_protocol(struct reader *r, const struct value *port, struct key key, uint8_t *ret)
{
	static const char *const names[] = { "TCP", "UDP", "SCTP", NULL };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	unsigned i = 0;
	int e = reader_word_or_empty(r, port, key, names, &i);

	if (!e)
		*ret = protos[i];
	return e;
}

int decode_check_port_name(struct reader *r, const char *name)
{
	reader_within(r, "name");
	return *name ? reader_check_name(r, name, READER_LABEL) : 0;
}

/* Which object it is */

/* Only JSON has these fields: the kind of a protobuf message is known from the resource. */
static int read_kind(struct reader *r, const struct value *root, enum object_kind *ret)
{
	const char *kind = NULL, *api = NULL, *slash, *version;
	char quoted[QUOTE_SIZE];
	size_t group_len;
	int e;

	if (!json_is_object(root->json))
		return reader_fail(r, "must be a mapping with apiVersion, kind and metadata");
	e = reader_text(r, root, KEY("kind", 0), &kind);
	e = e ?: reader_text(r, root, KEY("apiVersion", 0), &api);
	if (e)
		return e;
	if (!kind || !api)
		return reader_fail_at(r, kind ? "apiVersion" : "kind", "is missing");

	/* "group/version", or the version alone in the core group */
	slash = strchr(api, '/');
	version = slash ? slash + 1 : api;
	group_len = slash ? (size_t)(slash - api) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i].name) != 0 || strlen(kinds[i].group) != group_len ||
			strncmp(api, kinds[i].group, group_len) != 0)
			continue;
		*ret = (enum object_kind)i;
		if (!strcmp(version, kinds[i].version))
			return 0;
		reader_fail_at(r, "apiVersion", "is %s, must be \"%.*s%s\"",
			reader_quote(api, quoted), (int)(version - api), api, kinds[i].version);
		return -ENOTSUP;
	}
	reader_fail_at(r, "kind", "is %s, which is not read here", reader_quote(kind, quoted));
	return -ENOTSUP;
}

/* Name and namespace of an object whose kind is known. */
static int read_id(struct reader *r, struct decode_source *src, struct object_id *id)
{
	const char *name = NULL, *ns = "default";
	size_t mark;
	int e = reader_object(r, &src->root, KEY("metadata", 1), &src->meta);

	if (e)
		return e;
	reader_within(r, "metadata");

	e = reader_text(r, &src->meta, KEY("name", 1), &name);
	if (e)
		return e;
	if (!name)
		return reader_fail_at(r, "name", "is missing");
	mark = reader_enter(r, "name");
	e = reader_check_name(r, name, READER_SUBDOMAIN);
	if (e)
		return e;
	reader_leave(r, mark);
	strcpy(id->name, name);

	if (kinds[id->kind].namespaced) {
		e = reader_text(r, &src->meta, KEY("namespace", 3), &ns);
		if (e)
			return e;
		if (!*ns)
			ns = "default"; /* as kubectl reads it */
		reader_enter(r, "namespace");
		e = reader_check_name(r, ns, READER_LABEL);
		if (e)
			return e;
		strcpy(id->ns, ns);
	}
	r->err->id = *id;
	object_id_print(id, r->err->object);
	return 0;
}

int decode_id(const json_t *root, struct object_id *ret, struct decode_error *err)
{
	_cleanup_(reader_done) struct reader r = { .err = err };
	struct decode_source src = { .root = value_of_json(root) };
	struct object_id id = { 0 };
	int e;

	*err = (struct decode_error){ 0 };
	e = read_kind(&r, &src.root, &id.kind);
	e = e ?: read_id(&r, &src, &id);
	if (!e)
		*ret = id;
	return e;
}

/* The whole object */

static int decode_contents(struct reader *r, const struct decode_source *src,
	const struct object_id *id, struct object *ret)
{
	struct object o = { .kind = id->kind };
	int e = 0;

	switch (o.kind) {
	case OBJECT_SERVICE:
		o.service = service_new();
		r->arena = &o.service->arena;
		o.service->ns = arena_strdup(r->arena, id->ns);
		o.service->name = arena_strdup(r->arena, id->name);
		e = decode_service(r, src, o.service, &o.wish);
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		o.slice = slice_new();
		r->arena = &o.slice->arena;
		o.slice->ns = arena_strdup(r->arena, id->ns);
		o.slice->name = arena_strdup(r->arena, id->name);
		e = o.kind == OBJECT_ENDPOINTS ? decode_endpoints(r, src, o.slice)
					       : decode_endpoint_slice(r, src, o.slice);
		break;
	case OBJECT_NODE:
		o.node = node_new();
		r->arena = &o.node->arena;
		o.node->name = arena_strdup(r->arena, id->name);
		e = decode_node(r, src, o.node);
		break;
	}
	if (e)
		object_done(&o);
	else
		*ret = o;
	return e;
}

int decode_object(const json_t *root, struct object *ret, struct decode_error *err)
{
	_cleanup_(reader_done) struct reader r = { .err = err };
	struct decode_source src = { .root = value_of_json(root) };
	struct object_id id = { 0 };
	int e;

	*err = (struct decode_error){ 0 };
	e = read_kind(&r, &src.root, &id.kind);
	e = e ?: read_id(&r, &src, &id);
	return e ?: decode_contents(&r, &src, &id, ret);
}

int decode_accepted(
	enum object_kind kind, struct value root, struct object *ret, struct decode_error *err)
{
	_cleanup_(reader_done) struct reader r = { .err = err, .lenient = true };
	struct decode_source src = { .root = root };
	struct object_id id = { .kind = kind };
	int e;

	*err = (struct decode_error){ 0 };
	e = reader_value_object(&r, &src.root);
	e = e ?: read_id(&r, &src, &id);
	return e ?: decode_contents(&r, &src, &id, ret);
}

void object_done(struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		service_free(take(o->service));
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		slice_free(take(o->slice));
		break;
	case OBJECT_NODE:
		node_free(take(o->node));
		break;
	}
}
