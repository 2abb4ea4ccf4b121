/* Elements of f32, f16 and bf16 for stand-ins, which know no code of Hone's. A type's number is a
 * library's own; what is neither of the narrow ones is f32. */
#ifndef HONE_TESTS_STAND_IN_NUMBERS_H
#define HONE_TESTS_STAND_IN_NUMBERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef enum stand_in_type { STAND_IN_F32, STAND_IN_F16, STAND_IN_BF16 } stand_in_type;

static inline float stand_in_half(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                : exponent     ? ldexpf((float)(fraction | 1024), exponent - 25)
                               : ldexpf((float)fraction, -24);
  return bits & 0x8000 ? -value : value;
}

/* Half to even. */
static inline uint16_t stand_in_half_bits(float value) {
  uint16_t sign = signbit(value) ? 0x8000 : 0;
  float size = fabsf(value);
  int exponent;
  if (size == 0) return sign;
  if (isnan(value)) return (uint16_t)(sign | 0x7e00);
  if (size >= 65520) return (uint16_t)(sign | 0x7c00);
  (void)frexpf(size, &exponent);
  int step = (exponent < -13 ? -13 : exponent) - 11;
  int count = (int)nearbyintf(ldexpf(size, -step)); /* 1024 of a normal one are its exponent */
  return (uint16_t)(sign | (((step + 24) << 10) + count));
}

static inline float stand_in_load(stand_in_type type, const void *p, int64_t i) {
  uint32_t bits;
  float value;
  if (type == STAND_IN_F32) return ((const float *)p)[i];
  if (type == STAND_IN_F16) return stand_in_half(((const uint16_t *)p)[i]);
  bits = (uint32_t)((const uint16_t *)p)[i] << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline void stand_in_store(stand_in_type type, void *p, int64_t i, float value) {
  uint32_t bits;
  if (type == STAND_IN_F32) {
    ((float *)p)[i] = value;
  } else if (type == STAND_IN_F16) {
    ((uint16_t *)p)[i] = stand_in_half_bits(value);
  } else {
    memcpy(&bits, &value, sizeof bits);
    ((uint16_t *)p)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

#endif
