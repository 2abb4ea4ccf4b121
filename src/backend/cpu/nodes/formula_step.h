/* The inside of a formula: steps and registers. Room: backend/cpu/nodes. */
#ifndef HONE_BACKEND_CPU_NODES_FORMULA_STEP_H
#define HONE_BACKEND_CPU_NODES_FORMULA_STEP_H

#include "backend/cpu/formula.h"
#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/lookup.h"
#include "backend/cpu/lines/typed.h"
#include "ops/pointwise.h"

#define HONE_FORMULA_REGISTERS 64 /* as many as a mask has bits */

/* What a register holds elements of a type as: f32 for it and narrower floats, else the type. */
static inline hone_dtype hone_register_type(hone_dtype dtype) {
  bool narrow = hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT && dtype != HONE_F64;
  return narrow ? HONE_F32 : dtype;
}

static inline size_t hone_register_bytes(hone_dtype dtype) {
  return hone_dtype_bits(hone_register_type(dtype)) / 8;
}

/* Whether elements lie in memory as in registers. */
static inline bool hone_lies_as_register(hone_dtype dtype) {
  return hone_register_type(dtype) == dtype;
}

typedef enum hone_step_kind {
  HONE_STEP_LANE,   /* a vector form over floats */
  HONE_STEP_TYPED,  /* one over another type */
  HONE_STEP_CAST,   /* between types that registers hold as they are */
  HONE_STEP_NARROW, /* a cast to a narrow float */
  HONE_STEP_BYTES,  /* a cast of floats that are within the range of a byte */
  HONE_STEP_SELECT, /* of anything but floats */
  HONE_STEP_LOOKUP  /* of bytes */
} hone_step_kind;

struct hone_formula_step {
  hone_step_kind kind;
  hone_lane lane;
  hone_typed_function *typed;
  hone_typed_cast *cast;
  hone_typed_select *select;
  hone_dtype from, to; /* of the operands that are computed with, and of the result */
  int in[3], out;      /* registers */
  double attrs[2];     /* of a cast: whether it saturates, the letter of its rounding */
  const uint8_t *table;          /* of a lookup */
  hone_lookup_function *look_up; /* which does it here */
};

/* Elements [at, at + count) of `data` into a register, and back. Both know every type that
 * formulas take. */
void hone_register_load(hone_dtype dtype, const void *data, size_t at, size_t count, void *to);
void hone_register_store(hone_dtype dtype, const void *from, size_t count, void *data, size_t at);
/* That element `count` times, rounded up to sixteens. */
void hone_register_fill(hone_dtype dtype, const void *data, size_t at, size_t count, void *to);
/* Elements of narrow floats, f32 and integers of up to 16 bits as floats, and back. */
void hone_floats_load(hone_dtype dtype, const void *data, size_t at, size_t count, float *to);
void hone_floats_store(hone_dtype dtype, const float *from, size_t count, void *data, size_t at);

/* Whether there is a step for the op on such operands; fills in how. `s` knows its types. */
bool hone_formula_step_choose(const hone_op *op, hone_formula_step *s);
/* Computes the step on `count` elements; `temporary` are two blocks. */
void hone_formula_step_run(const hone_formula_step *step, hone_lane_function *const *lanes,
                           void *const *registers, size_t count, hone_block *temporary);

/* Makes one step of those that follow each other, where there is one for both. */
void hone_formula_pair_steps(hone_formula *formula);

#endif
