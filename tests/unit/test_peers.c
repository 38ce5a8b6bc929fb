/*
 * test_peers.c - connections at a clock made of numbers, over socket pairs.
 */
#include "serving/http/peers.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "tests/support/check_main.h"

#define S INT64_C(1000000000)

static struct srv_peers peers;
static struct srv_peer peer;
static int far_fd; /* the client's end */
static int cancels;

static void open_pair(void)
{
    const struct srv_peer_limits limits = {.idle_ns = 30 * S,
                                           .headers_ns = 10 * S,
                                           .grace_ns = 20 * S,
                                           .least_rate = 1000};
    int fd[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    far_fd = fd[1];
    cancels = 0;
    srv_peers_init(&peers, &limits);
    memset(&peer, 0, sizeof peer);
    ck_assert(srv_peer_add(&peers, &peer, fd[0], 0));
}

static void close_pair(void)
{
    srv_peer_remove(&peers, &peer);
    ck_assert_int_eq(peers.count, 0);
    srv_peers_release(&peers);
    close(peer.fd);
    close(far_fd);
}

/* Whether our side was shut down, as the client sees it. */
static bool hung_up(void)
{
    char byte;
    return recv(far_fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void note_cancel(void *work)
{
    ck_assert_ptr_eq(work, &cancels);
    cancels++;
}

START_TEST(an_idle_connection_stays_for_its_time_and_no_longer)
{
    open_pair();
    srv_peers_sweep(&peers, 31 * S);
    ck_assert(!hung_up());
    srv_peers_sweep(&peers, 33 * S);
    ck_assert(hung_up());
    srv_peers_sweep(&peers, 34 * S);
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_IDLE], 1);
    close_pair();
}
END_TEST

START_TEST(headers_that_trickle_in_end_the_connection)
{
    open_pair();
    srv_peer_begin(&peers, &peer, 100 * S);
    srv_peers_sweep(&peers, 110 * S);
    ck_assert(!hung_up());
    srv_peers_sweep(&peers, 110 * S + 1);
    ck_assert(hung_up());
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_HEADERS], 1);
    srv_peer_end(&peers, &peer, 111 * S);
    close_pair();
}
END_TEST

START_TEST(a_body_has_a_grace_and_then_a_least_rate)
{
    open_pair();
    srv_peer_begin(&peers, &peer, 0);
    srv_peer_enter(&peer, SRV_PEER_BODY, 0, 0);
    srv_peers_sweep(&peers, 20 * S);
    ck_assert(!hung_up());
    atomic_store(&peer.bytes, 5000);
    srv_peers_sweep(&peers, 25 * S);
    ck_assert(!hung_up());
    srv_peers_sweep(&peers, 25 * S + 1000000);
    ck_assert(hung_up());
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_SLOW], 1);
    srv_peer_end(&peers, &peer, 26 * S);
    close_pair();
}
END_TEST

START_TEST(an_answer_that_is_not_taken_ends_the_connection)
{
    open_pair();
    srv_peer_begin(&peers, &peer, 0);
    srv_peer_enter(&peer, SRV_PEER_ANSWER, 10000, 0);
    srv_peers_sweep(&peers, 30 * S);
    ck_assert(!hung_up());
    srv_peers_sweep(&peers, 30 * S + 1);
    ck_assert(hung_up());
    srv_peer_end(&peers, &peer, 31 * S);
    close_pair();
}
END_TEST

START_TEST(a_client_that_leaves_in_a_body_goes_at_the_second_look)
{
    open_pair();
    srv_peer_begin(&peers, &peer, 0);
    srv_peer_enter(&peer, SRV_PEER_BODY, 0, 0);
    ck_assert_int_eq(write(far_fd, "x", 1), 1);
    ck_assert_int_eq(shutdown(far_fd, SHUT_WR), 0);
    /* There is still something to read: it may be the rest. */
    srv_peers_sweep(&peers, 1);
    srv_peers_sweep(&peers, 2);
    ck_assert(!hung_up());
    char byte;
    ck_assert_int_eq(read(peer.fd, &byte, 1), 1);
    srv_peers_sweep(&peers, 3);
    ck_assert(!hung_up());
    srv_peers_sweep(&peers, 4);
    ck_assert(hung_up());
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_LEFT], 1);
    srv_peer_end(&peers, &peer, 5);
    close_pair();
}
END_TEST

START_TEST(a_client_that_leaves_before_its_first_line_is_noticed_too)
{
    open_pair();
    ck_assert_int_eq(shutdown(far_fd, SHUT_WR), 0);
    for (int i = 0; i < 20; i++) {
        srv_peers_sweep(&peers, i);
    }
    ck_assert(hung_up());
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_LEFT], 1);
    close_pair();
}
END_TEST

START_TEST(work_is_cancelled_once_when_its_client_leaves)
{
    open_pair();
    srv_peer_begin(&peers, &peer, 0);
    peer.cancel = note_cancel;
    peer.work = &cancels;
    srv_peer_enter(&peer, SRV_PEER_WORK, 0, 0);
    srv_peers_sweep(&peers, 100 * S); /* work has no time of its own here */
    ck_assert_int_eq(cancels, 0);
    /* Bytes of a next request do not hide that the client is gone. */
    ck_assert_int_eq(write(far_fd, "GET", 3), 3);
    ck_assert_int_eq(shutdown(far_fd, SHUT_WR), 0);
    srv_peers_sweep(&peers, 101 * S);
    srv_peers_sweep(&peers, 102 * S);
    ck_assert_int_eq(cancels, 1);
    ck_assert_int_eq((int)peers.losses[SRV_LOSS_CANCEL], 1);
    srv_peer_end(&peers, &peer, 103 * S);
    srv_peers_sweep(&peers, 104 * S);
    ck_assert_int_eq(cancels, 1);
    close_pair();
}
END_TEST

START_TEST(waiting_ends_when_nobody_is_busy)
{
    open_pair();
    ck_assert(srv_peers_wait(&peers, sy_now_ns() - 1, 0));
    srv_peer_begin(&peers, &peer, sy_now_ns());
    ck_assert(!srv_peers_wait(&peers, sy_now_ns() + 1000000, 0));
    srv_peer_end(&peers, &peer, sy_now_ns());
    /* Its client may be about to send another request. */
    ck_assert(!srv_peers_wait(&peers, sy_now_ns() - 1, 100 * S));
    ck_assert(srv_peers_wait(&peers, sy_now_ns() + 10 * S, S / 100));
    close_pair();
}
END_TEST

START_TEST(more_connections_of_one_address_than_its_number_are_refused)
{
    static const char *const address[] = {"::1", "::1", "::1", "::2", NULL};
    static const bool taken[] = {true, true, false, true, true};
    struct srv_peer more[5];
    open_pair();
    peers.most_of_address = 2;
    memset(more, 0, sizeof more);
    for (int i = 0; i < 5; i++) {
        more[i].address = address[i];
        ck_assert_int_eq(srv_peer_add(&peers, &more[i], far_fd, 0), taken[i]);
    }
    /* Refused ones do not count, and a place that is left is free again. */
    srv_peer_remove(&peers, &more[0]);
    ck_assert(srv_peer_add(&peers, &more[0], far_fd, 0));
    for (int i = 0; i < 5; i++) {
        srv_peer_remove(&peers, &more[i]);
    }
    close_pair();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, an_idle_connection_stays_for_its_time_and_no_longer);
    tcase_add_test(tc, headers_that_trickle_in_end_the_connection);
    tcase_add_test(tc, a_body_has_a_grace_and_then_a_least_rate);
    tcase_add_test(tc, an_answer_that_is_not_taken_ends_the_connection);
    tcase_add_test(tc, a_client_that_leaves_in_a_body_goes_at_the_second_look);
    tcase_add_test(tc,
                   a_client_that_leaves_before_its_first_line_is_noticed_too);
    tcase_add_test(tc, work_is_cancelled_once_when_its_client_leaves);
    tcase_add_test(tc, waiting_ends_when_nobody_is_busy);
    tcase_add_test(tc,
                   more_connections_of_one_address_than_its_number_are_refused);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
