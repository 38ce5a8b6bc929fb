/*
 * network_init.c - the values a network starts with.
 *
 * DESIGN. Each tensor draws from a stream of its own, named by the seed and
 * the hash of the tensor's name. So a block starts with the same bits in the
 * supernet and in any network that was cut out of it, whatever else is there
 * and in whatever order.
 *
 * Source: He et al., "Delving Deep into Rectifiers", ICCV 2015 (fan-in);
 * X. Glorot, Y. Bengio, AISTATS 2010; the hash is FNV-1a with 64 bits
 * (G. Fowler, L. Noll, K.-P. Vo), of which the low 56 are a stream's step.
 */
#include <math.h>

#include "runtime/base/rng.h"
#include "runtime/network/network.h"

static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        hash ^= (uint8_t)*name;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash & ((UINT64_C(1) << 56) - 1);
}

/* Standard deviation of a tensor that starts with normal numbers, or 0. */
static float deviation(const struct sy_tensor *tensor)
{
    double in = tensor->fan_in;
    double out = tensor->fan_out;
    switch (tensor->init) {
    case SY_INIT_HE:
        return (float)sqrt(2.0 / in);
    case SY_INIT_GLOROT:
        return (float)sqrt(2.0 / (in + out));
    case SY_INIT_DENSE:
        return 0.01f;
    case SY_INIT_ZERO:
    case SY_INIT_ONE:
        break;
    }
    return 0.0f;
}

void sy_network_init(struct sy_network *network, uint64_t seed)
{
    for (int t = 0; t < network->tensor_count; t++) {
        const struct sy_tensor *tensor = &network->tensor[t];
        float *values = network->values + tensor->offset;
        float spread = deviation(tensor);
        float constant = tensor->init == SY_INIT_ONE ? 1.0f : 0.0f;
        struct sy_rng rng =
            sy_rng_stream(seed, SY_RNG_INIT, name_hash(tensor->name), 0);
        for (size_t i = 0; i < tensor->count; i++) {
            values[i] = spread > 0.0f ? spread * sy_rng_normal(&rng) : constant;
        }
    }
}
