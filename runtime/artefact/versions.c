/*
 * versions.c - the numbered folders of a model.
 *
 * DESIGN. A version is published by renaming a finished folder to its number,
 * and the rename refuses to replace: of two programs that save at once, one
 * gets the number and the other one the next. Folders whose name is not a
 * number (a temporary one that a crash left behind, for instance) are not
 * versions and are never looked into.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/artefact/model.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { MAX_DIGITS = 9, PUBLISH_TRIES = 1000 };

int sy_version_number(const char *name)
{
    size_t length = strlen(name);
    int number = 0;
    if (length == 0 || length > MAX_DIGITS || name[0] == '0' ||
        strspn(name, "0123456789") != length) {
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        number = number * 10 + (name[i] - '0');
    }
    return number;
}

static size_t length_without_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    return length;
}

void sy_version_base(const char *path, char *base, size_t bytes)
{
    size_t end = length_without_slashes(path);
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    size_t length = end - begin < bytes ? end - begin : 0;
    memcpy(base, path + begin, length);
    base[length] = '\0';
}

/* sy_dir_list's callback: keeps the largest number of a folder. */
static enum sy_status take_larger(void *context, const char *name, bool is_dir,
                                  struct sy_error *err)
{
    int *newest = context;
    int number = is_dir ? sy_version_number(name) : 0;
    (void)err;
    if (number > *newest) {
        *newest = number;
    }
    return SY_OK;
}

enum sy_status sy_version_newest(const char *model, int *version,
                                 struct sy_error *err)
{
    int newest = 0;
    SY_TRY(sy_dir_list(model, take_larger, &newest, err));
    *version = newest;
    return SY_OK;
}

/* The folder's own name, whatever the path to it looks like ("..", "."). */
static enum sy_status real_name(const char *folder, char name[SY_NAME_BYTES],
                                struct sy_error *err)
{
    char real[SY_PATH_BYTES];
    if (realpath(folder, real) == NULL) {
        return sy_fail_errno(err, SY_IO, errno, "%s", folder);
    }
    sy_version_base(real, name, SY_NAME_BYTES);
    if (!sy_name_valid(name)) {
        return sy_fail(err, SY_BAD_INPUT,
                       "%s: a model's folder must be named by letters, digits, "
                       "'_' and '-'",
                       folder);
    }
    return SY_OK;
}

enum sy_status sy_artefact_find(const char *model, struct sy_artefact *artefact,
                                struct sy_error *err)
{
    struct sy_artefact found = {0};
    struct sy_current current;
    char file[SY_PATH_BYTES];
    char parent[SY_PATH_BYTES];
    char number[16];
    size_t length = length_without_slashes(model);
    if (length == 0 || length >= sizeof found.path) {
        return sy_fail(err, SY_BAD_INPUT,
                       "expected REPOSITORY/NAME or REPOSITORY/NAME/VERSION, "
                       "found a path of %zu bytes",
                       length);
    }
    memcpy(found.path, model, length);
    SY_TRY(sy_path_join(file, sizeof file, found.path, SY_MODEL_FILE, err));
    sy_version_base(found.path, number, sizeof number);
    found.version = sy_version_number(number);
    if (found.version > 0 && sy_file_exists(file)) {
        SY_TRY(sy_path_join(parent, sizeof parent, found.path, "..", err));
        SY_TRY(real_name(parent, found.name, err));
        found.stack.version = found.version;
        sy_stack_label(&found.stack, found.label);
        *artefact = found;
        return SY_OK;
    }
    if (!sy_dir_exists(found.path)) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: no such model; expected REPOSITORY/NAME or "
                       "REPOSITORY/NAME/VERSION",
                       found.path);
    }
    SY_TRY(real_name(found.path, found.name, err));
    SY_TRY(sy_current_read(found.path, &current, err));
    found.stack = current.served;
    found.version = found.stack.version;
    sy_stack_label(&found.stack, found.label);
    (void)snprintf(number, sizeof number, "%d", found.version);
    SY_TRY(
        sy_path_join(found.path, sizeof found.path, found.path, number, err));
    if (!sy_dir_exists(found.path)) {
        return sy_fail(err, SY_NOT_FOUND,
                       "%s: there is no such version, but CURRENT names it",
                       found.path);
    }
    *artefact = found;
    return SY_OK;
}

/*
 * Renames without replacing, where the system can; a rename of folders
 * replaces nothing but an empty one anyway.
 */
static int rename_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        result = rename(from, to);
    }
    return result;
}

enum sy_status sy_version_publish(const char *model, const char *temporary,
                                  struct sy_artefact *artefact,
                                  struct sy_error *err)
{
    struct sy_artefact made = {0};
    char number[16];
    SY_TRY(sy_version_newest(model, &made.version, err));
    for (int i = 0; i < PUBLISH_TRIES; i++) {
        (void)snprintf(number, sizeof number, "%d", ++made.version);
        SY_TRY(sy_path_join(made.path, sizeof made.path, model, number, err));
        if (rename_new(temporary, made.path) == 0) {
            sy_version_base(model, made.name, sizeof made.name);
            made.stack.version = made.version;
            sy_stack_label(&made.stack, made.label);
            *artefact = made;
            return sy_dir_sync(model, err);
        }
        if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) {
            break;
        }
    }
    return sy_fail_errno(err, SY_IO, errno, "%s: cannot make the version",
                         made.path);
}
