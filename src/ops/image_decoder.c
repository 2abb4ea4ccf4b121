/* image_decoder: the bytes of a picture file as pixels. Room: ops. */
#include "base/image.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_pixels pixels_of(const hone_node *node) {
  char first = hone_node_text(node, "pixels")[0];
  return first == 'r' ? HONE_PIXELS_RGB : first == 'b' ? HONE_PIXELS_BGR : HONE_PIXELS_GRAY;
}

/* The file: bytes, or a string. */
static hone_bytes file_of(const hone_datum *in) {
  if (in->dtype != HONE_STR) return (hone_bytes){in->data, hone_datum_count(in)};
  const hone_string *text = in->data;
  return (hone_bytes){text->data, text->size};
}

static hone_status *image_decoder_infer(hone_infer *infer) {
  const hone_type *in = infer->in[0];
  const hone_datum *bytes = infer->value[0];
  if (in->dtype && in->dtype != HONE_U8 && in->dtype != HONE_STR)
    return hone_infer_fail(infer, "bytes of type %s", hone_dtype_name(in->dtype));
  if (in->dtype) HONE_TRY(hone_infer_rank(infer, 0, in->dtype == HONE_STR ? 0 : 1));
  hone_dim height, width, channels = pixels_of(infer->node) == HONE_PIXELS_GRAY ? 1 : 3;
  if (bytes) {
    hone_bytes file = file_of(bytes);
    HONE_TRY(hone_image_size(file.data, file.size, &height, &width));
  } else {
    height = hone_infer_fresh(infer);
    width = hone_infer_fresh(infer);
  }
  infer->out[0] =
      hone_tensor_type(HONE_U8, hone_shape_of(3, (hone_dim[]){height, width, channels}));
  return NULL;
}

static hone_status *image_decoder_reference(hone_reference *ref) {
  hone_bytes file = file_of(ref->in[0]);
  return hone_image_decode(file.data, file.size, pixels_of(ref->node), ref->out[0]->data);
}

const hone_op hone_op_image_decoder = {
    .name = "image_decoder",
    .inputs = "bytes", /* u8 [size], or str of rank 0: the file of a picture (base/image.h) */
    .outputs = "y",    /* u8 [height, width, 3 or 1] */
    .attrs = {{"pixels", HONE_ATTR_CHOICE, "rgb", "rgb|bgr|gray"}},
    .facts = HONE_OBJECTS,
    .shape_inputs = 1u,
    .infer = image_decoder_infer,
    .reference = image_decoder_reference,
};
