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
  /* Where things lie in scratch, in floats: gates' sums [direction][step][batch][gate][hidden];
   * states [direction][batch][hidden], of h two, that turns read and write in turn; and as many
   * temporary ones. */
  size_t sums, h[2], c, temporary;
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

static void start_state(real *state, const hone_kernel_io *io, int input, size_t count) {
  if (input >= 0)
    memcpy(state, io->in[input], count * sizeof(real));
  else
    memset(state, 0, count * sizeof(real));
}

/* And the states that the steps begin with. */
static void run_input(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  const hone_recurrent_layer *l = &a->layer;
  size_t rows = l->steps * l->batch, width = width_of(l), begin, end;
  size_t states = l->directions * l->batch * l->hidden;
  if (part == 0) {
    start_state((real *)io->scratch + a->h[0], io, l->h0, states);
    start_state((real *)io->scratch + a->c, io, l->c0, states);
  }
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

/* ---- One turn of a unit ---------------------------------------------------------------------- */

/* What is worked on in one turn: some columns of the states of a few sequences; rows of sums, states
 * and temporary lie one after the other. */
typedef struct unit {
  const hone_recurrent_layer *l;
  const hone_kernel_io *io;
  size_t direction, rows;
  size_t begin, count; /* columns of every gate and state */
  const real *r;
  real *sums, *c, *temporary;
  const real *before; /* h, all columns */
  real *after;        /* h, those of this unit */
} unit;

static real *sums_of(const unit *u, size_t row, size_t gate) {
  return u->sums + row * width_of(u->l) + gate * u->l->hidden + u->begin;
}

static void multiply_state(const unit *u, size_t gate, const real *state, real *out,
                           size_t out_stride, bool add) {
  const hone_recurrent_layer *l = u->l;
  const real *pack = u->r + (u->direction * l->gates + gate) * l->r_step;
  hone_real_multiply(l->tiles, u->rows, l->hidden, u->count, state, (ptrdiff_t)l->hidden,
                     pack + hone_real_pack_at(l->tiles, l->hidden, u->begin), out + u->begin,
                     (ptrdiff_t)out_stride, add);
}

static void activate(const unit *u, int function, bool clips, real *x, size_t stride) {
  const hone_recurrent_layer *l = u->l;
  if (clips && l->clip > 0)
    hone_real_limit(l->tiles, l->clip, x, (ptrdiff_t)stride, u->rows, u->count);
  hone_real_activate(l->tiles, l->activations[u->direction][function], x, (ptrdiff_t)stride,
                     u->rows, u->count);
}

static void activate_gate(const unit *u, int function, size_t gate) {
  activate(u, function, true, sums_of(u, 0, gate), width_of(u->l));
}

/* sums of a gate += peephole weights of place `which` times c. */
static void add_peephole(const unit *u, size_t gate, size_t which) {
  const hone_recurrent_layer *l = u->l;
  if (l->peephole < 0) return;
  const real *p = (const real *)u->io->in[l->peephole] + (u->direction * 3 + which) * l->hidden;
  for (size_t r = 0; r < u->rows; r++) {
    real *s = sums_of(u, r, gate);
    const real *c = u->c + r * l->hidden + u->begin;
    for (size_t i = 0; i < u->count; i++) s[i] += p[u->begin + i] * c[i];
  }
}

/* c = forget * c + in * cell, and a copy of it for h. */
static void update_cell(const unit *u) {
  const hone_recurrent_layer *l = u->l;
  for (size_t r = 0; r < u->rows; r++) {
    const real *in = sums_of(u, r, LSTM_I), *forget = sums_of(u, r, LSTM_F);
    const real *cell = sums_of(u, r, LSTM_C);
    real *c = u->c + r * l->hidden + u->begin, *h = u->after + r * l->hidden + u->begin;
    for (size_t i = 0; i < u->count; i++)
      h[i] = c[i] = (l->coupled ? 1 - in[i] : forget[i]) * c[i] + in[i] * cell[i];
  }
}

static void turn_lstm(const unit *u, size_t half) {
  const hone_recurrent_layer *l = u->l;
  (void)half;
  for (size_t gate = 0; gate < l->gates; gate++)
    multiply_state(u, gate, u->before, u->sums + gate * l->hidden, width_of(l), true);
  add_peephole(u, LSTM_I, 0);
  add_peephole(u, LSTM_F, 2);
  activate_gate(u, 0, LSTM_I);
  if (!l->coupled) activate_gate(u, 0, LSTM_F);
  activate_gate(u, 1, LSTM_C);
  update_cell(u);
  add_peephole(u, LSTM_O, 1);
  activate_gate(u, 0, LSTM_O);
  activate(u, 2, false, u->after + u->begin, l->hidden);
  for (size_t r = 0; r < u->rows; r++) {
    real *h = u->after + r * l->hidden + u->begin;
    const real *out = sums_of(u, r, LSTM_O);
    for (size_t i = 0; i < u->count; i++) h[i] *= out[i];
  }
}

/* Both gates; then of the last one's sums what the reset gate lets through, or what it is to be
 * multiplied with. */
static void open_gates(const unit *u) {
  const hone_recurrent_layer *l = u->l;
  size_t n = l->hidden;
  const real *bias = l->bias < 0 ? NULL : u->io->in[l->bias];
  if (bias) bias += (2 * u->direction + 1) * width_of(l) + GRU_H * n + u->begin;
  for (size_t gate = GRU_Z; gate <= GRU_R; gate++) {
    multiply_state(u, gate, u->before, u->sums + gate * n, width_of(l), true);
    activate_gate(u, 0, gate);
  }
  if (l->reset_after) multiply_state(u, GRU_H, u->before, u->temporary, n, false);
  for (size_t r = 0; r < u->rows; r++) {
    const real *reset = sums_of(u, r, GRU_R), *h = u->before + r * n + u->begin;
    real *sums = sums_of(u, r, GRU_H), *t = u->temporary + r * n + u->begin;
    for (size_t i = 0; i < u->count; i++)
      if (l->reset_after)
        sums[i] += reset[i] * (t[i] + (bias ? bias[i] : 0));
      else
        t[i] = reset[i] * h[i];
  }
}

/* Where the reset gate comes before the product, that needs all columns of the first half. */
static void turn_gru(const unit *u, size_t half) {
  const hone_recurrent_layer *l = u->l;
  size_t n = l->hidden;
  if (half == 0) open_gates(u);
  if (half == 0 && !l->reset_after) return;
  if (!l->reset_after)
    multiply_state(u, GRU_H, u->temporary, u->sums + GRU_H * n, width_of(l), true);
  activate_gate(u, 1, GRU_H);
  for (size_t r = 0; r < u->rows; r++) {
    const real *z = sums_of(u, r, GRU_Z), *fresh = sums_of(u, r, GRU_H);
    const real *before = u->before + r * n + u->begin;
    real *after = u->after + r * n + u->begin;
    for (size_t i = 0; i < u->count; i++) after[i] = (1 - z[i]) * fresh[i] + z[i] * before[i];
  }
}

static void turn_rnn(const unit *u, size_t half) {
  size_t n = u->l->hidden;
  (void)half;
  multiply_state(u, 0, u->before, u->sums, n, true);
  activate_gate(u, 0, 0);
  for (size_t r = 0; r < u->rows; r++)
    memcpy(u->after + r * n + u->begin, sums_of(u, r, 0), u->count * sizeof(real));
}

typedef void turn_function(const unit *u, size_t half);

static turn_function *const turns[] = {
    [HONE_RECURRENT_LSTM] = turn_lstm,
    [HONE_RECURRENT_GRU] = turn_gru,
    [HONE_RECURRENT_RNN] = turn_rnn,
};

/* Turns of a step: halves, between which all columns must be there. */
static size_t halves_of(const hone_recurrent_layer *l) {
  return l->kind == HONE_RECURRENT_GRU && !l->reset_after ? 2 : 1;
}

/* ---- The steps ------------------------------------------------------------------------------- */

/* Steps of sequence `n`; a length that is out of range is the nearest that is not. */
static size_t length_of(const hone_recurrent_layer *l, const hone_kernel_io *io, size_t n) {
  if (l->lengths < 0) return l->steps;
  int64_t length = hone_load_int(l->lengths_type, io->in[l->lengths], n);
  return length < 0 ? 0 : length > (int64_t)l->steps ? l->steps : (size_t)length;
}

/* The unit's columns of rows of states, to `out`; zeros where `from` is NULL. */
static void store(const unit *u, void *out, size_t first_row, const real *from) {
  size_t n = u->l->hidden;
  if (!out) return;
  for (size_t r = 0; r < u->rows; r++) {
    real *to = (real *)out + (first_row + r) * n + u->begin;
    if (from)
      memcpy(to, from + r * n + u->begin, u->count * sizeof(real));
    else
      memset(to, 0, u->count * sizeof(real));
  }
}

/* What a unit leaves behind in a step: a sequence that has ended keeps its state. */
static void end_step(const unit *u, size_t t, size_t first, bool live, bool last) {
  const hone_recurrent_layer *l = u->l;
  size_t row = u->direction * l->batch + first;
  if (!live) store(u, u->after, 0, u->before);
  store(u, u->io->out[Y], t * l->directions * l->batch + row, live ? u->after : NULL);
  if (!last) return;
  store(u, u->io->out[H], row, u->after);
  if (l->kind == HONE_RECURRENT_LSTM) store(u, u->io->out[C], row, u->c);
}

/* Sequences of a unit. */
static size_t unit_rows(const hone_recurrent_layer *l) {
  return l->lengths < 0 ? HONE_RECURRENT_ROWS : 1;
}

static size_t unit_count(const hone_recurrent_layer *l) {
  return (l->batch + unit_rows(l) - 1) / unit_rows(l) * l->directions;
}

/* Columns `begin` to `end` of unit `index` in turn `turn`. */
static void run_turn(const layer_args *a, const hone_kernel_io *io, size_t index, size_t turn,
                     size_t begin, size_t end) {
  const hone_recurrent_layer *l = &a->layer;
  size_t halves = halves_of(l), step = turn / halves, half = turn % halves;
  size_t units = unit_count(l) / l->directions, direction = index / units;
  size_t first = index % units * unit_rows(l), left = l->batch - first;
  size_t at = (direction * l->batch + first) * l->hidden, length = length_of(l, io, first);
  bool backwards = l->reversed || direction == 1;
  size_t t = backwards && step < length ? length - 1 - step : step;
  real *scratch = io->scratch;
  unit u = {.l = l,
            .io = io,
            .direction = direction,
            .rows = left < unit_rows(l) ? left : unit_rows(l),
            .begin = begin,
            .count = end - begin,
            .r = r_of(a, io),
            .sums = scratch + a->sums +
                    ((direction * l->steps + t) * l->batch + first) * width_of(l),
            .c = scratch + a->c + at,
            .temporary = scratch + a->temporary + at,
            .before = scratch + a->h[step % 2] + at,
            .after = scratch + a->h[1 - step % 2] + at};
  if (step < length) turns[l->kind](&u, half);
  if (half + 1 == halves) end_step(&u, t, first, step < length, step + 1 == l->steps);
}

/* What no step changed. */
static void copy_states(const layer_args *a, const hone_kernel_io *io) {
  const hone_recurrent_layer *l = &a->layer;
  size_t bytes = l->directions * l->batch * l->hidden * sizeof(real);
  const real *scratch = io->scratch;
  if (io->out[H]) memcpy(io->out[H], scratch + a->h[0], bytes);
  if (l->kind == HONE_RECURRENT_LSTM && io->out[C]) memcpy(io->out[C], scratch + a->c, bytes);
}

/* Parts have units of their own, from beginning to end. */
static void run_units(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  const hone_recurrent_layer *l = &a->layer;
  size_t begin, end;
  if (l->steps == 0 && part == 0) copy_states(a, io);
  hone_split(unit_count(l), 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++)
    for (size_t turn = 0; turn < l->steps * halves_of(l); turn++)
      run_turn(a, io, i, turn, 0, l->hidden);
}

/* Parts share each unit by columns, a turn at a time. */
static void run_columns(const void *args, const hone_kernel_io *io, int part, int parts) {
  const layer_args *a = args;
  const hone_recurrent_layer *l = &a->layer;
  size_t begin, end;
  hone_split(l->hidden, hone_real_panel(l->tiles), part, parts, &begin, &end);
  begin = hone_real_panel_begin(l->tiles, l->hidden, begin);
  end = hone_real_panel_begin(l->tiles, l->hidden, end);
  for (size_t i = 0; i < unit_count(l) && begin < end; i++)
    run_turn(a, io, i, io->turn, begin, end);
}

/* Weights of a state below which a barrier a turn costs more than a second thread gives. */
#define SHARED_WEIGHTS 32768

/* Fewer units than threads, and each of enough work. */
static bool shares_columns(const hone_recurrent_layer *l) {
  return unit_count(l) < (size_t)l->threads && l->steps > 0 &&
         l->hidden > hone_real_panel(l->tiles) &&
         l->gates * l->hidden * l->hidden >= SHARED_WEIGHTS;
}

/* Where things lie in scratch; false when they are too many. */
static bool lay_out(layer_args *a, size_t *end) {
  const hone_recurrent_layer *l = &a->layer;
  size_t state, sums, packs = 0;
  if (!hone_mul(l->directions * l->batch, l->hidden, &state) ||
      !hone_mul(state, l->steps, &sums) || !hone_mul(sums, l->gates, &sums) ||
      (!l->w && !hone_recurrent_packs(l, &packs)) || sums > SIZE_MAX / 32 ||
      packs > SIZE_MAX / 32 || state > SIZE_MAX / 128)
    return false;
  state = hone_align_up(state, 16);
  a->h[0] = hone_align_up(sums, 16);
  a->h[1] = a->h[0] + state;
  a->c = a->h[1] + state;
  a->temporary = a->c + state;
  a->w = a->temporary + state;
  a->r = a->w + l->directions * l->w_step;
  *end = a->w + hone_align_up(packs, 16);
  return true;
}

hone_status *hone_recurrent_plan(const hone_recurrent_layer *layer, hone_arena *arena,
                                 hone_kernel_plan *out) {
  size_t floats;
  layer_args *a = HONE_NEW(arena, layer_args);
  HONE_TRY_MEMORY(a);
  a->layer = *layer;
  if (!lay_out(a, &floats))
    return hone_error(HONE_LIMIT, "a recurrent layer's scratch is too large");
  *out = (hone_kernel_plan){.args = a, .shared_scratch = floats * sizeof(real)};
  if (!layer->w) out->phases[out->phase_count++] = run_pack;
  out->phases[out->phase_count++] = run_input;
  if (shares_columns(layer)) out->repeats[out->phase_count] = layer->steps * halves_of(layer) - 1;
  out->phases[out->phase_count++] = shares_columns(layer) ? run_columns : run_units;
  return NULL;
}
