/* Loading, storing and computing blocks of a formula. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/formula_step.h"

#include <string.h>

#include "backend/cpu/lines/strips.h"
#include "ops/cast.h"

/* hone_bf16_to_f32 and hone_f32_to_bf16, inline because whole layers go through them. */
static inline float from_bf16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static inline uint16_t to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* ---- Between memory and registers ----------------------------------------------------------- */

void hone_register_load(hone_dtype dtype, const void *data, size_t at, size_t count, void *to) {
  float *floats = to;
  switch (dtype) {
    case HONE_F32:
      memcpy(to, (const float *)data + at, count * sizeof(float));
      return;
    case HONE_BOOL:
      hone_strips_here()->from_bool((const uint8_t *)data + at, count, floats);
      return;
    case HONE_S64:
      memcpy(to, (const int64_t *)data + at, count * sizeof(int64_t));
      return;
    case HONE_S32:
      for (size_t i = 0; i < count; i++) ((int64_t *)to)[i] = ((const int32_t *)data)[at + i];
      return;
    case HONE_U8:
      hone_strips_here()->from_u8((const uint8_t *)data + at, count, floats);
      return;
    case HONE_S8:
      hone_strips_here()->from_s8((const int8_t *)data + at, count, floats);
      return;
    case HONE_F16:
      hone_strips_here()->from_f16((const uint16_t *)data + at, count, floats);
      return;
    case HONE_BF16:
      for (size_t i = 0; i < count; i++) floats[i] = from_bf16(((const uint16_t *)data)[at + i]);
      return;
    default:
      break;
  }
  if (hone_width_of(dtype) == HONE_WIDTH_WHOLE) {
    hone_load_ints(dtype, data, at, count, to);
  } else if (hone_width_of(dtype) == HONE_WIDTH_DOUBLE) {
    hone_load_reals(dtype, data, at, count, to);
  } else {
    for (size_t i = 0; i < count; i++) floats[i] = (float)hone_load_real(dtype, data, at + i);
  }
}

void hone_register_store(hone_dtype dtype, const void *from, size_t count, void *data, size_t at) {
  const float *floats = from;
  const int64_t *wholes = from;
  switch (dtype) {
    case HONE_F32:
      memcpy((float *)data + at, from, count * sizeof(float));
      return;
    case HONE_S64:
      memcpy((int64_t *)data + at, from, count * sizeof(int64_t));
      return;
    case HONE_S32:
      for (size_t i = 0; i < count; i++) ((int32_t *)data)[at + i] = (int32_t)wholes[i];
      return;
    case HONE_BOOL: /* 0 or 1 */
    case HONE_U8:
    case HONE_S8:
      hone_strips_here()->to_byte(floats, count, (uint8_t *)data + at);
      return;
    case HONE_F16:
      hone_strips_here()->to_f16(floats, count, (uint16_t *)data + at);
      return;
    case HONE_BF16:
      for (size_t i = 0; i < count; i++) ((uint16_t *)data)[at + i] = to_bf16(floats[i]);
      return;
    default:
      break;
  }
  if (hone_width_of(dtype) == HONE_WIDTH_WHOLE) {
    hone_store_ints(dtype, data, at, count, from);
  } else if (hone_width_of(dtype) == HONE_WIDTH_DOUBLE) {
    hone_store_reals(dtype, data, at, count, from);
  } else {
    for (size_t i = 0; i < count; i++) hone_store_real(dtype, data, at + i, (double)floats[i]);
  }
}

void hone_register_set(hone_width width, double value, void *to) {
  for (size_t i = 0; i < HONE_BLOCK; i++) {
    if (width == HONE_WIDTH_FLOAT)
      ((float *)to)[i] = (float)value;
    else if (width == HONE_WIDTH_DOUBLE)
      ((double *)to)[i] = value;
    else
      ((int64_t *)to)[i] = value >= 0x1p63 ? INT64_MAX : (int64_t)value;
  }
}

/* By sixteens, which vectors store and a register has a whole number of. */
void hone_register_fill(hone_dtype dtype, const void *data, size_t at, size_t count, void *to) {
  hone_register_load(dtype, data, at, 1, to);
  if (hone_width_of(dtype) == HONE_WIDTH_FLOAT) {
    float value = *(float *)to, *lane = to;
    for (size_t i = 0; i < count; i += 16, lane += 16)
      for (int k = 0; k < 16; k++) lane[k] = value;
  } else {
    int64_t value = *(int64_t *)to, *lane = to; /* a double's bits, too */
    for (size_t i = 0; i < count; i += 16, lane += 16)
      for (int k = 0; k < 16; k++) lane[k] = value;
  }
}

/* ---- Steps that have no vector form --------------------------------------------------------- */

/* A register as the block that the reference's loops read. */
static const hone_block *widen(hone_dtype dtype, const void *from, size_t count,
                               hone_block *temporary) {
  if (hone_width_of(dtype) != HONE_WIDTH_FLOAT) return from;
  const float *floats = from;
  if (dtype == HONE_BOOL)
    for (size_t i = 0; i < count; i++) temporary->natural[i] = floats[i] != 0;
  else if (hone_is_integer(dtype))
    for (size_t i = 0; i < count; i++) temporary->integer[i] = (int64_t)floats[i];
  else
    for (size_t i = 0; i < count; i++) temporary->real[i] = (double)floats[i];
  return temporary;
}

/* Integers of fewer than 64 bits, as they are after storing. */
static void wrap(hone_dtype dtype, int64_t *x, size_t count) {
  unsigned spare = 64 - hone_dtype_bits(dtype);
  if (spare == 0) return;
  bool is_signed = hone_dtype_class_of(dtype) == HONE_CLASS_SIGNED;
  for (size_t i = 0; i < count; i++) {
    uint64_t shifted = (uint64_t)x[i] << spare;
    x[i] = is_signed ? (int64_t)shifted >> spare : (int64_t)(shifted >> spare);
  }
}

static void run_loop(const hone_formula_step *s, void *const *registers, size_t count,
                     hone_block *temporary) {
  const hone_block *in[3];
  for (int i = 0; i < 3; i++) in[i] = widen(s->from, registers[s->in[i]], count, &temporary[i]);
  hone_block *result = &temporary[3];
  s->loop(count, in[0], in[1], in[2], s->attrs, result);
  void *out = registers[s->out];
  bool reals = hone_dtype_class_of(s->from) == HONE_CLASS_FLOAT;
  if (!reals && hone_is_integer(s->to)) wrap(s->to, result->integer, count);
  if (hone_width_of(s->to) == HONE_WIDTH_FLOAT) {
    for (size_t i = 0; i < count; i++)
      ((float *)out)[i] = reals ? (float)result->real[i] : (float)result->integer[i];
  } else {
    memcpy(out, result, count * sizeof(int64_t));
  }
}

/* Toward zero; saturated, NaN as 0. */
static int64_t whole_of(float x) {
  if (!(x > -0x1p63f)) return x != x ? 0 : INT64_MIN;
  return x >= 0x1p63f ? INT64_MAX : (int64_t)x;
}

/* The operand of a cast as 64-bit integers. */
static const int64_t *as_wholes(hone_dtype from, const void *x, size_t count, int64_t *space) {
  hone_width width = hone_width_of(from);
  if (width == HONE_WIDTH_WHOLE) return x;
  if (width == HONE_WIDTH_DOUBLE)
    hone_load_ints(HONE_F64, x, 0, count, space);
  else
    for (size_t i = 0; i < count; i++) space[i] = whole_of(((const float *)x)[i]);
  return space;
}

static void cast_to_integer(const hone_formula_step *s, const void *from, void *out, size_t count,
                            hone_block *temporary) {
  int64_t *whole = temporary->integer;
  const int64_t *x = as_wholes(s->from, from, count, whole);
  if (x != whole) memcpy(whole, x, count * sizeof(int64_t));
  wrap(s->to, whole, count);
  if (hone_width_of(s->to) == HONE_WIDTH_WHOLE) {
    memcpy(out, whole, count * sizeof(int64_t));
  } else {
    for (size_t i = 0; i < count; i++) ((float *)out)[i] = (float)whole[i];
  }
}

/* To a float type or bool, rounding once. */
static void cast_to_real(const hone_formula_step *s, const void *from, void *out, size_t count,
                         hone_block *temporary) {
  hone_width width = hone_width_of(s->from);
  bool narrow = hone_dtype_class_of(s->to) == HONE_CLASS_FLOAT && hone_dtype_bits(s->to) == 8;
  if (narrow) {
    double *reals = temporary[1].real;
    for (size_t i = 0; i < count; i++)
      reals[i] = width == HONE_WIDTH_FLOAT   ? (double)((const float *)from)[i]
                 : s->from == HONE_U64       ? (double)((const uint64_t *)from)[i]
                 : width == HONE_WIDTH_WHOLE ? (double)((const int64_t *)from)[i]
                                             : ((const double *)from)[i];
    hone_cast_adjust(s->to, s->attrs[0] != 0, (char)s->attrs[1], reals, count);
    hone_store_reals(s->to, temporary, 0, count, reals);
  } else if (width == HONE_WIDTH_WHOLE) {
    hone_store_ints(s->to, temporary, 0, count, from);
    if (s->from == HONE_U64) hone_cast_large(s->to, from, count, temporary, 0);
  } else {
    const double *reals = from;
    if (width == HONE_WIDTH_FLOAT) {
      for (size_t i = 0; i < count; i++) temporary[1].real[i] = (double)((const float *)from)[i];
      reals = temporary[1].real;
    }
    hone_store_reals(s->to, temporary, 0, count, reals);
  }
  hone_register_load(s->to, temporary, 0, count, out);
}

/* As cast.c states it; the common ways first. */
static void run_cast(const hone_formula_step *s, void *const *registers, size_t count,
                     hone_block *temporary) {
  const void *from = registers[s->in[0]];
  void *out = registers[s->out];
  hone_width width = hone_width_of(s->from);
  bool to_byte = s->to == HONE_U8 || s->to == HONE_S8;
  if (to_byte && width == HONE_WIDTH_FLOAT) {
    hone_strips_here()->wrap_byte(from, count, s->to == HONE_S8, out);
  } else if (hone_is_integer(s->to)) {
    cast_to_integer(s, from, out, count, temporary);
  } else if (s->to == HONE_BOOL && width == HONE_WIDTH_FLOAT) {
    for (size_t i = 0; i < count; i++) ((float *)out)[i] = ((const float *)from)[i] != 0;
  } else if (s->to == HONE_F32 && width == HONE_WIDTH_FLOAT) {
    if (out != from) memcpy(out, from, count * sizeof(float));
  } else if (s->to == HONE_BF16 && width == HONE_WIDTH_FLOAT) {
    for (size_t i = 0; i < count; i++)
      ((float *)out)[i] = from_bf16(to_bf16(((const float *)from)[i]));
  } else if (s->to == HONE_F16 && width == HONE_WIDTH_FLOAT) {
    uint16_t *halves = (uint16_t *)temporary;
    hone_strips_here()->to_f16(from, count, halves);
    hone_strips_here()->from_f16(halves, count, out);
  } else if (s->to == HONE_BOOL && width == HONE_WIDTH_WHOLE) {
    for (size_t i = 0; i < count; i++) ((float *)out)[i] = ((const int64_t *)from)[i] != 0;
  } else if (s->to == HONE_F64 && width == HONE_WIDTH_FLOAT) {
    for (size_t i = 0; i < count; i++) ((double *)out)[i] = (double)((const float *)from)[i];
  } else if (s->to == HONE_F32 && width == HONE_WIDTH_DOUBLE) {
    for (size_t i = 0; i < count; i++) ((float *)out)[i] = (float)((const double *)from)[i];
  } else if (s->to == HONE_F32 && width == HONE_WIDTH_WHOLE && s->from != HONE_U64) {
    for (size_t i = 0; i < count; i++) ((float *)out)[i] = (float)((const int64_t *)from)[i];
  } else {
    cast_to_real(s, from, out, count, temporary);
  }
}

static void run_select(const hone_formula_step *s, void *const *registers, size_t count) {
  const float *holds = registers[s->in[0]];
  const int64_t *x = registers[s->in[1]], *y = registers[s->in[2]];
  int64_t *out = registers[s->out];
  for (size_t i = 0; i < count; i++) /* no branch: it could not be guessed */
    out[i] = y[i] ^ ((x[i] ^ y[i]) & -(int64_t)(holds[i] != 0));
}

static void run_lookup(const hone_formula_step *s, void *const *registers, size_t count,
                       hone_block *temporary) {
  uint8_t *bytes = (uint8_t *)temporary;
  hone_register_store(HONE_U8, registers[s->in[0]], count, bytes, 0);
  s->look_up(s->table, bytes, 0, 1, count);
  hone_register_load(s->to, bytes, 0, count, registers[s->out]);
}

void hone_formula_step_run(const hone_formula_step *s, hone_lane_function *const *lanes,
                           void *const *registers, size_t count, hone_block *temporary) {
  switch (s->kind) {
    case HONE_STEP_LANE:
      lanes[s->lane](count, registers[s->in[0]], registers[s->in[1]], registers[s->in[2]],
                     (float)s->attrs[0], (float)s->attrs[1], registers[s->out]);
      return;
    case HONE_STEP_LOOP:
      run_loop(s, registers, count, temporary);
      return;
    case HONE_STEP_CAST:
      run_cast(s, registers, count, temporary);
      return;
    case HONE_STEP_SELECT:
      run_select(s, registers, count);
      return;
    case HONE_STEP_LOOKUP:
      run_lookup(s, registers, count, temporary);
      return;
  }
}
