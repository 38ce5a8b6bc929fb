/*
 * test_study.c - the history of a job: what is written can be read while it
 * is written, a resumed run has no row twice, and no fault of the file stops
 * the job.
 */
#include "search/study/study.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "search/study/db.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { DOMAINS = 2, SAMPLES = 3 };

static const char names[DOMAINS][SY_NAME_BYTES] = {"glyphs", "colours"};
static const double targets[DOMAINS] = {3e6, 5e6};
static struct sy_error err;
static char file[SY_PATH_BYTES];

static void setup(void)
{
    sy_check_folder_make();
    (void)snprintf(file, sizeof file, "%s", sy_check_path(NAS_STUDY_FILE));
}

static const struct nas_study_run *run_of(const char *label,
                                          const char *identity)
{
    static struct nas_study_run run;
    run = (struct nas_study_run){.label = label,
                                 .identity = identity,
                                 .config = "{\"name\":\"x\"}",
                                 .seed = 7,
                                 .steps = 100,
                                 .domain_count = DOMAINS,
                                 .domain = names,
                                 .target = targets};
    return &run;
}

/* Steps first..last-1, all domains, with samples and an evaluation each. */
static void add_steps(struct nas_study *study, int64_t first, int64_t last)
{
    const struct sy_path path = {.layer_count = 3, .block = {3, 0, 5}};
    for (int64_t step = first; step < last; step++) {
        for (int d = 0; d < DOMAINS; d++) {
            struct nas_study_step numbers = nas_study_nothing;
            numbers.loss = 2.0 / (double)(step + 1);
            numbers.weight = 0.5 + d;
            nas_study_add_step(study, step, d, &numbers);
            for (int i = 0; i < SAMPLES; i++) {
                nas_study_add_sample(
                    study, step, d, i,
                    &(struct nas_study_sample){&path, 0.5, 1e6, 0.25 * i});
            }
            nas_study_add_evaluation(
                study, step, d,
                &(struct nas_study_evaluation){.kind = "supernet",
                                               .path = &path,
                                               .top1 = 0.75,
                                               .nll = NAN,
                                               .madds = 4e6,
                                               .params = NAN});
        }
    }
}

/* One number of the file, through a connection of its own. */
static double number(const char *sql)
{
    struct nas_db *db = NULL;
    struct nas_query *query = NULL;
    bool row = false;
    sy_check_ok(nas_db_open(&db, file, false, &err), err);
    sy_check_ok(nas_db_query(&query, db, sql, &err), err);
    sy_check_ok(nas_query_next(query, &row, &err), err);
    double value = row ? nas_query_get_real(query, 0) : NAN;
    nas_query_end(query);
    nas_db_close(db);
    return value;
}

START_TEST(what_is_added_stands_in_the_file)
{
    int64_t live = sy_alloc_live();
    struct nas_study *study = nas_study_open(file);
    ck_assert_ptr_nonnull(study);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 10);
    nas_study_close(study);
    ck_assert_int_eq(sy_alloc_live(), live);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 20);
    ck_assert_double_eq(number("SELECT count(*) FROM samples"), 60);
    ck_assert_double_eq(number("SELECT count(*) FROM evaluations"), 20);
    ck_assert_double_eq(number("SELECT seed FROM runs WHERE label='search' "
                               "AND identity='abc' AND steps=100 AND "
                               "config='{\"name\":\"x\"}'"),
                        7);
    ck_assert_double_eq(
        number("SELECT target FROM domains WHERE name='colours'"), 5e6);
    ck_assert_double_eq(
        number("SELECT loss FROM steps WHERE step=3 AND domain=1"), 0.5);
    ck_assert_double_eq(
        number("SELECT count(*) FROM steps WHERE reward IS NULL"), 20);
    ck_assert_double_eq(number("SELECT reward FROM samples WHERE step=9 AND "
                               "domain=0 AND sample=2 AND path='3:0:5'"),
                        0.5);
    ck_assert_double_eq(
        number("SELECT max(top1) FROM evaluations WHERE nll IS NULL"), 0.75);
}
END_TEST

START_TEST(a_flush_shows_rows_to_others_and_nothing_half)
{
    struct nas_study *study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 5);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 0);
    nas_study_flush(study);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 10);
    nas_study_close(study);
}
END_TEST

START_TEST(a_resumed_run_goes_on_where_its_checkpoint_is)
{
    struct nas_study *study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 8);
    nas_study_begin(study, run_of("train", "abc"), 0);
    add_steps(study, 0, 8);
    nas_study_close(study);
    /* The checkpoint was saved before step 5. */
    study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 5);
    nas_study_flush(study);
    ck_assert_double_eq(number("SELECT max(step) FROM steps, runs WHERE run=id "
                               "AND label='search'"),
                        4);
    add_steps(study, 5, 10);
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM runs"), 2);
    ck_assert_double_eq(number("SELECT count(*) FROM steps, runs WHERE run=id "
                               "AND label='search'"),
                        20);
    ck_assert_double_eq(number("SELECT count(*) FROM evaluations, runs WHERE "
                               "run=runs.id AND label='search'"),
                        20);
    ck_assert_double_eq(number("SELECT count(*) FROM samples, runs WHERE "
                               "run=id AND label='train'"),
                        8 * DOMAINS * SAMPLES);
}
END_TEST

START_TEST(a_run_that_begins_again_has_no_rows_of_before)
{
    struct nas_study *study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 8);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 2);
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM runs"), 1);
    ck_assert_double_eq(number("SELECT count(*) FROM domains"), DOMAINS);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 2 * DOMAINS);
    ck_assert_double_eq(number("SELECT count(*) FROM evaluations"),
                        2 * DOMAINS);
}
END_TEST

/* Reads until told to stop; any failure is kept. */
struct reader {
    atomic_bool stop;
    int reads;
    double last;
    enum sy_status status;
    struct sy_error err;
};

static enum sy_status read_once(struct reader *r)
{
    struct nas_db *db = NULL;
    struct nas_query *query = NULL;
    bool row = false;
    SY_TRY(nas_db_open(&db, file, false, &r->err));
    enum sy_status status = nas_db_query(
        &query, db, "SELECT count(*) FROM steps s JOIN samples USING(run)",
        &r->err);
    status = status == SY_OK ? nas_query_next(query, &row, &r->err) : status;
    if (status == SY_OK) {
        double found = nas_query_get_real(query, 0);
        status = found >= r->last ? SY_OK : SY_INTERNAL;
        r->last = found;
        r->reads++;
    }
    nas_query_end(query);
    nas_db_close(db);
    return status;
}

static void *read_all(void *context)
{
    struct reader *r = context;
    while (r->status == SY_OK && !atomic_load(&r->stop)) {
        r->status = read_once(r);
    }
    return NULL;
}

START_TEST(readers_and_the_writer_do_not_lock_each_other)
{
    enum { READERS = 3 };
    struct reader reader[READERS];
    pthread_t thread[READERS];
    memset(reader, 0, sizeof reader);
    struct nas_study *study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 0);
    for (int i = 0; i < READERS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, read_all, &reader[i]),
                         0);
    }
    for (int64_t step = 0; step < 200; step++) {
        add_steps(study, step, step + 1);
        nas_study_flush(study);
    }
    for (int i = 0; i < READERS; i++) {
        atomic_store(&reader[i].stop, true);
        (void)pthread_join(thread[i], NULL);
        sy_check_ok(reader[i].status, reader[i].err);
        ck_assert_int_gt(reader[i].reads, 0);
    }
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 400);
}
END_TEST

START_TEST(what_a_killed_writer_had_flushed_stays)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct nas_study *study = nas_study_open(file);
        nas_study_begin(study, run_of("search", "abc"), 0);
        add_steps(study, 0, 6);
        nas_study_flush(study);
        add_steps(study, 6, 9);
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    struct nas_study *study = nas_study_open(file);
    ck_assert_ptr_nonnull(study);
    nas_study_begin(study, run_of("search", "abc"), 6);
    add_steps(study, 6, 8);
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 16);
    ck_assert_double_eq(number("SELECT count(*) FROM samples"), 48);
    ck_assert(!sy_file_exists(sy_check_path(NAS_STUDY_FILE ".damaged-1")));
}
END_TEST

/* A file of many pages. */
static size_t make_file(void)
{
    struct stat info;
    struct nas_study *study = nas_study_open(file);
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 300);
    nas_study_close(study);
    ck_assert_int_eq(stat(file, &info), 0);
    return (size_t)info.st_size;
}

/* The file is moved aside, and a fresh one takes what is added. */
static void expect_fresh(const char *aside)
{
    struct nas_study *study = nas_study_open(file);
    ck_assert_ptr_nonnull(study);
    nas_study_begin(study, run_of("search", "abc"), 250);
    add_steps(study, 250, 252);
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 4);
    ck_assert(sy_file_exists(sy_check_path(aside)));
}

START_TEST(a_truncated_file_is_moved_aside)
{
    size_t bytes = make_file();
    ck_assert_int_eq(truncate(file, (off_t)(bytes / 2)), 0);
    expect_fresh(NAS_STUDY_FILE ".damaged-1");
    ck_assert_int_eq(truncate(file, 100), 0);
    expect_fresh(NAS_STUDY_FILE ".damaged-2");
}
END_TEST

START_TEST(a_file_of_noise_is_moved_aside)
{
    uint8_t noise[4096];
    sy_noise(noise, sizeof noise, 3);
    sy_put(NAS_STUDY_FILE, noise, sizeof noise);
    expect_fresh(NAS_STUDY_FILE ".damaged-1");
}
END_TEST

START_TEST(a_page_of_noise_is_found)
{
    uint8_t noise[4096];
    size_t bytes = make_file();
    sy_noise(noise, sizeof noise, 4);
    FILE *out = fopen(file, "r+b");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(fseek(out, (long)(bytes / 8192 * 4096), SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(noise, 1, sizeof noise, out), sizeof noise);
    ck_assert_int_eq(fclose(out), 0);
    expect_fresh(NAS_STUDY_FILE ".damaged-1");
}
END_TEST

START_TEST(a_database_of_somebody_else_is_left_alone_beside)
{
    struct nas_db *db = NULL;
    sy_check_ok(nas_db_open(&db, file, true, &err), err);
    sy_check_ok(nas_db_run(db,
                           "CREATE TABLE theirs(x); INSERT INTO theirs "
                           "VALUES(42)",
                           &err),
                err);
    nas_db_close(db);
    expect_fresh(NAS_STUDY_FILE ".damaged-1");
    (void)snprintf(file, sizeof file, "%s",
                   sy_check_path(NAS_STUDY_FILE ".damaged-1"));
    ck_assert_double_eq(number("SELECT x FROM theirs"), 42);
}
END_TEST

/* Everything on a store that is none. */
static void use_in_vain(struct nas_study *study)
{
    nas_study_begin(study, run_of("search", "abc"), 0);
    add_steps(study, 0, 3);
    nas_study_flush(study);
    nas_study_close(study);
}

START_TEST(a_folder_that_cannot_be_written_stops_nothing)
{
    /* A folder in which nobody, root included, can make a file. */
    ck_assert_ptr_null(nas_study_open("/proc/self/" NAS_STUDY_FILE));
    ck_assert_ptr_null(nas_study_open(sy_check_path("none/" NAS_STUDY_FILE)));
    use_in_vain(NULL);
}
END_TEST

START_TEST(a_full_disk_stops_nothing)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const struct rlimit limit = {256 << 10, 256 << 10};
        (void)signal(SIGXFSZ, SIG_IGN);
        struct nas_study *study = nas_study_open(file);
        nas_study_begin(study, run_of("search", "abc"), 0);
        add_steps(study, 0, 5);
        nas_study_flush(study);
        if (study == NULL || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(3);
        }
        for (int64_t step = 5; step < 3000; step += 100) {
            add_steps(study, step, step + 100);
            nas_study_flush(study);
        }
        nas_study_close(study);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    /* What had been flushed before is whole, and some rows did not fit. */
    ck_assert_double_ge(number("SELECT count(*) FROM steps"), 10);
    ck_assert_double_lt(number("SELECT count(*) FROM steps"), 6000);
}
END_TEST

START_TEST(rows_before_a_run_go_nowhere)
{
    struct nas_study *study = nas_study_open(file);
    add_steps(study, 0, 3);
    nas_study_close(study);
    ck_assert_double_eq(number("SELECT count(*) FROM steps"), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("study");
    TCase *tc = tcase_create("study");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, sy_check_folder_remove);
    tcase_add_test(tc, what_is_added_stands_in_the_file);
    tcase_add_test(tc, a_flush_shows_rows_to_others_and_nothing_half);
    tcase_add_test(tc, a_resumed_run_goes_on_where_its_checkpoint_is);
    tcase_add_test(tc, a_run_that_begins_again_has_no_rows_of_before);
    tcase_add_test(tc, readers_and_the_writer_do_not_lock_each_other);
    tcase_add_test(tc, what_a_killed_writer_had_flushed_stays);
    tcase_add_test(tc, a_truncated_file_is_moved_aside);
    tcase_add_test(tc, a_file_of_noise_is_moved_aside);
    tcase_add_test(tc, a_page_of_noise_is_found);
    tcase_add_test(tc, a_database_of_somebody_else_is_left_alone_beside);
    tcase_add_test(tc, a_folder_that_cannot_be_written_stops_nothing);
    tcase_add_test(tc, a_full_disk_stops_nothing);
    tcase_add_test(tc, rows_before_a_run_go_nowhere);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return sy_check_run(suite());
}
