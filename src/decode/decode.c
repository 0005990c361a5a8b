// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/decode.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
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

/* An entry of metadata.labels or metadata.annotations */
static int metadata_entry(struct reader *r, const struct value *meta, struct key map,
	const char *name, const char **ret)
{
	size_t mark = reader_enter(r, "metadata");
	int e = reader_entry(r, meta, map, name, ret);

	reader_leave(r, mark);
	return e;
}

int decode_annotation(
	struct reader *r, const struct value *meta, const char *name, const char **ret)
{
	return metadata_entry(r, meta, KEY("annotations", 12), name, ret);
}

int decode_label(struct reader *r, const struct value *meta, const char *name, const char **ret)
{
	return metadata_entry(r, meta, KEY("labels", 11), name, ret);
}

int decode_annotation_fail(struct reader *r, const char *name, const char *fmt, ...)
{
	char message[sizeof(r->err->message)];
	size_t mark = reader_enter(r, "metadata");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	reader_enter(r, "annotations");
	reader_enter_name(r, name);
	reader_fail(r, "%s", message);
	reader_leave(r, mark);
	return -EINVAL;
}

int decode_weight(struct reader *r, const struct value *meta, int32_t *ret)
{
	static const char key[] = "ipvsctl.io/weight";
	char quoted[QUOTE_SIZE];
	const char *text = NULL;
	int32_t weight = 0;
	size_t len;
	int e = decode_annotation(r, meta, key, &text);

	if (e || !text)
		return e;
	len = strlen(text);
	for (size_t i = 0; i < len && i < 6; i++)
		weight = weight * 10 + (text[i] - '0');
	if (!len || len > 5 || strspn(text, "0123456789") != len || weight > UINT16_MAX)
		return decode_annotation_fail(
			r, key, "is %s, must be a number 0..65535", reader_quote(text, quoted));
	*ret = weight;
	return 0;
}

int decode_resource_version(struct reader *r, const struct value *meta, const char **ret)
{
	size_t mark = reader_enter(r, "metadata");
	int e = reader_string(r, meta, KEY("resourceVersion", 6), ret);

	reader_leave(r, mark);
	return e;
}

int decode_time(struct reader *r, const struct value *meta, struct key key, int64_t *ret_us)
{
	size_t mark = reader_enter(r, "metadata");
	int e = reader_time(r, meta, key, ret_us);

	reader_leave(r, mark);
	return e;
}

int decode_protocol(struct reader *r, const struct value *port, struct key key, uint8_t *ret)
{
	static const char *const names[] = { "TCP", "UDP", "SCTP", NULL };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	unsigned i = 0;
	int e = reader_word(r, port, key, names, &i);

	if (!e)
		*ret = protos[i];
	return e;
}

/* Which object it is */

static int not_ours(struct decode_error *err, const char *field, const char *text)
{
	char quoted[QUOTE_SIZE];

	snprintf(err->field, sizeof(err->field), "%s", field);
	snprintf(err->message, sizeof(err->message), "is %s, which is not read here",
		reader_quote(text, quoted));
	return -ENOTSUP;
}

/* "group/version", or the version alone in the core group */
static const char *split_version(const char *api, size_t *ret_group_len)
{
	const char *slash = strchr(api, '/');

	*ret_group_len = slash ? (size_t)(slash - api) : 0;
	return slash ? slash + 1 : api;
}

/* Only JSON says it: in a message of its own kind every object is. */
static int decode_kind(struct reader *r, const struct value *root, enum object_kind *ret)
{
	const char *kind = NULL, *api = NULL, *version;
	size_t group_len;
	int e = reader_text(r, root, KEY("kind", 0), &kind);

	e = e ? e : reader_text(r, root, KEY("apiVersion", 0), &api);
	if (e)
		return e;
	if (!kind || !api)
		return reader_fail_at(r, kind ? "apiVersion" : "kind", "is missing");
	version = split_version(api, &group_len);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i].name) != 0 || strlen(kinds[i].group) != group_len ||
			strncmp(api, kinds[i].group, group_len) != 0)
			continue;
		*ret = (enum object_kind)i;
		return strcmp(version, kinds[i].version) ? not_ours(r->err, "apiVersion", api) : 0;
	}
	return not_ours(r->err, "kind", kind);
}

static int read_namespace(struct reader *r, const struct value *meta, struct object_id *id)
{
	const char *ns = "default";
	int e = reader_text(r, meta, KEY("namespace", 3), &ns);
	size_t mark;

	if (e)
		return e;
	mark = reader_enter(r, "namespace");
	e = reader_check_label(r, ns);
	reader_leave(r, mark);
	if (!e)
		strcpy(id->ns, ns);
	return e;
}

static int read_name(struct reader *r, const struct value *meta, struct object_id *id)
{
	const char *name = NULL;
	int e = reader_text(r, meta, KEY("name", 1), &name);
	size_t mark;

	if (e)
		return e;
	if (!name)
		return reader_fail_at(r, "name", "is missing");
	mark = reader_enter(r, "name");
	e = reader_check_name(r, name);
	reader_leave(r, mark);
	if (!e)
		strcpy(id->name, name);
	return e;
}

/* Of an object whose kind is known. */
static int read_id(struct reader *r, struct decode_source *src, struct object_id *id)
{
	size_t mark;
	int e = reader_object(r, &src->root, KEY("metadata", 1), &src->meta);

	if (e)
		return e;
	mark = reader_enter(r, "metadata");
	e = read_name(r, &src->meta, id);
	if (!e && kinds[id->kind].namespaced)
		e = read_namespace(r, &src->meta, id);
	reader_leave(r, mark);
	if (e)
		return e;
	r->err->id = *id;
	object_id_print(id, r->err->object);
	return 0;
}

static int read_kind_and_id(struct reader *r, struct decode_source *src, struct object_id *id)
{
	int e;

	if (!json_is_object(src->root.json))
		return reader_fail(r, "must be a mapping with apiVersion, kind and metadata");
	e = decode_kind(r, &src->root, &id->kind);
	return e ? e : read_id(r, src, id);
}

int decode_id(const json_t *root, struct object_id *ret, struct decode_error *err)
{
	_cleanup_(reader_done) struct reader r = { .err = err };
	struct decode_source src = { .root = value_of_json(root) };
	struct object_id id = { 0 };
	int e;

	*err = (struct decode_error){ 0 };
	e = read_kind_and_id(&r, &src, &id);
	if (!e)
		*ret = id;
	return e;
}

/* The whole object */

static int decode_one_service(struct reader *r, const struct decode_source *src,
	const struct object_id *id, struct object *ret)
{
	struct service *s = ret->service = service_new();

	r->arena = &s->arena;
	s->ns = arena_strdup(r->arena, id->ns);
	s->name = arena_strdup(r->arena, id->name);
	return decode_service(r, src, s, &ret->wish);
}

static int decode_one_slice(struct reader *r, const struct decode_source *src,
	const struct object_id *id, struct object *ret)
{
	struct slice *s = ret->slice = slice_new();

	r->arena = &s->arena;
	s->ns = arena_strdup(r->arena, id->ns);
	s->name = arena_strdup(r->arena, id->name);
	return id->kind == OBJECT_ENDPOINTS ? decode_endpoints(r, src, s)
					    : decode_endpoint_slice(r, src, s);
}

static int decode_one_node(struct reader *r, const struct decode_source *src,
	const struct object_id *id, struct object *ret)
{
	struct node *n = ret->node = node_new();

	r->arena = &n->arena;
	n->name = arena_strdup(r->arena, id->name);
	return decode_node(r, src, n);
}

static int decode_contents(struct reader *r, const struct decode_source *src,
	const struct object_id *id, struct object *ret)
{
	struct object o = { .kind = id->kind };
	int e = 0;

	switch (o.kind) {
	case OBJECT_SERVICE:
		e = decode_one_service(r, src, id, &o);
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		e = decode_one_slice(r, src, id, &o);
		break;
	case OBJECT_NODE:
		e = decode_one_node(r, src, id, &o);
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
	e = read_kind_and_id(&r, &src, &id);
	return e ? e : decode_contents(&r, &src, &id, ret);
}

/* What an API server has accepted, of a resource whose kind is known. */
static int decode_accepted(
	enum object_kind kind, struct value root, struct object *ret, struct decode_error *err)
{
	_cleanup_(reader_done) struct reader r = { .err = err, .lenient = true };
	struct decode_source src = { .root = root };
	struct object_id id = { .kind = kind };
	int e;

	*err = (struct decode_error){ 0 };
	e = reader_value_object(&r, &src.root);
	e = e ? e : read_id(&r, &src, &id);
	return e ? e : decode_contents(&r, &src, &id, ret);
}

int decode_element(
	enum object_kind kind, const json_t *root, struct object *ret, struct decode_error *err)
{
	return decode_accepted(kind, value_of_json(root), ret, err);
}

int decode_protobuf(enum object_kind kind, const void *data, size_t len, struct object *ret,
	struct decode_error *err)
{
	return decode_accepted(kind, value_of_message(data, len), ret, err);
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
