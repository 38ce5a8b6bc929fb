/*
 * backend.c - the list of backends, and choosing one.
 *
 * DESIGN. The list is fixed when the program is built, best first; what this
 * machine can run is asked of each backend. SWITCHYARD_BACKEND names another
 * one than the best, for tests and for comparing; a name that is unknown, or
 * that this machine cannot run, is said in the log and then ignored, because
 * any backend gives the same answers within its tolerance.
 */
#include "runtime/backend/backend.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/cpu/cpu.h"

static const struct sy_backend *const backends[] = {
#ifdef SY_HAVE_X86_KERNELS
    &sy_backend_avx512,   &sy_backend_avx2,
#endif
    &sy_backend_portable, &sy_backend_reference, NULL,
};

const struct sy_backend *const *sy_backends(void)
{
    return backends;
}

const struct sy_backend *sy_backend_find(const char *name)
{
    for (int i = 0; backends[i] != NULL; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i]->available() ? backends[i] : NULL;
        }
    }
    return NULL;
}

const struct sy_backend *sy_backend_best(void)
{
    const char *wanted = getenv("SWITCHYARD_BACKEND");

    if (wanted != NULL && wanted[0] != '\0') {
        const struct sy_backend *found = sy_backend_find(wanted);
        if (found != NULL) {
            return found;
        }
        sy_log_warn("SWITCHYARD_BACKEND: there is no backend \"%s\" here; "
                    "taking the best one",
                    wanted);
    }
    for (int i = 0; backends[i] != NULL; i++) {
        if (backends[i]->available()) {
            return backends[i];
        }
    }
    return &sy_backend_reference;
}
