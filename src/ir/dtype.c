/* Element types: names, sizes, scalar loads and stores with one exact rounding. Room: ir. */
#include "ir/dtype.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

static const struct {
  const char *name;
  unsigned bits;
  hone_dtype_class klass;
} facts[HONE_DTYPE_COUNT] = {
    [HONE_DTYPE_NONE] = {"none", 0, HONE_CLASS_NONE},
#define ROW(suffix, text, size, kind) [HONE_##suffix] = {text, size, HONE_CLASS_##kind},
    HONE_DTYPES(ROW)
#undef ROW
};

static bool valid(hone_dtype dtype) { return (unsigned)dtype < HONE_DTYPE_COUNT; }

const char *hone_dtype_name(hone_dtype dtype) { return facts[valid(dtype) ? dtype : 0].name; }
unsigned hone_dtype_bits(hone_dtype dtype) { return facts[valid(dtype) ? dtype : 0].bits; }
hone_dtype_class hone_dtype_class_of(hone_dtype dtype) {
  return facts[valid(dtype) ? dtype : 0].klass;
}

hone_dtype hone_dtype_parse(const char *name, size_t size) {
  for (int i = 1; i < HONE_DTYPE_COUNT; i++)
    if (strlen(facts[i].name) == size && memcmp(facts[i].name, name, size) == 0)
      return (hone_dtype)i;
  return HONE_DTYPE_NONE;
}

bool hone_dtype_bytes(hone_dtype dtype, size_t count, size_t *bytes) {
  unsigned bits = hone_dtype_bits(dtype);
  if (bits >= 8) return hone_mul(count, bits / 8, bytes);
  if (bits == 0) return *bytes = 0, false;
  size_t a_byte = 8 / bits;
  *bytes = count / a_byte + (count % a_byte != 0);
  return true;
}

/* Floats of at most 16 bits: sign, exponent, mantissa, with what their largest codes mean.
 * IEEE 754 for f16; bfloat16 likewise; OCP 8-bit and FNUZ (Micikevicius et al., arXiv 2209.05433;
 * Noune et al., arXiv 2206.02915); OCP Microscaling 1.0 for f4e2m1. */
typedef struct small_float {
  uint8_t bits, mantissa;
  int16_t bias;
  uint16_t greatest;  /* code of the largest finite value */
  uint16_t overflow;  /* code of what lies above it */
  uint16_t nan;       /* code of NaN, without sign */
  bool has_infinity, is_fnuz;
} small_float;

static const small_float f16 = {16, 10, 15, 0x7bff, 0x7c00, 0x7e00, true, false};
static const small_float bf16 = {16, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, true, false};
static const small_float f8e4m3 = {8, 3, 7, 0x7e, 0x7f, 0x7f, false, false};
static const small_float f8e4m3fnuz = {8, 3, 8, 0x7f, 0x80, 0x80, false, true};
static const small_float f8e5m2 = {8, 2, 15, 0x7b, 0x7c, 0x7e, true, false};
static const small_float f8e5m2fnuz = {8, 2, 16, 0x7f, 0x80, 0x80, false, true};
/* f4e2m1 has neither infinity nor NaN: it saturates, and a NaN becomes -0. */
static const small_float f4e2m1 = {4, 1, 1, 0x7, 0x7, 0x8, false, false};

static uint64_t real_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static double real_from(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* 2^exponent of a normal double. */
static double power_of_two(int exponent) { return real_from((uint64_t)(exponent + 1023) << 52); }

static double decode(const small_float *type, unsigned code) {
  unsigned sign = code >> (type->bits - 1) & 1, rest = code & ((1u << (type->bits - 1)) - 1);
  if (type->is_fnuz && code == type->nan) return (double)NAN;
  if (!type->is_fnuz && rest > type->greatest)
    return type->has_infinity && rest == type->overflow ? (sign ? -INFINITY : INFINITY)
                                                        : (double)NAN;
  int exponent = (int)(rest >> type->mantissa);
  unsigned fraction = rest & ((1u << type->mantissa) - 1);
  if (exponent) fraction |= 1u << type->mantissa;
  else exponent = 1;
  double value = fraction * power_of_two(exponent - type->bias - type->mantissa);
  return sign ? -value : value;
}

/* Rounds the magnitude of a finite double to the type's grid, half to even; the result may be the
 * code after the greatest. */
static uint64_t round_to_code(const small_float *type, uint64_t bits) {
  int exponent = (int)(bits >> 52 & 0x7ff) - 1023 + type->bias;
  if ((bits >> 52 & 0x7ff) == 0) return 0; /* a denormal double is nothing to any small type */
  uint64_t fraction = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
  int shift = 52 - type->mantissa;
  if (exponent < 1) {
    shift += 1 - exponent;
    exponent = 1;
  }
  if (shift >= 54) return 0;
  uint64_t kept = fraction >> shift, lost = fraction & ((UINT64_C(1) << shift) - 1);
  uint64_t half = UINT64_C(1) << (shift - 1);
  kept += lost > half || (lost == half && (kept & 1));
  /* A carry out of the mantissa goes into the exponent by itself. */
  return ((uint64_t)(exponent - 1) << type->mantissa) + kept;
}

static unsigned encode(const small_float *type, double value) {
  uint64_t bits = real_bits(value), code;
  unsigned sign = (unsigned)(bits >> 63);
  if (isnan(value)) {
    code = type->nan;
  } else {
    code = isinf(value) ? UINT64_MAX : round_to_code(type, bits & (UINT64_MAX >> 1));
    if (code > type->greatest) code = type->overflow;
    if (type->is_fnuz && code == 0) sign = 0;
  }
  return (unsigned)code | sign << (type->bits - 1);
}

/* A bare exponent, 2^(code - 127); ties go up; what is no positive number is NaN. */
static double decode_e8m0(unsigned code) {
  return code == 0xff ? (double)NAN : power_of_two((int)code - 127);
}

static unsigned encode_e8m0(double value) {
  if (!(value > 0) || isinf(value)) return 0xff;
  int exponent;
  double fraction = frexp(value, &exponent); /* in [0.5, 1) */
  exponent += fraction >= 0.75 ? 127 : 126;
  if (exponent < 0) return 0;
  return exponent > 0xfe ? 0xff : (unsigned)exponent;
}

float hone_f16_to_f32(uint16_t bits) { return (float)decode(&f16, bits); }
uint16_t hone_f32_to_f16(float value) { return (uint16_t)encode(&f16, (double)value); }

float hone_bf16_to_f32(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}
uint16_t hone_f32_to_bf16(float value) { return (uint16_t)encode(&bf16, (double)value); }

#define LOAD(type)                                                                                 \
  (__extension__({                                                                                 \
    type loaded_;                                                                                  \
    memcpy(&loaded_, (const char *)data + index * sizeof loaded_, sizeof loaded_);                 \
    loaded_;                                                                                       \
  }))
#define STORE(type, x)                                                                             \
  do {                                                                                             \
    type stored_ = (type)(x);                                                                      \
    memcpy((char *)data + index * sizeof stored_, &stored_, sizeof stored_);                       \
  } while (0)

/* A packed element of 2 or 4 bits. */
static unsigned load_packed(unsigned bits, const void *data, size_t index) {
  size_t a_byte = 8 / bits;
  unsigned byte = ((const uint8_t *)data)[index / a_byte];
  return byte >> (index % a_byte * bits) & ((1u << bits) - 1);
}

static void store_packed(unsigned bits, void *data, size_t index, unsigned value) {
  size_t a_byte = 8 / bits;
  uint8_t *byte = (uint8_t *)data + index / a_byte;
  unsigned shift = (unsigned)(index % a_byte * bits), mask = (1u << bits) - 1;
  *byte = (uint8_t)((*byte & ~(mask << shift)) | (value & mask) << shift);
}

static int64_t sign_extend(unsigned value, unsigned bits) {
  return (int64_t)value - (value >> (bits - 1) ? INT64_C(1) << bits : 0);
}

/* A real as an integer: toward zero, saturating at the 64-bit range; NaN is 0. */
static int64_t truncate_real(double value) {
  if (isnan(value)) return 0;
  if (value >= 0x1p63) return INT64_MAX;
  if (value < -0x1p63) return INT64_MIN;
  return (int64_t)value;
}

double hone_load_real(hone_dtype dtype, const void *data, size_t index) {
  switch (dtype) {
    case HONE_F32: return (double)LOAD(float);
    case HONE_F64: return LOAD(double);
    case HONE_F16: return decode(&f16, LOAD(uint16_t));
    case HONE_BF16: return (double)hone_bf16_to_f32(LOAD(uint16_t));
    case HONE_F8E4M3: return decode(&f8e4m3, LOAD(uint8_t));
    case HONE_F8E4M3FNUZ: return decode(&f8e4m3fnuz, LOAD(uint8_t));
    case HONE_F8E5M2: return decode(&f8e5m2, LOAD(uint8_t));
    case HONE_F8E5M2FNUZ: return decode(&f8e5m2fnuz, LOAD(uint8_t));
    case HONE_F8E8M0: return decode_e8m0(LOAD(uint8_t));
    case HONE_F4E2M1: return decode(&f4e2m1, load_packed(4, data, index));
    case HONE_U64: return (double)LOAD(uint64_t);
    case HONE_C64: index *= 2; return (double)LOAD(float);
    case HONE_C128: index *= 2; return LOAD(double);
    default: return (double)hone_load_int(dtype, data, index);
  }
}

int64_t hone_load_int(hone_dtype dtype, const void *data, size_t index) {
  switch (dtype) {
    case HONE_S64:
    case HONE_U64: return LOAD(int64_t);
    case HONE_S32: return LOAD(int32_t);
    case HONE_S16: return LOAD(int16_t);
    case HONE_S8: return LOAD(int8_t);
    case HONE_U32: return LOAD(uint32_t);
    case HONE_U16: return LOAD(uint16_t);
    case HONE_U8: return LOAD(uint8_t);
    case HONE_BOOL: return LOAD(uint8_t) != 0;
    case HONE_S4: return sign_extend(load_packed(4, data, index), 4);
    case HONE_S2: return sign_extend(load_packed(2, data, index), 2);
    case HONE_U4: return load_packed(4, data, index);
    case HONE_U2: return load_packed(2, data, index);
    case HONE_STR:
    case HONE_DTYPE_NONE:
    case HONE_DTYPE_COUNT: return 0;
    default: return truncate_real(hone_load_real(dtype, data, index));
  }
}

void hone_store_real(hone_dtype dtype, void *data, size_t index, double value) {
  switch (dtype) {
    case HONE_F32: STORE(float, value); break;
    case HONE_F64: STORE(double, value); break;
    case HONE_F16: STORE(uint16_t, encode(&f16, value)); break;
    case HONE_BF16: STORE(uint16_t, encode(&bf16, value)); break;
    case HONE_F8E4M3: STORE(uint8_t, encode(&f8e4m3, value)); break;
    case HONE_F8E4M3FNUZ: STORE(uint8_t, encode(&f8e4m3fnuz, value)); break;
    case HONE_F8E5M2: STORE(uint8_t, encode(&f8e5m2, value)); break;
    case HONE_F8E5M2FNUZ: STORE(uint8_t, encode(&f8e5m2fnuz, value)); break;
    case HONE_F8E8M0: STORE(uint8_t, encode_e8m0(value)); break;
    case HONE_F4E2M1: store_packed(4, data, index, encode(&f4e2m1, value)); break;
    case HONE_U64:
      if (value >= 0x1p63) {
        STORE(uint64_t, value >= 0x1p64 ? UINT64_MAX : (uint64_t)value);
        break;
      }
      STORE(int64_t, truncate_real(rint(value)));
      break;
    case HONE_BOOL: STORE(uint8_t, value != 0); break;
    case HONE_C64:
      index *= 2;
      STORE(float, value);
      index++;
      STORE(float, 0);
      break;
    case HONE_C128:
      index *= 2;
      STORE(double, value);
      index++;
      STORE(double, 0);
      break;
    default: hone_store_int(dtype, data, index, truncate_real(rint(value)));
  }
}

/* An integer as a double such that a second rounding to at most 51 bits equals one rounding:
 * beyond 2^53 the bits that fall off leave a mark in the last kept one (rounding to odd). */
static double sticky_real(int64_t value) {
  if (value > -(INT64_C(1) << 53) && value < INT64_C(1) << 53) return (double)value;
  int64_t kept = value & ~INT64_C(0x7ff);
  return (double)(kept | (value != kept) << 11);
}

void hone_store_int(hone_dtype dtype, void *data, size_t index, int64_t value) {
  switch (dtype) {
    case HONE_S64:
    case HONE_U64: STORE(int64_t, value); break;
    case HONE_S32:
    case HONE_U32: STORE(uint32_t, value); break;
    case HONE_S16:
    case HONE_U16: STORE(uint16_t, value); break;
    case HONE_S8:
    case HONE_U8: STORE(uint8_t, value); break;
    case HONE_BOOL: STORE(uint8_t, value != 0); break;
    case HONE_S4:
    case HONE_U4: store_packed(4, data, index, (unsigned)value); break;
    case HONE_S2:
    case HONE_U2: store_packed(2, data, index, (unsigned)value); break;
    case HONE_F64: STORE(double, value); break;
    case HONE_STR:
    case HONE_DTYPE_NONE:
    case HONE_DTYPE_COUNT: break;
    default: hone_store_real(dtype, data, index, sticky_real(value));
  }
}

/* Runs: the common types without a decision per element. */
#define LOAD_RUN(dtype_, type)                                                                     \
  case dtype_:                                                                                     \
    for (size_t i = 0, index = begin; i < count; i++, index++) out[i] = LOAD(type);                \
    break
#define STORE_RUN(dtype_, type)                                                                    \
  case dtype_:                                                                                     \
    for (size_t i = 0, index = begin; i < count; i++, index++) STORE(type, in[i]);                 \
    break

void hone_load_reals(hone_dtype dtype, const void *data, size_t begin, size_t count, double *out) {
  switch (dtype) {
    LOAD_RUN(HONE_F32, float);
    LOAD_RUN(HONE_F64, double);
    LOAD_RUN(HONE_S32, int32_t);
    LOAD_RUN(HONE_S8, int8_t);
    LOAD_RUN(HONE_U8, uint8_t);
    default:
      for (size_t i = 0; i < count; i++) out[i] = hone_load_real(dtype, data, begin + i);
  }
}

void hone_store_reals(hone_dtype dtype, void *data, size_t begin, size_t count, const double *in) {
  switch (dtype) {
    STORE_RUN(HONE_F32, float);
    STORE_RUN(HONE_F64, double);
    default:
      for (size_t i = 0; i < count; i++) hone_store_real(dtype, data, begin + i, in[i]);
  }
}

void hone_load_ints(hone_dtype dtype, const void *data, size_t begin, size_t count, int64_t *out) {
  switch (dtype) {
    LOAD_RUN(HONE_S64, int64_t);
    LOAD_RUN(HONE_S32, int32_t);
    LOAD_RUN(HONE_S8, int8_t);
    LOAD_RUN(HONE_U8, uint8_t);
    default:
      for (size_t i = 0; i < count; i++) out[i] = hone_load_int(dtype, data, begin + i);
  }
}

void hone_store_ints(hone_dtype dtype, void *data, size_t begin, size_t count, const int64_t *in) {
  switch (dtype) {
    STORE_RUN(HONE_S64, int64_t);
    STORE_RUN(HONE_S32, int32_t);
    STORE_RUN(HONE_S8, int8_t);
    STORE_RUN(HONE_U8, uint8_t);
    default:
      for (size_t i = 0; i < count; i++) hone_store_int(dtype, data, begin + i, in[i]);
  }
}

/* The largest finite value of a float type. */
static double largest_of(hone_dtype dtype) {
  switch (dtype) {
    case HONE_F16:
      return 65504;
    case HONE_BF16:
      return ldexp(255, 120);
    case HONE_F8E4M3:
      return 448;
    case HONE_F8E4M3FNUZ:
      return 240;
    case HONE_F8E5M2:
    case HONE_F8E5M2FNUZ:
      return 57344;
    case HONE_F8E8M0:
      return ldexp(1, 127);
    case HONE_F4E2M1:
      return 6;
    case HONE_F32:
      return FLT_MAX;
    default:
      return DBL_MAX;
  }
}

void hone_store_saturated(hone_dtype dtype, void *data, size_t index, double value) {
  double largest = largest_of(dtype);
  if (value > largest) value = largest;
  if (value < -largest) value = -largest;
  if (dtype == HONE_F4E2M1 && isnan(value)) value = 0;
  hone_store_real(dtype, data, index, value);
}
