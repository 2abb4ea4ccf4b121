/* The vector forms over doubles and integers for one instruction set: included by typed_*.c with
 * TYPED defined. Room: backend/cpu/lines. */
#include <string.h>

#include "backend/cpu/lines/typed.h"
#include "ops/pointwise_math.h"

enum { F = 1, S = 2, U = 4, B = 8 };
#define ATTRS(...)
#define JOINED(kind, name) typed_##kind##_##name
#define NAMED(kind, name)  JOINED(kind, name)

/* ---- Rows ----------------------------------------------------------------------------------- */

/* tanh x = t / (t + 2), t = e^2|x| - 1, within 3 ulp, without a branch so that vectors compute it;
 * as vf_tanh of simd_math.h, with Taylor's series, whose next term is below 2^-57 of the first. */
static inline double tanh_by_series(double x) {
  const double shift = 0x1.8p52; /* what is added to it is rounded to a whole number */
  double a = fabs(x), least = a > 20 ? 20 : a, twice = least + least;
  double n = (twice * M_LOG2E + shift) - shift, place = n + (shift + 1023);
  double r = (twice - n * 0x1.62e42fefap-1) - n * 0x1.cf79abc9e3b3ap-40; /* ln 2 in two pieces */
  double p = ((1.0 / 6227020800 * r + 1.0 / 479001600) * r + 1.0 / 39916800) * r + 1.0 / 3628800;
  p = (((p * r + 1.0 / 362880) * r + 1.0 / 40320) * r + 1.0 / 5040) * r + 1.0 / 720;
  p = (((p * r + 1.0 / 120) * r + 1.0 / 24) * r + 1.0 / 6) * r + 0.5;
  uint64_t bits;
  memcpy(&bits, &place, sizeof bits);
  bits <<= 52; /* 2^n */
  double power;
  memcpy(&power, &bits, sizeof power);
  double t = power * (r + r * r * p) + (power - 1);
  return copysign(t / (t + 2), x);
}

#define LOAD(x) (x)

#define WIDE                          double
#define CLASS                         F
#define VALUE(real, integer, natural) real
#define tanh(x)                       tanh_by_series(x)
#define KIND                          F64
#define ELEMENT                       double
#include "backend/cpu/lines/typed_rows.h"
#undef WIDE
#undef CLASS
#undef VALUE
#undef tanh

#define WIDE                          int64_t
#define CLASS                         S
#define VALUE(real, integer, natural) integer
#define DIVIDED(x, y)                 ((x) / (y))
#define KIND                          S64
#define ELEMENT                       int64_t
#include "backend/cpu/lines/typed_rows.h"
#undef DIVIDED
/* Cut to whole numbers the quotient in doubles is exact: a fraction differs from them by 2^-31. */
#define DIVIDED(x, y) ((int32_t)((double)(x) / (double)(y)))
#define KIND          S32
#define ELEMENT       int32_t
#include "backend/cpu/lines/typed_rows.h"
#define KIND    S16
#define ELEMENT int16_t
#include "backend/cpu/lines/typed_rows.h"
#define KIND    S8
#define ELEMENT int8_t
#include "backend/cpu/lines/typed_rows.h"
#undef DIVIDED
#undef WIDE
#undef CLASS
#undef VALUE

#define WIDE                          uint64_t
#define CLASS                         U
#define VALUE(real, integer, natural) natural
#define DIVIDED(x, y)                 ((x) / (y))
#define KIND                          U64
#define ELEMENT                       uint64_t
#include "backend/cpu/lines/typed_rows.h"
#define KIND    U32
#define ELEMENT uint32_t
#include "backend/cpu/lines/typed_rows.h"
#define KIND    U16
#define ELEMENT uint16_t
#include "backend/cpu/lines/typed_rows.h"
#define KIND    U8
#define ELEMENT uint8_t
#include "backend/cpu/lines/typed_rows.h"
#undef CLASS
#undef LOAD
#define LOAD(x) ((x) != 0)
#define CLASS   B
#define KIND    BOOL
#define ELEMENT uint8_t
#include "backend/cpu/lines/typed_rows.h"
#undef WIDE
#undef CLASS
#undef VALUE
#undef DIVIDED
#undef LOAD

/* ---- Casts ---------------------------------------------------------------------------------- */

/* Toward zero; saturated, NaN as 0. */
static inline int64_t whole_of(double x) {
  if (!(x > -0x1p63)) return x != x ? 0 : INT64_MIN;
  return x >= 0x1p63 ? INT64_MAX : (int64_t)x;
}

#define AS_IS(x)    (x)
#define AS_TRUTH(x) ((x) != 0)

#define CAST(from, from_type, to, to_type, convert)                         \
  static void cast_##from##_##to(size_t count, const void *in, void *to_) { \
    const from_type *x = in;                                                \
    to_type *restrict out = to_;                                            \
    for (size_t i = 0; i < count; i++) out[i] = (to_type)convert(x[i]);     \
  }

/* Floats mostly are such that 32 bits hold them, which vectors convert. */
#define FLOAT_TO_INTEGER(from, from_type, to, to_type)                                \
  static void cast_##from##_##to(size_t count, const void *in, void *to_) {           \
    const from_type *x = in;                                                          \
    to_type *restrict out = to_;                                                      \
    unsigned far = 0;                                                                 \
    for (size_t i = 0; i < count; i++) far |= !(x[i] > -0x1p31f) | !(x[i] < 0x1p31f); \
    if (far)                                                                          \
      for (size_t i = 0; i < count; i++) out[i] = (to_type)whole_of((double)x[i]);    \
    else                                                                              \
      for (size_t i = 0; i < count; i++) out[i] = (to_type)(int32_t)x[i];             \
  }

/* So do most wide integers. */
#define LONG_TO_FLOAT(from, from_type, to, to_type)                             \
  static void cast_##from##_##to(size_t count, const void *in, void *to_) {     \
    const from_type *x = in;                                                    \
    to_type *restrict out = to_;                                                \
    unsigned far = 0;                                                           \
    for (size_t i = 0; i < count; i++) far |= x[i] != (from_type)(int32_t)x[i]; \
    if (far)                                                                    \
      for (size_t i = 0; i < count; i++) out[i] = (to_type)x[i];                \
    else                                                                        \
      for (size_t i = 0; i < count; i++) out[i] = (to_type)(int32_t)x[i];       \
  }

#define INTEGERS(X, from, from_type) \
  X(from, from_type, S64, int64_t)   \
  X(from, from_type, S32, int32_t)   \
  X(from, from_type, S16, int16_t)   \
  X(from, from_type, S8, int8_t)     \
  X(from, from_type, U64, uint64_t)  \
  X(from, from_type, U32, uint32_t)  \
  X(from, from_type, U16, uint16_t)  \
  X(from, from_type, U8, uint8_t)

#define PLAIN_CAST(from, from_type, to, to_type) CAST(from, from_type, to, to_type, AS_IS)
#define CASTS_OF(from, from_type)           \
  INTEGERS(PLAIN_CAST, from, from_type)     \
  CAST(from, from_type, F64, double, AS_IS) \
  CAST(from, from_type, F32, float, AS_IS)  \
  CAST(from, from_type, BOOL, uint8_t, AS_TRUTH)
#define LONG_CASTS_OF(from, from_type)        \
  INTEGERS(PLAIN_CAST, from, from_type)       \
  LONG_TO_FLOAT(from, from_type, F64, double) \
  LONG_TO_FLOAT(from, from_type, F32, float)  \
  CAST(from, from_type, BOOL, uint8_t, AS_TRUTH)
#define FLOAT_CASTS_OF(from, from_type)       \
  INTEGERS(FLOAT_TO_INTEGER, from, from_type) \
  CAST(from, from_type, F64, double, AS_IS)   \
  CAST(from, from_type, F32, float, AS_IS)    \
  CAST(from, from_type, BOOL, uint8_t, AS_TRUTH)
#define TRUTH_CAST(from, from_type, to, to_type) CAST(from, from_type, to, to_type, AS_TRUTH)
LONG_CASTS_OF(S64, int64_t)
CASTS_OF(S32, int32_t)
CASTS_OF(S16, int16_t)
CASTS_OF(S8, int8_t)
LONG_CASTS_OF(U64, uint64_t)
CASTS_OF(U32, uint32_t)
CASTS_OF(U16, uint16_t)
CASTS_OF(U8, uint8_t)
FLOAT_CASTS_OF(F32, float)
FLOAT_CASTS_OF(F64, double)
INTEGERS(TRUTH_CAST, BOOL, uint8_t)
TRUTH_CAST(BOOL, uint8_t, F64, double)
TRUTH_CAST(BOOL, uint8_t, F32, float)
TRUTH_CAST(BOOL, uint8_t, BOOL, uint8_t)

/* ---- Selections ----------------------------------------------------------------------------- */

#define SELECT(bits)                                                              \
  static void select_##bits(size_t count, const uint8_t *holds, const void *in_x, \
                            const void *in_y, void *to) {                         \
    const uint##bits##_t *x = in_x, *y = in_y;                                    \
    uint##bits##_t *restrict out = to;                                            \
    for (size_t i = 0; i < count; i++) out[i] = holds[i] ? x[i] : y[i];           \
  }
SELECT(8)
SELECT(16)
SELECT(32)
SELECT(64)

/* ---- The table ------------------------------------------------------------------------------ */

#define POINTWISE(name, inputs, classes, facts, result, attributes, real, integer, natural) \
  NAMED(KIND, name),
const hone_typed TYPED = {
    .row =
        {
#define KIND F64
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND S64
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND S32
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND S16
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND S8
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND U64
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND U32
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND U16
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND U8
            {
#include "ops/pointwise.def"
            },
#undef KIND
#define KIND BOOL
            {
#include "ops/pointwise.def"
            },
#undef KIND
        },
    .cast =
        {
#define TO(from, to) [HONE_TYPED_##to] = cast_##from##_##to,
#define FROM(from, type)                                                                          \
  [HONE_TYPED_##from] = {TO(from, F64) TO(from, S64) TO(from, S32) TO(from, S16) TO(from, S8) TO( \
      from, U64) TO(from, U32) TO(from, U16) TO(from, U8) TO(from, BOOL) TO(from, F32)},
            HONE_TYPED_KINDS(FROM) FROM(F32, float)},
    .select = {select_8, select_16, select_32, select_64},
};
#undef POINTWISE
