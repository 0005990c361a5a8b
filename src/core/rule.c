// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/rule.h"

#include <string.h>

#include "base/hash.h"

const struct rule_match match_any = { .type = MATCH_ANY };

const struct rule_target to_return = { .type = TARGET_RETURN },
			 to_accept = { .type = TARGET_ACCEPT }, to_drop = { .type = TARGET_DROP },
			 to_reject = { .type = TARGET_REJECT };

struct rule_match match_net(enum match type, const struct cidr *net)
{
	struct rule_match m = { .type = (uint8_t)type, .net.ip = net->ip };

	for (int bit = 0; bit < net->len; bit++)
		m.net.mask[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return m;
}

struct rule_match match_set(enum set_id set, enum set_dirs dirs)
{
	return (struct rule_match){ .type = MATCH_SET,
		.set = { .id = (uint8_t)set, .dirs = (uint8_t)dirs } };
}

struct rule_target jump_to(const char *chain)
{
	return (struct rule_target){ .type = TARGET_JUMP, .chain = chain };
}

bool rule_add_match(struct rule *rule, struct rule_match m)
{
	for (size_t i = 0; i < RULE_MATCHES; i++)
		if (rule->match[i].type == MATCH_ANY) {
			rule->match[i] = m;
			return true;
		}
	return false;
}

bool rule_has_set(const struct rule *rule, enum set_id set)
{
	rule_for_each_match(m, rule)
		if (m->type == MATCH_SET && m->set.id == set)
			return true;
	return false;
}

/*
 * Packing and unpacking are one walk over the fields, so that they cannot differ: a field goes to
 * `out`, or where that is NULL comes from `in`.
 */
struct rule_codec {
	struct buf *out;
	const char *in;
};

static void code_bytes(struct rule_codec *c, void *field, size_t len)
{
	if (c->out) {
		buf_add(c->out, field, len);
		return;
	}
	memcpy(field, c->in, len);
	c->in += len;
}

#define code_field(c, field) code_bytes(c, &(field), sizeof(field))

/* With its NUL; NULL as "". */
static void code_text(struct rule_codec *c, const char **s)
{
	if (c->out) {
		buf_add(c->out, *s ? *s : "", *s ? strlen(*s) + 1 : 1);
		return;
	}
	*s = c->in;
	c->in += strlen(c->in) + 1;
}

static void code_match(struct rule_codec *c, struct rule_match *m)
{
	code_field(c, m->type);
	code_field(c, m->negated);
	switch ((enum match)m->type) {
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
		code_field(c, m->net);
		break;
	case MATCH_INTERFACE:
		code_text(c, &m->interface);
		break;
	case MATCH_PROTOCOL:
		code_field(c, m->protocol);
		break;
	case MATCH_PORTS:
		code_field(c, m->ports);
		break;
	case MATCH_SET:
		code_field(c, m->set);
		break;
	case MATCH_MARK:
		code_field(c, m->mark);
		break;
	case MATCH_STATES:
		code_field(c, m->states);
		break;
	case MATCH_SHARE:
		code_field(c, m->share);
		break;
	case MATCH_REMEMBERED:
		code_field(c, m->client.seconds);
		/* fall through */
	case MATCH_REMEMBER:
		code_text(c, &m->client.record);
		break;
	case MATCH_ICMP_ECHO:
	case MATCH_SOURCE_LOCAL:
	case MATCH_DESTINATION_LOCAL:
	case MATCH_ANY:
	case MATCHES:
		break;
	}
}

static void code_rule(struct rule_codec *c, struct rule *rule)
{
	struct rule_target *t = &rule->target;
	uint8_t n = 0, done = 0;

	rule_for_each_match(m, rule)
		n++;
	code_field(c, n);
	for (struct rule_match *m = rule->match; done < n; m++)
		if (!c->out || m->type != MATCH_ANY) {
			code_match(c, m);
			done++;
		}

	code_field(c, t->type);
	switch ((enum target)t->type) {
	case TARGET_JUMP:
	case TARGET_GOTO:
		code_text(c, &t->chain);
		break;
	case TARGET_MARK:
		code_field(c, t->mark);
		break;
	case TARGET_MAP_MARK:
		code_field(c, t->set);
		break;
	case TARGET_MASQUERADE:
		code_field(c, t->random_fully);
		break;
	case TARGET_DNAT:
		code_field(c, t->to.ip);
		code_field(c, t->to.port);
		break;
	case TARGET_SPREAD:
		code_field(c, t->dispatch);
		break;
	case TARGET_RECALL:
	case TARGET_FORGET:
	case TARGET_SLOT:
		code_field(c, t->spread);
		break;
	case TARGET_NONE:
	case TARGET_RETURN:
	case TARGET_ACCEPT:
	case TARGET_DROP:
	case TARGET_REJECT:
	case TARGETS:
		break;
	}
	code_text(c, &rule->comment);
	code_field(c, rule->comment_last);
}

void rule_list_add(struct rule_list *l, const struct rule *rule)
{
	struct rule copy = *rule;

	code_rule(&(struct rule_codec){ .out = &l->packed }, &copy);
	l->n++;
}

void rule_list_append(struct rule_list *l, const struct rule_list *other)
{
	buf_add(&l->packed, buf_str(&other->packed), other->packed.len);
	l->n += other->n;
}

void rule_list_reset(struct rule_list *l)
{
	buf_reset(&l->packed);
	l->n = 0;
}

void rule_list_done(struct rule_list *l)
{
	buf_done(&l->packed);
	*l = (struct rule_list){ 0 };
}

uint64_t rule_list_hash(uint64_t before, const struct rule_list *l)
{
	return hash_more(before, buf_str(&l->packed), l->packed.len);
}

bool rule_list_next(const struct rule_list *l, size_t *at, struct rule *ret)
{
	struct rule_codec c = { .in = buf_str(&l->packed) + *at };

	if (*at == l->packed.len)
		return false;
	*ret = (struct rule){ 0 };
	code_rule(&c, ret);
	/* The packed form has "" for none. */
	if (!*ret->comment)
		ret->comment = NULL;
	*at = (size_t)(c.in - buf_str(&l->packed));
	return true;
}

bool rule_list_leads_to(const struct rule_list *l, const char *chain)
{
	struct rule rule;

	for (size_t at = 0; rule_list_next(l, &at, &rule);)
		if ((rule.target.type == TARGET_JUMP || rule.target.type == TARGET_GOTO) &&
			!strcmp(rule.target.chain, chain))
			return true;
	return false;
}
