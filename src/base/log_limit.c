// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log_limit.h"

#include <string.h>

static void log_limit_refill(struct log_limit_message *m, uint64_t now)
{
	uint64_t more = (now - m->refilled) / LOG_LIMIT_REFILL;

	m->used -= more < m->used ? (unsigned)more : m->used;
	m->refilled = m->used ? m->refilled + more * LOG_LIMIT_REFILL : now;
}

bool log_limit_pass(struct log_limit *l, const char *text, int level, uint64_t now)
{
	struct log_limit_message *m;
	size_t i = 0;

	while (i < l->n && strcmp(l->messages[i].text, text) != 0)
		i++;
	if (i == LOG_LIMIT_MESSAGES)
		i--;
	m = &l->messages[i];
	if (i == l->n) {
		m->refilled = now;
		l->n++;
	}
	m->text = text;
	m->level = level;
	log_limit_refill(m, now);
	if (m->used == LOG_LIMIT_BURST) {
		m->left_out++;
		return false;
	}
	m->used++;
	return true;
}

bool log_limit_due(struct log_limit *l, uint64_t now, struct log_limit_message *ret)
{
	for (size_t i = 0; i < l->n; i++) {
		struct log_limit_message *m = &l->messages[i];

		log_limit_refill(m, now);
		if (!m->left_out || m->used == LOG_LIMIT_BURST)
			continue;
		*ret = *m;
		m->left_out = 0;
		return true;
	}
	return false;
}
