/*
 * test_batcher.c - the queue and the batches, with an engine made of glass.
 *
 * The run function is ours: it copies each image's first number to its first
 * output, records the batches, and can be held so that a queue forms.
 */
#include "serving/batcher.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "tests/support/check_main.h"

enum { MAX_BATCHES = 256, SIDE = 2, CLASSES = 3 };

/* What the engine did and whether it may go on; guarded by lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool held;
    bool inside;
    int batches;
    int images[MAX_BATCHES];
    struct srv_live *live[MAX_BATCHES];
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .moved = PTHREAD_COND_INITIALIZER};

static void glass_run(struct srv_live *live, struct sy_request *requests,
                      int count)
{
    pthread_mutex_lock(&engine.lock);
    engine.live[engine.batches] = live;
    engine.images[engine.batches++] = count;
    engine.inside = true;
    pthread_cond_broadcast(&engine.moved);
    while (engine.held) {
        pthread_cond_wait(&engine.moved, &engine.lock);
    }
    engine.inside = false;
    pthread_mutex_unlock(&engine.lock);
    for (int i = 0; i < count; i++) {
        requests[i].result[0].outputs[0] = requests[i].image[0];
        requests[i].result[0].probabilities[0] = -requests[i].image[0];
        requests[i].blocks = 4;
        requests[i].madds = 100;
    }
}

static void hold(bool held)
{
    pthread_mutex_lock(&engine.lock);
    engine.held = held;
    pthread_cond_broadcast(&engine.moved);
    pthread_mutex_unlock(&engine.lock);
}

static void wait_until_inside(void)
{
    pthread_mutex_lock(&engine.lock);
    while (!engine.inside) {
        pthread_cond_wait(&engine.moved, &engine.lock);
    }
    pthread_mutex_unlock(&engine.lock);
}

/* Who waits for a job. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t told;
    int calls;
};

#define WAITER                                                                 \
    {                                                                          \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                 \
    }

static void tell_waiter(void *context, bool more)
{
    (void)more;
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->lock);
    waiter->calls++;
    pthread_cond_broadcast(&waiter->told);
    pthread_mutex_unlock(&waiter->lock);
}

static void await(struct waiter *waiter, int calls)
{
    pthread_mutex_lock(&waiter->lock);
    while (waiter->calls < calls) {
        pthread_cond_wait(&waiter->told, &waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
}

static struct sy_domain domain = {.name = "d", .classes = CLASSES};
static struct sy_network network = {
    .spec = {.input = {SIDE, SIDE, 3}}, .domain_count = 1, .domain = &domain};

static struct srv_live *new_live(void)
{
    struct srv_live *live = sy_alloc_zero(1, sizeof *live);
    ck_assert_ptr_nonnull(live);
    atomic_init(&live->refs, 1);
    live->network = &network;
    return live;
}

static struct srv_job *new_job(struct srv_live *live, int images, float first)
{
    struct srv_job *job;
    struct sy_error err = {0};
    sy_check_ok(srv_job_new(&job, live, 0, images, &err), err);
    for (int i = 0; i < images; i++) {
        job->images[(size_t)i * job->image_floats] = first + (float)i;
    }
    job->deadline_ns = sy_now_ns() + 60000000000;
    return job;
}

static struct srv_batcher *new_batcher(int max_batch, int max_queue)
{
    struct srv_batcher_options options = {
        .queue = {.max_batch = max_batch, .max_queue = max_queue},
        .run = glass_run};
    struct srv_batcher *batcher;
    struct sy_error err = {0};
    sy_check_ok(srv_batcher_new(&batcher, &options, &err), err);
    return batcher;
}

static void submit(struct srv_batcher *batcher, struct srv_job *job,
                   struct waiter *waiter)
{
    struct sy_error err = {0};
    sy_check_ok(srv_batcher_submit(batcher, job, tell_waiter, waiter, &err),
                err);
}

static void check_answers(const struct srv_job *job, float first)
{
    ck_assert_int_eq((int)job->end, SRV_JOB_DONE);
    for (int i = 0; i < job->image_count; i++) {
        ck_assert(job->logits[i * CLASSES] == first + (float)i);
        ck_assert(job->probabilities[i * CLASSES] == -(first + (float)i));
    }
    ck_assert_int_eq(job->blocks, 4);
    ck_assert_int_eq((int)job->madds, 100 * job->image_count);
}

START_TEST(an_idle_engine_takes_a_job_at_once)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(8, 8);
    struct waiter waiter = WAITER;
    struct srv_job *job = new_job(live, 1, 5);
    submit(batcher, job, &waiter);
    await(&waiter, 1);
    check_answers(job, 5);
    srv_job_unref(job);
    srv_batcher_free(batcher);
    ck_assert_int_eq(waiter.calls, 1);
    srv_live_unref(live);
}
END_TEST

START_TEST(jobs_that_wait_become_one_batch)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(8, 8);
    struct waiter waiter = WAITER;
    struct srv_job *job[5];
    hold(true);
    for (int i = 0; i < 5; i++) {
        job[i] = new_job(live, 1, (float)(10 * i));
        submit(batcher, job[i], &waiter);
        if (i == 0) {
            wait_until_inside();
        }
    }
    hold(false);
    await(&waiter, 5);
    ck_assert_int_eq(engine.batches, 2);
    ck_assert_int_eq(engine.images[0], 1);
    ck_assert_int_eq(engine.images[1], 4);
    for (int i = 0; i < 5; i++) {
        check_answers(job[i], (float)(10 * i));
        srv_job_unref(job[i]);
    }
    srv_batcher_free(batcher);
    srv_live_unref(live);
}
END_TEST

START_TEST(a_large_job_is_split_and_lets_others_pass_between)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(4, 8);
    struct waiter large_waits = WAITER, small_waits = WAITER;
    struct srv_job *large = new_job(live, 19, 100);
    struct srv_job *small = new_job(live, 2, 7);
    hold(true);
    submit(batcher, large, &large_waits);
    wait_until_inside();
    submit(batcher, small, &small_waits);
    hold(false);
    await(&large_waits, 1);
    await(&small_waits, 1);
    check_answers(large, 100);
    check_answers(small, 7);
    ck_assert_int_eq(engine.batches, 6);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(engine.images[i], 4);
    }
    ck_assert_int_eq(engine.images[5], 1);
    srv_job_unref(large);
    srv_job_unref(small);
    srv_batcher_free(batcher);
    srv_live_unref(live);
}
END_TEST

START_TEST(a_batch_never_mixes_states_of_a_network)
{
    struct srv_live *live[2] = {new_live(), new_live()};
    struct srv_batcher *batcher = new_batcher(8, 16);
    struct waiter waiter = WAITER;
    struct srv_job *job[9];
    hold(true);
    for (int i = 0; i < 9; i++) {
        job[i] = new_job(live[i % 2], 1, (float)i);
        submit(batcher, job[i], &waiter);
        if (i == 0) {
            wait_until_inside();
        }
    }
    hold(false);
    await(&waiter, 9);
    ck_assert_int_eq(engine.batches, 3);
    ck_assert_ptr_eq(engine.live[1], live[1]);
    ck_assert_int_eq(engine.images[1], 4);
    ck_assert_ptr_eq(engine.live[2], live[0]);
    for (int i = 0; i < 9; i++) {
        check_answers(job[i], (float)i);
        srv_job_unref(job[i]);
    }
    srv_batcher_free(batcher);
    srv_live_unref(live[0]);
    srv_live_unref(live[1]);
}
END_TEST

START_TEST(a_full_queue_refuses_without_calling_the_waiter)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(1, 2);
    struct waiter waiter = WAITER, refused = WAITER;
    struct srv_job *job[4];
    struct sy_error err = {0};
    hold(true);
    for (int i = 0; i < 4; i++) {
        job[i] = new_job(live, 1, (float)i);
        if (i < 3) {
            submit(batcher, job[i], &waiter);
        }
        if (i == 0) {
            wait_until_inside();
        }
    }
    sy_check_fails(srv_batcher_room(batcher, live, 0, &err), SY_BUSY, err);
    sy_check_fails(
        srv_batcher_submit(batcher, job[3], tell_waiter, &refused, &err),
        SY_BUSY, err);
    sy_check_says(err, "queue is full");
    hold(false);
    await(&waiter, 3);
    sy_check_ok(srv_batcher_room(batcher, live, 0, &err), err);
    for (int i = 0; i < 4; i++) {
        srv_job_unref(job[i]);
    }
    struct srv_batcher_stats stats;
    srv_batcher_stats(batcher, &stats);
    ck_assert_int_eq((int)stats.done, 3);
    ck_assert_int_eq((int)stats.refused, 2);
    srv_batcher_free(batcher);
    ck_assert_int_eq(refused.calls, 0);
    srv_live_unref(live);
}
END_TEST

START_TEST(a_queue_is_pressed_when_a_quarter_of_it_is_taken)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(1, 8);
    struct waiter waiter = WAITER;
    struct srv_job *job[4];
    hold(true);
    for (int i = 0; i < 4; i++) {
        job[i] = new_job(live, 1, (float)i);
        submit(batcher, job[i], &waiter);
        if (i == 0) {
            wait_until_inside();
        }
        /* One runs; the others wait in eight places. */
        ck_assert_int_eq(srv_batcher_is_pressed(batcher, live), i == 3);
    }
    hold(false);
    await(&waiter, 4);
    ck_assert(!srv_batcher_is_pressed(batcher, live));
    for (int i = 0; i < 4; i++) {
        srv_job_unref(job[i]);
    }
    srv_batcher_free(batcher);
    srv_live_unref(live);
}
END_TEST

START_TEST(a_deadline_ends_a_job_that_waits_and_one_that_runs)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(1, 8);
    struct waiter running_waits = WAITER, queued_waits = WAITER;
    struct srv_job *running = new_job(live, 1, 1);
    struct srv_job *queued = new_job(live, 1, 2);
    running->deadline_ns = sy_now_ns() + 60000000;
    queued->deadline_ns = sy_now_ns() + 30000000;
    hold(true);
    submit(batcher, running, &running_waits);
    wait_until_inside();
    submit(batcher, queued, &queued_waits);
    await(&queued_waits, 1);
    await(&running_waits, 1);
    ck_assert_int_eq((int)queued->end, SRV_JOB_EXPIRED);
    ck_assert_int_eq((int)running->end, SRV_JOB_EXPIRED_AWAKE);
    srv_job_unref(running);
    srv_job_unref(queued);
    hold(false);
    /* The engine goes on with what comes next. */
    struct srv_job *next = new_job(live, 1, 3);
    struct waiter next_waits = WAITER;
    submit(batcher, next, &next_waits);
    await(&next_waits, 1);
    check_answers(next, 3);
    srv_job_unref(next);
    srv_batcher_free(batcher);
    ck_assert_int_eq(running_waits.calls, 1);
    ck_assert_int_eq(queued_waits.calls, 1);
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_split_job_can_expire_between_its_batches)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(2, 8);
    struct waiter waiter = WAITER;
    struct srv_job *job = new_job(live, 7, 1);
    job->deadline_ns = sy_now_ns() + 20000000;
    hold(true);
    submit(batcher, job, &waiter);
    await(&waiter, 1);
    ck_assert_int_ne((int)job->end, SRV_JOB_DONE);
    srv_job_unref(job);
    hold(false);
    srv_batcher_free(batcher);
    ck_assert_int_eq(waiter.calls, 1);
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_cancelled_job_frees_its_place_and_is_told_once)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(1, 1);
    struct waiter running_waits = WAITER, queued_waits = WAITER;
    struct srv_job *running = new_job(live, 1, 1);
    struct srv_job *queued = new_job(live, 1, 2);
    struct srv_job *next = new_job(live, 1, 3);
    struct srv_batcher_stats stats;
    struct sy_error err = {0};
    hold(true);
    submit(batcher, running, &running_waits);
    wait_until_inside();
    submit(batcher, queued, &queued_waits);
    sy_check_fails(
        srv_batcher_submit(batcher, next, tell_waiter, &queued_waits, &err),
        SY_BUSY, err);
    srv_batcher_cancel(batcher, queued);
    srv_batcher_cancel(batcher, queued);
    srv_batcher_cancel(batcher, running);
    ck_assert_int_eq(queued_waits.calls, 1);
    ck_assert_int_eq(running_waits.calls, 1);
    ck_assert_int_eq((int)queued->end, SRV_JOB_CANCELLED);
    ck_assert_int_eq((int)running->end, SRV_JOB_CANCELLED);
    submit(batcher, next, &queued_waits);
    hold(false);
    await(&queued_waits, 2);
    check_answers(next, 3);
    srv_batcher_cancel(batcher, next); /* too late: it stays done */
    ck_assert_int_eq((int)next->end, SRV_JOB_DONE);
    srv_batcher_stats(batcher, &stats);
    ck_assert_int_eq((int)stats.cancelled, 2);
    ck_assert_int_eq(stats.queued, 0);
    srv_job_unref(running);
    srv_job_unref(queued);
    srv_job_unref(next);
    srv_batcher_free(batcher);
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}
END_TEST

START_TEST(a_job_that_was_cancelled_first_is_not_taken)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(1, 1);
    struct waiter waiter = WAITER;
    struct srv_job *job = new_job(live, 1, 1);
    struct sy_error err = {0};
    srv_batcher_cancel(batcher, job);
    sy_check_fails(srv_batcher_submit(batcher, job, tell_waiter, &waiter, &err),
                   SY_CANCELLED, err);
    ck_assert_int_eq(waiter.calls, 0);
    srv_job_unref(job);
    srv_batcher_free(batcher);
    srv_live_unref(live);
}
END_TEST

START_TEST(tensors_are_taken_from_the_memory_budget)
{
    struct srv_live *live = new_live();
    struct srv_budget budget;
    struct srv_job *job, *other;
    struct sy_error err = {0};
    size_t each = (SIDE * SIDE * 3 + 2 * CLASSES) * sizeof(float);
    srv_budget_init(&budget, 10 * each);
    live->budget = &budget;
    sy_check_ok(srv_job_new(&job, live, 0, 7, &err), err);
    sy_check_fails(srv_job_new(&other, live, 0, 4, &err), SY_BUSY, err);
    sy_check_ok(srv_job_new(&other, live, 0, 3, &err), err);
    srv_job_unref(job);
    srv_job_unref(other);
    ck_assert_int_eq((int)atomic_load(&budget.used_bytes), 0);
    srv_live_unref(live);
}
END_TEST

static void *let_go_later(void *context)
{
    (void)context;
    struct timespec moment = {.tv_nsec = 30000000};
    nanosleep(&moment, NULL);
    hold(false);
    return NULL;
}

START_TEST(stopping_ends_every_job_once_and_refuses_new_ones)
{
    struct srv_live *live = new_live();
    struct srv_batcher *batcher = new_batcher(2, 8);
    struct waiter waiter = WAITER;
    struct srv_job *job[4];
    hold(true);
    for (int i = 0; i < 4; i++) {
        job[i] = new_job(live, 3, (float)i);
        submit(batcher, job[i], &waiter);
        if (i == 0) {
            wait_until_inside();
        }
    }
    pthread_t other;
    pthread_create(&other, NULL, let_go_later, NULL);
    srv_batcher_stop(batcher);
    pthread_join(other, NULL);
    ck_assert_int_eq(waiter.calls, 4);
    struct sy_error err = {0};
    sy_check_fails(
        srv_batcher_submit(batcher, job[0], tell_waiter, &waiter, &err),
        SY_BUSY, err);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq((int)job[i]->end, SRV_JOB_STOPPED);
        srv_job_unref(job[i]);
    }
    srv_batcher_free(batcher);
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}
END_TEST

struct client {
    struct srv_batcher *batcher;
    struct srv_live *live;
    int number;
    int done;
};

static void *client_main(void *context)
{
    struct client *client = context;
    for (int i = 0; i < 200; i++) {
        struct waiter waiter = WAITER;
        struct srv_job *job;
        if (srv_job_new(&job, client->live, 0, 1 + i % 5, NULL) != SY_OK) {
            return NULL;
        }
        float first = (float)(1000 * client->number + i);
        for (int n = 0; n < job->image_count; n++) {
            job->images[(size_t)n * job->image_floats] = first + (float)n;
        }
        job->deadline_ns = sy_now_ns() + (i % 7 == 0 ? 1000 : 60000000000);
        if (srv_batcher_submit(client->batcher, job, tell_waiter, &waiter,
                               NULL) == SY_OK) {
            await(&waiter, 1);
            bool right = job->end == SRV_JOB_DONE;
            for (int n = 0; n < job->image_count && right; n++) {
                right = job->logits[n * CLASSES] == first + (float)n;
            }
            client->done += right || job->end == SRV_JOB_EXPIRED ||
                            job->end == SRV_JOB_EXPIRED_AWAKE;
        } else {
            client->done++;
        }
        srv_job_unref(job);
    }
    return NULL;
}

/* The record of batches would overflow: this one only answers. */
static void plain_run(struct srv_live *live, struct sy_request *requests,
                      int count)
{
    (void)live;
    for (int i = 0; i < count; i++) {
        requests[i].result[0].outputs[0] = requests[i].image[0];
    }
}

START_TEST(many_clients_get_their_own_answers)
{
    enum { CLIENTS = 8 };
    struct srv_live *live = new_live();
    struct srv_batcher_options options = {
        .queue = {.max_batch = 4, .max_queue = 4}, .run = plain_run};
    struct srv_batcher *batcher;
    struct sy_error err = {0};
    sy_check_ok(srv_batcher_new(&batcher, &options, &err), err);
    pthread_t thread[CLIENTS];
    struct client client[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        client[i] = (struct client){batcher, live, i, 0};
        pthread_create(&thread[i], NULL, client_main, &client[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_int_eq(client[i].done, 200);
    }
    srv_batcher_free(batcher);
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batcher");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, an_idle_engine_takes_a_job_at_once);
    tcase_add_test(tc, jobs_that_wait_become_one_batch);
    tcase_add_test(tc, a_large_job_is_split_and_lets_others_pass_between);
    tcase_add_test(tc, a_batch_never_mixes_states_of_a_network);
    tcase_add_test(tc, a_full_queue_refuses_without_calling_the_waiter);
    tcase_add_test(tc, a_queue_is_pressed_when_a_quarter_of_it_is_taken);
    tcase_add_test(tc, a_deadline_ends_a_job_that_waits_and_one_that_runs);
    tcase_add_test(tc, a_split_job_can_expire_between_its_batches);
    tcase_add_test(tc, a_cancelled_job_frees_its_place_and_is_told_once);
    tcase_add_test(tc, a_job_that_was_cancelled_first_is_not_taken);
    tcase_add_test(tc, tensors_are_taken_from_the_memory_budget);
    tcase_add_test(tc, stopping_ends_every_job_once_and_refuses_new_ones);
    tcase_add_test(tc, many_clients_get_their_own_answers);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
