/*
 * phase.c - the table of phase.h.
 */
#include "serving/swap/phase.h"

const char *const srv_swap_phase_names[SRV_SWAP_PHASES + 1] = {
    "staging", "refused",  "staged",      "shadow",
    "canary",  "promoted", "rolled_back", 0};

const char *const srv_swap_act_names[SRV_SWAP_ACTS + 1] = {
    "accept", "refuse", "shadow", "canary", "promote", "rollback", "drop", 0};

enum { NO = -1 };

/* [phase][act] */
static const int table[SRV_SWAP_PHASES][SRV_SWAP_ACTS] = {
    [SRV_SWAP_STAGING] = {SRV_SWAP_STAGED, SRV_SWAP_REFUSED, NO, NO, NO, NO,
                          NO},
    [SRV_SWAP_REFUSED] = {NO, NO, NO, NO, NO, NO, SRV_SWAP_REFUSED},
    [SRV_SWAP_STAGED] = {NO, NO, SRV_SWAP_SHADOW, SRV_SWAP_CANARY,
                         SRV_SWAP_PROMOTED, NO, SRV_SWAP_STAGED},
    [SRV_SWAP_SHADOW] = {NO, NO, SRV_SWAP_SHADOW, SRV_SWAP_CANARY,
                         SRV_SWAP_PROMOTED, SRV_SWAP_ROLLED_BACK,
                         SRV_SWAP_SHADOW},
    [SRV_SWAP_CANARY] = {NO, NO, SRV_SWAP_SHADOW, SRV_SWAP_CANARY,
                         SRV_SWAP_PROMOTED, SRV_SWAP_ROLLED_BACK,
                         SRV_SWAP_CANARY},
    [SRV_SWAP_PROMOTED] = {NO, NO, NO, NO, NO, SRV_SWAP_ROLLED_BACK,
                           SRV_SWAP_PROMOTED},
    [SRV_SWAP_ROLLED_BACK] = {NO, NO, SRV_SWAP_SHADOW, SRV_SWAP_CANARY,
                              SRV_SWAP_PROMOTED, NO, SRV_SWAP_ROLLED_BACK},
};

bool srv_swap_next(enum srv_swap_phase phase, enum srv_swap_act act,
                   enum srv_swap_phase *next)
{
    int to = table[phase][act];
    if (to == NO) {
        return false;
    }
    *next = (enum srv_swap_phase)to;
    return true;
}

bool srv_swap_is_open(enum srv_swap_phase phase)
{
    return phase == SRV_SWAP_STAGING || phase == SRV_SWAP_STAGED ||
           phase == SRV_SWAP_SHADOW || phase == SRV_SWAP_CANARY;
}
