/*
 * test_loop.c - a thread that sleeps, and those who want it.
 */
#include "serving/http/loop.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/check_main.h"

enum { PUSHERS = 4, ITEMS = 5000, GROUP = 7 };

struct item {
    struct srv_woken woken; /* first */
    int seen;
};

/* The owner of a loop: its turns note what they get. */
static struct {
    struct srv_loop loop;
    int pipe[2];
    atomic_int patience, turns, seen, acts;
    atomic_bool in_turn;
} own;

static struct item item[PUSHERS][ITEMS];

static int patience(void *owner)
{
    ck_assert_ptr_eq(owner, &own);
    return atomic_load(&own.patience);
}

static void note_turn(void *owner, struct srv_woken *woken)
{
    char byte;
    ck_assert_ptr_eq(owner, &own);
    atomic_store(&own.in_turn, true);
    while (read(own.pipe[0], &byte, 1) > 0) {
    }
    while (woken != NULL) {
        struct item *got = (struct item *)woken;
        woken = woken->next;
        got->seen++;
        atomic_fetch_add(&own.seen, 1);
    }
    atomic_fetch_add(&own.turns, 1);
    atomic_store(&own.in_turn, false);
}

static void set_up(void)
{
    struct sy_error err = {0};
    ck_assert_int_eq(pipe2(own.pipe, O_NONBLOCK), 0);
    atomic_init(&own.patience, -1);
    struct srv_loop_options options = {.fd = own.pipe[0],
                                       .patience_ms = patience,
                                       .turn = note_turn,
                                       .owner = &own};
    sy_check_ok(srv_loop_start(&own.loop, &options, &err), err);
}

static void tear_down(void)
{
    srv_loop_stop(&own.loop);
    srv_loop_stop(&own.loop); /* twice is once */
    ck_assert_ptr_null(srv_loop_release(&own.loop));
    ck_assert_ptr_null(srv_loop_release(&own.loop));
    close(own.pipe[0]);
    close(own.pipe[1]);
}

/* A turn that does not come fails by the test's timeout. */
static void wait_for(atomic_int *counter, int count)
{
    while (atomic_load(counter) < count) {
        usleep(200);
    }
}

START_TEST(what_is_pushed_waits_for_the_one_rouse_behind_it)
{
    for (int i = 0; i < GROUP; i++) {
        srv_loop_push(&own.loop, &item[0][i].woken);
    }
    srv_loop_rouse(&own.loop);
    wait_for(&own.seen, GROUP);
    for (int i = 0; i < GROUP; i++) {
        ck_assert_int_eq(item[0][i].seen, 1);
    }
}
END_TEST

START_TEST(to_rouse_for_nothing_is_no_turn)
{
    usleep(20000); /* asleep by now */
    int before = atomic_load(&own.turns);
    srv_loop_rouse(&own.loop);
    usleep(20000);
    ck_assert_int_eq(atomic_load(&own.turns), before);
}
END_TEST

static void *push_all(void *context)
{
    struct item *mine = context;
    for (int i = 0; i < ITEMS; i++) {
        srv_loop_push(&own.loop, &mine[i].woken);
        if (i % GROUP == 0 || i == ITEMS - 1) {
            srv_loop_rouse(&own.loop);
        }
    }
    return NULL;
}

START_TEST(nothing_that_several_threads_push_is_lost_or_seen_twice)
{
    pthread_t pusher[PUSHERS];
    for (int p = 0; p < PUSHERS; p++) {
        ck_assert_int_eq(pthread_create(&pusher[p], NULL, push_all, item[p]),
                         0);
    }
    for (int p = 0; p < PUSHERS; p++) {
        pthread_join(pusher[p], NULL);
    }
    wait_for(&own.seen, PUSHERS * ITEMS);
    for (int p = 0; p < PUSHERS; p++) {
        for (int i = 0; i < ITEMS; i++) {
            ck_assert_int_eq(item[p][i].seen, 1);
        }
    }
}
END_TEST

START_TEST(a_readable_descriptor_and_the_end_of_patience_are_a_turn)
{
    usleep(20000);
    int before = atomic_load(&own.turns);
    ck_assert_int_eq(write(own.pipe[1], "", 1), 1);
    wait_for(&own.turns, before + 1);
    atomic_store(&own.patience, 1);
    ck_assert_int_eq(write(own.pipe[1], "", 1), 1); /* asks for patience */
    wait_for(&own.turns, before + 5);
}
END_TEST

static void act(void *owner)
{
    ck_assert_ptr_eq(owner, &own);
    ck_assert(!atomic_load(&own.in_turn));
    ck_assert(pthread_equal(pthread_self(), own.loop.thread));
    atomic_fetch_add(&own.acts, 1);
}

START_TEST(what_is_asked_for_is_done_on_the_thread_before_the_asker_goes_on)
{
    for (int i = 1; i <= 100; i++) {
        srv_loop_ask(&own.loop, act);
        ck_assert_int_eq(atomic_load(&own.acts), i);
    }
}
END_TEST

START_TEST(the_end_gives_back_what_had_no_turn)
{
    for (int i = 0; i < ITEMS; i++) {
        srv_loop_push(&own.loop, &item[0][i].woken);
    }
    int left = 0;
    srv_loop_stop(&own.loop);
    for (struct srv_woken *w = srv_loop_release(&own.loop); w != NULL;
         w = w->next) {
        left++;
    }
    ck_assert_int_eq(left + atomic_load(&own.seen), ITEMS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_is_pushed_waits_for_the_one_rouse_behind_it);
    tcase_add_test(tc, to_rouse_for_nothing_is_no_turn);
    tcase_add_test(tc, nothing_that_several_threads_push_is_lost_or_seen_twice);
    tcase_add_test(tc,
                   a_readable_descriptor_and_the_end_of_patience_are_a_turn);
    tcase_add_test(
        tc, what_is_asked_for_is_done_on_the_thread_before_the_asker_goes_on);
    tcase_add_test(tc, the_end_gives_back_what_had_no_turn);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
