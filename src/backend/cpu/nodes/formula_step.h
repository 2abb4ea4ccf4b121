/* The inside of a formula: steps and registers. Room: backend/cpu/nodes. */
#ifndef HONE_BACKEND_CPU_NODES_FORMULA_STEP_H
#define HONE_BACKEND_CPU_NODES_FORMULA_STEP_H

#include "backend/cpu/formula.h"
#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/lookup.h"
#include "ops/pointwise.h"

#define HONE_FORMULA_REGISTERS 64 /* as many as a mask has bits */

/* What a register is made of. */
typedef enum hone_width { HONE_WIDTH_FLOAT, HONE_WIDTH_DOUBLE, HONE_WIDTH_WHOLE } hone_width;

static inline bool hone_is_integer(hone_dtype dtype) {
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  return klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED;
}

static inline hone_width hone_width_of(hone_dtype dtype) {
  if (dtype == HONE_F64) return HONE_WIDTH_DOUBLE;
  return hone_is_integer(dtype) && hone_dtype_bits(dtype) > 16 ? HONE_WIDTH_WHOLE
                                                               : HONE_WIDTH_FLOAT;
}

/* Whether elements lie in memory as in registers. */
static inline bool hone_lies_as_register(hone_dtype dtype) {
  return dtype == HONE_F32 || dtype == HONE_F64 || dtype == HONE_S64 || dtype == HONE_U64;
}

typedef enum hone_step_kind {
  HONE_STEP_LANE, /* a vector form over floats */
  HONE_STEP_LOOP, /* the reference's loop over wide blocks */
  HONE_STEP_CAST,
  HONE_STEP_SELECT, /* of wide values; floats have a vector form */
  HONE_STEP_LOOKUP  /* of bytes */
} hone_step_kind;

struct hone_formula_step {
  hone_step_kind kind;
  hone_lane lane;
  hone_block_loop *loop;
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
/* A register of the type filled with a number. */
void hone_register_set(hone_width width, double value, void *to);

/* Computes the step on `count` elements; `temporary` are four blocks. */
void hone_formula_step_run(const hone_formula_step *step, hone_lane_function *const *lanes,
                           void *const *registers, size_t count, hone_block *temporary);

/* Makes one step of those that follow each other, where there is one for both. */
void hone_formula_pair_steps(hone_formula *formula);

#endif
