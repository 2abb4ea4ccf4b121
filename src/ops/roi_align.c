/* roi_align: the average or maximum of bilinear samples in each cell of a region (He et al., Mask
 * R-CNN, 2017); channels last. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/sampling.h"

enum { X, ROIS, BATCH };

static hone_status *roi_align_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS));
  HONE_TRY(hone_infer_class(infer, ROIS, HONE_FLOATS));
  HONE_TRY(hone_infer_class(infer, BATCH, HONE_INTEGERS));
  HONE_TRY(hone_infer_rank(infer, X, 4));
  HONE_TRY(hone_infer_rank(infer, ROIS, 2));
  HONE_TRY(hone_infer_rank(infer, BATCH, 1));
  int64_t height = hone_node_int(infer->node, "height"),
          width = hone_node_int(infer->node, "width");
  int64_t samples = hone_node_int(infer->node, "samples");
  if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX || samples < 0 ||
      samples > 4096)
    return hone_infer_fail(infer, "cells of %lld by %lld, %lld samples", (long long)height,
                           (long long)width, (long long)samples);
  hone_dim rois, four;
  if (!hone_dim_unify(hone_infer_dim(infer, ROIS, 0), hone_infer_dim(infer, BATCH, 0), &rois) ||
      !hone_dim_unify(hone_infer_dim(infer, ROIS, 1), 4, &four))
    return hone_infer_fail(infer, "the regions are not [rois, 4] with one batch index each");
  infer->out[0] = hone_tensor_type(
      infer->in[X]->dtype,
      hone_shape_of(4, (hone_dim[]){rois, height, width, hone_infer_dim(infer, X, 3)}));
  return NULL;
}

typedef struct roi {
  const double *image; /* [height, width, channels] */
  int64_t height, width;
  size_t channels;
  hone_region region;
  bool maximum;
} roi;

bool hone_region_neighbours(float x, int64_t size, int64_t *low, int64_t *high, double *part) {
  if (!(x >= -1 && x <= (float)size)) return false;
  x = fmaxf(x, 0);
  *low = (int64_t)x;
  *high = *low + 1;
  *part = (double)(x - (float)*low);
  if (*low >= size - 1) {
    *low = *high = size - 1;
    *part = 0;
  }
  return true;
}

/* Adds a sample's channels to `out`, or raises `out` to its largest weighted neighbour, as ONNX
 * defines the maximum. */
static void take_sample(const roi *r, float y, float x, bool first, double *out) {
  int64_t row[2] = {0}, column[2] = {0};
  double down = 0, right = 0;
  bool inside = hone_region_neighbours(y, r->height, &row[0], &row[1], &down) &&
                hone_region_neighbours(x, r->width, &column[0], &column[1], &right);
  for (size_t c = 0; c < r->channels; c++) {
    double sum = 0, most = -INFINITY;
    for (int i = 0; i < 4; i++) {
      double weight = inside ? (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right) : 0;
      size_t pixel = (size_t)(row[i / 2] * r->width + column[i % 2]);
      double value = weight * r->image[pixel * r->channels + c];
      sum += value;
      most = fmax(most, value);
    }
    if (!r->maximum)
      out[c] += sum;
    else if (first || most > out[c])
      out[c] = most;
  }
}

static void take_cell(const roi *r, int64_t row, int64_t column, double *out) {
  const hone_region *g = &r->region;
  for (int64_t i = 0; i < g->rows; i++)
    for (int64_t j = 0; j < g->columns; j++)
      take_sample(r, hone_region_sample(g->top, g->cell_height, row, i, g->rows),
                  hone_region_sample(g->left, g->cell_width, column, j, g->columns), i + j == 0,
                  out);
  double count = (double)(g->rows * g->columns);
  for (size_t c = 0; !r->maximum && count > 1 && c < r->channels; c++) out[c] /= count;
}

/* As many samples as a cell spans pixels, within bounds that keep loops finite. */
static int64_t samples_of(float cell) {
  return cell > 0 ? (int64_t)fminf(ceilf(cell), 4096) : 0;
}

hone_region hone_region_of(const hone_node *node, const double *box) {
  bool half_pixel = hone_node_flag(node, "half_pixel");
  float scale = (float)hone_node_real(node, "scale"), offset = half_pixel ? 0.5f : 0;
  hone_region r = {.left = (float)box[0] * scale - offset, .top = (float)box[1] * scale - offset};
  float width = (float)box[2] * scale - offset - r.left;
  float height = (float)box[3] * scale - offset - r.top;
  if (!half_pixel) {
    width = fmaxf(width, 1);
    height = fmaxf(height, 1);
  }
  r.cell_width = width / (float)hone_node_int(node, "width");
  r.cell_height = height / (float)hone_node_int(node, "height");
  int64_t samples = hone_node_int(node, "samples");
  r.rows = samples ? samples : samples_of(r.cell_height);
  r.columns = samples ? samples : samples_of(r.cell_width);
  return r;
}

static hone_status *roi_align_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape, *out = &ref->out[0]->shape;
  double *x, *rois, *y;
  int64_t *batch;
  size_t count = hone_datum_count(ref->out[0]);
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, ROIS, &rois));
  HONE_TRY(hone_operand_ints(ref, BATCH, &batch));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  if (count && hone_datum_count(ref->in[X]) == 0)
    return hone_error(HONE_INVALID_ARGUMENT, "regions of an empty picture");
  roi r = {.height = xs->dim[1],
           .width = xs->dim[2],
           .channels = (size_t)xs->dim[3],
           .maximum = strcmp(hone_node_text(ref->node, "mode"), "max") == 0};
  double *to = y;
  for (int64_t n = 0; count && n < out->dim[0]; n++) {
    HONE_TRY(hone_ref_place(batch[n], xs->dim[0]));
    r.image = x + (size_t)batch[n] * hone_shape_span(xs, 1, 4);
    r.region = hone_region_of(ref->node, rois + 4 * n);
    for (int64_t i = 0; i < out->dim[1]; i++)
      for (int64_t j = 0; j < out->dim[2]; j++, to += r.channels) take_cell(&r, i, j, to);
  }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_roi_align = {
    .name = "roi_align",
    .inputs = "x rois batch", /* [n, h, w, c]; [rois, 4]: x1 y1 x2 y2; [rois] */
    .outputs = "y",           /* [rois, height, width, c] */
    .attrs = {{"mode", HONE_ATTR_CHOICE, "avg", "avg|max"},
              {"height", HONE_ATTR_INT, "1", NULL},
              {"width", HONE_ATTR_INT, "1", NULL},
              {"samples", HONE_ATTR_INT, "0", NULL}, /* a cell and axis; 0: one a pixel */
              {"scale", HONE_ATTR_REAL, "1", NULL},  /* of the regions' coordinates */
              {"half_pixel", HONE_ATTR_FLAG, "true", NULL}},
    .infer = roi_align_infer,
    .reference = roi_align_reference,
};
