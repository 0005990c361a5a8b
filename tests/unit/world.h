/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WORLD_H
#define WORLD_H

#include "core/engine.h"
#include "fake/kernel.h"
#include "fixture.h"

/*
 * An engine with its store, the policy of fixture_policy() on IPv4 alone, and a fake kernel, which
 * outlives the engine: world_restart() is a new process on the same node.
 */
struct world {
	struct fake_kernel kernel;
	struct store store;
	struct fixture_node node;
	struct engine *engine;
	uint64_t now;
	/* What the engine told: a line for each call. */
	struct buf told, log_of_services;
	/* How often it said that all was made, and what it had done by then. */
	int n_made;
	struct buf made;
};

int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

/* A new engine, which knows nothing; the objects are to be loaded again. */
void world_restart(struct world *w);
/* The same with another configuration; the fields that the world needs are filled in. */
void world_restart_with(struct world *w, struct engine_config config);

/* Loads the objects, tells the engine that this was all, and steps until it is at rest. */
void world_start(struct world *w, const char *objects);
/* With n Services a/s0 ... at 10.96.0.0 ..., of two endpoints each. */
void world_start_many(struct world *w, unsigned n);
/* Loads objects and steps until the engine is at rest. */
void world_load(struct world *w, const char *objects);
/* Steps until the engine wants to be called later; returns in how many ms, or UINT64_MAX. */
uint64_t world_step(struct world *w);
/* The same, some time later. */
uint64_t world_sleep(struct world *w, uint64_t ms);
void world_audit(struct world *w);

/* The operations that were carried out since the last world_forget(), a line each. */
const char *world_log(struct world *w);
/* world_log() without the chains and jumps of the node, which come and go with the members of sets. */
const char *world_log_of_services(struct world *w);
/* What the engine told since then. */
const char *world_told(struct world *w);
void world_forget(struct world *w);
/* Fails the test unless lines of world_log() begin with each of the two, and all of the first stand
 * before all of the second. */
void world_expect_order(struct world *w, const char *first, const char *then);
/* Fails the test unless the kernel holds all of these facts, a line each. */
void world_expect(struct world *w, const char *lines);
/* Fails the test if the kernel holds any of these facts, a line each, with whatever value. */
void world_expect_gone(struct world *w, const char *lines);

#endif
