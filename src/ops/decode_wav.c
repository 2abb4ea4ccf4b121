/* decode_wav: the bytes of a WAV file of 16 bits a sample as numbers from -1 to 1. Room: ops.
 * The format: Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft,
 * 1991, "Waveform Audio File Format". */
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"

enum { BYTES };

typedef struct wave {
  const uint8_t *data;
  size_t channels, samples; /* a sample: one number a channel */
  int64_t rate;             /* samples a second */
} wave;

static uint32_t little(const uint8_t *at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << 8 * i;
  return value;
}

static hone_status *bad(const char *what) {
  return hone_error(HONE_INVALID_ARGUMENT, "a WAV file %s", what);
}

static hone_status *read_format(const uint8_t *at, size_t size, wave *out) {
  if (size < 16) return bad("with a short format");
  if (little(at, 2) != 1 || little(at + 14, 2) != 16) return bad("that is not of 16 plain bits");
  out->channels = little(at + 2, 2);
  out->rate = little(at + 4, 4);
  if (out->channels == 0) return bad("without channels");
  return out->rate > INT32_MAX ? bad("of too high a rate") : NULL;
}

/* Chunks have a name, a size and, where the size is odd, a byte more. */
static hone_status *read_wave(const hone_string *file, wave *out) {
  const uint8_t *bytes = (const uint8_t *)file->data;
  size_t left = file->size;
  *out = (wave){0};
  if (left < 12 || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WAVE", 4) != 0)
    return bad("does not begin like this");
  for (bytes += 12, left -= 12; left >= 8;) {
    size_t size = little(bytes + 4, 4);
    const uint8_t *body = bytes + 8;
    left -= 8;
    if (size > left) return bad("that ends within a chunk");
    if (memcmp(bytes, "fmt ", 4) == 0) HONE_TRY(read_format(body, size, out));
    if (memcmp(bytes, "data", 4) == 0) {
      if (!out->channels) return bad("with samples before their format");
      out->data = body;
      out->samples = size / (2 * out->channels);
      return NULL;
    }
    size_t step = size + (size & 1) < left ? size + (size & 1) : left;
    bytes = body + step;
    left -= step;
  }
  return bad("without samples");
}

static hone_status *decode_infer(hone_infer *infer) {
  const hone_type *in = infer->in[BYTES];
  if (in->dtype && in->dtype != HONE_STR)
    return hone_infer_fail(infer, "bytes of type %s", hone_dtype_name(in->dtype));
  HONE_TRY(hone_infer_rank(infer, BYTES, 0));
  int64_t samples = hone_node_int(infer->node, "samples");
  int64_t channels = hone_node_int(infer->node, "channels");
  if (infer->value[BYTES] && (samples < 1 || channels < 1)) {
    wave w;
    HONE_TRY(read_wave(infer->value[BYTES]->data, &w));
    if (samples < 1) samples = (int64_t)w.samples;
    if (channels < 1) channels = (int64_t)w.channels;
  } else {
    if (samples < 1) samples = hone_infer_fresh(infer);
    if (channels < 1) channels = hone_infer_fresh(infer);
  }
  infer->out[0] = hone_tensor_type(HONE_F32, hone_shape_of(2, (hone_dim[]){samples, channels}));
  infer->out[1] = hone_tensor_type(HONE_S32, hone_shape_of(0, NULL));
  return NULL;
}

static hone_status *decode_reference(hone_reference *ref) {
  wave w;
  HONE_TRY(read_wave(ref->in[BYTES]->data, &w));
  const hone_datum *y = ref->out[0];
  if (y) {
    size_t samples = (size_t)y->shape.dim[0], channels = (size_t)y->shape.dim[1];
    float *out = y->data;
    for (size_t i = 0; i < samples * channels; i++) {
      size_t sample = i / channels, channel = i % channels;
      if (channel >= w.channels) channel = w.channels - 1;
      const uint8_t *at = w.data + 2 * (sample * w.channels + channel);
      out[i] = sample < w.samples ? (float)(int16_t)little(at, 2) / 32768 : 0;
    }
  }
  if (ref->out[1]) hone_store_int(HONE_S32, ref->out[1]->data, 0, w.rate);
  return NULL;
}

const hone_op hone_op_decode_wav = {
    .name = "decode_wav",
    .inputs = "bytes",   /* str, rank 0: the file */
    .outputs = "y? rate?", /* f32 [samples, channels]; s32, rank 0 */
    /* How many are wanted, -1 for what the file has: zeros follow the last sample, and its last
     * channel stands for further ones. */
    .attrs = {{"samples", HONE_ATTR_INT, "-1", NULL}, {"channels", HONE_ATTR_INT, "-1", NULL}},
    .facts = HONE_OBJECTS,
    .shape_inputs = 1u << BYTES,
    .infer = decode_infer,
    .reference = decode_reference,
};
