/*
 * domain.c - a domain: an opened source with class names and splits.
 *
 * DESIGN. The formats read; this file judges what all of them must satisfy:
 * names for every class, labels inside the classes, no class without a
 * training image. After dom_open nothing changes, so any thread may read.
 *
 * Names. labels.txt or classes.txt, line k for label k, else what the format
 * itself knows, else "0", "1", ... The list decides how many classes there
 * are. Class folders have names already: where the list holds the same names,
 * it gives their order; where it holds none of them, it renames them in order
 * of folder name; a mixture is refused, since either reading would be wrong
 * for somebody.
 *
 * Splits. Image j of class c (counted within its class) has the key
 * Philox(0, SY_RNG_SPLIT, c, j); the images of a class with the smallest keys
 * are VALID: floor(holdout * n), but one where n > 1 and holdout > 0, so that
 * every class that can be judged is. Where only a fraction of the training part
 * is asked for, the images of a class with the largest keys are left out first,
 * so that the held-out ones of a thinned domain are held out of the whole one
 * too. So adding a class, or more images behind
 * the others, moves no image that was there before from its place in the
 * order. TRAIN and VALID keep the folder's order.
 */
#include "domains/domain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/formats/format.h"
#include "domains/formats/names.h"
#include "domains/walk.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/rng.h"

enum { SPLITS = 3 };

struct dom_domain {
    char name[DOM_NAME_BYTES];
    char folder[SY_PATH_BYTES];
    struct dom_source source;
    int count[SPLITS];
    int *order[SPLITS]; /* position in its part; NULL for TEST: the same */
};

/* An image of the training part while splits are made. */
struct entry {
    int label, position;
    uint32_t key;
};

bool dom_name_is_valid(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_-");
    return length > 0 && length < DOM_NAME_BYTES && name[length] == '\0';
}

/* Reads labels.txt or classes.txt; *names stays NULL where there is none. */
static enum sy_status load_names(const char *folder, char path[SY_PATH_BYTES],
                                 char ***names, int *count,
                                 struct sy_error *err)
{
    static const char *const files[] = {"labels.txt", "classes.txt"};
    bool found = false;
    for (int i = 0; i < 2; i++) {
        char each[SY_PATH_BYTES];
        SY_TRY(sy_path_join(each, sizeof(each), folder, files[i], err));
        if (!sy_file_exists(each)) {
            continue;
        }
        if (found) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected one list of class names, found "
                           "classes.txt as well; remove one of them",
                           path);
        }
        found = true;
        memcpy(path, each, sizeof(each));
    }
    return found ? dom_names_load(path, names, count, err) : SY_OK;
}

static int find_name(char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/*
 * Where the list holds the folders' own names, labels become lines of the
 * list. Both lists have `classes` names.
 */
static enum sy_status reorder_labels(struct dom_source *source,
                                     char *const *names, const char *path,
                                     struct sy_error *err)
{
    int *line = sy_alloc_zero((size_t)source->classes, sizeof(line[0]));
    if (line == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", path);
    }
    int matches = 0;
    int stranger = -1;
    for (int i = 0; i < source->classes; i++) {
        line[i] = find_name(names, source->classes, source->class_names[i]);
        if (line[i] >= 0) {
            matches++;
        } else {
            stranger = i;
        }
    }
    enum sy_status status = SY_OK;
    if (matches == source->classes) {
        for (int part = 0; part < DOM_PARTS; part++) {
            for (int i = 0; i < source->count[part]; i++) {
                source->labels[part][i] = line[source->labels[part][i]];
            }
        }
    } else if (matches > 0) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: expected the names of all class folders (to "
                         "order them) or of none (to rename them), found %d "
                         "of %d; the folder \"%s\" is missing",
                         path, matches, source->classes,
                         source->class_names[stranger]);
    }
    sy_free(line);
    return status;
}

/* Gives the source a list of names read from `path`; takes the list. */
static enum sy_status apply_names(struct dom_source *source, char **names,
                                  int count, const char *path,
                                  struct sy_error *err)
{
    enum sy_status status = SY_OK;
    bool keys = source->format->names_are_keys;
    if (count < source->classes || (keys && count != source->classes)) {
        status = sy_fail(err, SY_BAD_INPUT,
                         "%s: expected %d class names, since the data has "
                         "%d classes, found %d; write one name a line",
                         path, source->classes, source->classes, count);
        goto out;
    }
    if (keys) {
        SY_TRY_OUT(reorder_labels(source, names, path, err));
    }
    dom_names_free(source->class_names, source->classes);
    source->class_names = names;
    source->classes = count;
    return SY_OK;
out:
    dom_names_free(names, count);
    return status;
}

/* Names for a source that has none: the labels as numbers. */
static enum sy_status number_names(struct dom_source *source,
                                   struct sy_error *err)
{
    char **names = sy_alloc_zero((size_t)source->classes, sizeof(names[0]));
    bool good = names != NULL;
    for (int i = 0; good && i < source->classes; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%d", i);
        names[i] = sy_strdup(text);
        good = names[i] != NULL;
    }
    if (!good) {
        dom_names_free(names, source->classes);
        return sy_fail(err, SY_NO_MEMORY, "no memory for class names");
    }
    source->class_names = names;
    return SY_OK;
}

static enum sy_status name_classes(struct dom_domain *domain,
                                   struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    char **names = NULL;
    int count = 0;
    if (domain->source.classes > DOM_MAX_CLASSES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d classes, found a label of %d",
                       domain->folder, DOM_MAX_CLASSES,
                       domain->source.classes - 1);
    }
    SY_TRY(load_names(domain->folder, path, &names, &count, err));
    if (names != NULL) {
        return apply_names(&domain->source, names, count, path, err);
    }
    if (domain->source.class_names == NULL) {
        return number_names(&domain->source, err);
    }
    return SY_OK;
}

/* Every label inside the classes, every class with a training image. */
static enum sy_status check_labels(const struct dom_domain *domain,
                                   struct sy_error *err)
{
    static const char *const parts[] = {"training", "test"};
    const struct dom_source *source = &domain->source;
    int *seen = sy_alloc_zero((size_t)source->classes, sizeof(seen[0]));
    enum sy_status status = SY_OK;
    if (seen == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", domain->folder);
    }
    for (int part = 0; part < DOM_PARTS; part++) {
        for (int i = 0; i < source->count[part]; i++) {
            int label = source->labels[part][i];
            if (label < 0 || label >= source->classes) {
                status = sy_fail(
                    err, SY_BAD_INPUT,
                    "%s: %s label %d (counted from 0): expected 0 to %d, "
                    "since there are %d classes, found %d",
                    domain->folder, parts[part], i, source->classes - 1,
                    source->classes, label);
                goto out;
            }
            seen[label] += part == DOM_PART_TRAIN;
        }
    }
    for (int i = 0; i < source->classes; i++) {
        if (seen[i] == 0) {
            status = sy_fail(err, SY_BAD_INPUT,
                             "%s: expected a training image of every class, "
                             "found none of class %d (\"%s\"); add some or "
                             "number the classes without gaps",
                             domain->folder, i, source->class_names[i]);
            goto out;
        }
    }
out:
    sy_free(seen);
    return status;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->label != y->label) {
        return x->label < y->label ? -1 : 1;
    }
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->position < y->position ? -1 : x->position > y->position;
}

/* The training part, sorted by class and then by key. */
static enum sy_status sort_entries(const struct dom_source *source,
                                   struct entry **sorted, struct sy_error *err)
{
    int count = source->count[DOM_PART_TRAIN];
    struct entry *entries = sy_alloc_zero((size_t)count, sizeof(entries[0]));
    uint32_t *met = sy_alloc_zero((size_t)source->classes, sizeof(met[0]));
    if (entries == NULL || met == NULL) {
        sy_free(entries);
        sy_free(met);
        return sy_fail(err, SY_NO_MEMORY, "no memory for the splits");
    }
    for (int i = 0; i < count; i++) {
        int label = source->labels[DOM_PART_TRAIN][i];
        struct sy_rng rng =
            sy_rng_stream(0, SY_RNG_SPLIT, (uint64_t)label, met[label]++);
        entries[i] = (struct entry){label, i, sy_rng_u32(&rng)};
    }
    sy_free(met);
    qsort(entries, (size_t)count, sizeof(entries[0]), compare_entries);
    *sorted = entries;
    return SY_OK;
}

/* How many of a class's `count` images are held out. */
static int held_out(int count, double holdout)
{
    if (holdout <= 0.0 || count < 2) {
        return 0;
    }
    /* The small term undoes the rounding of products such as 0.29 * 100. */
    int share = (int)floor(holdout * count + 1e-9);
    return share < 1 ? 1 : share;
}

/* How many of a class's `count` images are there at all: at least one. */
static int kept(int count, double fraction)
{
    if (fraction <= 0.0) { /* not given */
        return count;
    }
    int share = (int)floor(fraction * count + 1e-9);
    return share < 1 ? 1 : share;
}

static enum sy_status make_splits(struct dom_domain *domain,
                                  const struct dom_options *options,
                                  struct sy_error *err)
{
    enum { LEFT_OUT = SPLITS };
    const struct dom_source *source = &domain->source;
    int count = source->count[DOM_PART_TRAIN];
    struct entry *sorted = NULL;
    SY_TRY(sort_entries(source, &sorted, err));
    uint8_t *split = sy_alloc_zero((size_t)count, sizeof(split[0]));
    int *train_order = sy_alloc_zero((size_t)count, sizeof(int));
    int *valid_order = sy_alloc_zero((size_t)count, sizeof(int));
    domain->order[DOM_TRAIN] = train_order;
    domain->order[DOM_VALID] = valid_order;
    if (split == NULL || train_order == NULL || valid_order == NULL) {
        sy_free(sorted);
        sy_free(split);
        return sy_fail(err, SY_NO_MEMORY, "no memory for the splits");
    }
    for (int i = 0; i < count;) {
        int end = i;
        while (end < count && sorted[end].label == sorted[i].label) {
            end++;
        }
        int there = kept(end - i, options->fraction);
        int share = held_out(there, options->holdout);
        for (int j = i; j < end; j++) {
            split[sorted[j].position] = j < i + share   ? DOM_VALID
                                        : j < i + there ? DOM_TRAIN
                                                        : LEFT_OUT;
        }
        i = end;
    }
    for (int i = 0; i < count; i++) {
        if (split[i] != LEFT_OUT) {
            domain->order[split[i]][domain->count[split[i]]++] = i;
        }
    }
    domain->count[DOM_TEST] = source->count[DOM_PART_TEST];
    sy_free(sorted);
    sy_free(split);
    return SY_OK;
}

enum sy_status dom_open(struct dom_domain **domain, const char *dir,
                        const char *name, const struct dom_options *options,
                        struct sy_error *err)
{
    static const struct dom_options none = {0};
    options = options != NULL ? options : &none;
    if (!dom_name_is_valid(name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "\"%s\": expected a domain name of 1 to %d letters, "
                       "digits, '_' and '-'",
                       name, DOM_NAME_BYTES - 1);
    }
    if (!(options->holdout >= 0.0 && options->holdout <= 0.5)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a held-out share from 0 to 0.5, found %g",
                       name, options->holdout);
    }
    if (!(options->fraction >= 0.0 && options->fraction <= 1.0)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a fraction from 0 to 1, found %g", name,
                       options->fraction);
    }
    struct dom_domain *made = sy_alloc_zero(1, sizeof(*made));
    enum sy_status status = SY_OK;
    if (made == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", name);
    }
    memcpy(made->name, name, strlen(name) + 1);
    SY_TRY_OUT(
        sy_path_join(made->folder, sizeof(made->folder), dir, name, err));
    SY_TRY_OUT(dom_source_open(&made->source, made->folder, err));
    SY_TRY_OUT(name_classes(made, err));
    SY_TRY_OUT(check_labels(made, err));
    SY_TRY_OUT(make_splits(made, options, err));
    *domain = made;
    made = NULL;
out:
    dom_close(made);
    return status;
}

void dom_close(struct dom_domain *domain)
{
    if (domain != NULL) {
        dom_source_close(&domain->source);
        for (int split = 0; split < SPLITS; split++) {
            sy_free(domain->order[split]);
        }
        sy_free(domain);
    }
}

const char *dom_name(const struct dom_domain *domain)
{
    return domain->name;
}

const char *dom_format(const struct dom_domain *domain)
{
    return domain->source.format->name;
}

int dom_classes(const struct dom_domain *domain)
{
    return domain->source.classes;
}

const char *dom_class_name(const struct dom_domain *domain, int label)
{
    SY_ASSERT(label >= 0 && label < domain->source.classes);
    return domain->source.class_names[label];
}

int dom_height(const struct dom_domain *domain)
{
    return domain->source.height;
}

int dom_width(const struct dom_domain *domain)
{
    return domain->source.width;
}

int dom_channels(const struct dom_domain *domain)
{
    return domain->source.channels;
}

int dom_count(const struct dom_domain *domain, enum dom_split split)
{
    return domain->count[split];
}

/* Where the image of a split stands in its part of the source. */
static int position(const struct dom_domain *domain, enum dom_split split,
                    int index, enum dom_part *part)
{
    SY_ASSERT(index >= 0 && index < domain->count[split]);
    *part = split == DOM_TEST ? DOM_PART_TEST : DOM_PART_TRAIN;
    const int *order = domain->order[split];
    return order != NULL ? order[index] : index;
}

int dom_label(const struct dom_domain *domain, enum dom_split split, int index)
{
    enum dom_part part;
    int at = position(domain, split, index, &part);
    return domain->source.labels[part][at];
}

enum sy_status dom_read(const struct dom_domain *domain, enum dom_split split,
                        int index, int height, int width, uint8_t *pixels,
                        struct sy_error *err)
{
    enum dom_part part;
    int at = position(domain, split, index, &part);
    const struct dom_source *source = &domain->source;
    struct dom_image image = {0};
    SY_TRY(source->format->read(source, part, at, &image, err));
    enum sy_status status = dom_image_fit(&image, height, width, pixels, err);
    dom_image_release(&image);
    return status;
}

enum sy_status dom_hash(const struct dom_domain *domain, char *text,
                        struct sy_error *err)
{
    return dom_walk_hash(domain->folder, text, err);
}
