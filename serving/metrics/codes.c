/*
 * codes.c - the table of statuses.
 */
#include "serving/metrics/codes.h"

const struct srv_metric_name srv_metric_names[] = {
#define ROW(status, reason) {status, reason},
    SRV_CODES(ROW)
#undef ROW
};

int srv_metric_code(int status)
{
    int at = 0;
    while (srv_metric_names[at].status != status &&
           srv_metric_names[at].status != -1) {
        at++;
    }
    return at;
}
