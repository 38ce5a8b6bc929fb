/*
 * budget.h - how many bytes the requests under way may hold together.
 *
 * Bodies and tensors are each bounded by themselves, and so are the places in
 * the queues, but the product of these bounds is more than a machine has. So
 * whoever takes memory for a request takes it from the budget first, and is
 * refused (503) when there is not enough left.
 *
 * Thread: any.
 */
#ifndef SRV_BUDGET_H
#define SRV_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct srv_budget {
    size_t limit_bytes;
    atomic_size_t used_bytes;
};

void srv_budget_init(struct srv_budget *budget, size_t limit_bytes);

/* Takes all of `bytes` or, returning false, nothing. NULL: no limit. */
bool srv_budget_take(struct srv_budget *budget, size_t bytes);
void srv_budget_give(struct srv_budget *budget, size_t bytes);

#endif
