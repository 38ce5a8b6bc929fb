/*
 * pack_parts.h - what the files of packs share. Not for others.
 */
#ifndef SY_ARTEFACT_PACK_PARTS_H
#define SY_ARTEFACT_PACK_PARTS_H

#include "runtime/artefact/model.h"
#include "runtime/artefact/pack.h"

/* In the metadata of the file: its format, and the description as text. */
#define SY_PACK_KEY_FORMAT "format"
#define SY_PACK_KEY_PACK   "pack"

enum { SY_PACK_NAME_BYTES = 200 }; /* of a tensor */

/*
 * SHA-256 over all tensors in order of their names: name, newline, type,
 * newline, each dimension and a newline, the bytes. So neither the order in the
 * file nor the text of its header matters. False: no memory.
 */
bool sy_pack_hash_tensors(const struct sy_st_entry *const *entries, int count,
                          char text[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

/* Digest of a description: of all but "digest" and "signature". False: no
   memory. */
bool sy_pack_digest(json_t *root, char text[SY_HASH_TEXT_BYTES]) SY_MUST_USE;

/* What is signed: "switchyard-pack 1 DIGEST". Returns its length. */
enum { SY_PACK_SIGNED_BYTES = SY_HASH_TEXT_BYTES + 32 };
size_t sy_pack_signed_text(const char *digest, char text[SY_PACK_SIGNED_BYTES]);

/* Whether the unit's norms belong to it and not to the domains. */
bool sy_pack_norms_are_shared(const struct sy_network *network, int unit);

/*
 * Whether a pack may leave this tensor out: it belongs to stem, a block or the
 * trunk and not to a domain, so the other side can have it.
 */
bool sy_pack_is_shared(const struct sy_network *part,
                       const struct sy_tensor *tensor);

/*
 * What a unit's content is known by: its weights, and where norms are shared
 * (and for the stem) its norms as well.
 */
struct sy_pack_content {
    char weights[SY_HASH_TEXT_BYTES];
    char norms[SY_HASH_TEXT_BYTES]; /* "": they belong to domains */
};
void sy_pack_content(const struct sy_network *network, int unit,
                     struct sy_pack_content *content);

/* The unit of `base` at the place of the part's unit (stem, layer, trunk) that
   has this content in tensors of the same sizes, or -1. */
int sy_pack_find(const struct sy_network *base, const struct sy_network *part,
                 int unit, const struct sy_pack_content *content);

/*
 * The root gate of a pack: read from the description's "root"; whether a tensor
 * of the file belongs to it, as its name tells; put into the network that the
 * pack makes, in place of one that was there; the "root" of a network's root
 * gate, which must be there (owned; NULL: no memory).
 */
enum sy_status sy_pack_root_read(struct sy_pack_root **root, json_t *described,
                                 const char *file,
                                 struct sy_error *err) SY_MUST_USE;
bool sy_pack_root_owns(const struct sy_pack_root *root, const char *tensor);
enum sy_status sy_pack_root_apply(struct sy_network **network,
                                  const struct sy_pack *pack,
                                  struct sy_error *err) SY_MUST_USE;
json_t *sy_pack_root_describe(const struct sy_network *network);

/* Where a stored pack lies. */
enum sy_status sy_pack_path(const char *model, const char *id,
                            char path[SY_PATH_BYTES],
                            struct sy_error *err) SY_MUST_USE;

/* Opens those packs of base->stack that are not open and applies all to
   base->version; what was opened stays in `base`, also on failure. */
enum sy_status sy_base_apply(struct sy_base *base, const char *model,
                             struct sy_error *err) SY_MUST_USE;

/* Names of the tensors of probes. */
void sy_probe_images_name(const char *domain, char name[SY_PACK_NAME_BYTES]);
void sy_probe_answers_name(const char *domain, const char *expert,
                           char name[SY_PACK_NAME_BYTES]);

/*
 * The calibrated answers of one expert to `count` images (uint8): count x
 * classes floats. `us` (may be NULL) is increased by the microseconds that all
 * took.
 */
struct sy_executor;
void sy_probe_run(struct sy_executor *executor, int expert,
                  const uint8_t *images, int count, float *image,
                  float *answers, double *us);

#endif
