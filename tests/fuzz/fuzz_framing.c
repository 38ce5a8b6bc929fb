/*
 * fuzz_framing.c - header lists: NAME: VALUE lines, judged.
 *
 * Whatever the lines are, a list that passes has one Host at most, and either
 * no length, or lengths that are all the same number within the limit and no
 * transfer coding beside it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/status.h"
#include "serving/http/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { MAX_BODY = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct srv_framing framing = {0};
    struct srv_reply reply = {0};
    int hosts = 0, lengths = 0, codings = 0;
    char first[64] = "";
    char *text = malloc(bytes + 1);
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    char *rest = text;
    bool same = true;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = line;
        char *name = strsep(&value, ":");
        value = value == NULL ? name + strlen(name) : value;
        srv_framing_see(&framing, name, value);
        hosts += strcasecmp(name, "Host") == 0;
        codings += strcasecmp(name, "Transfer-Encoding") == 0;
        if (strcasecmp(name, "Content-Length") == 0) {
            if (lengths++ == 0) {
                strncpy(first, value, sizeof first - 1);
            }
            same = same && strcmp(first, value) == 0;
        }
    }
    if (srv_framing_judge(&framing, MAX_BODY, &reply)) {
        SY_ASSERT(hosts <= 1 && codings <= 1 && same);
        SY_ASSERT(lengths == 0 || codings == 0);
        SY_ASSERT(lengths == 0 ||
                  (strspn(first, "0123456789") == strlen(first) &&
                   first[0] != '\0' && strtoull(first, NULL, 10) <= MAX_BODY));
        SY_ASSERT(reply.status == 0);
    } else {
        SY_ASSERT(reply.status >= 400 && reply.close);
    }
    srv_reply_release(&reply);
    free(text);
    return 0;
}
