/* quantize and dequantize nodes that are not pointwise: scales known only at run, blocks, and types
 * of fewer than 8 bits. Room: backend/cpu/nodes.
 *
 * Blocks of elements go through floats (doubles where floats cannot hold them), beside blocks of
 * their scales and zero points. */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/formula_step.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/scaling.h"

enum { X, SCALE, ZERO };
enum { BLOCK = HONE_BLOCK };

typedef struct scaled {
  hone_scaling scaling;
  size_t count;
  hone_dtype x, scale, zero, y; /* zero: none where absent */
  hone_dtype precision;         /* of a quotient */
  bool saturate;
  bool floats; /* whether floats hold all that comes up */
  hone_lane_function *const *lanes;
  const hone_strips *strips;
} scaled;

/* What goes with a block of elements: floats where they hold all, else doubles. */
typedef struct companions {
  double scale[BLOCK], zero[BLOCK];
  float scale_f32[BLOCK], zero_f32[BLOCK];
  float least, most; /* of the result */
  size_t filled;     /* the index of the scale that fills all; SIZE_MAX: none does */
} companions;

/* How many elements from `index` on share its scale, and whether the next ones have the scales that
 * follow one by one instead. */
static size_t same_scale(const hone_scaling *s, size_t index, bool *one_by_one) {
  size_t position = index / s->inner % s->extent;
  *one_by_one = s->inner > 1 ? s->blocked : s->block == 1 && s->extent > 1;
  if (s->inner > 1) return s->inner - index % s->inner; /* the rest of the row */
  if (*one_by_one) return s->extent - position;
  size_t block_end = (position / s->block + 1) * s->block;
  return (block_end < s->extent ? block_end : s->extent) - position;
}

/* One number for all; or for each of `count` elements from `begin` on its own. */
static void fill_same(hone_dtype dtype, const void *data, size_t at, double *reals, float *floats) {
  double value = dtype ? hone_load_real(dtype, data, at) : 0;
  for (size_t i = 0; i < BLOCK; i++) reals[i] = value;
  for (size_t i = 0; i < BLOCK; i++) floats[i] = (float)value;
}

static void fill_each(const scaled *q, hone_dtype dtype, const void *data, size_t begin,
                      size_t count, double *reals, float *floats) {
  for (size_t i = 0, run; i < count; i += run) {
    bool one_by_one;
    size_t at = hone_scaling_index(&q->scaling, begin + i);
    run = same_scale(&q->scaling, begin + i, &one_by_one);
    if (run > count - i) run = count - i;
    if (dtype && one_by_one) {
      hone_load_reals(dtype, data, at, run, reals + i);
    } else {
      double value = dtype ? hone_load_real(dtype, data, at) : 0;
      for (size_t k = 0; k < run; k++) reals[i + k] = value;
    }
  }
  for (size_t i = 0; i < count; i++) floats[i] = (float)reals[i];
}

/* Makes ready for at most `count` elements from `begin` on; returns for how many. */
static size_t accompany(const scaled *q, const hone_kernel_io *io, size_t begin, size_t count,
                        companions *to) {
  enum { LEAST = 32 }; /* runs of one scale that are worth a block of their own */
  const void *scales = io->in[SCALE], *zeros = io->in[ZERO];
  bool one_by_one, single = q->scaling.extent == 1 && q->scaling.inner == 1;
  size_t at = hone_scaling_index(&q->scaling, begin);
  size_t run = single ? count : same_scale(&q->scaling, begin, &one_by_one);
  bool packed = hone_dtype_bits(q->x) < 8 || hone_dtype_bits(q->y) < 8; /* blocks begin at bytes */
  bool same = single || (!one_by_one && (run >= count || (run >= LEAST && !packed)));
  if (!same) {
    fill_each(q, q->scale, scales, begin, count, to->scale, to->scale_f32);
    fill_each(q, q->zero, zeros, begin, count, to->zero, to->zero_f32);
    to->filled = SIZE_MAX;
    return count;
  }
  if (to->filled != at) {
    fill_same(q->scale, scales, at, to->scale, to->scale_f32);
    fill_same(q->zero, zeros, at, to->zero, to->zero_f32);
    to->filled = at;
  }
  return run < count ? run : count;
}

/* The least and the largest integer of a type of up to 32 bits. */
static void limits_of(hone_dtype dtype, double *least, double *most) {
  int bits = (int)hone_dtype_bits(dtype);
  bool is_signed = hone_dtype_class_of(dtype) == HONE_CLASS_SIGNED;
  *least = is_signed ? -ldexp(1, bits - 1) : 0;
  *most = ldexp(1, bits - is_signed) - 1;
}

typedef void block_function(const scaled *q, const hone_kernel_io *io, const companions *with,
                            size_t begin, size_t count);

static void run_blocks(const scaled *q, const hone_kernel_io *io, int part, int parts,
                       block_function *run) {
  companions with = {.filled = SIZE_MAX};
  size_t begin, end;
  double least, most;
  limits_of(q->y, &least, &most);
  with.least = (float)least;
  with.most = (float)most;
  hone_split(q->count, BLOCK, part, parts, &begin, &end);
  for (size_t i = begin, count; i < end; i += count) {
    count = accompany(q, io, i, end - i < BLOCK ? end - i : BLOCK, &with);
    run(q, io, &with, i, count);
  }
}

static bool is_integer(hone_dtype dtype) {
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  return klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED;
}

/* Elements of any type that floats hold; hone_floats_load has those of whole bytes. */
static void load_floats(hone_dtype dtype, const void *data, size_t at, size_t count, float *out) {
  unsigned bits = hone_dtype_bits(dtype);
  if (dtype == HONE_F32 || bits == 8 || bits == 16) {
    hone_floats_load(dtype, data, at, count, out);
    return;
  }
  double reals[BLOCK];
  hone_load_reals(dtype, data, at, count, reals);
  for (size_t i = 0; i < count; i++) out[i] = (float)reals[i];
}

/* ---- dequantize ----------------------------------------------------------------------------- */

static void dequantize_block(const scaled *q, const hone_kernel_io *io, const companions *with,
                             size_t begin, size_t count) {
  if (!q->floats) {
    double x[BLOCK];
    hone_load_reals(q->x, io->in[X], begin, count, x);
    for (size_t i = 0; i < count; i++)
      x[i] = (x[i] - (q->zero ? with->zero[i] : 0)) * with->scale[i];
    hone_store_reals(q->y, io->out[0], begin, count, x);
    return;
  }
  float x[BLOCK];
  load_floats(q->x, io->in[X], begin, count, x);
  if (q->zero) q->lanes[HONE_LANE_sub](count, x, with->zero_f32, x, 0, 0, x);
  float *y = q->y == HONE_F32 ? (float *)io->out[0] + begin : x;
  q->lanes[HONE_LANE_mul](count, x, with->scale_f32, x, 0, 0, y);
  if (y == x) hone_floats_store(q->y, x, count, io->out[0], begin);
}

static void run_dequantize(const void *args, const hone_kernel_io *io, int part, int parts) {
  run_blocks(args, io, part, parts, dequantize_block);
}

/* ---- quantize ------------------------------------------------------------------------------- */

static double round_to(hone_dtype dtype, double value) {
  uint64_t bits = 0;
  if (dtype == HONE_F64) return value;
  if (dtype == HONE_F32) return (double)(float)value;
  hone_store_real(dtype, &bits, 0, value);
  return hone_load_real(dtype, &bits, 0);
}

static void store_wholes(const scaled *q, const float *x, size_t begin, size_t count, void *y) {
  if (hone_dtype_bits(q->y) >= 8) {
    hone_floats_store(q->y, x, count, y, begin);
    return;
  }
  int64_t wholes[BLOCK];
  for (size_t i = 0; i < count; i++) wholes[i] = (int64_t)x[i];
  hone_store_ints(q->y, y, begin, count, wholes);
}

static void quantize_floats(const scaled *q, const hone_kernel_io *io, const companions *with,
                            size_t begin, size_t count) {
  float x[BLOCK];
  uint16_t halves[BLOCK];
  const float *scale = with->scale_f32;
  load_floats(q->x, io->in[X], begin, count, x);
  if (q->precision == HONE_F16) {
    q->lanes[HONE_LANE_div](count, x, scale, x, 0, 0, x);
    q->strips->to_f16(x, count, halves);
    q->strips->from_f16(halves, count, x);
    scale = NULL;
  }
  q->strips->quantize(x, scale, with->zero_f32, with->least, with->most, count, x);
  store_wholes(q, x, begin, count, io->out[0]);
}

static int64_t saturated(const scaled *q, double quotient, double zero) {
  double least, most, value = quotient != quotient ? 0 : nearbyint(quotient) + zero;
  limits_of(q->y, &least, &most);
  return (int64_t)(value < least ? least : value > most ? most : value);
}

static void quantize_reals(const scaled *q, const hone_kernel_io *io, const companions *with,
                           size_t begin, size_t count) {
  double x[BLOCK];
  bool whole = is_integer(q->y);
  hone_load_reals(q->x, io->in[X], begin, count, x);
  for (size_t i = 0; i < count; i++) {
    double quotient = round_to(q->precision, x[i] / with->scale[i]);
    if (whole)
      hone_store_int(q->y, io->out[0], begin + i,
                     saturated(q, quotient, q->zero ? with->zero[i] : 0));
    else if (q->saturate)
      hone_store_saturated(q->y, io->out[0], begin + i, quotient);
    else
      hone_store_real(q->y, io->out[0], begin + i, quotient);
  }
}

/* f32 to bytes by one scale. */
static void run_quantize_bytes(const void *args, const hone_kernel_io *io, int part, int parts) {
  const scaled *q = args;
  size_t begin, end;
  double least, most;
  float scale = (float)hone_load_real(q->scale, io->in[SCALE], 0);
  float zero = q->zero ? (float)hone_load_real(q->zero, io->in[ZERO], 0) : 0;
  limits_of(q->y, &least, &most);
  hone_split(q->count, BLOCK, part, parts, &begin, &end);
  q->strips->quantize_bytes((const float *)io->in[X] + begin, scale, zero, (float)least,
                            (float)most, end - begin, (uint8_t *)io->out[0] + begin);
}

static void run_quantize(const void *args, const hone_kernel_io *io, int part, int parts) {
  const scaled *q = args;
  run_blocks(q, io, part, parts, q->floats ? quantize_floats : quantize_reals);
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool floats_hold(hone_dtype dtype) {
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  if (klass == HONE_CLASS_FLOAT) return dtype != HONE_F64;
  return is_integer(dtype) && hone_dtype_bits(dtype) <= 16;
}

/* As quantize.c chooses it. */
static hone_dtype precision_of(const hone_node_view *view) {
  hone_dtype given = hone_node_dtype(view->node, "precision");
  hone_dtype x = view->in[X]->dtype, scale = view->in[SCALE]->dtype;
  if (given) return given;
  if (hone_dtype_class_of(x) != HONE_CLASS_FLOAT) return HONE_F32;
  if (x == scale) return x;
  return hone_dtype_bits(x) == 64 || hone_dtype_bits(scale) == 64 ? HONE_F64 : HONE_F32;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row, (void)node;
  return true;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  bool quantizes = row->op == &hone_op_quantize;
  const hone_type *x = view->in[X], *scale = view->in[SCALE], *zero = view->in[ZERO];
  scaled *q = HONE_NEW(arena, scaled);
  HONE_TRY_MEMORY(q);
  *q = (scaled){.scaling = hone_scaling_of(view->node, &x->shape, &scale->shape),
                .x = x->dtype,
                .scale = scale->dtype,
                .zero = zero ? zero->dtype : HONE_DTYPE_NONE,
                .y = view->out[0]->dtype,
                .lanes = hone_lanes(),
                .strips = hone_strips_here()};
  hone_shape_count(&x->shape, &q->count);
  q->floats = floats_hold(q->x) && floats_hold(q->y) && q->scale != HONE_F64;
  if (quantizes) {
    q->precision = precision_of(view);
    q->saturate = hone_node_flag(view->node, "saturate");
    q->floats = q->floats && is_integer(q->y) &&
                hone_dtype_class_of(q->x) == HONE_CLASS_FLOAT &&
                (q->precision == HONE_F32 || q->precision == HONE_F16);
  }
  out->work = (double)q->count * (q->floats ? 0.5 : 10);
  bool bytes = quantizes && q->floats && q->x == HONE_F32 && q->precision == HONE_F32 &&
               hone_dtype_bits(q->y) == 8 && q->scaling.extent == 1 && q->scaling.inner == 1;
  out->kernel = hone_one_phase(bytes       ? run_quantize_bytes
                               : quantizes ? run_quantize
                                           : run_dequantize,
                               q);
  return NULL;
}

const hone_node_functions hone_node_quantize = {.accepts = accepts, .plan = plan};
