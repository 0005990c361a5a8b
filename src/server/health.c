// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/health.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "core/fact.h"

enum { STATUS_OK = 200, STATUS_UNAVAILABLE = 503 };

static const int families[] = { AF_INET, AF_INET6 };

static struct health_family *family_of(struct health *h, int family)
{
	return &h->families[family == AF_INET6];
}

void health_init(struct health *h, uint64_t timeout, bool follows_node)
{
	*h = (struct health){ .timeout = timeout, .eligible = !follows_node };
}

void health_queued(struct health *h, int family, uint64_t now)
{
	struct health_family *f = family_of(h, family);

	if (f->queued)
		return;
	f->queued = true;
	f->queued_at = now;
}

void health_updated(struct health *h, int family, const struct timespec *wall)
{
	*family_of(h, family) = (struct health_family){ .updated = true, .last_updated = *wall };
}

void health_set_node(struct health *h, const struct node *node)
{
	if (node)
		h->eligible = !node->deleting && !node->to_be_deleted_taint;
}

static bool family_ok(const struct health *h, const struct health_family *f, uint64_t now)
{
	return !f->updated || !f->queued || now - f->queued_at < h->timeout;
}

bool health_ok(const struct health *h, uint64_t now)
{
	return family_ok(h, &h->families[0], now) && family_ok(h, &h->families[1], now);
}

/* JSON as Go writes it */

/* RFC 3339 in the local zone, with as many decimals as it takes. */
static void add_time(struct buf *b, const struct timespec *t)
{
	char day[sizeof("2026-01-02T03:04:05") + 16];
	long fraction = t->tv_nsec, minutes;
	int digits = 9;
	struct tm tm;

	localtime_r(&t->tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_adds(b, day);
	for (; digits && fraction % 10 == 0; digits--)
		fraction /= 10;
	if (digits)
		buf_addf(b, ".%0*ld", digits, fraction);
	minutes = tm.tm_gmtoff / 60;
	if (minutes)
		buf_addf(b, "%c%02ld:%02ld", minutes < 0 ? '-' : '+', labs(minutes) / 60,
			labs(minutes) % 60);
	else
		buf_addc(b, 'Z');
}

static void add_time_field(struct buf *b, const char *name, const struct timespec *t)
{
	buf_addf(b, "\"%s\":\"", name);
	add_time(b, t);
	buf_addc(b, '"');
}

static void add_bool_field(struct buf *b, const char *name, bool value)
{
	buf_addf(b, "\"%s\":%s", name, value ? "true" : "false");
}

static void add_status(struct buf *b, const struct health *h, uint64_t now)
{
	const char *separator = ",\"status\":{";

	for (size_t i = 0; i < ARRAY_SIZE(h->families); i++) {
		const struct health_family *f = &h->families[i];

		if (!f->updated)
			continue;
		buf_addf(b, "%s\"%s\":{", separator, family_name(families[i]));
		add_time_field(b, "lastUpdated", &f->last_updated);
		buf_addc(b, ',');
		add_bool_field(b, "healthy", family_ok(h, f, now));
		buf_addc(b, '}');
		separator = ",";
	}
	if (h->families[0].updated || h->families[1].updated)
		buf_addc(b, '}');
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Who only looks at this time must not take an idle node for a stuck one: it is the current one
 * while all is well. */
static void add_last_updated(
	struct buf *b, const struct health *h, bool ok, const struct timespec *wall)
{
	const struct timespec *last = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(h->families); i++) {
		const struct health_family *f = &h->families[i];

		if (f->updated && (!last || later(&f->last_updated, last)))
			last = &f->last_updated;
	}
	if (ok || last)
		add_time_field(b, "lastUpdated", ok ? wall : last);
	else
		buf_adds(b, "\"lastUpdated\":\"0001-01-01T00:00:00Z\"");
}

int health_answer(struct health *h, enum health_probe probe, uint64_t now,
	const struct timespec *wall, struct buf *ret)
{
	bool healthy = health_ok(h, now);
	bool ok = healthy && (probe == HEALTH_LIVEZ || h->eligible);

	h->answers[probe][!ok]++;
	buf_addc(ret, '{');
	add_last_updated(ret, h, ok, wall);
	buf_addc(ret, ',');
	add_time_field(ret, "currentTime", wall);
	buf_addc(ret, ',');
	if (probe == HEALTH_HEALTHZ) {
		add_bool_field(ret, "nodeEligible", h->eligible);
		buf_addc(ret, ',');
	}
	add_bool_field(ret, "healthy", healthy);
	add_status(ret, h, now);
	buf_addc(ret, '}');
	return ok ? STATUS_OK : STATUS_UNAVAILABLE;
}
