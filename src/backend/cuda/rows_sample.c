/* What reads between pixels, or turns what it reads by tables, on the GPU. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "ops/sampling.h"

static bool is_float(const hone_value *value) {
  return hone_dtype_class_of(value->type.dtype) == HONE_CLASS_FLOAT &&
         hone_cuda_type(value->type.dtype) && value->type.shape.rank >= 0;
}
static bool is_index(const hone_value *value) {
  return value->type.dtype == HONE_S32 || value->type.dtype == HONE_S64;
}
static const char *type_of(const hone_node *node, int input) {
  return hone_cuda_type(node->inputs[input].value->type.dtype);
}

/* ---- grid_sample ----------------------------------------------------------------------------- */

enum { X, GRID, MOST_AXES = 3 };

static bool accepts_grid(const hone_node *node) {
  if (node->op != &hone_op_grid_sample || !hone_node_out(node, 0)) return false;
  const hone_value *x = node->inputs[X].value, *y = node->outputs[0];
  return is_float(x) && is_float(node->inputs[GRID].value) && x->type.shape.rank >= 3 &&
         x->type.shape.rank <= 2 + MOST_AXES && y->type.shape.rank == x->type.shape.rank;
}

static void define_grid(const hone_node *node, hone_text *out) {
  const hone_type *x = &node->inputs[X].value->type;
  hone_cuda_define_types(x->dtype, out);
  hone_text_printf(out,
                   "typedef %s G;\n#define AXES %d\n#define MODE '%c'\n#define PADDING '%c'\n"
                   "#define ALIGN %d\n",
                   type_of(node, GRID), x->shape.rank - 2, hone_node_text(node, "mode")[0],
                   hone_node_text(node, "padding")[0], hone_node_flag(node, "align_corners"));
}

static hone_status *plan_grid(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const hone_shape *x = hone_cuda_shape(plan, stage->core->inputs[X].value);
  const hone_shape *y = hone_cuda_shape(plan, stage->core->outputs[0]);
  hone_cuda_launch *launch;
  (void)view;
  if (hone_cuda_count(x) == 0) return hone_error(HONE_UNSUPPORTED, "an empty picture");
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(y);
  launch->args.n[1] = y->dim[y->rank - 1];
  launch->args.n[2] = (int64_t)hone_shape_span(y, 1, y->rank - 1);
  for (int d = 1; d + 1 < x->rank; d++) launch->args.n[7 + d] = x->dim[d];
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_grid_sample = {.name = "grid_sample",
                                                       .forms = {{hone_cuda_text_grid_sample}},
                                                       .pointers = 2,
                                                       .finishes = true,
                                                       .accepts = accepts_grid,
                                                       .define = define_grid,
                                                       .plan = plan_grid};

/* ---- roi_align ------------------------------------------------------------------------------- */

enum { REGIONS = 1, ENTRIES, SAMPLES, REGION_FAULT, REGION_ROOM }; /* pointers */

static bool accepts_regions(const hone_node *node) {
  return node->op == &hone_op_roi_align && hone_node_out(node, 0) &&
         is_float(node->inputs[X].value) && is_float(node->inputs[REGIONS].value) &&
         is_index(node->inputs[ENTRIES].value);
}

static void define_regions(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out,
                   "typedef %s G;\ntypedef %s I;\n#define MAXIMUM %d\n#define SCALE float(%.17g)\n"
                   "#define HALF_PIXEL %d\n#define FAULT %d\n",
                   type_of(node, REGIONS), type_of(node, ENTRIES),
                   hone_node_text(node, "mode")[0] == 'm', hone_node_real(node, "scale"),
                   hone_node_flag(node, "half_pixel"), REGION_FAULT);
}

static hone_status *plan_regions(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_launch *launch;
  (void)view;
  if (hone_cuda_count(x) == 0) return hone_error(HONE_UNSUPPORTED, "regions of an empty picture");
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->slots[SAMPLES] = hone_cuda_slot_of(plan, node->outputs[0]);
  hone_cuda_may_fault(plan, launch, node, REGION_FAULT);
  launch->args.n[0] = hone_cuda_count(y);
  for (int d = 0; d < 4; d++) launch->args.n[1 + d] = x->dim[d];
  launch->args.n[5] = y->dim[1];
  launch->args.n[6] = y->dim[2];
  launch->args.n[7] = hone_node_int(node, "samples");
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_roi_align = {
    .name = "roi_align",
    .forms = {{hone_cuda_text_roi_align, .before = hone_cuda_text_places}},
    .pointers = REGION_ROOM,
    .accepts = accepts_regions,
    .define = define_regions,
    .plan = plan_regions};

/* ---- rotary_embedding ------------------------------------------------------------------------ */

enum { COS = 1, SIN, ROWS, TURNED, TURN_FAULT, TURN_ROOM }; /* pointers */

static bool accepts_rotary(const hone_node *node) {
  if (node->op != &hone_op_rotary_embedding || !hone_node_out(node, 0)) return false;
  for (int i = X; i <= SIN; i++)
    if (!is_float(node->inputs[i].value) ||
        node->inputs[i].value->type.dtype != node->inputs[X].value->type.dtype)
      return false;
  return !hone_node_in(node, ROWS) || is_index(hone_node_in(node, ROWS));
}

static void define_rotary(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[X].value->type.dtype, out);
  hone_text_printf(out, "typedef %s I;\n#define INTERLEAVED %d\n#define FAULT %d\n",
                   hone_node_in(node, ROWS) ? type_of(node, ROWS) : "s64",
                   hone_node_flag(node, "interleaved"), TURN_FAULT);
}

static hone_status *plan_rotary(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *table = hone_cuda_shape(plan, node->inputs[COS].value), *where = table;
  hone_cuda_launch *launch;
  (void)view;
  if (hone_node_in(node, ROWS)) where = hone_cuda_shape(plan, node->inputs[ROWS].value);
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->slots[TURNED] = hone_cuda_slot_of(plan, node->outputs[0]);
  hone_cuda_may_fault(plan, launch, node, TURN_FAULT);
  launch->args.n[0] = hone_cuda_count(x);
  for (int d = 1; d < 4; d++) launch->args.n[d] = x->dim[d];
  launch->args.n[4] = table->dim[table->rank - 1];
  launch->args.n[5] = where->dim[0] == 1 ? 0 : where->dim[1];
  launch->args.n[6] = table->dim[0];
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_rotary = {
    .name = "rotary",
    .forms = {{hone_cuda_text_rotary, .before = hone_cuda_text_places}},
    .pointers = TURN_ROOM,
    .accepts = accepts_rotary,
    .define = define_rotary,
    .plan = plan_rotary};
