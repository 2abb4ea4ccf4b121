/* Quantisation: to integers, back, and both at once as training simulates it. Room: import. */
#include <float.h>
#include <string.h>

#include "import/tensorflow/map.h"

/* The steps that the grid has; those of a narrow range begin at 1. */
typedef struct grid {
  double least, most;
  hone_dtype dtype;
} grid;

static grid read_grid(hone_call *call) {
  int64_t bits = hone_tf_int(call, "num_bits", 8);
  if (bits < 2 || bits > 16)
    hone_emit_fail(call, HONE_UNSUPPORTED, "%lld bits", (long long)bits);
  if (call->status) return (grid){0, 255, HONE_U8};
  return (grid){hone_tf_flag(call, "narrow_range", false), (double)((int64_t)1 << bits) - 1,
                bits > 8 ? HONE_U16 : HONE_U8};
}

static hone_value *f32(hone_call *call, double value) {
  return hone_emit_real(call, HONE_F32, value);
}

/* The range is moved so that 0 lies on the grid; what lies beyond it goes to its ends. A vector of
 * ranges is one a channel, the last axis. */
static hone_status *fake(hone_call *call, hone_value *x, hone_value *min, hone_value *max) {
  grid g = read_grid(call);
  int64_t axis = min->type.shape.rank == 1 ? hone_emit_rank(call, x) - 1 : 1;
  hone_value *least = f32(call, g.least), *most = f32(call, g.most);
  hone_value *scale = HONE_EMIT(call, "div", HONE_EMIT(call, "sub", max, min),
                                f32(call, g.most - g.least));
  hone_value *zero = HONE_EMIT(call, "sub", least, HONE_EMIT(call, "div", min, scale));
  zero = HONE_EMIT(call, "floor", HONE_EMIT(call, "add", zero, f32(call, 0.5)));
  zero = HONE_EMIT(call, "clip", zero, least, most);
  hone_value *low = HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", least, zero), scale);
  hone_value *high = HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", most, zero), scale);
  x = HONE_EMIT(call, "min", HONE_EMIT(call, "max", x, low), high);
  zero = hone_emit_cast(call, zero, g.dtype);
  hone_node *node = HONE_EMIT_BEGIN(call, "quantize", x, scale, zero);
  hone_emit_set_int(call, node, "axis", axis);
  hone_emit_set_int(call, node, "dtype", g.dtype);
  node = HONE_EMIT_BEGIN(call, "dequantize", hone_emit_end(call, node), scale, zero);
  hone_emit_set_int(call, node, "axis", axis);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_fake_args(hone_call *call) {
  return fake(call, hone_tf_in(call, 0), f32(call, hone_tf_real(call, "min", -6)),
              f32(call, hone_tf_real(call, "max", 6)));
}
static hone_status *import_fake_vars(hone_call *call) {
  return fake(call, hone_tf_in(call, 0), hone_tf_in(call, 1), hone_tf_in(call, 2));
}

/* ---- To integers and back ---- */

/* The least and the most of an integer type. */
typedef struct integers {
  double least, most;
  bool is_signed;
} integers;

static integers integers_of(hone_dtype dtype) {
  double count = (double)((uint64_t)1 << (hone_dtype_bits(dtype) & 63));
  bool is_signed = hone_dtype_class_of(dtype) == HONE_CLASS_SIGNED;
  return (integers){is_signed ? -count / 2 : 0, is_signed ? count / 2 - 1 : count - 1, is_signed};
}

/* A range whose ends may be vectors, one entry a position of `axis`. */
typedef struct range {
  hone_value *min, *max;
} range;

static hone_value *along_axis(hone_call *call, hone_value *ends, int rank, int64_t axis) {
  int64_t dims[HONE_MAX_RANK];
  if (axis < 0 || call->status) return ends;
  for (int i = 0; i < rank; i++) dims[i] = i == axis ? -1 : 1;
  return hone_emit_reshape(call, ends, dims, (size_t)rank);
}

/* Inputs 1 and 2, to go with x. */
static range read_range(hone_call *call, const hone_value *x) {
  int64_t axis = hone_tf_int(call, "axis", -1);
  int rank = axis < 0 ? 0 : hone_emit_rank(call, x);
  if (axis >= 0 && axis >= rank)
    hone_emit_fail(call, HONE_INVALID_MODEL, "axis %lld of %d dimensions", (long long)axis, rank);
  return (range){along_axis(call, hone_tf_in(call, 1), rank, axis),
                 along_axis(call, hone_tf_in(call, 2), rank, axis)};
}

static hone_value *real_like(hone_call *call, const hone_value *x, double value) {
  return hone_emit_real(call, x->type.dtype, value);
}

static hone_value *half_away(hone_call *call, hone_value *x) {
  hone_value *half = real_like(call, x, 0.5);
  hone_value *size =
      HONE_EMIT(call, "floor", HONE_EMIT(call, "add", HONE_EMIT(call, "abs", x), half));
  return HONE_EMIT(call, "mul", HONE_EMIT(call, "sign", x), size);
}

/* MIN_FIRST: a step is the range over its steps, one more than there are between the ends, and the
 * least value lies on a multiple of it. */
static hone_value *first_step(hone_call *call, range r, integers t) {
  double steps = t.most - t.least;
  return HONE_EMIT(call, "div", HONE_EMIT(call, "sub", r.max, r.min), f32(call, steps));
}

static hone_value *from_min_first(hone_call *call, hone_value *x, range r, integers t) {
  hone_value *step = first_step(call, r, t);
  hone_value *least = half_away(call, HONE_EMIT(call, "div", r.min, step));
  least = HONE_EMIT(call, "mul", least, step);
  least = HONE_EMIT(call, "select", HONE_EMIT(call, "equal", r.min, r.max), r.min, least);
  x = HONE_EMIT(call, "sub", x, f32(call, t.least));
  return HONE_EMIT(call, "add", HONE_EMIT(call, "mul", x, step), least);
}

static hone_value *from_min_combined(hone_call *call, hone_value *x, range r, integers t) {
  hone_value *step = HONE_EMIT(call, "div", HONE_EMIT(call, "sub", r.max, r.min),
                               f32(call, t.most - t.least));
  if (t.is_signed) x = HONE_EMIT(call, "sub", x, f32(call, t.least));
  return HONE_EMIT(call, "add", HONE_EMIT(call, "mul", x, step), r.min);
}

/* SCALED: zero is zero; the end that needs the larger step decides. */
static hone_value *from_scaled(hone_call *call, hone_value *x, range r, integers t) {
  bool narrow = hone_tf_flag(call, "narrow_range", false);
  hone_value *step = HONE_EMIT(call, "div", r.max, f32(call, t.most));
  if (t.is_signed)
    step = HONE_EMIT(call, "max", step,
                     HONE_EMIT(call, "div", r.min, f32(call, t.least + (narrow ? 1 : 0))));
  return HONE_EMIT(call, "mul", x, step);
}

static hone_status *import_dequantize(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  integers t = integers_of(x->type.dtype);
  const char *mode = hone_tf_text(call, "mode", "MIN_COMBINED");
  range r = read_range(call, x);
  x = hone_emit_cast(call, x, HONE_F32);
  hone_value *y = strcmp(mode, "MIN_FIRST") == 0 ? from_min_first(call, x, r, t)
                  : strcmp(mode, "SCALED") == 0  ? from_scaled(call, x, r, t)
                                                 : from_min_combined(call, x, r, t);
  hone_tf_return(call, 0, hone_emit_cast(call, y, hone_tf_dtype(call, "dtype", HONE_F32)));
  return NULL;
}

/* The range with 0 inside and its ends apart. */
static range widened(hone_call *call, range r) {
  hone_value *zero = f32(call, 0), *one = f32(call, 1);
  hone_value *far = HONE_EMIT(call, "max", HONE_EMIT(call, "abs", r.min),
                              HONE_EMIT(call, "abs", r.max));
  hone_value *apart =
      HONE_EMIT(call, "mul", HONE_EMIT(call, "max", far, one),
                f32(call, hone_tf_real(call, "ensure_minimum_range", (double)0.01f)));
  range out = {.min = HONE_EMIT(call, "min", r.min, zero)};
  out.max = HONE_EMIT(call, "max", r.max, HONE_EMIT(call, "add", out.min, apart));
  out.max = HONE_EMIT(call, "max", out.max, zero);
  return out;
}

static hone_value *to_min_combined(hone_call *call, hone_value *x, range r, integers t) {
  hone_value *steps = HONE_EMIT(call, "div", f32(call, t.most - t.least),
                                HONE_EMIT(call, "sub", r.max, r.min));
  x = HONE_EMIT(call, "clip", x, r.min, r.max);
  x = HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", x, r.min), steps);
  if (t.is_signed) return half_away(call, HONE_EMIT(call, "add", x, f32(call, t.least)));
  return HONE_EMIT(call, "floor", HONE_EMIT(call, "add", x, f32(call, 0.5)));
}

/* TensorFlow rounds what lies above the least value, but of signed types both by themselves. */
static hone_value *to_min_first(hone_call *call, hone_value *x, range r, integers t) {
  hone_value *steps = HONE_EMIT(call, "div", f32(call, t.most - t.least),
                                HONE_EMIT(call, "sub", r.max, r.min));
  if (t.is_signed) {
    hone_value *least = half_away(call, HONE_EMIT(call, "mul", r.min, steps));
    x = half_away(call, HONE_EMIT(call, "mul", x, steps));
    x = HONE_EMIT(call, "sub", x, HONE_EMIT(call, "sub", least, f32(call, t.least)));
  } else {
    x = half_away(call, HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", x, r.min), steps));
  }
  return HONE_EMIT(call, "clip", x, f32(call, t.least), f32(call, t.most));
}

/* How many steps make 1 for a SCALED range, symmetric about zero; the range becomes what the
 * integers then reach. A side that does not ask for anything gives the largest number. */
static hone_value *symmetric_steps(hone_call *call, double least, double most, range *r) {
  hone_value *const ends[] = {r->min, r->max};
  double const limits[] = {least, most};
  hone_value *steps[2], *zero = real_like(call, r->min, 0);
  for (int i = 0; i < 2; i++) {
    hone_value *limit = real_like(call, r->min, limits[i]);
    hone_value *asks = HONE_EMIT(call, "greater", HONE_EMIT(call, "mul", limit, ends[i]), zero);
    steps[i] = HONE_EMIT(call, "select", asks, HONE_EMIT(call, "div", limit, ends[i]),
                         real_like(call, r->min, (double)FLT_MAX));
  }
  hone_value *least_steps = HONE_EMIT(call, "min", steps[0], steps[1]);
  r->min = HONE_EMIT(call, "div", real_like(call, r->min, least), least_steps);
  r->max = HONE_EMIT(call, "div", real_like(call, r->max, most), least_steps);
  return least_steps;
}

/* Signed, the range reaches as far below 0 as above. */
static hone_value *to_scaled(hone_call *call, hone_value *x, range *r, integers t) {
  bool narrow = hone_tf_flag(call, "narrow_range", false);
  const char *round = hone_tf_text(call, "round_mode", "HALF_AWAY_FROM_ZERO");
  hone_value *far = r->max;
  if (t.is_signed) {
    far = HONE_EMIT(call, "max", HONE_EMIT(call, "abs", r->min), HONE_EMIT(call, "abs", r->max));
    *r = (range){HONE_EMIT(call, "neg", far), far};
  } else {
    r->min = f32(call, 0);
  }
  double reach = t.is_signed ? (t.most - t.least - (narrow ? 1 : 0)) / 2 : t.most;
  hone_value *steps = HONE_EMIT(call, "div", f32(call, reach), far);
  if (!t.is_signed && narrow) r->min = HONE_EMIT(call, "div", f32(call, 1), steps);
  x = HONE_EMIT(call, "mul", HONE_EMIT(call, "clip", x, r->min, r->max), steps);
  x = strcmp(round, "HALF_TO_EVEN") == 0 ? HONE_EMIT(call, "round", x) : half_away(call, x);
  return HONE_EMIT(call, "clip", x, f32(call, t.least), f32(call, t.most));
}

static hone_status *import_quantize(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_dtype to = hone_tf_dtype(call, "T", HONE_U8);
  integers t = integers_of(to);
  const char *mode = hone_tf_text(call, "mode", "MIN_COMBINED");
  if (hone_tf_int(call, "axis", -1) >= 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "ranges along an axis");
  range given = {hone_tf_in(call, 1), hone_tf_in(call, 2)}, r = widened(call, given);
  x = strcmp(mode, "MIN_FIRST") == 0 ? to_min_first(call, x, r, t)
      : strcmp(mode, "SCALED") == 0  ? to_scaled(call, x, &r, t)
                                     : to_min_combined(call, x, r, t);
  hone_tf_return(call, 0, hone_emit_cast(call, x, to));
  hone_tf_return(call, 1, hone_emit_reshape(call, r.min, NULL, 0));
  hone_tf_return(call, 2, hone_emit_reshape(call, r.max, NULL, 0));
  return NULL;
}

/* ---- Both at once ---- */

/* The range that x has itself, along `axis` or as a whole. */
static range own_range(hone_call *call, hone_value *x, int64_t axis) {
  int64_t others[HONE_MAX_RANK];
  size_t count = 0;
  int rank = hone_emit_rank(call, x);
  hone_value *ends[2];
  for (int i = 0; i < rank; i++)
    if (i != axis) others[count++] = i;
  for (int i = 0; i < 2; i++) {
    hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, hone_emit_ints(call, others, count));
    hone_emit_set_text(call, node, "kind", i ? "max" : "min");
    hone_emit_set_int(call, node, "keep", axis >= 0);
    hone_emit_set_int(call, node, "empty_is_all", false);
    ends[i] = hone_emit_end(call, node);
  }
  return (range){ends[0], ends[1]};
}

static hone_status *simulate(hone_call *call, int64_t bits, bool given) {
  hone_value *x = hone_tf_in(call, 0);
  bool is_signed = hone_tf_flag(call, "signed_input", true);
  const char *round = hone_tf_text(call, "round_mode", "HALF_TO_EVEN");
  if (bits < 2 || bits > 62)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "%lld bits", (long long)bits);
  double count = (double)((int64_t)1 << bits);
  double least = !is_signed                                      ? 0
                 : hone_tf_flag(call, "narrow_range", false) ? 1 - count / 2
                                                               : -count / 2;
  range r = given ? read_range(call, x) : own_range(call, x, hone_tf_int(call, "axis", -1));
  hone_value *steps = symmetric_steps(call, least, is_signed ? count / 2 - 1 : count - 1, &r);
  if (given) x = HONE_EMIT(call, "clip", x, r.min, r.max);
  x = HONE_EMIT(call, "mul", x, steps);
  if (strcmp(round, "HALF_UP") == 0)
    x = HONE_EMIT(call, "floor", HONE_EMIT(call, "add", x, real_like(call, x, 0.5)));
  else
    x = HONE_EMIT(call, "round", x);
  hone_tf_return(call, 0, HONE_EMIT(call, "div", x, steps));
  return NULL;
}

static hone_status *import_simulate(hone_call *call) {
  return simulate(call, hone_tf_int(call, "num_bits", 8), hone_tf_flag(call, "range_given", false));
}
static hone_status *import_simulate_bits(hone_call *call) {
  return simulate(call, hone_tf_known_int(call, 3), hone_tf_flag(call, "range_given", true));
}

const hone_tf_row hone_tf_quantised[] = {
    {"Dequantize", .import = import_dequantize},
    {"FakeQuantWithMinMaxArgs", .import = import_fake_args},
    {"FakeQuantWithMinMaxVars", .import = import_fake_vars},
    {"FakeQuantWithMinMaxVarsPerChannel", .import = import_fake_vars},
    {"QuantizeAndDequantizeV2", .import = import_simulate},
    {"QuantizeAndDequantizeV3", .import = import_simulate_bits},
    {"QuantizeAndDequantizeV4", .import = import_simulate},
    {"QuantizeV2", .import = import_quantize, .outputs = "output output_min output_max"},
    {0},
};
