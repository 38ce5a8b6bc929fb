/*
 * replay_main.c - runs a fuzz target over a stored corpus, without libFuzzer.
 *
 * Every regular file in the folders and files given as arguments goes through
 * LLVMFuzzerTestOneInput once, in order of name. Arguments that start with a
 * dash are libFuzzer's own and are skipped. An empty corpus is a failure: a
 * test that runs nothing must not pass.
 *
 * The input is copied to a block of exactly its size, so that the address
 * sanitizer sees a read past its end.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { MAX_INPUT_BYTES = 64 << 20 };

struct replay {
    const char *folder;
    int count;
};

static enum sy_status replay_file(struct replay *replay, const char *path,
                                  struct sy_error *err)
{
    char *text;
    size_t bytes;
    SY_TRY(sy_file_read(path, MAX_INPUT_BYTES, &text, &bytes, err));
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
    if (exact == NULL) {
        sy_free(text);
        return sy_fail(err, SY_NO_MEMORY, "%s: no memory", path);
    }
    memcpy(exact, text, bytes);
    sy_free(text);
    LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
    replay->count++;
    return SY_OK;
}

static enum sy_status replay_path(struct replay *replay, const char *path,
                                  struct sy_error *err);

/* One entry of a folder; folders in it are entered. */
static enum sy_status replay_entry(void *context, const char *name, bool is_dir,
                                   struct sy_error *err)
{
    struct replay *replay = context;
    const char *folder = replay->folder;
    char path[SY_PATH_BYTES];
    SY_TRY(sy_path_join(path, sizeof path, folder, name, err));
    enum sy_status status = is_dir ? replay_path(replay, path, err)
                                   : replay_file(replay, path, err);
    replay->folder = folder;
    return status;
}

static enum sy_status replay_path(struct replay *replay, const char *path,
                                  struct sy_error *err)
{
    if (!sy_dir_exists(path)) {
        return replay_file(replay, path, err);
    }
    replay->folder = path;
    return sy_dir_list(path, replay_entry, replay, err);
}

int main(int argc, char **argv)
{
    struct sy_error err = {0};
    struct replay replay = {0};
    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && replay_path(&replay, argv[i], &err) != SY_OK) {
            fprintf(stderr, "replay: %s\n", err.message);
            return EXIT_FAILURE;
        }
    }
    printf("replayed %d inputs\n", replay.count);
    return replay.count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
