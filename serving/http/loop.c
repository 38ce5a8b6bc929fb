/*
 * loop.c - one poll, one list.
 *
 * DESIGN: the list is a stack that many push to and one takes whole. To rouse
 * costs a system call only if the thread is asleep or about to be: it says so
 * before its last look at the list, and whoever pushes looks for that after
 * the push, so one of both sees the other.
 */
#include "serving/http/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void signal_thread(struct srv_loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->event_fd, &one, sizeof one);
    (void)written; /* it fails only where it is signalled already */
}

static void sleep_until_wanted(struct srv_loop *loop)
{
    struct pollfd wanted[] = {
        {.fd = loop->options.fd, .events = POLLIN},
        {.fd = loop->event_fd, .events = POLLIN},
    };
    int patience_ms = loop->options.patience_ms(loop->options.owner);
    atomic_store(&loop->asleep, true);
    if (atomic_load(&loop->woken) != NULL || atomic_load(&loop->stopping) ||
        atomic_load(&loop->asked) != NULL) {
        patience_ms = 0;
    }
    (void)poll(wanted, 2, patience_ms); /* interrupted: a turn for nothing */
    atomic_store(&loop->asleep, false);
    if ((wanted[1].revents & POLLIN) != 0) {
        uint64_t count;
        ssize_t taken = read(loop->event_fd, &count, sizeof count);
        (void)taken;
    }
}

static void *loop_main(void *context)
{
    struct srv_loop *loop = context;
    while (!atomic_load(&loop->stopping)) {
        sleep_until_wanted(loop);
        void (*asked)(void *owner) = atomic_exchange(&loop->asked, NULL);
        if (asked != NULL) {
            asked(loop->options.owner);
            sem_post(&loop->done);
        }
        loop->options.turn(loop->options.owner,
                           atomic_exchange(&loop->woken, NULL));
    }
    return NULL;
}

enum sy_status srv_loop_start(struct srv_loop *loop,
                              const struct srv_loop_options *options,
                              struct sy_error *err)
{
    loop->options = *options;
    atomic_init(&loop->woken, NULL);
    atomic_init(&loop->asleep, false);
    atomic_init(&loop->stopping, false);
    atomic_init(&loop->asked, NULL);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->event_fd < 0) {
        return sy_fail_errno(err, SY_IO, errno, "starting an HTTP thread");
    }
    sem_init(&loop->done, 0, 0);
    int code = pthread_create(&loop->thread, NULL, loop_main, loop);
    if (code != 0) {
        sem_destroy(&loop->done);
        close(loop->event_fd);
        return sy_fail_errno(err, SY_INTERNAL, code, "starting an HTTP thread");
    }
    pthread_setname_np(loop->thread, "http");
    loop->runs = true;
    return SY_OK;
}

void srv_loop_push(struct srv_loop *loop, struct srv_woken *woken)
{
    struct srv_woken *first = atomic_load(&loop->woken);
    do {
        woken->next = first;
    } while (!atomic_compare_exchange_weak(&loop->woken, &first, woken));
}

void srv_loop_rouse(struct srv_loop *loop)
{
    if (atomic_load(&loop->woken) != NULL &&
        atomic_exchange(&loop->asleep, false)) {
        signal_thread(loop);
    }
}

void srv_loop_ask(struct srv_loop *loop, void (*act)(void *owner))
{
    atomic_store(&loop->asked, act);
    signal_thread(loop);
    while (sem_wait(&loop->done) != 0 && errno == EINTR) {
    }
}

void srv_loop_stop(struct srv_loop *loop)
{
    if (!loop->runs) {
        return;
    }
    atomic_store(&loop->stopping, true);
    signal_thread(loop);
    pthread_join(loop->thread, NULL);
    loop->runs = false;
    loop->stopped = true;
}

struct srv_woken *srv_loop_release(struct srv_loop *loop)
{
    if (!loop->stopped) {
        return NULL;
    }
    loop->stopped = false;
    sem_destroy(&loop->done);
    close(loop->event_fd);
    return atomic_exchange(&loop->woken, NULL);
}
