/*
 * torture_base.c - fails each allocation of each function of runtime/base
 * that allocates, one after the other.
 *
 * DESIGN. An operation is run with the first allocation failing, then with
 * the second, and so on until it runs through without meeting the failure.
 * Each time but the last it must return SY_NO_MEMORY with a message, leave
 * its out pointers alone, leave no block of memory and no file behind, and
 * keep the old content of what it was about to replace. Both kinds of failure
 * are tried: one that passes, and memory that stays exhausted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "tests/support/check_main.h"

enum { LARGE_BYTES = 600000, MANY = 150 };

static const char json_text[] =
    "{\"name\": \"first\", \"layers\": [[1, 2.5, true, null], "
    "{\"kind\": \"mbconv\", \"long\": \"0123456789012345678901234567890123456"
    "78901234567890123456789\"}, [[[]]]], \"a\": 1, \"b\": 2, \"c\": 3, "
    "\"d\": 4, \"e\": 5, \"f\": 6, \"g\": 7, \"h\": 8, \"i\": 9}";

/* An operation: what it makes it also checks and gives back. */
typedef enum sy_status (*operation_fn)(struct sy_error *err);

static enum sy_status make_blocks(struct sy_error *err)
{
    enum sy_status status = SY_NO_MEMORY;
    char *grown = NULL;
    char *copy = NULL;
    void *zero = NULL;
    void *block = sy_alloc(10);
    if (block == NULL || (zero = sy_alloc_zero(3, 4)) == NULL ||
        (copy = sy_strdup("text")) == NULL ||
        (grown = sy_realloc(copy, 100)) == NULL) {
        sy_fail(err, status, "no memory");
        goto out;
    }
    copy = NULL;
    ck_assert_str_eq(grown, "text");
    status = SY_OK;
out:
    sy_free(block);
    sy_free(zero);
    sy_free(copy);
    sy_free(grown);
    return status;
}

static enum sy_status fill_arena(struct sy_error *err)
{
    struct sy_arena arena;
    enum sy_status status = SY_OK;
    sy_arena_init(&arena, 256);
    for (size_t i = 0; i < 20; i++) {
        char *text = sy_arena_strdup(&arena, "text");
        if (text == NULL || sy_arena_alloc(&arena, i * 40) == NULL ||
            sy_arena_zero(&arena, i, 9) == NULL) {
            status = sy_fail(err, SY_NO_MEMORY, "no memory");
            break;
        }
        ck_assert_str_eq(text, "text");
    }
    sy_arena_release(&arena);
    return status;
}

static void add_task(void *context, int task, int worker)
{
    (void)worker;
    ((int *)context)[task] = task;
}

static enum sy_status run_pool(struct sy_error *err)
{
    int results[20] = {0};
    struct sy_pool *pool = NULL;
    enum sy_status status = sy_pool_new(&pool, 3, err);
    ck_assert((pool != NULL) == (status == SY_OK));
    SY_TRY(status);
    sy_pool_run(pool, 20, add_task, results);
    ck_assert_int_eq(results[19], 19);
    sy_pool_free(pool);
    return SY_OK;
}

static enum sy_status read_file(struct sy_error *err)
{
    char *data = NULL;
    size_t bytes = 0;
    enum sy_status status =
        sy_file_read(sy_check_path("old"), 100, &data, &bytes, err);
    ck_assert((data != NULL) == (status == SY_OK));
    sy_free(data);
    return status;
}

static enum sy_status read_growing_file(struct sy_error *err)
{
    char *data = NULL;
    size_t bytes = 0;
    enum sy_status status =
        sy_file_read("/proc/self/smaps", 1 << 30, &data, &bytes, err);
    ck_assert((data != NULL) == (status == SY_OK));
    sy_free(data);
    return status;
}

static enum sy_status write_file(struct sy_error *err)
{
    char *data = calloc(1, LARGE_BYTES);
    ck_assert_ptr_nonnull(data);
    enum sy_status status =
        sy_file_write(sy_check_path("new"), data, LARGE_BYTES, err);
    free(data);
    return status;
}

static enum sy_status count_entry(void *context, const char *name, bool is_dir,
                                  struct sy_error *err)
{
    (void)name;
    (void)is_dir;
    (void)err;
    ++*(int *)context;
    return SY_OK;
}

/* Without the syncs of sy_file_write, of which a setup a test is slow. */
static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(sy_check_path(name), "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Fills the folder at the first call: only one operation needs the files. */
static void fill_folder(void)
{
    if (sy_file_exists(sy_check_path("many/000"))) {
        return;
    }
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%03d", i);
        put_file(name, "");
    }
}

static enum sy_status list_folder(struct sy_error *err)
{
    int count = 0;
    fill_folder();
    enum sy_status status =
        sy_dir_list(sy_check_path("many"), count_entry, &count, err);
    ck_assert_int_eq(count, status == SY_OK ? MANY : 0);
    return status;
}

static enum sy_status hash_file(struct sy_error *err)
{
    char text[SY_HASH_TEXT_BYTES] = "";
    enum sy_status status = sy_hash_file(sy_check_path("old"), text, err);
    ck_assert((text[0] != '\0') == (status == SY_OK));
    return status;
}

static enum sy_status parse_json(struct sy_error *err)
{
    json_t *root = NULL;
    enum sy_status status =
        sy_json_parse(json_text, sizeof json_text - 1, "t", &root, err);
    ck_assert((root != NULL) == (status == SY_OK));
    json_decref(root);
    return status;
}

static enum sy_status load_json(struct sy_error *err)
{
    json_t *root = NULL;
    enum sy_status status = sy_json_load(sy_check_path("x.json"), &root, err);
    ck_assert((root != NULL) == (status == SY_OK));
    json_decref(root);
    return status;
}

/* The value that save_json writes; made before anything fails. */
static json_t *saved;

static enum sy_status save_json(struct sy_error *err)
{
    return sy_json_save(sy_check_path("old"), saved, err);
}

static const struct {
    const char *name;
    operation_fn run;
    int least; /* the allocations that it makes at least */
} operations[] = {
    {"sy_alloc and its kin", make_blocks, 4},
    {"sy_arena", fill_arena, 10},
    {"sy_pool", run_pool, 2},
    {"sy_file_read", read_file, 1},
    {"sy_file_read of a file without a length", read_growing_file, 2},
    {"sy_file_write", write_file, 1},
    {"sy_dir_list", list_folder, 4},
    {"sy_hash_file", hash_file, 1},
    {"sy_json_parse", parse_json, 40},
    {"sy_json_load", load_json, 40},
    {"sy_json_save", save_json, 3},
};

enum { OPERATION_COUNT = sizeof operations / sizeof operations[0] };

/* What every operation finds: a small file, a JSON file, a folder. */
static void setup(void)
{
    struct sy_error err = {0};
    sy_check_folder_make();
    put_file("old", "old");
    put_file("x.json", json_text);
    sy_check_ok(sy_dir_make(sy_check_path("many"), &err), err);
    sy_check_ok(sy_json_load(sy_check_path("x.json"), &saved, &err), err);
}

static void teardown(void)
{
    json_decref(saved);
    sy_check_folder_remove();
    ck_assert_int_eq(sy_alloc_live(), 0);
}

/* What a failed operation may not have touched. */
static void check_nothing_changed(const char *name, int nth, int64_t live)
{
    char *old;
    size_t bytes;
    struct sy_error err = {0};
    ck_assert_msg(sy_alloc_live() == live,
                  "%s, allocation %d: %lld blocks leaked", name, nth,
                  (long long)(sy_alloc_live() - live));
    ck_assert_msg(sy_check_folder_count() == 3, "%s, allocation %d: a file",
                  name, nth);
    sy_check_ok(sy_file_read(sy_check_path("old"), 9, &old, &bytes, &err), err);
    ck_assert_str_eq(old, "old");
    sy_free(old);
}

static void torture(int which, bool sticky)
{
    const char *name = operations[which].name;
    int64_t live = sy_alloc_live();
    int nth = 1;
    for (;; nth++) {
        struct sy_error err = {0};
        int64_t calls = sy_alloc_calls();
        sy_alloc_fail_at(nth, sticky);
        enum sy_status status = operations[which].run(&err);
        sy_alloc_fail_at(0, false);
        if (sy_alloc_calls() - calls < nth) {
            sy_check_ok(status, err);
            break;
        }
        ck_assert_msg(status == SY_NO_MEMORY, "%s, allocation %d: %s (%s)",
                      name, nth, sy_status_text(status), err.message);
        ck_assert_int_eq(err.status, SY_NO_MEMORY);
        ck_assert_str_ne(err.message, "");
        check_nothing_changed(name, nth, live);
    }
    ck_assert_msg(nth > operations[which].least,
                  "%s: only %d allocations were failed", name, nth - 1);
    ck_assert_int_eq(sy_alloc_live(), live);
}

START_TEST(one_failed_allocation_is_a_clean_failure)
{
    torture(_i, false);
}
END_TEST

START_TEST(exhausted_memory_is_a_clean_failure)
{
    torture(_i, true);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("torture of runtime/base");
    TCase *tc = tcase_create("allocations");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, one_failed_allocation_is_a_clean_failure, 0,
                        OPERATION_COUNT);
    tcase_add_loop_test(tc, exhausted_memory_is_a_clean_failure, 0,
                        OPERATION_COUNT);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
