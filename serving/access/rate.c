/*
 * rate.c - token buckets, each one number.
 *
 * DESIGN: a bucket is kept as the time at which it will be full: taking a
 * token moves that time by one token's worth, and a bucket is empty when it
 * is a full second away. So nothing has to be filled, and one that is full is
 * the same as none. A client's hash names a set of eight places; when all are
 * taken, the one that is full soonest gives way (which errs on the side of
 * the client).
 */
#include "serving/access/rate.h"

#include <string.h>

#define SECOND_NS INT64_C(1000000000)

void srv_rate_init(struct srv_rate *rate)
{
    memset(rate->bucket, 0, sizeof rate->bucket);
    pthread_mutex_init(&rate->lock, NULL);
}

void srv_rate_release(struct srv_rate *rate)
{
    pthread_mutex_destroy(&rate->lock);
}

/* FNV-1a: clients do not choose their address freely enough to attack it. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash == 0 ? 1 : hash;
}

/* The client's bucket, or the one of its set that is full soonest. */
static struct srv_bucket *find_bucket(struct srv_rate *rate, uint64_t client)
{
    size_t sets = SRV_RATE_PLACES / SRV_RATE_WAYS;
    struct srv_bucket *set =
        &rate->bucket[(client >> 32) % sets * SRV_RATE_WAYS];
    struct srv_bucket *best = set;
    for (int i = 0; i < SRV_RATE_WAYS; i++) {
        if (set[i].client == client) {
            return &set[i];
        }
        if (set[i].full_ns < best->full_ns) {
            best = &set[i];
        }
    }
    *best = (struct srv_bucket){client, 0};
    return best;
}

int64_t srv_rate_take(struct srv_rate *rate, const char *client, int per_second,
                      int64_t now_ns)
{
    if (per_second <= 0) {
        return 0;
    }
    int64_t token_ns = SECOND_NS / per_second;
    int64_t wait_ns = 0;
    pthread_mutex_lock(&rate->lock);
    struct srv_bucket *bucket = find_bucket(rate, hash_text(client));
    int64_t full_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
    if (full_ns + token_ns - now_ns > SECOND_NS) {
        wait_ns = full_ns + token_ns - now_ns - SECOND_NS;
    } else {
        bucket->full_ns = full_ns + token_ns;
    }
    pthread_mutex_unlock(&rate->lock);
    return wait_ns;
}
