/*
 * stage.h - from a pack's bytes to a candidate that is ready to serve.
 *
 * Everything that can be wrong with a pack is found here, off the serving
 * threads, and changes nothing: form and hashes, signature, what it builds on,
 * shapes, numbers, that no other domain would change, that its probes give
 * the answers that it promises, and how long it takes. What comes out are
 * states whose packed weights are shared with what is served.
 *
 * Thread: one at a time (the swaps').
 */
#ifndef SRV_SWAP_STAGE_H
#define SRV_SWAP_STAGE_H

#include <jansson.h>

#include "runtime/base/file.h"
#include "serving/live.h"

enum { SRV_PACK_ID_BYTES = 72 };

struct srv_stage_options;

struct srv_staged;
struct srv_stage_input;
struct sy_base;

typedef enum sy_status (*srv_stage_fn)(struct srv_staged *staged,
                                       const struct srv_stage_options *options,
                                       const struct srv_stage_input *input,
                                       struct sy_error *err);

struct srv_stage_options {
    srv_stage_fn stage; /* NULL: srv_stage; tests put their own in */
    /* File of public keys, one a line; "": any pack. */
    char pack_keys[SY_PATH_BYTES];
    int64_t max_us; /* that a candidate may take for an image; 0: any */
    /* Of the time that staging may run while others work (rest.h); 0: all. */
    double share;
};

/* Memory of packed weights: what the candidate adds, what it shares with what
   is served, and what goes when what is served goes. */
struct srv_staged_bytes {
    int64_t fresh, shared, freed;
};

/* What is known of one domain that the pack changes. */
struct srv_staged_domain {
    char name[SY_NAME_BYTES];
    bool is_new; /* not served yet: it can be promoted, but not tried */
    int64_t served_madds, next_madds; /* of one image, at most */
    double served_us, next_us;        /* of one image alone, measured */
};

struct srv_staged {
    char id[SRV_PACK_ID_BYTES];
    char label[SRV_LABEL_BYTES]; /* of the candidate's snapshot */
    char signed_by[72];          /* public key; "": not signed */
    struct srv_live *next;       /* owned: what promotion serves */
    struct srv_live *joined;     /* owned: both; NULL: nothing can be tried */
    struct srv_staged_bytes bytes;
    int64_t pack_bytes;
    bool root; /* it brings a root gate */
    int probes;
    double probe_difference; /* largest, of a probability */
    int domain_count;
    struct srv_staged_domain domain[SY_MAX_DOMAINS];
    struct srv_current_pair *current; /* owned: what CURRENT holds, and would */
};

struct srv_stage_input {
    const struct srv_live_options *live;
    struct srv_live *base; /* what is served */
    struct sy_base *kept;  /* what was read for the pack staged before ({0}:
                              nothing), and becomes what is read for this one */
    const char *body;
    size_t body_bytes;
    int64_t max_us; /* beside that of the options; 0: any */
    bool dry_run;   /* nothing is left on disk */
};

/* That the file of keys can be read, for those who are about to serve. */
enum sy_status srv_stage_check_keys(const char *path,
                                    struct sy_error *err) SY_MUST_USE;

/* `staged` is changed on success only. */
enum sy_status srv_stage(struct srv_staged *staged,
                         const struct srv_stage_options *options,
                         const struct srv_stage_input *input,
                         struct sy_error *err) SY_MUST_USE;

/*
 * What a promotion before the last start left: `served` was promoted with the
 * pack `id`, and CURRENT says over what. Loads that (`*base`, owned), and fills
 * `staged` as if the pack had been staged here, but for what can be tried.
 * SY_NOT_FOUND: CURRENT says nothing of this pack.
 */
enum sy_status srv_stage_revive(struct srv_staged *staged,
                                struct srv_live **base,
                                const struct srv_live_options *options,
                                struct srv_live *served, const char *id,
                                struct sy_error *err) SY_MUST_USE;

/* Writes CURRENT: the candidate on top, or what was there before. */
enum sy_status srv_staged_commit(const struct srv_staged *staged, bool next,
                                 struct sy_error *err) SY_MUST_USE;

/* Removes the pack's files where CURRENT does not name them. */
void srv_staged_discard(const struct srv_staged *staged);

void srv_staged_release(struct srv_staged *staged);

#endif
