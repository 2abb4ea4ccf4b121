/* The rows of kernels.def: one way of the CPU backend to run a body. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_ROWS_H
#define HONE_BACKEND_CPU_ROWS_H

#include "backend/backend.h"
#include "backend/cpu/finish.h"

typedef struct hone_cpu_row hone_cpu_row;

/* What a family of rows shares. */
typedef struct hone_cpu_family {
  bool (*accepts)(const hone_cpu_row *row, const hone_graph *body);
  /* Packs, and leaves in prepared->state what plan needs; prepared->kernel, body and backend are
   * set. Packs go through hone_cpu_pack, so that saved ones serve again. NULL: nothing to do. */
  hone_status *(*prepare)(const hone_cpu_row *row, hone_arena *arena, hone_prepared *prepared);
  hone_status *(*plan)(const hone_cpu_row *row, const hone_prepared *prepared,
                       const hone_group_view *view, hone_arena *arena, hone_step *out);
} hone_cpu_family;

struct hone_cpu_row {
  const char *name; /* unique */
  uint32_t isa;     /* HONE_ISA bits */
  const hone_cpu_family *family;
  int number;       /* the family's own: which tile, which algorithm */
};

/* The families' files define one each. */
#define CPU_ROW(name, isa, family, number) extern const hone_cpu_family hone_cpu_##family;
#include "backend/cpu/kernels.def"
#undef CPU_ROW

/* Gives the next pack of `size` bytes. A saved one (prepare was given those of an engine file) is
 * used as it is and `fresh` is NULL; else memory from `arena` to fill. CORRUPT when the saved one
 * has another size. */
HONE_MUST_USE hone_status *hone_cpu_pack(hone_prepared *prepared, hone_arena *arena, size_t size,
                                         void **fresh, const void **pack);

/* From a kernel's plan to a step. `work`: operations, roughly; little work stays on one part. */
void hone_cpu_step(const hone_kernel_plan *plan, double work, int threads, hone_step *out);

/* What is done to the core's result: bias, residual, activation, and a chain for the rest. */
typedef struct hone_body_finish {
  const hone_value *bias;      /* a constant of one element a column, or NULL */
  int residual;                /* input of the body, or -1 */
  hone_activation activation;
  const hone_value *chain_start; /* the value that a chain goes on from, or NULL */
  const hone_value *result;    /* what the kernel stores: the body's output */
} hone_body_finish;

/* Reads what follows `core`, whose result has `columns` columns; `bias` is the core's own or NULL.
 * False when no finish can do it. */
bool hone_body_finish_of(const hone_graph *body, const hone_node *core, const hone_value *bias,
                         hone_body_finish *out);
/* Makes it concrete. Constants are copied by prepare (hone_body_finish_keep). */
typedef struct hone_kept_finish {
  hone_body_finish is;
  const float *bias;
  struct hone_chain *chain;    /* NULL where chain_start is */
} hone_kept_finish;
HONE_MUST_USE hone_status *hone_body_finish_keep(const hone_graph *body, const hone_body_finish *is,
                                                 hone_arena *arena, hone_kept_finish *out);
/* UNSUPPORTED when an operand of the chain has no pattern at these shapes. */
HONE_MUST_USE hone_status *hone_body_finish_plan(const hone_kept_finish *kept,
                                                 const hone_type *types, hone_arena *arena,
                                                 hone_finish *out);

#endif
