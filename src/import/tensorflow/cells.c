/* The steps of recurrent nets that TensorFlow has as one operator, and its LSTM over a whole sequence.
 * Room: import. */
#include "import/regions.h"
#include "import/tensorflow/map.h"

static hone_value *sigmoid(hone_call *call, hone_value *x) { return HONE_EMIT(call, "sigmoid", x); }
static hone_value *tanh_of(hone_call *call, hone_value *x) { return HONE_EMIT(call, "tanh", x); }
static hone_value *add(hone_call *call, hone_value *a, hone_value *b) {
  return HONE_EMIT(call, "add", a, b);
}
static hone_value *mul(hone_call *call, hone_value *a, hone_value *b) {
  return HONE_EMIT(call, "mul", a, b);
}

/* [x, h] w + b */
static hone_value *product(hone_call *call, hone_value *x, hone_value *h, hone_value *w,
                           hone_value *b) {
  hone_node *join = HONE_EMIT_BEGIN(call, "concat", x, h);
  hone_emit_set_int(call, join, "axis", 1);
  return add(call, HONE_EMIT(call, "matmul", hone_emit_end(call, join), w), b);
}

static void split(hone_call *call, hone_value *x, int parts, hone_value **out) {
  hone_node *node = hone_emit_begin(call, "split", &x, 1, parts);
  hone_emit_set_int(call, node, "axis", 1);
  hone_emit_set_int(call, node, "parts", parts);
  out[0] = hone_emit_end(call, node);
  for (int i = 1; i < parts; i++) out[i] = hone_emit_out(call, node, i);
}

/* ---- LSTM -------------------------------------------------------------------------------------- */

/* The operators' outputs, in their order. */
enum { I, CS, F, O, CI, CO, H, OUTPUTS };
enum { W, WCI, WCF, WCO, B, WEIGHTS };

typedef struct lstm {
  hone_value *weights[WEIGHTS];
  int place[4]; /* of the gates i, ci, f, o among the columns */
  double forget_bias, clip;
  bool peephole;
} lstm;

static lstm read_lstm(hone_call *call, int first, double clip, bool second) {
  lstm l = {.clip = hone_tf_real(call, "cell_clip", clip),
            .forget_bias = second ? 0 : hone_tf_real(call, "forget_bias", 1),
            .peephole = hone_tf_flag(call, "use_peephole", false),
            .place = {0, second ? 2 : 1, second ? 1 : 2, 3}};
  for (int i = 0; i < WEIGHTS; i++) l.weights[i] = hone_tf_in(call, first + i);
  return l;
}

static hone_value *peep(hone_call *call, const lstm *l, hone_value *gate, hone_value *cs, int w) {
  return l->peephole ? add(call, gate, mul(call, cs, l->weights[w])) : gate;
}

static void lstm_step(hone_call *call, const lstm *l, hone_value *x, hone_value *cs, hone_value *h,
                      hone_value *out[OUTPUTS]) {
  hone_value *gates[4];
  hone_dtype dtype = x->type.dtype;
  split(call, product(call, x, h, l->weights[W], l->weights[B]), 4, gates);
  hone_value *f = gates[l->place[2]];
  if (l->forget_bias != 0) f = add(call, f, hone_emit_real(call, dtype, l->forget_bias));
  out[I] = sigmoid(call, peep(call, l, gates[l->place[0]], cs, WCI));
  out[CI] = tanh_of(call, gates[l->place[1]]);
  out[F] = sigmoid(call, peep(call, l, f, cs, WCF));
  cs = add(call, mul(call, out[F], cs), mul(call, out[I], out[CI]));
  if (l->clip > 0)
    cs = HONE_EMIT(call, "clip", cs, hone_emit_real(call, dtype, -l->clip),
                   hone_emit_real(call, dtype, l->clip));
  out[CS] = cs;
  out[O] = sigmoid(call, peep(call, l, gates[l->place[3]], cs, WCO));
  out[CO] = tanh_of(call, cs);
  out[H] = mul(call, out[O], out[CO]);
}

static hone_status *import_lstm_cell(hone_call *call) {
  hone_value *out[OUTPUTS];
  lstm l = read_lstm(call, 3, 3, false);
  lstm_step(call, &l, hone_tf_in(call, 0), hone_tf_in(call, 1), hone_tf_in(call, 2), out);
  for (int i = 0; i < OUTPUTS; i++) hone_tf_return(call, i, out[i]);
  return NULL;
}

/* The sequence as a loop that carries cs and h and stacks what each step gives. */
typedef struct sequence {
  hone_looping base; /* first */
  lstm lstm;
  hone_value *x;
} sequence;

static hone_status *capture_weights(const sequence *s, hone_graph *region, hone_value **x,
                                    lstm *l) {
  enum { FIRST = 4 };
  HONE_TRY(hone_region_capture(region, FIRST, 0, s->x, x));
  for (int i = 0; i < WEIGHTS; i++)
    if (i == W || i == B || l->peephole)
      HONE_TRY(hone_region_capture(region, FIRST, 0, s->lstm.weights[i], &l->weights[i]));
  return NULL;
}

static hone_status *fill_step(hone_looping *base, hone_graph *region, hone_value **out) {
  const sequence *s = (const sequence *)base;
  hone_call *call = base->call;
  hone_graph *around = call->graph;
  hone_value *x, *results[OUTPUTS];
  lstm l = s->lstm;
  HONE_TRY(capture_weights(s, region, &x, &l));
  call->graph = region;
  x = HONE_EMIT(call, "gather", x, region->inputs[0]);
  lstm_step(call, &l, x, region->inputs[2], region->inputs[3], results);
  out[0] = HONE_EMIT(call, "identity", region->inputs[1]);
  out[1] = results[CS];
  out[2] = results[H];
  for (int i = 0; i < OUTPUTS; i++) out[3 + i] = results[i];
  call->graph = around;
  hone_status *status = call->status;
  call->status = NULL;
  return status;
}

/* Steps beyond the longest sequence are zeros. */
static hone_value *fill_up(hone_call *call, hone_value *y, hone_value *steps) {
  int64_t zeros[] = {0, 0, 0};
  hone_value *const parts[] = {hone_emit_ints(call, zeros, 3),
                               HONE_EMIT(call, "sub", steps, hone_emit_dims(call, y, 0, 1)),
                               hone_emit_ints(call, zeros, 2)};
  hone_node *pads = hone_emit_begin(call, "concat", parts, 3, 1);
  hone_emit_set_int(call, pads, "axis", 0);
  return HONE_EMIT(call, "pad", y, hone_emit_end(call, pads));
}

static hone_status *import_sequence(hone_call *call, double clip, bool second) {
  hone_value *initial[] = {hone_tf_in(call, 2), hone_tf_in(call, 3)};
  hone_value *results[2 + OUTPUTS];
  sequence s = {.base = {.call = call, .initial = initial, .carried = 2, .scanned = OUTPUTS,
                         .fill = fill_step},
                .lstm = read_lstm(call, 4, clip, second),
                .x = hone_tf_in(call, 1)};
  int64_t longest;
  if (hone_emit_rank(call, s.x) != 3)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the sequence is not of 3 dimensions");
  hone_value *steps = hone_emit_dims(call, s.x, 0, 1);
  s.base.trips = hone_emit_reshape(call, hone_emit_cast(call, hone_tf_in(call, 0), HONE_S64), NULL, 0);
  bool whole = hone_known_int_at(s.base.trips, 0, &longest) && longest == s.x->type.shape.dim[0];
  if (call->status) return NULL;
  HONE_TRY(hone_emit_loop(&s.base, results));
  for (int i = 0; i < OUTPUTS && !call->status; i++)
    hone_tf_return(call, i, whole ? results[2 + i] : fill_up(call, results[2 + i], steps));
  return NULL;
}
static hone_status *import_block_lstm(hone_call *call) { return import_sequence(call, 3, false); }
static hone_status *import_block_lstm_2(hone_call *call) { return import_sequence(call, 0, true); }

/* ---- GRU --------------------------------------------------------------------------------------- */

/* h = u * h + (1 - u) * c, with c = tanh([x, r * h] w + b) */
static hone_status *import_gru_cell(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *h = hone_tf_in(call, 1), *gates[2];
  split(call, sigmoid(call, product(call, x, h, hone_tf_in(call, 2), hone_tf_in(call, 4))), 2, gates);
  hone_value *r = gates[0], *u = gates[1];
  hone_value *c = product(call, x, mul(call, r, h), hone_tf_in(call, 3), hone_tf_in(call, 5));
  c = tanh_of(call, c);
  hone_value *rest = HONE_EMIT(call, "sub", hone_emit_real(call, x->type.dtype, 1), u);
  hone_tf_return(call, 0, r);
  hone_tf_return(call, 1, u);
  hone_tf_return(call, 2, c);
  hone_tf_return(call, 3, add(call, mul(call, u, h), mul(call, rest, c)));
  return NULL;
}

const hone_tf_row hone_tf_cells[] = {
    {"BlockLSTM", .import = import_block_lstm, .outputs = "i cs f o ci co h"},
    {"BlockLSTMV2", .import = import_block_lstm_2, .outputs = "i cs f o ci co h"},
    {"GRUBlockCell", .import = import_gru_cell, .outputs = "r u c h"},
    {"LSTMBlockCell", .import = import_lstm_cell, .outputs = "i cs f o ci co h"},
    {0},
};
