/*
 * test_queue.c - who comes next, played with a clock made of numbers.
 *
 * The queue has neither threads nor a clock, so each test is an exact little
 * play: who arrives when, how long a batch takes, and what must come out.
 */
#include "serving/queue.h"

#include "runtime/base/memory.h"
#include "runtime/base/rng.h"
#include "tests/support/check_main.h"

#define MS INT64_C(1000000)

enum { DOMAINS = 4, MAX_BATCH = 8, SIDE = 1 };

static struct sy_domain domain[DOMAINS] = {{.name = "a", .classes = 1},
                                           {.name = "b", .classes = 1},
                                           {.name = "c", .classes = 1},
                                           {.name = "d", .classes = 1}};
static struct sy_network network = {.spec = {.input = {SIDE, SIDE, 3}},
                                    .domain_count = DOMAINS,
                                    .domain = domain};

static struct srv_live *new_live(void)
{
    struct srv_live *live = sy_alloc_zero(1, sizeof *live);
    ck_assert_ptr_nonnull(live);
    atomic_init(&live->refs, 1);
    live->network = &network;
    return live;
}

static struct srv_queue new_queue(int max_queue)
{
    return (struct srv_queue){
        .options = {.max_batch = MAX_BATCH, .max_queue = max_queue}};
}

/* Adds a job; the queue's tests own it until it was served. */
static struct srv_job *add(struct srv_queue *queue, struct srv_live *live,
                           int d, int images, int priority, int64_t now_ns)
{
    struct srv_job *job;
    struct sy_error err = {0};
    sy_check_ok(srv_job_new(&job, live, d, images, &err), err);
    job->priority = priority;
    job->deadline_ns = INT64_MAX;
    job->submitted_ns = now_ns;
    srv_queue_add(queue, job);
    return job;
}

/* What one batch held; jobs that are through are dropped. */
struct batch {
    int images;
    int of[DOMAINS];
    struct srv_live *live;
    struct srv_job *first; /* only to compare */
    int64_t wake_ns;
};

static struct batch take(struct srv_queue *queue, int64_t now_ns)
{
    struct srv_slice slice[4 * MAX_BATCH];
    struct batch batch = {0};
    int slices;
    int sum = 0;
    batch.images =
        srv_queue_take(queue, now_ns, slice, &slices, &batch.wake_ns);
    for (int i = 0; i < slices; i++) {
        struct srv_job *job = slice[i].job;
        ck_assert_int_eq(job->running, slice[i].count);
        ck_assert_int_eq(job->taken, slice[i].first + slice[i].count);
        batch.live = job->live;
        batch.first = i == 0 ? job : batch.first;
        batch.of[job->domain] += slice[i].count;
        sum += slice[i].count;
        job->running = 0;
        if (job->taken == job->image_count) {
            srv_job_unref(job);
        }
    }
    ck_assert_int_eq(sum, batch.images);
    return batch;
}

static void drop_job(void *context, struct srv_job *job)
{
    srv_queue_remove(context, job);
    srv_job_unref(job);
}

/* Empties the queue; its sums must come out at nothing. */
static void finish(struct srv_queue *queue, struct srv_live *live)
{
    srv_queue_each(queue, drop_job, queue);
    ck_assert_int_eq(queue->jobs, 0);
    ck_assert_int_eq((int)queue->units, 0);
    ck_assert_ptr_null(queue->first);
    for (int d = 0; d < DOMAINS; d++) {
        ck_assert_int_eq(live->waiting.flow[d].jobs, 0);
        ck_assert_int_eq((int)live->waiting.flow[d].units, 0);
        ck_assert_ptr_null(live->waiting.flow[d].head);
        ck_assert_ptr_null(live->waiting.flow[d].tail);
    }
    srv_live_unref(live);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}

static enum sy_status room(struct srv_queue *queue, struct srv_live *live,
                           int d, struct sy_error *err)
{
    struct srv_arrival arrival = {live, d, 1, INT64_MAX};
    return srv_queue_room(queue, &arrival, 0, err);
}

START_TEST(domains_that_wait_get_shares_by_weight)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    int got[DOMAINS] = {0};
    atomic_store(&live->weight[1], 3);
    for (int i = 0; i < 300; i++) {
        add(&queue, live, 0, 1, 0, i);
        add(&queue, live, 1, 1, 0, i);
    }
    for (int i = 0; i < 25; i++) {
        struct batch batch = take(&queue, 1000);
        ck_assert_int_eq(batch.images, MAX_BATCH);
        got[0] += batch.of[0];
        got[1] += batch.of[1];
    }
    ck_assert_int_eq(got[0], 50);
    ck_assert_int_eq(got[1], 150);
    finish(&queue, live);
}
END_TEST

START_TEST(a_heavy_domain_gets_no_more_of_the_engine_than_a_light_one)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    int got[DOMAINS] = {0};
    live->cost_madds[0] = 3999000; /* 4000 units */
    live->cost_madds[1] = 999000;  /* 1000 units */
    for (int i = 0; i < 300; i++) {
        add(&queue, live, 0, 1, 0, i);
        add(&queue, live, 1, 1, 0, i);
    }
    for (int i = 0; i < 25; i++) {
        struct batch batch = take(&queue, 1000);
        got[0] += batch.of[0];
        got[1] += batch.of[1];
    }
    ck_assert_int_eq(got[0], 40);
    ck_assert_int_eq(got[1], 160);
    finish(&queue, live);
}
END_TEST

START_TEST(a_quiet_domain_is_in_the_next_batch_whatever_the_flood)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    for (int i = 0; i < 500; i++) {
        add(&queue, live, 0, 1, 0, 0);
    }
    for (int round = 0; round < 20; round++) {
        add(&queue, live, 1 + round % 3, 1, 0, round);
        struct batch batch = take(&queue, round);
        ck_assert_int_eq(batch.of[1 + round % 3], 1);
        ck_assert_int_eq(batch.of[0], MAX_BATCH - 1);
    }
    finish(&queue, live);
}
END_TEST

START_TEST(being_quiet_earns_no_burst)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    for (int i = 0; i < 400; i++) {
        add(&queue, live, 0, 1, 0, 0);
    }
    for (int i = 0; i < 25; i++) {
        take(&queue, 0);
    }
    for (int i = 0; i < 100; i++) {
        add(&queue, live, 1, 1, 0, 1);
    }
    for (int i = 0; i < 10; i++) {
        struct batch batch = take(&queue, 1);
        ck_assert_int_ge(batch.of[0], MAX_BATCH / 2 - 1);
        ck_assert_int_ge(batch.of[1], MAX_BATCH / 2 - 1);
    }
    finish(&queue, live);
}
END_TEST

START_TEST(networks_take_turns_and_never_share_a_batch)
{
    struct srv_live *live[2] = {new_live(), new_live()};
    struct srv_queue queue = new_queue(1000);
    int images[2] = {0};
    for (int i = 0; i < 80; i++) {
        add(&queue, live[0], 0, 1, 0, i);
        add(&queue, live[1], 0, 1, 0, i);
    }
    for (int i = 0; i < 10; i++) {
        struct batch batch = take(&queue, 100);
        images[batch.live == live[1]] += batch.images;
    }
    ck_assert_int_eq(images[0], 40);
    ck_assert_int_eq(images[1], 40);
    srv_queue_each(&queue, drop_job, &queue);
    srv_live_unref(live[0]);
    finish(&queue, live[1]);
}
END_TEST

START_TEST(a_flood_leaves_places_for_the_others)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(100);
    struct sy_error err = {0};
    int got[DOMAINS] = {0};
    for (int d = 0; d < 2; d++) {
        for (int i = 0; i < 200 && room(&queue, live, d, &err) == SY_OK; i++) {
            add(&queue, live, d, 1, 0, 0);
            got[d]++;
        }
        sy_check_fails(room(&queue, live, d, &err), SY_BUSY, err);
        sy_check_says(err, "Exceeds maximum queue size");
    }
    ck_assert_int_eq(got[0], 50);
    ck_assert_int_eq(got[1], 25);
    sy_check_ok(room(&queue, live, 2, &err), err);
    sy_check_ok(room(&queue, live, -1, &err), err);
    finish(&queue, live);
}
END_TEST

START_TEST(the_only_domain_of_a_network_has_the_whole_queue)
{
    struct sy_network alone = network;
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(10);
    struct sy_error err = {0};
    alone.domain_count = 1;
    live->network = &alone;
    for (int i = 0; i < 10; i++) {
        sy_check_ok(room(&queue, live, 0, &err), err);
        add(&queue, live, 0, 1, 0, 0);
    }
    sy_check_fails(room(&queue, live, 0, &err), SY_BUSY, err);
    finish(&queue, live);
}
END_TEST

START_TEST(a_high_priority_goes_first_and_a_low_one_does_not_starve)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    struct srv_job *low = add(&queue, live, 0, MAX_BATCH, 8, 0);
    int64_t now_ns = 0;
    int rounds = 0;
    for (;; rounds++) {
        /* As much of the highest priority as the engine can do, always. */
        now_ns += 10 * MS;
        add(&queue, live, 0, MAX_BATCH, 1, now_ns);
        if (take(&queue, now_ns).first == low) {
            break;
        }
        ck_assert_int_lt(rounds, 1000);
    }
    ck_assert(now_ns == 700 * MS); /* seven steps of 100 ms */
    finish(&queue, live);
}
END_TEST

START_TEST(jobs_of_one_priority_come_in_order)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    struct srv_job *job[5];
    for (int i = 0; i < 5; i++) {
        job[i] = add(&queue, live, 0, MAX_BATCH, 0, i);
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_eq(take(&queue, 100).first, job[i]);
    }
    finish(&queue, live);
}
END_TEST

START_TEST(a_large_job_lets_others_pass_between_its_batches)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    struct srv_job *large = add(&queue, live, 0, 3 * MAX_BATCH, 0, 0);
    struct srv_job *small = add(&queue, live, 0, MAX_BATCH, 0, 1);
    ck_assert_ptr_eq(take(&queue, 2).first, large);
    ck_assert_ptr_eq(take(&queue, 3).first, small);
    ck_assert_ptr_eq(take(&queue, 4).first, large);
    ck_assert_ptr_eq(take(&queue, 5).first, large);
    ck_assert_int_eq(take(&queue, 6).images, 0);
    finish(&queue, live);
}
END_TEST

START_TEST(without_a_delay_what_is_there_goes_at_once)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    ck_assert(take(&queue, 5).wake_ns == INT64_MAX);
    add(&queue, live, 0, 1, 0, 5);
    ck_assert_int_eq(take(&queue, 5).images, 1);
    finish(&queue, live);
}
END_TEST

START_TEST(with_a_delay_a_batch_waits_for_company_but_not_longer)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    queue.options.max_delay_ns = 2 * MS;
    add(&queue, live, 0, 1, 0, 10 * MS);
    struct batch none = take(&queue, 11 * MS);
    ck_assert_int_eq(none.images, 0);
    ck_assert(none.wake_ns == 12 * MS);
    add(&queue, live, 1, 2, 0, 11 * MS);
    ck_assert_int_eq(take(&queue, 12 * MS - 1).images, 0);
    ck_assert_int_eq(take(&queue, 12 * MS).images, 3);
    add(&queue, live, 0, MAX_BATCH, 0, 20 * MS);
    ck_assert_int_eq(take(&queue, 20 * MS).images, MAX_BATCH);
    finish(&queue, live);
}
END_TEST

START_TEST(a_preferred_size_ends_the_waiting_and_is_never_passed)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    queue.options.max_delay_ns = 2 * MS;
    queue.options.preferred_count = 2;
    queue.options.preferred[0] = 2;
    queue.options.preferred[1] = 4;
    for (int i = 0; i < 7; i++) {
        add(&queue, live, i % DOMAINS, 1, 0, 0);
    }
    ck_assert_int_eq(take(&queue, 0).images, 4);
    ck_assert_int_eq(take(&queue, 0).images, 2);
    struct batch none = take(&queue, 0);
    ck_assert_int_eq(none.images, 0);
    ck_assert(none.wake_ns == 2 * MS);
    ck_assert_int_eq(take(&queue, 2 * MS).images, 1);
    finish(&queue, live);
}
END_TEST

START_TEST(what_would_be_late_is_refused_at_once)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(1000);
    struct sy_error err = {0};
    struct srv_arrival hasty = {live, 0, 1, 0};
    /* Nothing is known yet: everything is admitted. */
    hasty.deadline_ns = 1;
    sy_check_ok(srv_queue_room(&queue, &hasty, 0, &err), err);
    add(&queue, live, 0, MAX_BATCH, 0, 0);
    take(&queue, 0);
    srv_queue_ran(&queue, MAX_BATCH * MS); /* a millisecond an image */
    for (int i = 0; i < 10; i++) {
        add(&queue, live, 0, 1, 0, 0);
    }
    hasty.deadline_ns = 33 * MS / 2 - 1;
    sy_check_fails(srv_queue_room(&queue, &hasty, 0, &err), SY_BUSY, err);
    sy_check_says(err, "11.0 ms");
    hasty.deadline_ns = 33 * MS / 2;
    sy_check_ok(srv_queue_room(&queue, &hasty, 0, &err), err);
    /* Another domain has half of the engine to itself. */
    hasty.domain = 1;
    hasty.deadline_ns = 3 * MS / 2;
    sy_check_ok(srv_queue_room(&queue, &hasty, 0, &err), err);
    /* What runs has to end first. */
    ck_assert_int_eq(take(&queue, 0).images, MAX_BATCH);
    sy_check_fails(srv_queue_room(&queue, &hasty, 0, &err), SY_BUSY, err);
    hasty.deadline_ns = 27 * MS / 2;
    sy_check_ok(srv_queue_room(&queue, &hasty, 0, &err), err);
    finish(&queue, live);
}
END_TEST

/*
 * An hour at 70 % load in a moment: what is admitted for a deadline meets it.
 * Arrivals come at random, in bursts; a batch takes a fixed time and a time
 * for each image.
 */
START_TEST(what_is_admitted_for_a_deadline_meets_it)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(256);
    struct sy_rng rng = sy_rng_stream(7, SY_RNG_TEST, 0, 0);
    struct srv_slice slice[MAX_BATCH];
    int64_t now_ns = 0, next_ns = 0;
    int admitted = 0, late = 0, refused = 0;
    while (admitted < 20000) {
        while (next_ns <= now_ns) {
            int d = (int)sy_rng_below(&rng, DOMAINS);
            int burst = 1 + (int)sy_rng_below(&rng, 12);
            for (int i = 0; i < burst; i++) {
                struct srv_arrival arrival = {live, d, 1, next_ns + 25 * MS};
                if (srv_queue_room(&queue, &arrival, now_ns, NULL) != SY_OK) {
                    refused++;
                    continue;
                }
                add(&queue, live, d, 1, 0, now_ns)->deadline_ns =
                    arrival.deadline_ns;
                admitted++;
            }
            next_ns += (int64_t)sy_rng_below(&rng, 21 * 1000) * 1000;
        }
        int slices;
        int64_t wake_ns;
        int count = srv_queue_take(&queue, now_ns, slice, &slices, &wake_ns);
        if (count == 0) {
            now_ns = next_ns;
            continue;
        }
        int64_t ns = MS / 2 + count * MS;
        now_ns += ns;
        srv_queue_ran(&queue, ns);
        for (int i = 0; i < slices; i++) {
            late += slice[i].job->deadline_ns < now_ns;
            slice[i].job->running = 0;
            srv_job_unref(slice[i].job);
        }
    }
    ck_assert_int_gt(refused, 0);
    ck_assert_int_lt(late * 100, admitted);
    finish(&queue, live);
}
END_TEST

START_TEST(sums_hold_through_any_order_of_calls)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(64);
    struct sy_rng rng = sy_rng_stream(11, SY_RNG_TEST, 0, 0);
    live->cost_madds[2] = 12345678;
    for (int step = 0; step < 5000; step++) {
        int d = (int)sy_rng_below(&rng, DOMAINS);
        if (sy_rng_below(&rng, 3) > 0) {
            if (room(&queue, live, d, NULL) == SY_OK) {
                add(&queue, live, d, 1 + (int)sy_rng_below(&rng, 20),
                    (int)sy_rng_below(&rng, 9), step);
            }
        } else if (sy_rng_below(&rng, 8) == 0 &&
                   live->waiting.flow[d].head != NULL) {
            drop_job(&queue, live->waiting.flow[d].head);
        } else {
            take(&queue, step);
        }
        int jobs = 0, images = 0;
        for (int f = 0; f < DOMAINS; f++) {
            for (struct srv_job *j = live->waiting.flow[f].head; j != NULL;
                 j = j->next) {
                jobs++;
                images += j->image_count - j->taken;
                ck_assert(j->next == NULL || j->order_ns <= j->next->order_ns);
            }
        }
        ck_assert_int_eq(live->waiting.jobs, jobs);
        ck_assert_int_eq(live->waiting.images, images);
        ck_assert_int_eq(queue.jobs, jobs);
    }
    finish(&queue, live);
}
END_TEST

START_TEST(one_who_sends_much_does_not_fill_up_the_batch_of_others)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(100);
    queue.options.max_batch = 4 * MAX_BATCH;
    for (int i = 0; i < 70; i++) {
        (void)add(&queue, live, 0, 1, 0, 0);
    }
    ck_assert_int_eq(take(&queue, 0).images, 32); /* alone it may */
    (void)add(&queue, live, 1, 1, 0, 0);
    struct batch shared = take(&queue, 0);
    ck_assert_int_eq(shared.of[1], 1);
    ck_assert_int_eq(shared.images, 8);
    ck_assert_int_eq(take(&queue, 0).images, 31);
    finish(&queue, live);
}
END_TEST

START_TEST(those_who_send_alike_fill_a_batch_together)
{
    struct srv_live *live = new_live();
    struct srv_queue queue = new_queue(100);
    queue.options.max_batch = 4 * MAX_BATCH;
    for (int i = 0; i < 80; i++) {
        (void)add(&queue, live, i % DOMAINS, 1, 0, 0);
    }
    ck_assert_int_eq(take(&queue, 0).images, 32);
    /* Sizes that the operator prefers are kept. */
    queue.options.preferred_count = 1;
    queue.options.preferred[0] = 16;
    finish(&queue, live);
    live = new_live();
    for (int i = 0; i < 20; i++) {
        (void)add(&queue, live, i == 0 ? 1 : 0, 1, 0, 0);
    }
    ck_assert_int_eq(take(&queue, 0).images, 16);
    finish(&queue, live);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, domains_that_wait_get_shares_by_weight);
    tcase_add_test(tc,
                   a_heavy_domain_gets_no_more_of_the_engine_than_a_light_one);
    tcase_add_test(tc, a_quiet_domain_is_in_the_next_batch_whatever_the_flood);
    tcase_add_test(tc, being_quiet_earns_no_burst);
    tcase_add_test(tc, networks_take_turns_and_never_share_a_batch);
    tcase_add_test(tc, a_flood_leaves_places_for_the_others);
    tcase_add_test(tc, the_only_domain_of_a_network_has_the_whole_queue);
    tcase_add_test(tc,
                   a_high_priority_goes_first_and_a_low_one_does_not_starve);
    tcase_add_test(tc, jobs_of_one_priority_come_in_order);
    tcase_add_test(tc, a_large_job_lets_others_pass_between_its_batches);
    tcase_add_test(tc, without_a_delay_what_is_there_goes_at_once);
    tcase_add_test(tc, with_a_delay_a_batch_waits_for_company_but_not_longer);
    tcase_add_test(tc, a_preferred_size_ends_the_waiting_and_is_never_passed);
    tcase_add_test(tc, what_would_be_late_is_refused_at_once);
    tcase_add_test(tc, what_is_admitted_for_a_deadline_meets_it);
    tcase_add_test(tc, sums_hold_through_any_order_of_calls);
    tcase_add_test(tc, one_who_sends_much_does_not_fill_up_the_batch_of_others);
    tcase_add_test(tc, those_who_send_alike_fill_a_batch_together);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
