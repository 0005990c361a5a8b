/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A circular doubly linked list through the objects themselves. A node not on a list points to
 * itself. */
struct list {
	struct list *prev, *next;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Inserts the node before `pos`, or at the end if `pos` is the head. `node` must not be on a list;
 * it need not be initialised. */
static inline void list_insert(struct list *pos, struct list *node)
{
	node->prev = pos->prev;
	node->next = pos;
	pos->prev->next = node;
	pos->prev = node;
}

/* Removes the node from the list that it is on, if any. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/*
 * The objects of `type` that hang on the list by their `member`:
 *
 *	list_for_each_entry(struct slice, s, &slot->slices, link)
 */
#define list_for_each_entry(type, it, head, member)                                      \
	for (type *it = container_of((head)->next, type, member); &it->member != (head); \
		it = container_of(it->member.next, type, member))

/* The current object may be removed. */
#define list_for_each_entry_safe(type, it, head, member)                    \
	for (type *it = container_of((head)->next, type, member),           \
		  *it##_next = container_of(it->member.next, type, member); \
		&it->member != (head);                                      \
		it = it##_next, it##_next = container_of(it->member.next, type, member))

#endif
