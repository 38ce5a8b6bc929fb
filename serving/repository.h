/*
 * repository.h - the folder of networks, and which of them are served.
 *
 * Each folder in it that holds a version is a network of that name. They are
 * found when the repository is made and loaded one after another by a thread
 * of its own (the housekeeper), so that HTTP answers meanwhile and each
 * network serves as soon as it is there.
 *
 * A network's state is published as one pointer with a reference count: who
 * asks gets a reference to what is served now, and keeps it as long as the
 * request lasts.
 *
 * Thread: srv_repository_new/free: init. The rest: any.
 */
#ifndef SRV_REPOSITORY_H
#define SRV_REPOSITORY_H

#include "serving/live.h"

struct srv_repository;

enum { SRV_MAX_NETWORKS = 64 };

enum srv_load_state { SRV_LOADING, SRV_READY, SRV_FAILED };

/* One network's state, copied out. */
struct srv_entry {
    char name[SY_NAME_BYTES];
    enum srv_load_state state;
    char reason[SY_ERROR_BYTES]; /* why it failed */
};

struct srv_repository_options {
    const char *path;     /* copied */
    struct sy_pool *pool; /* borrowed until srv_repository_free */
    int max_batch;
};

/* Finds the networks and begins to load them. Returns owned. */
enum sy_status srv_repository_new(struct srv_repository **repository,
                                  const struct srv_repository_options *options,
                                  struct sy_error *err) SY_MUST_USE;

/* Waits for the housekeeper; drops all references. NULL is legal. */
void srv_repository_free(struct srv_repository *repository);

/* Networks found, and the state of the i-th of them (in order of name). */
int srv_repository_count(const struct srv_repository *repository);
void srv_repository_entry(struct srv_repository *repository, int index,
                          struct srv_entry *entry);

/*
 * A reference (owned by the caller) to what is served under that name.
 * SY_NOT_FOUND: no such network. SY_BUSY: it is loading, or failed to load;
 * the message says which and why.
 */
enum sy_status srv_repository_get(struct srv_repository *repository,
                                  const char *name, struct srv_live **live,
                                  struct sy_error *err) SY_MUST_USE;

/* SY_OK when every network is served; otherwise SY_BUSY and the reason. */
enum sy_status srv_repository_ready(struct srv_repository *repository,
                                    struct sy_error *err) SY_MUST_USE;

#endif
