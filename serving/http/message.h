/*
 * message.h - one request, its reply, and work that ends later.
 *
 * These three types are all that passes between the front (which knows
 * libmicrohttpd) and the handlers (which know the protocols). A handler gets
 * a whole request and either fills the reply or leaves a `later`: work that
 * the front starts once it has put the connection to sleep, and whose answer
 * it fetches after the work has called `wake`.
 *
 * Thread: a message belongs to one thread at a time.
 */
#ifndef SRV_HTTP_MESSAGE_H
#define SRV_HTTP_MESSAGE_H

#include <stdint.h>

#include "serving/http/target.h"
#include "serving/http/trace.h"

enum srv_method {
    SRV_GET, /* HEAD too: the front leaves the body out */
    SRV_POST,
    SRV_PUT,
    SRV_DELETE,
    SRV_OTHER_METHOD,
};

enum { SRV_MAX_CAPTURES = 4, SRV_MAX_HEADERS = 12, SRV_HEADER_BYTES = 160 };

struct srv_route;

struct srv_request {
    enum srv_method method;
    struct srv_target target;
    const struct srv_route *route;         /* set by the router */
    const char *capture[SRV_MAX_CAPTURES]; /* its `*` segments, in order */
    int64_t start_ns;                      /* when the headers were there */

    /* The request headers that handlers look at; "" when absent. */
    char content_encoding[SRV_HEADER_BYTES]; /* undone before handlers run */
    char accept_encoding[SRV_HEADER_BYTES];
    char inference_header[SRV_HEADER_BYTES]; /* Inference-Header-Content-... */

    /* Who asks; see serving/access/gate.h. */
    char authorization[SRV_HEADER_BYTES];
    char origin[SRV_HEADER_BYTES];
    char host[SRV_HEADER_BYTES];
    char address[48];                  /* of the client, as text */
    char client[64];                   /* its key's name, or its address */
    char id[SRV_REQUEST_ID_BYTES];     /* echoed as X-Request-Id */
    char trace_id[SRV_TRACE_ID_BYTES]; /* the caller's trace, or "" */
    char span_id[SRV_SPAN_ID_BYTES];   /* and its span in it */
    bool is_sampled;                   /* the caller records this trace */
    char method_text[16];
    bool is_local; /* from this machine, and not through a proxy */
    bool is_tls;
    bool may_read;   /* the class SRV_READ, whatever it asks for */
    bool is_pressed; /* its thread is behind; see pace.h */

    const char *body;  /* "" when there is none; ends with a NUL that */
    size_t body_bytes; /* body_bytes does not count */
};

struct srv_header {
    char name[48];
    char value[SRV_HEADER_BYTES];
};

/* What an inference did, for logs and metrics; `images` 0: there was none. */
struct srv_facts {
    char model[128];
    char snapshot[160];
    char domain[64];
    char experts[1024]; /* at least SRV_EXPERTS_BYTES */
    char exit[64];
    int images;
    int64_t madds, queue_ns, compute_ns;
    int64_t degraded_madds; /* what an image was cut down to; 0: nothing */
};

struct srv_reply {
    int status;               /* 0: no answer yet */
    const char *content_type; /* a literal */
    char *body;               /* owned (sy_free); NULL: empty */
    size_t body_bytes;
    int header_count;
    struct srv_header header[SRV_MAX_HEADERS];
    bool compressible; /* may go out as Accept-Encoding wishes */
    bool close;        /* end the connection afterwards */
    struct srv_facts facts;
};

/*
 * Called exactly once by started work, from any thread, without locks. `more`:
 * the caller calls for another waiter right away, and says no more at the
 * last of them; until then nobody need have noticed.
 */
typedef void (*srv_wake_fn)(void *waiter, bool more);

/* Work that ends later; `state` NULL: there is none. */
struct srv_later {
    void *state;
    /* Begins the work; `wake` may come before this returns. */
    void (*start)(void *state, srv_wake_fn wake, void *waiter);
    /* The client has gone: ends the work early, which wakes as ever. May
       come at any time up to `release`, from any thread, and must not block.
       NULL: the work cannot be cut short. */
    void (*cancel)(void *state);
    /* After the wake: fills the reply. */
    void (*finish)(void *state, struct srv_reply *reply);
    /* Ends the life of `state`; always called, started or not. */
    void (*release)(void *state);
};

/* Copies what fits of a text; a request copies some thirty. */
void srv_copy_text(char *out, size_t room, const char *text);

/* The method by its name in the request line. */
enum srv_method srv_method_read(const char *text);

/* Gives the body back and empties the reply. */
void srv_reply_release(struct srv_reply *reply);

/*
 * Takes `body` (sy_alloc family) as the answer. A NULL body stands for
 * "no memory" and becomes a 500 with a fixed text.
 */
void srv_reply_take(struct srv_reply *reply, int status,
                    const char *content_type, char *body, size_t bytes);

/* Adds a header; one that does not fit is left out. */
void srv_reply_header(struct srv_reply *reply, const char *name,
                      const char *format, ...) SY_PRINTF(3, 4);

/* The same, of a text that is there. */
void srv_reply_header_text(struct srv_reply *reply, const char *name,
                           const char *value);

/* Answers {"error": message}; 503 gets Retry-After: 1. */
void srv_reply_error(struct srv_reply *reply, int status, const char *format,
                     ...) SY_PRINTF(3, 4);

/* The same, for a failure: its message, and the status that fits it. */
void srv_reply_failure(struct srv_reply *reply, const struct sy_error *err);

/* Adds the header Retry-After: 1. */
void srv_reply_retry(struct srv_reply *reply);

/* 400, 404, 501, 503 or 500. */
int srv_http_status(enum sy_status status);

#endif
