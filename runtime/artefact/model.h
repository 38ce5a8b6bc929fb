/*
 * model.h - model.json, read and written; private to this folder, its tests
 * and its fuzz targets.
 *
 * Thread: any.
 */
#ifndef SY_ARTEFACT_MODEL_H
#define SY_ARTEFACT_MODEL_H

#include "runtime/artefact/artefact.h"
#include "runtime/base/hash.h"

enum { SY_MODEL_FORMAT_VERSION = 1 };

#define SY_MODEL_FORMAT       "switchyard-model"
#define SY_MODEL_FILE         "model.json"
#define SY_MODEL_WEIGHTS_FILE "weights.safetensors"

/* What model.json says of its weights. */
struct sy_model_weights {
    char file[SY_NAME_BYTES];
    char sha256[SY_HASH_TEXT_BYTES];
};

/*
 * The network that `root` describes, with zeroed values, refused where it has
 * more than `max_values` (0: the network's own limit). Everything but the
 * weights' hashes is checked, the digest too where there is one.
 */
enum sy_status sy_model_read(struct sy_network **network, json_t *root,
                             const char *file, size_t max_values,
                             struct sy_error *err) SY_MUST_USE;

/* The "weights" of a stored model.json, whose digest must be there. */
enum sy_status sy_model_read_weights(struct sy_model_weights *weights,
                                     json_t *root, const char *file,
                                     struct sy_error *err) SY_MUST_USE;

/* Compares the hashes of blocks and norms with those that `root` lists. */
enum sy_status sy_model_check_hashes(const struct sy_network *network,
                                     json_t *root, const char *file,
                                     struct sy_error *err) SY_MUST_USE;

/* The rows of "blocks" and "norms", their hashes "" where not asked for; owned
   references, NULL: no memory. */
json_t *sy_model_blocks(const struct sy_network *network, bool hashes);
json_t *sy_model_norms(const struct sy_network *network, bool hashes);

/*
 * The rows of "gates": read for the parts, whose domains and experts are there,
 * into as many gates as the array has; written; their hashes compared.
 */
enum sy_status sy_model_read_gates(struct sy_gate *gates,
                                   const struct sy_network_parts *parts,
                                   json_t *array, const char *file,
                                   struct sy_error *err) SY_MUST_USE;
json_t *sy_model_gates(const struct sy_network *network);
enum sy_status sy_model_check_gates(const struct sy_network *network,
                                    json_t *root, const char *file,
                                    struct sy_error *err) SY_MUST_USE;

/*
 * A copy of an object that shares the members, or NULL: no memory. (Jansson's
 * own leaves members out when memory ends, and does not say so.)
 */
json_t *sy_model_copy(json_t *object);

/*
 * SHA-256 of the root without "digest", as compact JSON with sorted keys, so
 * that neither spaces nor the order of keys matter. False: no memory.
 */
bool sy_model_digest(json_t *root, char text[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

/* That a stored tensor has the network's shape. */
enum sy_status sy_model_check_shape(const struct sy_tensor *tensor,
                                    const struct sy_st_entry *entry,
                                    const char *file,
                                    struct sy_error *err) SY_MUST_USE;

/* That all values are finite and variances not negative. */
enum sy_status sy_model_check_values(const struct sy_tensor *tensor,
                                     const float *values, const char *file,
                                     struct sy_error *err) SY_MUST_USE;

/* As sy_artefact_load, but the network keeps its hashes (sums.h). */
enum sy_status sy_artefact_read(const char *model, struct sy_network **network,
                                struct sy_artefact *artefact,
                                struct sy_error *err) SY_MUST_USE;

/*
 * The folders of a model. NAME's newest version, or 0 where there is none;
 * and moving a finished folder to NAME's next free number.
 */
enum sy_status sy_version_newest(const char *model, int *version,
                                 struct sy_error *err) SY_MUST_USE;
enum sy_status sy_version_publish(const char *model, const char *temporary,
                                  struct sy_artefact *artefact,
                                  struct sy_error *err) SY_MUST_USE;

/* The last component of a path without trailing slashes, or "". */
void sy_version_base(const char *path, char *base, size_t bytes);

/* The number that a version's folder has as its name, or 0. */
int sy_version_number(const char *name);

#endif
