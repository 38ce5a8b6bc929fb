/*
 * session.h - a loaded model ready to run: pool, snapshot, executor. What
 * eval, predict and bench share.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/cli.h"
#include "runtime/artefact/artefact.h"
#include "runtime/executor/executor.h"

struct cli_session {
    struct sy_artefact artefact;
    struct sy_pool *pool;
    struct sy_snapshot *snapshot;
    struct sy_executor *executor;
    const struct sy_network *network; /* the snapshot's */
};

struct cli_session_options {
    int threads;      /* workers; 0: one for each CPU */
    int max_requests; /* at a time */
    enum sy_weights weights;
};

/* What --half-weights says, for commands that have CLI_HALF_WEIGHTS. */
enum sy_weights cli_weights(const struct cli_args *args);
#define CLI_HALF_WEIGHTS                                                       \
    {                                                                          \
        "half-weights", CLI_FLAG, NULL,                                        \
            "store weights of late layers in 16 bits: faster; probabilities "  \
            "move by about 0.001",                                             \
            0, 0, false                                                        \
    }

/* Loads MODEL and makes it ready. */
enum sy_status cli_session_open(struct cli_session *session, const char *model,
                                const struct cli_session_options *options,
                                struct sy_error *err) SY_MUST_USE;

/* The same for a network in memory, which is taken, also on failure. */
enum sy_status cli_session_start(struct cli_session *session,
                                 struct sy_network *network, const char *label,
                                 const struct cli_session_options *options,
                                 struct sy_error *err) SY_MUST_USE;
/* Fails for a supernet, which has no routes. */
enum sy_status cli_session_answers(const struct cli_session *session,
                                   struct sy_error *err) SY_MUST_USE;

void cli_session_close(struct cli_session *session);

/*
 * The domain that --domain names, or the only one there is. Errors name the
 * domains to choose from.
 */
enum sy_status cli_session_domain(const struct cli_session *session,
                                  const char *name, int *domain,
                                  struct sy_error *err) SY_MUST_USE;

#endif
