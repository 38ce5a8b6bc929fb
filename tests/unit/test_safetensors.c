/* test_safetensors.c - the file format, from good files to hostile ones. */
#include "runtime/artefact/safetensors.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static const float values[7] = {1.5f, -2.0f, 0.0f, 3e-38f, 7.0f, -0.0f, 9.25f};

static const struct sy_st_entry entries[4] = {
    {.name = "b.matrix", .dims = 2, .dim = {2, 3}, .data = values, .count = 6},
    {.name = "empty", .dims = 2, .dim = {0, 5}, .data = values, .count = 0},
    {.name = "a.scalar", .dims = 0, .data = values + 6, .count = 1},
    {.name = "again", .dims = 1, .dim = {7}, .data = values, .count = 7},
};

/* Makes the bytes of a file from a header and `data_bytes` of data. */
static size_t build(uint8_t *out, const char *header, size_t data_bytes)
{
    uint64_t length = (strlen(header) + 7) / 8 * 8;
    memcpy(out, &length, 8);
    memset(out + 8, ' ', length);
    memcpy(out + 8, header, strlen(header));
    memset(out + 8 + length, 0x3f, data_bytes);
    return 8 + length + data_bytes;
}

START_TEST(a_file_reads_back_bit_for_bit)
{
    struct sy_error err = {0};
    struct sy_st_file *file;
    const char *path = sy_check_path("a.safetensors");
    int64_t live = sy_alloc_live();
    json_t *metadata = json_pack("{s:s}", "format", "test");
    sy_check_ok(sy_st_save(path, entries, 4, metadata, &err), err);
    json_decref(metadata);
    sy_check_ok(sy_st_open(&file, path, &err), err);
    ck_assert_int_eq(sy_st_count(file), 4);
    ck_assert_str_eq(sy_st_metadata(file, "format"), "test");
    ck_assert_ptr_null(sy_st_metadata(file, "other"));
    for (int i = 0; i < 4; i++) {
        const struct sy_st_entry *entry = sy_st_find(file, entries[i].name);
        ck_assert_ptr_nonnull(entry);
        ck_assert_str_eq(entry->name, entries[i].name);
        ck_assert_int_eq(entry->dims, entries[i].dims);
        ck_assert_uint_eq(entry->count, entries[i].count);
        for (int d = 0; d < entry->dims; d++) {
            ck_assert_int_eq(entry->dim[d], entries[i].dim[d]);
        }
        if (entry->count > 0) {
            ck_assert_mem_eq(entry->data, entries[i].data,
                             entry->count * sizeof(float));
        }
    }
    ck_assert_ptr_null(sy_st_find(file, "nothing"));
    ck_assert_str_eq(sy_st_entry_at(file, 0)->name, "b.matrix");
    sy_st_close(file);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(data_are_aligned_and_packed_in_the_order_given)
{
    struct sy_error err = {0};
    const char *path = sy_check_path("a.safetensors");
    char *data;
    size_t bytes;
    uint64_t length;
    sy_check_ok(sy_st_save(path, entries, 4, NULL, &err), err);
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    memcpy(&length, data, 8);
    ck_assert_uint_eq((8 + length) % 64, 0);
    ck_assert_uint_eq(bytes, 8 + length + 14 * 4);
    ck_assert_mem_eq(data + 8 + length, values, 6 * 4);
    ck_assert_mem_eq(data + 8 + length + 24, values + 6, 4);
    ck_assert_mem_eq(data + 8 + length + 28, values, 7 * 4);
    sy_free(data);
}
END_TEST

START_TEST(a_file_without_tensors_is_a_file)
{
    struct sy_error err = {0};
    struct sy_st_file *file;
    const char *path = sy_check_path("none.safetensors");
    sy_check_ok(sy_st_save(path, NULL, 0, NULL, &err), err);
    sy_check_ok(sy_st_open(&file, path, &err), err);
    ck_assert_int_eq(sy_st_count(file), 0);
    ck_assert_ptr_null(sy_st_find(file, "a"));
    ck_assert_ptr_null(sy_st_metadata(file, "a"));
    sy_st_close(file);
}
END_TEST

START_TEST(tensors_may_stand_in_any_order_in_the_header)
{
    _Alignas(64) uint8_t bytes[512];
    struct sy_error err = {0};
    struct sy_st_file *file;
    size_t size = build(bytes,
                        "{\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
                        "\"data_offsets\":[8,12]},\"e\":{\"dtype\":\"F32\","
                        "\"shape\":[0],\"data_offsets\":[8,8]},\"a\":{"
                        "\"data_offsets\":[0,8],\"shape\":[2],"
                        "\"dtype\":\"F32\"}}",
                        12);
    sy_check_ok(sy_st_parse(&file, bytes, size, "x", &err), err);
    ck_assert_str_eq(sy_st_entry_at(file, 0)->name, "a");
    ck_assert_str_eq(sy_st_entry_at(file, 1)->name, "e");
    ck_assert_str_eq(sy_st_entry_at(file, 2)->name, "b");
    sy_st_close(file);
}
END_TEST

#define T(shape, from, to)                                                     \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static const struct {
    const char *header;
    size_t data_bytes;
    const char *says;
} wrong[] = {
    {"[]", 0, "expected '{'"},
    {" {}", 0, "expected '{'"},
    {"{}", 4, "expected 0 bytes of data, found 4"},
    {"{\"a\":" T("[1]", "0", "4") "}", 8, "expected 4 bytes of data, found 8"},
    {"{\"a\":" T("[1]", "0", "4") "}", 0, "a.data_offsets"},
    {"{\"a\":" T("[2]", "0", "4") "}", 4, "expected 2 values of 4 bytes"},
    {"{\"a\":" T("[1]", "0", "8") "}", 8, "expected 1 values of 4 bytes"},
    {"{\"a\":" T("[1]", "4", "0") "}", 4, "a.data_offsets"},
    {"{\"a\":" T("[1]", "-4", "0") "}", 4, "a.data_offsets"},
    {"{\"a\":" T("[1]", "4", "8") "}", 8, "there is a gap before it"},
    {"{\"a\":" T("[1]", "2", "6") "}", 8, "expected multiples of 4"},
    {"{\"a\":" T("[2]", "0", "8") ",\"b\":" T("[1]", "4", "8") "}", 8,
     "it overlaps another tensor"},
    {"{\"a\":" T("[1]", "0", "4") ",\"b\":" T("[1]", "0", "4") "}", 4,
     "it overlaps another tensor"},
    {"{\"a\":" T("[1]", "0", "4") ",\"a\":" T("[1]", "4", "8") "}", 8,
     "duplicate"},
    {"{\"a\":" T("[4294967296,4294967296]", "0", "4") "}", 4, "overflows"},
    {"{\"a\":" T("[4611686018427387904]", "0", "0") "}", 0, "a.data_offsets"},
    {"{\"a\":" T("[-1]", "0", "4") "}", 4, "a.shape"},
    {"{\"a\":" T("[1.0]", "0", "4") "}", 4, "a.shape"},
    {"{\"a\":" T("[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "a.shape"},
    {"{\"a\":" T("1", "0", "4") "}", 4, "a.shape: expected an array"},
    {"{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
     "a.dtype: expected \"F32\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4,
     "a.data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offset\":[0,4]}}", 4,
     "a.data_offsets: expected an array of 2, found nothing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
     "\"name\":1}}",
     4, "a.name: unknown key"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "a.dtype"},
    {"{\"a\":3}", 0, "a: expected an object"},
    {"{\"\":" T("[1]", "0", "4") "}", 4, "tensor names"},
    {"{\"a\\n\":" T("[1]", "0", "4") "}", 4, "tensor names"},
    {"{\"__metadata__\":3}", 0, "__metadata__"},
    {"{\"__metadata__\":{\"a\":3}}", 0, "__metadata__.a: expected a text"},
    {"{\"a\":", 0, "x:1:"},
    {"{} {}", 0, "x:1:"},
};

START_TEST(a_header_that_lies_is_refused)
{
    static _Alignas(64) uint8_t bytes[4096];
    struct sy_error err = {0};
    struct sy_st_file *file = NULL;
    int64_t live = sy_alloc_live();
    size_t size = build(bytes, wrong[_i].header, wrong[_i].data_bytes);
    sy_check_fails(sy_st_parse(&file, bytes, size, "x", &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, wrong[_i].says);
    ck_assert_ptr_null(file);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(a_header_length_that_lies_is_refused)
{
    static _Alignas(64) uint8_t bytes[256];
    static const uint64_t lengths[] = {0,
                                       1,
                                       3,
                                       5,
                                       241,
                                       256,
                                       (UINT64_C(100) << 20) + 4,
                                       UINT64_MAX,
                                       UINT64_MAX - 7,
                                       UINT64_C(1) << 63};
    struct sy_error err = {0};
    struct sy_st_file *file = NULL;
    memset(bytes, ' ', sizeof bytes);
    memcpy(bytes + 8, "{}", 2);
    memcpy(bytes, &lengths[_i], 8);
    sy_check_fails(sy_st_parse(&file, bytes, sizeof bytes - 8, "x", &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "x: header");
}
END_TEST

START_TEST(a_header_nested_too_deep_is_refused)
{
    static _Alignas(64) uint8_t bytes[1024];
    char header[512] = "{\"a\":";
    struct sy_error err = {0};
    struct sy_st_file *file = NULL;
    memset(header + 5, '[', 300);
    size_t size = build(bytes, header, 0);
    sy_check_fails(sy_st_parse(&file, bytes, size, "x", &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "nested more than");
}
END_TEST

/* Parses a copy that ends where the allocation ends. */
static enum sy_status parse_exact(const char *data, size_t bytes,
                                  struct sy_st_file **file, uint8_t **copy)
{
    struct sy_error err = {0};
    *copy = sy_alloc(bytes);
    memcpy(*copy, data, bytes);
    return sy_st_parse(file, *copy, bytes, "x", &err);
}

START_TEST(every_truncated_file_is_refused)
{
    struct sy_error err = {0};
    const char *path = sy_check_path("a.safetensors");
    char *data;
    size_t bytes;
    sy_check_ok(sy_st_save(path, entries, 4, NULL, &err), err);
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    for (size_t n = 0; n < bytes; n++) {
        struct sy_st_file *file = NULL;
        uint8_t *copy;
        ck_assert_int_eq(parse_exact(data, n, &file, &copy), SY_BAD_INPUT);
        sy_free(copy);
    }
    data[bytes] = 0; /* the reader's NUL: one byte too many */
    struct sy_st_file *file = NULL;
    uint8_t *copy;
    ck_assert_int_eq(parse_exact(data, bytes + 1, &file, &copy), SY_BAD_INPUT);
    sy_free(copy);
    sy_free(data);
}
END_TEST

START_TEST(no_flipped_bit_crashes_the_reader)
{
    struct sy_error err = {0};
    const char *path = sy_check_path("a.safetensors");
    char *data;
    size_t bytes;
    int64_t live = sy_alloc_live();
    sy_check_ok(sy_st_save(path, entries, 4, NULL, &err), err);
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        struct sy_st_file *file = NULL;
        uint8_t *copy;
        data[bit / 8] ^= (char)(1 << bit % 8);
        if (parse_exact(data, bytes, &file, &copy) == SY_OK) {
            /* Whatever was read lies within the file. */
            for (int i = 0; i < sy_st_count(file); i++) {
                const struct sy_st_entry *entry = sy_st_entry_at(file, i);
                const uint8_t *first = (const uint8_t *)entry->data;
                ck_assert(first >= copy);
                ck_assert(first + entry->count * 4 <= copy + bytes);
            }
            sy_st_close(file);
        }
        sy_free(copy);
        data[bit / 8] ^= (char)(1 << bit % 8);
    }
    sy_free(data);
    ck_assert_int_eq(sy_alloc_live(), live);
}
END_TEST

START_TEST(values_are_not_judged)
{
    const float odd[2] = {NAN, -INFINITY};
    const struct sy_st_entry entry = {
        .name = "odd", .dims = 1, .dim = {2}, .data = odd, .count = 2};
    struct sy_error err = {0};
    struct sy_st_file *file;
    const char *path = sy_check_path("odd.safetensors");
    sy_check_ok(sy_st_save(path, &entry, 1, NULL, &err), err);
    sy_check_ok(sy_st_open(&file, path, &err), err);
    ck_assert(isnan(sy_st_find(file, "odd")->data[0]));
    sy_st_close(file);
}
END_TEST

START_TEST(names_twice_or_with_control_characters_are_not_saved)
{
    struct sy_st_entry two[2] = {entries[0], entries[0]};
    struct sy_error err = {0};
    const char *path = sy_check_path("two.safetensors");
    sy_check_fails(sy_st_save(path, two, 2, NULL, &err), SY_BAD_INPUT, err);
    two[1].name = "a\tb";
    sy_check_fails(sy_st_save(path, two, 2, NULL, &err), SY_BAD_INPUT, err);
    ck_assert_int_eq(sy_check_folder_count(), 0);
}
END_TEST

START_TEST(missing_and_empty_files_have_their_errors)
{
    struct sy_error err = {0};
    struct sy_st_file *file = NULL;
    sy_check_fails(sy_st_open(&file, sy_check_path("no"), &err), SY_NOT_FOUND,
                   err);
    sy_check_ok(sy_file_write(sy_check_path("empty"), "", 0, &err), err);
    sy_check_fails(sy_st_open(&file, sy_check_path("empty"), &err),
                   SY_BAD_INPUT, err);
    sy_check_fails(sy_st_open(&file, sy_check_folder(), &err), SY_BAD_INPUT,
                   err);
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file)
{
    static float many[100000];
    const struct sy_st_entry large = {.name = "large",
                                      .dims = 1,
                                      .dim = {100000},
                                      .data = many,
                                      .count = 100000};
    struct sy_error err = {0};
    struct sy_st_file *file;
    const char *path = sy_check_path("a.safetensors");
    sy_check_ok(sy_st_save(path, entries, 4, NULL, &err), err);
    struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    /* Check writes to files as well: no assertion under the limit. */
    int limited = setrlimit(RLIMIT_FSIZE, &limit);
    enum sy_status status = sy_st_save(path, &large, 1, NULL, &err);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(limited, 0);
    ck_assert_int_eq(status, SY_IO);
    sy_check_says(err, path);
    ck_assert_int_eq(sy_check_folder_count(), 1);
    sy_check_ok(sy_st_open(&file, path, &err), err);
    ck_assert_int_eq(sy_st_count(file), 4);
    sy_st_close(file);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *tc = tcase_create("safetensors");
    tcase_add_checked_fixture(tc, sy_check_folder_make, sy_check_folder_remove);
    tcase_add_test(tc, a_file_reads_back_bit_for_bit);
    tcase_add_test(tc, data_are_aligned_and_packed_in_the_order_given);
    tcase_add_test(tc, a_file_without_tensors_is_a_file);
    tcase_add_test(tc, tensors_may_stand_in_any_order_in_the_header);
    tcase_add_loop_test(tc, a_header_that_lies_is_refused, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_loop_test(tc, a_header_length_that_lies_is_refused, 0, 10);
    tcase_add_test(tc, a_header_nested_too_deep_is_refused);
    tcase_add_test(tc, every_truncated_file_is_refused);
    tcase_add_test(tc, no_flipped_bit_crashes_the_reader);
    tcase_add_test(tc, values_are_not_judged);
    tcase_add_test(tc, names_twice_or_with_control_characters_are_not_saved);
    tcase_add_test(tc, missing_and_empty_files_have_their_errors);
    tcase_add_test(tc, a_full_disk_leaves_the_old_file);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
