/* Norms of channels on the GPU: over groups of them, and over those around each. Room: backend/cuda. */
#include "backend/cuda/rows.h"

/* ---- group_norm, instance_norm --------------------------------------------------------------- */

enum { X, SCALE, BIAS, MOMENTS, GROUPS, Y, ROOM }; /* pointers */
enum { TAKE, JOIN, NORMALISE };                    /* forms */
enum { LANES = 32, BLOCKS = 1024, LEAST = 256, MOST = 64 };

static bool accepts_groups(const hone_node *node) {
  return (node->op == &hone_op_group_norm || node->op == &hone_op_instance_norm) &&
         hone_cuda_one_float(node);
}

static void define_groups(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "#define EPSILON R(%.17g)\n", hone_node_real(node, "epsilon"));
}

typedef struct layer {
  int64_t count, entries, outer, channels, inner, of_group, units, pieces;
  hone_cuda_slot moments, groups;
} layer;

static hone_status *measure(const hone_cuda_stage *stage, hone_cuda_plan *plan, layer *l) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  size_t number = node->inputs[X].value->type.dtype == HONE_F64 ? sizeof(double) : sizeof(float);
  size_t moments, groups;
  int axis = 0;
  (void)hone_axis(hone_node_int(node, "axis"), x->rank, &axis);
  *l = (layer){.count = hone_cuda_count(x), .entries = x->dim[0], .channels = x->dim[axis]};
  if (l->count == 0) return hone_error(HONE_UNSUPPORTED, "nothing to normalise");
  l->outer = (int64_t)hone_shape_span(x, 1, axis);
  l->inner = (int64_t)hone_shape_span(x, axis + 1, x->rank);
  l->of_group = node->op == &hone_op_group_norm ? l->channels / hone_node_int(node, "groups") : 1;
  l->units = l->entries * (l->inner == 1 ? (l->channels + LANES - 1) / LANES : l->channels);
  l->pieces = BLOCKS / l->units;
  if (l->pieces > l->outer * l->inner / LEAST) l->pieces = l->outer * l->inner / LEAST;
  l->pieces = l->pieces < 1 ? 1 : l->pieces > MOST ? MOST : l->pieces;
  size_t lines = (size_t)(l->entries * l->channels);
  if (l->units > INT32_MAX || !hone_mul(lines * (size_t)l->pieces, 3 * number, &moments) ||
      !hone_mul(lines, 2 * number, &groups))
    return hone_error(HONE_UNSUPPORTED, "too many channels to normalise");
  HONE_TRY(hone_cuda_scratch(plan, moments, &l->moments));
  return hone_cuda_scratch(plan, groups, &l->groups);
}

static hone_status *add_launch(const hone_cuda_stage *stage, hone_cuda_plan *plan, const layer *l,
                               int form) {
  hone_cuda_launch *launch;
  int64_t positions = l->outer * l->inner;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->function = stage->functions[form];
  launch->slots[MOMENTS] = l->moments;
  launch->slots[GROUPS] = l->groups;
  launch->slots[Y] = hone_cuda_slot_of(plan, stage->core->outputs[0]);
  const int64_t numbers[] = {l->count,    l->entries, l->outer, l->channels, l->inner,
                             l->of_group, l->pieces,  (positions + l->pieces - 1) / l->pieces};
  for (int i = 0; i < 8; i++) launch->args.n[i] = numbers[i];
  if (form == NORMALISE) hone_cuda_launch_elements(launch, l->count);
  else hone_cuda_launch_blocks(launch, l->entries * l->channels / l->of_group);
  if (form == TAKE) launch->grid[0] = (unsigned)l->units, launch->grid[1] = (unsigned)l->pieces;
  return NULL;
}

static hone_status *plan_groups(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  layer l;
  (void)view;
  HONE_TRY(measure(stage, plan, &l));
  for (int form = TAKE; form <= NORMALISE; form++) HONE_TRY(add_launch(stage, plan, &l, form));
  return NULL;
}

#define FORM(phase) {hone_cuda_text_group_norm, "#define PHASE " #phase "\n"}
const hone_cuda_kernel hone_cuda_kernel_group_norm = {.name = "group_norm",
                                                      .forms = {FORM(0), FORM(1), FORM(2)},
                                                      .pointers = ROOM,
                                                      .accepts = accepts_groups,
                                                      .define = define_groups,
                                                      .plan = plan_groups};

/* ---- lrn ------------------------------------------------------------------------------------- */

static bool accepts_lrn(const hone_node *node) {
  return node->op == &hone_op_lrn && hone_cuda_one_float(node);
}

static void define_lrn(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "#define ALPHA R(%.17g)\n#define BETA R(%.17g)\n#define BIAS R(%.17g)\n",
                   hone_node_real(node, "alpha") / (double)hone_node_int(node, "size"),
                   hone_node_real(node, "beta"), hone_node_real(node, "bias"));
}

static hone_status *plan_lrn(const hone_cuda_stage *stage, const hone_group_view *view,
                             hone_cuda_plan *plan) {
  const hone_shape *x = hone_cuda_shape(plan, stage->core->inputs[X].value);
  int64_t size = hone_node_int(stage->core, "size");
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(x);
  launch->args.n[1] = x->dim[x->rank - 1];
  launch->args.n[2] = (size - 1) / 2;
  launch->args.n[3] = size - 1 - launch->args.n[2];
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_lrn = {.name = "lrn",
                                               .forms = {{hone_cuda_text_lrn}},
                                               .pointers = 1,
                                               .finishes = true,
                                               .accepts = accepts_lrn,
                                               .define = define_lrn,
                                               .plan = plan_lrn};
