/*
 * rules.c - a window of counters to a verdict.
 */
#include "serving/swap/rules.h"

#include <math.h>
#include <stdio.h>

#define MILLIONTHS 1e6

enum { MOST_SAMPLES = 1000000000, MOST_WINDOWS = 1000 };

const struct srv_rules srv_rules_default = {
    .min_samples = 200,
    .windows = 1,
    .min_agreement = 0.9,
    .max_confidence_drift = 0.1,
    .max_time_ratio = 1.5,
    .max_errors = 0,
    .promote = false,
    .rollback = true,
};

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* What pairs say: labels, confidence, time. */
static bool pairs_are_bad(const struct srv_rules *rules,
                          const struct srv_tally_copy *w, char *reason)
{
    double agreement = share(w->agreed, w->pairs);
    double served = share(w->served_confidence, w->pairs) / MILLIONTHS;
    double next = share(w->next_confidence, w->pairs) / MILLIONTHS;
    double time = share(w->next_ns, w->served_ns);
    if (agreement < rules->min_agreement) {
        (void)snprintf(reason, SRV_REASON_BYTES,
                       "agreement %.4f over %lld images is below %.4f",
                       agreement, (long long)w->pairs, rules->min_agreement);
        return true;
    }
    if (fabs(next - served) > rules->max_confidence_drift) {
        (void)snprintf(reason, SRV_REASON_BYTES,
                       "mean confidence went from %.4f to %.4f, by more than "
                       "%.4f",
                       served, next, rules->max_confidence_drift);
        return true;
    }
    if (time > rules->max_time_ratio) {
        (void)snprintf(reason, SRV_REASON_BYTES,
                       "its blocks take %.2f times as long, more than %.2f",
                       time, rules->max_time_ratio);
        return true;
    }
    return false;
}

enum srv_verdict srv_rules_judge(const struct srv_rules *rules,
                                 const struct srv_tally_copy *window,
                                 char *reason)
{
    int64_t samples =
        window->pairs > window->answered ? window->pairs : window->answered;
    reason[0] = '\0';
    if (window->errors > rules->max_errors) {
        (void)snprintf(reason, SRV_REASON_BYTES,
                       "%lld answers that are not finite numbers, more than "
                       "%d",
                       (long long)window->errors, rules->max_errors);
        return SRV_VERDICT_BAD;
    }
    if (samples < rules->min_samples) {
        return SRV_VERDICT_WAIT;
    }
    bool bad = window->pairs > 0 && pairs_are_bad(rules, window, reason);
    return bad ? SRV_VERDICT_BAD : SRV_VERDICT_GOOD;
}

void srv_rules_read(struct srv_rules *rules, struct sy_json *in)
{
    if (!sy_json_has(in, "rules")) {
        return;
    }
    struct sy_json own = sy_json_child(in, "rules");
    sy_json_opt_int(&own, "min_samples", 1, MOST_SAMPLES, &rules->min_samples);
    sy_json_opt_int(&own, "windows", 1, MOST_WINDOWS, &rules->windows);
    sy_json_opt_real(&own, "min_agreement", 0, 1, &rules->min_agreement);
    sy_json_opt_real(&own, "max_confidence_drift", 0, 1,
                     &rules->max_confidence_drift);
    sy_json_opt_real(&own, "max_time_ratio", 0, 1e6, &rules->max_time_ratio);
    sy_json_opt_int(&own, "max_errors", 0, MOST_SAMPLES, &rules->max_errors);
    sy_json_opt_bool(&own, "promote", &rules->promote);
    sy_json_opt_bool(&own, "rollback", &rules->rollback);
    if (sy_json_end(&own) != SY_OK) {
        in->status = own.status;
    }
}

json_t *srv_rules_json(const struct srv_rules *rules)
{
    return json_pack(
        "{s:i,s:i,s:f,s:f,s:f,s:i,s:b,s:b}", "min_samples", rules->min_samples,
        "windows", rules->windows, "min_agreement", rules->min_agreement,
        "max_confidence_drift", rules->max_confidence_drift, "max_time_ratio",
        rules->max_time_ratio, "max_errors", rules->max_errors, "promote",
        rules->promote, "rollback", rules->rollback);
}
