/*
 * stage.c - from a pack's bytes to a candidate.
 */
#include "serving/swap/stage.h"

#include <string.h>

#include "runtime/base/memory.h"

enum sy_status srv_stage(struct srv_staged *staged,
                         const struct srv_stage_options *options,
                         const struct srv_stage_input *input,
                         struct sy_error *err)
{
    (void)staged, (void)options, (void)input;
    return sy_fail(err, SY_UNSUPPORTED, "packs are not here yet");
}

enum sy_status srv_staged_commit(const struct srv_staged *staged, bool next,
                                 struct sy_error *err)
{
    (void)next, (void)err;
    return staged->current == NULL ? SY_OK : SY_UNSUPPORTED;
}

void srv_staged_discard(const struct srv_staged *staged)
{
    (void)staged;
}

void srv_staged_release(struct srv_staged *staged)
{
    srv_live_unref(staged->joined);
    srv_live_unref(staged->next);
    memset(staged, 0, sizeof *staged);
}
