/* Softmax, norms and reductions on the GPU. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"

static void define_types(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[0].value->type.dtype, out);
}

static int axis_of(const hone_node *node, const hone_shape *x) {
  int axis = 0;
  (void)hone_axis(hone_node_int(node, "axis"), x->rank, &axis);
  return axis;
}

/* ---- Softmax --------------------------------------------------------------------------------- */

static bool accepts_softmax(const hone_node *node) {
  return (node->op == &hone_op_softmax || node->op == &hone_op_log_softmax) &&
         hone_cuda_one_float(node);
}

static void define_softmax(const hone_node *node, hone_text *out) {
  define_types(node, out);
  hone_text_printf(out, "#define LOG %d\n", node->op == &hone_op_log_softmax);
}

static hone_status *plan_softmax(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_shape *x = hone_cuda_shape(plan, stage->core->inputs[0].value);
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  int axis = axis_of(stage->core, x);
  int64_t size = x->rank ? x->dim[axis] : 1, count = hone_cuda_count(x);
  launch->args.n[0] = size ? count / size : 0;
  launch->args.n[1] = size;
  launch->args.n[2] = x->rank ? (int64_t)hone_shape_span(x, axis + 1, x->rank) : 1;
  hone_cuda_launch_blocks(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_softmax = {.name = "softmax",
                                                   .forms = {{hone_cuda_text_softmax}},
                                                   .pointers = 1,
                                                   .finishes = true,
                                                   .accepts = accepts_softmax,
                                                   .define = define_softmax,
                                                   .plan = plan_softmax};

/* ---- Norms ----------------------------------------------------------------------------------- */

static bool accepts_norm(const hone_node *node) {
  return (node->op == &hone_op_layer_norm || node->op == &hone_op_rms_norm) &&
         hone_cuda_one_float(node) && !hone_node_out(node, 1) && !hone_node_out(node, 2);
}

void hone_cuda_define_norm(const hone_node *node, hone_text *out) {
  hone_text_printf(out, "#define CENTER %d\n#define EPSILON R(%.17g)\n",
                   node->op == &hone_op_layer_norm, hone_node_real(node, "epsilon"));
}

static void define_norm(const hone_node *node, hone_text *out) {
  define_types(node, out);
  hone_cuda_define_norm(node, out);
}

#define MOST_IN_WARP 1024 /* elements of a row that a warp keeps in registers */
#define ROWS_AT_ONCE 2    /* of a block then */
#define FEW_ROWS     1024 /* up to so many a block takes each, with a thread for eight elements */

static hone_status *plan_norm(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const hone_shape *x = hone_cuda_shape(plan, stage->core->inputs[0].value);
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  int axis = axis_of(stage->core, x);
  launch->args.n[0] = (int64_t)hone_shape_span(x, 0, axis);
  launch->args.n[1] = (int64_t)hone_shape_span(x, axis, x->rank);
  launch->args.n[2] = launch->args.n[1] <= MOST_IN_WARP && launch->args.n[1] % 8 == 0;
  int64_t rows = launch->args.n[2] ? ROWS_AT_ONCE : 1;
  if (launch->args.n[2] && launch->args.n[0] <= FEW_ROWS) {
    launch->args.n[2] = 2;
    launch->threads = (unsigned)((launch->args.n[1] / 8 + 31) / 32 * 32);
    rows = 1;
  } else if (launch->args.n[2]) {
    launch->threads = ROWS_AT_ONCE * 32;
  }
  hone_cuda_launch_blocks(launch, (launch->args.n[0] + rows - 1) / rows);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_norm = {.name = "norm",
                                                .forms = {{hone_cuda_text_norm}},
                                                .pointers = 1,
                                                .finishes = true,
                                                .widely = true,
                                                .scale = 1,
                                                .bias = 2,
                                                .accepts = accepts_norm,
                                                .define = define_norm,
                                                .plan = plan_norm};

/* ---- Reductions ------------------------------------------------------------------------------ */

/* In CUDA: what a sum begins with, what an element gives, how two become one, what the end makes of it.
 * R and T as in the kernel; x and y the two. */
typedef struct reduction {
  const char *kind, *start, *each, *combine, *end;
  bool integers; /* takes them too */
} reduction;

static const reduction reductions[] = {
    {"sum", "R(0)", "x", "x + y", "sum", true},
    {"mean", "R(0)", "x", "x + y", "sum / (R)count", false},
    {"prod", "R(1)", "x", "x * y", "sum", true},
    {"max", "LEAST", "x", "(x > y || x != x ? x : y)", "sum", true},
    {"min", "MOST", "x", "(x < y || x != x ? x : y)", "sum", true},
    {"l1", "R(0)", "fabs(x)", "x + y", "sum", false},
    {"l2", "R(0)", "x * x", "x + y", "sqrt(sum)", false},
    {"sum_square", "R(0)", "x * x", "x + y", "sum", true},
    {"log_sum", "R(0)", "x", "x + y", "log(sum)", false},
    {"log_sum_exp", "R(0)", "exp(x - shift)", "x + y", "log(sum) + shift", false},
};

/* The least and the greatest value of R. */
static void define_limits(hone_dtype dtype, hone_text *out) {
  static const char *const limits[][2] = {[HONE_CLASS_FLOAT] = {"R(-INFINITY)", "R(INFINITY)"},
                                          [HONE_CLASS_SIGNED] = {"R(1ull << 63)", "R(~0ull >> 1)"},
                                          [HONE_CLASS_UNSIGNED] = {"R(0)", "R(~0ull)"}};
  const char *const *of = limits[hone_dtype_class_of(dtype)];
  hone_text_printf(out, "#define LEAST %s\n#define MOST %s\n", of[0], of[1]);
}

static const reduction *reduction_of(const hone_node *node) {
  for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
    if (strcmp(reductions[i].kind, hone_node_text(node, "kind")) == 0) return &reductions[i];
  return NULL;
}

/* Axes come from a constant, or from an input on the host. */
static bool accepts_reduce(const hone_node *node) {
  const hone_value *x = hone_node_in(node, 0), *axes = hone_node_in(node, 1);
  if (node->op == &hone_op_byte_mean) return x->type.shape.rank >= 2;
  if (node->op != &hone_op_reduce || !reduction_of(node)) return false;
  hone_dtype_class class = hone_dtype_class_of(x->type.dtype);
  bool whole = class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED;
  if (!hone_cuda_type(x->type.dtype)) return false;
  if (class != HONE_CLASS_FLOAT && !(whole && reduction_of(node)->integers)) return false;
  if (axes && !axes->constant && axes->producer) return false;
  return x->type.shape.rank >= 0 && node->outputs[0] && node->outputs[0]->type.shape.rank >= 0;
}

/* Sums of bytes are exact as doubles, so that only the quotient is rounded. */
static void define_reduce(const hone_node *node, hone_text *out) {
  bool bytes = node->op == &hone_op_byte_mean;
  const reduction *row = bytes ? &reductions[1] : reduction_of(node);
  if (bytes) hone_text_printf(out, "typedef %s T;\ntypedef double R;\n",
                              hone_cuda_type(node->inputs[0].value->type.dtype));
  else define_types(node, out);
  define_limits(node->inputs[0].value->type.dtype, out);
  hone_text_printf(out,
                   "#define START %s\n#define EACH %s\n#define COMBINE %s\n#define END %s\n"
                   "#define SHIFTED %d\n",
                   row->start, row->each, row->combine, row->end,
                   strstr(row->each, "shift") != NULL);
}

static hone_status *reduced_axes(const hone_cuda_plan *plan, const hone_node *node, int rank,
                                 unsigned *out) {
  const hone_value *axes = hone_node_in(node, 1);
  int64_t list[HONE_MAX_RANK];
  size_t count = 0;
  *out = ((1u << (rank - 1)) - 1) & ~1u; /* all between the first and the last */
  if (node->op == &hone_op_byte_mean) return NULL;
  *out = 0;
  if (axes && !hone_cuda_ints(plan, axes, list, HONE_MAX_RANK, &count))
    return hone_error(HONE_UNSUPPORTED, "the axes are not known");
  if (count == 0 && hone_node_flag(node, "empty_is_all")) *out = (1u << rank) - 1;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!hone_axis(list[i], rank, &axis)) return hone_error(HONE_UNSUPPORTED, "an axis is outside");
    *out |= 1u << axis;
  }
  return NULL;
}

static hone_status *plan_reduce(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_shape *x = hone_cuda_shape(plan, stage->core->inputs[0].value);
  int64_t strides[HONE_MAX_RANK];
  hone_cuda_launch *launch;
  unsigned gone;
  (void)view;
  HONE_TRY(reduced_axes(plan, stage->core, x->rank, &gone));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  hone_shape_strides(x, strides);
  n[0] = n[1] = 1;
  for (int d = 0; d < x->rank; d++) {
    int is_gone = gone >> d & 1;
    bool goes_on = d > 0 && (int)(gone >> (d - 1) & 1) == is_gone; /* one axis with the one before */
    int to = (is_gone ? 24 : 8) + (int)(goes_on ? n[2 + is_gone] - 1 : n[2 + is_gone]++);
    n[to] = goes_on ? n[to] * x->dim[d] : x->dim[d];
    n[to + 8] = strides[d];
    n[is_gone] *= x->dim[d];
  }
  if (x->rank > 0 && !(gone >> (x->rank - 1) & 1) && x->dim[x->rank - 1] >= 32)
    n[4] = x->dim[x->rank - 1] % 8 == 0 ? 2 : 1;
  hone_cuda_launch_blocks(launch, n[4] ? (n[0] + 32 * n[4] - 1) / (32 * n[4]) : n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_reduce = {.name = "reduce",
                                                  .forms = {{hone_cuda_text_reduce}},
                                                  .pointers = 1,
                                                  .finishes = true,
                                                  .widely = true,
                                                  .accepts = accepts_reduce,
                                                  .define = define_reduce,
                                                  .plan = plan_reduce};
