/* A group's body as stages: formulas of pointwise nodes, and kernels of single nodes.
 * Room: backend/cpu.
 *
 * Between stages values lie in scratch; what a body's outputs are lies in place. The pointwise tail
 * of a kernel that finishes its results (matrix multiplication, convolution) becomes its bias,
 * residual, activation and tile program, and no stage of its own.
 */
#ifndef HONE_BACKEND_CPU_BODY_H
#define HONE_BACKEND_CPU_BODY_H

#include "backend/cpu/formula.h"
#include "backend/cpu/nodes/integer_tail.h"
#include "backend/cpu/nodes/node.h"

#define HONE_BODY_STAGES 12

typedef struct hone_body_stage {
  const hone_node *node; /* of a kernel; NULL for a formula */
  const hone_cpu_kernel *kernel;
  hone_formula *formula; /* a formula's own, or a kernel's tile program; or NULL */
  int own;               /* the tile program's stream that is the tile */
  /* A kernel's finish, as far as registers do it. */
  const hone_value *bias, *residual;
  const hone_value *scaled, *gate; /* what the kernel reads as x, and by what it scales that; or NULL */
  hone_activation activation;
  hone_integer_tail *tail;  /* the same of a kernel of sums of integers; or NULL */
  const hone_value *result; /* what the stage writes as output 0 after its tail */
  size_t pack_at;           /* of the kernel's pack in the body's */
} hone_body_stage;

/* A constant that kernels read at run, and where it lies in the body's pack. */
typedef struct hone_body_constant {
  const hone_value *value;
  size_t at;
} hone_body_constant;

typedef struct hone_body {
  const hone_graph *graph;
  hone_body_stage stages[HONE_BODY_STAGES];
  int stage_count;
  hone_body_constant *constants;
  int constant_count;
  size_t pack_size;
} hone_body;

/* The node that a body's candidates differ in: its heavy one, else the first that is neither
 * pointwise nor a view; NULL when there is none. */
const hone_node *hone_body_core(const hone_graph *graph);
/* Whether stages can be made of the body at all. */
bool hone_body_accepts(const hone_graph *graph);
/* Makes the stages, the core on `kernel`, every other node on its first row. `saved`: the body's pack,
 * where it comes out of a file, which then says how large its parts are; else no bytes. */
hone_status *hone_body_make(const hone_graph *graph, const hone_cpu_kernel *kernel, hone_bytes saved,
                            hone_arena *arena, hone_body **out);
/* Fills the pack, pack_size bytes. */
hone_status *hone_body_pack(const hone_body *body, void *to);
hone_status *hone_body_plan(const hone_body *body, const void *pack, const hone_group_view *view,
                            hone_arena *arena, hone_step *out);
/* Whether output 0 may have its rows at a pitch. */
bool hone_body_pitches(const hone_body *body);
/* Whether input `input` may, since a single kernel reads it and takes that. */
bool hone_body_reads_pitched(const hone_body *body, int input);
/* The value whose memory this is: itself, or what it is a view of. */
const hone_value *hone_body_root(const hone_value *value);

#endif
