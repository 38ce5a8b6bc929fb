/*
 * model.c - from a model's name to a network and a domain.
 *
 * DESIGN: the whole name is tried as a network first, then split at its last
 * dot, so that a network whose name holds dots can be served too.
 */
#include "serving/protocol/model.h"

#include <stdio.h>
#include <string.h>

static enum sy_status find_live(struct srv_model *model,
                                struct srv_repository *repository,
                                struct sy_error *err)
{
    struct srv_live *live = NULL;
    model->domain = -1;
    /* Nearly all names are of domains: the message is written where it is
       wanted. */
    enum sy_status status =
        srv_repository_get(repository, model->name, &live, NULL);
    if (status != SY_OK && status != SY_NOT_FOUND) {
        return srv_repository_get(repository, model->name, &live, err);
    }
    const char *dot = strrchr(model->name, '.');
    if (status == SY_NOT_FOUND && dot != NULL) {
        char network[SRV_MODEL_NAME_BYTES];
        snprintf(network, sizeof network, "%.*s", (int)(dot - model->name),
                 model->name);
        status = srv_repository_get(repository, network, &live, err);
        if (status == SY_OK) {
            model->domain = sy_network_find_domain(live->network, dot + 1);
            if (model->domain < 0) {
                srv_live_unref(live);
                status = SY_NOT_FOUND;
            }
        }
    }
    if (status == SY_NOT_FOUND) {
        return sy_fail(err, SY_NOT_FOUND, "model '%s' is not found",
                       model->name);
    }
    if (status == SY_OK) {
        model->live = live;
    }
    return status;
}

enum sy_status srv_model_find(struct srv_model *model,
                              struct srv_repository *repository,
                              const char *name, const char *version,
                              struct sy_error *err)
{
    struct srv_model found = {0};
    if (strlen(name) >= sizeof found.name) {
        return sy_fail(err, SY_NOT_FOUND, "model '%s' is not found", name);
    }
    memcpy(found.name, name, strlen(name) + 1);
    SY_TRY(find_live(&found, repository, err));
    const struct srv_trial *trial = found.live->trial;
    if (version == NULL) {
        found.pin = SRV_PIN_NONE;
    } else if (strcmp(version, found.live->label) == 0) {
        found.pin = SRV_PIN_SERVED;
    } else if (trial != NULL && strcmp(version, trial->next->label) == 0) {
        found.pin = SRV_PIN_NEXT;
    } else {
        srv_model_release(&found);
        return sy_fail(err, SY_NOT_FOUND, "model '%s' version %s is not found",
                       name, version);
    }
    *model = found;
    return SY_OK;
}

void srv_model_release(struct srv_model *model)
{
    srv_live_unref(model->live);
    model->live = NULL;
}

int srv_model_index(const struct srv_model *model)
{
    return model->domain >= 0 ? model->domain
                              : model->live->network->domain_count;
}

enum sy_status srv_model_domain(const struct srv_model *model, const char *name,
                                int *domain, struct sy_error *err)
{
    const struct srv_live *live = model->live;
    const struct sy_network *network = live->network;
    if (model->domain >= 0) {
        const char *own = network->domain[model->domain].name;
        *domain = model->domain;
        return name == NULL || strcmp(name, own) == 0
                   ? SY_OK
                   : sy_fail(err, SY_BAD_INPUT,
                             "model '%s' answers for domain '%s' only, found "
                             "the parameter domain '%s'",
                             model->name, own, name);
    }
    int found = name == NULL ? -1 : sy_network_find_domain(network, name);
    if (found >= 0 || (name == NULL && sy_network_root_gate(network) >= 0)) {
        *domain = found;
        return SY_OK;
    }
    char list[256] = "";
    size_t used = 0;
    for (int d = 0; d < network->domain_count && used < sizeof list; d++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 d > 0 ? ", " : "", network->domain[d].name);
    }
    if (name == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "network '%s' has no root gate that could find the "
                       "domain: name one with 'domain' (%s)",
                       live->name, list);
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "network '%s' has no domain '%s'; it has %s", live->name,
                   name, list);
}
