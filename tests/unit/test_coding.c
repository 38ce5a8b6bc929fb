/*
 * test_coding.c - content codings of requests and replies.
 */
#include <stdio.h>
#include <string.h>

#include "domains/formats/gzip.h"
#include "runtime/base/memory.h"
#include "serving/http/coding.h"
#include "tests/support/check_main.h"

enum { LIMIT = 4096 };

static struct srv_request request;
static struct srv_reply reply;
static char *body;

static void set_up(void)
{
    memset(&request, 0, sizeof request);
    memset(&reply, 0, sizeof reply);
    body = NULL;
}

static void tear_down(void)
{
    sy_free(body);
    srv_reply_release(&reply);
    ck_assert_int_eq((int)sy_alloc_live(), 0);
}

static void set_body(const void *data, size_t bytes, const char *coding)
{
    sy_free(body);
    body = sy_alloc(bytes + 1);
    ck_assert_ptr_nonnull(body);
    memcpy(body, data, bytes);
    body[bytes] = '\0';
    request.body = body;
    request.body_bytes = bytes;
    snprintf(request.content_encoding, sizeof request.content_encoding, "%s",
             coding);
}

/* A packed body of `bytes` zeros, with `extra` bytes behind it. */
static void pack(size_t bytes, enum dom_wrapper wrapper, size_t extra)
{
    uint8_t *plain = sy_alloc_zero(bytes + 1, 1);
    uint8_t *packed;
    size_t packed_bytes;
    struct sy_error err = {0};
    sy_check_ok(
        dom_deflate_fast(plain, bytes, wrapper, &packed, &packed_bytes, &err),
        err);
    packed = sy_realloc(packed, packed_bytes + extra);
    memset(packed + packed_bytes, 0, extra);
    set_body(packed, packed_bytes + extra,
             wrapper == DOM_WRAP_GZIP ? "gzip" : "Deflate");
    sy_free(plain);
    sy_free(packed);
}

START_TEST(both_codings_are_undone_up_to_the_limit_and_not_beyond)
{
    for (int w = 0; w < 2; w++) {
        pack(LIMIT, (enum dom_wrapper)w, 0);
        srv_coding_check(&request, &reply);
        ck_assert_int_eq(reply.status, 0);
        ck_assert(srv_coding_decode(&request, &body, LIMIT, &reply));
        ck_assert_uint_eq(request.body_bytes, LIMIT);
        ck_assert_int_eq(request.body[LIMIT - 1], 0);
        ck_assert_ptr_eq(request.body, body);
        pack(LIMIT + 1, (enum dom_wrapper)w, 0);
        ck_assert(!srv_coding_decode(&request, &body, LIMIT, &reply));
        ck_assert_int_eq(reply.status, 413);
        srv_reply_release(&reply);
        pack((size_t)64 << 20, (enum dom_wrapper)w, 0); /* a bomb */
        ck_assert(!srv_coding_decode(&request, &body, LIMIT, &reply));
        ck_assert_int_eq(reply.status, 413);
        srv_reply_release(&reply);
    }
}
END_TEST

static void decode_fails(const char *says)
{
    ck_assert(!srv_coding_decode(&request, &body, LIMIT, &reply));
    ck_assert_int_eq(reply.status, 400);
    ck_assert_msg(strstr(reply.body, says) != NULL, "%s", reply.body);
    srv_reply_release(&reply);
}

START_TEST(damaged_bodies_are_refused)
{
    set_body("{}", 2, "gzip");
    decode_fails("damaged");
    set_body("", 0, "gzip");
    decode_fails("too early");
    pack(100, DOM_WRAP_ZLIB, 2);
    decode_fails("2 bytes follow");
    for (size_t cut = 1; cut < 20; cut++) {
        pack(100, DOM_WRAP_GZIP, 0);
        request.body_bytes -= cut;
        decode_fails("too early");
    }
    pack(100, DOM_WRAP_GZIP, 0);
    body[request.body_bytes - 5] ^= 1; /* the checksum */
    decode_fails("damaged");
    pack(100, DOM_WRAP_ZLIB, 0);
    strcpy(request.content_encoding, "gzip");
    decode_fails("damaged");
}
END_TEST

START_TEST(bodies_without_coding_stay_as_they_are)
{
    static const char *const none[] = {"", "identity", "IDENTITY"};
    for (size_t i = 0; i < 3; i++) {
        set_body("{}", 2, none[i]);
        const char *before = body;
        srv_coding_check(&request, &reply);
        ck_assert_int_eq(reply.status, 0);
        ck_assert(srv_coding_decode(&request, &body, LIMIT, &reply));
        ck_assert_ptr_eq(body, before);
    }
}
END_TEST

START_TEST(other_codings_are_501_and_name_those_there_are)
{
    static const char *const other[] = {"br", "gzip, deflate", "gzipp", "gz",
                                        "zstd"};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        set_body("{}", 2, other[i]);
        srv_coding_check(&request, &reply);
        ck_assert_int_eq(reply.status, 501);
        ck_assert_str_eq(reply.header[0].name, "Accept-Encoding");
        ck_assert_str_eq(reply.header[0].value, "gzip, deflate");
        srv_reply_release(&reply);
    }
}
END_TEST

static const struct {
    const char *accept, *coding;
} choices[] = {
    {"", ""},
    {"gzip", "gzip"},
    {"deflate", "deflate"},
    {"gzip, deflate", "gzip"},
    {"deflate, gzip", "deflate"},
    {"gzip;q=0.5, deflate;q=0.7", "deflate"},
    {"gzip; q=0.5 ,deflate;q=0.499", "gzip"},
    {"GZIP;Q=1.0", "gzip"},
    {"gzip;q=0", ""},
    {"gzip;q=0.000, deflate;q=0.001", "deflate"},
    {"identity, gzip", ""},
    {"identity;q=0.1, gzip;q=0.2", "gzip"},
    {"*", ""},
    {"br, *;q=0.1", ""},
    {"br;q=1, gzip;q=0.1", "gzip"},
    {"x-gzip", "gzip"},
    {"gzip;level=1;q=0.2, deflate;q=0.1", "gzip"},
    {",,gzip", "gzip"},
    {";;;,q=1,", ""},
};

START_TEST(the_reply_goes_out_as_the_client_likes_best)
{
    static const char text[] = "{\"outputs\":[0,0,0,0,0,0,0,0,0,0,0,0,0]}";
    snprintf(request.accept_encoding, sizeof request.accept_encoding, "%s",
             choices[_i].accept);
    for (int compressible = 0; compressible < 2; compressible++) {
        srv_reply_take(&reply, 200, "application/json", sy_strdup(text),
                       sizeof text - 1);
        reply.compressible = compressible == 1;
        srv_coding_encode(&request, &reply);
        const char *coding =
            reply.header_count == 0 ? "" : reply.header[0].value;
        ck_assert_str_eq(coding, compressible ? choices[_i].coding : "");
        if (coding[0] == '\0') {
            ck_assert_mem_eq(reply.body, text, sizeof text - 1);
        } else {
            ck_assert_str_eq(reply.header[0].name, "Content-Encoding");
            set_body(reply.body, reply.body_bytes, coding);
            struct srv_reply none = {0};
            ck_assert(srv_coding_decode(&request, &body, LIMIT, &none));
            ck_assert_str_eq(body, text);
        }
        srv_reply_release(&reply);
    }
}
END_TEST

START_TEST(without_memory_a_reply_goes_out_as_it_is)
{
    strcpy(request.accept_encoding, "gzip");
    srv_reply_take(&reply, 200, "application/json", sy_strdup("{}"), 2);
    reply.compressible = true;
    sy_alloc_fail_at(1, true);
    srv_coding_encode(&request, &reply);
    sy_alloc_fail_at(0, false);
    ck_assert_str_eq(reply.body, "{}");
    ck_assert_int_eq(reply.header_count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coding");
    TCase *tc = tcase_create("all");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, both_codings_are_undone_up_to_the_limit_and_not_beyond);
    tcase_add_test(tc, damaged_bodies_are_refused);
    tcase_add_test(tc, bodies_without_coding_stay_as_they_are);
    tcase_add_test(tc, other_codings_are_501_and_name_those_there_are);
    tcase_add_loop_test(tc, the_reply_goes_out_as_the_client_likes_best, 0,
                        (int)(sizeof choices / sizeof choices[0]));
    tcase_add_test(tc, without_memory_a_reply_goes_out_as_it_is);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
