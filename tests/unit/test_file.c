/*
 * test_file.c - whole files in, whole files out, and nothing in between: the
 * target holds the old bytes or the new ones, and no temporary file stays.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

static struct sy_error err;

/* The file must hold exactly this text. */
static void check_content(const char *path, const char *text)
{
    char *data;
    size_t bytes;
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    ck_assert_uint_eq(bytes, strlen(text));
    ck_assert_str_eq(data, text);
    sy_free(data);
}

static void write_text(const char *path, const char *text)
{
    sy_check_ok(sy_file_write(path, text, strlen(text), &err), err);
}

START_TEST(what_is_written_is_read)
{
    const char *path = sy_check_path("file");
    write_text(path, "some bytes");
    check_content(path, "some bytes");
    write_text(path, "");
    check_content(path, "");
    ck_assert_int_eq(sy_check_folder_count(), 1);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(all_byte_values_and_sizes_survive)
{
    static const size_t sizes[] = {1,          4095,    4096,   4097,
                                   256 * 1024, 1000003, 262145, 262143};
    const char *path = sy_check_path("file");
    char *data = malloc(1000003);
    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < 1000003; i++) {
        data[i] = (char)(i * 7 + i / 256);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *read_back;
        size_t bytes;
        struct sy_map map;
        sy_check_ok(sy_file_write(path, data, sizes[i], &err), err);
        sy_check_ok(sy_file_read(path, sizes[i], &read_back, &bytes, &err),
                    err);
        ck_assert_uint_eq(bytes, sizes[i]);
        ck_assert_int_eq(memcmp(read_back, data, bytes), 0);
        ck_assert_int_eq(read_back[bytes], 0);
        sy_free(read_back);
        sy_check_ok(sy_map_open(&map, path, &err), err);
        ck_assert_uint_eq(map.bytes, sizes[i]);
        ck_assert_int_eq(memcmp(map.data, data, map.bytes), 0);
        sy_map_close(&map);
    }
    free(data);
}
END_TEST

START_TEST(a_file_that_is_too_large_is_refused)
{
    const char *path = sy_check_path("file");
    char *data = NULL;
    size_t bytes = 7;
    write_text(path, "12345");
    sy_check_fails(sy_file_read(path, 4, &data, &bytes, &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "expected at most 4 bytes, found 5");
    ck_assert_ptr_null(data);
    ck_assert_uint_eq(bytes, 7);
    sy_check_ok(sy_file_read(path, 5, &data, &bytes, &err), err);
    sy_free(data);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_file_without_a_length_is_read_to_its_end)
{
    char *data;
    size_t bytes;
    sy_check_ok(sy_file_read("/proc/self/status", 1 << 20, &data, &bytes, &err),
                err);
    ck_assert_uint_gt(bytes, 100);
    ck_assert_int_eq(strncmp(data, "Name:", 5), 0);
    sy_free(data);
    sy_check_fails(sy_file_read("/proc/self/status", 50, &data, &bytes, &err),
                   SY_BAD_INPUT, err);
    sy_check_says(err, "found more");
}
END_TEST

START_TEST(readers_say_why_they_cannot_read)
{
    struct sy_map map = {0};
    char *data = NULL;
    size_t bytes;
    const char *absent = sy_check_path("absent");
    const char *pipe = sy_check_path("pipe");
    const char *below_file = sy_check_path("file/x");
    write_text(sy_check_path("file"), "x");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    sy_check_fails(sy_map_open(&map, absent, &err), SY_NOT_FOUND, err);
    sy_check_says(err, "absent: cannot open: No such file");
    sy_check_fails(sy_map_open(&map, below_file, &err), SY_NOT_FOUND, err);
    sy_check_fails(sy_map_open(&map, sy_check_folder(), &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "found a folder");
    sy_check_fails(sy_map_open(&map, pipe, &err), SY_BAD_INPUT, err);
    sy_check_fails(sy_file_read(absent, 9, &data, &bytes, &err), SY_NOT_FOUND,
                   err);
    sy_check_fails(sy_file_read(pipe, 9, &data, &bytes, &err), SY_BAD_INPUT,
                   err);
    sy_check_fails(sy_file_read("/dev/zero", 9, &data, &bytes, &err),
                   SY_BAD_INPUT, err);
    ck_assert_ptr_null(map.data);
    ck_assert_ptr_null(data);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(an_empty_file_maps_to_no_bytes)
{
    struct sy_map map = {0};
    write_text(sy_check_path("file"), "");
    sy_check_ok(sy_map_open(&map, sy_check_path("file"), &err), err);
    ck_assert_ptr_nonnull(map.data);
    ck_assert_uint_eq(map.bytes, 0);
    sy_map_close(&map);
    sy_map_close(&map);
}
END_TEST

START_TEST(a_map_outlives_the_replacement_of_its_file)
{
    struct sy_map map;
    const char *path = sy_check_path("file");
    write_text(path, "old");
    sy_check_ok(sy_map_open(&map, path, &err), err);
    write_text(path, "new bytes");
    ck_assert_int_eq(memcmp(map.data, "old", 3), 0);
    sy_map_close(&map);
}
END_TEST

START_TEST(nothing_is_seen_before_commit)
{
    struct sy_writer writer;
    const char *path = sy_check_path("file");
    write_text(path, "old");
    sy_check_ok(sy_writer_open(&writer, path, &err), err);
    sy_check_ok(sy_writer_write(&writer, "new", 3, &err), err);
    check_content(path, "old");
    sy_check_ok(sy_writer_commit(&writer, &err), err);
    check_content(path, "new");
    sy_writer_abort(&writer);
    check_content(path, "new");
    ck_assert_int_eq(sy_check_folder_count(), 1);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(abort_leaves_the_target_and_nothing_else)
{
    struct sy_writer writer;
    const char *path = sy_check_path("file");
    write_text(path, "old");
    sy_check_ok(sy_writer_open(&writer, path, &err), err);
    ck_assert_int_eq(sy_check_folder_count(), 2);
    sy_check_ok(sy_writer_write(&writer, "new", 3, &err), err);
    sy_writer_abort(&writer);
    sy_writer_abort(&writer);
    check_content(path, "old");
    ck_assert_int_eq(sy_check_folder_count(), 1);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_zeroed_writer_may_be_aborted)
{
    struct sy_writer writer = {0};
    sy_writer_abort(&writer);
    ck_assert_int_ge(fcntl(STDIN_FILENO, F_GETFD), 0);
}
END_TEST

START_TEST(a_closed_writer_refuses)
{
    struct sy_writer writer;
    sy_check_ok(sy_writer_open(&writer, sy_check_path("file"), &err), err);
    sy_writer_abort(&writer);
    sy_check_fails(sy_writer_write(&writer, "x", 1, &err), SY_IO, err);
    sy_check_fails(sy_writer_commit(&writer, &err), SY_IO, err);
    ck_assert_int_eq(sy_check_folder_count(), 0);
}
END_TEST

START_TEST(many_small_writes_make_one_file)
{
    struct sy_writer writer;
    char *data;
    size_t bytes;
    const char *path = sy_check_path("file");
    sy_check_ok(sy_writer_open(&writer, path, &err), err);
    for (int i = 0; i < 100000; i++) {
        char text[16];
        int length = snprintf(text, sizeof text, "%d\n", i);
        sy_check_ok(sy_writer_write(&writer, text, (size_t)length, &err), err);
    }
    sy_check_ok(sy_writer_commit(&writer, &err), err);
    sy_check_ok(sy_file_read(path, 1 << 20, &data, &bytes, &err), err);
    char *at = data;
    for (int i = 0; i < 100000; i++) {
        ck_assert_int_eq(strtol(at, &at, 10), i);
    }
    ck_assert_str_eq(at, "\n");
    sy_free(data);
}
END_TEST

/* Runs a write of `bytes` with files limited to `limit` bytes. */
static enum sy_status write_on_full_disk(const char *path, const char *data,
                                         size_t bytes, rlim_t limit)
{
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit low = {limit, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum sy_status status = sy_file_write(path, data, bytes, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    return status;
}

START_TEST(a_full_disk_leaves_the_old_bytes_and_nothing_else)
{
    static const rlim_t limits[] = {0, 1, 1000, 4096, 262144, 300000, 599999};
    const char *path = sy_check_path("file");
    char *data = calloc(1, 600000);
    ck_assert_ptr_nonnull(data);
    write_text(path, "old");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        sy_check_fails(write_on_full_disk(path, data, 600000, limits[i]), SY_IO,
                       err);
        sy_check_says(err, "cannot write: File too large");
        sy_check_fails(write_on_full_disk(path, data, 100, limits[i] % 100),
                       SY_IO, err);
        check_content(path, "old");
        ck_assert_int_eq(sy_check_folder_count(), 1);
        ck_assert_int_eq(sy_alloc_live(), 0);
    }
    sy_check_ok(write_on_full_disk(path, data, 600000, 600000), err);
    free(data);
}
END_TEST

START_TEST(a_file_that_is_new_stays_absent_on_a_full_disk)
{
    const char *path = sy_check_path("file");
    sy_check_fails(write_on_full_disk(path, "0123456789", 10, 5), SY_IO, err);
    ck_assert(!sy_file_exists(path));
    ck_assert_int_eq(sy_check_folder_count(), 0);
}
END_TEST

START_TEST(a_target_that_is_not_a_file_is_refused)
{
    struct sy_writer writer;
    sy_check_fails(sy_file_write("/dev/null", "x", 1, &err), SY_BAD_INPUT, err);
    sy_check_fails(sy_file_write(sy_check_folder(), "x", 1, &err), SY_BAD_INPUT,
                   err);
    sy_check_fails(sy_writer_open(&writer, "", &err), SY_BAD_INPUT, err);
    sy_writer_abort(&writer);
    ck_assert_int_eq(sy_check_folder_count(), 0);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_rename_that_fails_leaves_nothing_behind)
{
    struct sy_writer writer;
    const char *path = sy_check_path("file");
    sy_check_ok(sy_writer_open(&writer, path, &err), err);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    sy_check_fails(sy_writer_commit(&writer, &err), SY_IO, err);
    sy_check_says(err, "file: cannot replace: Is a directory");
    ck_assert_int_eq(sy_check_folder_count(), 1);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_folder_that_is_absent_is_said)
{
    sy_check_fails(sy_file_write(sy_check_path("absent/file"), "x", 1, &err),
                   SY_NOT_FOUND, err);
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_path_or_name_that_is_too_long_is_an_error)
{
    char path[SY_PATH_BYTES + 10];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    sy_check_fails(sy_file_write(path, "x", 1, &err), SY_BAD_INPUT, err);
    sy_check_fails(sy_dir_make(path, &err), SY_BAD_INPUT, err);
    path[300] = '\0';
    sy_check_fails(sy_file_write(path, "x", 1, &err), SY_IO, err);
    sy_check_says(err, "File name too long");
    path[300] = 'a';
    path[SY_PATH_BYTES - 1] = '\0';
    for (size_t i = 100; i < SY_PATH_BYTES - 1; i += 100) {
        path[i] = '/';
    }
    sy_check_fails(sy_file_write(path, "x", 1, &err), SY_IO, err);
}
END_TEST

START_TEST(the_mode_of_a_new_file_is_that_of_the_umask)
{
    struct stat info;
    umask(027);
    write_text(sy_check_path("file"), "x");
    ck_assert_int_eq(stat(sy_check_path("file"), &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
}
END_TEST

START_TEST(a_private_file_stays_private_when_it_is_replaced)
{
    struct stat info;
    const char *path = sy_check_path("file");
    write_text(path, "x");
    ck_assert_int_eq(chmod(path, 0600), 0);
    write_text(path, "y");
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_file_in_the_current_folder_needs_no_slash)
{
    ck_assert_int_eq(chdir(sy_check_folder()), 0);
    write_text("plain", "x");
    check_content("plain", "x");
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(folders_are_made_with_their_parents)
{
    sy_check_ok(sy_dir_make(sy_check_path("a/b//c/"), &err), err);
    ck_assert(sy_dir_exists(sy_check_path("a/b/c")));
    sy_check_ok(sy_dir_make(sy_check_path("a/b/c"), &err), err);
    sy_check_ok(sy_dir_make("/", &err), err);
    sy_check_fails(sy_dir_make("", &err), SY_BAD_INPUT, err);
}
END_TEST

START_TEST(a_file_in_the_way_of_a_folder_is_said)
{
    write_text(sy_check_path("file"), "x");
    sy_check_fails(sy_dir_make(sy_check_path("file"), &err), SY_BAD_INPUT, err);
    sy_check_fails(sy_dir_make(sy_check_path("file/sub"), &err), SY_BAD_INPUT,
                   err);
    sy_check_says(err, "file: expected a folder, found a file");
    sy_check_fails(sy_dir_make("/proc/nothing/here", &err), SY_IO, err);
}
END_TEST

START_TEST(exists_tells_files_from_folders)
{
    write_text(sy_check_path("file"), "x");
    ck_assert(sy_file_exists(sy_check_path("file")));
    ck_assert(!sy_dir_exists(sy_check_path("file")));
    ck_assert(sy_dir_exists(sy_check_folder()));
    ck_assert(!sy_file_exists(sy_check_folder()));
    ck_assert(!sy_file_exists(sy_check_path("absent")));
    ck_assert(!sy_dir_exists(sy_check_path("absent")));
}
END_TEST

START_TEST(join_puts_one_slash)
{
    char path[8];
    sy_check_ok(sy_path_join(path, sizeof path, "a", "b", &err), err);
    ck_assert_str_eq(path, "a/b");
    sy_check_ok(sy_path_join(path, sizeof path, path, "c", &err), err);
    ck_assert_str_eq(path, "a/b/c");
    sy_check_ok(sy_path_join(path, sizeof path, "a/", "b", &err), err);
    ck_assert_str_eq(path, "a/b");
    sy_check_ok(sy_path_join(path, sizeof path, "/", "b", &err), err);
    ck_assert_str_eq(path, "/b");
    sy_check_ok(sy_path_join(path, sizeof path, "", "b", &err), err);
    ck_assert_str_eq(path, "b");
}
END_TEST

START_TEST(join_refuses_what_does_not_fit_and_touches_nothing)
{
    char path[8] = "before";
    sy_check_ok(sy_path_join(path, sizeof path, "abc", "def", &err), err);
    ck_assert_str_eq(path, "abc/def");
    sy_check_fails(sy_path_join(path, sizeof path, "abc", "defg", &err),
                   SY_BAD_INPUT, err);
    ck_assert_str_eq(path, "abc/def");
    sy_check_fails(sy_path_join(path, 0, "", "", &err), SY_BAD_INPUT, err);
}
END_TEST

/* Writes "name " or "name/ " for each entry. */
static enum sy_status note_entry(void *context, const char *name, bool is_dir,
                                 struct sy_error *error)
{
    char *text = context;
    if (strcmp(name, "stop") == 0) {
        return sy_fail(error, SY_CANCELLED, "stopped");
    }
    strcat(text, name);
    strcat(text, is_dir ? "/ " : " ");
    return SY_OK;
}

START_TEST(a_listing_is_in_order_of_name)
{
    char text[200] = "";
    write_text(sy_check_path("b"), "");
    write_text(sy_check_path("a"), "");
    write_text(sy_check_path("a10"), "");
    write_text(sy_check_path("B"), "");
    write_text(sy_check_path(".hidden"), "");
    sy_check_ok(sy_dir_make(sy_check_path("dir"), &err), err);
    ck_assert_int_eq(symlink("dir", sy_check_path("link")), 0);
    ck_assert_int_eq(symlink("gone", sy_check_path("dangling")), 0);
    sy_check_ok(sy_dir_list(sy_check_folder(), note_entry, text, &err), err);
    ck_assert_str_eq(text, ".hidden B a a10 b dangling dir/ link/ ");
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_listing_stops_with_the_status_of_the_callback)
{
    char text[200] = "";
    write_text(sy_check_path("a"), "");
    write_text(sy_check_path("stop"), "");
    write_text(sy_check_path("z"), "");
    sy_check_fails(sy_dir_list(sy_check_folder(), note_entry, text, &err),
                   SY_CANCELLED, err);
    ck_assert_str_eq(text, "a ");
    ck_assert_int_eq(sy_alloc_live(), 0);
}
END_TEST

static enum sy_status count_entry(void *context, const char *name, bool is_dir,
                                  struct sy_error *error)
{
    int *count = context;
    char expected[16];
    (void)error;
    snprintf(expected, sizeof expected, "%05d", (*count)++);
    ck_assert_str_eq(name, expected);
    ck_assert(!is_dir);
    return SY_OK;
}

START_TEST(a_large_folder_is_listed_whole)
{
    int count = 0;
    for (int i = 0; i < 1100; i++) {
        char name[16];
        snprintf(name, sizeof name, "%05d", i * 7 % 1100);
        int fd = open(sy_check_path(name), O_WRONLY | O_CREAT | O_EXCL, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    sy_check_ok(sy_dir_list(sy_check_folder(), count_entry, &count, &err), err);
    ck_assert_int_eq(count, 1100);
}
END_TEST

START_TEST(listing_what_is_not_a_folder_is_an_error)
{
    char text[8] = "";
    write_text(sy_check_path("file"), "x");
    sy_check_fails(sy_dir_list(sy_check_path("absent"), note_entry, text, &err),
                   SY_NOT_FOUND, err);
    sy_check_fails(sy_dir_list(sy_check_path("file"), note_entry, text, &err),
                   SY_NOT_FOUND, err);
    ck_assert_str_eq(text, "");
}
END_TEST

static void add_reading(TCase *tc)
{
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, all_byte_values_and_sizes_survive);
    tcase_add_test(tc, a_file_that_is_too_large_is_refused);
    tcase_add_test(tc, a_file_without_a_length_is_read_to_its_end);
    tcase_add_test(tc, readers_say_why_they_cannot_read);
    tcase_add_test(tc, an_empty_file_maps_to_no_bytes);
    tcase_add_test(tc, a_map_outlives_the_replacement_of_its_file);
}

static void add_writing(TCase *tc)
{
    tcase_add_test(tc, nothing_is_seen_before_commit);
    tcase_add_test(tc, abort_leaves_the_target_and_nothing_else);
    tcase_add_test(tc, a_zeroed_writer_may_be_aborted);
    tcase_add_test(tc, a_closed_writer_refuses);
    tcase_add_test(tc, many_small_writes_make_one_file);
    tcase_add_test(tc, a_full_disk_leaves_the_old_bytes_and_nothing_else);
    tcase_add_test(tc, a_file_that_is_new_stays_absent_on_a_full_disk);
    tcase_add_test(tc, a_target_that_is_not_a_file_is_refused);
    tcase_add_test(tc, a_rename_that_fails_leaves_nothing_behind);
    tcase_add_test(tc, a_folder_that_is_absent_is_said);
    tcase_add_test(tc, a_path_or_name_that_is_too_long_is_an_error);
    tcase_add_test(tc, the_mode_of_a_new_file_is_that_of_the_umask);
    tcase_add_test(tc, a_private_file_stays_private_when_it_is_replaced);
    tcase_add_test(tc, a_file_in_the_current_folder_needs_no_slash);
}

static void add_folders(TCase *tc)
{
    tcase_add_test(tc, folders_are_made_with_their_parents);
    tcase_add_test(tc, a_file_in_the_way_of_a_folder_is_said);
    tcase_add_test(tc, exists_tells_files_from_folders);
    tcase_add_test(tc, join_puts_one_slash);
    tcase_add_test(tc, join_refuses_what_does_not_fit_and_touches_nothing);
    tcase_add_test(tc, a_listing_is_in_order_of_name);
    tcase_add_test(tc, a_listing_stops_with_the_status_of_the_callback);
    tcase_add_test(tc, a_large_folder_is_listed_whole);
    tcase_add_test(tc, listing_what_is_not_a_folder_is_an_error);
}

static Suite *suite(void)
{
    static const struct {
        const char *name;
        void (*add)(TCase *);
    } cases[] = {{"reading", add_reading},
                 {"writing", add_writing},
                 {"folders", add_folders}};
    Suite *s = suite_create("file");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TCase *tc = tcase_create(cases[i].name);
        tcase_add_checked_fixture(tc, sy_check_folder_make,
                                  sy_check_folder_remove);
        cases[i].add(tc);
        suite_add_tcase(s, tc);
    }
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
