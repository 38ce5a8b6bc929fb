/*
 * gate.c - the order of the questions: who, what, from where, how often.
 */
#include "serving/access/gate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void srv_gate_init(struct srv_gate *gate,
                   const struct srv_gate_options *options)
{
    gate->options = *options;
    pthread_rwlock_init(&gate->lock, NULL);
    srv_rate_init(&gate->rate);
}

void srv_gate_release(struct srv_gate *gate)
{
    srv_rate_release(&gate->rate);
    pthread_rwlock_destroy(&gate->lock);
}

void srv_gate_configure(struct srv_gate *gate,
                        const struct srv_gate_options *options)
{
    pthread_rwlock_wrlock(&gate->lock);
    gate->options = *options;
    pthread_rwlock_unlock(&gate->lock);
}

/* The token of "Authorization: Bearer TOKEN", or NULL. */
static const char *bearer(const struct srv_request *request)
{
    const char *text = request->authorization;
    return strncasecmp(text, "Bearer ", 7) == 0 && text[7] != '\0' ? text + 7
                                                                   : NULL;
}

/* A page's request names its origin; it must be this server's own. */
static bool is_own_page(const struct srv_request *request)
{
    const char *host = strstr(request->origin, "://");
    return request->origin[0] == '\0' ||
           (host != NULL && strcasecmp(host + 3, request->host) == 0);
}

static bool judge_admin(const struct srv_gate_options *options,
                        const struct srv_request *request,
                        const struct srv_key *key, struct srv_reply *reply)
{
    bool known = key != NULL || options->client_certificates;
    if (!is_own_page(request)) {
        srv_reply_error(reply, 403,
                        "administration is refused to pages of other origins");
        return false;
    }
    if (request->is_local || options->insecure_admin ||
        (request->is_tls && known)) {
        return true;
    }
    srv_reply_error(reply, 403,
                    "administration from another machine needs TLS and a key "
                    "or a client certificate");
    return false;
}

static bool judge(const struct srv_gate_options *options,
                  struct srv_request *request, struct srv_reply *reply)
{
    enum srv_class class = request->route->class;
    const char *token = options->has_keys ? bearer(request) : NULL;
    const struct srv_key *key =
        token != NULL ? srv_keys_find(&options->keys, token) : NULL;
    if (key != NULL) {
        srv_copy_text(request->client, sizeof request->client, key->name);
    }
    unsigned allowed = key != NULL     ? key->classes
                       : token == NULL ? options->keys.anonymous
                                       : 0;
    request->may_read = !options->has_keys || (allowed & 1U << SRV_READ) != 0;
    if (class == SRV_OPEN) {
        return true;
    }
    if (options->has_keys) {
        if ((allowed & 1U << class) == 0) {
            srv_reply_error(reply, key != NULL ? 403 : 401,
                            key != NULL ? "this key is not for that"
                                        : "a key is needed: Authorization: "
                                          "Bearer KEY");
            if (key == NULL) {
                srv_reply_header(reply, "WWW-Authenticate", "Bearer");
            }
            return false;
        }
    }
    return class != SRV_ADMIN || judge_admin(options, request, key, reply);
}

bool srv_gate_pass(struct srv_gate *gate, struct srv_request *request,
                   struct srv_reply *reply, int64_t now_ns)
{
    srv_copy_text(request->client, sizeof request->client, request->address);
    pthread_rwlock_rdlock(&gate->lock);
    bool passes = judge(&gate->options, request, reply);
    int per_second = gate->options.client_rate;
    pthread_rwlock_unlock(&gate->lock);
    if (!passes || request->route->class == SRV_OPEN) {
        return passes;
    }
    int64_t wait_ns =
        srv_rate_take(&gate->rate, request->client, per_second, now_ns);
    if (wait_ns > 0) {
        srv_reply_error(reply, 429, "more than %d requests a second",
                        per_second);
        srv_reply_header(reply, "Retry-After", "%lld",
                         (long long)((wait_ns + 999999999) / 1000000000));
        return false;
    }
    return true;
}
