// SPDX-License-Identifier: GPL-2.0-or-later
/* Where packets from one source to one address go. */
#include <string.h>

#include "base/mem.h"
#include "core/endpoints.h"
#include "core/resolve.h"
#include "explain_port.h"

static json_t *rule_json(const struct explainer *x, int family, const struct walk_rule *rule)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!*rule->chain)
		return json_null();
	buf_addf(&text, "-A %s ", rule->chain);
	x->in->print_rule(&text, family, &rule->rule);
	return json_string(buf_str(&text));
}

/* Why our rule drops or rejects a packet. */
static const char *why_stopped(const struct walk_rule *rule)
{
	if (rule_has_set(&rule->rule, SET_NO_LOCAL))
		return "the traffic policy is Local, and no endpoint on this node can answer while "
		       "others can";
	if (!strcmp(rule->chain, CHAIN_SOURCE_RANGES))
		return "the source is in none of the loadBalancerSourceRanges";
	if (rule_has_set(&rule->rule, SET_NO_ENDPOINTS))
		return "no endpoint can answer";
	if (rule_has_set(&rule->rule, SET_IPVS_IPS))
		return "no Service answers at this port of a Service's address";
	return "this rule says so";
}

static const char *end_name(enum walk_end end, bool answered)
{
	switch (end) {
	case WALK_FORWARDED:
		return answered ? "forwarded" : "rejected";
	case WALK_NOBODY:
		return "delivered";
	case WALK_DROPPED:
		return "dropped";
	case WALK_REJECTED:
		return "rejected";
	case WALK_UNREADABLE:
		return "unknown";
	}
	return "unknown";
}

static const char *end_reason(
	const struct walk_path *path, bool answered, bool local, const struct endpoint_list *eps)
{
	switch (path->end) {
	case WALK_FORWARDED:
		if (answered)
			return "";
		return local && eps->n_cluster ? "no endpoint on this node can answer, and the "
						 "traffic policy is Local"
					       : "no endpoint can answer";
	case WALK_NOBODY:
		return "no virtual server has this address and port";
	case WALK_DROPPED:
	case WALK_REJECTED:
		return why_stopped(&path->rule);
	case WALK_UNREADABLE:
		return "a rule cannot be interpreted here";
	}
	return "";
}

static const char *endpoint_words(const struct candidate *ep, bool used, bool by_policy)
{
	if (used)
		return endpoint_reason_text(
			ep->endpoint->ready ? ENDPOINT_USED : ENDPOINT_USED_FALLBACK);
	if (by_policy && !ep->local)
		return "on another node, and the traffic policy is Local";
	return endpoint_reason_text(ep->reason);
}

static json_t *endpoint_json(const struct explainer *x, const struct walk_path *path,
	const struct candidate *ep, bool used, bool by_policy)
{
	struct walk_rule rule = { 0 };
	bool masqueraded = used && walk_masqueraded(&x->walk, path, &ep->ip, ep->port, &rule);
	char s[IP_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:b, s:I, s:b, s:s, s:b, s:o}", "address",
		ip_print(&ep->ip, s), "port", (int)ep->port, "node", ep->endpoint->node_name,
		"local", (int)ep->local, "weight", (json_int_t)ep->weight, "used", (int)used,
		"reason", endpoint_words(ep, used, by_policy), "masquerade", (int)masqueraded,
		"masqueradeRule", rule_json(x, ep->ip.family, &rule));
}

static json_t *vs_json(const struct fact_key *vs)
{
	struct ip ip = fact_ip(vs);
	char s[IP_STRLEN];

	if (!vs->proto)
		return json_pack("{s:I, s:s}", "fwmark", (json_int_t)fact_fwmark(vs), "family",
			family_name(vs->family));
	return json_pack("{s:s, s:i, s:s}", "address", ip_print(&ip, s), "port", (int)vs->port,
		"protocol", proto_name(vs->proto));
}

/* In spite of the policy Local: the virtual server of a firewall mark, or the chain of all. */
static bool uses_all(const struct walk_path *path)
{
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;

	if (!path->choice)
		return !path->vs.proto;
	return service_chain_parse(path->chain, &chain, hash) && chain == SERVICE_CHAIN_SVC;
}

json_t *explain_path(const struct explainer *x, const struct walk_packet *p,
	const struct endpoint_list *endpoints, bool local)
{
	json_t *list = json_array();
	bool answered = false, by_policy;
	struct walk_path path;
	char s[IP_STRLEN];

	walk_to_vs(&x->walk, p, &path);
	by_policy = local && !(path.end == WALK_FORWARDED && uses_all(&path));
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct candidate *ep = &endpoints->eps[i];
		bool used = walk_leads_to(&x->walk, &path, &ep->ip, ep->port);

		answered = answered || (used && ep->weight);
		json_array_append_new(list, endpoint_json(x, &path, ep, used, by_policy));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "from",
		walk_source_name(p->source), "address",
		x->query->from == FROM_ADDRESS ? ip_print(&p->src, s) : "", "verdict",
		end_name(path.end, answered), "reason",
		end_reason(&path, answered, by_policy, endpoints), "rule",
		rule_json(x, p->dst.family, &path.rule), "virtualServer",
		path.end == WALK_FORWARDED && !path.choice ? vs_json(&path.vs) : json_null(),
		"chain", path.choice ? json_string(path.chain) : json_null(), "endpoints", list);
}
