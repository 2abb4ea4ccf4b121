/* What goes along lines on the GPU: where extremes are, running sums, norms of vectors.
 * Room: backend/cuda. */
#include "backend/cuda/rows.h"

enum { X, Y, ROOM }; /* pointers */

#define MANY_LINES 16384 /* a thread takes each of so many */
#define SHORT_LINE 32    /* and each of up to so many elements */

/* Lines, their elements, the step between them, whether a thread takes one. */
static void put_lines(const hone_shape *x, int axis, hone_cuda_launch *launch) {
  long long *n = launch->args.n;
  int64_t count = hone_cuda_count(x);
  n[1] = x->rank ? x->dim[axis] : 1;
  n[0] = n[1] ? count / n[1] : 0;
  n[2] = x->rank ? (int64_t)hone_shape_span(x, axis + 1, x->rank) : 1;
  n[3] = n[0] >= MANY_LINES || n[1] <= SHORT_LINE;
  if (n[3]) hone_cuda_launch_elements(launch, n[0]);
  else hone_cuda_launch_blocks(launch, n[0]);
}

static hone_status *launch_lines(const hone_cuda_stage *stage, hone_cuda_plan *plan, int64_t axis,
                                 hone_cuda_launch **out) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  int place = 0;
  if (x->rank && !hone_axis(axis, x->rank, &place))
    return hone_error(HONE_UNSUPPORTED, "the axis is outside of %d dimensions", x->rank);
  HONE_TRY(hone_cuda_launch_new(plan, stage, out));
  if (!stage->kernel->finishes) (*out)->slots[Y] = hone_cuda_slot_of(plan, node->outputs[0]);
  put_lines(x, place, *out);
  return NULL;
}

static hone_status *plan_by_attribute(const hone_cuda_stage *stage, const hone_group_view *view,
                                      hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  return launch_lines(stage, plan, hone_node_int(stage->core, "axis"), &launch);
}

/* ---- Where extremes are ---------------------------------------------------------------------- */

static bool accepts_arg(const hone_node *node) {
  if (node->op != &hone_op_arg_reduce || !node->outputs[0]) return false;
  const hone_type *x = &node->inputs[X].value->type;
  return x->shape.rank >= 0 && hone_cuda_type(x->dtype) && x->dtype != HONE_BOOL;
}

static void define_arg(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "#define MOST %d\n#define LAST %d\n",
                   hone_node_text(node, "kind")[1] == 'a', hone_node_flag(node, "last"));
}

const hone_cuda_kernel hone_cuda_kernel_arg = {.name = "arg",
                                               .forms = {{hone_cuda_text_arg}},
                                               .pointers = ROOM,
                                               .accepts = accepts_arg,
                                               .define = define_arg,
                                               .plan = plan_by_attribute};

/* ---- Running sums ---------------------------------------------------------------------------- */

static bool accepts_scan(const hone_node *node) {
  if (node->op != &hone_op_cumsum || !node->outputs[0]) return false;
  const hone_type *x = &node->inputs[X].value->type;
  return x->shape.rank >= 0 && hone_cuda_type(x->dtype) && x->dtype != HONE_BOOL &&
         hone_value_is_constant(hone_node_in(node, 1));
}

static void define_scan(const hone_node *node, hone_text *out) {
  bool product = hone_node_text(node, "kind")[0] == 'p';
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "#define START R(%d)\n#define COMBINE %s\n#define EXCLUSIVE %d\n", product,
                   product ? "x * y" : "x + y", hone_node_flag(node, "exclusive"));
  hone_text_printf(out, "#define REVERSE %d\n", hone_node_flag(node, "reverse"));
}

static hone_status *plan_scan(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  int64_t axis;
  size_t count;
  (void)view;
  if (!hone_cuda_ints(plan, stage->core->inputs[1].value, &axis, 1, &count) || count != 1)
    return hone_error(HONE_UNSUPPORTED, "the axis is not known");
  return launch_lines(stage, plan, axis, &launch);
}

const hone_cuda_kernel hone_cuda_kernel_scan = {.name = "scan",
                                                .forms = {{hone_cuda_text_scan}},
                                                .pointers = ROOM,
                                                .accepts = accepts_scan,
                                                .define = define_scan,
                                                .plan = plan_scan};

/* ---- Norms of vectors ------------------------------------------------------------------------ */

static bool accepts_lp_norm(const hone_node *node) {
  return node->op == &hone_op_lp_norm && hone_cuda_one_float(node);
}

static void define_lp_norm(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "#define SQUARES %d\n#define FLOOR R(%.17g)\n#define EPSILON R(%.17g)\n",
                   hone_node_int(node, "p") == 2, hone_node_real(node, "floor"),
                   hone_node_real(node, "epsilon"));
}

static hone_status *plan_lp_norm(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(launch_lines(stage, plan, hone_node_int(stage->core, "axis"), &launch));
  hone_cuda_launch_blocks(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_lp_norm = {.name = "lp_norm",
                                                   .forms = {{hone_cuda_text_lp_norm}},
                                                   .pointers = 1,
                                                   .finishes = true,
                                                   .accepts = accepts_lp_norm,
                                                   .define = define_lp_norm,
                                                   .plan = plan_lp_norm};
