/* Scattered updates on the GPU. Of equal places the last update stays, as on the CPU: a launch finds
 * it before another puts it. What is combined comes in any order, which shows in sums and products of
 * floats alone: their last bits may differ from run to run. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"

enum { X, INDICES, UPDATES, Y, LAST, FAULT, ROOM };
enum { BEGIN, FIND, PUT }; /* forms */

/* In CUDA: what x and an update y become. */
typedef struct reduction {
  const char *kind, *combine;
} reduction;

static const reduction reductions[] = {
    {"add", "x + y"},
    {"mul", "x * y"},
    {"max", "x != x || x > y ? x : y"},
    {"min", "x != x || x < y ? x : y"},
};

static const reduction *reduction_of(const hone_node *node) {
  for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
    if (strcmp(reductions[i].kind, hone_node_text(node, "reduction")) == 0) return &reductions[i];
  return NULL;
}

/* Elements that two threads may change at once are exchanged whole: 16 bits at least. */
static bool accepts(const hone_node *node) {
  if (node->op != &hone_op_scatter_elements && node->op != &hone_op_scatter_nd) return false;
  hone_dtype dtype = node->inputs[X].value->type.dtype, index = node->inputs[INDICES].value->type.dtype;
  for (int i = X; i <= UPDATES; i++)
    if (node->inputs[i].value->type.shape.rank < 0) return false;
  if (!node->outputs[0] || (index != HONE_S32 && index != HONE_S64)) return false;
  if (!reduction_of(node)) return hone_cuda_width(dtype);
  return hone_cuda_type(dtype) && hone_dtype_bits(dtype) >= 16;
}

static void define(const hone_node *node, hone_text *out) {
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  const reduction *kind = reduction_of(node);
  if (kind) {
    hone_cuda_define_types(dtype, out);
    hone_text_printf(out, "#define COMBINE %s\n", kind->combine);
  } else {
    hone_text_printf(out, "typedef %s T;\n", hone_cuda_width(dtype));
  }
  hone_text_printf(out,
                   "typedef %s I;\n#define FAULT %d\n#define TAKES_LAST %d\n#define ADDS %d\n"
                   "#define BY_ELEMENT %d\n",
                   hone_cuda_type(node->inputs[INDICES].value->type.dtype), FAULT, !kind,
                   kind && strcmp(kind->kind, "add") == 0, node->op == &hone_op_scatter_elements);
}

static void put_places(const hone_cuda_plan *plan, const hone_node *node, long long *n) {
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *at = hone_cuda_shape(plan, node->inputs[INDICES].value);
  bool by_element = node->op == &hone_op_scatter_elements;
  int64_t strides[HONE_MAX_RANK];
  int axis = 0, depth = by_element ? x->rank : (int)at->dim[at->rank - 1];
  hone_shape_strides(x, strides);
  n[0] = hone_cuda_count(x);
  n[1] = (int64_t)hone_shape_span(x, 0, depth);
  n[2] = (int64_t)hone_shape_span(at, 0, at->rank - !by_element);
  n[3] = (int64_t)hone_shape_span(x, depth, x->rank);
  n[4] = depth;
  if (by_element) (void)hone_axis(hone_node_int(node, "axis"), x->rank, &axis);
  n[5] = axis;
  for (int d = 0; by_element && d < x->rank; d++) n[8 + d] = at->dim[d];
  for (int d = 0; d < x->rank; d++) n[16 + d] = x->dim[d], n[24 + d] = strides[d];
}

static hone_status *add_launch(const hone_cuda_stage *stage, hone_cuda_plan *plan, int form,
                               hone_cuda_slot last) {
  hone_cuda_launch *launch;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  launch->function = stage->functions[form];
  launch->slots[Y] = hone_cuda_slot_of(plan, stage->core->outputs[0]);
  launch->slots[LAST] = last;
  hone_cuda_may_fault(plan, launch, stage->core, FAULT);
  put_places(plan, stage->core, n);
  hone_cuda_launch_elements(launch, form == FIND  ? n[2]
                                    : form == PUT ? n[2] * n[3]
                                    : n[0] > n[1] ? n[0]
                                                  : n[1]);
  return n[2] < INT32_MAX ? NULL : hone_error(HONE_UNSUPPORTED, "2^31 updates and more");
}

static hone_status *plan_scatter(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  bool takes_last = !reduction_of(stage->core);
  long long n[HONE_CUDA_NUMBERS];
  hone_cuda_slot last = {.from = HONE_CUDA_NOTHING};
  size_t bytes;
  (void)view;
  put_places(plan, stage->core, n);
  if (!hone_mul((size_t)n[1], sizeof(int32_t), &bytes))
    return hone_error(HONE_LIMIT, "the places of a scatter overflow");
  if (takes_last) HONE_TRY(hone_cuda_scratch(plan, bytes, &last));
  HONE_TRY(add_launch(stage, plan, BEGIN, last));
  if (takes_last) HONE_TRY(add_launch(stage, plan, FIND, last));
  return add_launch(stage, plan, PUT, last);
}

#define FORM(phase) \
  {hone_cuda_text_scatter, "#define PHASE " #phase "\n", .before = hone_cuda_text_places}
const hone_cuda_kernel hone_cuda_kernel_scatter = {.name = "scatter",
                                                   .forms = {FORM(0), FORM(1), FORM(2)},
                                                   .pointers = ROOM,
                                                   .accepts = accepts,
                                                   .define = define,
                                                   .plan = plan_scatter};
