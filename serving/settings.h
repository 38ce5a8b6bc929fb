/*
 * settings.h - everything that an operator can set, in one table.
 *
 * One list makes the structure, the keys of the configuration file, the flags
 * of `switchyard serve`, its help and its manual page; docs/serve.md is
 * checked against it by a test. A key is the flag with '_' for '-'.
 *
 *     INT(field, flag, value name, default, lowest, highest, live, help)
 *     TEXT(field, flag, value name, default, live, help)
 *     FLAG(field, flag, live, help)
 *
 * `live` settings take effect when the configuration is read again (SIGHUP);
 * the others at the next start.
 */
#ifndef SRV_SETTINGS_H
#define SRV_SETTINGS_H

#include <stddef.h>

#include "runtime/base/file.h"
#include "serving/queue.h"
#include "serving/weight.h"

#define SRV_SETTINGS(INT, TEXT, FLAG)                                          \
    TEXT(host, "host", "H", "127.0.0.1", false,                                \
         "name or address (default: 127.0.0.1)")                               \
    INT(port, "port", "N", 8000, 0, 65535, false, "port; 0: any free one")     \
    INT(http_threads, "http-threads", "N", 2, 1, 64, false,                    \
        "threads that read and write")                                         \
    INT(threads, "threads", "N", 0, 0, 1024, false,                            \
        "worker threads of the engine; 0: one for each CPU")                   \
    INT(max_batch, "max-batch", "N", 32, 1, 1024, false,                       \
        "images in one batch")                                                 \
    FLAG(half_weights, "half-weights", false,                                  \
         "store weights of late layers in 16 bits: faster; probabilities "     \
         "move by about 0.001")                                                \
    INT(max_queue, "max-queue", "N", 256, 1, 65536, true,                      \
        "requests of one network that wait")                                   \
    INT(max_lag_us, "max-lag-us", "N", 500, 0, 1000000, true,                  \
        "that an HTTP thread is behind before it refuses; 0: any")             \
    INT(degrade_percent, "degrade-percent", "N", 0, 0, 99, true,               \
        "under pressure, of the MAdds of a route; 0: never degrade")           \
    INT(max_queue_delay_us, "max-queue-delay-us", "N", 0, 0, 1000000, true,    \
        "that a batch is waited for")                                          \
    INT(max_images, "max-images", "N", 4096, 1, 1 << 20, true,                 \
        "images in one request")                                               \
    INT(max_body_mib, "max-body-mib", "N", 64, 1, 1024, false,                 \
        "largest body, MiB")                                                   \
    INT(max_memory_mib, "max-memory-mib", "N", 1024, 1, 1 << 20, false,        \
        "bodies and tensors of all requests, MiB")                             \
    INT(max_connections, "max-connections", "N", 10000, 1, 1000000, false,     \
        "clients at a time; more wait to be accepted")                         \
    INT(max_connections_per_client, "max-connections-per-client", "N", 0, 0,   \
        1000000, false, "of one address; 0: no limit")                         \
    INT(client_rate, "client-rate", "N", 0, 0, 1000000, true,                  \
        "requests a second of one client; 0: no limit")                        \
    INT(request_timeout_ms, "request-timeout-ms", "N", 10000, 1, 3600000,      \
        true, "until a request is given up")                                   \
    INT(idle_timeout_ms, "idle-timeout-ms", "N", 30000, 1000, 3600000, false,  \
        "until a silent connection is closed")                                 \
    INT(headers_timeout_ms, "headers-timeout-ms", "N", 20000, 100, 3600000,    \
        true, "for the headers of a request")                                  \
    INT(min_rate, "min-rate", "N", 500, 0, 1 << 30, true,                      \
        "bytes a second of a body or an answer; 0: any")                       \
    INT(min_rate_grace_ms, "min-rate-grace-ms", "N", 20000, 0, 3600000, true,  \
        "before that rate is asked for")                                       \
    INT(grace_ms, "grace-ms", "N", 0, 0, 3600000, true,                        \
        "that a stopping server still accepts, not ready")                     \
    INT(drain_ms, "drain-ms", "N", 10000, 1, 3600000, true,                    \
        "for requests under way when stopping")                                \
    TEXT(tls_cert, "tls-cert", "FILE", "", true,                               \
         "certificate chain, PEM: turns HTTPS on")                             \
    TEXT(tls_key, "tls-key", "FILE", "", true, "its private key, PEM")         \
    TEXT(tls_client_ca, "tls-client-ca", "FILE", "", false,                    \
         "clients must show a certificate of these authorities")               \
    TEXT(keys, "keys", "FILE", "", true, "API keys (--make-key makes one)")    \
    TEXT(pack_keys, "pack-keys", "FILE", "", false,                            \
         "public keys, one of which an expert pack must be signed with")       \
    INT(pack_share, "pack-share", "N", 6, 1, 100, false,                       \
        "percent of the time that checking a pack may run while others work; " \
        "100: all of it")                                                      \
    INT(pack_max_us, "pack-max-us", "N", 0, 0, 1 << 30, false,                 \
        "that a staged pack may take for an image alone; 0: any")              \
    FLAG(insecure_admin, "insecure-admin", true,                               \
         "administration from elsewhere without TLS")                          \
    TEXT(access_log, "access-log", "FILE", "", true,                           \
         "a JSON line for each request; -: stderr")                            \
    TEXT(otlp_endpoint, "otlp-endpoint", "URL", "", false,                     \
         "collector of spans, http://HOST:PORT")

enum { SRV_TEXT_SETTING_BYTES = 512 };

struct srv_settings {
    char repository[SY_PATH_BYTES];
#define SRV_INT_FIELD(field, flag, value, def, low, high, live, help) int field;
#define SRV_TEXT_FIELD(field, flag, value, def, live, help)                    \
    char field[SRV_TEXT_SETTING_BYTES];
#define SRV_FLAG_FIELD(field, flag, live, help) bool field;
    SRV_SETTINGS(SRV_INT_FIELD, SRV_TEXT_FIELD, SRV_FLAG_FIELD)
#undef SRV_INT_FIELD
#undef SRV_TEXT_FIELD
#undef SRV_FLAG_FIELD
    /* Two lists beside the table: "preferred_batch": [8, 16] and
       "weights": {"net.d0": 4}. */
    int preferred_count;
    int preferred_batch[SRV_MAX_PREFERRED];
    int weight_count;
    struct srv_weight weight[SRV_MAX_WEIGHTS];
};

enum srv_setting_kind { SRV_SETTING_INT, SRV_SETTING_TEXT, SRV_SETTING_FLAG };

struct srv_setting {
    const char *key;
    const char *flag;
    enum srv_setting_kind kind;
    size_t offset; /* in struct srv_settings */
    const char *text_default;
    int number_default, low, high;
    bool live;
};

/* The table; ends with a NULL key. */
extern const struct srv_setting srv_setting_table[];

/* Every default. */
void srv_settings_default(struct srv_settings *settings);

/*
 * Takes what a configuration file says over what is there. An unknown key, a
 * wrong type or a value out of range is refused with its place.
 */
enum sy_status srv_settings_load(struct srv_settings *settings,
                                 const char *path,
                                 struct sy_error *err) SY_MUST_USE;

/* "NET.DOMAIN=N" and "N", as on the command line. */
enum sy_status srv_settings_add_weight(struct srv_settings *settings,
                                       const char *text,
                                       struct sy_error *err) SY_MUST_USE;
enum sy_status srv_settings_add_preferred(struct srv_settings *settings,
                                          int size,
                                          struct sy_error *err) SY_MUST_USE;

/* What can only be judged when all is known: a key without its certificate,
   a batch size above the largest, a repository that is missing. */
enum sy_status srv_settings_check(const struct srv_settings *settings,
                                  struct sy_error *err) SY_MUST_USE;

/* The first setting that differs and is not live, or NULL. */
const struct srv_setting *srv_settings_need_restart(
    const struct srv_settings *before, const struct srv_settings *after);

/* The queue's part of it. */
struct srv_queue_options srv_settings_queue(
    const struct srv_settings *settings);

#endif
