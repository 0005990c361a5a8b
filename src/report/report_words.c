// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_words.h"

#include <inttypes.h>
#include <string.h>

#include "core/fact_text.h"

json_t *report_vs_json(const struct fact_key *vs)
{
	struct ip ip = fact_ip(vs);
	char s[IP_STRLEN];

	if (!vs->proto)
		return json_pack("{s:I, s:s}", "fwmark", (json_int_t)fact_fwmark(vs), "family",
			family_name(vs->family));
	return json_pack("{s:s, s:i, s:s}", "address", ip_print(&ip, s), "port", (int)vs->port,
		"protocol", proto_name(vs->proto));
}

void report_describe(struct buf *b, const struct fact_key *key, const struct report_input *in)
{
	const bool nftables = node_view_on_nftables(in->view);
	const char *interface = nftables ? "nftables" : "iptables";
	const char *set_word = nftables ? "nftables set" : "ipset";
	const char *family = family_name(key->family);
	struct ip ip = fact_ip(key), ip2 = fact_ip2(key);
	char s[IP_PORT_STRLEN], set[SET_NAME_LEN + 1];

	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
		buf_addf(b, "device %s", key->name);
		break;
	case FACT_POLICY_RULE:
		buf_addf(b, "%s policy rule %u for mark 0x%x", family, key->policy_rule.priority,
			key->policy_rule.mark);
		break;
	case FACT_SET:
		buf_addf(b, "%s %s", set_word, set_name(key->set, key->family, set));
		break;
	case FACT_MEMBER:
		buf_adds(b, "entry ");
		fact_print_member(b, key);
		buf_addf(b, " of %s %s", set_word, set_name(key->set, key->family, set));
		break;
	case FACT_CHAIN:
		buf_addf(b, "%s %s chain ", family, interface);
		in->print_chain(b, in->view, key->set, key->name);
		if (!nftables) /* where the name of a chain has the table */
			buf_addf(b, " in table %s", table_name(key->set));
		break;
	case FACT_DISPATCH:
		buf_addf(b, "entry for %s/%s", ip_print_port(&ip, key->port, s),
			proto_name(key->proto));
		break;
	case FACT_JUMP:
		buf_addf(b, "%s %s rule from ", family, interface);
		in->print_chain(b, in->view, key->set, hook_name(key->port));
		buf_adds(b, " to ");
		in->print_chain(b, in->view, key->set, key->name);
		if (!nftables)
			buf_addf(b, " in table %s", table_name(key->set));
		break;
	case FACT_RS:
		buf_addf(b, "real server %s of ", ip_print_port(&ip2, key->port2, s));
		/* fallthrough */
	case FACT_VS:
		if (key->proto)
			buf_addf(b, "virtual server %s/%s", ip_print_port(&ip, key->port, s),
				proto_name(key->proto));
		else
			buf_addf(b, "virtual server of firewall mark %u (%s)", fact_fwmark(key),
				family);
		break;
	case FACT_HELD:
		buf_addf(b, "address %s on " LINK_HELD, ip_print(&ip, s));
		break;
	case FACT_ROUTE:
		buf_addf(b, "local route %s", ip_print(&ip, s));
		if (key->port)
			buf_addf(b, " in table %u", key->port);
		break;
	case FACT_ADDR:
		buf_addf(b, "address %s", ip_print(&ip, s));
		break;
	case FACT_KINDS:
		break;
	}
}

void report_failure(struct buf *b, const struct fact_key *key, const struct fact_state *state,
	const struct report_input *in)
{
	struct op op = fact_state_op(key, state);

	report_describe(b, key, in);
	buf_adds(b, ": ");
	engine_print_failure(in->engine, b, &op);
	buf_addf(b, ", for the last %" PRIu64 " s", (in->now - state->failing_since) / 1000);
}

enum report_fault report_fault(struct buf *b, const struct fact_key *key,
	const struct fact_state *state, const struct report_input *in)
{
	if (state->wanted && state->error) {
		report_failure(b, key, state, in);
		return FAULT_FAILING;
	}
	if (state->wanted && state->present && state->known &&
		fact_val_eq(&state->want, &state->have))
		return FAULT_NONE;
	report_describe(b, key, in);
	buf_adds(b,
		state->wanted && state->present ? " is being changed"
						: " is not in the kernel yet");
	return FAULT_PENDING;
}

const char *report_endpoint_reason(const struct candidate *ep, bool used, bool left_by_policy)
{
	if (!used && left_by_policy)
		return "on another node, and the traffic policy is Local";
	if (ep->override && (used || ep->in_cluster))
		return ep->weight ? "its weight is set by an operator" : "drained by an operator";
	if (used)
		return endpoint_reason_text(ep->eligibility);
	/* Where IPVS does not balance, nothing leads to it. */
	if (ep->in_cluster && !ep->weight)
		return "its weight is 0";
	return endpoint_reason_text(ep->reason);
}
