/*
 * trace.c - ids of requests and traces.
 *
 * DESIGN: an own id is a number that counts, stirred with a start value of
 * the process, so that ids of several servers seldom meet and cost no system
 * call.
 *
 * Source: W3C Trace Context, section 3.2.
 */
#include "serving/http/trace.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/clock.h"

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
static const char hex_digits[] = "0123456789abcdef";

/* A bijection that leaves no pattern of its input (splitmix64's finaliser). */
static uint64_t stir(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A number that this process has not had, and 16 digits of it. */
static void put_new(char out[17])
{
    static _Atomic uint64_t next; /* 0: not begun */
    uint64_t zero = 0;
    if (atomic_load(&next) == 0) {
        uint64_t start =
            stir((uint64_t)sy_now_ns() ^ (uint64_t)getpid() << 48) | 1;
        atomic_compare_exchange_strong(&next, &zero, start);
    }
    uint64_t own = stir(atomic_fetch_add(&next, 1));
    for (int i = 0; i < 16; i++) {
        out[i] = hex_digits[own >> (60 - 4 * i) & 15];
    }
    out[16] = '\0';
}

void srv_request_id(char id[SRV_REQUEST_ID_BYTES], const char *given)
{
    size_t bytes = strspn(given, id_letters);
    if (bytes > 0 && bytes < SRV_REQUEST_ID_BYTES && given[bytes] == '\0') {
        memcpy(id, given, bytes + 1);
        return;
    }
    put_new(id);
}

void srv_trace_new(char trace_id[SRV_TRACE_ID_BYTES],
                   char span_id[SRV_SPAN_ID_BYTES])
{
    put_new(trace_id);
    put_new(trace_id + 16);
    put_new(span_id);
}

bool srv_trace_is_sampled(const char *text)
{
    const char *digit = strchr(hex_digits, text[54]);
    return digit != NULL && ((digit - hex_digits) & 1) != 0;
}

/* `count` hexadecimal digits, not all zero. */
static bool is_id(const char *text, size_t count)
{
    return strspn(text, hex_digits) >= count && strspn(text, "0") < count;
}

bool srv_trace_parse(const char *text, char trace_id[SRV_TRACE_ID_BYTES],
                     char span_id[SRV_SPAN_ID_BYTES])
{
    size_t bytes = strlen(text);
    trace_id[0] = '\0';
    span_id[0] = '\0';
    /* version-trace-parent-flags; later versions may add to the end */
    if (bytes < 55 || strspn(text, hex_digits) != 2 ||
        strncmp(text, "ff", 2) == 0 ||
        (text[0] == '0' && text[1] == '0' && bytes != 55)) {
        return false;
    }
    if (text[2] != '-' || text[35] != '-' || text[52] != '-' ||
        !is_id(text + 3, 32) || !is_id(text + 36, 16) ||
        strspn(text + 53, hex_digits) < 2 || (bytes > 55 && text[55] != '-')) {
        return false;
    }
    memcpy(trace_id, text + 3, 32);
    trace_id[32] = '\0';
    memcpy(span_id, text + 36, 16);
    span_id[16] = '\0';
    return true;
}
