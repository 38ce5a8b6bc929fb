/*
 * tally.c - copies of counters.
 */
#include "serving/swap/tally.h"

void srv_tally_read(struct srv_tally *tally, struct srv_tally_copy *copy)
{
#define READ(name, text) copy->name = atomic_load(&tally->name);
    SRV_TALLY(READ)
#undef READ
}

struct srv_tally_copy srv_tally_since(const struct srv_tally_copy *copy,
                                      const struct srv_tally_copy *before)
{
    struct srv_tally_copy since;
#define SUBTRACT(name, text) since.name = copy->name - before->name;
    SRV_TALLY(SUBTRACT)
#undef SUBTRACT
    return since;
}
