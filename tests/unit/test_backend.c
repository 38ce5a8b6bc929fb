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

int main(void)
{
    Suite *suite = suite_create("backend");
    TCase *tc = tcase_create("backend");

    tcase_add_test(tc, the_reference_is_always_there_and_whole);
    tcase_add_test(tc, names_in_the_list_are_unique_and_found_where_available);
    tcase_add_test(tc, the_best_is_the_first_available);
    tcase_add_test(tc, the_environment_names_another);
    suite_add_tcase(suite, tc);
    return sy_check_run(suite);
}
