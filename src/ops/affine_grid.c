/* affine_grid: the grid of an affine map, for grid_sample. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"

enum { THETA, SIZE };

static hone_status *affine_grid_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, THETA, HONE_FLOATS));
  HONE_TRY(hone_infer_rank(infer, THETA, 3));
  infer->out[0] = hone_tensor_type(infer->in[THETA]->dtype, hone_shape_unknown());
  int64_t size[HONE_MAX_RANK];
  size_t count;
  hone_dim axes = hone_infer_dim(infer, THETA, 1), columns = hone_infer_dim(infer, THETA, 2);
  bool known = hone_infer_ints(infer, SIZE, size, HONE_MAX_RANK, &count);
  if (known) {
    if (count < 3 || !hone_dim_unify(axes, (hone_dim)count - 2, &axes))
      return hone_infer_fail(infer, "a size of %zu axes for this map", count);
  }
  if (!hone_dim_known(axes)) return NULL;
  hone_dim both;
  if (axes < 1 || axes > HONE_MAX_RANK - 2 || !hone_dim_unify(columns, axes + 1, &both))
    return hone_infer_fail(infer, "theta is not [n, axes, axes + 1]");
  hone_shape *out = &infer->out[0].shape;
  out->rank = (int)axes + 2;
  out->dim[0] = hone_infer_dim(infer, THETA, 0);
  for (int i = 1; i <= (int)axes; i++) {
    out->dim[i] = known ? size[i + 1] : hone_infer_fresh(infer);
    if (known && (size[i + 1] < 0 || size[i + 1] > INT32_MAX))
      return hone_infer_fail(infer, "a size of %lld", (long long)size[i + 1]);
  }
  out->dim[axes + 1] = axes;
  return NULL;
}

static double coordinate(int64_t at, int64_t size, bool align) {
  if (align) return size > 1 ? 2 * (double)at / (double)(size - 1) - 1 : -1;
  return (2 * (double)at + 1) / (double)size - 1;
}

static hone_status *affine_grid_reference(hone_reference *ref) {
  const hone_shape *out = &ref->out[0]->shape;
  int axes = out->rank - 2;
  bool align = hone_node_flag(ref->node, "align_corners");
  size_t count = hone_datum_count(ref->out[0]), to = 0;
  double *theta, *y;
  HONE_TRY(hone_operand_reals(ref, THETA, &theta));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  for (int64_t n = 0; count && n < out->dim[0]; n++) {
    int64_t at[HONE_MAX_RANK] = {0};
    do {
      for (int row = 0; row < axes; row++) {
        const double *map = theta + (n * axes + row) * (axes + 1);
        double sum = map[axes];
        for (int i = 0; i < axes; i++) /* the last axis's coordinate is the map's first */
          sum += map[i] * coordinate(at[axes - 1 - i], out->dim[axes - i], align);
        y[to++] = sum;
      }
    } while (hone_step(axes, out->dim + 1, at));
  }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_affine_grid = {
    .name = "affine_grid",
    .inputs = "theta size", /* [n, axes, axes + 1]; [n, channels, spatial…] */
    .outputs = "grid",      /* [n, spatial…, axes] */
    .attrs = {{"align_corners", HONE_ATTR_FLAG, "false", NULL}},
    .shape_inputs = 1u << SIZE,
    .infer = affine_grid_infer,
    .reference = affine_grid_reference,
};
