/*
 * record.h - what is known of an exchange when it has ended.
 *
 * The front hands one to its owner, who counts and logs it. The phases are
 * what they say, in the order in which they happen; those that did not happen
 * are 0. Queue and compute are known by the batcher, see struct srv_facts.
 *
 * Thread: an HTTP thread; the pointers are good during the call.
 */
#ifndef SRV_HTTP_RECORD_H
#define SRV_HTTP_RECORD_H

#include "serving/http/message.h"

struct srv_record {
    const struct srv_request *request;
    const struct srv_facts *facts;
    int status;    /* 0: it ended before there was an answer */
    bool rejected; /* answered by the front; no handler saw it */
    bool sent;     /* the whole answer went out */
    size_t body_bytes, reply_bytes;
    int64_t read_ns;   /* from the request line to the body's last byte */
    int64_t parse_ns;  /* the handler, up to its answer or its work */
    int64_t wake_ns;   /* from the work's end until its thread went on */
    int64_t encode_ns; /* the finished work became an answer */
    int64_t write_ns;  /* from the answer to its last byte */
    int64_t total_ns;
};

typedef void (*srv_observe_fn)(void *context, const struct srv_record *record);

#endif
