/*
 * load.c - the loop of a load: due times, connections, answers, counts.
 *
 * DESIGN. One thread, one epoll. Every client is a connection with at most one
 * request on it; idle clients stand on a stack, so that an open loop reuses
 * the connection that was used last and opens another only when all are busy.
 * Requests that are due while none is free wait in line, with their due times:
 * they are sent late, and their latency says so.
 *
 * A connection that the server had closed between two requests is no failure
 * of the request: it is sent once more on a new one.
 */
#include "serving/load/load.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

enum {
    MAX_EVENTS = 256,
    PAUSE_NS = 20000000, /* after a connection that nobody took */
    TICK_NS = 100000000,
    SECOND_NS = 1000000000
};

struct client {
    struct srv_wire wire;
    uint32_t watched; /* events that epoll looks for; 0: not in it */
    bool busy;
    bool again; /* this request was sent on a connection that had ended */
    int input;
    int64_t due_ns, sent_ns;
};

struct run {
    struct srv_load_result *result;
    struct srv_inputs *inputs;
    const struct srv_load_options *options;
    int epoll;
    struct client *client; /* options->clients of them */
    int *idle;             /* stack of client indices */
    int idle_count, busy_count;
    struct srv_schedule schedule;
    struct sy_rng draw;
    /* Due times that wait for a free connection, a ring. */
    int64_t *line;
    int64_t line_first, line_count, line_room;
    int64_t next_ns;                    /* the next due time, open loop */
    int64_t start_ns, count_ns, end_ns; /* end: of sending */
    int64_t pause_ns; /* closed loop: nobody answered; not before */
    int64_t taken;    /* requests that count and are begun or in line */
};

static bool counts(const struct run *run, int64_t due_ns)
{
    return due_ns >= run->count_ns;
}

int64_t srv_load_failures(const struct srv_load_result *r)
{
    return r->no_one + r->closed + r->timed_out + r->not_http + r->unsent +
           r->other_status + r->wrong_bits + r->wrong_answer;
}

/* Tells epoll what the client waits for. */
static void watch(struct run *run, struct client *client)
{
    uint32_t wanted = srv_wire_events(&client->wire);
    struct epoll_event event = {.events = wanted,
                                .data.u32 = (uint32_t)(client - run->client)};
    if (wanted != client->watched) {
        (void)epoll_ctl(run->epoll,
                        client->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                        client->wire.fd, &event);
        client->watched = wanted;
    }
}

static void drop(struct client *client)
{
    srv_wire_close(&client->wire); /* which takes it out of epoll */
    client->watched = 0;
}

static void rest(struct run *run, struct client *client)
{
    client->busy = false;
    run->busy_count--;
    run->idle[run->idle_count++] = (int)(client - run->client);
}

static void judge(struct run *run, const struct client *client, int64_t now_ns)
{
    struct srv_load_result *r = run->result;
    enum srv_answer answer =
        srv_inputs_judge(run->inputs, client->input,
                         srv_wire_body(&client->wire), client->wire.body_bytes);
    if (!counts(run, client->due_ns)) {
        return;
    }
    if (answer == SRV_ANSWER_OTHER || answer == SRV_ANSWER_NONE) {
        r->wrong_bits += answer == SRV_ANSWER_OTHER;
        r->wrong_answer += answer == SRV_ANSWER_NONE;
        return;
    }
    int domain = run->inputs->input[client->input].domain;
    r->done++;
    r->domain_done[domain]++;
    srv_histogram_add(&r->latency, now_ns - client->due_ns);
    srv_histogram_add(&r->domain_latency[domain], now_ns - client->due_ns);
}

/* Takes note of an answer, or of a failure. */
static void note(struct run *run, const struct client *client,
                 enum srv_wire_state state, int64_t now_ns)
{
    struct srv_load_result *r = run->result;
    int status = client->wire.status;
    if (state == SRV_WIRE_DONE && status == 200) {
        judge(run, client, now_ns);
    } else if (!counts(run, client->due_ns)) {
        return;
    } else if (state == SRV_WIRE_DONE && (status == 503 || status == 429)) {
        r->refused++;
    } else if (state == SRV_WIRE_DONE) {
        r->status[status > 0 && status < SRV_LOAD_STATUSES ? status : 0]++;
        r->other_status++;
    } else if (state == SRV_WIRE_NO_ONE) {
        r->no_one++;
    } else if (state == SRV_WIRE_CLOSED) {
        r->closed++;
    } else {
        r->not_http++;
    }
}

static enum srv_wire_state start(struct run *run, struct client *client)
{
    const struct srv_input *input = &run->inputs->input[client->input];
    if (client->wire.fd < 0) {
        client->watched = 0;
        if (srv_wire_open(&client->wire, &run->inputs->target, NULL) != SY_OK) {
            return SRV_WIRE_NO_ONE;
        }
        run->result->connections++;
    }
    return srv_wire_send(&client->wire, input->request, input->request_bytes);
}

/* Goes on from a state of the client's wire. */
static void go_on(struct run *run, struct client *client,
                  enum srv_wire_state state)
{
    bool ended = state == SRV_WIRE_CLOSED && !client->wire.fresh &&
                 client->wire.in_bytes == 0;
    if (ended && !client->again) {
        client->again = true;
        drop(client);
        state = start(run, client);
    }
    if (state == SRV_WIRE_BUSY) {
        watch(run, client);
        return;
    }
    int64_t now_ns = sy_now_ns();
    note(run, client, state, now_ns);
    if (state == SRV_WIRE_NO_ONE) {
        run->pause_ns = now_ns + PAUSE_NS;
    }
    if (state != SRV_WIRE_DONE || client->wire.last) {
        drop(client);
    }
    rest(run, client);
}

/* Begins a request that was due at that time on an idle client. */
static void begin(struct run *run, int64_t due_ns)
{
    struct client *client = &run->client[run->idle[--run->idle_count]];
    run->busy_count++;
    client->busy = true;
    client->again = false;
    client->input = srv_inputs_draw(run->inputs, &run->draw);
    client->due_ns = due_ns;
    client->sent_ns = sy_now_ns();
    run->result->sent += counts(run, due_ns);
    go_on(run, client, start(run, client));
}

static bool enough(const struct run *run)
{
    return run->options->requests > 0 && run->taken >= run->options->requests;
}

/* Puts a due time in line; with no memory it counts as never sent. */
static void line_up(struct run *run, int64_t due_ns)
{
    if (run->line_count == run->line_room) {
        int64_t room = run->line_room > 0 ? 2 * run->line_room : 1024;
        int64_t *larger = sy_alloc((size_t)room * sizeof *larger);
        if (larger == NULL) {
            run->result->unsent += counts(run, due_ns);
            return;
        }
        for (int64_t i = 0; i < run->line_count; i++) {
            larger[i] = run->line[(run->line_first + i) % run->line_room];
        }
        sy_free(run->line);
        run->line = larger;
        run->line_first = 0;
        run->line_room = room;
    }
    run->line[(run->line_first + run->line_count++) % run->line_room] = due_ns;
}

/* Sends whatever is due and can be sent; false: no more is to come. */
static bool send_due(struct run *run, int64_t now_ns)
{
    if (run->options->rate <= 0.0) {
        while (run->idle_count > 0 && now_ns < run->end_ns && !enough(run) &&
               now_ns >= run->pause_ns) {
            int64_t due_ns = sy_now_ns();
            run->taken += counts(run, due_ns);
            begin(run, due_ns);
        }
        return now_ns < run->end_ns && !enough(run);
    }
    while (run->next_ns <= now_ns && run->next_ns < run->end_ns &&
           !enough(run)) {
        run->taken += counts(run, run->next_ns);
        line_up(run, run->next_ns);
        run->next_ns = run->start_ns + srv_schedule_next(&run->schedule);
    }
    while (run->line_count > 0 && run->idle_count > 0) {
        int64_t due_ns = run->line[run->line_first];
        run->line_first = (run->line_first + 1) % run->line_room;
        run->line_count--;
        begin(run, due_ns);
    }
    return run->line_count > 0 || (run->next_ns < run->end_ns && !enough(run));
}

static void end_late_ones(struct run *run, int64_t now_ns)
{
    for (int i = 0; i < run->options->clients; i++) {
        struct client *client = &run->client[i];
        int64_t until_ns =
            client->sent_ns + (int64_t)run->options->timeout_ms * 1000000;
        if (client->busy && now_ns > until_ns) {
            run->result->timed_out += counts(run, client->due_ns);
            drop(client);
            rest(run, client);
        }
    }
}

/* Waits for the sockets, but not past the next due time. */
static void wait_for_events(struct run *run, int64_t until_ns)
{
    struct epoll_event event[MAX_EVENTS];
    int64_t wait_ns = until_ns - sy_now_ns();
    wait_ns = wait_ns < 0 ? 0 : wait_ns;
    struct timespec wait = {.tv_sec = wait_ns / SECOND_NS,
                            .tv_nsec = wait_ns % SECOND_NS};
    int count = epoll_pwait2(run->epoll, event, MAX_EVENTS, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct client *client = &run->client[event[i].data.u32];
        if (client->busy) {
            go_on(run, client, srv_wire_step(&client->wire));
        } else {
            drop(client); /* the server ended an idle connection */
        }
    }
}

/* Gives up what is in line: nobody will be free for it in time. */
static void give_up_line(struct run *run)
{
    run->result->unsent += run->line_count;
    run->line_count = 0;
}

/* When to look again, if nothing happens before. */
static int64_t next_look(const struct run *run, bool more, int64_t tick_ns)
{
    int64_t at_ns = tick_ns;
    if (!more) {
        return at_ns;
    }
    bool open = run->options->rate > 0.0;
    if (open && run->line_count == 0) {
        at_ns = run->next_ns < at_ns ? run->next_ns : at_ns;
    } else if (!open && run->idle_count > 0) {
        at_ns = run->pause_ns < at_ns ? run->pause_ns : at_ns;
    }
    return at_ns;
}

static void loop(struct run *run, const atomic_bool *stop)
{
    const struct srv_load_options *options = run->options;
    struct srv_load_result *result = run->result;
    int64_t tick_ns = run->start_ns + TICK_NS;
    int64_t told_ns = run->start_ns;
    bool more = true;

    while (more || run->busy_count > 0) {
        int64_t now_ns = sy_now_ns();
        if (more && atomic_load(stop)) {
            run->end_ns = now_ns;
            give_up_line(run);
        }
        if (now_ns > run->end_ns + (int64_t)options->timeout_ms * 1000000) {
            give_up_line(run);
        }
        more = send_due(run, now_ns);
        if (now_ns >= tick_ns) {
            tick_ns = now_ns + TICK_NS;
            end_late_ones(run, now_ns);
            if (options->progress != NULL && now_ns - told_ns >= SECOND_NS) {
                told_ns = now_ns;
                result->seconds = (double)(now_ns - run->count_ns) / 1e9;
                options->progress(options->context, result);
            }
        }
        if (more || run->busy_count > 0) {
            wait_for_events(run, next_look(run, more, tick_ns));
        }
    }
    int64_t last_ns = sy_now_ns();
    last_ns = last_ns < run->end_ns ? last_ns : run->end_ns;
    result->seconds = (double)(last_ns - run->count_ns) / 1e9;
}

static enum sy_status open_run(struct run *run, struct sy_error *err)
{
    const struct srv_load_options *options = run->options;
    size_t clients = (size_t)options->clients;
    double until_s = options->seconds > 0.0 ? options->seconds : 1e9;

    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0) {
        return sy_fail(err, SY_IO, "epoll: %s", strerror(errno));
    }
    run->client = sy_alloc_zero(clients, sizeof *run->client);
    run->idle = sy_alloc(clients * sizeof *run->idle);
    run->result->domain_latency = sy_alloc_zero(
        (size_t)run->inputs->domain_count, sizeof *run->result->domain_latency);
    if (run->client == NULL || run->idle == NULL ||
        run->result->domain_latency == NULL) {
        return sy_fail(err, SY_NO_MEMORY, "no memory for %d clients",
                       options->clients);
    }
    for (int i = 0; i < options->clients; i++) {
        srv_wire_init(&run->client[i].wire);
        run->idle[run->idle_count++] = options->clients - 1 - i;
    }
    run->draw = sy_rng_stream(options->seed, SY_RNG_BENCH, 3, 0);
    run->start_ns = sy_now_ns();
    run->count_ns = run->start_ns + (int64_t)(options->warmup_s * 1e9);
    run->end_ns = run->count_ns + (int64_t)(until_s * 1e9);
    if (options->rate > 0.0) {
        srv_schedule_init(&run->schedule, options->arrivals, options->rate,
                          options->seed);
        run->next_ns = run->start_ns + srv_schedule_next(&run->schedule);
    }
    return SY_OK;
}

enum sy_status srv_load_run(struct srv_load_result *result,
                            struct srv_inputs *inputs,
                            const struct srv_load_options *options,
                            const atomic_bool *stop, struct sy_error *err)
{
    struct run run = {
        .result = result, .inputs = inputs, .options = options, .epoll = -1};

    *result = (struct srv_load_result){0};
    enum sy_status status = open_run(&run, err);
    if (status == SY_OK) {
        loop(&run, stop);
    }
    for (int i = 0; run.client != NULL && i < options->clients; i++) {
        srv_wire_release(&run.client[i].wire);
    }
    if (run.epoll >= 0) {
        (void)close(run.epoll);
    }
    sy_free(run.client);
    sy_free(run.idle);
    sy_free(run.line);
    return status;
}

void srv_load_release(struct srv_load_result *result)
{
    sy_free(result->domain_latency);
    *result = (struct srv_load_result){0};
}
