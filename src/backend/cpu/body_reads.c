/* Reading and writing through moves. Stages are walked from the last to the first: whoever reads a
 * move comes before it, and so says in time whether its copy is needed. Room: backend/cpu. */
#include "backend/cpu/body_reads.h"

typedef struct chooser {
  const hone_body *body;
  const hone_group_view *view;
  hone_stage_reads *reads;
  bool wanted[HONE_BODY_STAGES]; /* of moves: somebody reads the copy */
} chooser;

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

/* How an operand lies in memory that is there; false: in its own, dense. */
static bool trace(const chooser *c, const hone_value *value, hone_strided *out) {
  size_t pitch = pitch_of(c, value);
  if (pitch) {
    *out = (hone_strided){value, pitched(shape_of(c, value), pitch)};
    return true;
  }
  return hone_moves_trace(c->view, value, out) && !pitch_of(c, out->base);
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
  hone_layout_untranspose(&out.layout, shape_of(c, in)->rank, hone_move_perm(node));
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
  reads->runs = !hone_is_move(s->node) || (c->wanted[stage] && !write_through(c, stage));
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
