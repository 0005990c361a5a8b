/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Asks on a link who has an address, by ARP or neighbour discovery, and prints the link-layer
 * addresses of all who answer. A host answers questions in their order: when the witness has
 * answered the question about its own address, it does not answer the earlier one any more.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

struct question_on_link {
	int fd;
	unsigned interface;
	unsigned char own[ETH_ALEN];
	struct sockaddr_storage source;
};

static const void *address_bytes(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr
					: (const void *)&((const struct sockaddr_in *)a)->sin_addr;
}

static void ask_arp(const struct question_on_link *q, const struct sockaddr_storage *about)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)q->interface,
		.sll_halen = ETH_ALEN,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	struct ether_arp arp = { .ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
					 .ar_pro = htons(ETH_P_IP),
					 .ar_hln = ETH_ALEN,
					 .ar_pln = 4,
					 .ar_op = htons(ARPOP_REQUEST) } };

	memcpy(arp.arp_sha, q->own, ETH_ALEN);
	memcpy(arp.arp_spa, address_bytes(&q->source), 4);
	memcpy(arp.arp_tpa, address_bytes(about), 4);
	if (sendto(q->fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		peer_fail("send an ARP request");
}

struct solicitation {
	struct nd_neighbor_solicit nd;
	struct nd_opt_hdr opt;
	unsigned char source[ETH_ALEN];
};

static void ask_nd(const struct question_on_link *q, const struct sockaddr_storage *about)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = q->interface };
	struct solicitation s = { .nd.nd_ns_hdr.icmp6_type = ND_NEIGHBOR_SOLICIT,
		.opt = { ND_OPT_SOURCE_LINKADDR, 1 } };

	memcpy(s.source, q->own, ETH_ALEN);
	memcpy(&s.nd.nd_ns_target, address_bytes(about), 16);
	/* ff02::1:ffXX:XXXX */
	to.sin6_addr = s.nd.nd_ns_target;
	memcpy(&to.sin6_addr, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff", 13);
	if (sendto(q->fd, &s, sizeof(s), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		peer_fail("send a neighbour solicitation");
}

static void open_arp(struct question_on_link *q)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)q->interface };

	q->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
	if (q->fd < 0 || bind(q->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		peer_fail("open a packet socket");
}

static void open_nd(struct question_on_link *q)
{
	struct icmp6_filter filter;
	int hops = 255, interface = (int)q->interface;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
	q->fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	if (q->fd < 0 || setsockopt(q->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) ||
		setsockopt(q->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) ||
		setsockopt(q->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof(interface)) ||
		bind(q->fd, (struct sockaddr *)&q->source, sizeof(struct sockaddr_in6)))
		peer_fail("open an ICMPv6 socket");
}

/* Reads an answer: the address that it is about, and who has it. false: it is something else. */
static bool read_answer(const struct question_on_link *q, unsigned char about[static 16],
	unsigned char who[static ETH_ALEN])
{
	struct {
		struct nd_neighbor_advert nd;
		struct nd_opt_hdr opt;
		unsigned char target[ETH_ALEN];
	} na;
	struct ether_arp arp;

	if (q->source.ss_family == AF_INET) {
		ssize_t n = recv(q->fd, &arp, sizeof(arp), 0);

		if (n != sizeof(arp) || arp.ea_hdr.ar_op != htons(ARPOP_REPLY))
			return false;
		memcpy(about, arp.arp_spa, 4);
		memcpy(who, arp.arp_sha, ETH_ALEN);
		return true;
	}
	if (recv(q->fd, &na, sizeof(na), 0) < (ssize_t)sizeof(na) ||
		na.opt.nd_opt_type != ND_OPT_TARGET_LINKADDR)
		return false;
	memcpy(about, &na.nd.nd_na_target, 16);
	memcpy(who, na.target, ETH_ALEN);
	return true;
}

int who_has(int argc, char **argv)
{
	struct question_on_link q = { 0 };
	struct sockaddr_storage about, witness;
	struct ifreq ifr = { 0 };
	unsigned char answer[16], who[ETH_ALEN];

	if (argc != 5)
		peer_usage();
	int wait_ms = atoi(argv[0]);

	peer_resolve(argv[2], "0", &q.source);
	peer_resolve(argv[3], "0", &about);
	peer_resolve(argv[4], "0", &witness);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	q.interface = if_nametoindex(argv[1]);
	q.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (q.interface == 0 || ioctl(q.fd, SIOCGIFHWADDR, &ifr) < 0)
		peer_fail(argv[1]);
	close(q.fd);
	memcpy(q.own, ifr.ifr_hwaddr.sa_data, ETH_ALEN);

	bool v6 = q.source.ss_family == AF_INET6;
	size_t size = v6 ? 16 : 4;

	(v6 ? open_nd : open_arp)(&q);
	(v6 ? ask_nd : ask_arp)(&q, &about);
	(v6 ? ask_nd : ask_arp)(&q, &witness);
	for (;;) {
		struct pollfd p = { .fd = q.fd, .events = POLLIN };

		if (poll(&p, 1, wait_ms) <= 0) {
			puts("the witness is silent");
			return 1;
		}
		if (!read_answer(&q, answer, who))
			continue;
		if (memcmp(answer, address_bytes(&about), size) == 0)
			printf("%02x:%02x:%02x:%02x:%02x:%02x\n", who[0], who[1], who[2], who[3],
				who[4], who[5]);
		if (memcmp(answer, address_bytes(&witness), size) == 0)
			return 0;
	}
}
