/* Pointwise work on f32, op by op over blocks that stay in L1. Room: backend/cpu.
 *
 * A chain is compiled from pointwise nodes of a body. It runs on rows: `columns` elements that lie
 * together in every operand, or are one element repeated. Operands are read in place, the results
 * written in place; what lies between are blocks of HONE_CHAIN_BLOCK floats. Truth values are 1 and
 * 0. An element's bits depend on its operands only.
 */
#ifndef HONE_BACKEND_CPU_CHAIN_H
#define HONE_BACKEND_CPU_CHAIN_H

#include "backend/backend.h"
#include "backend/cpu/finish.h"

#define HONE_CHAIN_BLOCK     512
#define HONE_CHAIN_REGISTERS 24
#define HONE_CHAIN_STEPS     48
#define HONE_CHAIN_OPERANDS  16

/* out[i] = op(x[i], y[i], z[i]), i < count; out may be any of the operands. a, b: attributes. */
typedef void hone_chain_op(const float *x, const float *y, const float *z, float *out,
                           size_t count, float a, float b);

/* The ops there are: X(name). Each is chain_<name> in the set of an instruction set. */
#define HONE_CHAIN_OPS(X)                                                                          \
  X(add) X(sub) X(mul) X(div) X(min) X(max) X(neg) X(abs) X(sqrt) X(rsqrt) X(reciprocal) X(exp)    \
  X(log) X(erf) X(tanh) X(sigmoid) X(relu) X(silu) X(swish) X(gelu) X(gelu_tanh) X(hard_sigmoid)   \
  X(hard_swish) X(leaky_relu) X(elu) X(prelu) X(clip) X(clip_constant) X(select) X(less)           \
  X(less_equal) X(greater) X(greater_equal) X(equal) X(not_equal) X(not) X(and) X(or) X(xor)       \
  X(floor) X(ceil) X(round) X(trunc) X(sign) X(softplus) X(mish) X(pow) X(square) X(sin) X(cos)    \
  X(copy) X(truth) X(celu) X(selu) X(softsign) X(thresholded_relu) X(mod)

typedef enum hone_chain_code {
#define HONE_CHAIN_ENUMERATOR(name) HONE_CHAIN_##name,
  HONE_CHAIN_OPS(HONE_CHAIN_ENUMERATOR)
#undef HONE_CHAIN_ENUMERATOR
  HONE_CHAIN_CODES
} hone_chain_code;

typedef hone_chain_op *const hone_chain_set[HONE_CHAIN_CODES];
extern hone_chain_set hone_chain_plain;
#if defined(__x86_64__)
extern hone_chain_set hone_chain_avx2, hone_chain_avx512;
#endif
/* The fastest set that runs here. */
hone_chain_op *const *hone_chain_set_here(void);

typedef struct hone_chain_step {
  hone_chain_code code;
  uint8_t out, x, y, z; /* slots */
  float a, b;
} hone_chain_step;

/* Something from outside the chain. */
typedef struct hone_chain_operand {
  const hone_value *value; /* of the body */
  int input;               /* index into the body's inputs, or -1: a constant, copied to `floats` */
  const float *floats;
  hone_dtype dtype;
  uint8_t slot;
} hone_chain_operand;

typedef struct hone_chain {
  hone_chain_step steps[HONE_CHAIN_STEPS];
  int step_count;
  hone_chain_operand operands[HONE_CHAIN_OPERANDS];
  int operand_count;
  uint8_t results[HONE_CHAIN_OPERANDS]; /* the slot of each output of the body */
  hone_dtype result_types[HONE_CHAIN_OPERANDS];
  int result_count;
  int slot_count;
} hone_chain;

/* Compiles all nodes of the body that follow `start` (a value that is given in slot 0), or all of
 * them if it is NULL. Constants are copied into `arena`. False when an op, a type or a size is
 * beyond a chain; that is no error. With `arena` NULL only the answer is wanted. */
bool hone_chain_compile(const hone_graph *body, const hone_value *start, hone_arena *arena,
                        hone_chain *out);

/* How an operand's rows lie: its row r is at ((r / period) % count) * stride, and within a row it
 * advances by `step` (0 or 1) an element. */
typedef struct hone_chain_rows {
  size_t period, count, stride;
  int step;
} hone_chain_rows;

/* The pattern of `shape` broadcast to `to`, whose rows are its last `inner` dims together. False
 * when there is none. */
bool hone_chain_pattern(const hone_shape *shape, const hone_shape *to, int inner,
                        hone_chain_rows *out);

/* A chain at known sizes, as the tile program of a heavy kernel (rows are all but the last dim of
 * the output). */
typedef struct hone_chain_tail {
  hone_chain chain;
  hone_chain_rows rows[HONE_CHAIN_OPERANDS];
  hone_chain_op *const *set;
} hone_chain_tail;
hone_tile_program hone_chain_tile;
/* Prepares the tail for an output of this shape; false when an operand has no pattern. */
bool hone_chain_tail_plan(const hone_chain *chain, const hone_type *types, const hone_shape *out,
                          hone_chain_tail *tail);

/* Runs one row of `count` elements whose operands' pointers and steps are in `data` and `step` (by
 * operand); slot 0 is `start` (may be NULL), results go to `out` (by result). */
void hone_chain_row(const hone_chain *chain, hone_chain_op *const *set, const float *start,
                    const void *const *data, const int *step, void *const *out, size_t count);

#endif
