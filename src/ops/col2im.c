/* col2im: adds up the columns of sliding blocks into the picture that they were taken from.
 * Channels come second, together with the blocks' elements, as ONNX has it. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { X, IMAGE, BLOCK };

/* The window that slides over the image; its number of positions is the number of columns. */
static hone_status *read_window(const hone_node *node, const hone_shape *x, const int64_t *image,
                                size_t images, const int64_t *block, size_t blocks,
                                hone_spatial *out) {
  if (images != blocks || images < 1 || images > HONE_MAX_SPATIAL)
    return hone_error(HONE_INVALID_MODEL, "an image of %zu axes, blocks of %zu", images, blocks);
  for (size_t i = 0; i < images; i++)
    if (image[i] < 0 || block[i] < 1)
      return hone_error(HONE_INVALID_MODEL, "axis %zu: an image of %lld, a block of %lld", i,
                        (long long)image[i], (long long)block[i]);
  HONE_TRY(hone_spatial_window(node, (int)images, image, block, false, out));
  int64_t columns = 1, elements = 1;
  bool fits = true;
  for (size_t i = 0; i < images; i++)
    fits = fits && hone_mul_s64(columns, out->out[i], &columns) &&
           hone_mul_s64(elements, block[i], &elements);
  hone_dim both;
  if (!fits || !hone_dim_unify(x->dim[2], columns, &both) ||
      (hone_dim_known(x->dim[1]) && x->dim[1] % elements != 0))
    return hone_error(HONE_INVALID_MODEL, "x does not hold the columns of this image");
  return NULL;
}

static hone_status *col2im_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_rank(infer, X, 3));
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  int64_t image[HONE_MAX_RANK], block[HONE_MAX_RANK], elements = 1;
  size_t images, blocks;
  bool sized = hone_infer_ints(infer, IMAGE, image, HONE_MAX_RANK, &images);
  bool blocked = hone_infer_ints(infer, BLOCK, block, HONE_MAX_RANK, &blocks);
  if (!infer->graph && (!sized || !blocked)) { /* planning needs both: -1 dims ask for them */
    infer->out[0].shape = hone_shape_of(1, (hone_dim[]){-1});
    return NULL;
  }
  if (!sized || !blocked || x->rank < 0) return NULL;
  hone_spatial window;
  HONE_TRY(read_window(infer->node, x, image, images, block, blocks, &window));
  for (size_t i = 0; i < blocks; i++) elements *= block[i];
  hone_shape *out = &infer->out[0].shape;
  out->rank = (int)images + 2;
  out->dim[0] = x->dim[0];
  out->dim[1] = hone_dim_known(x->dim[1]) ? x->dim[1] / elements : hone_infer_fresh(infer);
  for (size_t i = 0; i < images; i++) out->dim[2 + i] = image[i];
  return NULL;
}

/* Adds the column entries of one block element and one channel to their pixels. */
static void add_element(const hone_spatial *w, const int64_t *tap, const hone_numbers *x,
                        size_t from, hone_numbers *y, size_t to) {
  int64_t at[HONE_MAX_SPATIAL] = {0};
  size_t offset;
  do {
    if (hone_spatial_tap(w, at, tap, &offset)) {
      if (y->whole)
        y->integer[to + offset] += x->integer[from];
      else
        y->real[to + offset] += x->real[from];
    }
    from++;
  } while (hone_step(w->rank, w->out, at));
}

static hone_status *col2im_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape;
  int64_t *image, *block;
  hone_spatial w;
  hone_numbers x, y;
  HONE_TRY(hone_operand_ints(ref, IMAGE, &image));
  HONE_TRY(hone_operand_ints(ref, BLOCK, &block));
  HONE_TRY(read_window(ref->node, xs, image, hone_datum_count(ref->in[IMAGE]), block,
                       hone_datum_count(ref->in[BLOCK]), &w));
  HONE_TRY(hone_operand(ref, X, &x));
  HONE_TRY(hone_result(ref, 0, &y));
  size_t columns = (size_t)xs->dim[2], pixels = hone_spatial_count(w.rank, w.in), from = 0;
  size_t planes = pixels ? y.count / pixels : 0;
  for (size_t plane = 0; x.count && plane < planes; plane++) {
    int64_t tap[HONE_MAX_SPATIAL] = {0};
    do {
      add_element(&w, tap, &x, from, &y, plane * pixels);
      from += columns;
    } while (hone_step(w.rank, w.kernel, tap));
  }
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_col2im = {
    .name = "col2im",
    .inputs = "x image block", /* [n, c * elements of a block, columns]; sizes of both */
    .outputs = "y",            /* [n, c, image…] */
    .attrs = {{"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* before each axis, then after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit"}},
    .shape_inputs = 1u << IMAGE | 1u << BLOCK,
    .infer = col2im_infer,
    .reference = col2im_reference,
};
