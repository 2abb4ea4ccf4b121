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

void hone_floats_load(hone_dtype dtype, const void *data, size_t at, size_t count, float *to) {
  switch (dtype) {
    case HONE_F32:
      memcpy(to, (const float *)data + at, count * sizeof(float));
      return;
    case HONE_U8:
      hone_strips_here()->from_u8((const uint8_t *)data + at, count, to);
      return;
    case HONE_S8:
      hone_strips_here()->from_s8((const int8_t *)data + at, count, to);
      return;
    case HONE_F16:
      hone_strips_here()->from_f16((const uint16_t *)data + at, count, to);
      return;
    case HONE_BF16:
      for (size_t i = 0; i < count; i++) to[i] = from_bf16(((const uint16_t *)data)[at + i]);
      return;
    default:
      for (size_t i = 0; i < count; i++) to[i] = (float)hone_load_real(dtype, data, at + i);
  }
}

void hone_floats_store(hone_dtype dtype, const float *from, size_t count, void *data, size_t at) {
  switch (dtype) {
    case HONE_F32:
      memcpy((float *)data + at, from, count * sizeof(float));
      return;
    case HONE_U8:
    case HONE_S8:
      hone_strips_here()->to_byte(from, count, (uint8_t *)data + at);
      return;
    case HONE_F16:
      hone_strips_here()->to_f16(from, count, (uint16_t *)data + at);
      return;
    case HONE_BF16:
      for (size_t i = 0; i < count; i++) ((uint16_t *)data)[at + i] = to_bf16(from[i]);
      return;
    default:
      for (size_t i = 0; i < count; i++) hone_store_real(dtype, data, at + i, (double)from[i]);
  }
}

void hone_register_load(hone_dtype dtype, const void *data, size_t at, size_t count, void *to) {
  size_t bytes = hone_register_bytes(dtype);
  if (hone_lies_as_register(dtype))
    memcpy(to, (const char *)data + at * bytes, count * bytes);
  else
    hone_floats_load(dtype, data, at, count, to);
}

void hone_register_store(hone_dtype dtype, const void *from, size_t count, void *data, size_t at) {
  size_t bytes = hone_register_bytes(dtype);
  if (hone_lies_as_register(dtype))
    memcpy((char *)data + at * bytes, from, count * bytes);
  else
    hone_floats_store(dtype, from, count, data, at);
}

/* By sixteens, which vectors store and a register has a whole number of. */
#define FILL(type)                                           \
  {                                                          \
    type value, *lane = to;                                  \
    memcpy(&value, to, sizeof value);                        \
    for (size_t i = 0; i < count; i += 16, lane += 16)       \
      for (int k = 0; k < 16; k++) lane[k] = value;          \
    break;                                                   \
  }
void hone_register_fill(hone_dtype dtype, const void *data, size_t at, size_t count, void *to) {
  hone_register_load(dtype, data, at, 1, to);
  switch (hone_register_bytes(dtype)) {
    case 1:
      FILL(uint8_t)
    case 2:
      FILL(uint16_t)
    case 4:
      FILL(uint32_t)
    default:
      FILL(uint64_t)
  }
}
#undef FILL

/* ---- Choosing ------------------------------------------------------------------------------- */

static int log2_of(size_t bytes) {
  return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
}

static void choose_cast(const hone_typed *typed, hone_formula_step *s) {
  hone_dtype from = hone_register_type(s->from);
  bool narrows = !hone_lies_as_register(s->to);
  s->kind = narrows ? HONE_STEP_NARROW : HONE_STEP_CAST;
  if (!narrows) s->cast = typed->cast[hone_typed_kind_of(from)][hone_typed_kind_of(s->to)];
}

bool hone_formula_step_choose(const hone_op *op, hone_formula_step *s) {
  const hone_typed *typed = hone_typed_here();
  hone_dtype type = hone_register_type(s->from);
  if (op == &hone_op_cast) {
    choose_cast(typed, s);
  } else if (op == &hone_op_select && type != HONE_F32) {
    s->kind = HONE_STEP_SELECT;
    s->select = typed->select[log2_of(hone_register_bytes(type))];
  } else if (op == &hone_op_byte_table) {
    s->kind = HONE_STEP_LOOKUP;
  } else if (type == HONE_F32) {
    s->kind = HONE_STEP_LANE;
    s->lane = hone_lane_of(op);
    return s->lane != HONE_LANES;
  } else {
    hone_typed_row row = hone_typed_row_of(op);
    if (row == HONE_TYPED_ROWS) return false;
    s->kind = HONE_STEP_TYPED;
    s->typed = typed->row[hone_typed_kind_of(type)][row];
  }
  return true;
}

/* ---- Computing ------------------------------------------------------------------------------ */

/* To a narrow float, rounding once, as cast.c states it; the common ways first. */
static void run_narrow(const hone_formula_step *s, const void *from, float *out, size_t count,
                       hone_block *temporary) {
  hone_dtype type = hone_register_type(s->from);
  bool bytes = hone_dtype_bits(s->to) == 8;
  if (s->to == HONE_BF16 && type == HONE_F32) {
    for (size_t i = 0; i < count; i++) out[i] = from_bf16(to_bf16(((const float *)from)[i]));
    return;
  }
  if (s->to == HONE_F16 && type == HONE_F32) {
    uint16_t *halves = (uint16_t *)temporary;
    hone_strips_here()->to_f16(from, count, halves);
    hone_strips_here()->from_f16(halves, count, out);
    return;
  }
  if (bytes || hone_dtype_class_of(type) == HONE_CLASS_FLOAT) {
    hone_load_reals(type, from, 0, count, temporary[1].real);
    hone_cast_adjust(s->to, s->attrs[0] != 0, (char)s->attrs[1], temporary[1].real, count);
    hone_store_reals(s->to, temporary, 0, count, temporary[1].real);
  } else {
    hone_load_ints(type, from, 0, count, temporary[1].integer);
    hone_store_ints(s->to, temporary, 0, count, temporary[1].integer);
    if (s->from == HONE_U64) hone_cast_large(s->to, temporary[1].integer, count, temporary, 0);
  }
  hone_floats_load(s->to, temporary, 0, count, out);
}

void hone_formula_step_run(const hone_formula_step *s, hone_lane_function *const *lanes,
                           void *const *registers, size_t count, hone_block *temporary) {
  const void *x = registers[s->in[0]], *y = registers[s->in[1]], *z = registers[s->in[2]];
  void *out = registers[s->out];
  switch (s->kind) {
    case HONE_STEP_LANE:
      lanes[s->lane](count, x, y, z, (float)s->attrs[0], (float)s->attrs[1], out);
      return;
    case HONE_STEP_TYPED:
      s->typed(count, x, y, z, s->attrs, out);
      return;
    case HONE_STEP_CAST:
      s->cast(count, x, out);
      return;
    case HONE_STEP_NARROW:
      run_narrow(s, x, out, count, temporary);
      return;
    case HONE_STEP_BYTES:
      hone_strips_here()->to_byte(x, count, out);
      return;
    case HONE_STEP_SELECT:
      s->select(count, x, y, z, out);
      return;
    case HONE_STEP_LOOKUP:
      memcpy(out, x, count);
      s->look_up(s->table, out, 0, 1, count);
      return;
  }
}
