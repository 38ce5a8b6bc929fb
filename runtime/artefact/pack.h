/*
 * pack.h - expert packs: what a swap brings. docs/pack-format.md describes
 * the file.
 *
 * A pack says how some domains are to be answered from now on, whole: labels,
 * experts, calibration, route, head and norms of each, and the blocks on their
 * paths. Other domains are untouched, bit for bit. A domain that the network
 * does not have is added; a pack can also remove domains. And it can bring the
 * root gate for the network as it is afterwards, so that both change at once.
 *
 * It is one safetensors file. Its description is the model.json of a network
 * that has these domains alone, with the hash of every block; weights of
 * blocks that the other side has can be left out, and are found there by layer
 * and content, whatever their id. So a pack asks for content and not for a
 * version, and packs follow and replace each other as long as that content is
 * there.
 *
 * A pack's id is the beginning of its digest: SHA-256 over the description and
 * all tensors. The signature is over the digest.
 *
 * How a server goes (each step fails with the reason and changes nothing):
 *
 *     sy_pack_parse / sy_pack_open      all that can be judged of it alone
 *     sy_pack_verify                    signature against the trusted keys
 *     sy_base_load                      what is served, with its numbers
 *     sy_pack_apply                     the network after promotion + report
 *     sy_base_push                      what CURRENT names after it
 *     sy_snapshot_make(applied, ...)
 *     sy_pack_probe                     its own expected answers, and the time
 *     sy_pack_store                     NAME/packs/ID/, once and for ever
 *     sy_network_join(served, applied)  both in one batch, while on trial
 *     sy_current_write                  the promotion
 *
 * and after a restart sy_artefact_load gives what CURRENT names.
 *
 * Thread: any; one pack is used by one thread at a time.
 */
#ifndef SY_ARTEFACT_PACK_H
#define SY_ARTEFACT_PACK_H

#include "runtime/artefact/artefact.h"
#include "runtime/artefact/current.h"
#include "runtime/base/hash.h"
#include "runtime/base/pool.h"
#include "runtime/base/sign.h"
#include "runtime/executor/snapshot.h"

#define SY_PACK_FORMAT "switchyard-pack"
#define SY_PACK_FOLDER "packs"            /* in NAME */
#define SY_PACK_FILE   "pack.safetensors" /* in NAME/packs/ID */

enum {
    SY_PACK_FORMAT_VERSION = 1,
    SY_PACK_MAX_PROBES = 256 /* images of one domain */
};

/* A root gate that a pack brings (runtime/network/gate.h), and the domains that
   it knows, in the order of its scores: the first ones of the network that is
   served afterwards, so most may be others than the pack's. */
struct sy_pack_root {
    struct sy_gate gate;
    char domain[SY_MAX_DOMAINS][SY_NAME_BYTES]; /* gate.outputs - 1 of them */
    char hash[SY_HASH_TEXT_BYTES];              /* of its numbers */
    char stem[SY_HASH_TEXT_BYTES]; /* of the stem behind which it reads */
};

/* Read freely; made and freed by the functions below only. */
struct sy_pack {
    char id[SY_PACK_ID_BYTES];
    char digest[SY_HASH_TEXT_BYTES];
    char network[SY_NAME_BYTES]; /* of the network that it was made from */
    char signer[SY_SIGN_KEY_TEXT_BYTES]; /* public key; "": not signed */

    /* The domains that it sets, as a network that has only these; NULL where
       it only removes some. Blocks that it does not hold are zero until the
       pack was applied. */
    struct sy_network *part;
    uint8_t *holds; /* [part->unit_count]: its weights are in the pack */

    int remove_count;
    char (*remove)[SY_NAME_BYTES];

    struct sy_pack_root *root_gate; /* owned; NULL: it brings none */

    json_t *root;               /* the description, "provenance" among others */
    size_t bytes;               /* of the file */
    struct sy_st_file *tensors; /* private, as are the rest */
    struct sy_map map;
    uint8_t *copy;
};

/*
 * Opens and judges a pack: format, ranges, names, shapes, paths, routes,
 * digest, hashes of all that it holds, values (finite; variances not
 * negative), probes; and its signature, where it has one, against the key that
 * it names itself. SY_BAD_INPUT with the place otherwise. The bytes are
 * copied; `name` stands for them in messages.
 */
enum sy_status sy_pack_open(struct sy_pack **pack, const char *path,
                            struct sy_error *err) SY_MUST_USE;
enum sy_status sy_pack_parse(struct sy_pack **pack, const uint8_t *data,
                             size_t bytes, const char *name,
                             struct sy_error *err) SY_MUST_USE;
void sy_pack_close(struct sy_pack *pack); /* NULL is legal */

/*
 * That one of the public keys has signed it (sy_sign_public_load reads them
 * from files). SY_BAD_INPUT: not signed, or by somebody else. With no keys
 * every pack passes.
 */
enum sy_status sy_pack_verify(const struct sy_pack *pack,
                              const struct sy_public_key *keys, int count,
                              struct sy_error *err) SY_MUST_USE;

/* What a pack does to a network; bytes of float32 numbers. The dry run. */
struct sy_pack_report {
    int64_t new_bytes;    /* of the applied network, brought by the pack */
    int64_t shared_bytes; /* of the applied network, there before */
    int64_t freed_bytes;  /* of the base, gone with it */
    int64_t sent_bytes;   /* the file */
    int blocks_new, blocks_shared, blocks_freed; /* of layers */
    int domains_added, domains_replaced, domains_removed;
};

/*
 * The network as it is after the pack was promoted over `base`: its domains
 * set, those that it removes gone, blocks that nobody uses any more dropped,
 * blocks of equal content held once. Domains keep their order, new ones stand
 * behind. An id that another block of the base has gets a suffix of its hash.
 * The answers of all other domains are those of `base`, bit for bit.
 *
 * SY_BAD_INPUT: another form (input, stem, trunk, layers), a block that it
 * builds on and `base` does not have, a domain to remove that is not there,
 * nothing left, or a root gate that knows other domains or another stem.
 * `report` may be NULL. The result is owned, and independent of pack and base.
 */
enum sy_status sy_pack_apply(struct sy_network **applied,
                             const struct sy_network *base,
                             struct sy_pack *pack,
                             struct sy_pack_report *report,
                             struct sy_error *err) SY_MUST_USE;

struct sy_pack_probed {
    int images;
    double largest; /* difference of a probability */
    bool same_bits; /* all answers are those of who made the pack */
    double us_mean; /* of one image and expert, alone, after one to warm up */
};

/* Probabilities may differ by this much between instruction sets, and where
   weights are stored in half the width. */
#define SY_PACK_PROBE_TOLERANCE      1e-3
#define SY_PACK_PROBE_TOLERANCE_HALF 1e-2

/*
 * Runs the probes of every domain through every expert of it in `snapshot`
 * (of the applied network) with an executor of its own, and compares.
 * SY_BAD_INPUT names domain, expert and image that differ by more than the
 * tolerance. A pack without probes passes with images = 0. Not on the engine
 * thread. `probed` may be NULL.
 */
enum sy_status sy_pack_probe(const struct sy_pack *pack,
                             struct sy_snapshot *snapshot, struct sy_pool *pool,
                             struct sy_pack_probed *probed,
                             struct sy_error *err) SY_MUST_USE;

/*
 * Keeps the pack as MODEL/packs/ID/pack.safetensors, whole or not at all.
 * One that is there already, the same of course, is no error.
 */
enum sy_status sy_pack_store(const char *model, const struct sy_pack *pack,
                             struct sy_error *err) SY_MUST_USE;

/* Opens a stored one; its id must be the one it is stored under. */
enum sy_status sy_pack_fetch(struct sy_pack **pack, const char *model,
                             const char *id, struct sy_error *err) SY_MUST_USE;

/* Deletes a stored one. SY_BUSY: CURRENT names it; SY_NOT_FOUND. */
enum sy_status sy_pack_discard(const char *model, const char *id,
                               struct sy_error *err) SY_MUST_USE;

/*
 * A stack, loaded: what a pack is staged over. The networks keep their hashes
 * (sums.h), so what is made of them hashes only what is new.
 */
struct sy_base {
    struct sy_stack stack;
    char version_hash[SY_HASH_TEXT_BYTES]; /* of its model.json, as read */
    struct sy_network *network;            /* owned: with all packs on top */
    struct sy_network *version;            /* owned: without; NULL: no packs */
    struct sy_pack *pack[SY_STACK_PACKS];  /* owned, in their order */
    struct sy_pack *more; /* owned: one that may be on top next, or NULL */
};

/*
 * Reads the version and its stored packs, once each, and applies them. What
 * `base` holds of this stack already ({0}: nothing) is not read again, since
 * versions and packs never change; that they are still there is looked at, and
 * that the version is not another one of that number. On failure it holds
 * nothing.
 */
enum sy_status sy_base_load(struct sy_base *base, const char *model,
                            const struct sy_stack *stack,
                            struct sy_error *err) SY_MUST_USE;
void sy_base_release(struct sy_base *base); /* {0} is legal */

/* The memory that it holds, about: numbers and packs. */
int64_t sy_base_bytes(const struct sy_base *base);

/*
 * What is served after a promotion of a pack, which applied to base->network
 * gives `applied`: the pack on top, and packs below left out that no longer
 * matter, because those above set all that they did and, without them, give the
 * same domains in the same order, with the same numbers and the same root gate.
 * So a model that is swapped for ever keeps a short stack.
 * SY_UNSUPPORTED: more than SY_STACK_PACKS matter.
 */
enum sy_status sy_base_push(struct sy_stack *next, const struct sy_base *base,
                            struct sy_pack *pack,
                            const struct sy_network *applied,
                            struct sy_error *err) SY_MUST_USE;

/* The same of the stored pack `id` over the stack `now`, both read from disk;
   that it can be applied is checked. */
enum sy_status sy_stack_push(struct sy_stack *next, const char *model,
                             const struct sy_stack *now, const char *id,
                             struct sy_error *err) SY_MUST_USE;

/* The network of a stack: the version, and its stored packs applied. Owned. */
enum sy_status sy_stack_load(struct sy_network **network, const char *model,
                             const struct sy_stack *stack,
                             struct sy_error *err) SY_MUST_USE;

/* What a pack is made of. All is borrowed. */
struct sy_pack_domain {
    int domain;         /* of `from` */
    const char *expert; /* this one alone, as the whole route; NULL: all of
                           them, and the domain's route */
    int probe_count;    /* 0..SY_PACK_MAX_PROBES images, uint8 H x W x 3 */
    const uint8_t *probes;
};

struct sy_pack_plan {
    const struct sy_network *from; /* NULL: it sets no domain */
    int domain_count;
    const struct sy_pack_domain *domain;
    int remove_count;
    const char *const *remove;
    const struct sy_network *root; /* whose root gate it brings; NULL: none */
    /* What the other side has: blocks that it has are left out. NULL: all are
       in, and the pack can be applied to any network of the same form. */
    const struct sy_network *base;
    const char *network;           /* the model's name */
    json_t *provenance;            /* an object, or NULL */
    const struct sy_sign_key *key; /* or NULL */
};

/* Writes a pack; its expected answers are computed here. `id` becomes its
   name. */
enum sy_status sy_pack_write(const char *path, const struct sy_pack_plan *plan,
                             char id[SY_PACK_ID_BYTES],
                             struct sy_error *err) SY_MUST_USE;

#endif
