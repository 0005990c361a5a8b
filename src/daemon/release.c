// SPDX-License-Identifier: GPL-2.0-or-later
#include "release.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/fact_text.h"
#include "core/resolve.h"

/* What the kernel holds at the API server's addresses. */
struct release {
	const struct node_view *view;
	bool *allocated;	  /* beside view->api_in_use: it is a cluster IP */
	struct fact_list members; /* of its sockets, in sets of external addresses */
	struct fact_list vips;	  /* routes, and addresses on kube-ipvs0 that are ours */
};

static bool is_of_socket(const struct fact_key *key, const struct node_socket *s)
{
	const struct ip ip = fact_ip(key);

	return key->proto == IPPROTO_TCP && key->port == s->port && ip_eq(&ip, &s->ip);
}

static void collect_member(const struct fact *f, void *arg)
{
	struct release *r = arg;
	const struct ip ip = fact_ip(&f->key);

	for (size_t i = 0; i < r->view->n_api_in_use; i++) {
		const struct node_socket *s = &r->view->api_in_use[i];

		switch ((enum set_id)f->key.set) {
		case SET_CLUSTER_IP:
			r->allocated[i] |= ip_eq(&ip, &s->ip);
			break;
		case SET_EXTERNAL_IP:
		case SET_EXTERNAL_IP_LOCAL:
		case SET_LOAD_BALANCER:
		case SET_EXTERNAL_PORT:
			if (is_of_socket(&f->key, s))
				fact_list_add(&r->members, *f);
			break;
		case SET_IPVS_IPS:
			if (ip_eq(&ip, &s->ip))
				fact_list_add(&r->vips, fact_addr(&ip));
			break;
		default:
			break;
		}
	}
}

static void collect_route(const struct fact *f, void *arg)
{
	struct release *r = arg;
	const struct ip ip = fact_ip(&f->key);

	for (size_t i = 0; i < r->view->n_api_in_use; i++)
		if (!f->key.port && ip_eq(&ip, &r->view->api_in_use[i].ip))
			fact_list_add(&r->vips, *f);
}

/* Deletes the fact, unless it is at a cluster IP. Others may have deleted it before. */
static void give_back(const struct release *r, struct adapter *a, const struct fact *f)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct op op = { .type = OP_DEL, .fact = *f };
	const struct ip ip = fact_ip(&f->key);

	for (size_t i = 0; i < r->view->n_api_in_use; i++)
		if (r->allocated[i] && ip_eq(&ip, &r->view->api_in_use[i].ip))
			return;
	a->apply(a, &op, 1);
	if (op.result)
		return;
	fact_print(&text, f);
	log_warn("gave an address back to the API server, which this node could not reach by it",
		"fact=\"%s\"", buf_str(&text));
}

void release_api_servers(
	const struct adapters *a, struct adapter *sets, const struct node_view *view)
{
	_cleanup_free_ bool *allocated = mem_zalloc(view->n_api_in_use, sizeof(*allocated));
	struct release r = { .view = view, .allocated = allocated };
	struct err err;

	if (!view->n_api_in_use || !sets || !a->link)
		return;
	if (sets->dump(sets, FACT_MEMBER, collect_member, &r, &err) < 0 ||
		a->link->dump(a->link, FACT_ROUTE, collect_route, &r, &err) < 0) {
		log_warn("cannot find out whether a Service has taken the API server's address",
			"err=\"%s\"", err.msg);
	} else {
		/* The virtual server first: the members tell whose it is. */
		for (size_t i = 0; a->ipvs && i < r.members.n; i++) {
			const struct fact_key *key = &r.members.facts[i].key;
			const struct ip ip = fact_ip(key);
			const struct fact vs = fact_vs(&ip, key->port, key->proto);

			give_back(&r, a->ipvs, &vs);
		}
		for (size_t i = 0; i < r.members.n; i++)
			give_back(&r, sets, &r.members.facts[i]);
		for (size_t i = 0; i < r.vips.n; i++)
			give_back(&r, a->link, &r.vips.facts[i]);
	}
	fact_list_done(&r.members);
	fact_list_done(&r.vips);
}
