/*
 * pack_read.c - from the bytes of a pack to what it says, checked.
 *
 * DESIGN. The description is read as a model.json is, so all that is known of
 * a network's description is checked by the same code. What the file holds is
 * told by its tensors: a unit's shared numbers are there as a whole or not at
 * all, whatever belongs to a domain is there, and nothing else is. All hashes
 * of what is in the file are compared now; blocks that are elsewhere are looked
 * for by theirs when the pack is applied.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/network/sums.h"

/* Of a network whose blocks are elsewhere: they are not in the file, so its
   size does not bound them. 128 MiB. */
enum { MAX_VALUES = 1 << 25 };

/* A pack while it is read. */
struct reading {
    struct sy_pack *pack;
    const char *name;
    int known; /* tensors that have been asked for */
    struct sy_error *err;
};

static enum sy_status no_memory(const struct reading *in)
{
    return sy_fail(in->err, SY_NO_MEMORY, "%s: no memory to read it", in->name);
}

/* Parses the container and the description in it. */
static enum sy_status read_container(struct reading *in, const uint8_t *data,
                                     size_t bytes)
{
    struct sy_pack *pack = in->pack;
    SY_TRY(sy_st_parse_mixed(&pack->tensors, data, bytes, in->name, in->err));
    const char *format = sy_st_metadata(pack->tensors, SY_PACK_KEY_FORMAT);
    const char *text = sy_st_metadata(pack->tensors, SY_PACK_KEY_PACK);
    if (format == NULL || strcmp(format, SY_PACK_FORMAT) != 0 || text == NULL) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: expected an expert pack, as `switchyard pack` "
                       "writes it; found other tensors",
                       in->name);
    }
    pack->bytes = bytes;
    return sy_json_parse(text, strlen(text), in->name, &pack->root, in->err);
}

/* Compares what the description says of itself and of the tensors. */
static enum sy_status check_digests(struct reading *in)
{
    struct sy_pack *pack = in->pack;
    char found[SY_HASH_TEXT_BYTES];
    int count = sy_st_count(pack->tensors);
    const char *digest =
        json_string_value(json_object_get(pack->root, "digest"));
    const char *tensors =
        json_string_value(json_object_get(pack->root, "tensors"));
    const struct sy_st_entry **entries =
        sy_alloc_zero((size_t)count, sizeof(struct sy_st_entry *));
    for (int i = 0; entries != NULL && i < count; i++) {
        entries[i] = sy_st_entry_at(pack->tensors, i);
    }
    bool hashed =
        entries != NULL && sy_pack_hash_tensors(entries, count, found);
    sy_free(entries);
    if (!hashed) {
        return no_memory(in);
    }
    if (tensors == NULL || strcmp(tensors, found) != 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: tensors: expected %s, the hash of those in the "
                       "file; it was damaged or changed",
                       in->name, found);
    }
    if (!sy_pack_digest(pack->root, found)) {
        return no_memory(in);
    }
    if (digest == NULL || strcmp(digest, found) != 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: digest: expected %s, the hash of what the "
                       "description says; it was changed after it was written",
                       in->name, found);
    }
    memcpy(pack->digest, found, sizeof pack->digest);
    (void)snprintf(pack->id, sizeof pack->id, "%.16s", found);
    return SY_OK;
}

/* Compares the signature with the key that stands beside it. */
static enum sy_status read_signature(struct reading *in, struct sy_json *json)
{
    struct sy_pack *pack = in->pack;
    char value[SY_SIGNATURE_TEXT_BYTES] = "";
    char text[SY_PACK_SIGNED_BYTES];
    if (!sy_json_has(json, "signature")) {
        return SY_OK;
    }
    struct sy_json child = sy_json_child(json, "signature");
    sy_json_text(&child, "key", pack->signer, sizeof pack->signer);
    sy_json_text(&child, "value", value, sizeof value);
    SY_TRY(sy_json_end(&child));
    size_t length = sy_pack_signed_text(pack->digest, text);
    if (!sy_sign_check(pack->signer, text, length, value)) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: signature: not one of this pack by key %.80s",
                       in->name, pack->signer);
    }
    return SY_OK;
}

static enum sy_status read_remove(struct reading *in, struct sy_json *json)
{
    struct sy_pack *pack = in->pack;
    if (!sy_json_has(json, "remove")) {
        return SY_OK;
    }
    json_t *array = sy_json_array(json, "remove", 1, SY_MAX_DOMAINS);
    size_t count = json_array_size(array);
    pack->remove = sy_alloc_zero(count, sizeof *pack->remove);
    if (pack->remove == NULL) {
        return no_memory(in);
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(array, i));
        bool good = name != NULL && sy_name_valid(name);
        for (size_t o = 0; good && o < i; o++) {
            good = strcmp(name, pack->remove[o]) != 0;
        }
        if (!good) {
            sy_json_reject(json, "remove",
                           "[%zu]: expected the name of a domain, once", i);
            return json->status;
        }
        memcpy(pack->remove[pack->remove_count++], name, strlen(name) + 1);
    }
    return SY_OK;
}

/* Reads the description but for its model. */
static enum sy_status read_root(struct reading *in, json_t **model)
{
    static const char *const formats[] = {SY_PACK_FORMAT, NULL};
    int format = 0, version = 0;
    struct sy_json json = sy_json_object(in->pack->root, in->name, "", in->err);
    sy_json_choice(&json, "format", formats, &format);
    sy_json_int(&json, "format_version", SY_PACK_FORMAT_VERSION,
                SY_PACK_FORMAT_VERSION, &version);
    sy_json_text(&json, "network", in->pack->network, sizeof in->pack->network);
    SY_TRY(json.status);
    SY_TRY(read_remove(in, &json));
    if (sy_json_has(&json, "provenance")) {
        (void)sy_json_child(&json, "provenance");
    }
    if (sy_json_has(&json, "root")) {
        json_t *described = sy_json_child(&json, "root").object;
        SY_TRY(json.status);
        SY_TRY(sy_pack_root_read(&in->pack->root_gate, described, in->name,
                                 in->err));
    }
    (void)sy_json_has(&json, "digest");
    (void)sy_json_has(&json, "tensors");
    SY_TRY(read_signature(in, &json));
    *model = NULL;
    if (sy_json_has(&json, "model")) {
        *model = sy_json_child(&json, "model").object;
    }
    if (*model == NULL && in->pack->remove_count == 0 &&
        in->pack->root_gate == NULL) {
        sy_json_reject(&json, "model",
                       "expected domains to set here or to \"remove\", or a "
                       "\"root\" gate");
    }
    return sy_json_end(&json);
}

/* Makes the network that the description describes. */
static enum sy_status read_part(struct reading *in, json_t *model)
{
    struct sy_pack *pack = in->pack;
    size_t limit = MAX_VALUES + pack->bytes / sizeof(float);
    SY_TRY(sy_model_read(&pack->part, model, in->name, limit, in->err));
    if (pack->part->expert_count == 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: model: expected experts; a supernet is no pack",
                       in->name);
    }
    if (sy_network_root_gate(pack->part) >= 0) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: model: a pack's root gate stands under \"root\"",
                       in->name);
    }
    for (int i = 0; i < pack->remove_count; i++) {
        if (sy_network_find_domain(pack->part, pack->remove[i]) >= 0) {
            return sy_fail(in->err, SY_BAD_INPUT,
                           "%s: domain \"%s\" is set and removed", in->name,
                           pack->remove[i]);
        }
    }
    pack->holds =
        sy_alloc_zero((size_t)pack->part->unit_count, sizeof *pack->holds);
    return pack->holds != NULL ? SY_OK : no_memory(in);
}

/* Finds out which units the file holds, and copies what is there. */
static enum sy_status read_tensors(struct reading *in)
{
    struct sy_pack *pack = in->pack;
    struct sy_network *part = pack->part;
    memset(pack->holds, 1, (size_t)part->unit_count);
    for (int t = 0; t < part->tensor_count; t++) {
        const struct sy_tensor *tensor = &part->tensor[t];
        if (sy_pack_is_shared(part, tensor) &&
            sy_st_find(pack->tensors, tensor->name) == NULL) {
            pack->holds[tensor->unit] = 0;
        }
    }
    for (int t = 0; t < part->tensor_count; t++) {
        const struct sy_tensor *tensor = &part->tensor[t];
        const struct sy_st_entry *entry =
            sy_st_find(pack->tensors, tensor->name);
        bool wanted =
            pack->holds[tensor->unit] || !sy_pack_is_shared(part, tensor);
        if (wanted != (entry != NULL)) {
            return sy_fail(in->err, SY_BAD_INPUT,
                           wanted ? "%s: %s: the tensor is missing"
                                  : "%s: %s: the tensor is there, but others "
                                    "of its block are not",
                           in->name, tensor->name);
        }
        if (wanted) {
            SY_TRY(sy_model_check_shape(tensor, entry, in->name, in->err));
            SY_TRY(
                sy_model_check_values(tensor, entry->data, in->name, in->err));
            memcpy(part->values + tensor->offset, entry->data,
                   tensor->count * sizeof(float));
            in->known++;
        }
    }
    return SY_OK;
}

/* The hash in the row of "blocks" or "norms" at `index`, or NULL. */
static const char *hash_of(json_t *model, const char *key, size_t index)
{
    json_t *row = json_array_get(json_object_get(model, key), index);
    return json_string_value(json_object_get(row, "hash"));
}

/*
 * The hashes of all that the pack's network has: of blocks that are elsewhere,
 * what the description says, whose rows stand in the order of units and slots;
 * of what the file holds, computed.
 */
static enum sy_status sum_part(const struct reading *in, json_t *model)
{
    struct sy_network *part = in->pack->part;
    int slots = sy_network_slots(part);
    size_t row = 0;
    SY_TRY(sy_network_make_sums(part, in->err));
    for (int u = 0; u < part->first_head; u++) {
        int norms = part->unit[u].plan.norm_count;
        bool elsewhere = !in->pack->holds[u];
        if (elsewhere) {
            memcpy(part->sums->weights[u], hash_of(model, "blocks", (size_t)u),
                   SY_HASH_TEXT_BYTES);
        }
        for (int slot = 0; norms > 0 && slot < slots; slot++) {
            if (part->unit[u].norm[slot * norms] == SY_ABSENT) {
                continue;
            }
            if (elsewhere && sy_pack_norms_are_shared(part, u)) {
                memcpy(part->sums->norms[u * slots + slot],
                       hash_of(model, "norms", row), SY_HASH_TEXT_BYTES);
            }
            row++;
        }
    }
    sy_network_fill_sums(part, NULL);
    return SY_OK;
}

/* Compares the hashes of what the file holds with the lists. */
static enum sy_status check_hashes(const struct reading *in, json_t *model)
{
    const struct sy_pack *pack = in->pack;
    SY_TRY(sum_part(in, model));
    for (int u = 0; u < pack->part->first_head; u++) {
        const char *found = pack->part->sums->weights[u];
        if (strcmp(hash_of(model, "blocks", (size_t)u), found) != 0) {
            return sy_fail(in->err, SY_BAD_INPUT,
                           "%s: model.blocks[%d].hash: expected %s, the hash "
                           "of the block in the file",
                           in->name, u, found);
        }
    }
    return sy_model_check_hashes(pack->part, model, in->name, in->err);
}

/* The images of a domain's probes, and the answers of each expert. */
static enum sy_status check_probes(struct reading *in, int domain)
{
    const struct sy_network *part = in->pack->part;
    const struct sy_shape input = part->spec.input;
    const struct sy_domain *at = &part->domain[domain];
    char name[SY_PACK_NAME_BYTES];
    sy_probe_images_name(at->name, name);
    const struct sy_st_entry *images = sy_st_find(in->pack->tensors, name);
    if (images == NULL) {
        return SY_OK;
    }
    in->known++;
    if (images->u8 == NULL || images->dims != 4 || images->dim[0] < 1 ||
        images->dim[0] > SY_PACK_MAX_PROBES || images->dim[1] != input.h ||
        images->dim[2] != input.w || images->dim[3] != input.c) {
        return sy_fail(in->err, SY_BAD_INPUT,
                       "%s: %s: expected 1 to %d images of bytes, %d x %d x %d",
                       in->name, name, SY_PACK_MAX_PROBES, input.h, input.w,
                       input.c);
    }
    for (int e = 0; e < part->expert_count; e++) {
        if (part->expert[e].domain != domain) {
            continue;
        }
        sy_probe_answers_name(at->name, part->expert[e].name, name);
        const struct sy_st_entry *answers = sy_st_find(in->pack->tensors, name);
        bool good = answers != NULL && answers->u8 == NULL &&
                    answers->dims == 2 && answers->dim[0] == images->dim[0] &&
                    answers->dim[1] == at->classes;
        for (size_t i = 0; good && i < answers->count; i++) {
            good = answers->data[i] >= 0.0F && answers->data[i] <= 1.0F;
        }
        if (!good) {
            return sy_fail(in->err, SY_BAD_INPUT,
                           "%s: %s: expected %d x %d probabilities, 0 to 1",
                           in->name, name, (int)images->dim[0], at->classes);
        }
        in->known++;
    }
    return SY_OK;
}

static bool has_tensor(const struct sy_network *part, const char *name)
{
    for (int t = 0; part != NULL && t < part->tensor_count; t++) {
        if (strcmp(part->tensor[t].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Counts the tensors of the root gate, which has a name of its own. */
static void count_root(struct reading *in)
{
    const struct sy_pack *pack = in->pack;
    for (int i = 0; i < sy_st_count(pack->tensors); i++) {
        const char *name = sy_st_entry_at(pack->tensors, i)->name;
        in->known += pack->root_gate != NULL &&
                     sy_pack_root_owns(pack->root_gate, name) &&
                     !has_tensor(pack->part, name);
    }
}

/* Whether the tensor is one that the pack has, or of its probes. */
static bool is_known(const struct sy_pack *pack, const char *wanted)
{
    char name[SY_PACK_NAME_BYTES];
    const struct sy_network *part = pack->part;
    if (has_tensor(part, wanted) ||
        (pack->root_gate != NULL &&
         sy_pack_root_owns(pack->root_gate, wanted))) {
        return true;
    }
    if (part == NULL) {
        return false;
    }
    for (int e = 0; e < part->expert_count; e++) {
        const char *domain = part->domain[part->expert[e].domain].name;
        sy_probe_images_name(domain, name);
        if (strcmp(name, wanted) == 0) {
            return true;
        }
        sy_probe_answers_name(domain, part->expert[e].name, name);
        if (strcmp(name, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Names a tensor that nothing is known of, if the numbers differ. */
static enum sy_status check_extra(const struct reading *in)
{
    const struct sy_pack *pack = in->pack;
    for (int i = 0; i < sy_st_count(pack->tensors); i++) {
        const char *name = sy_st_entry_at(pack->tensors, i)->name;
        if (in->known != sy_st_count(pack->tensors) && !is_known(pack, name)) {
            return sy_fail(in->err, SY_BAD_INPUT,
                           "%s: %s: the pack has no such tensor", in->name,
                           name);
        }
    }
    return in->known == sy_st_count(pack->tensors)
               ? SY_OK
               : sy_fail(in->err, SY_BAD_INPUT,
                         "%s: answers to probes without their images",
                         in->name);
}

static enum sy_status read_all(struct reading *in, const uint8_t *data,
                               size_t bytes)
{
    json_t *model = NULL;
    SY_TRY(read_container(in, data, bytes));
    SY_TRY(check_digests(in));
    SY_TRY(read_root(in, &model));
    if (model != NULL) {
        SY_TRY(read_part(in, model));
        SY_TRY(read_tensors(in));
        SY_TRY(check_hashes(in, model));
        for (int d = 0; d < in->pack->part->domain_count; d++) {
            SY_TRY(check_probes(in, d));
        }
    }
    count_root(in);
    return check_extra(in);
}

/* Reads what the pack's own map or copy holds; takes the pack. */
static enum sy_status finish(struct sy_pack **pack, struct sy_pack *made,
                             const uint8_t *data, size_t bytes,
                             const char *name, struct sy_error *err)
{
    struct reading in = {.pack = made, .name = name, .err = err};
    enum sy_status status = read_all(&in, data, bytes);
    if (status != SY_OK) {
        sy_pack_close(made);
        return status;
    }
    *pack = made;
    return SY_OK;
}

enum sy_status sy_pack_parse(struct sy_pack **pack, const uint8_t *data,
                             size_t bytes, const char *name,
                             struct sy_error *err)
{
    struct sy_pack *made = sy_alloc_zero(1, sizeof *made);
    if (made != NULL) {
        made->copy = sy_alloc(bytes);
    }
    if (made == NULL || made->copy == NULL) {
        sy_free(made);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", name);
    }
    memcpy(made->copy, data, bytes);
    return finish(pack, made, made->copy, bytes, name, err);
}

enum sy_status sy_pack_open(struct sy_pack **pack, const char *path,
                            struct sy_error *err)
{
    struct sy_map map;
    SY_TRY(sy_map_open(&map, path, err));
    struct sy_pack *made = sy_alloc_zero(1, sizeof *made);
    if (made == NULL) {
        sy_map_close(&map);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory to read it", path);
    }
    made->map = map;
    return finish(pack, made, map.data, map.bytes, path, err);
}

void sy_pack_close(struct sy_pack *pack)
{
    if (pack != NULL) {
        sy_network_free(pack->part);
        sy_free(pack->holds);
        sy_free(pack->remove);
        sy_free(pack->root_gate);
        json_decref(pack->root);
        sy_st_close(pack->tensors);
        if (pack->copy == NULL) {
            sy_map_close(&pack->map);
        }
        sy_free(pack->copy);
        sy_free(pack);
    }
}

enum sy_status sy_pack_verify(const struct sy_pack *pack,
                              const struct sy_public_key *keys, int count,
                              struct sy_error *err)
{
    for (int k = 0; k < count; k++) {
        if (strcmp(keys[k].text, pack->signer) == 0) {
            return SY_OK; /* the signature itself was checked on reading */
        }
    }
    if (count == 0) {
        return SY_OK;
    }
    return pack->signer[0] == '\0'
               ? sy_fail(err, SY_BAD_INPUT,
                         "pack %s: not signed; this server takes packs that "
                         "are signed by one of its %d keys",
                         pack->id, count)
               : sy_fail(err, SY_BAD_INPUT,
                         "pack %s: signed by key %s, which is none of the %d "
                         "that are trusted here",
                         pack->id, pack->signer, count);
}
