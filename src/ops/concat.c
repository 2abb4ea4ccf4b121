/* concat and split: joining tensors along an axis, and taking them apart. Room: ops. */
#include "ops/axes.h"
#include "ops/elements.h"
#include "ops/ops.h"

/* Copies `x` to or from the part of `whole` that starts at `at` on `axis`. */
static void copy_part(const hone_datum *whole, const hone_datum *part, int axis, int64_t at,
                      bool into_whole) {
  int64_t strides[HONE_MAX_RANK];
  hone_box box = {.rank = part->shape.rank};
  hone_shape_strides(&whole->shape, strides);
  for (int i = 0; i < box.rank; i++) box.size[i] = part->shape.dim[i];
  int64_t *wide = into_whole ? box.to_stride : box.from_stride;
  int64_t *dense = into_whole ? box.from_stride : box.to_stride;
  for (int i = 0; i < box.rank; i++) wide[i] = strides[i];
  hone_shape_strides(&part->shape, dense);
  *(into_whole ? &box.to : &box.from) = at * strides[axis];
  if (into_whole) hone_copy_box(part->dtype, whole->data, part->data, &box);
  else hone_copy_box(part->dtype, part->data, whole->data, &box);
}

/* Adds the sizes along the axis; the other dimensions are those best known. */
static hone_status *concat_add(hone_infer *infer, int index, int axis, hone_dim *sum) {
  const hone_shape *x = &infer->in[index]->shape;
  hone_shape *y = &infer->out[0].shape;
  if (x->rank != y->rank)
    return hone_infer_fail(infer, "input %d has %d dimensions, input 0 %d", index, x->rank,
                           y->rank);
  for (int i = 0; i < x->rank; i++) {
    if (i == axis) continue;
    if (hone_dim_known(x->dim[i]) && hone_dim_known(y->dim[i]) && x->dim[i] != y->dim[i])
      return hone_infer_fail(infer, "dimension %d of input %d is %lld, not %lld", i, index,
                             (long long)x->dim[i], (long long)y->dim[i]);
    if (hone_dim_known(x->dim[i])) y->dim[i] = x->dim[i];
  }
  hone_dim size = x->dim[axis];
  if (*sum == 0) *sum = size;
  else if (hone_dim_known(size) && hone_dim_known(*sum)) {
    if (!hone_add_s64(*sum, size, sum)) return hone_infer_fail(infer, "its size overflows");
  } else if (size != 0) {
    *sum = hone_infer_fresh(infer);
  }
  return NULL;
}

static hone_status *concat_infer(hone_infer *infer) {
  if (infer->input_count < 1) return hone_infer_fail(infer, "nothing to join");
  if (!infer->in[0]) return hone_infer_fail(infer, "input 0 is absent");
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  bool known = y->rank >= 0;
  for (int i = 1; i < infer->input_count; i++) {
    if (!infer->in[i]) return hone_infer_fail(infer, "input %d is absent", i);
    if (infer->in[i]->dtype != infer->in[0]->dtype)
      return hone_infer_fail(infer, "inputs of types %s and %s",
                             hone_dtype_name(infer->in[0]->dtype),
                             hone_dtype_name(infer->in[i]->dtype));
    known &= infer->in[i]->shape.rank >= 0;
  }
  if (!known) return *y = hone_shape_unknown(), NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", y->rank, &axis));
  hone_dim sum = 0;
  for (int i = 0; i < infer->input_count; i++) HONE_TRY(concat_add(infer, i, axis, &sum));
  y->dim[axis] = sum;
  return NULL;
}

static hone_status *concat_reference(hone_reference *ref) {
  int axis = hone_ref_axis(ref, "axis", ref->out[0]->shape.rank);
  int64_t at = 0;
  for (int i = 0; i < ref->input_count; i++) {
    copy_part(ref->out[0], ref->in[i], axis, at, true);
    at += ref->in[i]->shape.dim[axis];
  }
  return NULL;
}

const hone_op hone_op_concat = {.name = "concat",
                                .inputs = "x*",
                                .outputs = "y",
                                .attrs = {{"axis", HONE_ATTR_INT, NULL, NULL}},
                                .facts = HONE_MOVES,
                                .infer = concat_infer,
                                .reference = concat_reference};

/* Without sizes: equal parts, rounded up, the last ones taking what is left. */
static hone_dim equal_part(hone_dim whole, int64_t parts, int index) {
  int64_t size = whole / parts + (whole % parts != 0);
  int64_t left = size > 0 && index > whole / size ? 0 : whole - size * index;
  return left < size ? left : size;
}

static hone_status *split_sizes(hone_infer *infer, hone_dim whole, int axis) {
  hone_arena scratch = {0};
  int count = infer->output_count;
  int64_t *sizes = HONE_NEW_ARRAY(&scratch, count + 1, int64_t), sum = 0;
  HONE_TRY_MEMORY(sizes);
  size_t given = 0;
  bool known = hone_infer_ints(infer, 1, sizes, (size_t)count, &given), fits = true;
  for (int i = 0; known && i < count; i++) {
    fits &= given == (size_t)count && sizes[i] >= 0 && hone_add_s64(sum, sizes[i], &sum);
    infer->out[i].shape.dim[axis] = sizes[i];
  }
  hone_arena_free(&scratch);
  for (int i = 0; !known && i < count; i++)
    infer->out[i].shape.dim[axis] = hone_infer_fresh(infer);
  if (known && (!fits || (hone_dim_known(whole) && sum != whole)))
    return hone_infer_fail(infer, "the sizes do not add up to the dimension in %d parts", count);
  return NULL;
}

static hone_status *split_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0];
  for (int i = 0; i < infer->output_count; i++) infer->out[i] = *x;
  if (x->shape.rank < 0) return NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", x->shape.rank, &axis));
  hone_dim whole = x->shape.dim[axis];
  if (infer->input_count > 1 && infer->in[1]) return split_sizes(infer, whole, axis);
  int64_t parts = hone_node_int(infer->node, "parts");
  if (parts <= 0) parts = infer->output_count;
  if (parts < infer->output_count)
    return hone_infer_fail(infer, "%d outputs of %lld parts", infer->output_count,
                           (long long)parts);
  for (int i = 0; i < infer->output_count; i++)
    infer->out[i].shape.dim[axis] =
        hone_dim_known(whole) ? equal_part(whole, parts, i) : hone_infer_fresh(infer);
  return NULL;
}

/* Outputs nobody wants have no memory, but their size counts: it is taken from the sizes again. */
static hone_status *split_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *sizes = ref->input_count > 1 ? ref->in[1] : NULL;
  int axis = hone_ref_axis(ref, "axis", x->shape.rank);
  int64_t parts = hone_node_int(ref->node, "parts"), at = 0;
  if (parts <= 0) parts = ref->output_count;
  for (int i = 0; i < ref->output_count; i++) {
    int64_t size = sizes ? hone_load_int(sizes->dtype, sizes->data, (size_t)i)
                         : equal_part(x->shape.dim[axis], parts, i);
    if (ref->out[i]) copy_part(x, ref->out[i], axis, at, false);
    at += size;
  }
  return NULL;
}

const hone_op hone_op_split = {.name = "split",
                               .inputs = "x sizes?",
                               .outputs = "y*",
                               .attrs = {{"axis", HONE_ATTR_INT, "0", NULL},
                                         {"parts", HONE_ATTR_INT, "0", NULL}},
                               .facts = HONE_MOVES,
                               .shape_inputs = 1u << 1,
                               .infer = split_infer,
                               .reference = split_reference};
