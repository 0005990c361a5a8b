// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/iptables_trial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "iptables_tool.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "kernel/iptables_text.h"

/* iptables that asks for modules which are missing takes seconds on a slow machine, and the daemon
 * has not started yet. */
enum { NAMING_MS = 10000 };

struct iptables_trial {
	const struct fact *facts;
	size_t n_facts;
	const struct rule_pool *pool;
	struct adapter *ipset;
	struct op *sets; /* that were missing */
	size_t n_sets;
	/* Of the family at hand: */
	int family;
	const struct iptables_tool *tool;
	struct iptables_proof proof;
	uint64_t naming_until; /* ms of clock_ms() */
};

/* The kernel's module for a match, in names of both variants of iptables; NULL: it needs none. */
static const char *match_module(enum match type)
{
	switch (type) {
	case MATCH_PORTS:
	case MATCH_ICMP_ECHO:
		return "xt_tcpudp";
	case MATCH_SET:
		return "xt_set";
	case MATCH_MARK:
		return "xt_mark";
	case MATCH_STATES:
		return "xt_conntrack";
	case MATCH_SOURCE_LOCAL:
	case MATCH_DESTINATION_LOCAL:
		return "xt_addrtype";
	case MATCH_SHARE:
		return "xt_statistic";
	case MATCH_REMEMBER:
	case MATCH_REMEMBERED:
		return "xt_recent";
	case MATCH_ANY:
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
	case MATCH_INTERFACE:
	case MATCH_PROTOCOL:
	case MATCHES:
		break;
	}
	return NULL;
}

static const char *target_module(enum target type, int family)
{
	switch (type) {
	case TARGET_REJECT:
		return family == AF_INET6 ? "ip6t_REJECT" : "ipt_REJECT";
	case TARGET_MARK:
		return "xt_mark";
	case TARGET_MAP_MARK:
		return "xt_set";
	case TARGET_MASQUERADE:
		return "xt_MASQUERADE";
	case TARGET_DNAT:
		return "xt_nat";
	case TARGET_NONE:
	case TARGET_JUMP:
	case TARGET_GOTO:
	case TARGET_RETURN:
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_SPREAD:
	case TARGET_RECALL:
	case TARGET_FORGET:
	case TARGET_SLOT:
	case TARGETS:
		break;
	}
	return NULL;
}

/* The kernel has that module, and the programs know it: rules that were read need it. */
static bool is_proven(const struct iptables_trial *t, const char *module)
{
	for (enum match type = 0; type < MATCHES; type++) {
		const char *of = t->proof.matches & 1u << type ? match_module(type) : NULL;

		if (of && !strcmp(of, module))
			return true;
	}
	for (enum target type = 0; type < TARGETS; type++) {
		const char *of =
			t->proof.targets & 1u << type ? target_module(type, t->family) : NULL;

		if (of && !strcmp(of, module))
			return true;
	}
	return false;
}

/* A table of the legacy variant is a module, too. */
static bool rule_needs_trial(
	const struct iptables_trial *t, enum table table, const struct rule *rule)
{
	const char *module = target_module((enum target)rule->target.type, t->family);

	if (!t->proof.tables || (!t->tool->info.nft && !(t->proof.tables & 1u << table)))
		return true;
	rule_for_each_match(m, rule) {
		const char *of = match_module((enum match)m->type);

		if (of && !is_proven(t, of))
			return true;
	}
	return module && !is_proven(t, module);
}

/* Its rules stand in that table of the family at hand; NULL: it has none, or not there. */
static const struct rule_list *trial_rules(
	const struct iptables_trial *t, const struct fact *f, enum table table)
{
	if (f->key.family != t->family || f->key.set != table ||
		(f->key.kind != FACT_CHAIN && f->key.kind != FACT_JUMP))
		return NULL;
	return rule_pool_get(t->pool, f->val.chain.rules);
}

/* The chain that the rule leads to does not exist; how it gets there needs no module. */
static void add_trial_rule(struct buf *doc, int family, struct rule rule)
{
	if (rule.target.type == TARGET_JUMP || rule.target.type == TARGET_GOTO)
		rule.target.type = TARGET_NONE;
	iptables_print_rule(doc, family, IPTABLES_TRIAL_CHAIN, &rule);
	buf_addc(doc, '\n');
}

static void begin_trial_table(struct buf *doc, enum table table)
{
	buf_addf(doc, "*%s\n:" IPTABLES_TRIAL_CHAIN " - [0:0]\n", table_name(table));
}

/* The chain was accepted and goes again, in a transaction of its own. */
enum { TRIAL_END_LINES = 4 };
static void add_trial_end(struct buf *doc, enum table table)
{
	begin_trial_table(doc, table);
	buf_adds(doc, "-X " IPTABLES_TRIAL_CHAIN "\nCOMMIT\n");
}

/* Sets */

static int add_trial_sets(struct iptables_trial *t, struct err *err)
{
	t->sets = mem_zalloc(t->n_facts, sizeof(*t->sets));
	for (size_t i = 0; i < t->n_facts; i++) {
		struct op op = { .type = OP_ADD, .fact = t->facts[i] };
		char name[SET_NAME_LEN + 1];
		const char *why;

		if (op.fact.key.kind != FACT_SET)
			continue;
		t->ipset->apply(t->ipset, &op, 1);
		if (!op.result)
			t->sets[t->n_sets++] = op;
		if (!op.result || op.result == -EEXIST)
			continue;
		why = ipset_explain(&op);
		return err_set(err, op.result, "ipset refuses the set %s of type %s: %s",
			set_name(op.fact.key.set, op.fact.key.family, name),
			set_type_name(op.fact.val.set.type), why ? why : strerror(-op.result));
	}
	return 0;
}

static void remove_trial_sets(struct iptables_trial *t)
{
	while (t->n_sets) {
		struct op *op = &t->sets[--t->n_sets];

		op->type = OP_DEL;
		t->ipset->apply(t->ipset, op, 1);
	}
}

/* Rules */

/* Whether iptables refuses this one rule, too; then err says so. */
static bool is_refused(const struct iptables_trial *t, enum table table, const struct rule *rule,
	const char *module, struct err *err)
{
	_cleanup_(buf_done) struct buf doc = { 0 }, text = { 0 };
	struct err words = { 0 };

	if (clock_ms() > t->naming_until)
		return false;
	begin_trial_table(&doc, table);
	add_trial_rule(&doc, t->family, *rule);
	buf_adds(&doc, "COMMIT\n");
	if (iptables_tool_restore(t->tool, &doc, &words) != -EINVAL)
		return false;
	iptables_print_rule(&text, t->family, NULL, rule);
	err_set(err, -EOPNOTSUPP, "%s refuses \"%.*s\" (kernel module %s%s): %s", t->tool->name,
		(int)(text.len - (rule->target.type == TARGET_NONE)), buf_str(&text), module,
		t->tool->info.nft ? " or nft_compat" : "", words.msg);
	return true;
}

/* The kinds that were tried by themselves, as bits. */
struct tried_parts {
	unsigned matches, targets;
};

/* One of the rule's matches, or its target, is refused by itself. */
static bool has_refused_part(const struct iptables_trial *t, enum table table,
	const struct rule *rule, struct tried_parts *tried, struct err *err)
{
	const char *module = target_module((enum target)rule->target.type, t->family);
	struct rule part = { 0 };

	rule_for_each_match(m, rule) {
		const char *of = match_module((enum match)m->type);

		/* Matches of ports and targets that translate them stand behind a protocol. */
		if (m->type == MATCH_PROTOCOL && !m->negated)
			part.match[0] = *m;
		if (!of || tried->matches & 1u << m->type)
			continue;
		tried->matches |= 1u << m->type;
		part.match[1] = *m;
		if (is_refused(t, table, &part, of, err))
			return true;
	}
	if (!module || tried->targets & 1u << rule->target.type)
		return false;
	tried->targets |= 1u << rule->target.type;
	part.match[1] = match_any;
	part.target = rule->target;
	return is_refused(t, table, &part, module, err);
}

/* Looks in the rule at that line of the document that try_family() makes; 0: in all. */
static bool find_refused(const struct iptables_trial *t, unsigned long wanted, struct err *err)
{
	struct tried_parts tried = { 0 };
	unsigned long line = 0;
	struct rule rule;

	for (enum table table = 0; table <= TABLE_MANGLE; table++) {
		line += 2; /* the table, the chain */
		for (size_t i = 0; i < t->n_facts; i++) {
			const struct rule_list *rules = trial_rules(t, &t->facts[i], table);

			for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
				if (!rule_needs_trial(t, table, &rule))
					continue;
				line++;
				if ((!wanted || wanted == line) &&
					has_refused_part(t, table, &rule, &tried, err))
					return true;
			}
		}
		line += 1 + TRIAL_END_LINES; /* COMMIT */
	}
	return false;
}

/* Replaces the words of iptables about the whole document by those about what it refuses. */
static void name_refused(struct iptables_trial *t, struct err *err)
{
	const char *number = strstr(err->msg, "line");
	const unsigned long line =
		number ? strtoul(number + strcspn(number, "0123456789"), NULL, 10) : 0;

	t->naming_until = clock_ms() + NAMING_MS;
	/* The legacy program names the line of COMMIT. */
	if ((line && find_refused(t, line, err)) || find_refused(t, 0, err))
		return;
	err_prefix(err, "%s refuses the rules", t->tool->name);
}

static void remove_trial_chains(const struct iptables_trial *t)
{
	_cleanup_(buf_done) struct buf doc = { 0 };
	struct err unused;

	for (enum table table = 0; table <= TABLE_MANGLE; table++)
		add_trial_end(&doc, table);
	iptables_tool_restore(t->tool, &doc, &unused);
}

/* Returns 1 if the family works, 0 if it does not with any rules, or a negative errno with words. */
static int try_family(struct iptables_trial *t, struct err *err)
{
	_cleanup_(buf_done) struct buf doc = { 0 };
	size_t n_rules = 0;
	struct rule rule;
	struct err why;
	int r, works;

	for (enum table table = 0; table <= TABLE_MANGLE; table++) {
		begin_trial_table(&doc, table);
		for (size_t i = 0; i < t->n_facts; i++) {
			const struct rule_list *rules = trial_rules(t, &t->facts[i], table);

			for (size_t at = 0; rules && rule_list_next(rules, &at, &rule);) {
				if (!rule_needs_trial(t, table, &rule))
					continue;
				add_trial_rule(&doc, t->family, rule);
				n_rules++;
			}
		}
		buf_adds(&doc, "COMMIT\n");
		add_trial_end(&doc, table);
	}
	if (!n_rules)
		return 1;
	r = iptables_tool_restore(t->tool, &doc, err);
	if (!r)
		return 1;
	works = iptables_tool_try(t->tool, &why);
	if (err_is_shortage(works))
		return err_set(err, works, "%s", why.msg);
	works = !works || works == -EAGAIN || works == -ETIMEDOUT;
	if (works && r == -EINVAL)
		name_refused(t, err);
	remove_trial_chains(t);
	if (!works)
		return 0;
	if (r == -EAGAIN || r == -ETIMEDOUT)
		return 1;
	return r == -EINVAL ? -EOPNOTSUPP : r;
}

int iptables_trial(const struct adapter *iptables, const struct fact *facts, size_t n,
	const struct rule_pool *pool, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const int bits[] = { IPTABLES_IPV4, IPTABLES_IPV6 };
	struct iptables_trial t = { .facts = facts, .n_facts = n, .pool = pool };
	int r = ipset_new(&t.ipset, err), works = 0;

	if (r)
		return r;
	r = add_trial_sets(&t, err);
	for (size_t f = 0; r >= 0 && f < ARRAY_SIZE(families); f++) {
		t.family = families[f];
		t.tool = iptables_tool_of(iptables, t.family);
		t.proof = iptables_proof(iptables, t.family);
		r = t.tool ? try_family(&t, err) : 0;
		if (r > 0)
			works |= bits[f];
	}
	remove_trial_sets(&t);
	free(t.sets);
	ipset_free(t.ipset);
	return r < 0 ? r : works;
}
