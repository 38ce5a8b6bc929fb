/*
 * test_trace.c - request ids, traceparent, and the histogram's buckets.
 */
#include "serving/http/trace.h"

#include <string.h>

#include "serving/metrics/buckets.h"
#include "tests/support/check_main.h"

START_TEST(a_client_may_name_its_request_and_others_get_a_new_name)
{
    char id[SRV_REQUEST_ID_BYTES], other[SRV_REQUEST_ID_BYTES];
    srv_request_id(id, "job-7_a.B");
    ck_assert_str_eq(id, "job-7_a.B");
    static const char *const bad[] = {"", "a b", "a\"b", "\xc3\xa4",
                                      "0123456789012345678901234567890123456789"
                                      "0123456789012345678901234"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        srv_request_id(id, bad[i]);
        srv_request_id(other, bad[i]);
        ck_assert_uint_eq(strlen(id), 16);
        ck_assert_str_ne(id, other);
    }
}
END_TEST

START_TEST(a_traceparent_is_taken_whole_or_not_at_all)
{
    static const char trace[] = "0af7651916cd43dd8448eb211c80319c";
    static const char *const good[] = {
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"};
    static const char *const bad[] = {
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331--01",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more"};
    char trace_id[SRV_TRACE_ID_BYTES], span_id[SRV_SPAN_ID_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(srv_trace_parse(good[i], trace_id, span_id));
        ck_assert_str_eq(trace_id, trace);
        ck_assert_str_eq(span_id, "b7ad6b7169203331");
        ck_assert(srv_trace_is_sampled(good[i]));
    }
    ck_assert(!srv_trace_is_sampled(
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!srv_trace_parse(bad[i], trace_id, span_id), "%s",
                      bad[i]);
        ck_assert_str_eq(trace_id, "");
        ck_assert_str_eq(span_id, "");
    }
}
END_TEST

START_TEST(a_time_is_counted_in_the_first_bucket_that_holds_it)
{
    struct srv_buckets histogram = {0};
    srv_buckets_add(&histogram, 0);
    srv_buckets_add(&histogram, srv_bucket_ns[0]);
    srv_buckets_add(&histogram, srv_bucket_ns[0] + 1);
    for (int i = 1; i < SRV_BUCKETS; i++) {
        ck_assert(srv_bucket_ns[i] > srv_bucket_ns[i - 1]);
        srv_buckets_add(&histogram, srv_bucket_ns[i]);
    }
    srv_buckets_add(&histogram, srv_bucket_ns[SRV_BUCKETS - 1] + 1);
    ck_assert_int_eq((int)histogram.bucket[0], 2);
    ck_assert_int_eq((int)histogram.bucket[1], 2);
    for (int i = 2; i <= SRV_BUCKETS; i++) {
        ck_assert_int_eq((int)histogram.bucket[i], 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, a_client_may_name_its_request_and_others_get_a_new_name);
    tcase_add_test(tc, a_traceparent_is_taken_whole_or_not_at_all);
    tcase_add_test(tc, a_time_is_counted_in_the_first_bucket_that_holds_it);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
