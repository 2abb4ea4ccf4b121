/* The first elements of lines in order, on the GPU. Room: backend/cuda. */
#include "backend/cuda/rows.h"

enum { ROOM = 3 }; /* pointers: x, values, positions */

static bool accepts(const hone_node *node) {
  if (node->op != &hone_op_topk) return false;
  const hone_type *x = &node->inputs[0].value->type;
  return x->shape.rank >= 1 && hone_cuda_type(x->dtype) && x->dtype != HONE_BOOL;
}

static void define(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[0].value->type.dtype, out);
  hone_text_printf(out, "#define LARGEST %d\n", hone_node_flag(node, "largest"));
}

static hone_status *plan(const hone_cuda_stage *stage, const hone_group_view *view,
                         hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  int64_t axis = hone_node_int(node, "axis");
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  if (axis < 0) axis += x->rank;
  launch->slots[1] = launch->slots[2] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  long long *n = launch->args.n;
  n[1] = x->dim[axis];
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    launch->slots[1 + i] = hone_cuda_slot_of(plan, node->outputs[i]);
    n[2] = hone_cuda_shape(plan, node->outputs[i])->dim[axis]; /* either's */
  }
  n[3] = (int64_t)hone_shape_span(x, (int)axis + 1, x->rank);
  n[0] = (int64_t)hone_shape_span(x, 0, (int)axis) * n[3];
  hone_cuda_launch_blocks(launch, n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_topk = {.name = "topk",
                                                .forms = {{hone_cuda_text_topk}},
                                                .pointers = ROOM,
                                                .accepts = accepts,
                                                .define = define,
                                                .plan = plan};
