/* Sound: files, spectrograms, cepstra. Room: import. */
#include <math.h>

#include "import/tensorflow/map.h"

static hone_status *import_decode_wav(hone_call *call) {
  hone_value *bytes = hone_tf_in(call, 0);
  hone_node *node = hone_emit_begin(call, "decode_wav", &bytes, 1, 2);
  hone_emit_set_int(call, node, "samples", hone_tf_int(call, "desired_samples", -1));
  hone_emit_set_int(call, node, "channels", hone_tf_int(call, "desired_channels", -1));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  hone_tf_return(call, 1, hone_emit_out(call, node, 1));
  return NULL;
}

/* Samples [n, channels] become [channels, frames, bins]: frames under a Hann window, each filled
 * up with zeros to a power of two. */
static hone_status *import_spectrogram(hone_call *call) {
  static const int64_t swap[] = {1, 0};
  int64_t size = hone_tf_int(call, "window_size", 0), stride = hone_tf_int(call, "stride", 0);
  int64_t length = 1, last = -1;
  if (size < 2 || size > 1 << 24 || stride < 1)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "windows of %lld every %lld", (long long)size,
                          (long long)stride);
  while (length < size) length *= 2;
  hone_node *window = HONE_EMIT_BEGIN(call, "window", hone_emit_int(call, size));
  hone_emit_set_text(call, window, "kind", "hann");
  hone_value *weights = hone_emit_end(call, window);
  hone_value *x = hone_emit_transpose(call, hone_tf_in(call, 0), 2, swap);
  x = HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, &last, 1));
  x = HONE_EMIT(call, "pad", x,
                hone_emit_ints(call, (int64_t[]){0, 0, 0, 0, length - size, 0}, 6));
  hone_value *y = HONE_EMIT(call, "stft", x, hone_emit_int(call, stride), weights,
                            hone_emit_int(call, length));
  hone_node *sum = HONE_EMIT_BEGIN(call, "reduce", HONE_EMIT(call, "mul", y, y),
                                   hone_emit_ints(call, &last, 1));
  hone_emit_set_text(call, sum, "kind", "sum");
  hone_emit_set_int(call, sum, "keep", false);
  y = hone_emit_end(call, sum);
  if (!hone_tf_flag(call, "magnitude_squared", false)) y = HONE_EMIT(call, "sqrt", y);
  hone_tf_return(call, 0, y);
  return NULL;
}

static double mel(double hertz) {
  return 1127 * log1p(hertz / 700);
}

static hone_value *f64(hone_call *call, double value) {
  return hone_emit_real(call, HONE_F64, value);
}

/* 0, 1, … up to a count, as f64. */
static hone_value *steps(hone_call *call, hone_value *count) {
  hone_value *range = HONE_EMIT(call, "range", hone_emit_int(call, 0), count,
                                hone_emit_int(call, 1));
  return hone_emit_cast(call, range, HONE_F64);
}

typedef struct bank {
  int64_t channels;
  double lower, upper; /* in Hertz */
} bank;

/* Triangles [bins, channels] whose tips are equally far apart on the mel scale; the rate of the
 * samples is known only when the model runs. */
static hone_value *filters(hone_call *call, const bank *b, hone_value *bins, hone_value *rate) {
  double low = mel(b->lower), gap = (mel(b->upper) - low) / ((double)b->channels + 1);
  hone_value *one = f64(call, 1), *index = steps(call, bins);
  hone_value *width = HONE_EMIT(call, "sub", hone_emit_cast(call, bins, HONE_F64), one);
  hone_value *half = HONE_EMIT(call, "mul", hone_emit_cast(call, rate, HONE_F64), f64(call, 0.5));
  hone_value *step = HONE_EMIT(call, "div", half, width); /* Hertz a bin */
  hone_value *ratio = HONE_EMIT(call, "div", HONE_EMIT(call, "mul", index, step), f64(call, 700));
  hone_value *place = HONE_EMIT(call, "log", HONE_EMIT(call, "add", ratio, one));
  place = HONE_EMIT(call, "mul", place, f64(call, 1127));
  hone_value *tips = steps(call, hone_emit_int(call, b->channels));
  tips = HONE_EMIT(call, "add", HONE_EMIT(call, "mul", tips, f64(call, gap)), f64(call, low + gap));
  int64_t column[] = {-1, 1};
  hone_value *away = HONE_EMIT(call, "sub", hone_emit_reshape(call, place, column, 2), tips);
  away = HONE_EMIT(call, "div", HONE_EMIT(call, "abs", away), f64(call, gap));
  hone_value *weight = HONE_EMIT(call, "max", HONE_EMIT(call, "sub", one, away), f64(call, 0));
  hone_value *first = HONE_EMIT(call, "div", f64(call, b->lower), step);
  first = HONE_EMIT(call, "floor", HONE_EMIT(call, "add", first, f64(call, 1.5)));
  hone_value *end = HONE_EMIT(call, "floor", HONE_EMIT(call, "div", f64(call, b->upper), step));
  hone_value *inside = HONE_EMIT(call, "and", HONE_EMIT(call, "greater_equal", index, first),
                                 HONE_EMIT(call, "less_equal", index, end));
  inside = hone_emit_reshape(call, inside, column, 2);
  weight = HONE_EMIT(call, "select", inside, weight, f64(call, 0));
  return hone_emit_cast(call, weight, HONE_F32);
}

/* The cosines [channels, count] of DCT-II. */
static hone_value *cosines(hone_call *call, int64_t channels, int64_t count) {
  int64_t column[] = {-1, 1};
  double pi = 3.14159265358979323846;
  hone_value *at = HONE_EMIT(call, "add", steps(call, hone_emit_int(call, channels)),
                             f64(call, 0.5));
  hone_value *turn = HONE_EMIT(call, "mul", steps(call, hone_emit_int(call, count)),
                               f64(call, pi / (double)channels));
  hone_value *angle = HONE_EMIT(call, "mul", hone_emit_reshape(call, at, column, 2), turn);
  hone_value *y = HONE_EMIT(call, "mul", HONE_EMIT(call, "cos", angle),
                            f64(call, sqrt(2 / (double)channels)));
  return hone_emit_cast(call, y, HONE_F32);
}

/* Mel-frequency cepstral coefficients of a squared spectrogram (Davis and Mermelstein, 1980). */
static hone_status *import_mfcc(hone_call *call) {
  bank b = {.channels = hone_tf_int(call, "filterbank_channel_count", 40),
            .lower = hone_tf_real(call, "lower_frequency_limit", 20),
            .upper = hone_tf_real(call, "upper_frequency_limit", 4000)};
  int64_t count = hone_tf_int(call, "dct_coefficient_count", 13);
  hone_value *x = hone_tf_in(call, 0);
  if (hone_emit_rank(call, x) != 3)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the spectrogram is not of 3 dimensions");
  if (b.channels < 1 || b.channels > 65536 || count < 1 || count > b.channels || b.lower < 0 ||
      !(b.upper > b.lower))
    return hone_emit_fail(call, HONE_INVALID_MODEL, "a bank of filters that cannot be");
  int64_t first = 0;
  hone_value *bins = HONE_EMIT(call, "squeeze", hone_emit_dims(call, x, 2, 3),
                               hone_emit_ints(call, &first, 1));
  hone_value *energy = HONE_EMIT(call, "matmul", HONE_EMIT(call, "sqrt", x),
                                 filters(call, &b, bins, hone_tf_in(call, 1)));
  energy = HONE_EMIT(call, "max", energy, hone_emit_real(call, HONE_F32, 1e-12));
  hone_value *y = HONE_EMIT(call, "matmul", HONE_EMIT(call, "log", energy),
                            cosines(call, b.channels, count));
  hone_tf_return(call, 0, y);
  return NULL;
}

const hone_tf_row hone_tf_audio[] = {
    {"AudioSpectrogram", .import = import_spectrogram},
    {"DecodeWav", .import = import_decode_wav, .outputs = "audio sample_rate"},
    {"Mfcc", .import = import_mfcc},
    {0},
};
