// SPDX-License-Identifier: GPL-2.0-or-later
#include "problem.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct problem {
	struct list of_owner;
	struct list in_all;
	bool told; /* since problems_begin() */
	struct manifest_problem p;
	char *text[4]; /* path, object, field and message, owned */
};

void problems_begin(struct list *owner)
{
	list_for_each_entry(struct problem, p, owner, of_owner)
		p->told = false;
}

static struct problem *problem_new(const struct manifest_problem *p)
{
	const char *const text[] = { p->path, p->object, p->field, p->message };
	struct problem *new = new0(struct problem);

	list_init(&new->of_owner);
	list_init(&new->in_all);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		new->text[i] = mem_strdup(text[i]);
	new->p = (struct manifest_problem){ .path = new->text[0],
		.line = p->line,
		.column = p->column,
		.object = new->text[1],
		.field = new->text[2],
		.message = new->text[3] };
	return new;
}

void problems_add(struct problems *ps, struct list *owner, const struct manifest_problem *p)
{
	struct problem *problem;

	free(take(ps->sorted));
	list_for_each_entry(struct problem, known, owner, of_owner) {
		const struct manifest_problem *q = &known->p;

		if (known->told || strcmp(q->path, p->path) != 0 ||
			strcmp(q->object, p->object) != 0 || strcmp(q->field, p->field) != 0 ||
			strcmp(q->message, p->message) != 0)
			continue;
		/* An edit above an object moves its line, but the problem stays the same. */
		if (!*p->object && (q->line != p->line || q->column != p->column))
			continue;
		known->told = true;
		known->p.line = p->line;
		known->p.column = p->column;
		return;
	}

	problem = problem_new(p);
	problem->told = true;
	ps->n++;
	list_insert(owner, &problem->of_owner);
	list_insert(&ps->all, &problem->in_all);
	if (ps->on_problem)
		ps->on_problem(&problem->p, ps->arg);
}

void problems_end(struct problems *ps, struct list *owner)
{
	list_for_each_entry_safe(struct problem, p, owner, of_owner) {
		if (p->told)
			continue;
		free(take(ps->sorted));
		ps->n--;
		list_remove(&p->of_owner);
		list_remove(&p->in_all);
		for (size_t i = 0; i < ARRAY_SIZE(p->text); i++)
			free(p->text[i]);
		free(p);
	}
}

void problems_drop(struct problems *ps, struct list *owner)
{
	problems_begin(owner);
	problems_end(ps, owner);
}

static int cmp_problems(const void *a, const void *b)
{
	const struct manifest_problem *p = *(const struct manifest_problem *const *)a;
	const struct manifest_problem *q = *(const struct manifest_problem *const *)b;
	int by_path = strcmp(p->path, q->path), by_object;

	if (by_path || p->line != q->line)
		return by_path ? by_path : p->line < q->line ? -1 : 1;
	by_object = strcmp(p->object, q->object);
	return by_object ? by_object : strcmp(p->field, q->field);
}

size_t problems_list(struct problems *ps, const struct manifest_problem *const **ret)
{
	size_t i = 0;

	if (!ps->sorted) {
		ps->sorted = mem_zalloc(ps->n, sizeof(const struct manifest_problem *));
		list_for_each_entry(const struct problem, p, &ps->all, in_all)
			ps->sorted[i++] = &p->p;
		qsort(ps->sorted, ps->n, sizeof(const struct manifest_problem *), cmp_problems);
	}
	*ret = ps->sorted;
	return ps->n;
}

void manifest_problem_print(const struct manifest_problem *p, struct buf *b)
{
	buf_adds(b, p->path);
	if (p->line)
		buf_addf(b, ":%u", p->line);
	if (p->column)
		buf_addf(b, ":%u", p->column);
	buf_addc(b, ':');
	if (*p->object)
		buf_addf(b, " %s%s", p->object, *p->field ? ":" : "");
	if (*p->field)
		buf_addf(b, " %s", p->field);
	buf_addf(b, " %s", p->message);
}
