/*
 * repository.c - finding, loading and handing out networks.
 *
 * DESIGN: the list of slots is fixed once the folder has been scanned; only
 * a slot's state, reason and pointer change, under one mutex that is held for
 * a few instructions and never across loading, freeing or I/O: loading ends
 * with the new pointer being put in, and the old one is dropped outside.
 */
#include "serving/repository.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"

struct slot {
    char name[SY_NAME_BYTES]; /* fixed after the scan */
    enum srv_load_state state;
    char reason[SY_ERROR_BYTES];
    struct srv_live *live; /* a reference, or NULL */
};

struct srv_repository {
    char path[SY_PATH_BYTES];
    struct srv_repository_options options;
    int count;
    struct slot *slot;    /* [SRV_MAX_NETWORKS] */
    pthread_mutex_t lock; /* guards state, reason, live of every slot */
    pthread_t housekeeper;
    bool running;
    atomic_bool stopping;
};

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
    if (repository->count == SRV_MAX_NETWORKS) {
        return sy_fail(err, SY_UNSUPPORTED,
                       "%s: more than %d networks in one repository",
                       repository->path, SRV_MAX_NETWORKS);
    }
    struct slot *slot = &repository->slot[repository->count++];
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->state = SRV_LOADING;
    return SY_OK;
}

/* Loads one slot and publishes the outcome. */
static void load_slot(struct srv_repository *repository, struct slot *slot)
{
    struct srv_live_options options = {.repository = repository->path,
                                       .name = slot->name,
                                       .pool = repository->options.pool,
                                       .max_batch =
                                           repository->options.max_batch};
    struct srv_live *live = NULL;
    struct sy_error err = {0};
    enum sy_status status = srv_live_load(&live, &options, &err);
    if (status == SY_OK) {
        sy_log_info("network %s: version %d ready after %.1f ms", live->name,
                    live->version, (double)live->loaded_ns / 1e6);
    } else {
        sy_log_error("network %s: %s", slot->name, err.message);
    }
    pthread_mutex_lock(&repository->lock);
    struct srv_live *old = slot->live;
    slot->live = live;
    slot->state = status == SY_OK ? SRV_READY : SRV_FAILED;
    memcpy(slot->reason, err.message, sizeof slot->reason);
    pthread_mutex_unlock(&repository->lock);
    srv_live_unref(old);
}

static void *housekeeper_main(void *context)
{
    struct srv_repository *repository = context;
    for (int i = 0; i < repository->count; i++) {
        if (atomic_load(&repository->stopping)) {
            break;
        }
        load_slot(repository, &repository->slot[i]);
    }
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
    atomic_init(&made->stopping, false);
    pthread_mutex_init(&made->lock, NULL);
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

void srv_repository_free(struct srv_repository *repository)
{
    if (repository == NULL) {
        return;
    }
    atomic_store(&repository->stopping, true);
    if (repository->running) {
        pthread_join(repository->housekeeper, NULL);
    }
    for (int i = 0; i < repository->count; i++) {
        srv_live_unref(repository->slot[i].live);
    }
    pthread_mutex_destroy(&repository->lock);
    sy_free(repository->slot);
    sy_free(repository);
}

int srv_repository_count(const struct srv_repository *repository)
{
    return repository->count;
}

void srv_repository_entry(struct srv_repository *repository, int index,
                          struct srv_entry *entry)
{
    SY_ASSERT(index >= 0 && index < repository->count);
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
    if (entry->state == SRV_LOADING) {
        return sy_fail(err, SY_BUSY, "network '%s' is still loading",
                       entry->name);
    }
    return sy_fail(err, SY_BUSY, "network '%s' could not be loaded: %s",
                   entry->name, entry->reason);
}

enum sy_status srv_repository_get(struct srv_repository *repository,
                                  const char *name, struct srv_live **live,
                                  struct sy_error *err)
{
    for (int i = 0; i < repository->count; i++) {
        struct slot *slot = &repository->slot[i];
        if (strcmp(slot->name, name) != 0) {
            continue;
        }
        pthread_mutex_lock(&repository->lock);
        struct srv_live *found =
            slot->live == NULL ? NULL : srv_live_ref(slot->live);
        pthread_mutex_unlock(&repository->lock);
        if (found == NULL) {
            struct srv_entry entry;
            srv_repository_entry(repository, i, &entry);
            return not_served(&entry, err);
        }
        *live = found;
        return SY_OK;
    }
    return sy_fail(err, SY_NOT_FOUND, "network '%s' is not found", name);
}

enum sy_status srv_repository_ready(struct srv_repository *repository,
                                    struct sy_error *err)
{
    if (repository->count == 0) {
        return sy_fail(err, SY_BUSY, "the repository holds no network");
    }
    for (int i = 0; i < repository->count; i++) {
        struct srv_entry entry;
        srv_repository_entry(repository, i, &entry);
        if (entry.state != SRV_READY) {
            return not_served(&entry, err);
        }
    }
    return SY_OK;
}
