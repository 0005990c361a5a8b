// SPDX-License-Identifier: GPL-2.0-or-later
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/fact_text.h"

enum { MANY_STEPS = 10000 };

static void on_failure(const struct op *op, void *arg)
{
	struct world *w = arg;

	buf_addf(&w->told, "failure %d: %s ", op->result, op_type_name(op->type));
	fact_print(&w->told, &op->fact);
	buf_addc(&w->told, '\n');
}

static void on_scheduler_missing(const char *scheduler, void *arg)
{
	struct world *w = arg;

	buf_addf(&w->told, "no scheduler %s\n", scheduler);
}

static void on_degraded(const struct service *service, void *arg)
{
	struct world *w = arg;

	buf_addf(&w->told, "%s/%s degraded\n", service->ns, service->name);
}

static void on_beyond(const struct service *service, void *arg)
{
	struct world *w = arg;

	buf_addf(&w->told, "%s/%s beyond the limit\n", service->ns, service->name);
}

static void on_refused(const struct refused_frontends *refused, void *arg)
{
	const struct frontend *fe = refused->frontend;
	const struct service *service = refused->service;
	struct world *w = arg;
	char s[IP_PORT_STRLEN];

	buf_addf(&w->told, "%s/%s: %s/%s ", ip_print_port(&fe->ip, fe->port, s),
		proto_name(refused->proto), service->ns, service->name);
	if (fe->refusal == REFUSAL_HELD)
		buf_addf(&w->told, "loses to %s", refused->holder);
	else
		buf_addf(&w->told, "refused: %s", refusal_name(fe->refusal));
	if (refused->n > 1)
		buf_addf(&w->told, " and %zu more", refused->n - 1);
	buf_addc(&w->told, '\n');
}

static void on_audit(const struct err *err, void *arg)
{
	struct world *w = arg;

	buf_addf(&w->told, "audit: %s\n", err ? err->msg : "works again");
}

static void on_made(void *arg)
{
	struct world *w = arg;

	w->n_made++;
	buf_adds(&w->made, world_log(w));
}

void world_restart_with(struct world *w, struct engine_config config)
{
	engine_free(w->engine);
	store_done(&w->store);
	store_init(&w->store);
	fixture_node_init(&w->node);
	w->node.view.ipv6 = false;
	w->node.view.store = &w->store;
	config.store = &w->store;
	config.view = &w->node.view;
	config.on_failure = on_failure;
	config.on_scheduler_missing = on_scheduler_missing;
	config.on_degraded = on_degraded;
	config.on_beyond = on_beyond;
	config.on_refused = on_refused;
	config.on_audit = on_audit;
	config.on_made = on_made;
	config.arg = w;
	w->engine = engine_new(&config);
	engine_add_adapter(w->engine, &w->kernel.adapter);
	world_forget(w);
	w->n_made = 0;
	buf_reset(&w->made);
}

void world_restart(struct world *w)
{
	world_restart_with(w, (struct engine_config){ 0 });
}

int world_setup(void **state)
{
	struct world *w = new0(struct world);

	fake_kernel_init(&w->kernel);
	store_init(&w->store);
	w->now = 1000;
	world_restart(w);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	engine_free(w->engine);
	store_done(&w->store);
	fake_kernel_done(&w->kernel);
	buf_done(&w->told);
	buf_done(&w->log_of_services);
	buf_done(&w->made);
	free(w);
	return 0;
}

uint64_t world_step(struct world *w)
{
	for (int i = 0; i < MANY_STEPS; i++) {
		uint64_t next = engine_step(w->engine, w->now);

		if (next > w->now)
			return next == UINT64_MAX ? next : next - w->now;
	}
	fail_msg("the engine does not come to rest");
	return 0;
}

uint64_t world_sleep(struct world *w, uint64_t ms)
{
	w->now += ms;
	return world_step(w);
}

void world_load(struct world *w, const char *objects)
{
	fixture_load(&w->store, objects);
	world_step(w);
}

void world_start(struct world *w, const char *objects)
{
	fixture_load(&w->store, objects);
	engine_fed(w->engine);
	world_step(w);
}

void world_start_many(struct world *w, unsigned n)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	for (unsigned i = 0; i < n; i++)
		buf_addf(&b,
			"service a/s%u ip=10.96.%u.%u port=p80:80/TCP\n"
			"slice a/s%u-1 port=p80:8080/TCP ep=10.244.1.1 ep=10.244.1.2\n",
			i, i >> 8, i & 255, i);
	world_start(w, buf_str(&b));
}

void world_audit(struct world *w)
{
	engine_request_audit(w->engine, FACT_ALL_KINDS);
	world_step(w);
}

const char *world_log(struct world *w)
{
	return buf_str(&w->kernel.log);
}

const char *world_log_of_services(struct world *w)
{
	buf_reset(&w->log_of_services);
	for (const char *line = world_log(w), *end; *line; line = end) {
		const char *what = strchr(line, ' ');

		end = strchr(line, '\n') + 1;
		if (strncmp(what, " chain ", strlen(" chain ")) &&
			strncmp(what, " jump ", strlen(" jump ")))
			buf_add(&w->log_of_services, line, (size_t)(end - line));
	}
	return buf_str(&w->log_of_services);
}

const char *world_told(struct world *w)
{
	return buf_str(&w->told);
}

void world_forget(struct world *w)
{
	fake_kernel_reset_log(&w->kernel);
	buf_reset(&w->told);
}

/* Where the first or last line that begins so ends. */
static const char *line_at(struct world *w, const char *start, bool last)
{
	const size_t len = strlen(start);
	const char *found = NULL;

	for (const char *line = world_log(w); *line && (last || !found); line++) {
		if (!strncmp(line, start, len))
			found = line;
		line = strchr(line, '\n');
	}
	if (!found)
		fail_msg("nothing does \"%s\" in\n%s", start, world_log(w));
	return found;
}

void world_expect_order(struct world *w, const char *first, const char *then)
{
	if (line_at(w, first, true) > line_at(w, then, false))
		fail_msg("not all of \"%s\" stand before \"%s\" in\n%s", first, then, world_log(w));
}

void world_expect(struct world *w, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (!fake_kernel_has(&w->kernel, l))
			fail_msg("not in the kernel: %s", l);
}

void world_expect_gone(struct world *w, const char *lines)
{
	_cleanup_free_ char *copy = mem_strdup(lines);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct fact f = fixture_fact(l);

		if (fake_kernel_find(&w->kernel, &f.key))
			fail_msg("still in the kernel: %s", l);
	}
}
