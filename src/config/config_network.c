// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of values: addresses, prefixes and interfaces. */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "config_own.h"

#define NOWHERE "none" /* for a server that is not wanted */

static int read_cidr(const char *text, struct cidr *ret, struct err *err)
{
	if (cidr_parse(text, ret))
		return err_set(err, -EINVAL, "\"%.60s\" is not a CIDR such as 10.0.0.0/8", text);
	return 0;
}

static json_t *cidr_json(const struct cidr *cidr)
{
	char s[CIDR_STRLEN];

	return json_string(cidr_print(cidr, s));
}

/* One CIDR a family, IPv4 before IPv6 */

static int add_to_pair(
	void *target, const struct option_row *o, const char *element, struct err *err)
{
	struct cidr cidr, *place;
	int r = read_cidr(element, &cidr, err);

	if (r < 0)
		return r;
	place = (struct cidr *)option_place(target, o) + (cidr.ip.family == AF_INET6);
	if (place->ip.family)
		return err_set(err, -EINVAL, "more than one %s CIDR", family_name(cidr.ip.family));
	*place = cidr;
	return 0;
}

static int set_pair(void *target, const struct option_row *o, const char *text, struct err *err)
{
	memset(option_place(target, o), 0, 2 * sizeof(struct cidr));
	return each_element(target, o, text, add_to_pair, err);
}

static json_t *get_pair(const void *target, const struct option_row *o)
{
	const struct cidr *pair = option_value(target, o);
	_cleanup_(buf_done) struct buf b = { 0 };
	char s[CIDR_STRLEN];

	for (size_t i = 0; i < 2; i++)
		if (pair[i].ip.family)
			buf_addf(&b, "%s%s", b.len ? "," : "", cidr_print(&pair[i], s));
	return json_string(buf_str(&b));
}

const struct option_type type_cidr_pair = { SHAPE_TEXT, .set = set_pair, .get = get_pair };

/* Up to POLICY_MAX_CIDRS, their number at option.count_at */

static size_t *count_of(void *c, const struct option_row *o)
{
	return (size_t *)(void *)((char *)c + o->count_at);
}

static int add_cidr(void *target, const struct option_row *o, const char *element, struct err *err)
{
	size_t *n = count_of(target, o);
	struct cidr cidr;
	int r = read_cidr(element, &cidr, err);

	if (r < 0)
		return r;
	if (*n == OPTIONS_MAX_CIDRS)
		return err_set(err, -EINVAL, "more than %d CIDRs", OPTIONS_MAX_CIDRS);
	((struct cidr *)option_place(target, o))[(*n)++] = cidr;
	return 0;
}

static void clear_cidrs(void *target, const struct option_row *o)
{
	*count_of(target, o) = 0;
}

static json_t *get_cidrs(const void *target, const struct option_row *o)
{
	const struct cidr *list = option_value(target, o);
	size_t n = *(const size_t *)(const void *)((const char *)target + o->count_at);
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, cidr_json(&list[i]));
	return all;
}

const struct option_type type_cidrs = { SHAPE_LIST, .commas = true, .add = add_cidr,
	.clear = clear_cidrs, .get = get_cidrs };

static int add_nodeport_address(
	void *target, const struct option_row *o, const char *element, struct err *err)
{
	struct config *c = target;
	struct options *p = &c->options;
	bool primary = !strcmp(element, "primary");
	int r = primary ? 0 : add_cidr(target, o, element, err);

	if (r < 0)
		return r;
	p->nodeport_primary = p->nodeport_primary || primary;
	if (p->nodeport_primary && p->n_nodeport_addresses)
		return err_set(err, -EINVAL, "\"primary\" stands alone, without CIDRs beside it");
	return 0;
}

static void clear_nodeport_addresses(void *target, const struct option_row *o)
{
	struct config *c = target;

	c->options.nodeport_primary = false;
	clear_cidrs(c, o);
}

static json_t *get_nodeport_addresses(const void *target, const struct option_row *o)
{
	const struct config *c = target;
	json_t *all = get_cidrs(target, o);

	if (c->options.nodeport_primary)
		json_array_append_new(all, json_string("primary"));
	return all;
}

const struct option_type type_nodeport_addresses = { SHAPE_LIST, .commas = true,
	.add = add_nodeport_address, .clear = clear_nodeport_addresses,
	.get = get_nodeport_addresses };

/* Interfaces */

static bool is_interface_name(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] == '/' || isspace((unsigned char)s[i]) || iscntrl((unsigned char)s[i]))
			return false;
	return len > 0 && len < INTERFACE_NAME_SIZE;
}

static int set_interface(
	void *target, const struct option_row *o, const char *text, struct err *err)
{
	if (*text && !is_interface_name(text))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of an interface", text);
	return type_text.set(target, o, text, err);
}

static json_t *get_interface(const void *target, const struct option_row *o)
{
	return type_text.get(target, o);
}

const struct option_type type_interface = { SHAPE_TEXT, .set = set_interface,
	.get = get_interface };

/* Addresses */

static int set_ip(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct ip ip;

	if (ip_parse(text, &ip))
		return err_set(err, -EINVAL, "\"%.60s\" is not an IP address", text);
	*(struct ip *)option_place(target, o) = ip;
	return 0;
}

static json_t *get_ip(const void *target, const struct option_row *o)
{
	char s[IP_STRLEN];

	return json_string(ip_print(option_value(target, o), s));
}

const struct option_type type_ip = { SHAPE_TEXT, .set = set_ip, .get = get_ip };

/* ADDRESS:PORT or [ADDRESS]:PORT. */
static int read_address_port(const char *text, struct listen_address *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool brackets = len > 2 && *text == '[' && colon[-1] == ']';
	_cleanup_free_ char *host = NULL;
	long port = 0;

	if (!colon || read_number(colon + 1, 1, UINT16_MAX, &port, NULL))
		return -EINVAL;
	host = brackets ? mem_strndup(text + 1, len - 2) : mem_strndup(text, len);
	if (ip_parse(host, &ret->ip) || (ret->ip.family == AF_INET6 && !brackets))
		return -EINVAL;
	ret->port = (uint16_t)port;
	return 0;
}

/* An address alone gets the port of the default. */
static int set_listen(void *target, const struct option_row *o, const char *text, struct err *err)
{
	struct listen_address address = { 0 }, preset = { 0 };
	bool nowhere = !*text || !strcmp(text, NOWHERE);

	if (!nowhere && !ip_parse(text, &address.ip)) {
		read_address_port(o->preset, &preset);
		address.port = preset.port;
	} else if (!nowhere && read_address_port(text, &address)) {
		return err_set(err, -EINVAL,
			"\"%.60s\" is neither an IP address nor one with a port, such as %s", text,
			o->preset);
	}
	*(struct listen_address *)option_place(target, o) = address;
	return 0;
}

static json_t *get_listen(const void *target, const struct option_row *o)
{
	const struct listen_address *address = option_value(target, o);
	char s[IP_PORT_STRLEN];

	if (!address->ip.family)
		return json_string(NOWHERE);
	return json_string(ip_print_port(&address->ip, address->port, s));
}

const struct option_type type_listen = { SHAPE_TEXT, .set = set_listen, .get = get_listen };
