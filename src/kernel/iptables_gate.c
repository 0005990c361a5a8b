// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/iptables_gate.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/resolve.h"
#include "kernel/iptables_text.h"

enum { MAX_CHAINS = 32 /* that are followed; with more the gate is open */ };

struct gate_search {
	int family;
	const struct gate_packets *packets;
	bool closed, accepts, doubtful;
	char chains[MAX_CHAINS][CHAIN_NAME_LEN + 1]; /* behind the hook; the first is its own */
	size_t n_chains;
	struct iptables_rule rule;
};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words;
}

bool gate_is_others_interface(const char *name)
{
	static const char *const begins[] = { "docker", "br-", "virbr" };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (!strncmp(name, begins[i], strlen(begins[i])))
			return true;
	return !strcmp(name, "lo");
}

static bool states_meet(const char *states, const struct gate_packets *packets)
{
	return strstr(states, packets->replies ? "ESTABLISHED" : "NEW") ||
		(packets->translated && strstr(states, "DNAT"));
}

/* Whether the rule can mean these packets at any port of any pod. */
static bool rule_meets(const struct iptables_rule *rule, const struct gate_packets *packets)
{
	static const char *const ports[] = { "--dport", "--dports", "--sport", "--sports",
		"--ports", NULL };
	static const char *const protocols[] = { "tcp", "udp", "sctp", "all", NULL };
	const char *word = buf_str(&rule->words), *end = word + rule->words.len;
	bool negated = false;

	while (word < end) {
		const char *option = word, *value = word + strlen(word) + 1;

		word = value;
		if (!strcmp(option, "!")) {
			negated = true;
			continue;
		}
		if (value >= end)
			break;
		if (is_one_of(option, ports))
			return false;
		if (!strcmp(option, "--comment"))
			word += strlen(value) + 1;
		if (!negated && !strcmp(option, "-p") && !is_one_of(value, protocols))
			return false;
		if (!negated && (!strcmp(option, "-i") || !strcmp(option, "-o")) &&
			gate_is_others_interface(value))
			return false;
		if (!negated && (!strcmp(option, "--ctstate") || !strcmp(option, "--state")) &&
			!states_meet(value, packets))
			return false;
		negated = false;
	}
	return true;
}

/* Whether it has no match but a comment. */
static bool rule_is_unconditional(const struct iptables_rule *rule)
{
	static const char comment[] = "-m\0comment\0--comment";
	const char *word = buf_str(&rule->words), *end = word + rule->words.len;

	while ((size_t)(end - word) > sizeof(comment) && !memcmp(word, comment, sizeof(comment))) {
		word += sizeof(comment);
		word += strlen(word) + 1;
	}
	return word < end && !strcmp(word, "-j");
}

static bool gate_follows(const struct gate_search *s, const char *chain)
{
	for (size_t i = 0; i < s->n_chains; i++)
		if (!strcmp(s->chains[i], chain))
			return true;
	return false;
}

/* A rule of the i-th chain. */
static void gate_read_rule(struct gate_search *s, size_t i, const struct iptables_line *line)
{
	const char *target = s->rule.target;

	iptables_parse_rule(line->rule, line->len, s->family, &s->rule);
	if (!rule_meets(&s->rule, s->packets) || chain_is_ours(TABLE_FILTER, target))
		return;
	if (!strcmp(target, "ACCEPT"))
		s->accepts = true;
	if (!i && (!strcmp(target, "DROP") || !strcmp(target, "REJECT")) &&
		rule_is_unconditional(&s->rule))
		s->closed = true;
	if (!*target || gate_follows(s, target))
		return;
	s->doubtful |= s->n_chains == MAX_CHAINS;
	if (s->n_chains < MAX_CHAINS)
		snprintf(s->chains[s->n_chains++], sizeof(s->chains[0]), "%s", target);
}

/* The rules of a chain stand together. They are looked for, because others may have very many. */
static void gate_read_chain(struct gate_search *s, size_t i, const char *text)
{
	char begin[CHAIN_NAME_LEN + sizeof("\n-A  ")];
	struct iptables_line line;
	const char *at;

	snprintf(begin, sizeof(begin), "\n-A %s ", s->chains[i]);
	at = strstr(text, begin);
	if (!at)
		return;
	at++;
	while (!s->accepts && iptables_next_line(&at, &line) && line.type == IPTABLES_LINE_RULE &&
		!strcmp(line.name, s->chains[i]))
		gate_read_rule(s, i, &line);
}

enum gate iptables_gate_read(const char *text, int family, const struct gate_packets *packets)
{
	struct gate_search s = { .family = family, .packets = packets, .n_chains = 1 };
	char closed[CHAIN_NAME_LEN + sizeof("\n: DROP ")];
	bool policy;

	snprintf(s.chains[0], sizeof(s.chains[0]), "%s", hook_name(packets->hook));
	snprintf(closed, sizeof(closed), "\n:%s DROP ", s.chains[0]);
	policy = strstr(text, closed);
	gate_read_chain(&s, 0, text);
	for (size_t i = 1; i < s.n_chains && (policy || s.closed) && !s.accepts; i++)
		gate_read_chain(&s, i, text);
	iptables_rule_done(&s.rule);
	if (s.accepts || s.doubtful)
		return GATE_OPEN;
	return s.closed ? GATE_RULE : policy ? GATE_POLICY : GATE_OPEN;
}
