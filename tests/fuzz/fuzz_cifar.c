/*
 * fuzz_cifar.c - arbitrary bytes as a CIFAR batch, and as a list of names.
 */
#include "domains/formats/cifar.h"
#include "domains/formats/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    int count = 0;
    if (dom_cifar_check(data, bytes, DOM_CIFAR_CLASSES, "input", &count,
                        NULL) == SY_OK) {
        uint8_t pixels[3 * DOM_CIFAR_PLANE];
        for (int i = 0; i < count; i++) {
            dom_cifar_pixels(data + (size_t)i * DOM_CIFAR_RECORD, pixels);
        }
    }
    char **names = NULL;
    if (dom_names_parse((const char *)data, bytes, "input", &names, &count,
                        NULL) == SY_OK) {
        SY_ASSERT(count > 0 && names[count - 1][0] != '\0');
        dom_names_free(names, count);
    }
    return 0;
}
