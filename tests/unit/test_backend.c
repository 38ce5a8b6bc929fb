/*
 * test_backend.c - the list of backends, and choosing from it.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/backend.h"
#include "tests/support/check_main.h"

START_TEST(the_reference_is_always_there_and_whole)
{
    const struct sy_backend *reference = sy_backend_find("reference");

    ck_assert_ptr_eq(reference, &sy_backend_reference);
    for (int op = 0; op < SY_OP_COUNT; op++) {
        ck_assert(reference->forward[op] != NULL);
        ck_assert(reference->backward[op] != NULL);
        ck_assert(reference->infer[op] != NULL);
    }
    ck_assert(reference->stats[SY_OP_NORM] != NULL);
    ck_assert(reference->sums[SY_OP_NORM] != NULL);
}
END_TEST

START_TEST(names_in_the_list_are_unique_and_found_where_available)
{
    const struct sy_backend *const *all = sy_backends();

    for (int i = 0; all[i] != NULL; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(all[i]->name, all[j]->name);
        }
        ck_assert_ptr_eq(sy_backend_find(all[i]->name),
                         all[i]->available() ? all[i] : NULL);
    }
    ck_assert_ptr_null(sy_backend_find("no such backend"));
}
END_TEST

START_TEST(the_best_is_the_first_available)
{
    const struct sy_backend *const *all = sy_backends();
    int first = 0;

    unsetenv("SWITCHYARD_BACKEND");
    while (!all[first]->available()) {
        first++;
    }
    ck_assert_ptr_eq(sy_backend_best(), all[first]);
    setenv("SWITCHYARD_BACKEND", "no such backend", 1);
    ck_assert_ptr_eq(sy_backend_best(), all[first]);
    setenv("SWITCHYARD_BACKEND", "", 1);
    ck_assert_ptr_eq(sy_backend_best(), all[first]);
}
END_TEST

START_TEST(the_environment_names_another)
{
    setenv("SWITCHYARD_BACKEND", "reference", 1);
    ck_assert_ptr_eq(sy_backend_best(), &sy_backend_reference);
}
END_TEST

/*
 * One output of a 1 x 1 convolution of two inputs: -1 + (1 + e)(1 - e). With
 * one rounding it is -e^2, with two (a product, then a sum) it is 0. Kernels
 * that were compiled to the latter are right, and half as fast: a compiler
 * flag in the wrong order once did that, and nothing showed it.
 */
START_TEST(vector_kernels_multiply_and_add_in_one_rounding)
{
    const float e = 0x1p-20f;
    const float x[2] = {-1.0f, 1.0f + e}, w[2] = {1.0f, 1.0f - e};
    const float scale = 1.0f, bias = 0.0f;
    const struct sy_node node = {.op = SY_OP_CONV,
                                 .kernel = 1,
                                 .stride = 1,
                                 .groups = 1,
                                 .act = SY_ACT_NONE};
    const struct sy_shape in = {1, 1, 2}, out = {1, 1, 1};
    static const char *const fused[] = {"avx2", "avx512"};

    for (size_t i = 0; i < sizeof fused / sizeof fused[0]; i++) {
        const struct sy_backend *backend = sy_backend_find(fused[i]);
        if (backend == NULL) {
            continue;
        }
        float packed[64] = {0}, y = 0.0f;
        ck_assert_uint_le(backend->packed_floats(&node, in, out), 64);
        backend->pack(&node, in, out, w, packed);
        backend->infer[SY_OP_CONV](&(struct sy_infer_args){.node = &node,
                                                           .in = in,
                                                           .out = out,
                                                           .count = 1,
                                                           .x = x,
                                                           .packed = packed,
                                                           .scale = &scale,
                                                           .bias = &bias,
                                                           .y = &y});
        ck_assert_msg(y == -e * e, "%s: %g", fused[i], (double)y);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backend");
    TCase *tc = tcase_create("backend");

    tcase_add_test(tc, the_reference_is_always_there_and_whole);
    tcase_add_test(tc, names_in_the_list_are_unique_and_found_where_available);
    tcase_add_test(tc, the_best_is_the_first_available);
    tcase_add_test(tc, the_environment_names_another);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    /* Kernels are compiled at -O1 there (cmake/Kernels.cmake), which leaves
       products and sums apart; nothing is shipped like that. */
    (void)vector_kernels_multiply_and_add_in_one_rounding;
#else
    tcase_add_test(tc, vector_kernels_multiply_and_add_in_one_rounding);
#endif
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
