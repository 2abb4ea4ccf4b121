/* max_roi_pool: the maximum in each cell of a region (Girshick, Fast R-CNN, 2015); channels last.
 * Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/sampling.h"

enum { X, ROIS };

static hone_status *max_roi_pool_infer(hone_infer *infer) {
  for (int i = X; i <= ROIS; i++) {
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS));
    HONE_TRY(hone_infer_same_dtype(infer, i));
  }
  HONE_TRY(hone_infer_rank(infer, X, 4));
  HONE_TRY(hone_infer_rank(infer, ROIS, 2));
  int64_t height = hone_node_int(infer->node, "height"),
          width = hone_node_int(infer->node, "width");
  hone_dim five;
  if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX ||
      !hone_dim_unify(hone_infer_dim(infer, ROIS, 1), 5, &five))
    return hone_infer_fail(infer, "the regions are not [rois, 5], or have no cells");
  infer->out[0] = hone_tensor_type(
      infer->in[X]->dtype, hone_shape_of(4, (hone_dim[]){hone_infer_dim(infer, ROIS, 0), height,
                                                         width, hone_infer_dim(infer, X, 3)}));
  return NULL;
}

void hone_region_cell(double from, double to, int64_t at, int64_t cells, int64_t size,
                      int64_t *begin, int64_t *end) {
  double start = round(from), span = fmax(round(to) - start + 1, 1) / (double)cells;
  double low = floor((double)at * span) + start, high = ceil((double)(at + 1) * span) + start;
  *begin = (int64_t)fmax(0, fmin((double)size, low));
  *end = (int64_t)fmax(0, fmin((double)size, high));
}

/* The channels of one cell: the maximum over rows and columns, 0 where there are none. */
static void pool_cell(const double *image, int64_t width, size_t channels, const int64_t *rows,
                      const int64_t *columns, double *out) {
  bool first = true;
  for (int64_t i = rows[0]; i < rows[1]; i++)
    for (int64_t j = columns[0]; j < columns[1]; j++, first = false)
      for (size_t c = 0; c < channels; c++) {
        double value = image[(size_t)(i * width + j) * channels + c];
        if (first || value > out[c]) out[c] = value;
      }
}

static hone_status *max_roi_pool_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape, *out = &ref->out[0]->shape;
  size_t count = hone_datum_count(ref->out[0]), channels = (size_t)xs->dim[3];
  double *x, *rois, *y, scale = hone_node_real(ref->node, "scale");
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, ROIS, &rois));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  double *to = y;
  for (int64_t n = 0; count && n < out->dim[0]; n++) {
    const double *roi = rois + 5 * n;
    int64_t index = hone_region_image(roi[0]);
    HONE_TRY(hone_ref_place(index, xs->dim[0]));
    const double *image = x + (size_t)index * hone_shape_span(xs, 1, 4);
    for (int64_t i = 0; i < out->dim[1]; i++)
      for (int64_t j = 0; j < out->dim[2]; j++, to += channels) {
        int64_t rows[2], columns[2];
        hone_region_cell(roi[2] * scale, roi[4] * scale, i, out->dim[1], xs->dim[1], &rows[0],
                         &rows[1]);
        hone_region_cell(roi[1] * scale, roi[3] * scale, j, out->dim[2], xs->dim[2], &columns[0],
                         &columns[1]);
        pool_cell(image, xs->dim[2], channels, rows, columns, to);
      }
  }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_max_roi_pool = {
    .name = "max_roi_pool",
    .inputs = "x rois", /* [n, h, w, c]; [rois, 5]: image x1 y1 x2 y2 */
    .outputs = "y",     /* [rois, height, width, c] */
    .attrs = {{"height", HONE_ATTR_INT, "1", NULL},
              {"width", HONE_ATTR_INT, "1", NULL},
              {"scale", HONE_ATTR_REAL, "1", NULL}},
    .infer = max_roi_pool_infer,
    .reference = max_roi_pool_reference,
};
