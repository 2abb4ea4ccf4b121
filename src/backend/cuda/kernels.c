/* The table of kernels. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"

static const hone_cuda_kernel *const rows[] = {
#define ROW(name) &hone_cuda_kernel_##name,
#include "backend/cuda/kernels.def"
#undef ROW
};

const hone_cuda_kernel *const *hone_cuda_kernels(size_t *count) {
  *count = sizeof rows / sizeof *rows;
  return rows;
}

bool hone_cuda_kernel_takes(const hone_cuda_kernel *kernel, const hone_node *node, int sm) {
  return kernel->accepts && kernel->least_sm <= sm && (!kernel->last_sm || sm <= kernel->last_sm) &&
         kernel->accepts(node);
}

const hone_cuda_kernel *hone_cuda_kernel_for(const hone_node *node, int sm) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!rows[i]->only_chosen && hone_cuda_kernel_takes(rows[i], node, sm)) return rows[i];
  return NULL;
}

const hone_cuda_kernel *hone_cuda_kernel_named(const char *candidate) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i]->candidate && strcmp(rows[i]->candidate, candidate) == 0) return rows[i];
  return NULL;
}

bool hone_cuda_one_float(const hone_node *node) {
  const hone_type *first = &node->inputs[0].value->type;
  if (hone_dtype_class_of(first->dtype) != HONE_CLASS_FLOAT || !hone_cuda_type(first->dtype))
    return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && (in->type.dtype != first->dtype || in->type.shape.rank < 0)) return false;
  }
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *out = node->outputs[i];
    if (out && (out->type.dtype != first->dtype || out->type.shape.rank < 0)) return false;
  }
  return node->outputs[0] != NULL;
}

void hone_cuda_define_types(hone_dtype dtype, hone_text *out) {
  hone_text_printf(out, "typedef %s T;\ntypedef Element<T>::R R;\n", hone_cuda_type(dtype));
}

const char *hone_cuda_width(hone_dtype dtype) {
  static const char *const names[] = {"u8", "u16", "u32", "u64"};
  for (int i = 0; i < 4; i++)
    if ((int)hone_dtype_bits(dtype) == 8 << i && dtype != HONE_STR) return names[i];
  return NULL;
}

void hone_cuda_may_fault(hone_cuda_plan *plan, hone_cuda_launch *launch, const hone_node *node,
                         int pointer) {
  launch->slots[pointer] = (hone_cuda_slot){.from = HONE_CUDA_FAULT};
  launch->node = node;
  plan->may_fault = true;
}

#define ENOUGH (1 << 18) /* elements: threads for each of them fill a GPU */

/* ---- Pointwise chains ------------------------------------------------------------------------ */

static hone_status *plan_pointwise(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  int64_t count = launch->args.n[0] = hone_cuda_count(hone_cuda_shape(plan, stage->shape));
  hone_cuda_launch_elements(launch, count < ENOUGH ? count : count / 8);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_pointwise = {
    .name = "pointwise", .forms = {{hone_cuda_text_pointwise}}, .finishes = true,
    .widely = true, .plan = plan_pointwise};
