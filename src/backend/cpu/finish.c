/* Reading what follows a heavy op and making it a finish. Room: backend/cpu. */
#include <math.h>
#include <string.h>

#include "backend/cpu/body.h"
#include "backend/cpu/chain.h"
#include "backend/cpu/rows.h"

/* The one node that uses the value; NULL where it has several uses or is the body's output. */
static const hone_node *only_user(const hone_value *value) {
  return value->uses && !value->uses->next ? value->uses->user : NULL;
}

static bool is_op(const hone_node *node, const char *name) {
  return node && strcmp(node->op->name, name) == 0;
}

static const hone_value *other_input(const hone_node *node, const hone_value *value) {
  return node->inputs[0].value == value ? hone_node_in(node, 1) : node->inputs[0].value;
}

/* A constant of one element a column: its last dim is the result's, all others are 1. */
static bool is_column_vector(const hone_value *constant, const hone_shape *result) {
  size_t count;
  if (!constant || !constant->constant || constant->type.dtype != HONE_F32) return false;
  const hone_shape *shape = &constant->type.shape;
  if (shape->rank < 1 || result->rank < shape->rank || !hone_shape_count(shape, &count))
    return false;
  hone_dim columns = shape->dim[shape->rank - 1];
  return (size_t)columns == count && columns == result->dim[result->rank - 1];
}

/* The same shape as far as symbols tell; plan checks again. */
static bool same_shape(const hone_value *a, const hone_value *b) {
  return hone_shape_equal(&a->type.shape, &b->type.shape);
}

static const struct activation_row {
  const char *op;
  hone_activation_kind kind;
  const char *a, *b;
} activation_rows[] = {{"leaky_relu", HONE_ACTIVATION_LEAKY_RELU, "alpha", NULL},
                       {"elu", HONE_ACTIVATION_ELU, "alpha", NULL},
                       {"sigmoid", HONE_ACTIVATION_SIGMOID, NULL, NULL},
                       {"tanh", HONE_ACTIVATION_TANH, NULL, NULL},
                       {"swish", HONE_ACTIVATION_SILU, "alpha", NULL},
                       {"hard_sigmoid", HONE_ACTIVATION_HARD_SIGMOID, "alpha", "beta"},
                       {"hard_swish", HONE_ACTIVATION_HARD_SWISH, NULL, NULL}};

static bool scalar(const hone_value *value, float missing, float *out) {
  size_t count;
  *out = missing;
  if (!value) return true;
  if (!value->constant || !hone_shape_count(&value->type.shape, &count) || count != 1)
    return false;
  *out = (float)hone_load_real(value->type.dtype, value->constant, 0);
  return true;
}

static bool activation_of(const hone_node *node, hone_activation *out) {
  if (is_op(node, "relu")) {
    *out = (hone_activation){HONE_ACTIVATION_CLAMP, 0, INFINITY};
    return true;
  }
  if (is_op(node, "clip")) {
    out->kind = HONE_ACTIVATION_CLAMP;
    return scalar(hone_node_in(node, 1), -INFINITY, &out->a) &&
           scalar(hone_node_in(node, 2), INFINITY, &out->b);
  }
  if (is_op(node, "silu")) {
    *out = (hone_activation){HONE_ACTIVATION_SILU, 1, 0};
    return true;
  }
  if (is_op(node, "gelu")) {
    bool tanh_form = strcmp(hone_node_text(node, "approximate"), "tanh") == 0;
    out->kind = tanh_form ? HONE_ACTIVATION_GELU_TANH : HONE_ACTIVATION_GELU_ERF;
    return true;
  }
  for (size_t i = 0; i < sizeof activation_rows / sizeof *activation_rows; i++) {
    const struct activation_row *row = &activation_rows[i];
    if (!is_op(node, row->op)) continue;
    out->kind = row->kind;
    if (row->a) out->a = (float)hone_node_real(node, row->a);
    if (row->b) out->b = (float)hone_node_real(node, row->b);
    return true;
  }
  return false;
}

bool hone_body_finish_of(const hone_graph *body, const hone_node *core, const hone_value *bias,
                         hone_body_finish *out) {
  *out = (hone_body_finish){.residual = -1};
  const hone_value *at = core->outputs[0];
  if (body->output_count != 1 || !at || at->type.dtype != HONE_F32) return false;
  if (bias) {
    if (!is_column_vector(bias, &at->type.shape)) return false;
    out->bias = bias;
  }
  const hone_node *user = only_user(at);
  if (!out->bias && is_op(user, "add") &&
      is_column_vector(other_input(user, at), &at->type.shape) &&
      same_shape(user->outputs[0], at)) {
    out->bias = other_input(user, at);
    at = user->outputs[0];
    user = only_user(at);
  }
  if (is_op(user, "add")) {
    const hone_value *other = other_input(user, at);
    int input = hone_body_input(body, other);
    if (input >= 0 && other->type.dtype == HONE_F32 && same_shape(other, at)) {
      out->residual = input;
      at = user->outputs[0];
      user = only_user(at);
    }
  }
  hone_activation activation = {0};
  if (user && activation_of(user, &activation) && user->inputs[0].value == at) {
    out->activation = activation;
    at = user->outputs[0];
  }
  out->result = body->outputs[0].value;
  if (at == out->result) return true;
  hone_chain chain;
  out->chain_start = at;
  return out->result->type.dtype == HONE_F32 && same_shape(out->result, core->outputs[0]) &&
         hone_chain_compile(body, at, NULL, &chain);
}

hone_status *hone_body_finish_keep(const hone_graph *body, const hone_body_finish *is,
                                   hone_arena *arena, hone_kept_finish *out) {
  *out = (hone_kept_finish){.is = *is};
  if (is->bias) {
    size_t count;
    out->bias = hone_body_floats(is->bias, arena, &count);
    HONE_TRY_MEMORY(out->bias);
  }
  if (!is->chain_start) return NULL;
  out->chain = HONE_NEW(arena, hone_chain);
  HONE_TRY_MEMORY(out->chain);
  return hone_chain_compile(body, is->chain_start, arena, out->chain) ? NULL
                                                                      : hone_error_memory();
}

hone_status *hone_body_finish_plan(const hone_kept_finish *kept, const hone_type *types,
                                   hone_arena *arena, hone_finish *out) {
  const hone_shape *shape = &types[kept->is.result->id].shape;
  *out = (hone_finish){.bias = kept->bias,
                       .residual = kept->is.residual,
                       .residual_stride = (ptrdiff_t)shape->dim[shape->rank - 1],
                       .activation = kept->is.activation};
  if (kept->is.residual >= 0) {
    const hone_graph *body = kept->is.result->graph;
    if (!hone_shape_equal(&types[body->inputs[kept->is.residual]->id].shape, shape))
      return hone_error(HONE_UNSUPPORTED, "the residual has another shape");
  }
  if (!kept->chain) return NULL;
  hone_chain_tail *tail = HONE_NEW(arena, hone_chain_tail);
  HONE_TRY_MEMORY(tail);
  if (!hone_chain_tail_plan(kept->chain, types, shape, tail))
    return hone_error(HONE_UNSUPPORTED, "an operand of the epilogue broadcasts in no simple way");
  out->program = hone_chain_tile;
  out->program_state = tail;
  return NULL;
}
