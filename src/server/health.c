// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/health.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

enum { STATUS_OK = 200, STATUS_UNAVAILABLE = 503 };

void health_init(struct health *h, uint64_t timeout, bool follows_node)
{
	*h = (struct health){ .timeout = timeout, .eligible = !follows_node };
}

void health_fed(struct health *h)
{
	h->starting = true;
}

void health_queued(struct health *h, int family, uint64_t now)
{
	struct health_family *f = &h->families[family == AF_INET6];

	if (f->queued)
		return;
	f->queued = true;
	f->queued_at = now;
}

void health_updated(struct health *h, int family, const struct timespec *wall)
{
	h->families[family == AF_INET6] =
		(struct health_family){ .updated = true, .last_updated = *wall };
	h->starting = false;
}

void health_set_node(struct health *h, const struct node *node)
{
	if (node)
		h->eligible = !node->deleting && !node->to_be_deleted_taint;
}

static bool family_is_healthy(const struct health *h, const struct health_family *f, uint64_t now)
{
	return !f->updated || !f->queued || now - f->queued_at < h->timeout;
}

bool health_ok(const struct health *h, uint64_t now)
{
	return family_is_healthy(h, &h->families[0], now) &&
		family_is_healthy(h, &h->families[1], now);
}

/* Appends a member as Go's JSON does: RFC 3339 in the local zone, without trailing zeros in the
 * fraction. */
static void add_time_member(struct buf *b, const char *name, const struct timespec *t)
{
	char seconds[sizeof("2026-01-02T03:04:05") + 16];
	long fraction = t->tv_nsec, minutes;
	int digits = 9;
	struct tm tm;

	localtime_r(&t->tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(b, "\"%s\":\"%s", name, seconds);
	for (; digits && fraction % 10 == 0; digits--)
		fraction /= 10;
	if (digits)
		buf_addf(b, ".%0*ld", digits, fraction);
	minutes = tm.tm_gmtoff / 60;
	if (minutes)
		buf_addf(b, "%c%02ld:%02ld\"", minutes < 0 ? '-' : '+', labs(minutes) / 60,
			labs(minutes) % 60);
	else
		buf_adds(b, "Z\"");
}

int health_answer(struct health *h, enum health_probe probe, uint64_t now,
	const struct timespec *wall, struct buf *ret)
{
	const bool healthz = probe == HEALTH_HEALTHZ;
	const bool healthy = health_ok(h, now) && !(healthz && h->starting);
	const bool ok = healthy && (!healthz || h->eligible);
	const char *separator = ",\"status\":{";
	const struct timespec *last = NULL; /* when a family was in sync */

	for (size_t i = 0; i < ARRAY_SIZE(h->families); i++) {
		const struct timespec *t = &h->families[i].last_updated;

		if (h->families[i].updated &&
			(!last || t->tv_sec > last->tv_sec ||
				(t->tv_sec == last->tv_sec && t->tv_nsec > last->tv_nsec)))
			last = t;
	}

	h->answers[probe][!ok]++;
	buf_addc(ret, '{');
	/* While all is well this is the current time, so that a monitor that reads nothing else
	 * does not take an idle node for a stuck one. */
	if (ok || last)
		add_time_member(ret, "lastUpdated", ok ? wall : last);
	else
		buf_adds(ret, "\"lastUpdated\":\"0001-01-01T00:00:00Z\"");
	buf_addc(ret, ',');
	add_time_member(ret, "currentTime", wall);
	if (healthz)
		buf_addf(ret, ",\"nodeEligible\":%s", h->eligible ? "true" : "false");
	buf_addf(ret, ",\"healthy\":%s", healthy ? "true" : "false");

	for (size_t i = 0; i < ARRAY_SIZE(h->families); i++) {
		const struct health_family *f = &h->families[i];

		if (!f->updated)
			continue;
		buf_addf(ret, "%s\"%s\":{", separator, i ? "IPv6" : "IPv4");
		add_time_member(ret, "lastUpdated", &f->last_updated);
		buf_addf(ret, ",\"healthy\":%s}", family_is_healthy(h, f, now) ? "true" : "false");
		separator = ",";
	}
	buf_adds(ret, last ? "}}" : "}");
	return ok ? STATUS_OK : STATUS_UNAVAILABLE;
}
