/*
 * test_swaps.c - a network's packs on a served network, from staging to the
 * end, through the handlers but without HTTP and without files.
 *
 * Staging is ours: the pack's bytes are "NAME AMOUNT", and the candidate is
 * the served network with AMOUNT added to the bias of domain d1's head (which
 * leaves the label as it is) or, for names that begin with "bad", to the bias
 * of one class only. So what a snapshot answers is known from its name.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/artefact/artefact.h"
#include "runtime/base/memory.h"
#include "runtime/network/compose.h"
#include "serving/swap/candidate.h"
#include "serving/swap/swap.h"
#include "tests/support/check_main.h"
#include "tests/support/oip_server.h"

static const char packs[] = "/v1/networks/net/packs";

static struct sy_network *load_served(void)
{
    struct sy_network *network;
    struct sy_artefact artefact;
    struct sy_error err = {0};
    sy_check_ok(
        sy_artefact_load(sy_check_path("net"), &network, &artefact, &err), err);
    return network;
}

/* Adds to the biases of d1's head. */
static void change(struct sy_network *network, float amount, bool one)
{
    int domain = sy_network_find_domain(network, "d1");
    const struct sy_unit *head =
        &network->unit[sy_network_head(network, domain)];
    float *bias = network->values + head->weight[1];
    for (int k = 0; k < (one ? 1 : network->domain[domain].classes); k++) {
        bias[k] += amount;
    }
}

/* The same with its first two domains in the other order. */
static struct sy_network *load_turned(void)
{
    struct sy_error err = {0};
    struct sy_network *served = load_served(), *made = NULL;
    const struct sy_compose_domain domains[3] = {{.from = served, .domain = 1},
                                                 {.from = served, .domain = 0},
                                                 {.from = served, .domain = 2}};
    sy_check_ok(sy_network_compose(&made, served, domains, 3, &err), err);
    sy_network_free(served);
    return made;
}

/* Packs whose name begins with "slow" wait here until they may go on. */
static atomic_bool slow_began, slow_ends;

static void wait_for(atomic_bool *flag)
{
    while (!atomic_load(flag)) {
        struct timespec moment = {.tv_nsec = 1000000};
        nanosleep(&moment, NULL);
    }
}

static enum sy_status stage(struct srv_staged *staged,
                            const struct srv_stage_options *options,
                            const struct srv_stage_input *input,
                            struct sy_error *err)
{
    char name[32];
    float amount;
    (void)options;
    if (sscanf(input->body, "%31s %f", name, &amount) != 2) {
        return sy_fail(err, SY_BAD_INPUT, "the pack: expected NAME AMOUNT");
    }
    if (strncmp(name, "slow", 4) == 0) {
        atomic_store(&slow_began, true);
        wait_for(&slow_ends);
    }
    /* "turned": on disk is what does not stand as what is served does. */
    bool turned = strcmp(name, "turned") == 0;
    struct sy_network *served = turned ? load_turned() : load_served();
    struct srv_two two = {.served = served,
                          .candidate = turned ? load_turned() : load_served(),
                          .domain_count = 1,
                          .domain = {"d1"}};
    change(two.candidate, amount, strncmp(name, "bad", 3) == 0);
    if (strcmp(name, "sly") == 0) { /* touches what it does not name */
        two.domain[0] = "d0";
    }
    snprintf(staged->id, sizeof staged->id, "%s", name);
    snprintf(staged->label, sizeof staged->label, "1+%s", name);
    enum sy_status status = srv_candidate_make(staged, input, &two, err);
    sy_network_free(served);
    if (status != SY_OK) {
        srv_staged_release(staged);
    }
    return status;
}

static void set_up(void)
{
    struct srv_stage_options options = {.stage = stage};
    struct sy_error err = {0};
    oip_set_up();
    sy_check_ok(
        srv_swaps_new(&oip_server.swaps, oip_server.repository, &options, &err),
        err);
}

static void tear_down(void)
{
    srv_batcher_stop(oip_server.batcher);
    srv_swaps_free(oip_server.swaps);
    oip_server.swaps = NULL;
    oip_tear_down();
}

static const char *text_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* An act on a pack must end in this phase; the reply, owned. */
static json_t *act(const char *id, const char *what, const char *body,
                   const char *phase)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s/%s", packs, id, what);
    json_t *json = oip_ask(SRV_POST, path, body, 200);
    ck_assert_str_eq(text_of(json, "phase"), phase);
    return json;
}

static void do_act(const char *id, const char *what, const char *body,
                   const char *phase)
{
    json_decref(act(id, what, body, phase));
}

static void stage_pack(const char *pack)
{
    json_t *json = oip_ask(SRV_POST, packs, pack, 200);
    ck_assert_str_eq(text_of(json, "phase"), "staged");
    json_decref(json);
}

/* Asks d1 (or another domain); writes the snapshot that answered. */
static json_t *infer(const char *model, char *snapshot)
{
    char path[64];
    snprintf(path, sizeof path, "/v2/models/%s/infer", model);
    json_t *json = oip_infer(path, 2, false, "", "");
    snprintf(snapshot, SRV_LABEL_BYTES, "%s",
             text_of(json_object_get(json, "parameters"), "snapshot"));
    ck_assert_str_eq(text_of(json, "model_version"), snapshot);
    return json;
}

static void check_snapshot(const char *model, const char *expected)
{
    char snapshot[SRV_LABEL_BYTES];
    json_decref(infer(model, snapshot));
    ck_assert_str_eq(snapshot, expected);
}

START_TEST(a_pack_is_staged_promoted_rolled_back_and_dropped)
{
    stage_pack("one 1");
    check_snapshot("net.d1", "1");
    do_act("one", "promote", NULL, "promoted");
    check_snapshot("net.d1", "1+one");
    check_snapshot("net.d0", "1+one");
    do_act("one", "rollback", NULL, "rolled_back");
    check_snapshot("net.d1", "1");
    do_act("one", "promote", NULL, "promoted");
    char path[128];
    snprintf(path, sizeof path, "%s/one", packs);
    json_decref(oip_ask(SRV_DELETE, path, NULL, 200));
    check_snapshot("net.d1", "1+one");
    json_decref(oip_ask(SRV_GET, path, NULL, 404));
    json_t *list = oip_ask(SRV_GET, packs, NULL, 200);
    ck_assert_int_eq((int)json_array_size(json_object_get(list, "packs")), 0);
    json_decref(list);
}
END_TEST

START_TEST(a_shadow_runs_beside_and_changes_no_answer)
{
    char snapshot[SRV_LABEL_BYTES];
    json_t *before = infer("net.d1", snapshot);
    stage_pack("one 1");
    do_act("one", "shadow", "{\"percent\": 100}", "shadow");
    json_t *during = infer("net.d1", snapshot);
    ck_assert_int_eq(json_equal(before, during), 1);
    json_t *swap = act("one", "shadow", "{\"percent\": 100}", "shadow");
    json_t *domain = json_array_get(json_object_get(swap, "domains"), 0);
    json_t *trial = json_object_get(domain, "trial");
    ck_assert_int_eq((int)json_integer_value(json_object_get(trial, "pairs")),
                     2);
    ck_assert_double_eq(json_number_value(json_object_get(trial, "agreement")),
                        1);
    /* Only the head differs: no block of a layer ran twice. */
    ck_assert_double_eq(
        json_number_value(json_object_get(trial, "extra_blocks")), 0);
    json_t *madds = json_object_get(trial, "madds");
    double extra = json_number_value(json_object_get(madds, "extra"));
    ck_assert_double_gt(extra, 0);
    ck_assert_double_lt(extra,
                        json_number_value(json_object_get(madds, "next")) / 4);
    json_decref(swap);
    json_decref(before);
    json_decref(during);
    do_act("one", "rollback", NULL, "rolled_back");
    check_snapshot("net.d1", "1");
}
END_TEST

START_TEST(a_canary_answers_under_its_own_name)
{
    stage_pack("one 1");
    do_act("one", "canary", "{\"percent\": 100, \"shadow\": 100}", "canary");
    check_snapshot("net.d1", "1+one");
    check_snapshot("net.d0", "1");
    check_snapshot("net.d1/versions/1", "1");
    check_snapshot("net.d1/versions/1+one", "1+one");
    do_act("one", "canary", "{\"percent\": 0}", "canary");
    check_snapshot("net.d1", "1");
    check_snapshot("net.d1/versions/1+one", "1+one");
    char canary[SRV_LABEL_BYTES], promoted[SRV_LABEL_BYTES];
    json_t *a = infer("net.d1/versions/1+one", canary);
    do_act("one", "promote", NULL, "promoted");
    json_t *b = infer("net.d1", promoted);
    ck_assert_int_eq(json_equal(a, b), 1);
    json_decref(a);
    json_decref(b);
}
END_TEST

START_TEST(a_second_pack_is_refused_by_name_while_one_is_under_way)
{
    stage_pack("one 1");
    oip_fails(packs, "two 2", 409, "pack one is under way (staged)");
    do_act("one", "shadow", NULL, "shadow");
    oip_fails(packs, "two 2", 409, "pack one is under way (shadow)");
    do_act("one", "promote", NULL, "promoted");
    stage_pack("two 2");
    oip_fails("/v1/networks/net/packs/one/rollback", NULL, 404, "it has two");
    do_act("two", "promote", NULL, "promoted");
    check_snapshot("net.d1", "1+two");
}
END_TEST

static void *post_slow(void *reply)
{
    (void)oip_ask_bytes(SRV_POST, packs, NULL, "slow 1", 6, reply);
    return NULL;
}

START_TEST(of_two_packs_at_once_the_second_is_refused_by_name)
{
    pthread_t poster;
    struct srv_reply reply;
    ck_assert_int_eq(pthread_create(&poster, NULL, post_slow, &reply), 0);
    wait_for(&slow_began);
    oip_fails(packs, "two 2", 409, "another pack is being staged");
    json_t *list = oip_ask(SRV_GET, packs, NULL, 200);
    json_t *swap = json_array_get(json_object_get(list, "packs"), 0);
    ck_assert_str_eq(text_of(swap, "phase"), "staging");
    json_decref(list);
    check_snapshot("net.d1", "1"); /* serving goes on meanwhile */
    atomic_store(&slow_ends, true);
    pthread_join(poster, NULL);
    ck_assert_int_eq(reply.status, 200);
    srv_reply_release(&reply);
    oip_fails(packs, "two 2", 409, "pack slow is under way (staged)");
    do_act("slow", "promote", NULL, "promoted");
    check_snapshot("net.d1", "1+slow");
}
END_TEST

START_TEST(what_is_wrong_with_a_pack_is_told_and_changes_nothing)
{
    oip_fails(packs, "nonsense", 400, "expected NAME AMOUNT");
    oip_fails(packs, "sly 1", 400,
              "the pack would change domain 'd1', which it does not name");
    oip_fails(packs, "turned 1", 400, "in another order: load it first");
    oip_fails("/v1/networks/other/packs", "one 1", 404, "not found");
    oip_fails("/v1/networks/net/packs?max_us=0", "one 1", 400, "max_us");
    check_snapshot("net.d1", "1");
    stage_pack("one 1");
    oip_fails("/v1/networks/net/packs/one/rollback", NULL, 409,
              "it cannot rollback from there");
    oip_fails("/v1/networks/net/packs/one/explode", NULL, 404, "explode");
    oip_fails("/v1/networks/net/packs/one/shadow", "{\"percent\": 101}", 400,
              "percent");
    oip_fails("/v1/networks/net/packs/one/shadow",
              "{\"rules\": {\"min_sample\": 1}}", 400, "min_samples");
}
END_TEST

START_TEST(a_dry_run_tells_bytes_and_keeps_nothing)
{
    json_t *json =
        oip_ask(SRV_POST, "/v1/networks/net/packs?dry_run=true", "one 1", 200);
    json_t *bytes = json_object_get(json, "bytes");
    json_int_t fresh = json_integer_value(json_object_get(bytes, "new"));
    json_int_t shared = json_integer_value(json_object_get(bytes, "shared"));
    ck_assert_int_gt((int)fresh, 0);
    ck_assert_int_gt((int)shared, (int)fresh);
    ck_assert_int_eq((int)json_integer_value(json_object_get(bytes, "freed")),
                     (int)fresh);
    json_decref(json);
    json_t *list = oip_ask(SRV_GET, packs, NULL, 200);
    ck_assert_int_eq((int)json_array_size(json_object_get(list, "packs")), 0);
    json_decref(list);
    stage_pack("two 1");
}
END_TEST

/* Asks until the swap has left this phase, as its watch wants some time. */
static json_t *ask_until_it_left(const char *id, const char *phase)
{
    char path[128], snapshot[SRV_LABEL_BYTES];
    snprintf(path, sizeof path, "%s/%s", packs, id);
    for (int i = 0; i < 100000; i++) {
        json_decref(infer("net.d1", snapshot));
        json_t *swap = oip_ask(SRV_GET, path, NULL, 200);
        if (strcmp(text_of(swap, "phase"), phase) != 0) {
            return swap;
        }
        json_decref(swap);
    }
    ck_abort_msg("the swap stays in phase %s", phase);
    return NULL;
}

START_TEST(rules_roll_a_candidate_back_that_disagrees)
{
    stage_pack("bad 1000");
    do_act("bad", "shadow",
           "{\"rules\": {\"min_samples\": 20, \"max_time_ratio\": 1000}}",
           "shadow");
    json_t *swap = ask_until_it_left("bad", "shadow");
    ck_assert_str_eq(text_of(swap, "phase"), "rolled_back");
    ck_assert(json_is_true(json_object_get(swap, "automatic")));
    ck_assert_ptr_nonnull(
        strstr(text_of(swap, "reason"), "domain 'd1': agreement"));
    json_decref(swap);
    check_snapshot("net.d1", "1");
}
END_TEST

START_TEST(rules_lead_a_good_candidate_to_canary_and_promotion)
{
    stage_pack("one 1");
    do_act("one", "shadow",
           "{\"canary\": 50, \"rules\": {\"min_samples\": 20, "
           "\"max_time_ratio\": 1000, \"promote\": true}}",
           "shadow");
    json_t *swap = ask_until_it_left("one", "shadow");
    if (strcmp(text_of(swap, "phase"), "canary") == 0) {
        json_decref(swap);
        swap = ask_until_it_left("one", "canary");
    }
    ck_assert_str_eq(text_of(swap, "phase"), "promoted");
    ck_assert(json_is_true(json_object_get(swap, "automatic")));
    json_decref(swap);
    check_snapshot("net.d1", "1+one");
}
END_TEST

START_TEST(loading_the_network_ends_what_was_staged_on_it)
{
    struct srv_reply reply;
    stage_pack("one 1");
    oip_save_network("net", 5);
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v2/repository/models/net/load",
                                   NULL, "", 0, &reply),
                     200);
    srv_reply_release(&reply);
    oip_fails("/v1/networks/net/packs/one/promote", NULL, 503,
              "loaded or unloaded meanwhile");
    check_snapshot("net.d1", "2");
}
END_TEST

/* What the two packs and the version answer, each named by its snapshot. */
enum { NAMES = 3, ASKERS = 3, SWAPS = 24 };
static const char *const names[NAMES] = {"1", "1+one", "1+two"};
static json_t *known[NAMES];
static atomic_bool over;
static atomic_int asked, wrong;

/* Holds what is served for a moment, as requests do, so that states end on any
   thread. */
static void *ask_on(void *context)
{
    (void)context;
    while (!atomic_load(&over)) {
        struct srv_live *live;
        if (srv_repository_get(oip_server.repository, "net", &live, NULL) !=
            SY_OK) {
            atomic_fetch_add(&wrong, 1);
            continue;
        }
        struct timespec moment = {.tv_nsec = 50000};
        nanosleep(&moment, NULL);
        srv_live_unref(live);
        atomic_fetch_add(&asked, 1);
    }
    return NULL;
}

START_TEST(answers_are_whole_while_packs_take_turns)
{
    char snapshot[SRV_LABEL_BYTES], body[16];
    pthread_t asker[ASKERS];
    static const char *const ids[2] = {"one", "two"};
    known[0] = infer("net.d1", snapshot);
    for (int i = 0; i < ASKERS; i++) {
        ck_assert_int_eq(pthread_create(&asker[i], NULL, ask_on, NULL), 0);
    }
    for (int i = 0; i < SWAPS; i++) {
        const char *id = ids[i % 2];
        snprintf(body, sizeof body, "%s %d", id, 1 + i % 2);
        stage_pack(body);
        if (i % 3 == 0) {
            do_act(id, "canary", "{\"percent\": 50, \"shadow\": 50}", "canary");
            json_decref(infer("net.d1", snapshot));
        }
        do_act(id, "promote", NULL, "promoted");
        json_t *answer = infer("net.d1", snapshot);
        ck_assert_str_eq(snapshot, names[1 + i % 2]);
        if (known[1 + i % 2] == NULL) {
            known[1 + i % 2] = json_incref(answer);
        }
        ck_assert_int_eq(json_equal(answer, known[1 + i % 2]), 1);
        json_decref(answer);
    }
    atomic_store(&over, true);
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(asker[i], NULL);
    }
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_gt(atomic_load(&asked), 0);
    ck_assert_int_eq(json_equal(known[1], known[2]), 0);
    for (int i = 0; i < NAMES; i++) {
        json_decref(known[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("swaps");
    TCase *tc = tcase_create("swaps");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_pack_is_staged_promoted_rolled_back_and_dropped);
    tcase_add_test(tc, a_shadow_runs_beside_and_changes_no_answer);
    tcase_add_test(tc, a_canary_answers_under_its_own_name);
    tcase_add_test(tc, a_second_pack_is_refused_by_name_while_one_is_under_way);
    tcase_add_test(tc, of_two_packs_at_once_the_second_is_refused_by_name);
    tcase_add_test(tc, what_is_wrong_with_a_pack_is_told_and_changes_nothing);
    tcase_add_test(tc, a_dry_run_tells_bytes_and_keeps_nothing);
    tcase_add_test(tc, rules_roll_a_candidate_back_that_disagrees);
    tcase_add_test(tc, rules_lead_a_good_candidate_to_canary_and_promotion);
    tcase_add_test(tc, loading_the_network_ends_what_was_staged_on_it);
    tcase_add_test(tc, answers_are_whole_while_packs_take_turns);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
