/* Kernels of single nodes: a row of kernels.def each. Room: backend/cpu/nodes.
 *
 * A row says which nodes it computes (accepts, at build), what it wants packed (pack_size, pack, at
 * build) and how it runs at known sizes (plan). Its phases see the node's own inputs and outputs in
 * io->in and io->out, constants included; absent ones are NULL, also the first HONE_NODE_LEAST that
 * the node does not have at all.
 */
#ifndef HONE_BACKEND_CPU_NODES_NODE_H
#define HONE_BACKEND_CPU_NODES_NODE_H

#include "backend/backend.h"
#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/integer_finish.h"
#include "backend/layout.h"

#define HONE_NODE_INPUTS  64
#define HONE_NODE_OUTPUTS 16
#define HONE_NODE_LEAST   8
/* Operands from this one on are always dense. */
#define HONE_NODE_STRIDED 3

typedef struct hone_node_view {
  const hone_node *node;
  const hone_type *in[HONE_NODE_INPUTS], *out[HONE_NODE_OUTPUTS]; /* NULL where absent; known */
  const hone_datum *known[HONE_NODE_INPUTS]; /* elements of constants and of host values, or NULL */
  const void *constant[HONE_NODE_INPUTS];    /* where constants lie at run, or NULL */
  const hone_layout *in_layout[HONE_NODE_STRIDED],
      *out_layout;                    /* NULL: dense; else as `strided`
                                         agreed to; `at` is in the address */
  const void *packed;                 /* what pack wrote, 64-byte aligned; or NULL */
  const hone_finish *finish;          /* for rows that finish: what to do to output 0 */
  const hone_integer_finish *integer; /* for rows that finish integers */
  int gate;                           /* of io->in: what scales x's channels; 0: nothing */
  size_t gate_pictures;               /* that it has numbers for: all, or 1 */
  uint64_t in_place;                  /* of a concat: inputs that lie in the output already */
  int threads;                        /* most parts */
} hone_node_view;

#define HONE_STRIDED_OUTPUT (-1)

typedef struct hone_node_plan {
  hone_kernel_plan kernel;
  double work; /* nanoseconds on one thread, guessed: how many parts it is worth */
} hone_node_plan;

typedef struct hone_cpu_kernel hone_cpu_kernel;

typedef struct hone_node_functions {
  bool (*accepts)(const hone_cpu_kernel *kernel, const hone_node *node);
  /* Whether the numbers hold on this node's weights; NULL: always. Asked where candidates are
   * offered, not where a chosen kernel is prepared: it may read all weights. */
  bool (*holds)(const hone_cpu_kernel *kernel, const hone_node *node);
  hone_status *(*plan)(const hone_cpu_kernel *kernel, const hone_node_view *view, hone_arena *arena,
                       hone_node_plan *out);
  /* For rows with packs, else NULL: the bytes (0: too large), the packing, and which inputs (bits)
   * are not read any more at run. */
  size_t (*pack_size)(const hone_cpu_kernel *kernel, const hone_node *node);
  hone_status *(*pack)(const hone_cpu_kernel *kernel, const hone_node *node, void *to);
  /* Where sizes depend on weights, or packs hold places: the bytes of one that came out of a file, of
   * which `room` are readable, without a look at the weights; 0 where it would lead a run out of
   * it. NULL: pack_size says all. */
  size_t (*saved_size)(const hone_cpu_kernel *kernel, const hone_node *node, const void *pack,
                       size_t room);
  uint32_t packed_inputs;
  bool finishes;          /* takes a hone_finish for its only output, f32 */
  bool stores_bf16;       /* rounds that output itself, and takes a residual of bf16 */
  bool finishes_integers; /* takes a hone_integer_finish for its only output, sums in s32 */
  bool pitches;           /* writes rows of output 0 at any pitch: out_layout says where */
  uint32_t row_inputs;    /* inputs, by bit, whose rows may be at any pitch: `strided` agrees */
  /* Whether an operand (HONE_STRIDED_OUTPUT: output 0) of this shape may lie so; steps are not
   * negative. NULL: operands are dense. */
  bool (*strided)(const hone_cpu_kernel *kernel, const hone_node *node, int operand,
                  const hone_shape *shape, const hone_layout *layout);
  /* Whether x may be scaled by gates of ops/gate.h, which the view then says; NULL: never. */
  bool (*gates)(const hone_cpu_kernel *kernel, const hone_node *node);
  /* Nanoseconds at typical sizes (unknown dimensions count 1), to rank rows before timing; NULL:
   * rows of the op in table order. */
  double (*estimate)(const hone_cpu_kernel *kernel, const hone_node *node);
} hone_node_functions;

struct hone_cpu_kernel {
  const char *name;      /* algorithm_isa; unique */
  const char *algorithm; /* of the rows that differ in isa only, the best that runs is offered */
  const hone_op *op;
  uint32_t isa;
  const hone_node_functions *functions;
};

extern const hone_cpu_kernel hone_cpu_kernels[];
extern const size_t hone_cpu_kernel_count;

/* The row of the table that follows `after` (NULL: the first) and computes `node` here. */
const hone_cpu_kernel *hone_cpu_kernel_next(const hone_node *node, const hone_cpu_kernel *after);

/* Lower precision shows in the graph as casts around a node: x32 -> cast -> node in bf16 -> cast ->
 * f32. A kernel reads x32 and gives f32 itself; a depthwise convolution in f32 reads x16 behind a
 * cast; and kernels pack weights that are cast from half floats because they are too large to fold.
 * The input as it is read: */
const hone_value *hone_node_operand(const hone_node *node, int index);
/* Whether all that the node computes with comes from f32 or is constant, and goes to f32. */
bool hone_node_is_lowered(const hone_node *node);
/* Whether what the node computes in bf16 is cast to f32, and no more: it need not be rounded. */
bool hone_node_is_widened(const hone_node *node);

/* One phase without scratch, the most common plan. */
static inline hone_kernel_plan hone_one_phase(hone_kernel_phase *phase, const void *args) {
  return (hone_kernel_plan){.phases = {phase}, .phase_count = 1, .args = args};
}

/* The elements of a constant as aligned floats; a copy in `arena` where the graph's bytes are not.
 */
hone_status *hone_constant_floats(const hone_value *constant, hone_arena *arena, const float **out);
/* Known at plan: all integers of input `index`, at most `room`; false when absent. */
bool hone_view_ints(const hone_node_view *view, int index, int64_t *out, size_t room,
                    size_t *count);
/* A slice of a tensor that lies as `layout` says, as a layout; false when its starts are not known.
 */
bool hone_slice_layout(const hone_node_view *view, hone_layout *layout);

#endif
