// SPDX-License-Identifier: GPL-2.0-or-later
#include "hand_over.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "settle.h"

enum { LOOK_MS = 200 /* between looks at the connections that are left */ };

struct carried {
	bool iptables; /* kube-proxy's iptables mode is to follow */
	size_t n;
};

/* A virtual server that kube-proxy does not know. One that is selected by mark it cannot even
 * delete. */
static void count_unknown(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	struct carried *c = arg;

	c->n += state->present && !state->foreign && (!key->proto || c->iptables);
}

static bool carries_connections(struct daemon *d)
{
	struct carried c = { .iptables = d->view.backend == BACKEND_IPTABLES };

	ledger_each(engine_ledger(d->engine), FACT_VS, count_unknown, &c);
	return c.n;
}

static void warn_of_large_set(const struct fact_key *key, const struct fact_state *state, void *arg)
{
	char name[SET_NAME_LEN + 1];

	(void)arg;
	if (!state->present || state->have.set.max_members <= SET_MEMBERS)
		return;
	log_warn("a set has more members than kube-proxy can handle: it will not work before "
		 "Services or endpoints are deleted",
		"set=%s members=%u", set_name(key->set, key->family, name), SET_MEMBERS);
}

static void count_fact(const struct fact *f, void *arg)
{
	(void)f;
	++*(size_t *)arg;
}

static bool may_have_set(struct adapter *sets)
{
	struct err err;
	size_t n = 0;

	return sets && (sets->dump(sets, FACT_SET, count_fact, &n, &err) || n);
}

/* Of all modes and backends only kube-proxy's iptables mode has no set. */
static bool is_handed_over(struct daemon *d)
{
	return d->view.backend == BACKEND_IPTABLES && !may_have_set(adapters_sets(&d->adapters)) &&
		!may_have_set(adapters_sets(&d->other));
}

static int take_layout(struct daemon *d, struct options *options, enum layout layout)
{
	options_set_layout(options, layout);
	engine_node_changed(d->engine);
	return settle(d->engine);
}

int hand_over(struct daemon *d, struct options *options)
{
	const char *mode = backend_name(d->view.backend);
	/* With ours beside it, kube-proxy could not sync, and it may run. */
	const bool prepared = is_handed_over(d);
	bool waits = false;
	int r = 0;

	/* Chains of kube-proxy drop what no rule has translated, such as all that is for IPVS. Rules
	 * in nftables keep packets from those that translate. */
	if (!prepared && d->view.backend == BACKEND_IPTABLES) {
		r = take_layout(d, options, LAYOUT_OWN);
		if (!r)
			daemon_remove_other(d);
	}
	if (!r && !prepared)
		r = take_layout(d, options, LAYOUT_BOTH);
	if (r) {
		log_error(
			"kube-proxy's layout cannot be prepared, keeping our own", "mode=%s", mode);
		return r;
	}
	r = take_layout(d, options, LAYOUT_KUBE_PROXY);
	while (!r && carries_connections(d)) {
		if (!waits)
			log_info(
				"waiting for the end of connections that kube-proxy cannot carry on",
				"mode=%s seconds=%lld", mode,
				(long long)options->drain_timeout / 1000);
		waits = true;
		usleep(LOOK_MS * 1000);
		r = settle(d->engine);
	}
	/* kube-proxy reserves no ports. */
	if (!r)
		r = reservation_release(&d->reservation);
	ledger_each(engine_ledger(d->engine), FACT_SET, warn_of_large_set, NULL);
	if (!r)
		daemon_remove_other(d);
	if (r)
		log_error(
			"not everything could be handed over to kube-proxy; say --hand-over again",
			"mode=%s", mode);
	else
		log_info("handed over: kube-proxy can start now", "mode=%s services=%zu", mode,
			d->store.n_services);
	return r;
}
