/* Recognising the cells of LSTM (Hochreiter and Schmidhuber, 1997), GRU (Cho and others, 2014) and
 * Elman's net in the body of a loop, however their products are cut into gates. Room: passes. */
#include "passes/cell.h"

/* Sums inside sums, and what cuts them. */
enum { MOST_DEPTH = 16 };

typedef struct finder {
  const hone_node *loop;
  const hone_graph *body;
  bool (*is_row)(const hone_node *loop, const hone_value *value);
  const hone_value *state; /* what products with the state's weights take */
  hone_cell *cell;
} finder;

static const hone_node *made_by(const hone_value *value, const hone_op *op) {
  return value->producer && value->producer->op == op ? value->producer : NULL;
}

static hone_value *in(const hone_node *node, int index) { return node->inputs[index].value; }

static hone_dim last_dim(const hone_value *value) {
  const hone_shape *shape = &value->type.shape;
  return shape->rank > 0 ? shape->dim[shape->rank - 1] : -1;
}

/* ---- What a sum holds -------------------------------------------------------------------------- */

static bool collect(finder *f, hone_value *value, int64_t column, int depth, hone_cell_sum *sum);

static bool put(hone_cell_part *place, hone_cell_part part) {
  if (place->matrix) return false;
  *place = part;
  return true;
}

/* A product with rows of a constant: of the input's row, of the state, or of both joined. */
static bool collect_operand(finder *f, const hone_value *x, hone_cell_part part,
                            hone_cell_sum *sum) {
  hone_cell *cell = f->cell;
  if (x == f->state) return part.rows == cell->hidden && put(&sum->from_state, part);
  if (f->is_row(f->loop, x)) {
    if (cell->row && (cell->row != x || cell->input != part.rows)) return false;
    cell->row = x;
    cell->input = part.rows;
    return put(&sum->from_input, part);
  }
  const hone_node *join = made_by(x, &hone_op_concat);
  if (!join || join->input_count != 2) return false;
  for (int i = 0; i < 2; i++) {
    hone_dim rows = last_dim(in(join, i));
    if (!hone_dim_known(rows) || made_by(in(join, i), &hone_op_concat)) return false;
    hone_cell_part half = {part.matrix, part.row, rows, part.column};
    if (!collect_operand(f, in(join, i), half, sum)) return false;
    part.row += rows;
  }
  return true;
}

static bool collect_product(finder *f, const hone_node *node, int64_t column, int depth,
                            hone_cell_sum *sum) {
  hone_value *w = in(node, 1), *bias = hone_node_in(node, 2);
  if (!w->constant || w->type.shape.rank != 2 || hone_node_flag(node, "transpose_a") ||
      hone_node_flag(node, "transpose_b"))
    return false;
  hone_cell_part part = {w, 0, w->type.shape.dim[0], column};
  return collect_operand(f, in(node, 0), part, sum) &&
         (!bias || collect(f, bias, column, depth + 1, sum));
}

static bool collect_bias(hone_value *value, int64_t column, hone_cell_sum *sum) {
  size_t count;
  const hone_shape *shape = &value->type.shape;
  if (sum->bias_count == HONE_CELL_BIASES || !hone_shape_count(shape, &count)) return false;
  if (count > 1 && (int64_t)count != last_dim(value)) return false;
  sum->biases[sum->bias_count++] = (hone_cell_part){value, 0, 0, column};
  return true;
}

/* The first column of output `index` of a split along the last axis. */
static bool split_column(const hone_node *node, int index, int64_t *column) {
  int rank = in(node, 0)->type.shape.rank;
  int64_t axis = hone_node_int(node, "axis");
  if (rank < 1 || (axis != -1 && axis != rank - 1)) return false;
  for (int i = 0; i < index; i++) {
    hone_dim size = node->outputs[i] ? last_dim(node->outputs[i]) : last_dim(node->outputs[index]);
    if (!hone_dim_known(size) || !hone_add_s64(*column, size, column)) return false;
  }
  return true;
}

/* The first column of a slice that cuts the last axis alone. */
static bool slice_column(const hone_node *node, int64_t *column) {
  const hone_shape *x = &in(node, 0)->type.shape, *y = &node->outputs[0]->type.shape;
  int64_t starts[HONE_MAX_RANK], axes[HONE_MAX_RANK], steps[HONE_MAX_RANK];
  size_t count, axis_count, step_count;
  if (x->rank < 1 || !hone_constant_ints(in(node, 1), starts, HONE_MAX_RANK, &count)) return false;
  for (size_t i = 0; i < count; i++) {
    axes[i] = (int64_t)i;
    steps[i] = 1;
  }
  const hone_value *given = hone_node_in(node, 3), *step = hone_node_in(node, 4);
  if (given && (!hone_constant_ints(given, axes, HONE_MAX_RANK, &axis_count) || axis_count != count))
    return false;
  if (step && (!hone_constant_ints(step, steps, HONE_MAX_RANK, &step_count) || step_count != count))
    return false;
  for (int i = 0; i < x->rank - 1; i++)
    if (x->dim[i] != y->dim[i]) return false;
  for (size_t i = 0; i < count; i++) {
    bool last = axes[i] == x->rank - 1 || axes[i] == -1;
    if (steps[i] != 1 || (last ? starts[i] < 0 || !hone_add_s64(*column, starts[i], column)
                               : starts[i] != 0))
      return false;
  }
  return true;
}

/* What a piece is cut out of, and from which column on; NULL for what is no piece. */
static hone_value *cut_from(const hone_value *value, int64_t *column) {
  const hone_node *node = value->producer;
  if (!node || (node->op != &hone_op_split && node->op != &hone_op_slice)) return NULL;
  bool known = node->op == &hone_op_split ? split_column(node, value->index, column)
                                          : slice_column(node, column);
  return known ? in(node, 0) : NULL;
}

/* Takes apart what columns [column, column + hidden) of `value` are the sum of. */
static bool collect(finder *f, hone_value *value, int64_t column, int depth, hone_cell_sum *sum) {
  if (value->constant) return collect_bias(value, column, sum);
  const hone_node *node = value->producer;
  if (!node || depth > MOST_DEPTH) return false;
  if (node->op == &hone_op_matmul) return collect_product(f, node, column, depth, sum);
  if (node->op == &hone_op_add) {
    hone_value *a = in(node, 0), *b = in(node, 1);
    return (a->constant || b->constant || last_dim(a) == last_dim(b)) &&
           collect(f, a, column, depth + 1, sum) && collect(f, b, column, depth + 1, sum);
  }
  hone_value *whole = cut_from(value, &column);
  return whole && collect(f, whole, column, depth + 1, sum);
}

/* The sum under an activation, which may be that of several gates at once. */
static bool collect_gate(finder *f, const hone_value *value, const hone_op *activation,
                         hone_cell_sum *sum) {
  int64_t column = 0;
  const hone_value *whole = cut_from(value, &column);
  const hone_node *node = made_by(whole ? whole : value, activation);
  *sum = (hone_cell_sum){0};
  return node && last_dim(value) == f->cell->hidden && collect(f, in(node, 0), column, 0, sum) &&
         sum->from_input.matrix && sum->from_state.matrix;
}

/* ---- The cells --------------------------------------------------------------------------------- */

/* What a carried value is, and what it becomes. */
static hone_value *before(const finder *f, int slot) { return f->body->inputs[2 + slot]; }
static hone_value *after(const finder *f, int slot) { return f->body->outputs[1 + slot].value; }

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };

/* f * c + i * g, in any order. */
static bool find_state(finder *f, const hone_value *value) {
  hone_cell_sum *sums = f->cell->sums;
  const hone_node *sum = made_by(value, &hone_op_add);
  for (int turned = 0; sum && turned < 2; turned++) {
    const hone_node *kept = made_by(in(sum, turned), &hone_op_mul);
    const hone_node *fresh = made_by(in(sum, 1 - turned), &hone_op_mul);
    for (int k = 0; kept && fresh && k < 4; k++) {
      const hone_value *old = in(kept, k & 1), *i = in(fresh, k >> 1);
      if (old == before(f, f->cell->c) &&
          collect_gate(f, in(kept, 1 - (k & 1)), &hone_op_sigmoid, &sums[LSTM_F]) &&
          collect_gate(f, i, &hone_op_sigmoid, &sums[LSTM_I]) &&
          collect_gate(f, in(fresh, 1 - (k >> 1)), &hone_op_tanh, &sums[LSTM_C]))
        return true;
    }
  }
  return false;
}

/* h = o * tanh(c) */
static bool find_lstm(finder *f) {
  hone_cell *cell = f->cell;
  const hone_value *state = after(f, cell->c);
  const hone_node *product = made_by(after(f, cell->h), &hone_op_mul);
  cell->op = &hone_op_lstm;
  cell->gates = 4;
  for (int turned = 0; product && turned < 2; turned++) {
    const hone_node *squashed = made_by(in(product, turned), &hone_op_tanh);
    if (squashed && in(squashed, 0) == state &&
        collect_gate(f, in(product, 1 - turned), &hone_op_sigmoid, &cell->sums[LSTM_O]))
      return find_state(f, state);
  }
  return false;
}

enum { GRU_Z, GRU_R, GRU_H };

/* tanh(of the input + r * of the state) */
static bool find_late_reset(finder *f, const hone_value *sum) {
  hone_cell *cell = f->cell;
  const hone_node *node = made_by(sum, &hone_op_add);
  for (int k = 0; node && k < 4; k++) {
    const hone_node *reset = made_by(in(node, k & 1), &hone_op_mul);
    cell->sums[GRU_H] = cell->late = (hone_cell_sum){0};
    if (reset && collect_gate(f, in(reset, k >> 1), &hone_op_sigmoid, &cell->sums[GRU_R]) &&
        collect(f, in(reset, 1 - (k >> 1)), 0, 0, &cell->late) && !cell->late.from_input.matrix &&
        cell->late.from_state.matrix && collect(f, in(node, 1 - (k & 1)), 0, 0, &cell->sums[GRU_H]) &&
        cell->sums[GRU_H].from_input.matrix && !cell->sums[GRU_H].from_state.matrix)
      return true;
  }
  return false;
}

/* tanh(of the input + of r * the state) */
static bool find_early_reset(finder *f, const hone_value *fresh) {
  hone_cell *cell = f->cell;
  const hone_value *state = f->state;
  for (const hone_node *node = f->body->first; node; node = node->next)
    for (int k = 0; node->op == &hone_op_mul && k < 2; k++) {
      if (in(node, k) != state ||
          !collect_gate(f, in(node, 1 - k), &hone_op_sigmoid, &cell->sums[GRU_R]))
        continue;
      f->state = node->outputs[0];
      bool found = collect_gate(f, fresh, &hone_op_tanh, &cell->sums[GRU_H]);
      f->state = state;
      if (found) return true;
    }
  return false;
}

static bool find_fresh(finder *f, const hone_value *value) {
  const hone_node *node = made_by(value, &hone_op_tanh);
  f->cell->reset_after = node && find_late_reset(f, in(node, 0));
  return f->cell->reset_after || find_early_reset(f, value);
}

/* z * h + (1 - z) * fresh, in any order. */
static bool find_gru(finder *f) {
  hone_cell *cell = f->cell;
  const hone_node *sum = made_by(after(f, cell->h), &hone_op_add);
  double one;
  cell->op = &hone_op_gru;
  cell->gates = 3;
  for (int k = 0; sum && k < 8; k++) {
    const hone_node *kept = made_by(in(sum, k & 1), &hone_op_mul);
    const hone_node *new = made_by(in(sum, 1 - (k & 1)), &hone_op_mul);
    if (!kept || !new || in(kept, k >> 1 & 1) != f->state) continue;
    const hone_value *z = in(kept, 1 - (k >> 1 & 1));
    const hone_node *rest = made_by(in(new, k >> 2), &hone_op_sub);
    if (rest && hone_uniform(in(rest, 0), &one) && one == 1 && in(rest, 1) == z &&
        collect_gate(f, z, &hone_op_sigmoid, &cell->sums[GRU_Z]) &&
        find_fresh(f, in(new, 1 - (k >> 2))))
      return true;
  }
  return false;
}

static bool find_rnn(finder *f) {
  f->cell->op = &hone_op_rnn;
  f->cell->gates = 1;
  return collect_gate(f, after(f, f->cell->h), &hone_op_tanh, &f->cell->sums[0]);
}

bool hone_cell_find(const hone_node *loop,
                    bool (*is_row)(const hone_node *loop, const hone_value *value),
                    hone_cell *out) {
  int carried = (int)hone_node_int(loop, "carried");
  static bool (*const kinds[])(finder *) = {find_lstm, find_gru, find_rnn};
  for (int h = 0; h < carried; h++)
    for (int c = -1; c < carried; c++)
      for (int kind = 0; kind < 3 && c != h; kind++) {
        *out = (hone_cell){.h = h, .c = c};
        finder f = {loop, loop->regions[0], is_row, NULL, out};
        f.state = before(&f, h);
        out->hidden = last_dim(f.state);
        if (f.state->type.shape.rank == 2 && f.state->type.dtype == HONE_F32 &&
            hone_dim_known(out->hidden) && (kind == 0) == (c >= 0) && kinds[kind](&f))
          return true;
      }
  return false;
}
