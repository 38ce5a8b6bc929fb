/*
 * repository.h - the folder of networks, and which of them are served.
 *
 * Each folder in it that holds a version is a network of that name. They are
 * found when the repository is made and loaded one after another by a thread
 * of its own (the housekeeper), so that HTTP answers meanwhile and each
 * network serves as soon as it is there. Later, networks are loaded again
 * (their newest version, or a folder that has come since) and unloaded on
 * request.
 *
 * A network's state is published as one pointer with a reference count: who
 * asks gets a reference to what is served now, and keeps it as long as the
 * request lasts. While a network is loaded again the one before serves, and
 * goes on serving when the loading fails.
 *
 * Thread: srv_repository_new/stop/free: init. The rest: any.
 */
#ifndef SRV_REPOSITORY_H
#define SRV_REPOSITORY_H

#include "serving/live.h"
#include "serving/weight.h"

struct srv_repository;

enum { SRV_MAX_NETWORKS = 64 };

enum srv_load_state {
    SRV_LOADING, /* for the first time, or after it was unloaded */
    SRV_READY,
    SRV_FAILED,
    SRV_UNLOADED /* on request */
};

/* One network's state, copied out. */
struct srv_entry {
    char name[SY_NAME_BYTES];
    enum srv_load_state state;
    char reason[SY_ERROR_BYTES]; /* why it failed, the last time */
};

/* Somebody who waits for a network to be loaded. */
struct srv_load {
    struct sy_error err; /* the outcome; read it after `done` */
    void (*done)(void *waiter, bool more);
    void *waiter;
    struct srv_load *next; /* private to repository.c */
};

struct srv_repository_options {
    const char *path;     /* copied */
    struct sy_pool *pool; /* borrowed until srv_repository_free */
    int max_batch;
    bool half_weights;                /* as in struct srv_live_options */
    struct srv_budget *budget;        /* borrowed likewise; NULL: no limit */
    const struct srv_weight *weights; /* copied */
    int weight_count;
};

/* Finds the networks and begins to load them. Returns owned. */
enum sy_status srv_repository_new(struct srv_repository **repository,
                                  const struct srv_repository_options *options,
                                  struct sy_error *err) SY_MUST_USE;

/*
 * Loads nothing more: waits for what is being loaded, and ends all other
 * loads with SY_BUSY. May be called twice.
 */
void srv_repository_stop(struct srv_repository *repository);

/* Stops; drops all references. NULL is legal. */
void srv_repository_free(struct srv_repository *repository);

/*
 * Has a network loaded; `load->done(waiter)` follows exactly once, from the
 * housekeeper, and `load` must last until then. Fails, without calling it:
 * SY_NOT_FOUND when the folder holds no such network, SY_BUSY when stopping.
 */
enum sy_status srv_repository_load(struct srv_repository *repository,
                                   const char *name, struct srv_load *load,
                                   struct sy_error *err) SY_MUST_USE;

/*
 * Serves `live` (of which a reference is taken) under that name in place of
 * `expected`, from one request to the next: a pointer is exchanged. *took_ns
 * becomes how long that step took. SY_BUSY: something else is served by now.
 */
enum sy_status srv_repository_replace(struct srv_repository *repository,
                                      const char *name,
                                      const struct srv_live *expected,
                                      struct srv_live *live, int64_t *took_ns,
                                      struct sy_error *err) SY_MUST_USE;

/* How networks of it are made ready, for who makes another state of one; the
   name is borrowed. */
struct srv_live_options srv_repository_live_options(
    const struct srv_repository *repository, const char *name);

/*
 * Serves a network no more, at once for requests that come; those under way
 * end as ever. SY_NOT_FOUND: no such network.
 */
enum sy_status srv_repository_unload(struct srv_repository *repository,
                                     const char *name,
                                     struct sy_error *err) SY_MUST_USE;

/* Networks found, and the state of the i-th of them: in order of name, those
   found later behind. A number once given stays. */
int srv_repository_count(const struct srv_repository *repository);
void srv_repository_entry(struct srv_repository *repository, int index,
                          struct srv_entry *entry);

/*
 * A reference (owned by the caller) to what is served under that name.
 * SY_NOT_FOUND: no such network, or unloaded. SY_BUSY: it is loading, or
 * failed to load; the message says which and why.
 */
enum sy_status srv_repository_get(struct srv_repository *repository,
                                  const char *name, struct srv_live **live,
                                  struct sy_error *err) SY_MUST_USE;

/* SY_OK when every network is served that was not unloaded; otherwise SY_BUSY
   and the reason. */
enum sy_status srv_repository_ready(struct srv_repository *repository,
                                    struct sy_error *err) SY_MUST_USE;

/* Other shares of the engine, for networks that are served and that come. */
void srv_repository_set_weights(struct srv_repository *repository,
                                const struct srv_weight *weights, int count);

#endif
