// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan_nftables.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

static json_t *text_json(struct buf *b)
{
	json_t *text = json_string(buf_str(b));

	buf_reset(b);
	return text;
}

/* Appends the rules of a chain or jump. */
static void add_rules_json(const struct plan *p, const struct fact *f, json_t *list)
{
	const struct rule_list *rules = rule_pool_get(engine_rules(p->engine), f->val.chain.rules);
	_cleanup_(buf_done) struct buf b = { 0 };
	struct rule rule;

	for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
		p->nftables->print_rule(
			&b, f->key.family, f->key.set, p->view->options->mark_mask, &rule);
		json_array_append_new(list, text_json(&b));
	}
}

/* All jumps from a hook stand in one chain, in their order. */
static json_t *base_chain_json(
	const struct plan *p, json_t *bases, const char *name, const struct fact *jump)
{
	json_t *base = json_object_get(bases, name), *rules;
	const char *type = "", *hook = "";
	int priority = 0;

	if (base)
		return json_object_get(base, "rules");
	rules = json_array();
	p->nftables->base_chain(jump->key.set, jump->key.port, &type, &hook, &priority);
	json_object_set_new(bases, name,
		json_pack("{s:s, s:s, s:i, s:o}", "type", type, "hook", hook, "priority", priority,
			"rules", rules));
	return rules;
}

static json_t *family_json(const struct plan *p, int family)
{
	json_t *sets = json_object(), *bases = json_object(), *chains = json_object(), *list;
	_cleanup_(buf_done) struct buf b = { 0 };
	char name[SET_NAME_LEN + 1];

	/* A set stands before its members. */
	for (size_t i = 0; i < p->facts.n; i++) {
		const struct fact *f = &p->facts.facts[i];

		if (f->key.family != family)
			continue;
		switch ((enum fact_kind)f->key.kind) {
		case FACT_SET:
			p->nftables->print_set_type(&b, &f->key);
			json_object_set_new(sets, set_name(f->key.set, family, name),
				json_pack("{s:o, s:[]}", "type", text_json(&b), "entries"));
			break;
		case FACT_MEMBER:
			list = json_object_get(
				json_object_get(sets, set_name(f->key.set, family, name)),
				"entries");
			p->nftables->print_element(&b, f);
			json_array_append_new(list, text_json(&b));
			break;
		case FACT_CHAIN:
			list = json_array();
			add_rules_json(p, f, list);
			p->nftables->print_chain(&b, f->key.set, f->key.name);
			json_object_set_new(chains, buf_str(&b), list);
			buf_reset(&b);
			break;
		case FACT_JUMP:
			p->nftables->print_chain(&b, f->key.set, hook_name(f->key.port));
			add_rules_json(p, f, base_chain_json(p, bases, buf_str(&b), f));
			buf_reset(&b);
			break;
		default:
			break;
		}
	}
	return json_pack("{s:s, s:o, s:o, s:o}", "table", p->nftables->table, "sets", sets,
		"baseChains", bases, "chains", chains);
}

json_t *plan_nftables(const struct plan *p)
{
	json_t *o = json_object();

	if (node_view_serves(p->view, AF_INET))
		json_object_set_new(o, "ip", family_json(p, AF_INET));
	if (node_view_serves(p->view, AF_INET6))
		json_object_set_new(o, "ip6", family_json(p, AF_INET6));
	return o;
}

static void print_chain_rules(const json_t *rules, struct buf *out)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule) {
		buf_addf(out, "    %s\n", json_string_value(rule));
	}
}

static void print_sets(const char *family, json_t *sets, struct buf *out)
{
	size_t empty = 0, i;
	const char *name;
	json_t *set;

	buf_addf(out, "\nnftables sets, family %s: %zu\n", family, json_object_size(sets));
	json_object_foreach(sets, name, set) {
		const json_t *entries = json_object_get(set, "entries"), *entry;

		json_array_foreach(entries, i, entry) {
			if (!i)
				buf_addf(out, "  %s %s\n", name,
					json_string_value(json_object_get(set, "type")));
			buf_addf(out, "    %s\n", json_string_value(entry));
		}
		empty += !json_array_size(entries);
	}
	if (empty)
		buf_addf(out, "  and %zu empty one%s\n", empty, empty == 1 ? "" : "s");
}

void plan_print_nftables(const json_t *nftables, struct buf *out)
{
	const char *family, *name;
	json_t *o, *chain;

	json_object_foreach((json_t *)nftables, family, o) {
		print_sets(family, json_object_get(o, "sets"), out);
	}
	json_object_foreach((json_t *)nftables, family, o) {
		buf_addf(out, "\nRules in nftables, table %s %s:\n", family,
			json_string_value(json_object_get(o, "table")));
		json_object_foreach(json_object_get(o, "baseChains"), name, chain) {
			buf_addf(out, "  chain %s { type %s hook %s priority %lld; }\n", name,
				json_string_value(json_object_get(chain, "type")),
				json_string_value(json_object_get(chain, "hook")),
				json_integer_value(json_object_get(chain, "priority")));
			print_chain_rules(json_object_get(chain, "rules"), out);
		}
		json_object_foreach(json_object_get(o, "chains"), name, chain) {
			buf_addf(out, "  chain %s\n", name);
			print_chain_rules(chain, out);
		}
	}
}
