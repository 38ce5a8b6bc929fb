/*
 * evolve.c - the history of candidates, their children, their selection.
 */
#include "search/supernet/evolve.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "search/routing/ensemble.h"

enum { TRIES = 50 };

struct nas_evolution_options nas_evolution_defaults(void)
{
    return (struct nas_evolution_options){.paths = 64, .population = 16};
}

enum sy_status nas_evolution_init(struct nas_evolution *evolution,
                                  const struct nas_evolution_options *options,
                                  const struct sy_network_spec *spec,
                                  int images, struct sy_error *err)
{
    size_t paths = (size_t)options->paths, n = (size_t)images;
    struct nas_evolution made = {
        .options = *options,
        .spec = spec,
        .images = images,
        .path = sy_alloc_zero(paths, sizeof *made.path),
        .p = sy_alloc_zero(paths * n, sizeof *made.p),
        .answers = sy_alloc_zero(paths, sizeof *made.answers),
        .labels = sy_alloc_zero(n, sizeof *made.labels),
        .room = sy_alloc_zero(n, sizeof *made.room),
    };
    if (made.path == NULL || made.p == NULL || made.answers == NULL ||
        made.labels == NULL || made.room == NULL) {
        nas_evolution_release(&made);
        return sy_fail(err, SY_NO_MEMORY,
                       "search.ensemble: no memory for %d paths",
                       options->paths);
    }
    for (size_t i = 0; i < paths; i++) {
        made.answers[i] = made.p + i * n;
    }
    *evolution = made;
    return SY_OK;
}

void nas_evolution_release(struct nas_evolution *evolution)
{
    sy_free(evolution->path);
    sy_free(evolution->p);
    sy_free((void *)(uintptr_t)evolution->answers);
    sy_free(evolution->labels);
    sy_free(evolution->room);
    *evolution = (struct nas_evolution){0};
}

bool nas_evolution_has(const struct nas_evolution *evolution,
                       const struct sy_path *path)
{
    for (int i = 0; i < evolution->count; i++) {
        if (sy_path_equal(&evolution->path[i], path)) {
            return true;
        }
    }
    return false;
}

/* Of the newest `population` candidates those that answer best together. */
static int select_parents(struct nas_evolution *evolution, int *chosen)
{
    int first = evolution->count - evolution->options.population;
    first = first > 0 ? first : 0;
    int count = nas_forward_select(
        evolution->answers + first, evolution->labels, evolution->count - first,
        evolution->images, 1, 0, evolution->options.members, chosen, NULL,
        evolution->room);
    for (int i = 0; i < count; i++) {
        chosen[i] += first;
    }
    return count;
}

/* Another block at one of the layers that have others. */
static void mutate(const struct sy_network_spec *spec, struct sy_rng *rng,
                   struct sy_path *path)
{
    int layer[SY_MAX_LAYERS], count = 0;
    for (int l = 0; l < spec->layer_count; l++) {
        if (spec->layer[l].block_count > 1) {
            layer[count++] = l;
        }
    }
    if (count == 0) {
        return;
    }
    int l = layer[sy_rng_below(rng, (uint32_t)count)];
    uint32_t others = (uint32_t)spec->layer[l].block_count - 1;
    int block = (int)sy_rng_below(rng, others);
    path->block[l] = block < path->block[l] ? block : block + 1;
}

bool nas_evolution_child(struct nas_evolution *evolution, struct sy_rng *rng,
                         nas_path_allowed_fn allowed, void *context,
                         struct sy_path *path)
{
    int chosen[NAS_EVOLUTION_MEMBERS];
    SY_ASSERT(evolution->count > 0);
    int count = select_parents(evolution, chosen);
    const struct sy_path *parent =
        &evolution->path[chosen[sy_rng_below(rng, (uint32_t)count)]];
    for (int i = 0; i < TRIES; i++) {
        *path = *parent;
        mutate(evolution->spec, rng, path);
        if (allowed(context, path) && !nas_evolution_has(evolution, path)) {
            return true;
        }
    }
    return false;
}

float *nas_evolution_add(struct nas_evolution *evolution,
                         const struct sy_path *path)
{
    SY_ASSERT(evolution->count < evolution->options.paths);
    SY_ASSERT(!nas_evolution_has(evolution, path));
    int at = evolution->count++;
    evolution->path[at] = *path;
    return evolution->p + (size_t)at * (size_t)evolution->images;
}

int nas_evolution_members(struct nas_evolution *evolution, int *chosen,
                          double *nll)
{
    SY_ASSERT(evolution->count > 0);
    chosen[0] = 0;
    return nas_forward_select(evolution->answers, evolution->labels,
                              evolution->count, evolution->images, 1, 1,
                              evolution->options.members, chosen, nll,
                              evolution->room);
}
