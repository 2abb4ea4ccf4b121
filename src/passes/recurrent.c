/* Loops that step a recurrent net through a sequence become lstm, gru or rnn: one product for the
 * input of all steps, and a kernel that keeps the state's weights near. Frameworks without such an op,
 * and TensorFlow with one, save their layers as loops. Room: passes. */
#include "passes/cell.h"
#include "passes/partial.h"
#include "passes/passes.h"

enum { TRIPS, CONDITION, CARRIED };
enum { MOST_LIMITS = 4, MOST_TESTS = 16 };

/* How long a loop runs: as many turns as the least of these says. */
typedef struct limits {
  hone_value *values[MOST_LIMITS]; /* outside of the body, integers that only running tells */
  int count;
  int64_t least; /* of those that are constant */
} limits;

typedef struct recurrence {
  hone_node *loop;
  hone_graph *body;
  hone_partials *partials; /* of the graph around */
  hone_cell cell;
  hone_value *sequence;
  limits turns;
} recurrence;

/* ---- Turns ------------------------------------------------------------------------------------- */

static int carried_count(const hone_node *loop) { return (int)hone_node_int(loop, "carried"); }

static const hone_value *uncast(const hone_value *value) {
  while (value->producer && value->producer->op == &hone_op_cast)
    value = value->producer->inputs[0].value;
  return value;
}

static bool is_int(const hone_value *value, int64_t wanted) {
  int64_t number;
  size_t count;
  return value && hone_constant_ints(value, &number, 1, &count) && count == 1 && number == wanted;
}

/* Whether `value` is the turn's number plus one: the next of a carried value that starts at 0. */
static bool is_next_turn(const hone_node *loop, const hone_value *value) {
  const hone_graph *body = loop->regions[0];
  value = uncast(value);
  for (int i = 0; i < carried_count(loop); i++) {
    const hone_node *sum = body->outputs[1 + i].value->producer;
    if (body->outputs[1 + i].value != value || !sum || sum->op != &hone_op_add ||
        !is_int(loop->inputs[CARRIED + i].value, 0))
      continue;
    for (int k = 0; k < 2; k++)
      if (sum->inputs[k].value == body->inputs[2 + i] && is_int(sum->inputs[1 - k].value, 1))
        return true;
  }
  return false;
}

/* Whether `value` is the turn's number. */
static bool is_turn(const hone_node *loop, const hone_value *value) {
  const hone_graph *body = loop->regions[0];
  value = uncast(value);
  if (value == body->inputs[0]) return true;
  for (int i = 0; i < carried_count(loop); i++)
    if (value == body->inputs[2 + i]) return is_next_turn(loop, body->outputs[1 + i].value);
  return false;
}

/* What a capture is outside; NULL for other values. */
static hone_value *outside(const hone_node *loop, const hone_value *value) {
  const hone_graph *body = loop->regions[0];
  for (int i = 2 + carried_count(loop); i < body->input_count; i++)
    if (body->inputs[i] == value) return loop->inputs[i].value;
  return NULL;
}

static bool is_row(const hone_node *loop, const hone_value *value) {
  const hone_node *gather = value->producer;
  return gather && gather->op == &hone_op_gather && hone_node_int(gather, "axis") == 0 &&
         outside(loop, gather->inputs[0].value) && value->type.shape.rank == 2 &&
         is_turn(loop, gather->inputs[1].value);
}

static bool add_limit(limits *l, hone_value *value) {
  int64_t number;
  size_t count;
  if (!value) return false;
  if (hone_constant_ints(value, &number, 1, &count)) {
    if (number < l->least) l->least = number;
    return count == 1;
  }
  for (int i = 0; i < l->count; i++)
    if (l->values[i] == value) return true;
  if (l->count == MOST_LIMITS) return false;
  l->values[l->count++] = value;
  return true;
}

/* Reads `condition` as ands of "the turn is less than this": of the next turn inside the body, of turn
 * 0 outside. */
static bool read_limits(const hone_node *loop, const hone_value *condition, bool inside, limits *l) {
  const hone_value *tests[MOST_TESTS] = {condition};
  double truth;
  for (int count = 1; count;) {
    const hone_value *test = tests[--count];
    const hone_node *node = test->producer;
    if (hone_uniform(test, &truth) && truth == 1) continue;
    if (inside && test == loop->regions[0]->inputs[1]) continue;
    if (node && node->op == &hone_op_identity) {
      tests[count++] = node->inputs[0].value;
      continue;
    }
    if (!node || node->input_count != 2) return false;
    hone_value *left = node->inputs[0].value, *right = node->inputs[1].value;
    if (node->op == &hone_op_and) {
      if (count + 2 > MOST_TESTS) return false;
      tests[count++] = left;
      tests[count++] = right;
      continue;
    }
    if (node->op == &hone_op_greater) {
      hone_value *turned = left;
      left = right;
      right = turned;
    }
    if ((node->op != &hone_op_less && node->op != &hone_op_greater) ||
        !(inside ? is_next_turn(loop, left) : is_int(left, 0)))
      return false;
    if (inside && !right->constant) right = outside(loop, right);
    if (!add_limit(l, right)) return false;
  }
  return true;
}

/* A first turn that is taken untested takes place whatever the limits say; so they have to allow it. */
static bool find_turns(recurrence *r) {
  hone_node *loop = r->loop;
  limits first = {.least = INT64_MAX};
  r->turns = (limits){.least = INT64_MAX};
  const hone_value *start = loop->inputs[CONDITION].value;
  if (!read_limits(loop, r->body->outputs[0].value, true, &r->turns)) return false;
  if (start && !read_limits(loop, start, false, &first)) return false;
  if (r->turns.least < 1 || first.least < 1) return false;
  int allowed = 0;
  for (int i = 0; i < r->turns.count; i++)
    for (int k = 0; k < first.count; k++) allowed += r->turns.values[i] == first.values[k];
  if (allowed != r->turns.count || first.count > r->turns.count) return false;
  if (loop->inputs[TRIPS].value && !add_limit(&r->turns, loop->inputs[TRIPS].value)) return false;
  return r->turns.least != INT64_MAX || r->turns.count > 0;
}

/* ---- Building ---------------------------------------------------------------------------------- */

static hone_status *make_ints(hone_node *from, const int64_t *values, size_t count,
                              hone_value **out) {
  return hone_graph_ints(from->graph, NULL, 1, values, count, out);
}

static hone_status *make_slice(hone_node *from, hone_value *x, const int64_t *begin,
                               const int64_t *end, size_t axes, hone_value **out) {
  hone_value *inputs[4] = {x};
  static const int64_t order[] = {0, 1};
  HONE_TRY(make_ints(from, begin, axes, &inputs[1]));
  HONE_TRY(make_ints(from, end, axes, &inputs[2]));
  HONE_TRY(make_ints(from, order, axes, &inputs[3]));
  return hone_make(from, &hone_op_slice, inputs, 4, out);
}

static hone_status *make_concat(hone_node *from, hone_value **parts, int count, int axis,
                                hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, &hone_op_concat, parts, count, &node));
  HONE_TRY(hone_node_set_int(node, "axis", axis));
  return hone_node_finish(node, out);
}

static hone_status *add_axis(hone_node *from, hone_value *x, int64_t axis, hone_value **out) {
  hone_value *inputs[2] = {x};
  HONE_TRY(make_ints(from, &axis, 1, &inputs[1]));
  return hone_make(from, &hone_op_unsqueeze, inputs, 2, out);
}

static hone_status *drop_axis(hone_node *from, hone_value *x, int64_t axis, hone_value **out) {
  hone_value *inputs[2] = {x};
  HONE_TRY(make_ints(from, &axis, 1, &inputs[1]));
  return hone_make(from, &hone_op_squeeze, inputs, 2, out);
}

/* A constant of the body, outside of it. */
static hone_status *lift(hone_node *loop, const hone_value *value, hone_value **out) {
  return hone_graph_constant(loop->graph, value->name, value->type.dtype, value->type.shape,
                             value->constant, value->constant_size, out);
}

static hone_status *make_part(const recurrence *r, const hone_cell_part *part, hone_value **out) {
  HONE_TRY(lift(r->loop, part->matrix, out));
  return make_slice(r->loop, *out, (int64_t[]){part->row, part->column},
                    (int64_t[]){part->row + part->rows, part->column + r->cell.hidden}, 2, out);
}

/* What multiplies the input, or the state, in gate `g`. */
static const hone_cell_part *part_of(const hone_cell *cell, int g, bool state) {
  if (!state) return &cell->sums[g].from_input;
  bool late = cell->reset_after && g == cell->gates - 1;
  return late ? &cell->late.from_state : &cell->sums[g].from_state;
}

/* Those of all gates as [1, gates * hidden, rows]. */
static hone_status *make_weights(const recurrence *r, bool state, hone_value **out) {
  static const int turned[] = {1, 0};
  hone_value *gates[HONE_CELL_GATES];
  for (int g = 0; g < r->cell.gates; g++)
    HONE_TRY(make_part(r, part_of(&r->cell, g, state), &gates[g]));
  HONE_TRY(make_concat(r->loop, gates, r->cell.gates, 1, out));
  HONE_TRY(hone_make_transpose(r->loop, *out, turned, out));
  return add_axis(r->loop, *out, 0, out);
}

/* All biases of a gate as one vector [hidden]. */
static hone_status *make_bias(const recurrence *r, const hone_cell_sum *sum, hone_value **out) {
  hone_node *from = r->loop;
  int64_t hidden = r->cell.hidden;
  hone_value *zero, *inputs[2];
  size_t count = 0;
  HONE_TRY(hone_graph_real(from->graph, NULL, HONE_F32, 0, &zero));
  HONE_TRY(make_ints(from, &hidden, 1, &inputs[1]));
  inputs[0] = zero;
  HONE_TRY(hone_make(from, &hone_op_expand, inputs, 2, out));
  for (int i = 0; i < sum->bias_count; i++) {
    const hone_cell_part *part = &sum->biases[i];
    hone_value *bias;
    HONE_TRY(lift(from, part->matrix, &bias));
    (void)hone_shape_count(&bias->type.shape, &count);
    hone_shape flat = hone_shape_of(1, (hone_dim[]){(hone_dim)count});
    HONE_TRY(hone_make_reshape(from, bias, &flat, &bias));
    if (count > 1)
      HONE_TRY(make_slice(from, bias, &part->column, (int64_t[]){part->column + hidden}, 1, &bias));
    inputs[0] = *out;
    inputs[1] = bias;
    HONE_TRY(hone_make(from, &hone_op_add, inputs, 2, out));
  }
  return NULL;
}

/* [1, 2 * gates * hidden]: those beside the input, then those beside the state. */
static hone_status *make_biases(const recurrence *r, hone_value **out) {
  const hone_cell *cell = &r->cell;
  static const hone_cell_sum none;
  hone_value *parts[2 * HONE_CELL_GATES];
  for (int g = 0; g < cell->gates; g++) {
    bool late = cell->reset_after && g == cell->gates - 1;
    HONE_TRY(make_bias(r, &cell->sums[g], &parts[g]));
    HONE_TRY(make_bias(r, late ? &cell->late : &none, &parts[cell->gates + g]));
  }
  HONE_TRY(make_concat(r->loop, parts, 2 * cell->gates, 0, out));
  return add_axis(r->loop, *out, 0, out);
}

/* Whether the loop runs once for each row of the sequence, as far as one can tell. */
static bool takes_all(recurrence *r) {
  hone_dim rows = r->sequence->type.shape.dim[0];
  if (r->turns.count == 0) return rows == r->turns.least;
  if (r->turns.least != INT64_MAX) return false;
  for (int i = 0; i < r->turns.count; i++) {
    const hone_partial *known = hone_partial_of(r->partials, r->turns.values[i]);
    if (!known || known->count != 1 || known->items[0].kind == HONE_ITEM_UNKNOWN ||
        known->items[0].value != rows)
      return false;
  }
  return true;
}

/* The rows that the loop reads. */
static hone_status *make_sequence(recurrence *r, hone_value **out) {
  hone_node *from = r->loop;
  hone_value *inputs[4] = {r->sequence}, *end = NULL;
  hone_shape flat = hone_shape_of(1, (hone_dim[]){1});
  int64_t zero = 0;
  *out = r->sequence;
  if (takes_all(r)) return NULL;
  if (r->turns.least != INT64_MAX) HONE_TRY(make_ints(from, &r->turns.least, 1, &end));
  for (int i = 0; i < r->turns.count; i++) {
    hone_node *cast;
    hone_value *limit;
    HONE_TRY(hone_node_start(from, &hone_op_cast, &r->turns.values[i], 1, &cast));
    HONE_TRY(hone_node_set_int(cast, "to", HONE_S64));
    HONE_TRY(hone_node_finish(cast, &limit));
    HONE_TRY(hone_make_reshape(from, limit, &flat, &limit));
    hone_value *const both[] = {end, limit};
    if (end) HONE_TRY(hone_make(from, &hone_op_min, both, 2, &limit));
    end = limit;
  }
  HONE_TRY(make_ints(from, &zero, 1, &inputs[1]));
  HONE_TRY(make_ints(from, &zero, 1, &inputs[3]));
  /* Fewer rows than none are none, not all but some. */
  hone_value *const bounds[] = {end, inputs[1]};
  HONE_TRY(hone_make(from, &hone_op_max, bounds, 2, &inputs[2]));
  return hone_make(from, &hone_op_slice, inputs, 4, out);
}

/* ---- The rewrite ------------------------------------------------------------------------------- */

/* What an output of the loop is of the net's: 0 the states of all steps, 1 and 2 the last ones; -1 for
 * anything else. */
static int role_of(const recurrence *r, int output) {
  int carried = carried_count(r->loop);
  if (output < carried) return output == r->cell.h ? 1 : output == r->cell.c ? 2 : -1;
  return r->body->outputs[1 + output].value == r->body->outputs[1 + r->cell.h].value ? 0 : -1;
}

static bool is_wanted(const hone_node *node, int output) {
  return node->outputs[output] && node->outputs[output]->uses;
}

static bool find_recurrence(recurrence *r) {
  hone_node *loop = r->loop;
  r->body = loop->regions[0];
  for (int i = CARRIED; i < loop->input_count; i++)
    if (!loop->inputs[i].value) return false;
  if (!hone_cell_find(loop, is_row, &r->cell) || !find_turns(r)) return false;
  for (int i = 0; i < loop->output_count; i++)
    if (is_wanted(loop, i) && role_of(r, i) < 0) return false;
  r->sequence = outside(loop, r->cell.row->producer->inputs[0].value);
  return r->sequence->type.shape.rank == 3;
}

static hone_status *make_net(recurrence *r, hone_node **out) {
  hone_cell *cell = &r->cell;
  hone_value *inputs[7] = {0};
  HONE_TRY(make_sequence(r, &inputs[0]));
  HONE_TRY(make_weights(r, false, &inputs[1]));
  HONE_TRY(make_weights(r, true, &inputs[2]));
  HONE_TRY(make_biases(r, &inputs[3]));
  HONE_TRY(add_axis(r->loop, r->loop->inputs[CARRIED + cell->h].value, 0, &inputs[5]));
  if (cell->c >= 0)
    HONE_TRY(add_axis(r->loop, r->loop->inputs[CARRIED + cell->c].value, 0, &inputs[6]));
  HONE_TRY(hone_node_new(r->loop->graph, r->loop, cell->op, inputs, cell->c >= 0 ? 7 : 6,
                         cell->c >= 0 ? 3 : 2, out));
  HONE_TRY(hone_node_add_sources(*out, r->loop));
  if (cell->op == &hone_op_gru)
    HONE_TRY(hone_node_set_int(*out, "linear_before_reset", cell->reset_after));
  return hone_node_infer(*out);
}

static hone_status *rewrite(recurrence *r, hone_pass_context *context) {
  hone_node *net, *loop = r->loop;
  HONE_TRY(make_net(r, &net));
  hone_pass_fired(context, r->cell.op->name);
  hone_value *results[3] = {0};
  for (int i = 0; i < loop->output_count; i++) {
    int role = is_wanted(loop, i) ? role_of(r, i) : -1;
    if (role >= 0 && !results[role])
      HONE_TRY(drop_axis(loop, net->outputs[role], role == 0 ? 1 : 0, &results[role]));
  }
  /* With the last use goes the loop. */
  int left = 0;
  for (int i = 0; i < loop->output_count; i++) left += is_wanted(loop, i);
  for (int i = 0; left; i++) {
    if (!is_wanted(loop, i)) continue;
    left--;
    HONE_TRY(hone_substitute(loop, i, results[role_of(r, i)]));
  }
  for (int i = 0; i < net->output_count; i++)
    if (net->outputs[i] && !net->outputs[i]->uses) hone_node_drop_output(net, i);
  return NULL;
}

static hone_status *walk(hone_graph *graph, hone_pass_context *context) {
  hone_partials partials = {.graph = graph};
  hone_status *status = NULL;
  for (hone_node *node = graph->first, *next; node && !status; node = next) {
    next = node->next;
    recurrence r = {.loop = node, .partials = &partials};
    if (node->op == &hone_op_loop && find_recurrence(&r))
      status = rewrite(&r, context);
    else
      status = hone_partial_node(&partials, node);
  }
  hone_arena_free(&partials.arena);
  return status;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, walk);
}

const hone_pass hone_pass_recurrent = {"recurrent", run};
