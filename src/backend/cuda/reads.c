/* Reading and writing through moves. Stages are walked from the last to the first: whoever reads a move
 * comes before it, and so says in time whether its copy is needed. Room: backend/cuda. */
#include "backend/cuda/reads.h"

#include "ops/slice.h"

enum { MOST_MOVES = 8 }; /* between a kernel and what it reads */

static bool is_move(const hone_node *node) {
  return node && (node->op == &hone_op_transpose || node->op == &hone_op_slice);
}

/* The stage that makes the value or what it is a view of; -1: none does. */
static int stage_of(const hone_cuda_plan *plan, const hone_value *value) {
  const hone_value *root = hone_cuda_root(value);
  for (int i = 0; root->producer && i < plan->body->stage_count; i++) {
    const hone_cuda_stage *stage = &plan->body->stages[i];
    if (stage->core == root->producer) return i;
    for (int t = 0; t < stage->tail_count; t++)
      if (stage->tail[t] == root->producer) return i;
  }
  return -1;
}

static void want(const hone_cuda_plan *plan, bool *wanted, const hone_value *value) {
  int stage = value ? stage_of(plan, value) : -1;
  if (stage >= 0) wanted[stage] = true;
}

static const int64_t *perm_of(const hone_node *transpose) {
  size_t count;
  const int64_t *perm = hone_node_ints(transpose, "perm", &count);
  return count ? perm : NULL;
}

static bool slice(const hone_cuda_plan *plan, const hone_node *node, hone_layout *layout) {
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  int64_t begin[HONE_MAX_RANK], step[HONE_MAX_RANK];
  const hone_datum *known[5] = {0};
  hone_datum constants[5];
  for (int i = 1; i < node->input_count && i < 5; i++) {
    const hone_value *in = node->inputs[i].value;
    if (!in) continue;
    if (in->constant) constants[i] = hone_value_datum(in);
    known[i] = in->constant ? &constants[i] : in->producer ? NULL : plan->view->known[in->index];
    if (!known[i]) return false;
  }
  if (!hone_slice_begin(node, x, known, begin, step)) return false;
  for (int d = 0; d < x->rank; d++) {
    if (step[d] < 0) return false;
    layout->at += begin[d] * layout->stride[d];
    layout->stride[d] *= step[d];
  }
  return true;
}

/* Takes the steps of the node's input to those of its output. */
static bool pass(const hone_cuda_plan *plan, const hone_node *node, hone_steps *steps) {
  const hone_shape *to = hone_cuda_shape(plan, node->outputs[0]);
  hone_layout layout;
  if (node->op == &hone_op_slice) {
    if (!hone_steps_layout(steps, &layout) || !slice(plan, node, &layout)) return false;
    *steps = hone_steps_of(&layout, to);
    return true;
  }
  if (node->op != &hone_op_transpose) return hone_steps_reshape(steps, to);
  hone_steps_transpose(steps, perm_of(node));
  return true;
}

/* The moves and views before an operand, the nearest first. */
typedef struct chain {
  const hone_cuda_plan *plan;
  const hone_node *nodes[MOST_MOVES];
  int count;
} chain;

static const hone_node *node_of(const chain *moves, int move) {
  return moves->nodes[moves->count - 1 - move];
}
static bool pass_move(const void *context, int move, hone_steps *steps) {
  const chain *moves = context;
  return pass(moves->plan, node_of(moves, move), steps);
}
static const hone_shape *shape_of_move(const void *context, int move) {
  const chain *moves = context;
  return hone_cuda_shape(moves->plan, node_of(moves, move)->outputs[0]);
}

/* How the value lies in the nearest one before it that has memory. */
static hone_cuda_strided trace(const hone_cuda_plan *plan, const hone_value *value) {
  chain moves = {.plan = plan};
  while (moves.count < MOST_MOVES && value->producer &&
         (is_move(value->producer) || (value->producer->op->facts & HONE_VIEW))) {
    moves.nodes[moves.count++] = value->producer;
    value = value->producer->inputs[0].value;
  }
  hone_cuda_strided found = {value, hone_layout_dense(hone_cuda_shape(plan, value))};
  int copied = hone_layout_follow(&found.layout, hone_cuda_shape(plan, value),
                                  &(hone_moves){&moves, pass_move, shape_of_move}, moves.count);
  if (copied) found.base = node_of(&moves, copied - 1)->outputs[0];
  return found;
}

static bool rows_are_whole(const hone_shape *shape, const hone_layout *layout) {
  return shape->dim[shape->rank - 1] == 1 || layout->stride[shape->rank - 1] == 1;
}

static void choose_inputs(hone_cuda_plan *plan, bool *wanted, int stage) {
  const hone_cuda_stage *s = &plan->body->stages[stage];
  for (int i = 0; s->core && i < s->core->input_count; i++) {
    const hone_value *value = s->core->inputs[i].value;
    if (!value) continue;
    if (!s->kernel->strided || i >= HONE_CUDA_STRIDED) {
      want(plan, wanted, value);
      continue;
    }
    hone_cuda_strided *in = &plan->reads[stage].in[i];
    const hone_shape *shape = hone_cuda_shape(plan, value);
    *in = trace(plan, value);
    if (!rows_are_whole(shape, &in->layout)) *in = (hone_cuda_strided){value, hone_layout_dense(shape)};
    want(plan, wanted, in->base);
  }
}

/* The transpose at `stage` is what its input's kernel writes, where nothing else reads that input. */
static bool write_through(hone_cuda_plan *plan, int stage) {
  const hone_node *node = plan->body->stages[stage].core;
  const hone_value *in = node->inputs[0].value;
  int maker = stage_of(plan, in);
  if (node->op != &hone_op_transpose || maker < 0) return false;
  const hone_cuda_stage *m = &plan->body->stages[maker];
  if (!m->core || !m->kernel->strided || m->tail_count || m->core->outputs[0] != in ||
      !hone_value_has_one_use(in))
    return false;
  hone_cuda_strided out = {node->outputs[0],
                           hone_layout_dense(hone_cuda_shape(plan, node->outputs[0]))};
  hone_layout_untranspose(&out.layout, hone_cuda_shape(plan, in)->rank, perm_of(node));
  if (!rows_are_whole(hone_cuda_shape(plan, in), &out.layout)) return false;
  plan->reads[maker].out = out;
  return true;
}

void hone_cuda_choose_reads(hone_cuda_plan *plan) {
  const hone_cuda_body *body = plan->body;
  bool wanted[HONE_CUDA_STAGES] = {false};
  for (int i = 0; i < body->graph->output_count; i++)
    want(plan, wanted, body->graph->outputs[i].value);
  for (int i = body->stage_count - 1; i >= 0; i--) {
    const hone_cuda_stage *s = &body->stages[i];
    struct hone_cuda_reads *reads = &plan->reads[i];
    reads->runs = !is_move(s->core) || (wanted[i] && !write_through(plan, i));
    if (!reads->runs) continue;
    if (!reads->out.base && s->kernel->strided)
      reads->out = (hone_cuda_strided){
          s->core->outputs[0], hone_layout_dense(hone_cuda_shape(plan, s->core->outputs[0]))};
    choose_inputs(plan, wanted, i);
    for (int k = 0; k < s->stream_count; k++) want(plan, wanted, s->streams[k].value);
  }
}
