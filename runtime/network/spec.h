/*
 * spec.h - the description of a network, as data: input, stem, layers with
 * their candidate blocks, head. The same JSON stands in a configuration
 * (under "network") and in model.json; docs/model-format.md lists the keys.
 *
 * A block has a stable id ("l3b1": layer 3, candidate 1 of the supernet it
 * was born in). Ids survive when unused blocks are dropped and paths are
 * renumbered; indices are for display.
 *
 * Thread: one at a time while changed, any afterwards.
 */
#ifndef SY_NETWORK_SPEC_H
#define SY_NETWORK_SPEC_H

#include <jansson.h>

#include "runtime/blocks/block.h"
#include "runtime/heads/head.h"

enum {
    SY_NAME_BYTES = 64,
    SY_BLOCK_ID_BYTES = 24,
    SY_MAX_LAYERS = 64,
    SY_MAX_BLOCKS = 32, /* candidates of one layer */
    SY_MAX_DOMAINS = 64,
    SY_MAX_EXPERTS = 256,
    /* Every picture is made into three channels before a network sees it, and
       whoever fills an image relies on it. */
    SY_INPUT_CHANNELS = 3
};

/* Whose the statistics and affine of a norm are. Experts of a domain need
   their own where they come to a block by different ways (J. Yu et al.,
   "Slimmable Neural Networks", ICLR 2019). */
enum sy_norm_mode {
    SY_NORM_PER_DOMAIN,
    SY_NORM_PER_EXPERT,
    SY_NORM_SHARED,
    SY_NORM_MODES
};

struct sy_candidate {
    char id[SY_BLOCK_ID_BYTES];
    struct sy_block_spec spec;
};

struct sy_layer_spec {
    int channels;
    int stride;
    int block_count;
    struct sy_candidate block[SY_MAX_BLOCKS];
};

struct sy_network_spec {
    struct sy_shape input; /* height, width, SY_INPUT_CHANNELS */
    struct sy_block_spec stem;
    int stem_channels;
    int stem_stride;
    int layer_count;
    struct sy_layer_spec layer[SY_MAX_LAYERS];
    struct sy_head_spec head;
    enum sy_norm_mode norm;
};

extern const char
    *const sy_norm_mode_names[SY_NORM_MODES + 1]; /* ends with NULL */

/*
 * True for names as domains, experts, blocks and networks have them: letters,
 * digits, '_' and '-', from 1 to SY_NAME_BYTES - 1 of them.
 */
bool sy_name_valid(const char *name);

/*
 * Checks a spec that a program has built: counts, ids (valid, none twice,
 * not "stem" or "trunk"), and that every block can be planned at its place.
 * Messages begin with the place, "layers[2].blocks[0]: ".
 */
enum sy_status sy_spec_check(const struct sy_network_spec *spec,
                             struct sy_error *err) SY_MUST_USE;

/* Where the blocks of layer l stand; l = -1 gives the place of the stem. */
struct sy_block_place sy_spec_place(const struct sy_network_spec *spec,
                                    int layer);

/* Whether some block of the spec has the id. */
bool sy_spec_has_id(const struct sy_network_spec *spec, const char *id);

/*
 * Reads a checked spec from the object `json` that stands at `place` of
 * `file`. Candidates without "id" get l<layer>b<index>. Every block is
 * planned once, so shapes that cannot work are refused here.
 */
enum sy_status sy_spec_from_json(struct sy_network_spec *spec, json_t *json,
                                 const char *file, const char *place,
                                 struct sy_error *err) SY_MUST_USE;

/* The JSON of a spec, ids included; owned reference, NULL: no memory. */
json_t *sy_spec_to_json(const struct sy_network_spec *spec);

/* Input shape of layer l; l = layer_count gives that of the head's trunk. */
struct sy_shape sy_spec_shape(const struct sy_network_spec *spec, int layer);

#endif
