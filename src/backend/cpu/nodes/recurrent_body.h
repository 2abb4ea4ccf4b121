/* lstm, gru and rnn nodes of floats on the kernel of recurrent.h. Room: backend/cpu/nodes. */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/recurrent.h"
#include "ops/recurrent.h"

/* Inputs, as ops/recurrent.h states them. */
enum { X, W, R, BIAS, LENGTHS, H0, C0, PEEPHOLE };

static const hone_real_tiles *tiles_of(const hone_cpu_kernel *row) {
#if defined(HONE_REAL_F64)
  (void)row;
  return hone_real_tiles_here();
#else
  const hone_tile_set *const *set = hone_tile_sets_f32;
  while (*set && (*set)->isa != row->isa) set++;
  return *set;
#endif
}

static hone_recurrent_kind kind_of(const hone_node *node) {
  return node->op == &hone_op_lstm  ? HONE_RECURRENT_LSTM
         : node->op == &hone_op_gru ? HONE_RECURRENT_GRU
                                    : HONE_RECURRENT_RNN;
}

/* The functions of a direction, and how many gates, by kind. */
static const struct {
  size_t gates;
  int functions;
  const char *defaults[3];
} kinds[] = {{4, 3, {"sigmoid", "tanh", "tanh"}},
             {3, 2, {"sigmoid", "tanh", NULL}},
             {1, 1, {"tanh", NULL, NULL}}};

static hone_real_activation activation_of(const hone_recurrent_function *f) {
  static const struct {
    const char *name;
    hone_activation_kind kind;
  } rows[] = {{"sigmoid", HONE_ACTIVATION_SIGMOID},
              {"tanh", HONE_ACTIVATION_TANH},
              {"affine", HONE_ACTIVATION_AFFINE},
              {"leaky_relu", HONE_ACTIVATION_LEAKY_RELU},
              {"thresholded_relu", HONE_ACTIVATION_THRESHOLDED_RELU},
              {"scaled_tanh", HONE_ACTIVATION_SCALED_TANH},
              {"hard_sigmoid", HONE_ACTIVATION_HARD_SIGMOID},
              {"elu", HONE_ACTIVATION_ELU},
              {"softsign", HONE_ACTIVATION_SOFTSIGN},
              {"softplus", HONE_ACTIVATION_SOFTPLUS}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strcmp(rows[i].name, f->name) == 0)
      return (hone_real_activation){rows[i].kind, (real)f->alpha, (real)f->beta};
  return (hone_real_activation){HONE_ACTIVATION_CLAMP, 0, INFINITY}; /* relu */
}

static void read_activations(const hone_node *node, hone_recurrent_layer *out) {
  hone_recurrent_function all[HONE_RECURRENT_FUNCTIONS];
  int functions = kinds[out->kind].functions;
  hone_recurrent_functions(node, functions, kinds[out->kind].defaults, all);
  for (int i = 0; i < functions * (int)out->directions; i++)
    out->activations[i / functions][i % functions] = activation_of(&all[i]);
}

static int input_of(const hone_node *node, int index) {
  return hone_node_in(node, index) ? index : -1;
}

/* What is known at build. */
static bool read_layer(const hone_cpu_kernel *row, const hone_node *node,
                       hone_recurrent_layer *out) {
  const hone_value *w = node->inputs[W].value, *r = node->inputs[R].value;
  if (!w || !r || !hone_shape_known(&w->type.shape) || !hone_shape_known(&r->type.shape))
    return false;
  *out = (hone_recurrent_layer){.kind = kind_of(node),
                                .tiles = tiles_of(row),
                                .input = (size_t)w->type.shape.dim[2],
                                .hidden = (size_t)r->type.shape.dim[2],
                                .directions = (size_t)r->type.shape.dim[0],
                                .reversed = hone_node_text(node, "direction")[0] == 'r',
                                .raw_w = W,
                                .raw_r = R,
                                .clip = (real)hone_node_real(node, "clip"),
                                .lengths = input_of(node, LENGTHS),
                                .bias = input_of(node, BIAS),
                                .h0 = input_of(node, H0),
                                .c0 = input_of(node, C0),
                                .peephole = input_of(node, PEEPHOLE)};
  out->gates = kinds[out->kind].gates;
  if (out->kind == HONE_RECURRENT_LSTM) out->coupled = hone_node_flag(node, "input_forget");
  if (out->kind == HONE_RECURRENT_GRU)
    out->reset_after = hone_node_flag(node, "linear_before_reset");
  if (out->lengths >= 0) out->lengths_type = node->inputs[LENGTHS].value->type.dtype;
  read_activations(node, out);
  return out->tiles && out->input && out->hidden;
}

static bool is_reals(const hone_cpu_kernel *row, const hone_node *node) {
  hone_recurrent_layer layer;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && i != LENGTHS && in->type.dtype != HONE_REAL_DTYPE) return false;
  }
  return read_layer(row, node, &layer);
}

/* Steps from one direction's w, and from one gate's r, to the next. */
static bool set_steps(hone_recurrent_layer *layer) {
  size_t w = hone_recurrent_w_size(layer), r = hone_recurrent_r_size(layer);
  if (w == 0 || r == 0 || w > SIZE_MAX / 64 || r > SIZE_MAX / 64) return false;
  layer->w_step = hone_align_up(w, 16);
  layer->r_step = hone_align_up(r, 16);
  return true;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  hone_recurrent_layer l;
  const hone_shape *x = &view->in[X]->shape;
  if (!read_layer(row, view->node, &l) || !set_steps(&l))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  l.steps = (size_t)x->dim[0];
  l.batch = (size_t)x->dim[1];
  l.threads = view->threads;
  if (view->packed) {
    l.w = view->packed;
    l.r = l.w + l.directions * l.w_step;
  }
  out->work = (double)(l.steps * l.batch * l.directions) * (double)(l.gates * l.hidden) *
              (double)(l.input + l.hidden) / 30;
  return hone_recurrent_plan(&l, arena, &out->kernel);
}

#if defined(HONE_REAL_F64)

const hone_node_functions hone_node_recurrent_f64 = {.accepts = is_reals, .plan = plan};

#else /* weights that are known at build are packed then */

static bool has_constant_weights(const hone_node *node) {
  return node->inputs[W].value->constant && node->inputs[R].value->constant;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  return has_constant_weights(node) && is_reals(row, node);
}

/* What has weights that only the run knows: of sizes that are known at build. */
static bool accepts_any(const hone_cpu_kernel *row, const hone_node *node) {
  return !has_constant_weights(node) && is_reals(row, node);
}

static size_t pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_recurrent_layer l;
  size_t floats, bytes;
  if (!read_layer(row, node, &l) || !set_steps(&l) || !hone_recurrent_packs(&l, &floats) ||
      !hone_mul(floats, sizeof(float), &bytes))
    return 0;
  return bytes;
}

static hone_status *pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_recurrent_layer l;
  hone_arena copies = {0};
  const float *w, *r;
  if (!read_layer(row, node, &l) || !set_steps(&l))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  hone_status *status = hone_constant_floats(node->inputs[W].value, &copies, &w);
  if (!status) status = hone_constant_floats(node->inputs[R].value, &copies, &r);
  float *to_w = to, *to_r = to_w + l.directions * l.w_step;
  if (!status) hone_recurrent_pack(&l, w, r, to_w, to_r, 0, 1);
  hone_arena_free(&copies);
  return status;
}

const hone_node_functions hone_node_recurrent = {
    .accepts = accepts,
    .plan = plan,
    .pack_size = pack_size,
    .pack = pack,
    .packed_inputs = 1u << W | 1u << R,
};
const hone_node_functions hone_node_recurrent_any = {.accepts = accepts_any, .plan = plan};

#endif
