/* Ops whose elements are each one of another tensor's, or a fill, on the GPU. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "ops/scatter.h"

enum { X, Y = 4, FAULT, ROOM };

/* An op: its function of kernels/source.cu, the input that holds indices (0: none but x itself may),
 * and the numbers of a launch. */
typedef struct source {
  const hone_op *op;
  const char *function; /* NULL: the mode's name */
  int indices;
  hone_status *(*put)(const hone_cuda_plan *plan, const hone_node *node, hone_cuda_launch *launch);
} source;

static const hone_shape *in_shape(const hone_cuda_plan *plan, const hone_node *node, int index) {
  return hone_cuda_shape(plan, node->inputs[index].value);
}

static int axis_of(const hone_node *node, const char *name, int rank) {
  int axis = 0;
  (void)hone_axis(hone_node_int(node, name), rank, &axis);
  return axis;
}

static void put_dims(const hone_shape *shape, long long *n) {
  for (int d = 0; d < shape->rank; d++) n[d] = shape->dim[d];
}

static void put_strides(const hone_shape *shape, long long *n) {
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(shape, strides);
  for (int d = 0; d < shape->rank; d++) n[d] = strides[d];
}

/* ---- Repeats and fills ----------------------------------------------------------------------- */

static hone_status *put_tile(const hone_cuda_plan *plan, const hone_node *node,
                             hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X);
  launch->args.n[1] = x->rank;
  put_dims(hone_cuda_shape(plan, node->outputs[0]), launch->args.n + 8);
  put_dims(x, launch->args.n + 24);
  put_strides(x, launch->args.n + 32);
  return NULL;
}

static hone_status *put_pad(const hone_cuda_plan *plan, const hone_node *node,
                            hone_cuda_launch *launch) {
  enum { PADS = 1, AXES = 3 };
  int64_t pads[2 * HONE_MAX_RANK], axes[HONE_MAX_RANK];
  size_t count, axis_count = 0;
  int rank = in_shape(plan, node, X)->rank;
  const hone_value *given = hone_node_in(node, AXES);
  if (!hone_cuda_ints(plan, node->inputs[PADS].value, pads, 2 * HONE_MAX_RANK, &count) ||
      (given && !hone_cuda_ints(plan, given, axes, HONE_MAX_RANK, &axis_count)) ||
      count != 2 * (given ? axis_count : (size_t)rank))
    return hone_error(HONE_UNSUPPORTED, "the pads are not known");
  for (size_t i = 0; i < count / 2; i++) {
    int axis;
    if (!hone_axis(given ? axes[i] : (int64_t)i, rank, &axis))
      return hone_error(HONE_UNSUPPORTED, "an axis is outside");
    launch->args.n[16 + axis] = pads[i];
  }
  return put_tile(plan, node, launch);
}

static hone_status *put_trilu(const hone_cuda_plan *plan, const hone_node *node,
                              hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X);
  launch->args.n[1] = x->dim[x->rank - 2];
  launch->args.n[2] = x->dim[x->rank - 1];
  launch->args.n[3] = hone_node_flag(node, "upper");
  return NULL;
}

static hone_status *put_one_hot(const hone_cuda_plan *plan, const hone_node *node,
                                hone_cuda_launch *launch) {
  enum { VALUES = 2 };
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  int axis = axis_of(node, "axis", y->rank);
  if (hone_cuda_count(in_shape(plan, node, VALUES)) != 2)
    return hone_error(HONE_UNSUPPORTED, "the values are not two: off and on");
  launch->args.n[1] = y->dim[axis];
  launch->args.n[2] = (int64_t)hone_shape_span(y, axis + 1, y->rank);
  return NULL;
}

static hone_status *put_bytes(const hone_cuda_plan *plan, const hone_node *node,
                              hone_cuda_launch *launch) {
  size_t bytes = 0;
  const hone_value *x = node->inputs[X].value, *y = node->outputs[0];
  unsigned bits = hone_dtype_bits(x->type.dtype), other = hone_dtype_bits(y->type.dtype);
  (void)hone_shape_bytes(in_shape(plan, node, X), x->type.dtype, &bytes);
  launch->args.n[0] = (int64_t)(bytes / ((bits < other ? bits : other) / 8));
  return NULL;
}

/* ---- Places that data gives ------------------------------------------------------------------ */

static hone_status *put_gather_elements(const hone_cuda_plan *plan, const hone_node *node,
                                        hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X);
  launch->args.n[1] = x->rank;
  launch->args.n[2] = axis_of(node, "axis", x->rank);
  launch->args.n[3] = x->dim[launch->args.n[2]];
  put_dims(hone_cuda_shape(plan, node->outputs[0]), launch->args.n + 8);
  put_strides(x, launch->args.n + 16);
  return NULL;
}

static hone_status *put_gather_nd(const hone_cuda_plan *plan, const hone_node *node,
                                  hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X), *at = in_shape(plan, node, 1);
  int batch = (int)hone_node_int(node, "batch_dims"), last = at->rank - 1;
  int depth = (int)at->dim[last];
  launch->args.n[1] = (int64_t)hone_shape_span(x, batch + depth, x->rank);
  launch->args.n[2] = depth;
  launch->args.n[3] = (int64_t)hone_shape_span(at, batch, last);
  launch->args.n[4] = (int64_t)hone_shape_span(x, batch, x->rank);
  for (int d = 0; d < depth; d++) launch->args.n[8 + d] = x->dim[batch + d];
  return NULL;
}

static hone_status *put_reverse(const hone_cuda_plan *plan, const hone_node *node,
                                hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X);
  int time = axis_of(node, "time_axis", x->rank), batch = axis_of(node, "batch_axis", x->rank);
  launch->args.n[1] = x->dim[time];
  launch->args.n[2] = (int64_t)hone_shape_span(x, time + 1, x->rank);
  launch->args.n[3] = x->dim[batch];
  launch->args.n[4] = (int64_t)hone_shape_span(x, batch + 1, x->rank);
  return NULL;
}

static hone_status *put_tensor_scatter(const hone_cuda_plan *plan, const hone_node *node,
                                       hone_cuda_launch *launch) {
  const hone_shape *x = in_shape(plan, node, X), *update = in_shape(plan, node, 1);
  const hone_value *starts = hone_node_in(node, 2);
  int axis = axis_of(node, "axis", x->rank);
  bool circular = hone_node_text(node, "mode")[0] == 'c';
  if (starts && hone_cuda_count(hone_cuda_shape(plan, starts)) < x->dim[0])
    return hone_error(HONE_INVALID_ARGUMENT, "fewer starts than batch entries");
  launch->args.n[1] = (int64_t)hone_shape_span(x, axis + 1, x->rank);
  launch->args.n[2] = x->dim[axis];
  launch->args.n[3] = update->dim[axis];
  launch->args.n[4] = (int64_t)hone_shape_span(x, 1, axis);
  launch->args.n[5] = hone_tensor_scatter_starts(circular, x->dim[axis], update->dim[axis]);
  return NULL;
}

/* ---- The row --------------------------------------------------------------------------------- */

static const source sources[] = {
    {&hone_op_pad, NULL, 0, put_pad},
    {&hone_op_tile, "wrap", 0, put_tile},
    {&hone_op_trilu, "trilu", 1, put_trilu},
    {&hone_op_one_hot, "one_hot", 0, put_one_hot},
    {&hone_op_bitcast, "copy", 0, put_bytes},
    {&hone_op_complex_join, "copy", 0, put_bytes},
    {&hone_op_complex_parts, "copy", 0, put_bytes},
    {&hone_op_gather_elements, "gather_elements", 1, put_gather_elements},
    {&hone_op_gather_nd, "gather_nd", 1, put_gather_nd},
    {&hone_op_reverse_sequence, "reverse_sequence", 1, put_reverse},
    {&hone_op_tensor_scatter, "tensor_scatter", 2, put_tensor_scatter},
};

static const source *source_of(const hone_node *node) {
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    if (sources[i].op == node->op) return &sources[i];
  return NULL;
}

/* The input that holds indices; NULL: none. */
static const hone_value *indices_of(const hone_node *node) {
  return hone_node_in(node, source_of(node)->indices);
}

static bool are_integers(const hone_value *value) {
  hone_dtype_class class = hone_dtype_class_of(value->type.dtype);
  return (class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED) &&
         hone_cuda_type(value->type.dtype);
}

static bool accepts(const hone_node *node) {
  const source *s = source_of(node);
  const hone_value *x = hone_node_in(node, X), *y = hone_node_out(node, 0);
  if (!s || !x || !y || !hone_cuda_width(y->type.dtype)) return false;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value && node->inputs[i].value->type.shape.rank < 0) return false;
  const hone_value *indices = s->indices || s->op == &hone_op_one_hot ? indices_of(node) : NULL;
  return hone_cuda_width(x->type.dtype) && (!indices || are_integers(indices));
}

static void define(const hone_node *node, hone_text *out) {
  const source *s = source_of(node);
  const hone_value *x = node->inputs[X].value, *y = node->outputs[0], *indices = indices_of(node);
  bool narrower = hone_dtype_bits(x->type.dtype) < hone_dtype_bits(y->type.dtype);
  bool copies = s->put == put_bytes;
  hone_text_printf(out, "typedef %s T;\ntypedef %s I;\n#define SOURCE %s\n#define FAULT %d\n",
                   hone_cuda_width(copies && narrower ? x->type.dtype : y->type.dtype),
                   indices && are_integers(indices) ? hone_cuda_type(indices->type.dtype) : "s64",
                   s->function ? s->function : hone_node_text(node, "mode"), FAULT);
}

static hone_status *plan_source(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  for (int i = 0; i < node->input_count; i++)
    if (hone_op_shaped_by(node->op, i)) launch->slots[i] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  launch->slots[Y] = hone_cuda_slot_of(plan, node->outputs[0]);
  hone_cuda_may_fault(plan, launch, node, FAULT);
  launch->args.n[0] = hone_cuda_count(hone_cuda_shape(plan, node->outputs[0]));
  HONE_TRY(source_of(node)->put(plan, node, launch));
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_source = {
    .name = "source",
    .forms = {{hone_cuda_text_source, .before = hone_cuda_text_places}},
    .pointers = ROOM,
    .accepts = accepts,
    .define = define,
    .plan = plan_source};
