/* Vector forms of the pointwise ops over doubles, integers and bools, and of casts between types as
 * they lie in memory. Room: backend/cpu/lines.
 *
 * They are the expressions of ops/pointwise.def themselves, in loops that the compiler makes
 * vectors of. f32 has forms of its own, lanes.def. */
#ifndef HONE_BACKEND_CPU_LINES_TYPED_H
#define HONE_BACKEND_CPU_LINES_TYPED_H

#include "backend/cpu/simd/isa.h"
#include "ir/dtype.h"
#include "ops/ops.h"

/* X(name, element type) of the types that pointwise.def is compiled for. */
#define HONE_TYPED_KINDS(X) \
  X(F64, double)            \
  X(S64, int64_t)           \
  X(S32, int32_t)           \
  X(S16, int16_t)           \
  X(S8, int8_t)             \
  X(U64, uint64_t)          \
  X(U32, uint32_t)          \
  X(U16, uint16_t)          \
  X(U8, uint8_t)            \
  X(BOOL, uint8_t)

typedef enum hone_typed_kind {
#define HONE_TYPED_KIND(name, type) HONE_TYPED_##name,
  HONE_TYPED_KINDS(HONE_TYPED_KIND)
#undef HONE_TYPED_KIND
      HONE_TYPED_F32, /* of casts only */
  HONE_TYPED_COUNT
} hone_typed_kind;

/* Rows of pointwise.def, in its order. */
typedef enum hone_typed_row {
#define POINTWISE(name, inputs, classes, facts, result, attributes, real, integer, natural) \
  HONE_TYPED_ROW_##name,
#include "ops/pointwise.def"
#undef POINTWISE
  HONE_TYPED_ROWS
} hone_typed_row;

/* `out` overlaps no operand; unused operands may be any. */
typedef void hone_typed_function(size_t count, const void *x, const void *y, const void *z,
                                 const double *attrs, void *out);
/* As ops/cast.c has it: floats to integers saturate at 64 bits and wrap from there. */
typedef void hone_typed_cast(size_t count, const void *x, void *out);
/* out[i] = holds[i] ? x[i] : y[i] */
typedef void hone_typed_select(size_t count, const uint8_t *holds, const void *x, const void *y,
                               void *out);

typedef struct hone_typed {
  hone_typed_function *row[HONE_TYPED_F32][HONE_TYPED_ROWS];
  hone_typed_cast *cast[HONE_TYPED_COUNT][HONE_TYPED_COUNT]; /* from, to */
  hone_typed_select *select[4];                              /* of 1, 2, 4, 8 bytes */
} hone_typed;

extern const hone_typed hone_typed_plain;
#if defined(__x86_64__)
extern const hone_typed hone_typed_avx2;
#endif

/* The fastest set that runs here. */
const hone_typed *hone_typed_here(void);
/* The kind of a type that lies so in memory; HONE_TYPED_COUNT for narrow floats and all other. */
hone_typed_kind hone_typed_kind_of(hone_dtype dtype);
/* HONE_TYPED_ROWS for an op that is no row. */
hone_typed_row hone_typed_row_of(const hone_op *op);

#endif
