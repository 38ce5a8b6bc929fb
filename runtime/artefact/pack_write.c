/*
 * pack_write.c - from domains of a network to a pack.
 *
 * DESIGN. The wanted domains are composed into a network of their own, whose
 * description is the pack's; blocks that the base has by content are left out.
 * Expected answers are computed by a snapshot of the same network, as a server
 * would. What is written is opened again before it gets its name: what would
 * be refused is not written.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack_parts.h"
#include "runtime/base/memory.h"
#include "runtime/executor/executor.h"
#include "runtime/network/compose.h"
#include "runtime/network/equal.h"

/* A pack while it is written. */
struct writing {
    const struct sy_pack_plan *plan;
    const char *path;
    struct sy_network *part; /* NULL: it only removes */
    int count;               /* tensors */
    struct sy_st_entry *entry;
    char (*name)[SY_PACK_NAME_BYTES]; /* of probes, which the part has not */
    float **answers;                  /* [expert of the part] */
    json_t *root;
    struct sy_error *err;
};

static enum sy_status no_memory(const struct writing *w)
{
    return sy_fail(w->err, SY_NO_MEMORY, "%s: no memory to write it", w->path);
}

static enum sy_status compose(const struct writing *w, struct sy_network **part)
{
    const struct sy_pack_plan *plan = w->plan;
    struct sy_compose_domain domains[SY_MAX_DOMAINS];
    if (plan->domain_count < 1 || plan->domain_count > SY_MAX_DOMAINS) {
        return sy_fail(w->err, SY_BAD_INPUT,
                       "%s: expected a pack of 1 to %d domains, found %d",
                       w->path, SY_MAX_DOMAINS, plan->domain_count);
    }
    for (int i = 0; i < plan->domain_count; i++) {
        domains[i] = (struct sy_compose_domain){
            .from = plan->from,
            .domain = plan->domain[i].domain,
            .expert = plan->domain[i].expert,
        };
    }
    SY_TRY(sy_network_compose(part, plan->from, domains, plan->domain_count,
                              w->err));
    if (sy_network_root_gate(*part) >= 0) {
        /* It knows all domains of its network; the pack's own has some. */
        struct sy_gate gates[SY_MAX_GATES];
        int count = 0;
        for (int g = 0; g < (*part)->gate_count; g++) {
            if ((*part)->gate[g].domain >= 0) {
                gates[count++] = (*part)->gate[g];
            }
        }
        return sy_network_set_gates(part, gates, count, w->err);
    }
    return SY_OK;
}

/* Whether the other side has the unit's content already. */
static bool is_there(const struct writing *w, int unit)
{
    struct sy_pack_content content;
    if (w->plan->base == NULL) {
        return false;
    }
    sy_pack_content(w->part, unit, &content);
    return sy_pack_find(w->plan->base, w->part, unit, &content) >= 0;
}

static void add_tensor(struct writing *w, const struct sy_network *from,
                       const struct sy_tensor *tensor)
{
    struct sy_st_entry *entry = &w->entry[w->count++];
    entry->name = tensor->name;
    entry->dims = tensor->dims;
    for (int d = 0; d < tensor->dims; d++) {
        entry->dim[d] = tensor->dim[d];
    }
    entry->data = from->values + tensor->offset;
    entry->count = tensor->count;
}

static void add_tensors(struct writing *w)
{
    bool there = false;
    for (int t = 0; t < w->part->tensor_count; t++) {
        const struct sy_tensor *tensor = &w->part->tensor[t];
        if (t == 0 || tensor->unit != w->part->tensor[t - 1].unit) {
            there =
                tensor->unit < w->part->first_head && is_there(w, tensor->unit);
        }
        if (there && sy_pack_is_shared(w->part, tensor)) {
            continue;
        }
        add_tensor(w, w->part, tensor);
    }
}

/* The expected answers of all experts. */
static enum sy_status make_answers(struct writing *w)
{
    enum sy_status status;
    struct sy_network *copy = NULL;
    struct sy_snapshot *snapshot = NULL;
    struct sy_executor *executor = NULL;
    float *image =
        sy_alloc(sy_shape_floats(w->part->spec.input) * sizeof(float));
    if (image == NULL) {
        return no_memory(w);
    }
    SY_TRY_OUT(compose(w, &copy));
    SY_TRY_OUT(sy_snapshot_new(&snapshot, copy, "pack", NULL, w->err));
    SY_TRY_OUT(sy_executor_new(&executor, snapshot, NULL, 1, w->err));
    for (int e = 0; e < w->part->expert_count; e++) {
        int d = w->part->expert[e].domain;
        const struct sy_pack_domain *domain = &w->plan->domain[d];
        size_t floats =
            (size_t)domain->probe_count * (size_t)w->part->domain[d].classes;
        if (domain->probe_count == 0) {
            continue;
        }
        w->answers[e] = sy_alloc(floats * sizeof(float));
        if (w->answers[e] == NULL) {
            status = no_memory(w);
            goto out;
        }
        sy_probe_run(executor, e, domain->probes, domain->probe_count, image,
                     w->answers[e], NULL);
    }
out:
    sy_executor_free(executor);
    sy_snapshot_unref(snapshot);
    sy_free(image);
    return status;
}

/* The answers as tensors, then the images: bytes come last. */
static void add_probes(struct writing *w)
{
    const struct sy_shape input = w->part->spec.input;
    char(*name)[SY_PACK_NAME_BYTES] = w->name;
    for (int e = 0; e < w->part->expert_count; e++) {
        int d = w->part->expert[e].domain;
        int64_t count = w->plan->domain[d].probe_count;
        int64_t classes = w->part->domain[d].classes;
        if (count > 0) {
            sy_probe_answers_name(w->part->domain[d].name,
                                  w->part->expert[e].name, *name);
            w->entry[w->count++] =
                (struct sy_st_entry){.name = *name++,
                                     .dims = 2,
                                     .dim = {count, classes},
                                     .data = w->answers[e],
                                     .count = (size_t)(count * classes)};
        }
    }
    for (int d = 0; d < w->part->domain_count; d++) {
        int64_t count = w->plan->domain[d].probe_count;
        if (count > 0) {
            sy_probe_images_name(w->part->domain[d].name, *name);
            w->entry[w->count++] = (struct sy_st_entry){
                .name = *name++,
                .dims = 4,
                .dim = {count, input.h, input.w, input.c},
                .u8 = w->plan->domain[d].probes,
                .count = (size_t)count * sy_shape_floats(input)};
        }
    }
}

/* Room for all tensors: of the part, of its probes, of a root gate. */
static enum sy_status take_room(struct writing *w)
{
    size_t room = SY_PLAN_MAX_PARAMS, experts = 0;
    if (w->part != NULL) {
        experts = (size_t)w->part->expert_count;
        room += (size_t)w->part->tensor_count + experts +
                (size_t)w->part->domain_count;
    }
    w->entry = sy_alloc_zero(room, sizeof *w->entry);
    w->name = sy_alloc_zero(room, sizeof *w->name);
    w->answers = sy_alloc_zero(experts + 1, sizeof *w->answers);
    return w->entry == NULL || w->name == NULL || w->answers == NULL
               ? no_memory(w)
               : SY_OK;
}

/* That what comes from a network can stand in the base. */
static enum sy_status check_form(const struct writing *w,
                                 const struct sy_network *network)
{
    const char *what = w->plan->base != NULL
                           ? sy_form_difference(w->plan->base, network)
                           : NULL;
    return what == NULL ? SY_OK
                        : sy_fail(w->err, SY_BAD_INPUT,
                                  "%s: not that of the base, so the pack could "
                                  "not be applied to it",
                                  what);
}

/* The tensors of the root gate. */
static enum sy_status add_root(struct writing *w)
{
    const struct sy_network *from = w->plan->root;
    int root = sy_network_root_gate(from);
    if (root < 0) {
        return sy_fail(w->err, SY_BAD_INPUT,
                       "%s: network \"%s\" has no root gate to bring", w->path,
                       from->name);
    }
    SY_TRY(check_form(w, from));
    for (int t = 0; t < from->tensor_count; t++) {
        if (from->tensor[t].unit == sy_network_gate(from, root)) {
            add_tensor(w, from, &from->tensor[t]);
        }
    }
    return SY_OK;
}

static enum sy_status add_all(struct writing *w)
{
    if (w->plan->from != NULL) {
        SY_TRY(compose(w, &w->part));
    }
    SY_TRY(take_room(w));
    if (w->part != NULL) {
        SY_TRY(check_form(w, w->part));
        add_tensors(w);
        SY_TRY(make_answers(w));
    }
    if (w->plan->root != NULL) {
        SY_TRY(add_root(w));
    }
    if (w->part != NULL) {
        add_probes(w);
    }
    return SY_OK;
}

/* Puts a new value under the key; false when it or the place is missing. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

static bool put_model(struct writing *w)
{
    json_t *model = sy_artefact_describe(w->part);
    if (model != NULL) {
        (void)json_object_del(model, "weights");
    }
    return put(w->root, "model", model);
}

static bool put_remove(struct writing *w)
{
    json_t *array = json_array();
    for (int i = 0; i < w->plan->remove_count; i++) {
        if (json_array_append_new(array, json_string(w->plan->remove[i])) !=
            0) {
            json_decref(array);
            return false;
        }
    }
    return put(w->root, "remove", array);
}

static bool put_provenance(struct writing *w)
{
    json_t *own = w->plan->provenance != NULL
                      ? sy_model_copy(w->plan->provenance)
                      : json_object();
    return put(w->root, "provenance", own) &&
           put(own, "program", json_string("switchyard " SY_VERSION));
}

/* The hash of the tensors, the digest, and the signature over it. */
static bool put_hashes(struct writing *w, char digest[SY_HASH_TEXT_BYTES])
{
    char hash[SY_HASH_TEXT_BYTES];
    char text[SY_PACK_SIGNED_BYTES];
    char signature[SY_SIGNATURE_TEXT_BYTES];
    const struct sy_st_entry **entries =
        sy_alloc_zero((size_t)w->count, sizeof(struct sy_st_entry *));
    for (int i = 0; entries != NULL && i < w->count; i++) {
        entries[i] = &w->entry[i];
    }
    bool made = entries != NULL &&
                sy_pack_hash_tensors(entries, w->count, hash) &&
                put(w->root, "tensors", json_string(hash)) &&
                sy_pack_digest(w->root, digest) &&
                put(w->root, "digest", json_string(digest));
    sy_free(entries);
    if (made && w->plan->key != NULL) {
        size_t length = sy_pack_signed_text(digest, text);
        sy_sign(w->plan->key, text, length, signature);
        made = put(w->root, "signature",
                   json_pack("{s:s,s:s}", "key", w->plan->key->public_text,
                             "value", signature));
    }
    return made;
}

static enum sy_status describe(struct writing *w,
                               char digest[SY_HASH_TEXT_BYTES])
{
    w->root = json_object();
    bool made =
        w->root != NULL &&
        put(w->root, "format", json_string(SY_PACK_FORMAT)) &&
        put(w->root, "format_version", json_integer(SY_PACK_FORMAT_VERSION)) &&
        put(w->root, "network", json_string(w->plan->network)) &&
        (w->part == NULL || put_model(w)) &&
        (w->plan->root == NULL ||
         put(w->root, "root", sy_pack_root_describe(w->plan->root))) &&
        (w->plan->remove_count == 0 || put_remove(w)) && put_provenance(w) &&
        put_hashes(w, digest);
    return made ? SY_OK : no_memory(w);
}

static enum sy_status save(struct writing *w)
{
    struct sy_pack *again = NULL;
    char draft[SY_PATH_BYTES];
    char *text = json_dumps(w->root, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *metadata = text != NULL
                           ? json_pack("{s:s,s:s}", SY_PACK_KEY_FORMAT,
                                       SY_PACK_FORMAT, SY_PACK_KEY_PACK, text)
                           : NULL;
    sy_free(text);
    if (metadata == NULL) {
        return no_memory(w);
    }
    int length = snprintf(draft, sizeof draft, "%s.draft", w->path);
    enum sy_status status =
        length < 0 || (size_t)length >= sizeof draft
            ? sy_fail(w->err, SY_BAD_INPUT, "the path of the pack is too long")
            : sy_st_save(draft, w->entry, w->count, metadata, w->err);
    json_decref(metadata);
    if (status != SY_OK) {
        return status;
    }
    status = sy_pack_open(&again, draft, w->err);
    sy_pack_close(again);
    if (status == SY_OK && rename(draft, w->path) != 0) {
        status = sy_fail(w->err, SY_IO, "%s: cannot give the pack its name",
                         w->path);
    }
    if (status != SY_OK) {
        (void)remove(draft);
    }
    return status;
}

enum sy_status sy_pack_write(const char *path, const struct sy_pack_plan *plan,
                             char id[SY_PACK_ID_BYTES], struct sy_error *err)
{
    enum sy_status status = SY_OK;
    char digest[SY_HASH_TEXT_BYTES];
    struct writing w = {.plan = plan, .path = path, .err = err};
    SY_TRY_OUT(add_all(&w));
    SY_TRY_OUT(describe(&w, digest));
    SY_TRY_OUT(save(&w));
    (void)snprintf(id, SY_PACK_ID_BYTES, "%.16s", digest);
out:
    for (int e = 0;
         w.part != NULL && w.answers != NULL && e < w.part->expert_count; e++) {
        sy_free(w.answers[e]);
    }
    sy_free(w.answers);
    sy_free(w.entry);
    sy_free(w.name);
    sy_network_free(w.part);
    json_decref(w.root);
    return status;
}
