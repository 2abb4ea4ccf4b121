/* quantize and dequantize that are no pointwise nodes: scales known at run, blocks, fewer than 8 bits.
 * Room: backend/cuda. */
#include <math.h>

#include "backend/cuda/rows.h"
#include "ops/scaling.h"

enum { X, SCALE, ZERO, Y, ROOM }; /* pointers; the node's inputs first */

static bool quantizes(const hone_node *node) {
  return node->op == &hone_op_quantize;
}
/* The integers, and the reals, of the node. */
static hone_dtype whole_of(const hone_node *node) {
  return (quantizes(node) ? node->outputs[0] : node->inputs[X].value)->type.dtype;
}
static hone_dtype real_of(const hone_node *node) {
  return (quantizes(node) ? node->inputs[X].value : node->outputs[0])->type.dtype;
}

static bool is_float(hone_dtype dtype) {
  return hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT && hone_cuda_type(dtype);
}

static bool accepts(const hone_node *node) {
  if ((!quantizes(node) && node->op != &hone_op_dequantize) || !node->outputs[0]) return false;
  hone_dtype_class class = hone_dtype_class_of(whole_of(node));
  hone_dtype precision = quantizes(node) ? hone_node_dtype(node, "precision") : HONE_DTYPE_NONE;
  for (int i = X; i <= SCALE; i++)
    if (node->inputs[i].value->type.shape.rank < 0) return false;
  return (class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED) &&
         hone_dtype_bits(whole_of(node)) <= 32 && is_float(real_of(node)) &&
         is_float(node->inputs[SCALE].value->type.dtype) && (!precision || is_float(precision));
}

/* Of a quotient: as the attribute says, else the wider operand's. */
static hone_dtype precision_of(const hone_node *node) {
  hone_dtype x = real_of(node), scale = node->inputs[SCALE].value->type.dtype;
  hone_dtype given = quantizes(node) ? hone_node_dtype(node, "precision") : HONE_DTYPE_NONE;
  if (given) return given;
  if (x == scale) return x;
  return x == HONE_F64 || scale == HONE_F64 ? HONE_F64 : HONE_F32;
}

static void define(const hone_node *node, hone_text *out) {
  hone_dtype whole = whole_of(node), scale = node->inputs[SCALE].value->type.dtype;
  int bits = (int)hone_dtype_bits(whole);
  bool is_signed = hone_dtype_class_of(whole) == HONE_CLASS_SIGNED;
  bool wide = bits == 32 || precision_of(node) == HONE_F64 || scale == HONE_F64;
  hone_cuda_define_types(real_of(node), out);
  hone_text_printf(out,
                   "typedef %s S;\ntypedef %s P;\ntypedef %s D;\n#define QUANTIZES %d\n#define BITS "
                   "%d\n#define LOWEST D(%.17g)\n#define HIGHEST D(%.17g)\n",
                   hone_cuda_type(scale), hone_cuda_type(precision_of(node)),
                   wide ? "double" : "float", quantizes(node), bits,
                   is_signed ? -ldexp(1, bits - 1) : 0, ldexp(1, bits - is_signed) - 1);
  if (bits < 8)
    hone_text_printf(out, "#define WHOLE(p, i) packed<%d, %s>(p, i)\n", bits,
                     is_signed ? "true" : "false");
  else
    hone_text_printf(out, "typedef %s WholeType;\n#define WHOLE(p, i) load<WholeType>(p, i)\n",
                     hone_cuda_type(whole));
}

static hone_status *plan_quantize(const hone_cuda_stage *stage, const hone_group_view *view,
                                  hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  hone_scaling s = hone_scaling_of(node, x, hone_cuda_shape(plan, node->inputs[SCALE].value));
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->slots[Y] = hone_cuda_slot_of(plan, node->outputs[0]);
  long long *n = launch->args.n;
  n[0] = hone_cuda_count(x);
  n[1] = (int64_t)s.extent;
  n[2] = (int64_t)s.inner;
  n[3] = (int64_t)s.block;
  n[4] = (int64_t)s.blocks;
  n[5] = s.blocked;
  hone_cuda_launch_elements(launch, n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_quantize = {.name = "quantize",
                                                    .forms = {{hone_cuda_text_quantize}},
                                                    .pointers = ROOM,
                                                    .accepts = accepts,
                                                    .define = define,
                                                    .plan = plan_quantize};
