/*
 * repository.c - finding, loading and handing out networks.
 *
 * DESIGN: the list of slots only grows, and a slot's name never changes; its
 * state, reason and pointer change under one mutex that is held for a few
 * instructions and never across loading, freeing or I/O: loading ends with
 * the new pointer being put in, and the old one is dropped outside.
 *
 * The housekeeper loads the first slot that wants it, tells all who waited
 * when it began, and looks again; who comes while a slot is being loaded
 * waits for the next turn, because what is on disk may have changed since.
 */
#include "serving/repository.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

struct slot {
    char name[SY_NAME_BYTES]; /* fixed once the slot counts */
    enum srv_load_state state;
    char reason[SY_ERROR_BYTES];
    struct srv_live *live;  /* a reference, or NULL */
    bool wanted;            /* to be served; false: unloaded */
    bool pending;           /* the housekeeper is to load it */
    struct srv_load *loads; /* who waits for that */
};

struct srv_repository {
    char path[SY_PATH_BYTES];
    struct srv_repository_options options;
    atomic_int count;
    struct slot *slot;    /* [SRV_MAX_NETWORKS] */
    pthread_mutex_t lock; /* guards the slots but their names, and stopping */
    pthread_cond_t work;  /* a slot is pending, or stopping */
    int weight_count;     /* guarded too, as are the weights */
    struct srv_weight weight[SRV_MAX_WEIGHTS];
    pthread_t housekeeper;
    bool running; /* init thread only */
    bool stopping;
};

/* Adds a slot that waits to be loaded; the lock is held, or not needed yet. */
static enum sy_status add_slot(struct srv_repository *repository,
                               const char *name, struct sy_error *err)
{
    int count = atomic_load(&repository->count);
    if (count == SRV_MAX_NETWORKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%s: more than %d networks in one repository",
                       repository->path, SRV_MAX_NETWORKS);
    }
    struct slot *slot = &repository->slot[count];
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->state = SRV_LOADING;
    slot->wanted = true;
    slot->pending = true;
    atomic_store(&repository->count, count + 1);
    return SY_OK;
}

/* A folder that holds a version becomes a slot. */
static enum sy_status see_folder(void *context, const char *name, bool is_dir,
                                 struct sy_error *err)
{
    struct srv_repository *repository = context;
    if (!is_dir || name[0] == '.') {
        return SY_OK;
    }
    char model[SY_PATH_BYTES];
    SY_TRY(sy_path_join(model, sizeof model, repository->path, name, err));
    struct sy_artefact artefact;
    struct sy_error found = {0};
    if (sy_artefact_find(model, &artefact, &found) == SY_NOT_FOUND) {
        sy_log_warn("%s holds no version of a network: passed over", model);
        return SY_OK;
    }
    if (strlen(name) >= SY_NAME_BYTES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: a network's name has at most %d bytes", model,
                       SY_NAME_BYTES - 1);
    }
    return add_slot(repository, name, err);
}

/* Gives a network's domains their weights; the lock is held. */
static void weigh(const struct srv_repository *repository,
                  struct srv_live *live)
{
    for (int d = 0; d < live->network->domain_count; d++) {
        char model[2 * SY_NAME_BYTES];
        int weight = 1;
        snprintf(model, sizeof model, "%s.%s", live->name,
                 live->network->domain[d].name);
        for (int i = 0; i < repository->weight_count; i++) {
            if (strcmp(repository->weight[i].model, model) == 0) {
                weight = repository->weight[i].weight;
            }
        }
        atomic_store(&live->weight[d], weight);
    }
}

/* Puts the outcome in; the old pointer, or one not wanted, is dropped. */
static void publish(struct srv_repository *repository, struct slot *slot,
                    struct srv_live *live, struct sy_error *err)
{
    struct srv_live *dropped = live;
    pthread_mutex_lock(&repository->lock);
    if (!slot->wanted) {
        sy_fail(err, SY_BUSY, "network '%s' was unloaded while it was loaded",
                slot->name);
    } else {
        if (live != NULL) {
            weigh(repository, live);
            dropped = slot->live;
            slot->live = live;
        }
        slot->state = slot->live != NULL ? SRV_READY : SRV_FAILED;
        memcpy(slot->reason, err->message, sizeof slot->reason);
    }
    pthread_mutex_unlock(&repository->lock);
    srv_live_unref(dropped);
}

struct srv_live_options srv_repository_live_options(
    const struct srv_repository *repository, const char *name)
{
    return (struct srv_live_options){
        .repository = repository->path,
        .name = name,
        .pool = repository->options.pool,
        .budget = repository->options.budget,
        .max_batch = repository->options.max_batch,
        .half_weights = repository->options.half_weights,
    };
}

/* Loads one slot and publishes the outcome, which is left in `err`. */
static void load_slot(struct srv_repository *repository, struct slot *slot,
                      struct sy_error *err)
{
    struct srv_live_options options =
        srv_repository_live_options(repository, slot->name);
    struct srv_live *live = NULL;
    if (srv_live_load(&live, &options, err) == SY_OK) {
        sy_log_info("network %s: version %d ready after %.1f ms", live->name,
                    live->version, (double)live->loaded_ns / 1e6);
    } else {
        sy_log_error("network %s: %s", slot->name, err->message);
    }
    publish(repository, slot, live, err);
}

/* Tells all who waited for a load how it went. */
static void tell(struct srv_load *loads, const struct sy_error *err)
{
    while (loads != NULL) {
        struct srv_load *load = loads;
        loads = load->next;
        load->err = *err;
        load->done(load->waiter, false);
    }
}

/* The first slot that is to be loaded, or NULL; the lock is held. */
static struct slot *next_pending(struct srv_repository *repository)
{
    int count = atomic_load(&repository->count);
    for (int i = 0; i < count; i++) {
        if (repository->slot[i].pending) {
            return &repository->slot[i];
        }
    }
    return NULL;
}

static void *housekeeper_main(void *context)
{
    struct srv_repository *repository = context;
    pthread_mutex_lock(&repository->lock);
    while (!repository->stopping) {
        struct slot *slot = next_pending(repository);
        if (slot == NULL) {
            pthread_cond_wait(&repository->work, &repository->lock);
            continue;
        }
        struct srv_load *loads = slot->loads;
        slot->loads = NULL;
        slot->pending = false;
        pthread_mutex_unlock(&repository->lock);
        struct sy_error err = {0};
        load_slot(repository, slot, &err);
        tell(loads, &err);
        pthread_mutex_lock(&repository->lock);
    }
    pthread_mutex_unlock(&repository->lock);
    return NULL;
}

enum sy_status srv_repository_new(struct srv_repository **repository,
                                  const struct srv_repository_options *options,
                                  struct sy_error *err)
{
    struct srv_repository *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "repository: out of memory");
    }
    enum sy_status status = SY_OK;
    made->options = *options;
    atomic_init(&made->count, 0);
    SY_ASSERT(options->weight_count <= SRV_MAX_WEIGHTS);
    made->weight_count = options->weight_count;
    for (int i = 0; i < options->weight_count; i++) {
        made->weight[i] = options->weights[i];
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    int bytes = snprintf(made->path, sizeof made->path, "%s", options->path);
    made->slot = sy_alloc_zero(SRV_MAX_NETWORKS, sizeof *made->slot);
    if (made->slot == NULL) {
        status = sy_fail(err, SY_NO_MEMORY, "repository: out of memory");
        goto out;
    }
    if (bytes >= (int)sizeof made->path || !sy_dir_exists(made->path)) {
        status =
            sy_fail(err, SY_NOT_FOUND, "repository %s: there is no such folder",
                    options->path);
        goto out;
    }
    SY_TRY_OUT(sy_dir_list(made->path, see_folder, made, err));
    if (made->count == 0) {
        sy_log_warn("repository %s holds no network: nothing is served",
                    made->path);
    }
    int code = pthread_create(&made->housekeeper, NULL, housekeeper_main, made);
    if (code != 0) {
        status =
            sy_fail_errno(err, SY_INTERNAL, code, "starting the housekeeper");
        goto out;
    }
    made->running = true;
    *repository = made;
    made = NULL;
out:
    srv_repository_free(made);
    return status;
}

void srv_repository_stop(struct srv_repository *repository)
{
    struct sy_error err = {0};
    pthread_mutex_lock(&repository->lock);
    repository->stopping = true;
    pthread_cond_signal(&repository->work);
    pthread_mutex_unlock(&repository->lock);
    if (repository->running) {
        pthread_join(repository->housekeeper, NULL);
        repository->running = false;
    }
    sy_fail(&err, SY_BUSY, "the server is stopping");
    int count = atomic_load(&repository->count);
    for (int i = 0; i < count; i++) {
        tell(repository->slot[i].loads, &err);
        repository->slot[i].loads = NULL;
    }
}

void srv_repository_free(struct srv_repository *repository)
{
    if (repository == NULL) {
        return;
    }
    srv_repository_stop(repository);
    int count = atomic_load(&repository->count);
    for (int i = 0; i < count; i++) {
        srv_live_unref(repository->slot[i].live);
    }
    pthread_cond_destroy(&repository->work);
    pthread_mutex_destroy(&repository->lock);
    sy_free(repository->slot);
    sy_free(repository);
}

/* The slot of that name, or NULL. */
static struct slot *find_slot(struct srv_repository *repository,
                              const char *name)
{
    int count = atomic_load(&repository->count);
    for (int i = 0; i < count; i++) {
        if (strcmp(repository->slot[i].name, name) == 0) {
            return &repository->slot[i];
        }
    }
    return NULL;
}

/* Whether the folder holds a network of that name; it comes from outside. */
static enum sy_status check_folder(const struct srv_repository *repository,
                                   const char *name, struct sy_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char model[SY_PATH_BYTES];
    struct sy_artefact artefact;
    struct sy_error found = {0};
    size_t bytes = strlen(name);
    bool is_name = bytes > 0 && bytes < SY_NAME_BYTES && name[0] != '.' &&
                   strspn(name, letters) == bytes;
    enum sy_status status = is_name ? SY_OK : SY_NOT_FOUND;
    if (status == SY_OK) {
        SY_TRY(sy_path_join(model, sizeof model, repository->path, name, err));
        status = sy_artefact_find(model, &artefact, &found);
    }
    if (status == SY_NOT_FOUND) {
        return sy_fail(err, SY_NOT_FOUND,
                       "network '%s' is not found in the repository", name);
    }
    return SY_OK; /* what else is wrong with it, loading it will say */
}

enum sy_status srv_repository_load(struct srv_repository *repository,
                                   const char *name, struct srv_load *load,
                                   struct sy_error *err)
{
    SY_TRY(check_folder(repository, name, err));
    enum sy_status status = SY_OK;
    pthread_mutex_lock(&repository->lock);
    struct slot *slot = find_slot(repository, name);
    if (repository->stopping) {
        status = sy_fail(err, SY_BUSY, "the server is stopping");
    } else if (slot == NULL) {
        status = add_slot(repository, name, err);
        slot = find_slot(repository, name);
    }
    if (status == SY_OK) {
        if (slot->live == NULL) {
            slot->state = SRV_LOADING;
        }
        slot->wanted = true;
        slot->pending = true;
        load->next = slot->loads;
        slot->loads = load;
        pthread_cond_signal(&repository->work);
    }
    pthread_mutex_unlock(&repository->lock);
    return status;
}

enum sy_status srv_repository_replace(struct srv_repository *repository,
                                      const char *name,
                                      const struct srv_live *expected,
                                      struct srv_live *live, int64_t *took_ns,
                                      struct sy_error *err)
{
    struct slot *slot = find_slot(repository, name);
    if (slot == NULL) {
        return sy_fail(err, SY_NOT_FOUND, "network '%s' is not found", name);
    }
    pthread_mutex_lock(&repository->lock);
    weigh(repository, live);
    pthread_mutex_unlock(&repository->lock);
    struct srv_live *old = NULL;
    int64_t start_ns = sy_now_ns();
    pthread_mutex_lock(&repository->lock);
    if (slot->live != NULL && slot->live == expected) {
        old = slot->live;
        slot->live = srv_live_ref(live);
    }
    pthread_mutex_unlock(&repository->lock);
    *took_ns = sy_now_ns() - start_ns;
    if (old == NULL) {
        return sy_fail(err, SY_BUSY,
                       "network '%s' was loaded or unloaded meanwhile: stage "
                       "the pack again",
                       name);
    }
    srv_live_unref(old);
    return SY_OK;
}

enum sy_status srv_repository_unload(struct srv_repository *repository,
                                     const char *name, struct sy_error *err)
{
    struct slot *slot = find_slot(repository, name);
    if (slot == NULL) {
        return sy_fail(err, SY_NOT_FOUND, "network '%s' is not found", name);
    }
    pthread_mutex_lock(&repository->lock);
    struct srv_live *old = slot->live;
    struct srv_load *loads = slot->loads;
    slot->live = NULL;
    slot->loads = NULL;
    slot->wanted = false;
    slot->pending = false;
    slot->state = SRV_UNLOADED;
    snprintf(slot->reason, sizeof slot->reason, "unloaded");
    pthread_mutex_unlock(&repository->lock);
    struct sy_error ended = {0};
    sy_fail(&ended, SY_BUSY, "network '%s' was unloaded", name);
    tell(loads, &ended);
    srv_live_unref(old);
    sy_log_info("network %s: unloaded", name);
    return SY_OK;
}

int srv_repository_count(const struct srv_repository *repository)
{
    return atomic_load(&repository->count);
}

void srv_repository_entry(struct srv_repository *repository, int index,
                          struct srv_entry *entry)
{
    SY_ASSERT(index >= 0 && index < atomic_load(&repository->count));
    const struct slot *slot = &repository->slot[index];
    memcpy(entry->name, slot->name, sizeof entry->name);
    pthread_mutex_lock(&repository->lock);
    entry->state = slot->state;
    memcpy(entry->reason, slot->reason, sizeof entry->reason);
    pthread_mutex_unlock(&repository->lock);
}

/* Says why a slot is not served. */
static enum sy_status not_served(const struct srv_entry *entry,
                                 struct sy_error *err)
{
    if (entry->state == SRV_UNLOADED) {
        return sy_fail(err, SY_NOT_FOUND, "network '%s' is unloaded",
                       entry->name);
    }
    if (entry->state == SRV_FAILED) {
        return sy_fail(err, SY_BUSY, "network '%s' could not be loaded: %s",
                       entry->name, entry->reason);
    }
    return sy_fail(err, SY_BUSY, "network '%s' is still loading", entry->name);
}

enum sy_status srv_repository_get(struct srv_repository *repository,
                                  const char *name, struct srv_live **live,
                                  struct sy_error *err)
{
    struct slot *slot = find_slot(repository, name);
    if (slot == NULL) {
        return sy_fail(err, SY_NOT_FOUND, "network '%s' is not found", name);
    }
    pthread_mutex_lock(&repository->lock);
    struct srv_live *found =
        slot->live == NULL ? NULL : srv_live_ref(slot->live);
    pthread_mutex_unlock(&repository->lock);
    if (found == NULL) {
        struct srv_entry entry;
        srv_repository_entry(repository, (int)(slot - repository->slot),
                             &entry);
        return not_served(&entry, err);
    }
    *live = found;
    return SY_OK;
}

enum sy_status srv_repository_ready(struct srv_repository *repository,
                                    struct sy_error *err)
{
    int count = atomic_load(&repository->count);
    if (count == 0) {
        return sy_fail(err, SY_BUSY, "the repository holds no network");
    }
    for (int i = 0; i < count; i++) {
        struct srv_entry entry;
        srv_repository_entry(repository, i, &entry);
        if (entry.state != SRV_READY && entry.state != SRV_UNLOADED) {
            return not_served(&entry, err);
        }
    }
    return SY_OK;
}

void srv_repository_set_weights(struct srv_repository *repository,
                                const struct srv_weight *weights, int count)
{
    SY_ASSERT(count <= SRV_MAX_WEIGHTS);
    pthread_mutex_lock(&repository->lock);
    repository->weight_count = count;
    for (int i = 0; i < count; i++) {
        repository->weight[i] = weights[i];
    }
    for (int i = 0; i < atomic_load(&repository->count); i++) {
        if (repository->slot[i].live != NULL) {
            weigh(repository, repository->slot[i].live);
        }
    }
    pthread_mutex_unlock(&repository->lock);
}
