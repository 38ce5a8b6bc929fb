/*
 * folders.c - domains as class folders: train/CLASS/x.png, test/CLASS/y.jpg.
 *
 * DESIGN. Opening lists the folders and reads every picture's header, so that
 * a file that is no picture, or one with absurd sides, is named before hours
 * of training; pixels are decoded on demand, so a set may be larger than
 * memory. Classes are the folders of train/ in order of name (bytes), images
 * are in order of class and name, whatever order the file system has.
 *
 * Anything that begins with a dot is ignored. Everything else that is not
 * what this layout says is refused rather than skipped: a skipped class or
 * picture is missed by nobody until the numbers are wrong.
 *
 * Only file names are kept, in one block per part, at offsets: a million
 * images cost their names and sixteen bytes each.
 */
#include <string.h>
#include <strings.h>

#include "domains/domain.h"
#include "domains/formats/names.h"
#include "domains/formats/table.h"
#include "domains/image/image.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { FIRST_ROOM = 1024 };

static const char *const part_names[DOM_PARTS] = {"train", "test"};

/* The images of a part; source->labels has their classes. */
struct listing {
    char *text; /* file names, each with its NUL */
    size_t used, room;
    size_t *offsets; /* of each image's name in text */
    int *folders;    /* of each image: its folder's place in `names` */
    int images_room;
};

struct folders_state {
    char folder[SY_PATH_BYTES];
    struct listing parts[DOM_PARTS];
    char **names; /* class folders; the source's names may be others later */
    int classes;
};

/* Opening in progress, for the entries of one part or class. */
struct opening {
    struct dom_source *source;
    struct folders_state *state;
    enum dom_part part;
    int label;                 /* of the class that is listed now */
    bool sized;                /* height and width are of all so far */
    char path[SY_PATH_BYTES];  /* of the part */
    char class[SY_PATH_BYTES]; /* of the class folder */
};

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 ||
            strcasecmp(dot, ".jpeg") == 0);
}

/* Room for one more image with a name of `bytes`, its NUL included. */
static enum sy_status reserve(struct opening *in, size_t bytes,
                              struct sy_error *err)
{
    struct listing *list = &in->state->parts[in->part];
    int count = in->source->count[in->part];
    if (list->used + bytes > list->room) {
        size_t room = 2 * list->room + bytes + FIRST_ROOM;
        char *text = sy_realloc(list->text, room);
        if (text == NULL) {
            return sy_fail(err, SY_NO_MEMORY, "%s: no memory", in->class);
        }
        list->text = text;
        list->room = room;
    }
    if (count < list->images_room) {
        return SY_OK;
    }
    if (count > INT32_MAX / 4) {
        return sy_fail(err, SY_BAD_INPUT, "%s: too many images", in->class);
    }
    size_t room = 2 * (size_t)count + FIRST_ROOM;
    size_t *offsets = sy_realloc(list->offsets, room * sizeof(offsets[0]));
    if (offsets == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", in->class);
    }
    list->offsets = offsets;
    int *labels =
        sy_realloc(in->source->labels[in->part], room * sizeof(labels[0]));
    if (labels == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", in->class);
    }
    in->source->labels[in->part] = labels;
    int *folders = sy_realloc(list->folders, room * sizeof(folders[0]));
    if (folders == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", in->class);
    }
    list->folders = folders;
    list->images_room = (int)room;
    return SY_OK;
}

/* Reads a picture's header into the source's shape. */
static enum sy_status probe(struct opening *in, const char *path,
                            struct sy_error *err)
{
    struct sy_map map;
    struct dom_image image = {0};
    struct dom_source *source = in->source;
    SY_TRY(sy_map_open(&map, path, err));
    enum sy_status status =
        dom_image_probe(&image, map.data, map.bytes, path, err);
    sy_map_close(&map);
    if (status != SY_OK) {
        return status;
    }
    if (!in->sized) {
        in->sized = true;
        source->height = image.height;
        source->width = image.width;
        source->channels = image.channels;
    }
    if (source->height != image.height || source->width != image.width) {
        source->height = 0;
        source->width = 0;
    }
    if (image.channels == 3) {
        source->channels = 3;
    }
    return SY_OK;
}

static enum sy_status add_picture(void *context, const char *name, bool is_dir,
                                  struct sy_error *err)
{
    struct opening *in = context;
    char path[SY_PATH_BYTES];
    if (name[0] == '.') {
        return SY_OK;
    }
    SY_TRY(sy_path_join(path, sizeof(path), in->class, name, err));
    if (is_dir || !is_picture(name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a picture (.png, .jpg or .jpeg), found "
                       "%s; convert it or move it away",
                       path, is_dir ? "a folder" : "another file");
    }
    SY_TRY(probe(in, path, err));
    size_t bytes = strlen(name) + 1;
    SY_TRY(reserve(in, bytes, err));
    struct listing *list = &in->state->parts[in->part];
    int at = in->source->count[in->part]++;
    list->offsets[at] = list->used;
    memcpy(list->text + list->used, name, bytes);
    list->used += bytes;
    list->folders[at] = in->label;
    in->source->labels[in->part][at] = in->label;
    return SY_OK;
}

static int find_class(const struct folders_state *state, const char *name)
{
    for (int i = 0; i < state->classes; i++) {
        if (strcmp(state->names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The label of a class folder: a new one in train, a known one in test. */
static enum sy_status find_label(struct opening *in, const char *name,
                                 struct sy_error *err)
{
    struct folders_state *state = in->state;
    if (in->part == DOM_PART_TEST) {
        in->label = find_class(state, name);
        if (in->label < 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected a class that train/ has, found "
                           "\"%s\"; add training images of it or remove it",
                           in->class, name);
        }
        return SY_OK;
    }
    if (!dom_label_is_valid(name, strlen(name))) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected a class folder named with 1 to %d bytes "
                       "of UTF-8 without control characters; rename it",
                       in->class, DOM_LABEL_BYTES - 1);
    }
    if (state->classes == DOM_MAX_CLASSES) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected at most %d classes, found more", in->path,
                       DOM_MAX_CLASSES);
    }
    char *copy = sy_strdup(name);
    if (copy == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", in->class);
    }
    in->label = state->classes;
    state->names[state->classes++] = copy;
    return SY_OK;
}

static enum sy_status add_class(void *context, const char *name, bool is_dir,
                                struct sy_error *err)
{
    struct opening *in = context;
    if (name[0] == '.') {
        return SY_OK;
    }
    SY_TRY(sy_path_join(in->class, sizeof(in->class), in->path, name, err));
    if (!is_dir) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected only class folders here, found a file; "
                       "put pictures into %s/CLASS/",
                       in->class, part_names[in->part]);
    }
    SY_TRY(find_label(in, name, err));
    int before = in->source->count[in->part];
    SY_TRY(sy_dir_list(in->class, add_picture, in, err));
    if (in->part == DOM_PART_TRAIN && in->source->count[in->part] == before) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: expected pictures (.png, .jpg or .jpeg), found an "
                       "empty class; add some or remove the folder",
                       in->class);
    }
    return SY_OK;
}

/* The source gets its own copy of the names. */
static enum sy_status copy_names(struct dom_source *source,
                                 const struct folders_state *state,
                                 struct sy_error *err)
{
    char **names = sy_alloc_zero((size_t)state->classes, sizeof(names[0]));
    bool good = names != NULL;
    for (int i = 0; good && i < state->classes; i++) {
        names[i] = sy_strdup(state->names[i]);
        good = names[i] != NULL;
    }
    if (!good) {
        dom_names_free(names, state->classes);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", state->folder);
    }
    source->class_names = names;
    source->classes = state->classes;
    return SY_OK;
}

static enum sy_status open_parts(struct opening *in, struct sy_error *err)
{
    struct folders_state *state = in->state;
    for (int part = 0; part < DOM_PARTS; part++) {
        in->part = part;
        SY_TRY(sy_path_join(in->path, sizeof(in->path), state->folder,
                            part_names[part], err));
        if (!sy_dir_exists(in->path)) {
            return sy_fail(err, SY_NOT_FOUND,
                           "%s: expected a folder of class folders, found "
                           "none; both train/ and test/ are needed",
                           in->path);
        }
        SY_TRY(sy_dir_list(in->path, add_class, in, err));
        if (in->source->count[part] == 0) {
            return sy_fail(err, SY_BAD_INPUT,
                           "%s: expected CLASS/x.png and so on, found no "
                           "picture",
                           in->path);
        }
    }
    return copy_names(in->source, state, err);
}

static enum sy_status folders_open(struct dom_source *source,
                                   const char *folder, struct sy_error *err)
{
    struct folders_state *state = sy_alloc_zero(1, sizeof(*state));
    if (state == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", folder);
    }
    source->state = state;
    size_t length = strlen(folder);
    if (length >= sizeof(state->folder)) {
        return sy_fail(err, SY_BAD_INPUT, "a path of %zu bytes is too long",
                       length);
    }
    memcpy(state->folder, folder, length + 1);
    state->names = sy_alloc_zero(DOM_MAX_CLASSES, sizeof(state->names[0]));
    struct opening *in = sy_alloc_zero(1, sizeof(*in));
    enum sy_status status = SY_NO_MEMORY;
    if (state->names != NULL && in != NULL) {
        in->source = source;
        in->state = state;
        status = open_parts(in, err);
    } else {
        (void)sy_fail(err, status, "%s: no memory", folder);
    }
    sy_free(in);
    return status;
}

static enum sy_status folders_read(const struct dom_source *source,
                                   enum dom_part part, int index,
                                   struct dom_image *image,
                                   struct sy_error *err)
{
    const struct folders_state *state = source->state;
    const struct listing *list = &state->parts[part];
    const char *name = list->text + list->offsets[index];
    /* Folder numbers are not labels: labels.txt may have renumbered those. */
    const char *class = state->names[list->folders[index]];
    char folder[SY_PATH_BYTES];
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(folder, sizeof(folder), state->folder, part_names[part],
                        err));
    SY_TRY(sy_path_join(path, sizeof(path), folder, class, err));
    SY_TRY(sy_path_join(folder, sizeof(folder), path, name, err));
    return dom_image_load(image, folder, err);
}

static void folders_close(struct dom_source *source)
{
    struct folders_state *state = source->state;
    if (state != NULL) {
        for (int part = 0; part < DOM_PARTS; part++) {
            sy_free(state->parts[part].text);
            sy_free(state->parts[part].offsets);
            sy_free(state->parts[part].folders);
        }
        dom_names_free(state->names, state->classes);
        sy_free(state);
        source->state = NULL;
    }
}

static enum sy_status folders_recognise(const char *folder, bool *found,
                                        struct sy_error *err)
{
    char path[SY_PATH_BYTES];
    for (int part = 0; part < DOM_PARTS; part++) {
        SY_TRY(sy_path_join(path, sizeof(path), folder, part_names[part], err));
        *found = *found || sy_dir_exists(path);
    }
    return SY_OK;
}

const struct dom_format dom_format_folders = {
    .name = "folders",
    .names_are_keys = true,
    .recognise = folders_recognise,
    .open = folders_open,
    .read = folders_read,
    .close = folders_close,
};
