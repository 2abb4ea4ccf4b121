/* What is done to sums of integers before they are stored. Room: backend/cpu/products.
 *
 * A short program on vectors of floats, which takes the sums from the registers' worth of a tile to
 * the bytes of the next layer: scale, bias, rounding to one quantisation and scaling to the next,
 * what is added from elsewhere. Every step rounds once, as its node does, so that the bits are the
 * graph's whatever the instruction set.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_INTEGER_FINISH_H
#define HONE_BACKEND_CPU_PRODUCTS_INTEGER_FINISH_H

#include "backend/cpu/lines/lookup.h"
#include "backend/cpu/simd/isa.h"
#include "backend/cpu/kernel.h"
#include "ir/type.h"

typedef enum hone_integer_step_kind {
  HONE_INTEGER_MUL_ROW, /* by the operand: one number a column, or one for all */
  HONE_INTEGER_ADD_ROW,
  HONE_INTEGER_MUL,     /* by a */
  HONE_INTEGER_ADD,     /* of a */
  HONE_INTEGER_DIV,     /* by a */
  HONE_INTEGER_ROUND,   /* half to even */
  HONE_INTEGER_CLIP,    /* to a..b */
  HONE_INTEGER_ADD_LIKE /* of (operand - a) * b, a tensor of the output's shape: bytes or floats */
} hone_integer_step_kind;

typedef struct hone_integer_step {
  hone_integer_step_kind kind;
  float a, b;
  int operand;      /* index into io->in */
  bool single;      /* a row of one number for all columns */
  hone_dtype dtype; /* of ADD_LIKE's operand: u8, s8 or f32 */
} hone_integer_step;

enum { HONE_INTEGER_STEPS = 14 };

/* What programs are made of as a rule, in this order, each at most once: these stay in registers from
 * the sums to the bytes. */
typedef enum hone_integer_slot {
  HONE_SLOT_SCALE, /* MUL_ROW or MUL */
  HONE_SLOT_BIAS,  /* ADD_ROW or ADD */
  HONE_SLOT_ROUND,
  HONE_SLOT_CLIP,
  HONE_SLOT_BACK, /* MUL */
  HONE_SLOT_LIKE,
  HONE_SLOT_NEXT,  /* MUL or DIV */
  HONE_SLOT_LIMIT, /* CLIP */
  HONE_SLOTS
} hone_integer_slot;

typedef struct hone_integer_finish {
  hone_integer_step steps[HONE_INTEGER_STEPS];
  int count;
  hone_dtype out; /* s32: the sums as they are; f32; u8, s8: rounded half to even and saturated */
  int zero;       /* of bytes: added after rounding */
  bool looks_up;  /* bytes stored become entries of the table */
  hone_lookup_function *lookup; /* which does so; set at plan */
  uint8_t table[HONE_BYTE_TABLE];
  size_t columns; /* from row to row of what ADD_LIKE reads */
  bool slotted;   /* the program is made of slots; hone_integer_slots sets both */
  int8_t slot[HONE_SLOTS]; /* the step there, -1: none */
} hone_integer_finish;

/* Puts the steps into slots, if they are such a program. */
void hone_integer_slots(hone_integer_finish *finish);

/* A block of sums: element [0][0] is (row, column) of the whole output, and `out` is where that is
 * stored. Rows of sums are readable up to whole vectors. */
typedef struct hone_integer_block {
  const int32_t *sums;
  size_t sums_stride, rows, columns, row, column;
  void *out;
  ptrdiff_t out_stride; /* elements */
} hone_integer_block;

typedef void hone_integer_finish_function(const hone_integer_finish *finish,
                                          const hone_kernel_io *io,
                                          const hone_integer_block *block);

#endif
