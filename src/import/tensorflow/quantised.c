/* Fake quantisation: rounding to a grid, as quantize and dequantize. Room: import. */
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

const hone_tf_row hone_tf_quantised[] = {
    {"FakeQuantWithMinMaxArgs", .import = import_fake_args},
    {"FakeQuantWithMinMaxVars", .import = import_fake_vars},
    {"FakeQuantWithMinMaxVarsPerChannel", .import = import_fake_vars},
    {0},
};
