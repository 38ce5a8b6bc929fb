/*
 * path.h - a path: which block a lane takes at each layer.
 *
 * Text form: indices joined by ':', "3:0:5". The indices point into the
 * layer's list of candidates.
 *
 * Thread: any.
 */
#ifndef SY_NETWORK_PATH_H
#define SY_NETWORK_PATH_H

#include "runtime/network/spec.h"

enum { SY_PATH_TEXT_BYTES = SY_MAX_LAYERS * 4 + 1 };

struct sy_path {
    int layer_count;
    int block[SY_MAX_LAYERS];
};

/*
 * Parses and checks against the spec: as many entries as layers, each index
 * one that its layer has. `what` names the path in messages.
 */
enum sy_status sy_path_parse(struct sy_path *path, const char *text,
                             const struct sy_network_spec *spec,
                             const char *what,
                             struct sy_error *err) SY_MUST_USE;

/* Writes the text form, at most SY_PATH_TEXT_BYTES; returns `text`. */
const char *sy_path_text(const struct sy_path *path, char *text);

bool sy_path_equal(const struct sy_path *a, const struct sy_path *b);

/*
 * Jaccard similarity of the (layer, block) nodes of two paths, in [0, 1].
 * Stem and head are on every path and do not count; `zero` blocks that pass
 * their input on do not count either. 0/0 is 1.
 */
double sy_path_jaccard(const struct sy_path *a, const struct sy_path *b,
                       const struct sy_network_spec *spec);

/*
 * Drops the candidates that none of `count` paths uses and renumbers the
 * paths; ids stay.
 */
void sy_spec_prune(struct sy_network_spec *spec, struct sy_path *paths,
                   int count);

#endif
