// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/override.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "core/store.h"

void overrides_done(struct overrides *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].service);
	free(o->v);
	*o = (struct overrides){ 0 };
}

static struct override *find_like(const struct overrides *o, const struct override *like)
{
	for (size_t i = 0; i < o->n; i++)
		if (ip_eq(&o->v[i].ip, &like->ip) && o->v[i].port == like->port &&
			!strcmp(o->v[i].service, like->service))
			return &o->v[i];
	return NULL;
}

int overrides_put(struct overrides *o, const struct override *new)
{
	struct override *place = find_like(o, new);
	char *service;

	if (!place && o->n == OVERRIDES_MAX)
		return -ENOSPC;
	service = place ? place->service : mem_strdup(new->service);
	if (!place) {
		mem_grow(o->v, o->n, o->cap);
		place = &o->v[o->n++];
	}
	*place = *new;
	place->service = service;
	return 0;
}

static bool names_service(const struct override *o, const char *ns, const char *name)
{
	const size_t len = strlen(ns);

	return !strncmp(o->service, ns, len) && o->service[len] == '/' &&
		!strcmp(o->service + len + 1, name);
}

const struct override *overrides_find(const struct overrides *o, const char *ns, const char *name,
	const struct ip *ip, uint16_t port)
{
	const struct override *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < o->n; i++) {
		const struct override *it = &o->v[i];
		const int rank = 2 * (*it->service != '\0') + (it->port != 0);

		if (rank <= best_rank || !ip_eq(&it->ip, ip) || (it->port && it->port != port) ||
			(*it->service && !names_service(it, ns, name)))
			continue;
		best = it;
		best_rank = rank;
	}
	return best;
}

static bool subset_has(const struct subset *subset, const struct override *o)
{
	bool has_ip = false, has_port = !o->port;

	for (size_t i = 0; i < subset->n_endpoints && !has_ip; i++)
		has_ip = ip_eq(&subset->endpoints[i].ip, &o->ip);
	for (size_t i = 0; i < subset->n_ports && !has_port; i++)
		has_port = subset->ports[i].port == o->port;
	return has_ip && has_port;
}

bool override_concerns(const struct override *o, const struct slot *slot)
{
	if (!slot->service || (*o->service && strcmp(o->service, slot->name) != 0))
		return false;
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link)
		for (size_t i = 0; i < it->slice->n_subsets; i++)
			if (subset_has(&it->slice->subsets[i], o))
				return true;
	return false;
}

bool override_is_meant(const struct override *o, const struct override *wish)
{
	return ip_eq(&o->ip, &wish->ip) && (!wish->port || wish->port == o->port) &&
		(!*wish->service || !strcmp(wish->service, o->service));
}

bool override_is_lost(struct override *o, bool there, uint64_t now)
{
	if (there)
		o->lost_at = 0;
	else if (!o->lost_at)
		o->lost_at = now;
	return o->lost_at && now - o->lost_at >= OVERRIDE_LOST_MS;
}

/* The text */

void override_print_endpoint(const struct override *o, struct buf *ret)
{
	char s[IP_PORT_STRLEN], address[IP_STRLEN];

	buf_adds(ret, o->port ? ip_print_port(&o->ip, o->port, s) : ip_print(&o->ip, address));
}

int override_parse_endpoint(
	const char *text, struct ip *ret_ip, uint16_t *ret_port, struct err *err)
{
	const size_t len = strlen(text);
	char inner[IP_STRLEN];

	*ret_port = 0;
	if (!ip_parse(text, ret_ip) || (!ip_parse_port(text, ret_ip, ret_port) && *ret_port))
		return 0;
	if (len > 2 && len - 2 < sizeof(inner) && *text == '[' && text[len - 1] == ']') {
		memcpy(inner, text + 1, len - 2);
		inner[len - 2] = '\0';
		if (!ip_parse(inner, ret_ip))
			return 0;
	}
	return err_set(err, -EINVAL, "no endpoint: give ADDRESS:PORT or ADDRESS");
}

void overrides_print(const struct overrides *o, struct buf *ret)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct override *it = &o->v[i];

		override_print_endpoint(it, ret);
		buf_addf(ret, " %s weight=%" PRIu32, *it->service ? it->service : "*", it->weight);
		if (it->until != OVERRIDE_FOREVER)
			buf_addf(ret, " until=%" PRIu64, it->until);
		buf_addf(ret, " by=%" PRIu32 "\n", it->by);
	}
}

/* Takes the next word, which ends with a blank or the text. */
static char *next_word(char **rest)
{
	char *word = *rest;

	*rest += strcspn(*rest, " ");
	if (**rest)
		*(*rest)++ = '\0';
	return word;
}

/* "NAME=NUMBER" */
static bool parse_setting(const char *word, const char *name, uint64_t max, uint64_t *ret)
{
	const size_t len = strlen(name);

	return !strncmp(word, name, len) && word[len] == '=' &&
		!number_parse(word + len + 1, max, ret);
}

/* The line is written in. */
static bool parse_override(char *line, struct override *ret)
{
	uint64_t weight, by;
	struct err err;
	char *word;

	*ret = (struct override){ .until = OVERRIDE_FOREVER };
	if (override_parse_endpoint(next_word(&line), &ret->ip, &ret->port, &err) < 0)
		return false;
	ret->service = next_word(&line);
	if (!strcmp(ret->service, "*"))
		ret->service += 1;
	else if (!strchr(ret->service, '/'))
		return false;
	if (!parse_setting(next_word(&line), "weight", OVERRIDE_MAX_WEIGHT, &weight))
		return false;
	ret->weight = (uint32_t)weight;
	word = next_word(&line);
	if (parse_setting(word, "until", OVERRIDE_FOREVER, &ret->until))
		word = next_word(&line);
	if (!parse_setting(word, "by", UINT32_MAX, &by) || *line)
		return false;
	ret->by = (uint32_t)by;
	return true;
}

int overrides_parse(struct overrides *ret, const char *text, struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(text);
	char *end, *line = copy;

	for (size_t number = 1; *line; number++, line = end) {
		struct override o;

		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (!parse_override(line, &o) || overrides_put(ret, &o) < 0)
			return err_set(err, -EINVAL, "line %zu is no override", number);
	}
	return 0;
}
