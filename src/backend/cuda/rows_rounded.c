/* Transposes of rows that round as they move: a picture in f32, put in the order in which the first
 * layer of 16 bits reads it, costs one kernel. Room: backend/cuda. */
#include "backend/cuda/reads.h"
#include "backend/cuda/rows.h"

/* The last axis stays the last. */
static bool keeps_rows(const hone_node *node) {
  int rank = node->outputs[0]->type.shape.rank;
  const int64_t *perm = hone_move_perm(node);
  int axis;
  return rank > 1 && perm && hone_axis(perm[rank - 1], rank, &axis) && axis == rank - 1;
}

/* Whether the value is one that was rounded from f32, and moved since. */
static bool is_rounded(const hone_value *value) {
  while (value->producer &&
         (hone_is_move(value->producer) || (value->producer->op->facts & HONE_VIEW)))
    value = value->producer->inputs[0].value;
  const hone_node *maker = value->producer;
  return maker && maker->op == &hone_op_cast && maker->inputs[0].value->type.dtype == HONE_F32;
}

static bool accepts_rounded(const hone_node *node) {
  if (node->op != &hone_op_transpose || !hone_cuda_one_float(node)) return false;
  const hone_value *x = node->inputs[0].value;
  return hone_dtype_bits(x->type.dtype) == 16 && keeps_rows(node) && is_rounded(x);
}

static void define_rounded(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[0].value->type.dtype, out);
}

/* The sizes and strides at n[8…] and n[16…], axes of one step as one; how many there are. */
static int put_axes(const hone_strided *in, const hone_shape *y, const int64_t *perm,
                    long long *n) {
  int count = 0;
  for (int d = 0; d < y->rank; d++) {
    int axis = 0;
    (void)hone_axis(perm[d], y->rank, &axis);
    int64_t size = y->dim[d], stride = in->layout.stride[axis];
    if (size == 1) continue;
    bool goes_on = count > 0 && n[16 + count - 1] == size * stride;
    count += !goes_on;
    n[8 + count - 1] = goes_on ? n[8 + count - 1] * size : size;
    n[16 + count - 1] = stride;
  }
  return count;
}

/* Whether every eight elements from a multiple of eight on are neighbours, at such a multiple too.
 */
static bool has_eights(const long long *n) {
  int last = (int)n[1] - 1;
  bool eights = last >= 0 && n[8 + last] % 8 == 0 && n[16 + last] == 1;
  for (int d = 0; d < last; d++) eights = eights && n[16 + d] % 8 == 0;
  return eights;
}

static hone_status *plan_rounded(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_strided *in = &plan->reads[stage - plan->body->stages].in[0];
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  launch->slots[0] = hone_cuda_slot_of(plan, in->base);
  launch->slots[1] = hone_cuda_slot_of(plan, node->outputs[0]);
  n[0] = hone_cuda_count(y);
  n[1] = put_axes(in, y, hone_move_perm(node), n);
  n[2] = in->layout.at;
  n[3] = in->base->type.dtype == HONE_F32;
  n[4] = has_eights(n);
  hone_cuda_launch_elements(launch, (n[0] + 7) / 8);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_transpose_rounded = {
    .name = "transpose_rounded",
    .forms = {{hone_cuda_text_move_rounded}},
    .gathers = true,
    .accepts = accepts_rounded,
    .define = define_rounded,
    .plan = plan_rounded};
