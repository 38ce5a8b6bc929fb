/*
 * snapshot.h - one immutable, reference-counted state of a served network.
 *
 * Made off the serving threads from a network: weights packed once per
 * block, norms folded to a scale and a bias per (block, domain), plans fused.
 * It never changes afterwards; swapping publishes another one. Snapshots of
 * networks that have much in common can hold the common parts together.
 *
 * Thread: sy_snapshot_new: any, one at a time per network. The rest: any.
 */
#ifndef SY_EXECUTOR_SNAPSHOT_H
#define SY_EXECUTOR_SNAPSHOT_H

#include "runtime/backend/backend.h"
#include "runtime/network/network.h"

struct sy_snapshot;

/*
 * Takes the network (also frees it when this fails). `label` names the
 * snapshot in answers, e.g. the version ("3"); it is copied. `backend` NULL
 * takes the best. A supernet without experts is legal: paths are then given
 * with each request. Returns one owned reference.
 */
enum sy_status sy_snapshot_new(struct sy_snapshot **snapshot,
                               struct sy_network *network, const char *label,
                               const struct sy_backend *backend,
                               struct sy_error *err) SY_MUST_USE;

/*
 * How packed weights are stored. One image needs a weight of a late layer, of
 * few positions, so few times that it computes as fast as weights arrive;
 * stored in half the width (base/half.h) they arrive twice as fast.
 */
enum sy_weights {
    SY_WEIGHTS_FULL, /* as floats: what was trained, to the bit */
    /*
     * Convolutions of SY_HALF_POSITIONS outputs at most, and dense layers, are
     * rounded to half the width where the kernels take that and all numbers
     * are in range. Arithmetic is in float as ever, and gives the bits of a
     * network rounded beforehand (conform_executor). Each weight is off by
     * 2^-11 of itself at most, or by 2^-25 if that is more. Outputs move by
     * 2.1e-3 of the largest in the worst of 24 random networks, probabilities
     * of trained ones by 0.0006 to 0.0015 (docs/performance.md).
     */
    SY_WEIGHTS_HALF
};
enum { SY_HALF_POSITIONS = 16 };

enum { SY_SNAPSHOT_LIKE = 2 };

struct sy_snapshot_options {
    const char *label;                /* copied */
    const struct sy_backend *backend; /* NULL takes the best */
    enum sy_weights weights;
    /*
     * True for one that is only run: its parts may be shared with others, and
     * the network's values are given back (its `values` are then NULL).
     */
    bool shared;
    /* Shared snapshots whose parts are taken wherever the content is the same
       and so are backend and storage; they may go before this one does. Or
       NULL. */
    const struct sy_snapshot *like[SY_SNAPSHOT_LIKE];
};

/* As sy_snapshot_new, with more to say. */
enum sy_status sy_snapshot_make(struct sy_snapshot **snapshot,
                                struct sy_network *network,
                                const struct sy_snapshot_options *options,
                                struct sy_error *err) SY_MUST_USE;

/*
 * Memory of packed weights and norms, and how much of it two snapshots hold
 * together: making b beside a takes bytes(b) - common(a, b), and what goes with
 * a when b stays is bytes(a) - common(a, b).
 */
int64_t sy_snapshot_bytes(const struct sy_snapshot *s);
int64_t sy_snapshot_common_bytes(const struct sy_snapshot *a,
                                 const struct sy_snapshot *b);

struct sy_snapshot *sy_snapshot_ref(struct sy_snapshot *snapshot);
void sy_snapshot_unref(struct sy_snapshot *snapshot); /* NULL is legal */

/*
 * Ends a snapshot that nobody else has a reference to, and gives its network
 * back, so that it may be changed and published anew. Not for shared ones,
 * whose values are gone.
 */
struct sy_network *sy_snapshot_dissolve(struct sy_snapshot *snapshot);

const struct sy_network *sy_snapshot_network(const struct sy_snapshot *s);
const char *sy_snapshot_label(const struct sy_snapshot *s);
const struct sy_backend *sy_snapshot_backend(const struct sy_snapshot *s);
enum sy_weights sy_snapshot_weights(const struct sy_snapshot *s);

/* Bytes of the unit's packed weights: what one image has to read. */
size_t sy_snapshot_weight_bytes(const struct sy_snapshot *s, int unit);

#endif
