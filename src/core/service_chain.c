// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/service_chain.h"

#include "base/mem.h"
#include "base/sha256.h"

void service_port_name(struct buf *b, const struct service *s, const struct service_port *port)
{
	buf_addf(b, "%s/%s%s%s", s->ns, s->name, *port->name ? ":" : "", port->name);
}

/* The first 16 characters of RFC 4648. */
static void base32(const uint8_t *bytes, char ret[static SERVICE_HASH_LEN])
{
	for (int i = 0; i < SERVICE_HASH_LEN; i++) {
		int bit = 5 * i;
		unsigned two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

		ret[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[two >> (11 - bit % 8) & 31];
	}
}

static void hash_port_name(const struct service *s, const struct service_port *port,
	const char *endpoint, char ret[static SERVICE_HASH_LEN])
{
	_cleanup_(buf_done) struct buf b = { 0 };
	uint8_t digest[SHA256_SIZE];

	service_port_name(&b, s, port);
	buf_addf(&b, "%s%s", proto_lower(port->proto), endpoint);
	sha256(buf_str(&b), b.len, digest);
	base32(digest, ret);
}

void service_port_hash(
	const struct service *s, const struct service_port *port, char ret[static SERVICE_HASH_LEN])
{
	hash_port_name(s, port, "", ret);
}

void service_endpoint_hash(const struct service *s, const struct service_port *port,
	const struct ip *ip, uint16_t endpoint_port, char ret[static SERVICE_HASH_LEN])
{
	char endpoint[IP_PORT_STRLEN];

	hash_port_name(s, port, ip_print_port(ip, endpoint_port, endpoint), ret);
}
