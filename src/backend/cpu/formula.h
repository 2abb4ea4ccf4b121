/* Formulas: pointwise nodes computed together, block by block in the first-level cache.
 * Room: backend/cpu.
 *
 * A formula is compiled once from nodes of a body (hone_formula_make), bound to shapes at plan time
 * (hone_formula_plan, hone_formula_tile_plan), and run either over a whole output or on the tile
 * that a matrix kernel has just stored. Registers hold HONE_BLOCK elements as they lie in memory,
 * narrow floats as f32, which are rounded where they are stored or cast, not between. What lies
 * as a register holds it is read and written in place.
 */
#ifndef HONE_BACKEND_CPU_FORMULA_H
#define HONE_BACKEND_CPU_FORMULA_H

#include "backend/backend.h"
#include "backend/cpu/products/finish.h"

/* A formula of so many nodes stays within the other limits: each brings at most two streams. */
#define HONE_FORMULA_NODES   20
#define HONE_FORMULA_STREAMS 44
#define HONE_FORMULA_RESULTS 8

typedef struct hone_formula_step hone_formula_step;

typedef struct hone_formula {
  hone_formula_step *steps;
  int step_count;
  const hone_value *streams[HONE_FORMULA_STREAMS]; /* what comes from outside, constants too */
  int stream_register[HONE_FORMULA_STREAMS];
  int stream_count;
  const hone_value *results[HONE_FORMULA_RESULTS];
  int result_register[HONE_FORMULA_RESULTS];
  int result_count;
  int register_count;
  const uint64_t *fills; /* by register: the element of one that holds a constant */
  uint64_t filled;     /* which registers those are */
  size_t widest;       /* bytes of an element in any register */
  double cost;         /* nanoseconds an element, guessed */
} hone_formula;

/* Whether a formula can hold the node: pointwise, of element types that it knows. */
bool hone_formula_accepts(const hone_node *node);
/* Compiles `nodes`, which are in topological order. Their shapes must be the same at run, but for
 * what comes from outside, which broadcasts to it. UNSUPPORTED beyond the limits. */
hone_status *hone_formula_make(const hone_node *const *nodes, int count,
                               const hone_value *const *results, int result_count,
                               hone_arena *arena, hone_formula **out);

/* Over the whole shape: io->in are the streams in order, io->out the results. `types` by value id.
 */
hone_status *hone_formula_plan(const hone_formula *formula, const hone_type *types,
                               hone_arena *arena, hone_kernel_plan *out);

/* On tiles: stream `own` is the tile itself, whose only result replaces it; the other streams are
 * io->in[first_in + i]. `shape` is the whole output's, its last axis being the tile's columns.
 * `scratch_at` is where its scratch begins in io->scratch, hone_formula_scratch bytes a part. */
hone_status *hone_formula_tile_plan(const hone_formula *formula, const hone_type *types,
                                    const hone_shape *shape, int own, int first_in,
                                    size_t scratch_at, hone_arena *arena, const void **state);
hone_tile_program hone_formula_tile;
size_t hone_formula_scratch(const hone_formula *formula); /* a multiple of 64 */

#endif
