/* Reading and writing through moves. Stages are walked from the last to the first: whoever reads a move
 * comes before it, and so says in time whether its copy is needed. Room: backend/cuda. */
#include "backend/cuda/reads.h"

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

static bool rows_are_whole(const hone_shape *shape, const hone_layout *layout) {
  return shape->dim[shape->rank - 1] == 1 || layout->stride[shape->rank - 1] == 1;
}

static bool rounds(const hone_node *node) {
  return node && node->op == &hone_op_cast && node->inputs[0].value->type.dtype == HONE_F32;
}

/* A stage that does nothing but round. */
static bool is_rounding(const hone_cuda_stage *stage) {
  return !stage->core && stage->tail_count == 1 && rounds(stage->tail[0]);
}

static bool is_norm(const hone_node *node) {
  return node && (node->op == &hone_op_layer_norm || node->op == &hone_op_rms_norm);
}

/* The first input where it lies before moves, and before it was rounded. */
static void gather(hone_cuda_plan *plan, bool *wanted, int stage, const hone_value *value) {
  hone_strided *in = &plan->reads[stage].in[0];
  (void)hone_moves_trace(plan->view, value, in);
  if (rounds(in->base->producer)) in->base = in->base->producer->inputs[0].value;
  want(plan, wanted, in->base);
}

static void choose_inputs(hone_cuda_plan *plan, bool *wanted, int stage) {
  const hone_cuda_stage *s = &plan->body->stages[stage];
  for (int i = 0; s->core && i < s->core->input_count; i++) {
    const hone_value *value = s->core->inputs[i].value;
    if (!value) continue;
    if (s->kernel->norms && i == 0) {
      want(plan, wanted, value->producer->inputs[0].value);
      continue;
    }
    if (s->kernel->gathers && i == 0) {
      gather(plan, wanted, stage, value);
      continue;
    }
    if (!s->kernel->strided || i >= HONE_CUDA_STRIDED) {
      want(plan, wanted, value);
      continue;
    }
    hone_strided *in = &plan->reads[stage].in[i];
    const hone_shape *shape = hone_cuda_shape(plan, value);
    (void)hone_moves_trace(plan->view, value, in);
    if (!rows_are_whole(shape, &in->layout)) *in = (hone_strided){value, hone_layout_dense(shape)};
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
  hone_strided out = {node->outputs[0],
                           hone_layout_dense(hone_cuda_shape(plan, node->outputs[0]))};
  hone_layout_untranspose(&out.layout, hone_cuda_shape(plan, in)->rank, hone_move_perm(node));
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
    reads->runs = is_rounding(s) || is_norm(s->core)
                      ? wanted[i]
                      : !hone_is_move(s->core) || (wanted[i] && !write_through(plan, i));
    reads->runs = reads->runs && !s->within;
    if (!reads->runs) continue;
    if (!reads->out.base && s->kernel->strided)
      reads->out = (hone_strided){
          s->core->outputs[0], hone_layout_dense(hone_cuda_shape(plan, s->core->outputs[0]))};
    choose_inputs(plan, wanted, i);
    for (int k = 0; k < s->stream_count; k++) want(plan, wanted, s->streams[k].value);
  }
}
