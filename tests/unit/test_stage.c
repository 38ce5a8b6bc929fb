/*
 * test_stage.c - packs of every kind on a served network, with their files:
 * what is refused and why, what changes at once, and what does not change.
 *
 * Served is a random network "net" with the domains d0 to d2 and a root gate.
 * `own` is the same network, from which packs are made.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "runtime/base/memory.h"
#include "serving/swap/swap.h"
#include "tests/support/check_main.h"
#include "tests/support/forged_pack.h"
#include "tests/support/full_stack.h"
#include "tests/support/oip_server.h"

enum { PROBES = 2, MODELS = 4, TURNS = 8, SAME = 3 };

static const char route[] = "/v1/networks/net/packs";
static const char *const models[MODELS] = {"net.d0", "net.d1", "net.d2", "net"};
static struct sy_network *own;
static uint8_t *images;
static char path[SY_PATH_BYTES];

static struct sy_network *load(const char *name)
{
    struct sy_network *network;
    struct sy_artefact artefact;
    struct sy_error err = {0};
    sy_check_ok(
        sy_artefact_load(sy_check_path(name), &network, &artefact, &err), err);
    return network;
}

static void start(const char *keys)
{
    struct srv_stage_options options = {0};
    struct sy_error err = {0};
    snprintf(options.pack_keys, sizeof options.pack_keys, "%s", keys);
    sy_check_ok(
        srv_swaps_new(&oip_server.swaps, oip_server.repository, &options, &err),
        err);
}

static void stop(void)
{
    srv_swaps_free(oip_server.swaps);
    oip_server.swaps = NULL;
}

static void set_up(void)
{
    oip_set_up_root(0.0);
    own = load("net");
    size_t bytes = PROBES * sy_shape_floats(own->spec.input);
    images = sy_alloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        images[i] = (uint8_t)(i * 37 % 251);
    }
    snprintf(path, sizeof path, "%s", sy_check_path("p"));
    start("");
}

static void tear_down(void)
{
    srv_batcher_stop(oip_server.batcher);
    stop();
    oip_tear_down();
    sy_network_free(own);
    sy_free(images);
}

/* Moves what a domain's answers are made of. */
static void change_head(struct sy_network *network, int domain, float by)
{
    const struct sy_unit *head =
        &network->unit[sy_network_head(network, domain)];
    network->values[head->weight[1]] += by;
}

/* Makes every image one of this domain. */
static void lead_to(struct sy_network *network, int domain)
{
    int gate = sy_network_gate(network, sy_network_root_gate(network));
    const struct sy_unit *unit = &network->unit[gate];
    float *scores = network->values + unit->weight[unit->plan.param_count - 1];
    scores[domain] += 40.0F;
}

/* A pack of the domains `first` to `last` (none where last is less), which may
   remove one and bring the root gate. */
static struct sy_pack_plan plan_of(struct sy_pack_domain *domains, int first,
                                   int last)
{
    struct sy_pack_plan plan = {.from = last < first ? NULL : own,
                                .domain = domains,
                                .base = own,
                                .network = "net"};
    for (int d = first; d <= last; d++) {
        domains[plan.domain_count++] = (struct sy_pack_domain){
            .domain = d, .probe_count = PROBES, .probes = images};
    }
    return plan;
}

static void write_plan(const struct sy_pack_plan *plan,
                       char id[SY_PACK_ID_BYTES])
{
    struct sy_error err = {0};
    sy_check_ok(sy_pack_write(path, plan, id, &err), err);
}

/* The pack of d0 with another head. */
static void write_good(char id[SY_PACK_ID_BYTES])
{
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    struct sy_network *base = load("net");
    struct sy_pack_plan plan = plan_of(domains, 0, 0);
    plan.base = base;
    change_head(own, 0, 0.5F);
    write_plan(&plan, id);
    change_head(own, 0, -0.5F);
    sy_network_free(base);
}

/* Posts the file; the reply, owned. */
static json_t *post(const char *query, int expected)
{
    char *bytes, raw[128];
    size_t count;
    struct sy_error err = {0};
    struct srv_reply reply;
    json_t *json;
    sy_check_ok(sy_file_read(path, 1 << 24, &bytes, &count, &err), err);
    snprintf(raw, sizeof raw, "%s%s", route, query);
    int status = oip_ask_bytes(SRV_POST, raw, NULL, bytes, count, &reply);
    ck_assert_msg(status == expected, "expected %d, found %d: %s", expected,
                  status, reply.body);
    sy_check_ok(
        sy_json_parse(reply.body, reply.body_bytes, "reply", &json, &err), err);
    srv_reply_release(&reply);
    sy_free(bytes);
    return json;
}

static const char *text_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void refused(const char *query, const char *says)
{
    json_t *json = post(query, 400);
    const char *text = text_of(json, "error");
    ck_assert_msg(strstr(text, says) != NULL, "expected \"%s\" in \"%s\"", says,
                  text);
    json_decref(json);
}

static void stage(void)
{
    json_t *json = post("", 200);
    ck_assert_str_eq(text_of(json, "phase"), "staged");
    json_decref(json);
}

static void act(const char *id, const char *what, int expected)
{
    char raw[128];
    snprintf(raw, sizeof raw, "%s/%s/%s", route, id, what);
    json_decref(oip_ask(SRV_POST, raw, NULL, expected));
}

/* What every model answers, "net" by its root gate. */
struct answers {
    json_t *of[MODELS];
};

static struct answers ask_all(void)
{
    struct answers all;
    char raw[64];
    for (int m = 0; m < MODELS; m++) {
        snprintf(raw, sizeof raw, "/v2/models/%s/infer", models[m]);
        all.of[m] = oip_infer(raw, 2, false, "", "");
    }
    return all;
}

static void forget(struct answers *all)
{
    for (int m = 0; m < MODELS; m++) {
        json_decref(all->of[m]);
    }
}

/* That all answers are what they were, the names of snapshots among them. */
static void check_untouched(const struct answers *before)
{
    struct answers now = ask_all();
    for (int m = 0; m < MODELS; m++) {
        ck_assert_msg(json_equal(before->of[m], now.of[m]), "%s", models[m]);
    }
    forget(&now);
}

static bool same_numbers(json_t *a, json_t *b)
{
    return json_equal(json_object_get(a, "outputs"),
                      json_object_get(b, "outputs")) == 1;
}

static const char *snapshot_of(json_t *answer)
{
    return text_of(json_object_get(answer, "parameters"), "snapshot");
}

static json_t *model_of(json_t *root)
{
    return json_object_get(root, "model");
}

static void not_a_number(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_numbers(
        sy_forge_entry(entry, *count, "head.d0.classifier.weight"))[1] = NAN;
}

static void other_shape(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    struct sy_st_entry *weight =
        sy_forge_entry(entry, *count, "head.d0.classifier.weight");
    int64_t rows = weight->dim[0];
    weight->dim[0] = weight->dim[1];
    weight->dim[1] = rows;
}

static void other_number(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root, (void)count;
    sy_forge_numbers(&entry[0])[0] += 1.0F; /* of a block that it brings */
}

static void other_answer(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    float *p = sy_forge_numbers(
        sy_forge_entry(entry, *count, "probe.d0.e0.probabilities"));
    p[0] = p[0] > 0.5F ? p[0] - 0.01F : p[0] + 0.01F;
}

static void route_to_nobody(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_t *routes = json_object_get(model_of(root), "routes");
    json_object_set_new(json_object_get(routes, "d0"), "expert",
                        json_string("nobody"));
}

static void missing_block(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_t *block =
        json_array_get(json_object_get(model_of(root), "blocks"), 1);
    json_object_set_new(
        block, "hash",
        json_string("0123456789abcdef0123456789abcdef0123456789abcdef"
                    "0123456789abcdef"));
}

static void other_network(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "network", json_string("other"));
}

static void no_such_domain(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "remove", json_pack("[s]", "d9"));
}

START_TEST(what_is_wrong_with_a_pack_is_told_and_no_answer_changes)
{
    static const struct {
        sy_forge_fn change;
        const char *query, *says;
    } cases[] = {
        {other_network, "", "the pack is for network 'other', not for 'net'"},
        {missing_block, "", "which network \"random\" does not have"},
        {other_shape, "", "head.d0.classifier.weight: expected 2 dimensions"},
        {not_a_number, "",
         "head.d0.classifier.weight: value 1: expected a finite number"},
        {other_answer, "", "probe 0 of domain \"d0\", expert \"e0\""},
        {route_to_nobody, "", "routes.d0.expert"},
        {no_such_domain, "", "removes domain \"d9\""},
        {NULL, "?max_us=1", "more than the 1 allowed"},
    };
    char id[SY_PACK_ID_BYTES];
    struct answers before = ask_all();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_good(id);
        if (cases[i].change != NULL) {
            sy_forge_pack(path, cases[i].change);
        }
        refused(cases[i].query, cases[i].says);
        check_untouched(&before);
    }
    ck_assert(!sy_dir_exists(sy_check_path("net/packs")));
    ck_assert(!sy_file_exists(sy_check_path("net/CURRENT")));
    /* And the one that all of these were made of is good. */
    write_good(id);
    stage();
    check_untouched(&before);
    forget(&before);
}
END_TEST

START_TEST(bytes_that_are_not_those_that_were_written_are_refused)
{
    char id[SY_PACK_ID_BYTES], *bytes;
    size_t count;
    struct sy_error err = {0};
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    struct answers before = ask_all();
    write_good(id);
    sy_check_ok(sy_file_read(path, 1 << 24, &bytes, &count, &err), err);
    bytes[count - 9] ^= 4; /* of a probe's image, the last tensor */
    sy_check_ok(sy_file_write(path, bytes, count, &err), err);
    refused("", "it was damaged or changed");
    sy_check_ok(sy_file_write(path, bytes, count / 2, &err), err);
    refused("", "the pack");
    sy_free(bytes);
    struct sy_pack_plan plan = plan_of(domains, 0, 0);
    plan.base = NULL; /* with all blocks, one of which is then another */
    write_plan(&plan, id);
    sy_forge_pack(path, other_number);
    refused("", ".hash: expected");
    check_untouched(&before);
    forget(&before);
}
END_TEST

/* A signature of the same key, but of another pack. */
static void other_signature(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(root, "provenance", json_pack("{s:s}", "by", "me"));
}

START_TEST(with_keys_only_what_one_of_them_has_signed_is_staged)
{
    struct sy_error err = {0};
    struct sy_sign_key trusted, other;
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    char id[SY_PACK_ID_BYTES];
    struct answers before = ask_all();
    sy_check_ok(sy_sign_make(sy_check_path("key"), &trusted, &err), err);
    sy_check_ok(sy_sign_make(sy_check_path("key2"), &other, &err), err);
    stop();
    start(sy_check_path("key.pub"));
    struct sy_pack_plan plan = plan_of(domains, 1, 1);
    write_plan(&plan, id);
    refused("", "not signed");
    plan.key = &other;
    write_plan(&plan, id);
    refused("", "which is none of the 1 that are trusted here");
    plan.key = &trusted;
    write_plan(&plan, id);
    sy_forge_pack(path, other_signature);
    refused("", "signature: not one of this pack");
    check_untouched(&before);
    write_plan(&plan, id);
    json_t *json = post("", 200);
    ck_assert_str_eq(text_of(json, "signed_by"), trusted.public_text);
    json_decref(json);
    forget(&before);
}
END_TEST

/* A disk that takes no byte more, for this process. */
static void limit_files(bool none)
{
    struct rlimit limit = {.rlim_cur = none ? 0 : RLIM_INFINITY,
                           .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Posts to `raw`, with a file's bytes or nothing, while the disk is full. */
static int ask_on_full_disk(const char *raw, const char *bytes, size_t count)
{
    struct srv_reply reply;
    limit_files(true);
    int status = oip_ask_bytes(SRV_POST, raw, NULL, bytes, count, &reply);
    limit_files(false);
    srv_reply_release(&reply);
    return status;
}

START_TEST(a_full_disk_fails_the_step_and_changes_nothing)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES], raw[128], *bytes;
    size_t count;
    struct answers before = ask_all();
    write_good(id);
    sy_check_ok(sy_file_read(path, 1 << 24, &bytes, &count, &err), err);
    ck_assert_int_ge(ask_on_full_disk(route, bytes, count), 400);
    sy_free(bytes);
    check_untouched(&before);
    stage();
    snprintf(raw, sizeof raw, "%s/%s/promote", route, id);
    ck_assert_int_ge(ask_on_full_disk(raw, NULL, 0), 400);
    check_untouched(&before);
    ck_assert(!sy_file_exists(sy_check_path("net/CURRENT")));
    act(id, "promote", 200);
    struct answers after = ask_all();
    ck_assert(!same_numbers(before.of[0], after.of[0]));
    snprintf(raw, sizeof raw, "%s/%s/rollback", route, id);
    ck_assert_int_ge(ask_on_full_disk(raw, NULL, 0), 400);
    check_untouched(&after);
    act(id, "rollback", 200);
    check_untouched(&before);
    forget(&before);
    forget(&after);
}
END_TEST

START_TEST(several_domains_and_the_root_gate_change_at_once)
{
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    struct sy_network *base = load("net");
    struct sy_pack_plan plan = plan_of(domains, 0, 1);
    char id[SY_PACK_ID_BYTES], next[64];
    struct answers before = ask_all();
    change_head(own, 0, 0.5F);
    change_head(own, 1, -0.5F);
    lead_to(own, 1);
    plan.base = base;
    plan.root = own;
    write_plan(&plan, id);
    json_t *json = post("", 200);
    ck_assert(json_is_true(json_object_get(json, "root")));
    snprintf(next, sizeof next, "%s", text_of(json, "next"));
    json_decref(json);
    /* On trial the served root gate goes on. */
    act(id, "shadow", 200);
    check_untouched(&before);
    act(id, "promote", 200);
    struct answers after = ask_all();
    for (int m = 0; m < MODELS; m++) {
        ck_assert_str_eq(snapshot_of(after.of[m]), next);
        ck_assert(same_numbers(before.of[m], after.of[m]) == (m == 2));
    }
    json_t *found = json_object_get(after.of[3], "parameters");
    ck_assert_str_eq(text_of(found, "domain"), "d1");
    act(id, "rollback", 200);
    check_untouched(&before);
    act(id, "promote", 200);
    /* And it is what a start would load. */
    struct sy_network *stored = load("net");
    int root = sy_network_root_gate(stored);
    ck_assert_int_ge(root, 0);
    ck_assert(stored->gate[root].threshold[0] == 0.0);
    sy_network_free(stored);
    forget(&before);
    forget(&after);
    sy_network_free(base);
}
END_TEST

static void other_names(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(json_object_get(root, "root"), "domains",
                        json_pack("[s,s,s]", "d0", "d2", "d1"));
}

static void other_stem(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)entry, (void)count;
    json_object_set_new(json_object_get(root, "root"), "stem",
                        json_string("00"));
}

static void gate_of_a_domain(json_t *root, struct sy_st_entry *entry,
                             int *count)
{
    (void)entry, (void)count;
    json_t *gate = json_object_get(json_object_get(root, "root"), "gate");
    json_object_set_new(gate, "layers", json_integer(1));
}

static void endless_score(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_numbers(
        sy_forge_entry(entry, *count, "gate.root.scores.bias"))[0] = INFINITY;
}

static void score_by_another(json_t *root, struct sy_st_entry *entry,
                             int *count)
{
    (void)root;
    sy_forge_numbers(
        sy_forge_entry(entry, *count, "gate.root.scores.bias"))[0] += 1.0F;
}

static void no_score(json_t *root, struct sy_st_entry *entry, int *count)
{
    (void)root;
    sy_forge_entry(entry, *count, "gate.root.scores.bias")->name =
        "gate.root.scores.more";
}

START_TEST(a_root_gate_that_does_not_fit_is_refused)
{
    static const struct {
        sy_forge_fn change;
        const char *says;
    } cases[] = {
        {other_names, "knows \"d2\" as domain 1"},
        {other_stem, "another stem"},
        {gate_of_a_domain, "no layers"},
        {endless_score, "expected a finite number"},
        {score_by_another, "root.gate.hash"},
        {no_score, "gate.root.scores.bias: the tensor is missing"},
    };
    char id[SY_PACK_ID_BYTES];
    struct answers before = ask_all();
    struct sy_pack_plan plan = {.root = own, .base = own, .network = "net"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_plan(&plan, id);
        sy_forge_pack(path, cases[i].change);
        refused("", cases[i].says);
        check_untouched(&before);
    }
    /* A root gate alone is a pack too. */
    const char *domain =
        text_of(json_object_get(before.of[3], "parameters"), "domain");
    lead_to(own, strcmp(domain, "d2") == 0 ? 0 : 2);
    write_plan(&plan, id);
    stage();
    act(id, "promote", 200);
    struct answers after = ask_all();
    ck_assert(same_numbers(before.of[0], after.of[0]));
    ck_assert(!same_numbers(before.of[3], after.of[3]));
    forget(&before);
    forget(&after);
}
END_TEST

START_TEST(a_domain_is_removed_and_added_and_others_do_not_move_a_bit)
{
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    const char *gone = "d2";
    char less[SY_PACK_ID_BYTES], more[SY_PACK_ID_BYTES];
    struct answers before = ask_all();
    struct sy_pack_plan plan = {
        .remove_count = 1, .remove = &gone, .network = "net"};
    write_plan(&plan, less);
    stage();
    act(less, "shadow", 501); /* there is nothing to compare with */
    check_untouched(&before);
    act(less, "promote", 200);
    char *body = oip_make_body(1, false, "", "");
    oip_fails("/v2/models/net.d2/infer", body, 404, "d2");
    /* The root gate knew d2 and is gone with it. */
    oip_fails("/v2/models/net/infer", body, 400, "no root gate");
    sy_free(body);
    for (int m = 0; m < 2; m++) {
        char raw[64];
        snprintf(raw, sizeof raw, "/v2/models/%s/infer", models[m]);
        json_t *now = oip_infer(raw, 2, false, "", "");
        ck_assert(same_numbers(before.of[m], now));
        json_decref(now);
    }
    /* Back again, over what is served now, with a root gate for all three. */
    struct sy_network *base = load("net");
    ck_assert_int_eq(base->domain_count, 2);
    plan = plan_of(domains, 2, 2);
    plan.base = base;
    plan.root = own;
    write_plan(&plan, more);
    json_t *json = post("", 200);
    json_t *domain = json_array_get(json_object_get(json, "domains"), 0);
    ck_assert(json_is_true(json_object_get(domain, "new")));
    json_decref(json);
    act(more, "promote", 200);
    struct answers after = ask_all();
    for (int m = 0; m < MODELS; m++) {
        ck_assert(same_numbers(before.of[m], after.of[m]));
    }
    sy_network_free(base);
    forget(&before);
    forget(&after);
}
END_TEST

/* Has the server load the network anew. */
static void load_again(void)
{
    struct srv_reply reply;
    ck_assert_int_eq(oip_ask_bytes(SRV_POST, "/v2/repository/models/net/load",
                                   NULL, "", 0, &reply),
                     200);
    srv_reply_release(&reply);
}

START_TEST(what_current_is_made_to_name_is_served_by_a_load)
{
    struct sy_error err = {0};
    char id[SY_PACK_ID_BYTES], model[SY_PATH_BYTES], label[64];
    struct sy_current current = {0};
    struct sy_pack *pack;
    struct answers before = ask_all();
    snprintf(model, sizeof model, "%s", sy_check_path("net"));
    write_good(id);
    sy_check_ok(sy_pack_open(&pack, path, &err), err);
    sy_check_ok(sy_pack_store(model, pack, &err), err);
    sy_pack_close(pack);
    sy_check_ok(sy_current_read(model, &current, &err), err);
    sy_check_ok(
        sy_stack_push(&current.served, model, &current.served, id, &err), err);
    sy_check_ok(sy_current_write(model, &current, &err), err);
    check_untouched(&before);
    load_again();
    struct answers after = ask_all();
    snprintf(label, sizeof label, "1+%s", id);
    ck_assert_str_eq(snapshot_of(after.of[0]), label);
    ck_assert(!same_numbers(before.of[0], after.of[0]));
    ck_assert(same_numbers(before.of[1], after.of[1]));
    forget(&before);
    forget(&after);
}
END_TEST

/* Waits until no more blocks of memory live than once before; states end when
   the last thread lets go of them. */
static void check_live(int64_t expected)
{
    for (int i = 0; i < 1000 && sy_alloc_live() > expected; i++) {
        struct timespec moment = {.tv_nsec = 10000000};
        nanosleep(&moment, NULL);
    }
    ck_assert_int_le(sy_alloc_live(), expected);
}

START_TEST(packs_follow_each_other_and_leave_no_memory_behind)
{
    int64_t live = 0;
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    struct sy_network *base = load("net");
    struct sy_pack_plan plan = plan_of(domains, 0, 0);
    char id[2][SY_PACK_ID_BYTES];
    struct answers first = ask_all();
    plan.base = base;
    for (int i = 0; i < TURNS; i++) {
        change_head(own, 0, i % 2 == 0 ? 0.5F : -1.0F);
        write_plan(&plan, id[i % 2]);
        change_head(own, 0, i % 2 == 0 ? -0.5F : 1.0F);
        stage();
        if (i == 1) { /* what is staged over is known by its content */
            act(id[1], "promote", 200);
            act(id[1], "rollback", 200);
        }
        act(id[i % 2], "promote", 200);
        struct answers now = ask_all();
        ck_assert(!same_numbers(first.of[0], now.of[0]));
        ck_assert(same_numbers(first.of[1], now.of[1]));
        ck_assert_str_eq(snapshot_of(now.of[0]) + 2, id[i % 2]);
        forget(&now);
        if (i == SAME) {
            live = sy_alloc_live();
        } else if (i > SAME && (i - SAME) % 2 == 0) {
            check_live(live);
        }
    }
    /* A pack on top that is gone from disk is noticed all the same. */
    char gone[SY_PATH_BYTES], name[64];
    snprintf(name, sizeof name, "net/packs/%s/pack.safetensors", id[1]);
    snprintf(gone, sizeof gone, "%s", sy_check_path(name));
    ck_assert_int_eq(remove(gone), 0);
    write_plan(&plan, id[0]);
    json_t *json = post("", 404);
    ck_assert_ptr_nonnull(strstr(text_of(json, "error"), "gone from disk"));
    json_decref(json);
    forget(&first);
    sy_network_free(base);
}
END_TEST

START_TEST(a_root_gate_that_went_with_a_domain_does_not_come_back_by_a_load)
{
    struct sy_pack_domain domains[SY_MAX_DOMAINS];
    const char *gone = "d2";
    char id[SY_PACK_ID_BYTES];
    struct sy_pack_plan plan = {
        .remove_count = 1, .remove = &gone, .network = "net"};
    char *body = oip_make_body(1, false, "", "");
    write_plan(&plan, id);
    stage();
    act(id, "promote", 200);
    plan = plan_of(domains, 2, 2);
    plan.base = NULL;
    write_plan(&plan, id);
    stage();
    act(id, "promote", 200);
    oip_fails("/v2/models/net/infer", body, 400, "no root gate");
    load_again();
    oip_fails("/v2/models/net/infer", body, 400, "no root gate");
    sy_free(body);
}
END_TEST

START_TEST(a_pack_for_which_the_stack_is_full_leaves_nothing_on_disk)
{
    char id[SY_PACK_ID_BYTES], folder[64];
    sy_check_fill_stack(sy_check_path("net"), own, path, id);
    load_again();
    struct answers before = ask_all();
    json_t *json = post("", 501);
    ck_assert_ptr_nonnull(strstr(text_of(json, "error"), "64 packs"));
    json_decref(json);
    snprintf(folder, sizeof folder, "net/packs/%s", id);
    ck_assert(!sy_dir_exists(sy_check_path(folder)));
    check_untouched(&before);
    forget(&before);
}
END_TEST

/* Another version 1, with other answers of d1, in place of the one on disk. */
static void train_again(void)
{
    struct sy_error err = {0};
    struct sy_artefact artefact;
    ck_assert_int_eq(rename(sy_check_path("net/1"), sy_check_path("gone")), 0);
    change_head(own, 1, 0.5F);
    sy_check_ok(
        sy_artefact_save(own, sy_check_path("net"), NULL, &artefact, &err),
        err);
    ck_assert_int_eq(artefact.version, 1);
}

START_TEST(a_version_that_took_the_number_of_another_is_what_packs_go_on)
{
    char id[SY_PACK_ID_BYTES];
    struct answers first = ask_all();
    write_good(id);
    stage(); /* reads the version, and keeps what it has read */
    act(id, "promote", 200);
    act(id, "rollback", 200);
    train_again();
    load_again();
    struct answers trained = ask_all();
    ck_assert(!same_numbers(first.of[1], trained.of[1]));
    write_good(id);
    stage();
    act(id, "promote", 200);
    struct answers now = ask_all();
    ck_assert(!same_numbers(trained.of[0], now.of[0]));
    ck_assert(same_numbers(trained.of[1], now.of[1]));
    forget(&first);
    forget(&trained);
    forget(&now);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stage");
    TCase *tc = tcase_create("stage");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_is_wrong_with_a_pack_is_told_and_no_answer_changes);
    tcase_add_test(tc, bytes_that_are_not_those_that_were_written_are_refused);
    tcase_add_test(tc, with_keys_only_what_one_of_them_has_signed_is_staged);
    tcase_add_test(tc, a_full_disk_fails_the_step_and_changes_nothing);
    tcase_add_test(tc, several_domains_and_the_root_gate_change_at_once);
    tcase_add_test(tc, a_root_gate_that_does_not_fit_is_refused);
    tcase_add_test(tc,
                   a_domain_is_removed_and_added_and_others_do_not_move_a_bit);
    tcase_add_test(tc, what_current_is_made_to_name_is_served_by_a_load);
    tcase_add_test(tc, packs_follow_each_other_and_leave_no_memory_behind);
    tcase_add_test(
        tc, a_root_gate_that_went_with_a_domain_does_not_come_back_by_a_load);
    tcase_add_test(tc,
                   a_pack_for_which_the_stack_is_full_leaves_nothing_on_disk);
    tcase_add_test(
        tc, a_version_that_took_the_number_of_another_is_what_packs_go_on);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
