/*
 * artefact.h - a network on disk: NAME/VERSION/{model.json,
 * weights.safetensors}. docs/model-format.md is the description.
 *
 * A MODEL argument is REPOSITORY/NAME (its newest version) or
 * REPOSITORY/NAME/VERSION. Saving to REPOSITORY/NAME makes the next version:
 * the folder is written under a temporary name, synced, and renamed, so a
 * version is there whole or not at all, and is never changed afterwards.
 * REPOSITORY/NAME/CURRENT, when it exists, names what is served and what a
 * MODEL without version means: a version and the packs on top (current.h,
 * pack.h). With a version it means that version alone.
 *
 * Loading checks everything before it returns: keys, ranges, paths, that
 * every tensor the network needs is there with its shape and no other is,
 * that all values are finite and variances not negative, and the SHA-256 of
 * the weights that model.json holds.
 *
 * Thread: any.
 */
#ifndef SY_ARTEFACT_ARTEFACT_H
#define SY_ARTEFACT_ARTEFACT_H

#include <jansson.h>

#include "runtime/artefact/current.h"
#include "runtime/artefact/safetensors.h"
#include "runtime/base/file.h"
#include "runtime/network/network.h"

/* What is known of a loaded or saved artefact. */
struct sy_artefact {
    char path[SY_PATH_BYTES]; /* the version's folder */
    char name[SY_NAME_BYTES];
    int version;
    struct sy_stack stack; /* that version, and the packs applied on top */
    char label[SY_STACK_LABEL_BYTES]; /* its name, see sy_stack_label */
};

/*
 * Whether `model` can be the REPOSITORY/NAME of sy_artefact_save, for those who
 * work long before they save. Nothing is written.
 */
enum sy_status sy_artefact_check_target(const char *model,
                                        struct sy_error *err) SY_MUST_USE;

/*
 * Writes the next version under `model` (REPOSITORY/NAME). `provenance` is
 * an object (config hash, seed, data hashes, ...) stored as it is; the
 * program's version is added. Fills `artefact`.
 */
enum sy_status sy_artefact_save(const struct sy_network *network,
                                const char *model, json_t *provenance,
                                struct sy_artefact *artefact,
                                struct sy_error *err) SY_MUST_USE;

/* Finds the version that a MODEL argument means. */
enum sy_status sy_artefact_find(const char *model, struct sy_artefact *artefact,
                                struct sy_error *err) SY_MUST_USE;

/* Finds, reads and checks. The network is owned by the caller. */
enum sy_status sy_artefact_load(const char *model, struct sy_network **network,
                                struct sy_artefact *artefact,
                                struct sy_error *err) SY_MUST_USE;

/*
 * The model.json of a network (weights' hash left out), and the network that
 * a model.json describes, with zeroed values. Owned by the caller.
 */
json_t *sy_artefact_describe(const struct sy_network *network);
enum sy_status sy_artefact_network(struct sy_network **network, json_t *root,
                                   const char *file,
                                   struct sy_error *err) SY_MUST_USE;

/* Copies every tensor of `network` out of `weights`, checked as above. */
enum sy_status sy_artefact_fill(struct sy_network *network,
                                const struct sy_st_file *weights,
                                const char *file,
                                struct sy_error *err) SY_MUST_USE;

#endif
