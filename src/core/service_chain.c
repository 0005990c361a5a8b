// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/service_chain.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"

/* RFC 4648 */
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static const char *const service_chains[SERVICE_CHAINS] = {
	[SERVICE_CHAIN_SVC] = "KUBE-SVC-",
	[SERVICE_CHAIN_SVL] = "KUBE-SVL-",
	[SERVICE_CHAIN_EXT] = "KUBE-EXT-",
	[SERVICE_CHAIN_FW] = "KUBE-FW-",
	[SERVICE_CHAIN_SEP] = "KUBE-SEP-",
};

void service_port_name(struct buf *b, const struct service *s, const struct service_port *port)
{
	buf_addf(b, "%s/%s%s%s", s->ns, s->name, *port->name ? ":" : "", port->name);
}

void service_chain_hash(const struct service *s, const struct service_port *port,
	const struct ip *endpoint, uint16_t endpoint_port, char ret[static SERVICE_HASH_LEN])
{
	_cleanup_(buf_done) struct buf b = { 0 };
	char address[IP_PORT_STRLEN];
	uint8_t digest[SHA256_SIZE];

	service_port_name(&b, s, port);
	buf_addf(&b, "%s%s", proto_lower(port->proto),
		endpoint ? ip_print_port(endpoint, endpoint_port, address) : "");
	sha256(buf_str(&b), b.len, digest);

	for (int i = 0; i < SERVICE_HASH_LEN; i++) {
		int bit = 5 * i;
		unsigned two = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];

		ret[i] = base32[two >> (11 - bit % 8) & 31];
	}
}

const char *service_chain_name(enum service_chain chain, const char hash[static SERVICE_HASH_LEN],
	char s[static CHAIN_NAME_LEN + 1])
{
	snprintf(s, CHAIN_NAME_LEN + 1, "%s%.*s", service_chains[chain], SERVICE_HASH_LEN, hash);
	return s;
}

bool service_chain_parse(
	const char *name, enum service_chain *ret_chain, char ret_hash[static SERVICE_HASH_LEN])
{
	for (enum service_chain c = 0; c < SERVICE_CHAINS; c++) {
		size_t n = strlen(service_chains[c]);

		if (strncmp(name, service_chains[c], n) != 0)
			continue;
		if (strlen(name + n) != SERVICE_HASH_LEN ||
			strspn(name + n, base32) != SERVICE_HASH_LEN)
			return false;
		*ret_chain = c;
		memcpy(ret_hash, name + n, SERVICE_HASH_LEN);
		return true;
	}
	return false;
}
