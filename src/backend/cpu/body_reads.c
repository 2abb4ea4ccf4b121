/* Reading and writing through moves. Stages are walked from the last to the first: whoever reads a
 * move comes before it, and so says in time whether its copy is needed. Room: backend/cpu. */
#include "backend/cpu/body_reads.h"

/* Moves and views between a kernel and what it reads, at most. */
enum { MOST_MOVES = 8 };

typedef struct chooser {
  const hone_body *body;
  const hone_group_view *view;
  hone_stage_reads *reads;
  bool wanted[HONE_BODY_STAGES]; /* of moves: somebody reads the copy */
} chooser;

static bool is_move(const hone_node *node) {
  return node && (node->op == &hone_op_transpose || node->op == &hone_op_slice);
}
static bool is_view(const hone_node *node) {
  return node && (node->op->facts & HONE_VIEW);
}

static const hone_shape *shape_of(const chooser *c, const hone_value *value) {
  return &c->view->types[value->id].shape;
}

/* The stage that makes `value` or what it is a view of; -1: none does. */
static int stage_of(const chooser *c, const hone_value *value) {
  const hone_value *root = hone_body_root(value);
  for (int i = 0; root->producer && i < c->body->stage_count; i++)
    if (c->body->stages[i].node == root->producer) return i;
  return -1;
}

/* Somebody reads `value` as it is. */
static void want(chooser *c, const hone_value *value) {
  int stage = value ? stage_of(c, value) : -1;
  if (stage >= 0) c->wanted[stage] = true;
}

static const int64_t *perm_of(const hone_node *transpose) {
  size_t count;
  const int64_t *perm = hone_node_ints(transpose, "perm", &count);
  return count ? perm : NULL;
}

static bool slice(const chooser *c, const hone_node *node, hone_layout *layout) {
  hone_node_view view = {.node = node};
  hone_datum known[HONE_NODE_LEAST];
  view.in[0] = &c->view->types[node->inputs[0].value->id];
  view.out[0] = &c->view->types[node->outputs[0]->id];
  for (int i = 1; i < node->input_count && i < HONE_NODE_LEAST; i++) {
    const hone_value *in = node->inputs[i].value;
    if (!in) continue;
    if (in->constant) known[i] = hone_value_datum(in);
    view.known[i] = in->constant ? &known[i] : in->producer ? NULL : c->view->known[in->index];
  }
  if (!hone_slice_layout(&view, layout)) return false;
  for (int i = 0; i < view.out[0]->shape.rank; i++)
    if (layout->stride[i] < 0) return false;
  return true;
}

/* Takes the steps of the node's input to those of its output. */
static bool pass(const chooser *c, const hone_node *node, hone_steps *steps) {
  const hone_shape *to = shape_of(c, node->outputs[0]);
  hone_layout layout;
  if (is_view(node)) return hone_steps_reshape(steps, to);
  if (node->op == &hone_op_slice) {
    if (!hone_steps_layout(steps, &layout) || !slice(c, node, &layout)) return false;
    *steps = hone_steps_of(&layout, to);
    return true;
  }
  hone_steps_transpose(steps, perm_of(node));
  return true;
}

/* The moves and views before an operand, the nearest first. */
typedef struct chain {
  const chooser *c;
  const hone_node *nodes[MOST_MOVES];
  int count;
} chain;

static const hone_node *node_of(const chain *moves, int move) {
  return moves->nodes[moves->count - 1 - move];
}
static bool pass_move(const void *context, int move, hone_steps *steps) {
  const chain *moves = context;
  return pass(moves->c, node_of(moves, move), steps);
}
static const hone_shape *shape_of_move(const void *context, int move) {
  const chain *moves = context;
  return shape_of(moves->c, node_of(moves, move)->outputs[0]);
}

/* Rows of `shape` at a pitch. */
static hone_layout pitched(const hone_shape *shape, size_t pitch) {
  hone_layout layout = hone_layout_dense(shape);
  int64_t columns = shape->dim[shape->rank - 1];
  for (int i = 0; i < shape->rank - 1 && columns; i++)
    layout.stride[i] = layout.stride[i] / columns * (int64_t)pitch;
  return layout;
}

/* The pitch of an input's rows; 0 where they lie side by side. */
static size_t pitch_of(const chooser *c, const hone_value *value) {
  bool input = !value->producer && !value->constant;
  return input && c->view->in_pitch ? c->view->in_pitch[value->index] : 0;
}

/* How `value` lies in the nearest value before it that has memory; whether it was moved since. */
static bool trace(const chooser *c, const hone_value *value, hone_strided *out) {
  chain moves = {.c = c};
  while (moves.count < MOST_MOVES && (is_move(value->producer) || is_view(value->producer))) {
    moves.nodes[moves.count++] = value->producer;
    value = value->producer->inputs[0].value;
  }
  size_t pitch = pitch_of(c, value);
  *out = (hone_strided){value, hone_layout_dense(shape_of(c, value))};
  if (pitch) out->layout = pitched(shape_of(c, value), pitch);
  if (pitch) return moves.count == 0;
  bool moved = false;
  int copied = hone_layout_follow(&out->layout, shape_of(c, value),
                                  &(hone_moves){&moves, pass_move, shape_of_move}, moves.count);
  if (copied) out->base = node_of(&moves, copied - 1)->outputs[0];
  for (int i = copied; i < moves.count; i++) moved = moved || is_move(node_of(&moves, i));
  return moved;
}

static void choose_inputs(chooser *c, int stage) {
  const hone_body_stage *s = &c->body->stages[stage];
  for (int i = 0; i < s->node->input_count; i++) {
    const hone_value *value = hone_node_operand(s->node, i);
    hone_strided *in = i < HONE_NODE_STRIDED ? &c->reads[stage].in[i] : NULL;
    if (!value) continue;
    bool strided =
        in && s->kernel->functions->strided && trace(c, value, in) &&
        s->kernel->functions->strided(s->kernel, s->node, i, shape_of(c, value), &in->layout);
    if (in && !strided) in->base = NULL;
    want(c, strided ? in->base : value);
  }
}

/* The transpose at `stage` is what its input's kernel writes, where nothing else reads that input.
 */
static bool write_through(chooser *c, int stage) {
  const hone_node *node = c->body->stages[stage].node;
  const hone_value *in = node->inputs[0].value, *root = hone_body_root(in);
  int maker = stage_of(c, in);
  if (node->op != &hone_op_transpose || maker < 0) return false;
  const hone_body_stage *m = &c->body->stages[maker];
  if (m->result != root || !m->kernel->functions->strided) return false;
  for (const hone_value *value = in;; value = value->producer->inputs[0].value) {
    if (!hone_value_has_one_use(value)) return false;
    if (value == root) break;
  }
  hone_strided out = {node->outputs[0], hone_layout_dense(shape_of(c, node->outputs[0]))};
  hone_layout_untranspose(&out.layout, shape_of(c, in)->rank, perm_of(node));
  if (!hone_layout_reshape(&out.layout, shape_of(c, in), shape_of(c, root)) ||
      !m->kernel->functions->strided(m->kernel, m->node, HONE_STRIDED_OUTPUT, shape_of(c, root),
                                     &out.layout))
    return false;
  c->reads[maker].out = out;
  return true;
}

static void choose_stage(chooser *c, int stage) {
  const hone_body_stage *s = &c->body->stages[stage];
  hone_stage_reads *reads = &c->reads[stage];
  reads->runs = !is_move(s->node) || (c->wanted[stage] && !write_through(c, stage));
  if (!reads->runs) return;
  if (s->node) choose_inputs(c, stage);
  want(c, s->residual);
  for (int i = 0; s->formula && i < s->formula->stream_count; i++) want(c, s->formula->streams[i]);
}

bool hone_body_pitches(const hone_body *body) {
  if (body->stage_count == 0 || body->graph->output_count != 1) return false;
  const hone_body_stage *last = &body->stages[body->stage_count - 1];
  return last->node && last->kernel->functions->pitches &&
         last->result == body->graph->outputs[0].value;
}

bool hone_body_reads_pitched(const hone_body *body, int input) {
  const hone_value *value = body->graph->inputs[input];
  if (!hone_value_has_one_use(value) || !value->uses->user) return false;
  for (int i = 0; i < body->stage_count; i++) {
    const hone_body_stage *s = &body->stages[i];
    if (s->node != value->uses->user) continue;
    for (int k = 0; k < s->node->input_count && k < HONE_NODE_STRIDED; k++)
      if (s->node->inputs[k].value == value) return s->kernel->functions->row_inputs >> k & 1;
  }
  return false;
}

/* The last stage writes the rows of the body's output apart. */
static void set_pitch(chooser *c) {
  hone_strided *out = &c->reads[c->body->stage_count - 1].out;
  const hone_value *value = c->body->graph->outputs[0].value;
  out->base = value;
  out->layout = pitched(shape_of(c, value), c->view->pitch);
}

void hone_body_choose_reads(const hone_body *body, const hone_group_view *view,
                            hone_stage_reads *reads) {
  chooser c = {.body = body, .view = view, .reads = reads};
  for (int i = 0; i < body->stage_count; i++) reads[i] = (hone_stage_reads){0};
  for (int i = 0; i < body->graph->output_count; i++) want(&c, body->graph->outputs[i].value);
  if (view->pitch) set_pitch(&c);
  for (int i = body->stage_count - 1; i >= 0; i--) choose_stage(&c, i);
}
