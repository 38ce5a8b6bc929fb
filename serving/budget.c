/*
 * budget.c - one counter that never passes its limit.
 */
#include "serving/budget.h"

#include "runtime/base/status.h"

void srv_budget_init(struct srv_budget *budget, size_t limit_bytes)
{
    budget->limit_bytes = limit_bytes;
    atomic_init(&budget->used_bytes, 0);
}

bool srv_budget_take(struct srv_budget *budget, size_t bytes)
{
    if (budget == NULL) {
        return true;
    }
    size_t used = atomic_load(&budget->used_bytes);
    do {
        if (bytes > budget->limit_bytes - used) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&budget->used_bytes, &used,
                                           used + bytes));
    return true;
}

void srv_budget_give(struct srv_budget *budget, size_t bytes)
{
    if (budget != NULL) {
        size_t before = atomic_fetch_sub(&budget->used_bytes, bytes);
        SY_ASSERT(before >= bytes);
    }
}
