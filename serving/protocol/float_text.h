/*
 * float_text.h - float32 to text and back, exactly and fast.
 *
 * Reading is correctly rounded (to nearest, ties to even) for every JSON
 * number. Writing gives at most nine significant digits, as few as read back
 * to the same bits. Both are independent of the locale.
 *
 * Thread: any.
 */
#ifndef SRV_PROTOCOL_FLOAT_TEXT_H
#define SRV_PROTOCOL_FLOAT_TEXT_H

#include <stddef.h>

#include "runtime/base/status.h"

enum { SRV_FLOAT_TEXT_BYTES = 32 };

/*
 * Writes `value` as a JSON number ("0.5", "12.0", "1.5e-07"; NaN, Infinity
 * and -Infinity for what JSON has no number for) with a NUL; returns the
 * length, less than SRV_FLOAT_TEXT_BYTES.
 */
size_t srv_float_text(float value, char *text);

/*
 * Reads one number of JSON's grammar, or NaN, Infinity, -Infinity, from
 * [text, end). *next is set behind it. False: there is no number here, and
 * nothing is set. The byte at `end` must be readable and no part of a number
 * (in a tensor it is what follows the closing bracket, or a NUL). Values
 * beyond the range become infinite or zero, as strtof has it.
 */
bool srv_float_read(const char *text, const char *end, float *value,
                    const char **next) SY_MUST_USE;

#endif
