/*
 * current.h - REPOSITORY/NAME/CURRENT: what is served of a model.
 *
 * A small file of lines, the only source of what is served after a restart:
 *
 *     3                                              the version
 *     pack 6c1f0d2e9a3b4c5d                          packs on top, in order
 *     candidate 0f1e2d3c4b5a6978 shadow 1000 canary 500
 *     rules {"min_samples":200}                      of that candidate
 *     before 2 9a3b4c5d6c1f0d2e                      what a rollback goes to
 *
 * Only the first line must be there, and the lines stand in this order; a line
 * that is none of these is refused. Shares are hundredths of a percent, as
 * SRV_SHARE_ALL has them. `rules` is one JSON object that is not looked into
 * here.
 *
 * Writing replaces the file by a rename (temporary file, sync, rename, sync of
 * the folder), so after a crash at any point it holds the old lines or the new
 * ones. Versions and packs never change, so the file alone is the state.
 *
 * A model without CURRENT serves its newest version; the first promotion makes
 * the file, and from then on a new version is served when CURRENT names it.
 *
 * Thread: any; writers of one model, one at a time.
 */
#ifndef SY_ARTEFACT_CURRENT_H
#define SY_ARTEFACT_CURRENT_H

#include <stddef.h>

#include "runtime/base/status.h"

enum {
    SY_STACK_PACKS = 64,   /* on top of one version */
    SY_PACK_ID_BYTES = 17, /* 16 hexadecimal digits and the NUL */
    SY_STACK_LABEL_BYTES = 96,
    SY_CURRENT_RULES_BYTES = 2048,
    SY_SHARE_WHOLE = 10000 /* 100 %, in hundredths of a percent */
};

#define SY_CURRENT_FILE "CURRENT"

/* A version and the packs on top of it, the first one applied first. */
struct sy_stack {
    int version; /* 0: none */
    int pack_count;
    char pack[SY_STACK_PACKS][SY_PACK_ID_BYTES];
};

struct sy_current {
    struct sy_stack served;
    char candidate[SY_PACK_ID_BYTES];   /* "": nobody is on trial */
    int shadow_share, canary_share;     /* 0..SY_SHARE_WHOLE */
    char rules[SY_CURRENT_RULES_BYTES]; /* a JSON object in one line, or "" */
    struct sy_stack before;             /* version 0: none */
};

/*
 * Reads what `model` (REPOSITORY/NAME) serves. Without the file: the newest
 * version, no packs, nobody on trial; SY_NOT_FOUND where there is no version
 * either. That the version and the packs are there is not looked at.
 */
enum sy_status sy_current_read(const char *model, struct sy_current *current,
                               struct sy_error *err) SY_MUST_USE;

/* Replaces CURRENT, whole or not at all. What could not be read again is
   refused (SY_BAD_INPUT) and changes nothing. */
enum sy_status sy_current_write(const char *model,
                                const struct sy_current *current,
                                struct sy_error *err) SY_MUST_USE;

/* The lines as text, and back; `file` is for messages. `bytes` of the text are
   at most SY_CURRENT_TEXT_BYTES with the NUL. */
enum { SY_CURRENT_TEXT_BYTES = 8192 };
enum sy_status sy_current_parse(struct sy_current *current, const char *text,
                                size_t bytes, const char *file,
                                struct sy_error *err) SY_MUST_USE;
enum sy_status sy_current_text(const struct sy_current *current, char *text,
                               struct sy_error *err) SY_MUST_USE;

/* 16 lower-case hexadecimal digits. */
bool sy_pack_id_valid(const char *id);

/*
 * The name of what a stack serves, for answers, logs and metrics:
 * "3", "3+6c1f0d2e9a3b4c5d", "3+ID+ID+ID"; with more than four packs
 * "3+7-HASH" (their number, and 16 digits of the hash of their ids). Two
 * stacks have the same name where they are equal, and in practice only there.
 */
void sy_stack_label(const struct sy_stack *stack,
                    char label[SY_STACK_LABEL_BYTES]);

#endif
