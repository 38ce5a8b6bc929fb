/* Tests of domains/batch/normalise.c. */
#include <string.h>

#include "domains/batch/batch.h"
#include "tests/support/check_main.h"

START_TEST(every_byte_becomes_its_float_in_this_order_of_operations)
{
    uint8_t bytes[256];
    float floats[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    dom_normalise(bytes, 256, floats);
    for (int i = 0; i < 256; i++) {
        volatile float share = (float)i / 255.0F;
        volatile float twice = share * 2.0F;
        volatile float expected = twice - 1.0F;
        float stored = expected;
        ck_assert_mem_eq(&floats[i], &stored, sizeof(float));
    }
    ck_assert(floats[0] == -1.0F);
    ck_assert(floats[255] == 1.0F);
}
END_TEST

START_TEST(bytes_and_their_opposites_are_symmetric)
{
    for (int i = 0; i < 256; i++) {
        uint8_t both[2] = {(uint8_t)i, (uint8_t)(255 - i)};
        float out[2];
        dom_normalise(both, 2, out);
        ck_assert(out[0] + out[1] < 1.2e-7F && out[0] + out[1] > -1.2e-7F);
    }
}
END_TEST

START_TEST(no_byte_beyond_the_count_is_touched)
{
    uint8_t bytes[33];
    float floats[34];
    memset(bytes, 255, sizeof(bytes));
    for (size_t count = 0; count <= 33; count++) {
        for (int i = 0; i < 34; i++) {
            floats[i] = 7.0F;
        }
        dom_normalise(bytes, count, floats);
        for (size_t i = 0; i < 34; i++) {
            ck_assert(floats[i] == (i < count ? 1.0F : 7.0F));
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("normalise");
    TCase *tc = tcase_create("normalise");
    tcase_add_test(tc,
                   every_byte_becomes_its_float_in_this_order_of_operations);
    tcase_add_test(tc, bytes_and_their_opposites_are_symmetric);
    tcase_add_test(tc, no_byte_beyond_the_count_is_touched);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    return sy_check_run(suite());
}
