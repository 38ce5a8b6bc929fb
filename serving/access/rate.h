/*
 * rate.h - how often a client may ask.
 *
 * A bucket of tokens for each client: it fills at `rate` a second up to one
 * second's worth, and a request takes one. Clients are told apart by a text
 * (the name of their key, or their address); the table is bounded, and a
 * client that had its full bucket anyway is the first to be forgotten.
 *
 * Thread: any.
 */
#ifndef SRV_ACCESS_RATE_H
#define SRV_ACCESS_RATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { SRV_RATE_PLACES = 4096, SRV_RATE_WAYS = 8 };

struct srv_bucket {
    uint64_t client; /* hash of its text; 0: nobody */
    int64_t full_ns; /* when the bucket is full again */
};

struct srv_rate {
    pthread_mutex_t lock; /* guards the buckets */
    struct srv_bucket bucket[SRV_RATE_PLACES];
};

void srv_rate_init(struct srv_rate *rate);
void srv_rate_release(struct srv_rate *rate);

/*
 * Takes one request of `client` at `now_ns`, when `per_second` are allowed;
 * 0: no limit. Returns 0, or after how many nanoseconds it may ask again.
 */
int64_t srv_rate_take(struct srv_rate *rate, const char *client, int per_second,
                      int64_t now_ns);

#endif
