// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel_view.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "kernel/ipvs.h"
#include "kernel/traps.h"

struct vs_list {
	struct fact *facts;
	size_t n, cap;
};

static void vs_list_add(const struct fact *f, void *arg)
{
	struct vs_list *l = arg;

	mem_grow(l->facts, l->n, l->cap);
	l->facts[l->n++] = *f;
}

/* For qsort() of structs that begin with their key: struct fact and struct rs_conns */
static int cmp_by_key(const void *a, const void *b)
{
	return fact_key_cmp(a, b);
}

static_assert(!offsetof(struct fact, key) && !offsetof(struct rs_conns, key), "as cmp_by_key()");

struct rs_list {
	struct rs_conns *conns;
	size_t n, cap;
};

static void rs_list_add(const struct rs_conns *c, void *arg)
{
	struct rs_list *l = arg;

	mem_grow(l->conns, l->n, l->cap);
	l->conns[l->n++] = *c;
}

/* Reads the real servers of a virtual server too. */
static int read_virtual_server(
	struct adapter *ipvs, const struct fact *vs, json_t **ret, struct err *err)
{
	struct rs_list l = { 0 };
	int r = ipvs_conns(ipvs, &vs->key, rs_list_add, &l, err);
	json_t *o, *real_servers;
	struct ip ip = fact_ip(&vs->key);
	char s[IP_STRLEN];

	if (r < 0) {
		free(l.conns);
		return r;
	}
	if (vs->key.proto)
		o = json_pack("{s:s, s:i, s:s}", "address", ip_print(&ip, s), "port",
			(int)vs->key.port, "protocol", proto_name(vs->key.proto));
	else
		o = json_pack("{s:I, s:s}", "fwmark", (json_int_t)fact_fwmark(&vs->key), "family",
			family_name(vs->key.family));
	json_object_set_new(o, "scheduler", json_string(vs->val.vs.scheduler));
	json_object_set_new(o, "persistenceSeconds",
		json_integer(vs->val.vs.flags & VS_PERSISTENT ? vs->val.vs.timeout : 0));

	real_servers = json_array();
	if (l.n)
		qsort(l.conns, l.n, sizeof(*l.conns), cmp_by_key);
	for (size_t i = 0; i < l.n; i++) {
		const struct rs_conns *c = &l.conns[i];

		ip = fact_ip2(&c->key);
		json_array_append_new(real_servers,
			json_pack("{s:s, s:i, s:I, s:I, s:I}", "address", ip_print(&ip, s), "port",
				(int)c->key.port2, "weight", (json_int_t)c->weight, "active",
				(json_int_t)c->active, "inactive", (json_int_t)c->inactive));
	}
	free(l.conns);
	json_object_set_new(o, "realServers", real_servers);
	*ret = o;
	return 0;
}

static void add_trap_warning(const char *sentence, void *arg)
{
	json_array_append_new(arg, json_string(sentence));
}

static int read_virtual_servers(json_t *virtual_servers, json_t *warnings, struct err *err)
{
	struct vs_list l = { 0 };
	struct trap_facts traps;
	struct adapter *ipvs;
	size_t n_servers = 0;
	int r = ipvs_new(&ipvs, err);

	if (r < 0)
		return r;
	r = ipvs->dump(ipvs, FACT_VS, vs_list_add, &l, err);
	if (l.n)
		qsort(l.facts, l.n, sizeof(*l.facts), cmp_by_key);
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		json_t *vs;

		r = read_virtual_server(ipvs, &l.facts[i], &vs, err);
		if (r < 0)
			break;
		n_servers += 1 + json_array_size(json_object_get(vs, "realServers"));
		json_array_append_new(virtual_servers, vs);
	}
	if (r >= 0) {
		traps_read(ipvs, NULL, NULL, n_servers, false, &traps);
		traps_judge(&traps, add_trap_warning, warnings);
	}
	free(l.facts);
	ipvs_free(ipvs);
	return r;
}

int kernel_view(json_t **ret, struct err *err)
{
	json_t *virtual_servers = json_array(), *warnings = json_array();
	struct utsname u = { 0 };
	int r = read_virtual_servers(virtual_servers, warnings, err);

	if (r < 0) {
		json_decref(virtual_servers);
		json_decref(warnings);
		return r;
	}
	uname(&u);
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:{}, s:o, s:[], s:[], s:[], s:o}",
		"apiVersion", "ipvsctl.io/v1", "kind", "Status", "source", "kernel", "node",
		u.nodename, "backend", "ipvs", "kernel", u.release, "input", "summary", "warnings",
		warnings, "failures", "services", "foreign", "virtualServers", virtual_servers);
	return 0;
}
