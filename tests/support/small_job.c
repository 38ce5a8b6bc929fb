/*
 * small_job.c - a job that is done in a moment.
 */
#include "tests/support/small_job.h"

#include <math.h>

#include "runtime/artefact/safetensors.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"
#include "tests/support/domain_files.h"

enum { RUNS_MOST = 64 };

void sy_put_small_job(const char *config, int one)
{
    sy_put_domain(&(struct sy_domain_files){
        .name = "few", .train = 30, .classes = 3, .height = 4, .width = 5});
    sy_put_domain(&(struct sy_domain_files){
        .name = "many", .train = 50, .classes = 2, .channels = 3});
    sy_put_domain(&(struct sy_domain_files){
        .name = "one", .train = one, .classes = 1, .height = 5, .width = 3});
    sy_put_text("config.json", config);
}

void sy_load_small_job(struct nas_config *config,
                       const struct sy_small_sets *sets)
{
    struct sy_error err = {0};
    int count = 0;
    while (count < SY_SMALL_SETS && sets->set[count] != NULL) {
        count++;
    }
    sy_check_ok(nas_config_load(config, sy_check_path("config.json"), sets->set,
                                count, &err),
                err);
}

void sy_check_stops(sy_small_run_fn run, const void *way, int64_t steps)
{
    struct sy_small_run whole, other;
    struct sy_error err = {0};
    sy_check_ok(run(way, "whole", 1, false, false, &whole, &err), err);
    ck_assert_int_eq(whole.steps, steps);
    sy_check_ok(run(way, "threads", 3, false, false, &other, &err), err);
    ck_assert_str_eq(other.hash, whole.hash);
    int runs = 0;
    enum sy_status status = SY_CANCELLED;
    for (; status == SY_CANCELLED && runs < RUNS_MOST; runs++) {
        status = run(way, "pieces", 1 + runs % 2, runs > 0, true, &other, &err);
    }
    sy_check_ok(status, err);
    ck_assert_int_eq(runs, steps + 1);
    ck_assert_str_eq(other.hash, whole.hash);
}

void sy_check_finite(const char *checkpoint)
{
    struct sy_error err = {0};
    struct sy_st_file *file = NULL;
    sy_check_ok(sy_st_open(&file, checkpoint, &err), err);
    const struct sy_st_entry *values = sy_st_find(file, "values");
    for (size_t i = 0; i < values->count; i++) {
        ck_assert(isfinite(values->data[i]));
    }
    sy_st_close(file);
}
