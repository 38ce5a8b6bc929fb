/*
 * stage.c - from a pack's bytes to a candidate that is ready.
 *
 * DESIGN: cheapest first, and what an operator can mend first: the pack alone,
 * its signature, what it builds on, then the states, then what they answer and
 * how long that takes. What is served is read from disk with its numbers, which
 * the served state has given back, or is at hand from the pack before; that
 * CURRENT means what is served is checked, because a promotion puts the pack on
 * top of CURRENT.
 *
 * The pack is stored last, when nothing can be wrong with it any more, so that
 * a promotion has to write CURRENT alone, and a pack that is refused leaves
 * nothing behind.
 */
#include "serving/swap/stage.h"

#include <stdio.h>
#include <string.h>

#include "runtime/artefact/pack.h"
#include "runtime/base/log.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "serving/swap/candidate.h"

enum { MAX_KEYS = 64 };

/* What CURRENT holds, and what it holds once the pack is promoted. */
struct srv_current_pair {
    char model[SY_PATH_BYTES];
    struct sy_current before, after;
};

/* What is at hand while a pack is staged; all owned. */
struct staging {
    struct sy_pack *pack;
    struct srv_current_pair *current;
};

/* The trusted keys; none where no file is named. */
static enum sy_status load_keys(const char *path, struct sy_public_key *keys,
                                int *count, struct sy_error *err)
{
    *count = 0;
    return path[0] != '\0'
               ? sy_sign_public_load(path, keys, MAX_KEYS, count, err)
               : SY_OK;
}

enum sy_status srv_stage_check_keys(const char *path, struct sy_error *err)
{
    struct sy_public_key keys[MAX_KEYS];
    int count;
    return load_keys(path, keys, &count, err);
}

/* The pack by itself, and who signed it. */
static enum sy_status open_pack(struct staging *s,
                                const struct srv_stage_options *options,
                                const struct srv_stage_input *input,
                                struct sy_error *err)
{
    struct sy_public_key keys[MAX_KEYS];
    int count;
    SY_TRY(load_keys(options->pack_keys, keys, &count, err));
    SY_TRY(sy_pack_parse(&s->pack, (const uint8_t *)input->body,
                         input->body_bytes, "the pack", err));
    if (strcmp(s->pack->network, input->live->name) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "the pack is for network '%s', not for '%s'",
                       s->pack->network, input->live->name);
    }
    return sy_pack_verify(s->pack, keys, count, err);
}

/* What is served, with its numbers. */
static enum sy_status read_served(struct staging *s,
                                  const struct srv_stage_input *input,
                                  struct sy_error *err)
{
    char label[SY_STACK_LABEL_BYTES];
    struct srv_current_pair *current = sy_alloc_zero(1, sizeof *current);
    if (current == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "staging: out of memory");
    }
    s->current = current;
    SY_TRY(sy_path_join(current->model, sizeof current->model,
                        input->live->repository, input->live->name, err));
    SY_TRY(sy_current_read(current->model, &current->before, err));
    sy_stack_label(&current->before.served, label);
    if (strcmp(label, input->base->label) != 0) {
        return sy_fail(err, SY_BAD_INPUT,
                       "network '%s' serves %s, but CURRENT says %s: load it "
                       "first",
                       input->live->name, input->base->label, label);
    }
    return sy_base_load(input->kept, current->model, &current->before.served,
                        err);
}

/* What CURRENT holds once the pack is promoted, and so what the candidate is
   called: packs below that do not matter any more are left out. */
static enum sy_status choose_stack(struct srv_staged *staged, struct staging *s,
                                   const struct srv_stage_input *input,
                                   const struct sy_network *candidate,
                                   struct sy_error *err)
{
    struct srv_current_pair *current = s->current;
    SY_TRY(sy_base_push(&current->after.served, input->kept, s->pack, candidate,
                        err));
    current->after.before = current->before.served;
    sy_stack_label(&current->after.served, staged->label);
    return SY_OK;
}

/* Both states, out of what is served and the pack. */
static enum sy_status make_states(struct srv_staged *staged, struct staging *s,
                                  const struct srv_stage_input *input,
                                  struct sy_error *err)
{
    struct srv_two two = {.served = input->kept->network,
                          .root = s->pack->root_gate != NULL};
    const struct sy_network *part = s->pack->part;
    for (int d = 0; part != NULL && d < part->domain_count; d++) {
        two.domain[two.domain_count++] = part->domain[d].name;
    }
    for (int i = 0;
         i < s->pack->remove_count && two.domain_count < SY_MAX_DOMAINS; i++) {
        two.domain[two.domain_count++] = s->pack->remove[i];
    }
    SY_TRY(sy_pack_apply(&two.candidate, input->kept->network, s->pack, NULL,
                         err));
    enum sy_status status = choose_stack(staged, s, input, two.candidate, err);
    if (status != SY_OK) {
        sy_network_free(two.candidate);
        return status;
    }
    return srv_candidate_make(staged, input, &two, err);
}

/* A picture of noise, for timing: cost does not depend on what is seen. */
static float *make_image(const struct sy_network *network)
{
    size_t floats = sy_shape_floats(network->spec.input);
    struct sy_rng rng = sy_rng_stream(0, SY_RNG_BENCH, 0, 0);
    float *image = sy_alloc(floats * sizeof *image);
    for (size_t i = 0; image != NULL && i < floats; i++) {
        image[i] = (float)sy_rng_normal(&rng);
    }
    return image;
}

/* What is at hand while images are timed; all owned. */
struct timing {
    struct sy_executor *served, *next;
    float *image, *room;
};

static enum sy_status begin_timing(struct timing *t,
                                   const struct srv_live *base,
                                   const struct srv_live *next,
                                   struct sy_error *err)
{
    t->image = make_image(next->network);
    t->room = sy_alloc(SY_MAX_CHANNELS * sizeof *t->room);
    if (t->image == NULL || t->room == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "staging: out of memory");
    }
    SY_TRY(sy_executor_new(&t->served, base->snapshot, NULL, 1, err));
    return sy_executor_new(&t->next, next->snapshot, NULL, 1, err);
}

static void end_timing(struct timing *t)
{
    sy_executor_free(t->served);
    sy_executor_free(t->next);
    sy_free(t->image);
    sy_free(t->room);
}

/* How long one domain takes by this executor; 0: it has no such domain. */
static enum sy_status time_domain(const struct timing *t,
                                  struct sy_executor *executor,
                                  const char *name, double *us,
                                  struct sy_error *err)
{
    int d = sy_network_find_domain(sy_executor_network(executor), name);
    return d < 0 ? SY_OK
                 : srv_candidate_time(executor, d, t->image, t->room, us, err);
}

static enum sy_status check_time(struct srv_staged *staged,
                                 const struct srv_stage_options *options,
                                 const struct srv_stage_input *input,
                                 struct sy_error *err)
{
    enum sy_status status;
    struct timing t = {0};
    int64_t most = input->max_us > 0 ? input->max_us : options->max_us;
    SY_TRY_OUT(begin_timing(&t, input->base, staged->next, err));
    for (int i = 0; i < staged->domain_count; i++) {
        struct srv_staged_domain *domain = &staged->domain[i];
        SY_TRY_OUT(
            time_domain(&t, t.served, domain->name, &domain->served_us, err));
        SY_TRY_OUT(
            time_domain(&t, t.next, domain->name, &domain->next_us, err));
        if (most > 0 && domain->next_us > (double)most) {
            status = sy_fail(err, SY_BAD_INPUT,
                             "domain '%s': an image takes %.1f us, more than "
                             "the %lld allowed (what is served takes %.1f)",
                             domain->name, domain->next_us, (long long)most,
                             domain->served_us);
            goto out;
        }
    }
out:
    end_timing(&t);
    return status;
}

/* Probes, time, and then the pack's place on disk. */
static enum sy_status finish(struct srv_staged *staged, struct staging *s,
                             const struct srv_stage_options *options,
                             const struct srv_stage_input *input,
                             struct sy_error *err)
{
    struct sy_pack_probed probed;
    SY_TRY(sy_pack_probe(s->pack, staged->next->snapshot, NULL, &probed, err));
    staged->probes = probed.images;
    staged->probe_difference = probed.largest;
    SY_TRY(check_time(staged, options, input, err));
    if (input->dry_run) {
        return SY_OK;
    }
    SY_TRY(sy_pack_store(s->current->model, s->pack, err));
    staged->current = s->current;
    s->current = NULL;
    /* It may be part of what is served when the next one comes. */
    sy_pack_close(input->kept->more);
    input->kept->more = s->pack;
    s->pack = NULL;
    return SY_OK;
}

enum sy_status srv_stage(struct srv_staged *staged,
                         const struct srv_stage_options *options,
                         const struct srv_stage_input *input,
                         struct sy_error *err)
{
    struct srv_staged made = {0};
    struct staging s = {0};
    enum sy_status status;
    SY_TRY_OUT(open_pack(&s, options, input, err));
    SY_TRY_OUT(read_served(&s, input, err));
    (void)snprintf(made.id, sizeof made.id, "%s", s.pack->id);
    (void)snprintf(made.signed_by, sizeof made.signed_by, "%s", s.pack->signer);
    made.pack_bytes = (int64_t)s.pack->bytes;
    made.root = s.pack->root_gate != NULL;
    SY_TRY_OUT(make_states(&made, &s, input, err));
    SY_TRY_OUT(finish(&made, &s, options, input, err));
    *staged = made;
    made = (struct srv_staged){0};
out:
    srv_staged_release(&made);
    sy_pack_close(s.pack);
    sy_free(s.current);
    return status;
}

/* What CURRENT says of the promotion of pack `id`, if it does. */
static enum sy_status read_promotion(struct srv_current_pair *current,
                                     const struct srv_live_options *options,
                                     const struct srv_live *served,
                                     const char *id, struct sy_error *err)
{
    char label[SY_STACK_LABEL_BYTES];
    SY_TRY(sy_path_join(current->model, sizeof current->model,
                        options->repository, options->name, err));
    SY_TRY(sy_current_read(current->model, &current->after, err));
    const struct sy_stack *stack = &current->after.served;
    sy_stack_label(stack, label);
    if (current->after.before.version == 0 || stack->pack_count == 0 ||
        strcmp(stack->pack[stack->pack_count - 1], id) != 0 ||
        strcmp(label, served->label) != 0) {
        return sy_fail(err, SY_NOT_FOUND,
                       "network '%s' has no pack '%s' staged, and CURRENT does "
                       "not say what was before it",
                       options->name, id);
    }
    current->before.served = current->after.before;
    return SY_OK;
}

enum sy_status srv_stage_revive(struct srv_staged *staged,
                                struct srv_live **base,
                                const struct srv_live_options *options,
                                struct srv_live *served, const char *id,
                                struct sy_error *err)
{
    char label[SY_STACK_LABEL_BYTES];
    struct srv_live_parts parts = {.label = label, .before = served};
    struct srv_current_pair *current = sy_alloc_zero(1, sizeof *current);
    if (current == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "rollback: out of memory");
    }
    enum sy_status status;
    SY_TRY_OUT(read_promotion(current, options, served, id, err));
    sy_stack_label(&current->before.served, label);
    parts.version = current->before.served.version;
    SY_TRY_OUT(sy_stack_load(&parts.network, current->model,
                             &current->before.served, err));
    SY_TRY_OUT(srv_live_new(base, options, &parts, err));
    (void)snprintf(staged->id, sizeof staged->id, "%s", id);
    (void)snprintf(staged->label, sizeof staged->label, "%s", served->label);
    staged->next = srv_live_ref(served);
    staged->current = current;
    current = NULL;
out:
    sy_free(current);
    return status;
}

enum sy_status srv_staged_commit(const struct srv_staged *staged, bool next,
                                 struct sy_error *err)
{
    const struct srv_current_pair *current = staged->current;
    if (current == NULL) {
        return SY_OK; /* nothing on disk: a test */
    }
    return sy_current_write(current->model,
                            next ? &current->after : &current->before, err);
}

void srv_staged_discard(const struct srv_staged *staged)
{
    struct sy_error err = {0};
    if (staged->current != NULL &&
        sy_pack_discard(staged->current->model, staged->id, &err) != SY_OK) {
        sy_log_warn("pack %s: %s", staged->id, err.message);
    }
}

void srv_staged_release(struct srv_staged *staged)
{
    srv_live_unref(staged->joined);
    srv_live_unref(staged->next);
    sy_free(staged->current);
    memset(staged, 0, sizeof *staged);
}
