/*
 * test_swap.c - the parts of a swap that need neither HTTP nor a network:
 * phases, rules, and who is drawn.
 */
#include <stdio.h>
#include <string.h>

#include "serving/live.h"
#include "serving/swap/phase.h"
#include "serving/swap/rules.h"
#include "tests/support/check_main.h"

START_TEST(a_swap_goes_only_where_the_table_leads)
{
    static const struct {
        enum srv_swap_phase from;
        enum srv_swap_act act;
        enum srv_swap_phase to;
    } ways[] = {
        {SRV_SWAP_STAGING, SRV_SWAP_DO_ACCEPT, SRV_SWAP_STAGED},
        {SRV_SWAP_STAGING, SRV_SWAP_DO_REFUSE, SRV_SWAP_REFUSED},
        {SRV_SWAP_STAGED, SRV_SWAP_DO_SHADOW, SRV_SWAP_SHADOW},
        {SRV_SWAP_STAGED, SRV_SWAP_DO_PROMOTE, SRV_SWAP_PROMOTED},
        {SRV_SWAP_SHADOW, SRV_SWAP_DO_CANARY, SRV_SWAP_CANARY},
        {SRV_SWAP_CANARY, SRV_SWAP_DO_SHADOW, SRV_SWAP_SHADOW},
        {SRV_SWAP_CANARY, SRV_SWAP_DO_ROLLBACK, SRV_SWAP_ROLLED_BACK},
        {SRV_SWAP_PROMOTED, SRV_SWAP_DO_ROLLBACK, SRV_SWAP_ROLLED_BACK},
        {SRV_SWAP_ROLLED_BACK, SRV_SWAP_DO_PROMOTE, SRV_SWAP_PROMOTED},
        {SRV_SWAP_PROMOTED, SRV_SWAP_DO_DROP, SRV_SWAP_PROMOTED},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        enum srv_swap_phase next;
        ck_assert(srv_swap_next(ways[i].from, ways[i].act, &next));
        ck_assert_int_eq(next, ways[i].to);
    }
    enum srv_swap_phase next = SRV_SWAP_STAGED;
    ck_assert(!srv_swap_next(SRV_SWAP_STAGED, SRV_SWAP_DO_ROLLBACK, &next));
    ck_assert(!srv_swap_next(SRV_SWAP_STAGING, SRV_SWAP_DO_DROP, &next));
    ck_assert(!srv_swap_next(SRV_SWAP_REFUSED, SRV_SWAP_DO_PROMOTE, &next));
    ck_assert(!srv_swap_next(SRV_SWAP_PROMOTED, SRV_SWAP_DO_CANARY, &next));
    ck_assert_int_eq(next, SRV_SWAP_STAGED);
}
END_TEST

START_TEST(what_is_under_way_keeps_others_out)
{
    ck_assert(srv_swap_is_open(SRV_SWAP_STAGING));
    ck_assert(srv_swap_is_open(SRV_SWAP_CANARY));
    ck_assert(!srv_swap_is_open(SRV_SWAP_PROMOTED));
    ck_assert(!srv_swap_is_open(SRV_SWAP_ROLLED_BACK));
    ck_assert(!srv_swap_is_open(SRV_SWAP_REFUSED));
    ck_assert_str_eq(srv_swap_phase_names[SRV_SWAP_ROLLED_BACK], "rolled_back");
    ck_assert_str_eq(srv_swap_act_names[SRV_SWAP_DO_DROP], "drop");
}
END_TEST

/* A window in which everything is well. */
static struct srv_tally_copy good_window(void)
{
    return (struct srv_tally_copy){.pairs = 300,
                                   .agreed = 297,
                                   .served_confidence = 270000000,
                                   .next_confidence = 276000000,
                                   .served_ns = 1000000,
                                   .next_ns = 1200000};
}

static void judge(const struct srv_tally_copy *window,
                  enum srv_verdict expected, const char *says)
{
    char reason[SRV_REASON_BYTES];
    enum srv_verdict found =
        srv_rules_judge(&srv_rules_default, window, reason);
    ck_assert_int_eq(found, expected);
    ck_assert_msg(strstr(reason, says) != NULL, "expected \"%s\" in \"%s\"",
                  says, reason);
}

START_TEST(rules_judge_agreement_confidence_time_and_errors)
{
    struct srv_tally_copy w = good_window();
    judge(&w, SRV_VERDICT_GOOD, "");
    w.agreed = 269;
    judge(&w, SRV_VERDICT_BAD, "agreement 0.8967 over 300 images");
    w = good_window();
    w.next_confidence = 239000000;
    judge(&w, SRV_VERDICT_BAD, "mean confidence went from 0.9000 to 0.7967");
    w = good_window();
    w.next_ns = 1600000;
    judge(&w, SRV_VERDICT_BAD, "1.60 times as long");
    w = good_window();
    w.errors = 1;
    judge(&w, SRV_VERDICT_BAD, "1 answers that are not finite");
}
END_TEST

START_TEST(rules_wait_for_enough_images_but_not_with_errors)
{
    struct srv_tally_copy w = good_window();
    w.pairs = 199;
    w.agreed = 0;
    judge(&w, SRV_VERDICT_WAIT, "");
    w.errors = 1;
    judge(&w, SRV_VERDICT_BAD, "not finite");
    w = (struct srv_tally_copy){.answered = 200};
    judge(&w, SRV_VERDICT_GOOD, "");
}
END_TEST

START_TEST(windows_are_differences_of_copies)
{
    struct srv_tally tally = {0};
    struct srv_tally_copy before, after;
    struct srv_pair pair = {.served_label = "a",
                            .next_label = "a",
                            .served_confidence = 0.5,
                            .next_confidence = 0.25,
                            .served_madds = 7,
                            .next_madds = 9,
                            .extra_madds = 4,
                            .extra_blocks = 2};
    srv_tally_pair(&tally, &pair);
    srv_tally_read(&tally, &before);
    pair.next_label = "b";
    srv_tally_pair(&tally, &pair);
    pair.failed = true;
    srv_tally_pair(&tally, &pair);
    srv_tally_read(&tally, &after);
    struct srv_tally_copy window = srv_tally_since(&after, &before);
    ck_assert_int_eq(after.pairs, 2);
    ck_assert_int_eq(after.agreed, 1);
    ck_assert_int_eq(window.pairs, 1);
    ck_assert_int_eq(window.agreed, 0);
    ck_assert_int_eq(window.errors, 1);
    ck_assert_int_eq(window.served_confidence, 500000);
    ck_assert_int_eq(window.next_confidence, 250000);
    ck_assert_int_eq(after.next_madds, 18);
    ck_assert_int_eq(after.extra_blocks, 4);
}
END_TEST

START_TEST(rules_are_read_over_the_defaults_and_checked)
{
    struct srv_rules rules = srv_rules_default;
    struct sy_error err = {0};
    json_t *root = json_pack("{s:{s:i,s:f,s:b}}", "rules", "min_samples", 50,
                             "min_agreement", 0.5, "promote", 1);
    struct sy_json in = sy_json_object(root, "body", "", &err);
    srv_rules_read(&rules, &in);
    sy_check_ok(sy_json_end(&in), err);
    json_decref(root);
    ck_assert_int_eq(rules.min_samples, 50);
    ck_assert(rules.promote && rules.rollback);
    ck_assert_double_eq(rules.min_agreement, 0.5);
    ck_assert_double_eq(rules.max_time_ratio, 1.5);
    root = json_pack("{s:{s:i}}", "rules", "min_sample", 50);
    in = sy_json_object(root, "body", "", &err);
    srv_rules_read(&rules, &in);
    ck_assert_int_eq(sy_json_end(&in), SY_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "min_samples"));
    json_decref(root);
}
END_TEST

static struct sy_domain domains[] = {{.name = "a", .classes = 3},
                                     {.name = "b", .classes = 2}};
static struct sy_network network = {.domain_count = 2, .domain = domains};

/* Domain "b" on trial; it is the first one of the candidate. */
static struct sy_domain next_domains[] = {{.name = "b", .classes = 4}};
static struct sy_network next_network = {.domain_count = 1,
                                         .domain = next_domains};
static struct srv_live next = {.network = &next_network};
static struct srv_live base = {.network = &network};
static struct srv_trial_domain on_trial[] = {
    {.served = 1, .next = 0, .joined = 2}};
static struct srv_trial trial = {
    .base = &base, .next = &next, .count = 1, .domain = on_trial};
static struct srv_live live = {.network = &network, .trial = &trial};

START_TEST(the_same_request_is_always_drawn_alike_and_shares_are_kept)
{
    enum { REQUESTS = 20000 };
    int canaries = 0, compared = 0, both = 0;
    atomic_store(&trial.canary_share, 1000);
    atomic_store(&trial.shadow_share, 2500);
    for (int i = 0; i < REQUESTS; i++) {
        char id[32];
        snprintf(id, sizeof id, "request-%d", i);
        uint64_t ticket = srv_trial_ticket(id);
        struct srv_pick a = srv_trial_pick(&live, 1, ticket, SRV_PIN_NONE);
        struct srv_pick b = srv_trial_pick(&live, 1, ticket, SRV_PIN_NONE);
        ck_assert_ptr_eq(a.named, b.named);
        ck_assert_int_eq(a.compare, b.compare);
        canaries += a.named == &next;
        compared += a.compare;
        both += a.named == &next && a.compare;
    }
    /* Five standard deviations about the shares. */
    ck_assert_int_le(abs(canaries - REQUESTS / 10), 212);
    ck_assert_int_le(abs(compared - REQUESTS / 4), 306);
    ck_assert_int_le(abs(both - REQUESTS / 40), 111);
}
END_TEST

START_TEST(a_request_knows_its_domain_in_every_network)
{
    atomic_store(&trial.canary_share, 0);
    atomic_store(&trial.shadow_share, SRV_SHARE_ALL);
    struct srv_pick a = srv_trial_pick(&live, 1, 5, SRV_PIN_NONE);
    ck_assert_ptr_eq(a.named, &live);
    ck_assert(a.compare);
    ck_assert_int_eq(a.named_domain, 1);
    ck_assert_int_eq(a.run_domain, 1);
    ck_assert_int_eq(a.beside_domain, 2);
    ck_assert_int_eq(a.beside_classes, 4);
    struct srv_pick b = srv_trial_pick(&live, 1, 5, SRV_PIN_NEXT);
    ck_assert_ptr_eq(b.named, &next);
    ck_assert_int_eq(b.named_domain, 0);
    ck_assert_int_eq(b.run_domain, 2);
    ck_assert_int_eq(b.beside_domain, 1);
    ck_assert_int_eq(b.beside_classes, 2);
    atomic_store(&trial.canary_share, SRV_SHARE_ALL);
    struct srv_pick c = srv_trial_pick(&live, 1, 5, SRV_PIN_SERVED);
    ck_assert_ptr_eq(c.named, &live);
    struct srv_pick d = srv_trial_pick(&live, 0, 5, SRV_PIN_NONE);
    ck_assert_ptr_null(d.trial);
    ck_assert_ptr_eq(d.named, &live);
    ck_assert(!d.compare);
}
END_TEST

START_TEST(requests_without_an_id_are_drawn_by_a_counter)
{
    int canaries = 0;
    atomic_store(&trial.canary_share, 5000);
    for (int i = 0; i < 1000; i++) {
        canaries += srv_trial_pick(&live, 1, 0, SRV_PIN_NONE).named == &next;
    }
    ck_assert_int_gt(canaries, 400);
    ck_assert_int_lt(canaries, 600);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("swap");
    TCase *tc = tcase_create("swap");
    tcase_add_test(tc, a_swap_goes_only_where_the_table_leads);
    tcase_add_test(tc, what_is_under_way_keeps_others_out);
    tcase_add_test(tc, rules_judge_agreement_confidence_time_and_errors);
    tcase_add_test(tc, rules_wait_for_enough_images_but_not_with_errors);
    tcase_add_test(tc, windows_are_differences_of_copies);
    tcase_add_test(tc, rules_are_read_over_the_defaults_and_checked);
    tcase_add_test(tc,
                   the_same_request_is_always_drawn_alike_and_shares_are_kept);
    tcase_add_test(tc, a_request_knows_its_domain_in_every_network);
    tcase_add_test(tc, requests_without_an_id_are_drawn_by_a_counter);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
