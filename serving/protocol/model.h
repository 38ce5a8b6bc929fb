/*
 * model.h - model names: NET.DOMAIN and NET.
 *
 * A served network NET with domains D1..Dn is n + 1 models: NET.D1 .. NET.Dn,
 * each an ordinary classifier, and NET itself, which is told the domain or has
 * a root gate that finds it. No domain has a dot in its name, so the last dot
 * separates.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_MODEL_H
#define SRV_PROTOCOL_MODEL_H

#include "serving/context.h"

enum { SRV_MODEL_NAME_BYTES = 2 * SY_NAME_BYTES };

struct srv_model {
    char name[SRV_MODEL_NAME_BYTES];
    struct srv_live *live; /* owned reference */
    int domain;            /* -1: the whole network */
    enum srv_pin pin;      /* whether the version asked for names one of two
                              that run side by side */
    uint64_t ticket;       /* of the request, see srv_trial_pick; 0: none */
};

/*
 * Finds a model; `version` must be the name of the served snapshot, or of the
 * candidate while one is on trial, unless it is NULL. SY_NOT_FOUND, or SY_BUSY
 * while it is not there yet.
 */
enum sy_status srv_model_find(struct srv_model *model,
                              struct srv_repository *repository,
                              const char *name, const char *version,
                              struct sy_error *err) SY_MUST_USE;
void srv_model_release(struct srv_model *model);

/* Its counters in live->stats. */
int srv_model_index(const struct srv_model *model);

/*
 * The domain that answers: the model's own, from which a name may not differ,
 * or the one of that name in a whole network; -1 without a name where a root
 * gate can find it. SY_BAD_INPUT lists the ones there are.
 */
enum sy_status srv_model_domain(const struct srv_model *model, const char *name,
                                int *domain, struct sy_error *err) SY_MUST_USE;

#endif
