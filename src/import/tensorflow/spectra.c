/* Fourier transforms and complex numbers: pairs of reals along a last axis, joined where TensorFlow has
 * complex tensors. Room: import. */
#include "import/tensorflow/map.h"

static hone_value *parts_of(hone_call *call, int index) {
  return HONE_EMIT(call, "complex_parts", hone_tf_in(call, index));
}
static hone_value *join(hone_call *call, hone_value *parts) {
  return HONE_EMIT(call, "complex_join", parts);
}

static hone_value *with_axis(hone_call *call, const char *op, hone_value *x) {
  int64_t last = -1;
  return HONE_EMIT(call, op, x, hone_emit_ints(call, &last, 1));
}

/* Part 0 or 1 of pairs. */
static hone_value *part(hone_call *call, hone_value *pairs, int64_t index) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", pairs, hone_emit_int(call, index));
  hone_emit_set_int(call, node, "axis", -1);
  return hone_emit_end(call, node);
}

/* What a transform is: over how many axes, back or forth, of reals or not. */
typedef struct transform {
  int axes;
  bool inverse, real;
} transform;

/* One axis of pairs, counted from the end; `length` may be NULL. */
static hone_value *along(hone_call *call, hone_value *pairs, hone_value *length, int64_t axis,
                         bool inverse, bool real) {
  hone_node *node = HONE_EMIT_BEGIN(call, "dft", pairs, length, hone_emit_int(call, axis));
  hone_emit_set_int(call, node, "inverse", inverse);
  hone_emit_set_int(call, node, "onesided", real);
  return hone_emit_end(call, node);
}

/* Element `index` of fft_length. */
static hone_value *length_of(hone_call *call, const transform *t, int64_t index) {
  if (!t->real) return NULL;
  hone_value *all = hone_emit_cast(call, hone_tf_in(call, 1), HONE_S64);
  return HONE_EMIT(call, "gather", all, hone_emit_int(call, index));
}

/* Of reals, the last axis is halved: first on the way there, last on the way back. */
static hone_status *import_transform(hone_call *call, transform t) {
  hone_value *x = t.real && !t.inverse ? with_axis(call, "unsqueeze", hone_tf_in(call, 0))
                                       : parts_of(call, 0);
  if (!t.inverse) x = along(call, x, length_of(call, &t, t.axes - 1), -2, false, t.real);
  for (int i = t.axes - 2; i >= 0; i--)
    x = along(call, x, length_of(call, &t, i), -1 - (t.axes - i), t.inverse, false);
  if (t.inverse) x = along(call, x, length_of(call, &t, t.axes - 1), -2, true, t.real);
  hone_tf_return(call, 0, t.real && t.inverse ? with_axis(call, "squeeze", x) : join(call, x));
  return NULL;
}
#define TRANSFORM(name, axes, inverse, real)                        \
  static hone_status *name(hone_call *call) {                       \
    return import_transform(call, (transform){axes, inverse, real}); \
  }
TRANSFORM(import_fft, 1, false, false)
TRANSFORM(import_fft_2, 2, false, false)
TRANSFORM(import_fft_3, 3, false, false)
TRANSFORM(import_ifft, 1, true, false)
TRANSFORM(import_ifft_2, 2, true, false)
TRANSFORM(import_ifft_3, 3, true, false)
TRANSFORM(import_rfft, 1, false, true)
TRANSFORM(import_rfft_2, 2, false, true)
TRANSFORM(import_rfft_3, 3, false, true)
TRANSFORM(import_irfft, 1, true, true)
TRANSFORM(import_irfft_2, 2, true, true)
TRANSFORM(import_irfft_3, 3, true, true)

static hone_status *import_complex(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", with_axis(call, "unsqueeze", hone_tf_in(call, 0)),
                                    with_axis(call, "unsqueeze", hone_tf_in(call, 1)));
  hone_emit_set_int(call, node, "axis", -1);
  hone_tf_return(call, 0, join(call, hone_emit_end(call, node)));
  return NULL;
}

static hone_status *import_real(hone_call *call) {
  hone_tf_return(call, 0, part(call, parts_of(call, 0), 0));
  return NULL;
}
static hone_status *import_imag(hone_call *call) {
  hone_tf_return(call, 0, part(call, parts_of(call, 0), 1));
  return NULL;
}

static hone_status *import_magnitude(hone_call *call) {
  int64_t last = -1;
  hone_node *node =
      HONE_EMIT_BEGIN(call, "reduce", parts_of(call, 0), hone_emit_ints(call, &last, 1));
  hone_emit_set_text(call, node, "kind", "l2");
  hone_emit_set_int(call, node, "keep", false);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_angle(hone_call *call) {
  hone_value *pairs = parts_of(call, 0);
  hone_tf_return(call, 0, HONE_EMIT(call, "atan2", part(call, pairs, 1), part(call, pairs, 0)));
  return NULL;
}

static hone_status *import_conj(hone_call *call) {
  hone_value *pairs = parts_of(call, 0);
  hone_dtype dtype = pairs->type.dtype;
  double one[] = {1, -1};
  float narrow[] = {1, -1};
  hone_value *signs = hone_emit_const(call, dtype, hone_shape_of(1, (hone_dim[]){2}),
                                      dtype == HONE_F64 ? (void *)one : (void *)narrow,
                                      dtype == HONE_F64 ? sizeof one : sizeof narrow);
  hone_tf_return(call, 0, join(call, HONE_EMIT(call, "mul", pairs, signs)));
  return NULL;
}

const hone_tf_row hone_tf_spectra[] = {
    {"Angle", .import = import_angle},
    {"Complex", .import = import_complex},
    {"ComplexAbs", .import = import_magnitude},
    {"Conj", .import = import_conj},
    {"FFT", .import = import_fft},
    {"FFT2D", .import = import_fft_2},
    {"FFT3D", .import = import_fft_3},
    {"IFFT", .import = import_ifft},
    {"IFFT2D", .import = import_ifft_2},
    {"IFFT3D", .import = import_ifft_3},
    {"IRFFT", .import = import_irfft},
    {"IRFFT2D", .import = import_irfft_2},
    {"IRFFT3D", .import = import_irfft_3},
    {"Imag", .import = import_imag},
    {"RFFT", .import = import_rfft},
    {"RFFT2D", .import = import_rfft_2},
    {"RFFT3D", .import = import_rfft_3},
    {"Real", .import = import_real},
    {0},
};
