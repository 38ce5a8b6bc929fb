/* test_checkpoint.c - the state of a training on disk and back. */
#include "search/train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/artefact/safetensors.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { VALUES = 37, STATE = 5 };

static struct sy_error err;
static float values[VALUES], slot[VALUES], state[STATE];

/* Numbers that only a copy of bits keeps: -0, a subnormal, an infinity. */
static void fill_arrays(void)
{
    for (int i = 0; i < VALUES; i++) {
        values[i] = (float)(i - 9) / 7.0f;
        slot[i] = (float)i * 1e-20f;
    }
    values[0] = -0.0f;
    values[1] = 1e-42f;
    slot[0] = INFINITY;
    for (int i = 0; i < STATE; i++) {
        state[i] = (float)i;
    }
}

static struct nas_checkpoint describe(const char *identity, int64_t step)
{
    struct nas_checkpoint checkpoint = {.step = step};
    (void)snprintf(checkpoint.identity, sizeof checkpoint.identity, "%s",
                   identity);
    nas_checkpoint_add(&checkpoint, "values", values, VALUES);
    nas_checkpoint_add(&checkpoint, "optimiser.0", slot, VALUES);
    nas_checkpoint_add(&checkpoint, "weighting", state, STATE);
    return checkpoint;
}

static const char *save(void)
{
    struct nas_checkpoint checkpoint = describe("this run", 1234567890123);
    fill_arrays();
    sy_check_ok(
        nas_checkpoint_save(&checkpoint, sy_check_path("state.st"), &err), err);
    return sy_check_path("state.st");
}

START_TEST(what_was_saved_comes_back_bit_for_bit)
{
    float saved_values[VALUES], saved_slot[VALUES], saved_state[STATE];
    const char *path = save();
    memcpy(saved_values, values, sizeof values);
    memcpy(saved_slot, slot, sizeof slot);
    memcpy(saved_state, state, sizeof state);
    memset(values, 0x55, sizeof values);
    memset(slot, 0x55, sizeof slot);
    memset(state, 0x55, sizeof state);
    struct nas_checkpoint checkpoint = describe("this run", 0);
    sy_check_ok(nas_checkpoint_load(&checkpoint, path, &err), err);
    ck_assert_int_eq(checkpoint.step, 1234567890123);
    ck_assert_mem_eq(values, saved_values, sizeof values);
    ck_assert_mem_eq(slot, saved_slot, sizeof slot);
    ck_assert_mem_eq(state, saved_state, sizeof state);
    ck_assert_int_eq(sy_check_folder_count(), 1);
}
END_TEST

START_TEST(saving_again_replaces_the_file)
{
    const char *path = save();
    struct nas_checkpoint checkpoint = describe("this run", 7);
    values[3] = 99.0f;
    sy_check_ok(nas_checkpoint_save(&checkpoint, path, &err), err);
    values[3] = 0.0f;
    checkpoint.step = 0;
    sy_check_ok(nas_checkpoint_load(&checkpoint, path, &err), err);
    ck_assert_int_eq(checkpoint.step, 7);
    ck_assert_float_eq(values[3], 99.0f);
    ck_assert_int_eq(sy_check_folder_count(), 1);
}
END_TEST

/* Loading must fail with these words, and leave everything as it is. */
static void refuse(struct nas_checkpoint *checkpoint, const char *path,
                   const char *says)
{
    float before_values[VALUES], before_slot[VALUES];
    int64_t step = checkpoint->step;
    memset(values, 0x33, sizeof values);
    memset(slot, 0x44, sizeof slot);
    memcpy(before_values, values, sizeof values);
    memcpy(before_slot, slot, sizeof slot);
    sy_check_fails(nas_checkpoint_load(checkpoint, path, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, says);
    sy_check_says(err, "state.st");
    ck_assert_int_eq(checkpoint->step, step);
    ck_assert_mem_eq(values, before_values, sizeof values);
    ck_assert_mem_eq(slot, before_slot, sizeof slot);
}

START_TEST(the_checkpoint_of_another_run_is_refused)
{
    const char *path = save();
    struct nas_checkpoint checkpoint = describe("that run", 3);
    refuse(&checkpoint, path, "belongs to another run");
}
END_TEST

START_TEST(another_size_is_refused)
{
    const char *path = save();
    struct nas_checkpoint checkpoint = describe("this run", 3);
    checkpoint.array[2].count = STATE - 1;
    refuse(&checkpoint, path, "\"weighting\" should hold 4 numbers, found 5");
}
END_TEST

START_TEST(a_missing_array_is_refused)
{
    const char *path = save();
    struct nas_checkpoint checkpoint = describe("this run", 3);
    checkpoint.array[2].name = "average";
    refuse(&checkpoint, path, "\"average\" should hold 5 numbers, found 0");
}
END_TEST

START_TEST(a_truncated_file_is_refused)
{
    size_t bytes = 0;
    (void)save();
    uint8_t *data = sy_get("state.st", &bytes);
    const size_t kept[] = {0, 1, 7, 8, 60, bytes / 2, bytes - 4, bytes - 1};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        struct nas_checkpoint checkpoint = describe("this run", 3);
        sy_put("state.st", data, kept[i]);
        refuse(&checkpoint, sy_check_path("state.st"), "state.st");
    }
    sy_free(data);
}
END_TEST

/* A file with our arrays and this metadata. */
static const char *save_as(json_t *metadata)
{
    const struct sy_st_entry entry[3] = {
        {"values", 1, {VALUES}, values, NULL, VALUES},
        {"optimiser.0", 1, {VALUES}, slot, NULL, VALUES},
        {"weighting", 1, {STATE}, state, NULL, STATE}};
    ck_assert_ptr_nonnull(metadata);
    sy_check_ok(sy_st_save(sy_check_path("state.st"), entry, 3, metadata, &err),
                err);
    json_decref(metadata);
    return sy_check_path("state.st");
}

START_TEST(tensors_of_something_else_are_refused)
{
    struct nas_checkpoint checkpoint = describe("this run", 3);
    refuse(&checkpoint, save_as(json_pack("{s:s}", "format", "x")),
           "not a training checkpoint");
}
END_TEST

START_TEST(a_step_that_is_no_number_is_refused)
{
    static const char *const steps[] = {"",   "-1",  "1e3",
                                        "7 ", "0x1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct nas_checkpoint checkpoint = describe("this run", 3);
        refuse(&checkpoint,
               save_as(json_pack("{s:s, s:s}", "identity", "this run", "step",
                                 steps[i])),
               "\"step\" should be a number");
    }
}
END_TEST

START_TEST(a_flipped_bit_is_refused_wherever_it_is)
{
    size_t bytes = 0;
    (void)save();
    uint8_t *data = sy_get("state.st", &bytes);
    for (size_t bit = 0; bit < 8 * bytes; bit += 61) {
        struct nas_checkpoint checkpoint = describe("this run", 3);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sy_put("state.st", data, bytes);
        enum sy_status status =
            nas_checkpoint_load(&checkpoint, sy_check_path("state.st"), &err);
        /* Padding and the names of other metadata carry no state. */
        if (status == SY_OK) {
            ck_assert_int_eq(checkpoint.step, 1234567890123);
            ck_assert_float_eq(values[36], 27.0f / 7.0f);
            ck_assert_float_eq(slot[36], 36 * 1e-20f);
            ck_assert_uint_lt(bit / 8, bytes - sizeof values);
        }
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sy_free(data);
}
END_TEST

START_TEST(a_state_without_its_hash_is_refused)
{
    struct nas_checkpoint checkpoint = describe("this run", 3);
    refuse(
        &checkpoint,
        save_as(json_pack("{s:s, s:s}", "identity", "this run", "step", "3")),
        "SHA-256: expected one");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_not_found)
{
    struct nas_checkpoint checkpoint = describe("this run", 3);
    sy_check_fails(
        nas_checkpoint_load(&checkpoint, sy_check_path("none"), &err),
        SY_NOT_FOUND, err);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *tc = tcase_create("checkpoint");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, what_was_saved_comes_back_bit_for_bit);
    tcase_add_test(tc, saving_again_replaces_the_file);
    tcase_add_test(tc, the_checkpoint_of_another_run_is_refused);
    tcase_add_test(tc, another_size_is_refused);
    tcase_add_test(tc, a_missing_array_is_refused);
    tcase_add_test(tc, a_truncated_file_is_refused);
    tcase_add_test(tc, tensors_of_something_else_are_refused);
    tcase_add_test(tc, a_step_that_is_no_number_is_refused);
    tcase_add_test(tc, a_flipped_bit_is_refused_wherever_it_is);
    tcase_add_test(tc, a_state_without_its_hash_is_refused);
    tcase_add_test(tc, a_file_that_is_not_there_is_not_found);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
