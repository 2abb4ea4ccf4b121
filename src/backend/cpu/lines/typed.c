/* Choosing the vector forms over doubles and integers. Room: backend/cpu/lines. */
#include "backend/cpu/lines/typed.h"

const hone_typed *hone_typed_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_typed_avx2;
#endif
  return &hone_typed_plain;
}

hone_typed_kind hone_typed_kind_of(hone_dtype dtype) {
  switch (dtype) {
#define KIND(name, type) \
  case HONE_##name:      \
    return HONE_TYPED_##name;
    HONE_TYPED_KINDS(KIND)
    KIND(F32, float)
#undef KIND
    default:
      return HONE_TYPED_COUNT;
  }
}

hone_typed_row hone_typed_row_of(const hone_op *op) {
  static const hone_op *const ops[] = {
#define POINTWISE(name, inputs, classes, facts, result, attributes, real, integer, natural) \
  &hone_op_##name,
#include "ops/pointwise.def"
#undef POINTWISE
  };
  int row = 0;
  while (row < HONE_TYPED_ROWS && ops[row] != op) row++;
  return (hone_typed_row)row;
}
