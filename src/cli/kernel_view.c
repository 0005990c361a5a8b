// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel_view.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "kernel/ipvs.h"
#include "kernel/traps.h"

struct vs_list {
	struct fact *facts;
	size_t n, cap;
};

static void vs_list_done(struct vs_list *l)
{
	free(l->facts);
}

static void add_vs(const struct fact *f, void *arg)
{
	struct vs_list *l = arg;

	mem_grow(l->facts, l->n, l->cap);
	l->facts[l->n++] = *f;
}

static int cmp_vs(const void *a, const void *b)
{
	return fact_key_cmp(&((const struct fact *)a)->key, &((const struct fact *)b)->key);
}

struct rs_list {
	struct rs_conns *conns;
	size_t n, cap;
};

static void rs_list_done(struct rs_list *l)
{
	free(l->conns);
}

static void add_rs(const struct rs_conns *c, void *arg)
{
	struct rs_list *l = arg;

	mem_grow(l->conns, l->n, l->cap);
	l->conns[l->n++] = *c;
}

static int cmp_rs(const void *a, const void *b)
{
	return fact_key_cmp(&((const struct rs_conns *)a)->key, &((const struct rs_conns *)b)->key);
}

static json_t *rs_json(const struct rs_conns *c)
{
	struct ip ip = fact_ip2(&c->key);
	char s[IP_STRLEN];

	return json_pack("{s:s, s:i, s:I, s:I, s:I}", "address", ip_print(&ip, s), "port",
		(int)c->key.port2, "weight", (json_int_t)c->weight, "active", (json_int_t)c->active,
		"inactive", (json_int_t)c->inactive);
}

static json_t *rs_list_json(struct rs_list *l)
{
	json_t *ret = json_array();

	if (l->n)
		qsort(l->conns, l->n, sizeof(*l->conns), cmp_rs);
	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(ret, rs_json(&l->conns[i]));
	return ret;
}

static json_t *vs_json(const struct fact *f, struct rs_list *real_servers)
{
	json_t *ret = json_object();
	struct ip ip = fact_ip(&f->key);
	char s[IP_STRLEN];

	if (f->key.proto) {
		json_object_set_new(ret, "address", json_string(ip_print(&ip, s)));
		json_object_set_new(ret, "port", json_integer(f->key.port));
		json_object_set_new(ret, "protocol", json_string(proto_name(f->key.proto)));
	} else {
		json_object_set_new(ret, "fwmark", json_integer(fact_fwmark(&f->key)));
		json_object_set_new(ret, "family", json_string(family_name(f->key.family)));
	}
	json_object_set_new(ret, "scheduler", json_string(f->val.vs.scheduler));
	json_object_set_new(ret, "persistenceSeconds",
		json_integer(f->val.vs.flags & VS_PERSISTENT ? f->val.vs.timeout : 0));
	json_object_set_new(ret, "realServers", rs_list_json(real_servers));
	return ret;
}

static int add_all(struct adapter *ipvs, const struct vs_list *l, json_t *array, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		_cleanup_(rs_list_done) struct rs_list real_servers = { 0 };
		int r = ipvs_conns(ipvs, &l->facts[i].key, add_rs, &real_servers, err);

		if (r < 0)
			return r;
		json_array_append_new(array, vs_json(&l->facts[i], &real_servers));
	}
	return 0;
}

static void add_warning(const char *sentence, void *arg)
{
	json_array_append_new(arg, json_string(sentence));
}

static void read_traps(struct adapter *ipvs, const json_t *virtual_servers, json_t *warnings)
{
	size_t n = json_array_size(virtual_servers), i;
	const json_t *vs;
	struct trap_facts f;

	json_array_foreach(virtual_servers, i, vs) {
		n += json_array_size(json_object_get(vs, "realServers"));
	}
	traps_read(ipvs, NULL, n, &f);
	traps_judge(&f, add_warning, warnings);
}

static int read_ipvs(json_t *array, json_t *warnings, struct err *err)
{
	_cleanup_(vs_list_done) struct vs_list l = { 0 };
	struct adapter *ipvs;
	int r = ipvs_new(&ipvs, err);

	if (r < 0)
		return r;
	r = ipvs->dump(ipvs, FACT_VS, NULL, add_vs, &l, err);
	if (l.n)
		qsort(l.facts, l.n, sizeof(*l.facts), cmp_vs);
	if (r >= 0)
		r = add_all(ipvs, &l, array, err);
	if (r >= 0)
		read_traps(ipvs, array, warnings);
	ipvs_free(ipvs);
	return r;
}

int kernel_view(json_t **ret, struct err *err)
{
	json_t *virtual_servers = json_array(), *warnings = json_array();
	struct utsname u = { 0 };
	int r = read_ipvs(virtual_servers, warnings, err);

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
