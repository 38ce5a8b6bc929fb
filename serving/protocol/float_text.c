/*
 * float_text.c - float32 to text and back.
 *
 * DESIGN, reading: up to 19 digits are gathered in an integer. Where it is
 * below 2^53 and the power of ten within +-22, both are exact doubles and one
 * multiplication or division gives the correctly rounded double d (Clinger
 * 1990). Rounding d once more to float could go wrong only where d is
 * precisely half way between two floats: for any other d the exact value lies
 * on the same side of every such midpoint, because midpoints are doubles and
 * rounding keeps the order. Longer digits (floats that were printed as
 * doubles have 17) are taken the same way through a long double, whose 64
 * bits hold 19 digits and every power up to 10^27. So midpoints, subnormal
 * results and what is longer still go to strtof_l in the C locale; the rest,
 * which is nearly all there is, takes a few nanoseconds.
 *
 * DESIGN, writing: the value is scaled to a nine-digit integer in long
 * double, then the shortest of 6, 7, 8 or 9 digits whose distance to the
 * value is clearly less than half the gap to its neighbours is taken; such
 * digits read back to the same float by definition of rounding. Nine digits
 * always do (their error is at most 0.5e-8 of the value, half a gap at least
 * 2^-26). Fewer than six show as zeros at the end and are cut.
 *
 * Source: W. Clinger, "How to Read Floating Point Numbers Accurately", 1990.
 */
#include "serving/protocol/float_text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXACT_POWER = 22,
    LONG_POWER = 27,
    SCALE_POWER = 60,
    CHUNK = 8,
    MOST_DIGITS = 1000 /* of a fraction that is not left to the library */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "take_eight wants the first character in the lowest byte");

static const double exact_power[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A number's parts as they stand in the text. */
struct number {
    bool negative;
    uint64_t digits; /* the first 19 significant ones */
    int exponent;    /* value = digits * 10^exponent, when `whole` */
    bool whole;      /* no digit was left out, the exponent is sane */
    const char *next;
};

/* The byte at the end is readable and no digit, so digits end by themselves. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many of the eight characters of a load are digits before another. */
static int leading_digits(uint64_t load)
{
    uint64_t value = load ^ 0x3030303030303030u; /* 0 to 9 are digits */
    uint64_t other =
        ((value + 0x7676767676767676u) | value) & 0x8080808080808080u;
    return other == 0 ? CHUNK : __builtin_ctzll(other) / 8;
}

/* The value of eight digits: joined to pairs, to fours, to eight. A byte of
   zero counts as the digit 0. */
static uint64_t take_eight(uint64_t load)
{
    load = (load & 0x0f0f0f0f0f0f0f0fu) * ((10 << 8) + 1) >> 8;
    load = (load & 0x00ff00ff00ff00ffu) * ((100 << 16) + 1) >> 16;
    load = (load & 0x0000ffff0000ffffu) * ((UINT64_C(10000) << 32) + 1) >> 32;
    return load;
}

/*
 * Takes the digits at `text` into *digits and returns what follows; *lost
 * counts those for which there was no room. Up to eight are taken in one
 * step, the text's length not being known: the load is shifted so that the
 * characters behind the digits fall out.
 */
static inline const char *take_digits(const char *text, const char *end,
                                      uint64_t *digits, int *lost)
{
    static const uint64_t power[CHUNK + 1] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    uint64_t value = *digits;
    while (end - text >= CHUNK && value < 100000000000u) {
        uint64_t load;
        memcpy(&load, text, sizeof load);
        int count = leading_digits(load);
        if (count == 0) {
            *digits = value;
            return text;
        }
        load <<= 8 * (CHUNK - count);
        value = value * power[count] + take_eight(load);
        text += count;
        if (count < CHUNK) {
            *digits = value;
            return text;
        }
    }
    for (; is_digit(*text); text++) {
        if (value < 1000000000000000000u) {
            value = value * 10 + (uint64_t)(*text - '0');
        } else {
            ++*lost;
        }
    }
    *digits = value;
    return text;
}

/* The part behind 'e'; NULL when it has no digits. */
static const char *take_exponent(struct number *number, const char *text)
{
    bool negative = *text == '-';
    if (*text == '-' || *text == '+') {
        text++;
    }
    if (!is_digit(*text)) {
        return NULL;
    }
    int exponent = 0;
    while (is_digit(*text)) {
        if (exponent < 100000) {
            exponent = exponent * 10 + (*text - '0');
        }
        text++;
    }
    if (exponent >= 100000) {
        number->whole = false;
    } else {
        number->exponent += negative ? -exponent : exponent;
    }
    return text;
}

/* JSON's grammar: -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)? */
static inline bool take_number(struct number *number, const char *text,
                               const char *end)
{
    uint64_t digits = 0;
    int lost = 0, exponent = 0;
    number->negative = *text == '-';
    text += number->negative ? 1 : 0;
    if (!is_digit(*text)) {
        return false;
    }
    if (*text == '0') {
        text++;
        if (is_digit(*text)) {
            return false;
        }
    } else {
        text = take_digits(text, end, &digits, &lost);
    }
    if (*text == '.') {
        const char *first = text + 1;
        int before = lost;
        if (!is_digit(*first)) {
            return false;
        }
        text = take_digits(first, end, &digits, &lost);
        if (text - first > MOST_DIGITS) {
            lost++; /* more than an exponent could count */
        }
        exponent = lost > before ? 0 : (int)(first - text);
    }
    number->digits = digits;
    number->exponent = exponent;
    number->whole = lost == 0;
    if (*text == 'e' || *text == 'E') {
        text = take_exponent(number, text + 1);
        if (text == NULL) {
            return false;
        }
    }
    number->next = text;
    return true;
}

/* The words that stand for what JSON cannot write. */
static bool take_word(const char *text, const char *end, float *value,
                      const char **next)
{
    static const struct {
        const char *word;
        float value;
    } words[] = {
        {"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t bytes = strlen(words[i].word);
        if ((size_t)(end - text) >= bytes &&
            memcmp(text, words[i].word, bytes) == 0) {
            *value = words[i].value;
            *next = text + bytes;
            return true;
        }
    }
    return false;
}

/* The library's own reading, which copes with everything. */
static float read_slowly(const char *text)
{
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale == (locale_t)0) {
        return strtof(text, NULL);
    }
    float value = strtof_l(text, NULL, locale);
    freelocale(locale);
    return value;
}

/* Half way between two floats, if it is precisely this. */
static bool is_midpoint(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1fffffff) == 0x10000000;
}

/* Digits below 2^53: false when this way does not settle it. */
static bool read_short(const struct number *number, float *value)
{
    if (number->exponent < -EXACT_POWER || number->exponent > EXACT_POWER) {
        return false;
    }
    double wide = (double)number->digits;
    if (number->exponent < 0) {
        wide /= exact_power[-number->exponent];
    } else {
        wide *= exact_power[number->exponent];
    }
    if (is_midpoint(wide) || (wide < (double)FLT_MIN && number->digits != 0)) {
        return false;
    }
    *value = (float)wide;
    return true;
}

/* Up to 19 digits. */
static bool read_long(const struct number *number, float *value)
{
#if LDBL_MANT_DIG >= 64
    static const long double power[LONG_POWER - EXACT_POWER] = {
        1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    int size = number->exponent < 0 ? -number->exponent : number->exponent;
    if (size > LONG_POWER) {
        return false;
    }
    long double scale = size > EXACT_POWER ? power[size - EXACT_POWER - 1]
                                           : (long double)exact_power[size];
    long double wide = (long double)number->digits;
    wide = number->exponent < 0 ? wide / scale : wide * scale;
    double rounded = (double)wide;
    if ((is_midpoint(rounded) && (long double)rounded == wide) ||
        wide < (long double)FLT_MIN) {
        return false;
    }
    *value = (float)wide;
    return true;
#else
    (void)number, (void)value;
    return false;
#endif
}

bool srv_float_read(const char *text, const char *end, float *value,
                    const char **next)
{
    struct number number;
    if (!take_number(&number, text, end)) {
        return take_word(text, end, value, next);
    }
    *next = number.next;
    float found;
    if (number.whole &&
        (number.digits < (UINT64_C(1) << 53) ? read_short(&number, &found)
                                             : read_long(&number, &found))) {
        *value = number.negative ? -found : found;
    } else {
        *value = read_slowly(text);
    }
    return true;
}

/* 10^power for |power| <= SCALE_POWER, within an ulp of long double. */
static long double power_of_ten(int power)
{
    long double result = 1.0L;
    int left = power < 0 ? -power : power;
    while (left > 0) {
        int step = left > EXACT_POWER ? EXACT_POWER : left;
        result *= (long double)exact_power[step];
        left -= step;
    }
    return power < 0 ? 1.0L / result : result;
}

/* Writes `digits` * 10^(point - count) where digits has `count` digits. */
static size_t put_number(char *text, bool negative, const char *digits,
                         int count, int point)
{
    size_t at = 0;
    if (negative) {
        text[at++] = '-';
    }
    if (point > 9 || point < -4) {
        int written = snprintf(
            text + at, SRV_FLOAT_TEXT_BYTES - at, "%c%s%.*se%c%02d", digits[0],
            count > 1 ? "." : "", count - 1, digits + 1,
            point - 1 < 0 ? '-' : '+', point - 1 < 0 ? 1 - point : point - 1);
        return at + (size_t)written;
    }
    if (point <= 0) {
        text[at++] = '0';
        text[at++] = '.';
        for (int i = point; i < 0; i++) {
            text[at++] = '0';
        }
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point && i > 0) {
            text[at++] = '.';
        }
        text[at++] = '0';
        if (i < count) {
            text[at - 1] = digits[i];
        }
    }
    if (point >= count) {
        text[at++] = '.';
        text[at++] = '0';
    }
    text[at] = '\0';
    return at;
}

/* Half the smaller gap between `value` (positive) and a neighbour. */
static long double half_gap(float value)
{
    if (value < FLT_MIN) {
        return ldexpl(1.0L, -150);
    }
    int exponent;
    float mantissa = frexpf(value, &exponent);
    int shift = mantissa == 0.5f ? -26 : -25;
    return ldexpl(1.0L, exponent + shift);
}

/* The shortest digits of a positive value that read back to it. */
static int shortest_digits(float value, char digits[10], int *point)
{
    int ten = (int)floorl(log10l((long double)value));
    long double scaled = (long double)value * power_of_ten(8 - ten);
    /* log10 may be off by one beside a power of ten. */
    if (scaled >= 1e9L) {
        ten++;
    } else if (scaled < 1e8L) {
        ten--;
    }
    scaled = (long double)value * power_of_ten(8 - ten);
    long double allowed = half_gap(value) * power_of_ten(8 - ten) * 0.9999L;
    uint64_t nine = (uint64_t)llroundl(scaled);
    uint64_t best = nine;
    for (uint64_t unit = 1000; unit > 1; unit /= 10) {
        uint64_t shorter = (nine + unit / 2) / unit * unit;
        if (fabsl((long double)shorter - scaled) < allowed) {
            best = shorter;
            break;
        }
    }
    if (best >= 1000000000) {
        best /= 10;
        ten++;
    }
    snprintf(digits, 10, "%09u", (unsigned)best);
    int count = 9;
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    *point = ten + 1;
    return count;
}

size_t srv_float_text(float value, char *text)
{
    const char *word = isnan(value)       ? "NaN"
                       : value > FLT_MAX  ? "Infinity"
                       : value < -FLT_MAX ? "-Infinity"
                       : value == 0.0f    ? (signbit(value) ? "-0.0" : "0.0")
                                          : NULL;
    if (word != NULL) {
        size_t bytes = strlen(word);
        memcpy(text, word, bytes + 1);
        return bytes;
    }
    char digits[10];
    int point;
    int count = shortest_digits(fabsf(value), digits, &point);
    return put_number(text, signbit(value) != 0, digits, count, point);
}
