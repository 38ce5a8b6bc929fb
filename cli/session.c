/*
 * session.c - loads a model for the commands that run it.
 */
#include "cli/session.h"

#include <stdio.h>
#include <string.h>

enum sy_weights cli_weights(const struct cli_args *args)
{
    return cli_flag(args, "half-weights") ? SY_WEIGHTS_HALF : SY_WEIGHTS_FULL;
}

enum sy_status cli_session_open(struct cli_session *session, const char *model,
                                const struct cli_session_options *options,
                                struct sy_error *err)
{
    struct sy_network *network = NULL;
    struct sy_artefact artefact;
    SY_TRY(sy_artefact_load(model, &network, &artefact, err));
    SY_TRY(cli_session_start(session, network, artefact.label, options, err));
    session->artefact = artefact;
    return SY_OK;
}

enum sy_status cli_session_start(struct cli_session *session,
                                 struct sy_network *network, const char *label,
                                 const struct cli_session_options *options,
                                 struct sy_error *err)
{
    struct sy_snapshot_options snapshot = {.label = label,
                                           .weights = options->weights};
    memset(session, 0, sizeof *session);
    SY_TRY(sy_snapshot_make(&session->snapshot, network, &snapshot, err));
    session->network = sy_snapshot_network(session->snapshot);
    enum sy_status status = sy_pool_new(&session->pool, options->threads, err);
    if (status == SY_OK) {
        status = sy_executor_new(&session->executor, session->snapshot,
                                 session->pool, options->max_requests, err);
    }
    if (status != SY_OK) {
        cli_session_close(session);
    }
    return status;
}

enum sy_status cli_session_answers(const struct cli_session *session,
                                   struct sy_error *err)
{
    if (session->network->expert_count > 0) {
        return SY_OK;
    }
    return sy_fail(err, SY_BAD_INPUT,
                   "%s is a supernet: no expert answers for its domains",
                   session->artefact.path);
}

void cli_session_close(struct cli_session *session)
{
    sy_executor_free(session->executor);
    sy_snapshot_unref(session->snapshot);
    sy_pool_free(session->pool);
    memset(session, 0, sizeof *session);
}

enum sy_status cli_session_domain(const struct cli_session *session,
                                  const char *name, int *domain,
                                  struct sy_error *err)
{
    const struct sy_network *network = session->network;
    char names[512] = "";
    size_t used = 0;
    if (name == NULL && network->domain_count == 1) {
        *domain = 0;
        return SY_OK;
    }
    int found = name != NULL ? sy_network_find_domain(network, name) : -1;
    if (found >= 0) {
        *domain = found;
        return SY_OK;
    }
    for (int d = 0; d < network->domain_count && used < sizeof names; d++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 d > 0 ? ", " : "", network->domain[d].name);
    }
    if (name == NULL) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s has %d domains; choose one with --domain: %s",
                       session->artefact.path, network->domain_count, names);
    }
    return sy_fail(err, SY_BAD_INPUT, "%s has no domain \"%s\"; it has: %s",
                   session->artefact.path, name, names);
}
