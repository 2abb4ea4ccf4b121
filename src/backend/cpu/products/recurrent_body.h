/* Recurrent layers, of the type of real.h. Room: backend/cpu/products. */
#include "backend/cpu/products/recurrent.h"

#include <string.h>

#include "base/pool.h"

enum { X };
enum { Y, H, C };
enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };
enum { GRU_Z, GRU_R, GRU_H };

typedef struct layer_args {
  hone_recurrent_layer layer;
  /* Where things lie in scratch, in floats: gates' sums [direction][step][batch][gate][hidden],
   * states [direction][batch][hidden], and for each part rows of 2 * hidden. */
  size_t sums, h, c, part, part_size;
  size_t w, r; /* and the packs that the run makes */
} layer_args;

size_t hone_recurrent_w_size(const hone_recurrent_layer *l) {
  return hone_real_pack_size(l->tiles, l->input, l->gates * l->hidden);
}
size_t hone_recurrent_r_size(const hone_recurrent_layer *l) {
  return hone_real_pack_size(l->tiles, l->hidden, l->hidden);
}

static size_t width_of(const hone_recurrent_layer *l) {
  return l->gates * l->hidden;
}

/* ---- Packs ----------------------------------------------------------------------------------- */

bool hone_recurrent_packs(const hone_recurrent_layer *l, size_t *out) {
  size_t w, r;
  return hone_mul(l->directions, l->w_step, &w) &&
         hone_mul(l->directions * l->gates, l->r_step, &r) && hone_add(w, r, out);
}

void hone_recurrent_pack(const hone_recurrent_layer *l, const real *w, const real *r, real *to_w,
                         real *to_r, int part, int parts) {
  size_t columns = width_of(l), gates = l->directions * l->gates, begin, end;
  hone_split(l->directions + gates, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t g = i - l->directions;
    if (i < l->directions)
      hone_real_pack(l->tiles, l->input, columns, w + i * columns * l->input, 1,
                     (ptrdiff_t)l->input, to_w + i * l->w_step);
    else
      hone_real_pack(l->tiles, l->hidden, l->hidden, r + g * l->hidden * l->hidden, 1,
                     (ptrdiff_t)l->hidden, to_r + g * l->r_step);
  }
}

static void run_pack(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  real *scratch = io->scratch;
  hone_recurrent_pack(&a->layer, io->in[a->layer.raw_w], io->in[a->layer.raw_r], scratch + a->w,
                      scratch + a->r, part, parts);
}

static const real *w_of(const layer_args *a, const hone_kernel_io *io) {
  return a->layer.w ? a->layer.w : (const real *)io->scratch + a->w;
}

static const real *r_of(const layer_args *a, const hone_kernel_io *io) {
  return a->layer.r ? a->layer.r : (const real *)io->scratch + a->r;
}

/* ---- All steps' products with the input ------------------------------------------------------ */

/* The biases of both products, but that of gru's last one where the reset gate comes between. */
static void add_biases(const layer_args *a, const hone_kernel_io *io, size_t direction, real *sums,
                       size_t rows) {
  const hone_recurrent_layer *l = &a->layer;
  size_t width = width_of(l), shared = l->reset_after ? GRU_H * l->hidden : width;
  if (l->bias < 0) return;
  const real *bias = (const real *)io->in[l->bias] + 2 * width * direction;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < width; i++)
      sums[r * width + i] += bias[i] + (i < shared ? bias[width + i] : 0);
}

static void run_input(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  const hone_recurrent_layer *l = &a->layer;
  size_t rows = l->steps * l->batch, width = width_of(l), begin, end;
  for (size_t d = 0; d < l->directions; d++) {
    hone_split(rows, hone_real_tile_rows(l->tiles), part, parts, &begin, &end);
    real *sums = (real *)io->scratch + a->sums + (d * rows + begin) * width;
    if (begin == end) continue;
    hone_real_multiply(l->tiles, end - begin, l->input, width,
                       (const real *)io->in[X] + begin * l->input, (ptrdiff_t)l->input,
                       w_of(a, io) + d * l->w_step, sums, (ptrdiff_t)width, false);
    add_biases(a, io, d, sums, end - begin);
  }
}

/* ---- One step of a unit ---------------------------------------------------------------------- */

/* What a unit works on in one step; rows of sums, states and temporary lie one after the other. */
typedef struct unit {
  const hone_recurrent_layer *l;
  const hone_kernel_io *io;
  size_t direction, rows;
  const real *r;
  real *sums, *h, *c, *temporary;
} unit;

static void multiply_state(const unit *u, size_t gate, const real *state, real *out,
                           size_t out_stride, bool add) {
  const hone_recurrent_layer *l = u->l;
  hone_real_multiply(l->tiles, u->rows, l->hidden, l->hidden, state, (ptrdiff_t)l->hidden,
                     u->r + (u->direction * l->gates + gate) * l->r_step, out,
                     (ptrdiff_t)out_stride, add);
}

static void activate(const unit *u, int function, bool clips, real *x, size_t stride) {
  const hone_recurrent_layer *l = u->l;
  if (clips && l->clip > 0)
    hone_real_limit(l->tiles, l->clip, x, (ptrdiff_t)stride, u->rows, l->hidden);
  hone_real_activate(l->tiles, l->activations[u->direction][function], x, (ptrdiff_t)stride,
                     u->rows, l->hidden);
}

/* sums of a gate += peephole weights of place `which` times c. */
static void add_peephole(const unit *u, size_t gate, size_t which) {
  const hone_recurrent_layer *l = u->l;
  if (l->peephole < 0) return;
  const real *p = (const real *)u->io->in[l->peephole] + (u->direction * 3 + which) * l->hidden;
  for (size_t r = 0; r < u->rows; r++)
    for (size_t i = 0; i < l->hidden; i++)
      u->sums[r * width_of(l) + gate * l->hidden + i] += p[i] * u->c[r * l->hidden + i];
}

static void step_lstm(const unit *u) {
  const hone_recurrent_layer *l = u->l;
  size_t n = l->hidden, width = width_of(l);
  for (size_t gate = 0; gate < l->gates; gate++)
    multiply_state(u, gate, u->h, u->sums + gate * n, width, true);
  add_peephole(u, LSTM_I, 0);
  add_peephole(u, LSTM_F, 2);
  activate(u, 0, true, u->sums + LSTM_I * n, width);
  if (!l->coupled) activate(u, 0, true, u->sums + LSTM_F * n, width);
  activate(u, 1, true, u->sums + LSTM_C * n, width);
  for (size_t r = 0; r < u->rows; r++) {
    const real *s = u->sums + r * width;
    real *c = u->c + r * n;
    for (size_t i = 0; i < n; i++) {
      real in = s[LSTM_I * n + i], forget = l->coupled ? 1 - in : s[LSTM_F * n + i];
      c[i] = forget * c[i] + in * s[LSTM_C * n + i];
    }
  }
  add_peephole(u, LSTM_O, 1);
  activate(u, 0, true, u->sums + LSTM_O * n, width);
  memcpy(u->h, u->c, u->rows * n * sizeof(real));
  activate(u, 2, false, u->h, n);
  for (size_t r = 0; r < u->rows; r++)
    for (size_t i = 0; i < n; i++) u->h[r * n + i] *= u->sums[r * width + LSTM_O * n + i];
}

/* The last gate's sums, with what of the state the reset gate lets through. */
static void add_reset_state(const unit *u) {
  const hone_recurrent_layer *l = u->l;
  size_t n = l->hidden, width = width_of(l);
  const real *bias = l->bias < 0 ? NULL : u->io->in[l->bias];
  if (bias) bias += (2 * u->direction + 1) * width + GRU_H * n;
  if (l->reset_after) {
    multiply_state(u, GRU_H, u->h, u->temporary, n, false);
    for (size_t r = 0; r < u->rows; r++)
      for (size_t i = 0; i < n; i++) {
        real *s = u->sums + r * width + i;
        s[GRU_H * n] += s[GRU_R * n] * (u->temporary[r * n + i] + (bias ? bias[i] : 0));
      }
    return;
  }
  for (size_t r = 0; r < u->rows; r++)
    for (size_t i = 0; i < n; i++)
      u->temporary[r * n + i] = u->sums[r * width + GRU_R * n + i] * u->h[r * n + i];
  multiply_state(u, GRU_H, u->temporary, u->sums + GRU_H * n, width, true);
}

static void step_gru(const unit *u) {
  const hone_recurrent_layer *l = u->l;
  size_t n = l->hidden, width = width_of(l);
  for (size_t gate = GRU_Z; gate <= GRU_R; gate++) {
    multiply_state(u, gate, u->h, u->sums + gate * n, width, true);
    activate(u, 0, true, u->sums + gate * n, width);
  }
  add_reset_state(u);
  activate(u, 1, true, u->sums + GRU_H * n, width);
  for (size_t r = 0; r < u->rows; r++)
    for (size_t i = 0; i < n; i++) {
      const real *s = u->sums + r * width + i;
      real *h = u->h + r * n + i, z = s[GRU_Z * n];
      *h = (1 - z) * s[GRU_H * n] + z * *h;
    }
}

static void step_rnn(const unit *u) {
  size_t n = u->l->hidden;
  multiply_state(u, 0, u->h, u->sums, n, true);
  activate(u, 0, true, u->sums, n);
  memcpy(u->h, u->sums, u->rows * n * sizeof(real));
}

/* ---- The steps ------------------------------------------------------------------------------- */

static void start_state(real *state, const real *from, size_t at, size_t count) {
  if (from)
    memcpy(state, from + at, count * sizeof(real));
  else
    memset(state, 0, count * sizeof(real));
}

/* Steps of sequence `n`; a length that is out of range is the nearest that is not. */
static size_t length_of(const hone_recurrent_layer *l, const hone_kernel_io *io, size_t n) {
  if (l->lengths < 0) return l->steps;
  int64_t length = hone_load_int(l->lengths_type, io->in[l->lengths], n);
  return length < 0 ? 0 : length > (int64_t)l->steps ? l->steps : (size_t)length;
}

static void store_step(const unit *u, size_t t, size_t first, bool zeros) {
  const hone_recurrent_layer *l = u->l;
  real *y = u->io->out[Y];
  if (!y) return;
  y += ((t * l->directions + u->direction) * l->batch + first) * l->hidden;
  if (zeros)
    memset(y, 0, u->rows * l->hidden * sizeof(real));
  else
    memcpy(y, u->h, u->rows * l->hidden * sizeof(real));
}

static void store_state(real *out, const real *state, size_t at, size_t count) {
  if (out) memcpy(out + at, state, count * sizeof(real));
}

/* `rows` sequences from `first` on, in one direction, from beginning to end. */
static void run_unit(const layer_args *a, const hone_kernel_io *io, size_t direction, size_t first,
                     size_t rows, real *temporary) {
  const hone_recurrent_layer *l = &a->layer;
  real *scratch = io->scratch;
  size_t n = l->hidden, at = (direction * l->batch + first) * n, count = rows * n;
  unit u = {.l = l,
            .io = io,
            .direction = direction,
            .rows = rows,
            .r = r_of(a, io),
            .h = scratch + a->h + at,
            .c = scratch + a->c + at,
            .temporary = temporary};
  start_state(u.h, l->h0 < 0 ? NULL : io->in[l->h0], at, count);
  start_state(u.c, l->c0 < 0 ? NULL : io->in[l->c0], at, count);
  size_t length = length_of(l, io, first);
  bool backwards = l->reversed || direction == 1;
  for (size_t step = 0; step < l->steps; step++) {
    size_t t = backwards && step < length ? length - 1 - step : step;
    u.sums = scratch + a->sums + ((direction * l->steps + t) * l->batch + first) * width_of(l);
    if (step < length) {
      if (l->kind == HONE_RECURRENT_LSTM)
        step_lstm(&u);
      else if (l->kind == HONE_RECURRENT_GRU)
        step_gru(&u);
      else
        step_rnn(&u);
    }
    store_step(&u, t, first, step >= length);
  }
  store_state(io->out[H], u.h, at, count);
  if (l->kind == HONE_RECURRENT_LSTM) store_state(io->out[C], u.c, at, count);
}

static void run_steps(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  const hone_recurrent_layer *l = &a->layer;
  size_t rows = l->lengths < 0 ? HONE_RECURRENT_ROWS : 1;
  size_t units = (l->batch + rows - 1) / rows, begin, end;
  real *temporary = (real *)io->scratch + a->part + (size_t)part * a->part_size;
  hone_split(units * l->directions, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t first = i % units * rows, left = l->batch - first;
    run_unit(a, io, i / units, first, left < rows ? left : rows, temporary);
  }
}

hone_status *hone_recurrent_plan(const hone_recurrent_layer *layer, hone_arena *arena,
                                 hone_kernel_plan *out) {
  layer_args *a = HONE_NEW(arena, layer_args);
  HONE_TRY_MEMORY(a);
  a->layer = *layer;
  size_t state, sums, packs = 0;
  if (!hone_mul(layer->directions * layer->batch, layer->hidden, &state) ||
      !hone_mul(state, layer->steps, &sums) || !hone_mul(sums, layer->gates, &sums) ||
      (!layer->w && !hone_recurrent_packs(layer, &packs)) || sums > SIZE_MAX / 32 ||
      packs > SIZE_MAX / 32 || state > SIZE_MAX / 64)
    return hone_error(HONE_LIMIT, "a recurrent layer's scratch is too large");
  a->h = hone_align_up(sums, 16);
  a->c = a->h + hone_align_up(state, 16);
  a->w = a->c + hone_align_up(state, 16);
  a->r = a->w + layer->directions * layer->w_step;
  a->part = a->w + packs;
  a->part_size = hone_align_up(HONE_RECURRENT_ROWS * layer->hidden, 16);
  *out = (hone_kernel_plan){.args = a,
                            .shared_scratch = a->part * sizeof(real),
                            .part_scratch = a->part_size * sizeof(real)};
  if (!layer->w) out->phases[out->phase_count++] = run_pack;
  out->phases[out->phase_count++] = run_input;
  out->phases[out->phase_count++] = run_steps;
  return NULL;
}
