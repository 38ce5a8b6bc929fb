/*
 * weight.h - the share of the engine that a domain gets when several wait.
 */
#ifndef SRV_WEIGHT_H
#define SRV_WEIGHT_H

#include "runtime/network/spec.h"

enum { SRV_MAX_WEIGHTS = 128, SRV_WEIGHT_MOST = 1000 };

struct srv_weight {
    char model[2 * SY_NAME_BYTES]; /* NET.DOMAIN */
    int weight;                    /* 1..SRV_WEIGHT_MOST; others have 1 */
};

#endif
