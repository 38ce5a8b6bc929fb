/*
 * pace.c - a limit that follows what the thread gets done.
 *
 * DESIGN: one decision for each window of some targets' length. The limit is
 * lowered from the number that was in work, if that is less, so that it is
 * near what matters at the first cut; and raised only where it was reached or
 * refused somebody (with company one model may not reach it alone),
 * so that it does not drift away in quiet times.
 */
#include "serving/http/pace.h"

enum {
    WINDOW_TARGETS = 2, /* a window is so many targets long */
    CUT_PARTS = 5,      /* one in so many goes */
    RAISE_PARTS = 16,   /* and one in so many comes */
    COMPANY_PARTS = 2   /* of the limit, for one model beside others */
};

int srv_pace_model(const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    }
    return (int)((hash ^ hash >> 16) % SRV_PACE_MODELS);
}

bool srv_pace_has_room(struct srv_pace *pace, int model)
{
    int own = pace->of_model[model];
    int models = pace->models + (own == 0 ? 1 : 0);
    bool has_room = pace->limit == 0 || own * models < pace->limit ||
                    (pace->count < pace->limit &&
                     (models == 1 || own * COMPANY_PARTS < pace->limit));
    pace->refused |= !has_room;
    return has_room;
}

void srv_pace_enter(struct srv_pace *pace, int model)
{
    pace->models += pace->of_model[model]++ == 0 ? 1 : 0;
    pace->count++;
    pace->most = pace->count > pace->most ? pace->count : pace->most;
}

void srv_pace_leave(struct srv_pace *pace, int model)
{
    pace->models -= --pace->of_model[model] == 0 ? 1 : 0;
    pace->count--;
}

bool srv_pace_is_pressed(const struct srv_pace *pace, int64_t now_ns)
{
    return pace->behind_ns != 0 &&
           now_ns - pace->behind_ns < SRV_PACE_PRESSED_NS;
}

/* At the end of a window. */
static void decide(struct srv_pace *pace, bool behind, int64_t now_ns)
{
    bool again = behind && srv_pace_is_pressed(pace, now_ns);
    pace->behind_ns = behind ? now_ns : pace->behind_ns;
    if (again) {
        bool reached =
            pace->limit > 0 && (pace->refused || pace->limit < pace->most);
        int from = reached ? pace->limit : pace->most;
        int limit = from - from / CUT_PARTS;
        pace->limit = limit > SRV_PACE_FLOOR ? limit : SRV_PACE_FLOOR;
    } else if (!behind && pace->limit > 0 &&
               (pace->refused || pace->most >= pace->limit)) {
        pace->limit += 1 + pace->limit / RAISE_PARTS;
    }
}

void srv_pace_turn(struct srv_pace *pace, int64_t wait_ns, int64_t now_ns,
                   int64_t target_ns)
{
    if (target_ns == 0) { /* no limit is wanted */
        pace->limit = 0;
        pace->behind_ns = 0;
        return;
    }
    if (now_ns - pace->since_ns > WINDOW_TARGETS * target_ns) {
        decide(pace, pace->least_ns > target_ns, now_ns);
        pace->since_ns = now_ns;
        pace->least_ns = wait_ns;
        pace->most = pace->count;
        pace->refused = false;
    }
    pace->least_ns = wait_ns < pace->least_ns ? wait_ns : pace->least_ns;
}
