/* What only moves elements, on the GPU. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"
#include "ops/slice.h"

static bool has_width(const hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->type.shape.rank < 0 ||
                             !hone_cuda_width(node->outputs[i]->type.dtype)))
      return false;
  return node->inputs[0].value->type.shape.rank >= 0 &&
         hone_cuda_width(node->inputs[0].value->type.dtype);
}

static bool accepts_transpose(const hone_node *node) {
  return node->op == &hone_op_transpose && has_width(node);
}
static bool accepts_expand(const hone_node *node) {
  return node->op == &hone_op_expand && has_width(node);
}
static bool accepts_concat(const hone_node *node) {
  for (int i = 0; node->op == &hone_op_concat && i < node->input_count; i++)
    if (!node->inputs[i].value || node->inputs[i].value->type.shape.rank < 0) return false;
  return node->op == &hone_op_concat && has_width(node);
}
static bool accepts_split(const hone_node *node) {
  for (int i = 0; node->op == &hone_op_split && i < node->output_count; i++)
    if (!node->outputs[i]) return false;
  return node->op == &hone_op_split && has_width(node);
}

/* The bounds are constants or inputs of the group's on the host. */
static bool accepts_slice(const hone_node *node) {
  if (node->op != &hone_op_slice || !has_width(node)) return false;
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i].value && !node->inputs[i].value->constant && node->inputs[i].value->producer)
      return false;
  return true;
}

static void define_width(const hone_node *node, hone_text *out) {
  hone_text_printf(out, "typedef %s T;\n", hone_cuda_width(node->inputs[0].value->type.dtype));
}

#define MANY (1 << 18) /* elements: with eight a thread they fill a GPU */

/* A move of `box` elements from `in` to `out`, both with strides. */
static hone_status *launch_move(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                const hone_value *in, const hone_value *out, const hone_shape *box,
                                hone_cuda_launch **made) {
  hone_cuda_launch *launch;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->slots[0] = hone_cuda_slot_of(plan, in);
  launch->slots[1] = hone_cuda_slot_of(plan, out);
  launch->args.n[0] = hone_cuda_count(box);
  launch->args.n[1] = box->rank;
  for (int d = 0; d < box->rank; d++) launch->args.n[8 + d] = box->dim[d];
  launch->args.n[4] = launch->args.n[0] >= MANY;
  hone_cuda_launch_elements(launch, launch->args.n[0] / (launch->args.n[4] ? 8 : 1));
  *made = launch;
  return NULL;
}

/* The row-major strides of `shape` at n[at…]. */
static void put_strides(hone_cuda_launch *launch, int at, const hone_shape *shape) {
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(shape, strides);
  for (int d = 0; d < shape->rank; d++) launch->args.n[at + d] = strides[d];
}

#define MOST_PLANES 4

/* Few planes that become channels: at n[5…7] how many, how long and of how many images. The strides of
 * what is read stand at n[16…]. */
static void put_planes(hone_cuda_launch *launch, const hone_shape *y) {
  long long *n = launch->args.n;
  int last = y->rank - 1, first = last;
  if (last < 1 || y->dim[last] < 2 || y->dim[last] > MOST_PLANES) return;
  int64_t plane = n[16 + last], length = 1;
  while (first > 0 && n[16 + first - 1] == length && length < plane) length *= y->dim[--first];
  if (length != plane || plane % 8 || first == last) return;
  int64_t images = 1;
  for (int d = first - 1; d >= 0; images *= y->dim[d--])
    if (y->dim[d] != 1 && n[16 + d] != images * plane * y->dim[last]) return;
  n[5] = y->dim[last];
  n[6] = plane;
  n[7] = images;
  hone_cuda_launch_elements(launch, n[0] / (8 * n[5]));
}

static hone_status *plan_transpose(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  int64_t strides[HONE_MAX_RANK];
  hone_cuda_launch *launch;
  size_t count;
  (void)view;
  const int64_t *perm = hone_node_ints(node, "perm", &count);
  HONE_TRY(launch_move(stage, plan, node->inputs[0].value, node->outputs[0], y, &launch));
  put_strides(launch, 24, y);
  hone_shape_strides(x, strides);
  for (int d = 0; d < x->rank; d++) {
    int axis = x->rank - 1 - d;
    if (count) (void)hone_axis(perm[d], x->rank, &axis);
    launch->args.n[16 + d] = strides[axis];
  }
  if (launch->args.n[0] > 0) put_planes(launch, y);
  return NULL;
}

static hone_status *plan_expand(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  int64_t strides[HONE_MAX_RANK];
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(launch_move(stage, plan, node->inputs[0].value, node->outputs[0], y, &launch));
  put_strides(launch, 24, y);
  hone_shape_strides(x, strides);
  for (int d = 0; d < x->rank; d++)
    launch->args.n[16 + y->rank - x->rank + d] = x->dim[d] == 1 ? 0 : strides[d];
  return NULL;
}

/* The elements of a host input or a constant that planning knows. */
static hone_status *known_input(const hone_cuda_plan *plan, const hone_value *value,
                                const hone_datum **out) {
  *out = NULL;
  if (value && value->constant) {
    hone_datum *datum = HONE_NEW(plan->arena, hone_datum);
    HONE_TRY_MEMORY(datum);
    *datum = hone_value_datum(value);
    *out = datum;
  } else if (value && !value->producer) {
    *out = plan->view->known[value->index];
  }
  return NULL;
}

static hone_status *plan_slice(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  int64_t begin[HONE_MAX_RANK], step[HONE_MAX_RANK], strides[HONE_MAX_RANK];
  const hone_datum *known[5] = {0};
  hone_cuda_launch *launch;
  (void)view;
  for (int i = 1; i < node->input_count; i++)
    HONE_TRY(known_input(plan, node->inputs[i].value, &known[i]));
  if (!hone_slice_begin(node, x, known, begin, step))
    return hone_error(HONE_UNSUPPORTED, "the bounds of a slice are not known");
  HONE_TRY(launch_move(stage, plan, node->inputs[0].value, node->outputs[0], y, &launch));
  put_strides(launch, 24, y);
  hone_shape_strides(x, strides);
  for (int d = 0; d < x->rank; d++) {
    launch->args.n[16 + d] = strides[d] * step[d];
    if (launch->args.n[0]) launch->args.n[2] += begin[d] * strides[d];
  }
  return NULL;
}

/* One move for each part of `whole` along the axis, into it or out of it. */
static hone_status *plan_parts(const hone_cuda_stage *stage, hone_cuda_plan *plan, int parts,
                               bool joins) {
  const hone_node *node = stage->core;
  const hone_value *whole = joins ? node->outputs[0] : node->inputs[0].value;
  const hone_shape *all = hone_cuda_shape(plan, whole);
  int64_t strides[HONE_MAX_RANK], at = 0;
  int axis = 0;
  (void)hone_axis(hone_node_int(node, "axis"), all->rank, &axis);
  hone_shape_strides(all, strides);
  for (int i = 0; i < parts; i++) {
    const hone_value *part = joins ? node->inputs[i].value : node->outputs[i];
    const hone_shape *box = hone_cuda_shape(plan, part);
    hone_cuda_launch *launch;
    bool there = joins && !part->constant && !part->producer && part->index < 64 &&
                 (plan->view->in_place >> part->index & 1);
    if (hone_cuda_count(box) && !there) {
      HONE_TRY(launch_move(stage, plan, joins ? part : whole, joins ? whole : part, box, &launch));
      put_strides(launch, joins ? 16 : 24, box);
      put_strides(launch, joins ? 24 : 16, all);
      launch->args.n[joins ? 3 : 2] = at * strides[axis];
    }
    at += box->dim[axis];
  }
  return NULL;
}

static hone_status *plan_concat(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  (void)view;
  return plan_parts(stage, plan, stage->core->input_count, true);
}
static hone_status *plan_split(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  (void)view;
  return plan_parts(stage, plan, stage->core->output_count, false);
}

#define MOVE(op)                                                                    \
  const hone_cuda_kernel hone_cuda_kernel_##op = {.name = #op,                      \
                                                  .forms = {{hone_cuda_text_move}},      \
                                                  .accepts = accepts_##op,          \
                                                  .define = define_width,           \
                                                  .plan = plan_##op}
MOVE(transpose);
MOVE(expand);
MOVE(slice);
MOVE(concat);
MOVE(split);

/* ---- Gather ---------------------------------------------------------------------------------- */

enum { GATHERED = 4, FAULT, GATHER_ROOM }; /* pointers, after the node's inputs */

static bool accepts_gather(const hone_node *node) {
  const hone_value *indices = hone_node_in(node, 1);
  return node->op == &hone_op_gather && has_width(node) && indices->type.shape.rank >= 0 &&
         (indices->type.dtype == HONE_S32 || indices->type.dtype == HONE_S64);
}

static void define_gather(const hone_node *node, hone_text *out) {
  define_width(node, out);
  hone_text_printf(out, "typedef %s I;\n#define FAULT %d\n",
                   hone_cuda_type(node->inputs[1].value->type.dtype), FAULT);
}

static hone_status *plan_gather(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  hone_cuda_launch *launch;
  int axis = 0;
  (void)view;
  (void)hone_axis(hone_node_int(node, "axis"), x->rank, &axis);
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->slots[GATHERED] = hone_cuda_slot_of(plan, node->outputs[0]);
  hone_cuda_may_fault(plan, launch, node, FAULT);
  launch->args.n[0] = hone_cuda_count(hone_cuda_shape(plan, node->outputs[0]));
  launch->args.n[1] = (int64_t)hone_shape_span(x, axis + 1, x->rank);
  launch->args.n[2] = hone_cuda_count(hone_cuda_shape(plan, node->inputs[1].value));
  launch->args.n[3] = x->dim[axis];
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_gather = {
    .name = "gather",
    .forms = {{hone_cuda_text_gather, .before = hone_cuda_text_places}},
    .pointers = GATHER_ROOM,
    .accepts = accepts_gather,
    .define = define_gather,
    .plan = plan_gather};
