/* Making stages of a body, at build. Room: backend/cuda. */
#include "backend/cuda/stage.h"

#include <string.h>

#include "ops/byte_table.h"

static bool is_pointwise(const hone_node *node) {
  return node->op->facts & HONE_POINTWISE;
}
static bool is_view(const hone_node *node) {
  return node->op->facts & HONE_VIEW;
}

const hone_value *hone_cuda_root(const hone_value *value) {
  while (value->producer && is_view(value->producer)) value = value->producer->inputs[0].value;
  return value;
}

static hone_status *no_stages(const char *why) {
  return hone_error(HONE_UNSUPPORTED, "no kernels on the GPU for a group: %s", why);
}

typedef struct maker {
  hone_cuda_body *body;
  hone_arena *arena;
  int *stage_of; /* by value id: 1 + the stage that makes it; 0: there at the start */
} maker;

/* ---- Which stage a node joins ---------------------------------------------------------------- */

static hone_status *add_stage(maker *m, const hone_node *core, const hone_cuda_kernel *kernel,
                              const hone_value *shape, hone_cuda_stage **out) {
  if (m->body->stage_count == HONE_CUDA_STAGES) return no_stages("it takes too many");
  *out = &m->body->stages[m->body->stage_count++];
  **out = (hone_cuda_stage){.core = core, .kernel = kernel, .shape = shape};
  (*out)->pointers = kernel->pointers;
  return NULL;
}

/* Whether a pointwise node may follow in the last stage: what it reads of that stage has the stage's own
 * shape, and so has what it makes. */
static bool joins_last(const maker *m, const hone_node *node) {
  const hone_cuda_body *body = m->body;
  if (body->stage_count == 0) return false;
  const hone_cuda_stage *last = &body->stages[body->stage_count - 1];
  const hone_shape *shape = &last->shape->type.shape;
  if (!last->kernel->finishes || last->tail_count == HONE_CUDA_TAIL ||
      last->stream_count + node->input_count > HONE_CUDA_STREAMS ||
      (last->kernel->joins && !last->kernel->joins(last, node)) ||
      !hone_shape_equal(&node->outputs[0]->type.shape, shape))
    return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (!in || m->stage_of[hone_cuda_root(in)->id] != body->stage_count) continue;
    if (hone_cuda_root(in) != in || !hone_shape_equal(&in->type.shape, shape)) return false;
  }
  return true;
}

static bool has_stream(const hone_cuda_stage *stage, const hone_value *value) {
  for (int i = 0; i < stage->stream_count; i++)
    if (!stage->streams[i].joins && stage->streams[i].value == value) return true;
  return false;
}

static hone_status *add_stream(hone_cuda_stage *stage, const hone_value *value, char joins) {
  if (stage->stream_count == HONE_CUDA_STREAMS) return no_stages("it reads too many values");
  stage->streams[stage->stream_count++] = (hone_cuda_stream){.value = value, .joins = joins};
  return NULL;
}

static hone_status *add_pointwise(maker *m, const hone_node *node) {
  hone_cuda_stage *stage;
  if (!joins_last(m, node))
    HONE_TRY(add_stage(m, NULL, &hone_cuda_kernel_pointwise, node->outputs[0], &stage));
  int index = m->body->stage_count;
  stage = &m->body->stages[index - 1];
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && m->stage_of[in->id] != index && !has_stream(stage, in))
      HONE_TRY(add_stream(stage, in, 0));
  }
  stage->tail[stage->tail_count++] = node;
  m->stage_of[node->outputs[0]->id] = index;
  return NULL;
}

static const hone_value *first_output(const hone_node *node) {
  int i = 0;
  while (i + 1 < node->output_count && !node->outputs[i]) i++;
  return node->outputs[i];
}

static hone_status *add_core(maker *m, const hone_node *node) {
  const hone_cuda_way *way = &m->body->way;
  bool chosen = way->kernel && hone_cuda_kernel_takes(way->kernel, node, m->body->sm);
  const hone_cuda_kernel *kernel =
      chosen ? way->kernel : hone_cuda_kernel_for(node, m->body->sm);
  hone_cuda_stage *stage;
  if (!kernel) return no_stages(node->op->name);
  HONE_TRY(add_stage(m, node, kernel, first_output(node), &stage));
  if (chosen) stage->variant = way->variant;
  if (kernel->scale && hone_node_in(node, kernel->scale))
    HONE_TRY(add_stream(stage, hone_node_in(node, kernel->scale), '*'));
  if (kernel->bias && hone_node_in(node, kernel->bias))
    HONE_TRY(add_stream(stage, hone_node_in(node, kernel->bias), '+'));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) m->stage_of[node->outputs[i]->id] = m->body->stage_count;
  return NULL;
}

/* ---- What a stage reads and stores ----------------------------------------------------------- */

/* By the types at build: equal symbols are equal sizes in every run. */
static hone_cuda_reach reach_of(const hone_shape *operand, const hone_shape *whole) {
  int lead = whole->rank - operand->rank;
  bool one = true, column = operand->rank > 0;
  if (hone_shape_equal(operand, whole)) return HONE_CUDA_EQUAL;
  for (int i = 0; i < operand->rank; i++) {
    if (operand->dim[i] == 1) continue;
    one = false;
    column = column && i == operand->rank - 1 && operand->dim[i] == whole->dim[lead + i];
  }
  if (one) return HONE_CUDA_ONE;
  if (column) return HONE_CUDA_COLUMN;
  int last = operand->rank - 1;
  bool rows = operand->dim[last] != 1 && operand->dim[last] == whole->dim[lead + last];
  return rows ? HONE_CUDA_ROWS : HONE_CUDA_ANY;
}

/* Whether somebody outside of stage `index` reads the value. */
static bool leaves(const maker *m, const hone_value *value, int index) {
  for (const hone_use *use = value->uses; use; use = use->next) {
    if (!use->user) return true;
    if (is_view(use->user)) {
      if (leaves(m, use->user->outputs[0], index)) return true;
      continue;
    }
    const hone_value *made = hone_node_out(use->user, 0);
    if (!made || m->stage_of[made->id] != index) return true;
  }
  return false;
}

static hone_status *add_result(maker *m, hone_cuda_stage *stage, const hone_value *value) {
  if (!leaves(m, value, (int)(stage - m->body->stages) + 1)) return NULL;
  if (stage->result_count == HONE_CUDA_RESULTS) return no_stages("it stores too many values");
  stage->results[stage->result_count++] = (hone_cuda_result){value, stage->pointers++};
  return NULL;
}

#define TAIL_NUMBERS 40 /* of hone_cuda_args.n: what lies below is the core's */

static hone_status *settle_stage(maker *m, hone_cuda_stage *stage) {
  const hone_shape *shape = &stage->shape->type.shape;
  int numbers = TAIL_NUMBERS + shape->rank;
  stage->sizes = TAIL_NUMBERS;
  for (int i = 0; i < stage->stream_count; i++) {
    hone_cuda_stream *s = &stage->streams[i];
    if (s->value->type.shape.rank > shape->rank) return no_stages("an operand widens it");
    s->pointer = stage->pointers++;
    s->reach = reach_of(&s->value->type.shape, shape);
    s->strides = numbers;
    if (hone_cuda_has_strides(s)) numbers += shape->rank;
  }
  for (int i = 0; i < stage->tail_count; i++)
    if (stage->tail[i]->op == &hone_op_byte_table) stage->tables[i] = stage->pointers++;
  if (stage->core && stage->kernel->finishes) HONE_TRY(add_result(m, stage, stage->core->outputs[0]));
  for (int i = 0; i < stage->tail_count; i++)
    HONE_TRY(add_result(m, stage, stage->tail[i]->outputs[0]));
  if (numbers > HONE_CUDA_AT_ONCE || stage->pointers > HONE_CUDA_POINTERS)
    return no_stages("its kernel takes too many arguments");
  return NULL;
}

static const void *place_in(const void *pack, const hone_cuda_body *body, const hone_value *value) {
  for (int i = 0; i < body->constant_count; i++)
    if (body->constants[i].value == hone_cuda_root(value))
      return (const char *)pack + body->constants[i].at;
  return NULL;
}

const void *hone_cuda_constant_at(const hone_cuda_body *body, const hone_value *value) {
  return place_in(body->pack, body, value);
}

const void *hone_cuda_constant_bytes(const hone_cuda_body *body, const hone_value *value) {
  return place_in(body->packed, body, value);
}

/* ---- Stages in one kernel --------------------------------------------------------------------- */

static bool spans_stages(const hone_cuda_kernel *row, const hone_cuda_body *body) {
  const hone_node *layers[HONE_CUDA_SPAN];
  if (body->stage_count != row->span) return false;
  for (int i = 0; i < row->span; i++) {
    const hone_cuda_stage *stage = &body->stages[i];
    if (!stage->core || !stage->kernel->finishes) return false;
    layers[i] = stage->core;
  }
  return row->spans(layers);
}

/* The chosen row's kernel in place of all stages. A GPU that it is not for keeps the stages. */
static hone_status *join_stages(maker *m) {
  hone_cuda_body *body = m->body;
  const hone_cuda_way *way = &body->way;
  if (!way->kernel || !way->kernel->spans || way->kernel->least_sm > body->sm) return NULL;
  int span = way->kernel->span;
  hone_cuda_stage *stages = body->stages, *last = &stages[span - 1];
  if (!spans_stages(way->kernel, body)) return no_stages("its stages do not go into one kernel");
  for (int i = 0; i + 1 < span; i++) {
    stages[i].within = true;
    last->inner[i] = &stages[i];
  }
  last->kernel = way->kernel;
  last->variant = way->variant;
  stages[0].pointers = way->kernel->pointers;
  return NULL;
}

/* Whether the stage, settled, leaves nothing but what the next one's core reads, and reads constants
 * that are the same for every row. */
static bool is_inner(const hone_cuda_stage *stage) {
  const hone_value *result = stage->results[0].value;
  for (int i = 0; i < stage->tail_count; i++)
    if (stage->tail[i]->op == &hone_op_byte_table) return false;
  for (int i = 0; i < stage->stream_count; i++) {
    const hone_cuda_stream *s = &stage->streams[i];
    bool plain = s->reach == HONE_CUDA_ONE || s->reach == HONE_CUDA_COLUMN;
    if (!plain || !hone_cuda_root(s->value)->constant) return false;
  }
  return stage->result_count == 1 && stage[1].core->inputs[0].value == result &&
         hone_value_has_one_use(result) &&
         result->type.dtype == stage->core->outputs[0]->type.dtype;
}

/* Stages in one kernel share its arguments. */
static hone_status *settle_stages(maker *m) {
  for (int i = 0; i < m->body->stage_count; i++) {
    hone_cuda_stage *stage = &m->body->stages[i];
    if (i > 0 && stage[-1].within) stage->pointers = stage[-1].pointers;
    HONE_TRY(settle_stage(m, stage));
    if (stage->within && !is_inner(stage)) return no_stages("a stage leaves more than the next reads");
  }
  return NULL;
}

/* ---- The body -------------------------------------------------------------------------------- */

/* No output is somebody else's memory, and no two are the same. */
static bool accepts_outputs(const hone_graph *graph) {
  for (int i = 0; i < graph->output_count; i++) {
    const hone_value *root = hone_cuda_root(graph->outputs[i].value);
    if (!root->producer) return false;
    for (int k = 0; k < i; k++)
      if (hone_cuda_root(graph->outputs[k].value) == root) return false;
  }
  return graph->output_count > 0;
}

static hone_status *place_one(hone_cuda_body *body, hone_cuda_constant constant, size_t size) {
  constant.at = body->pack_size;
  body->constants[body->constant_count++] = constant;
  if (!hone_add(body->pack_size, size + 255, &body->pack_size))
    return hone_error(HONE_LIMIT, "the weights of a group overflow");
  body->pack_size &= ~(size_t)255;
  return NULL;
}

/* Constants lie in the pack one after the other, then tables, each at a multiple of 256. */
static hone_status *place_constants(maker *m) {
  hone_cuda_body *body = m->body;
  const hone_graph *graph = body->graph;
  size_t tables = 0;
  for (const hone_node *n = graph->first; n; n = n->next) tables += n->op == &hone_op_byte_table;
  body->constants = HONE_NEW_ARRAY(m->arena, graph->constant_count + tables + 1, hone_cuda_constant);
  HONE_TRY_MEMORY(body->constants);
  for (size_t i = 0; i < graph->constant_count; i++) {
    const hone_value *constant = graph->constants[i];
    if (!constant->uses || constant->type.dtype == HONE_STR) continue;
    HONE_TRY(place_one(body, (hone_cuda_constant){.value = constant}, constant->constant_size));
  }
  for (const hone_node *n = graph->first; n; n = n->next)
    if (n->op == &hone_op_byte_table)
      HONE_TRY(place_one(body, (hone_cuda_constant){.table = n}, HONE_BYTE_TABLE));
  return NULL;
}

static hone_status *make_stages(maker *m) {
  for (const hone_node *n = m->body->graph->first; n; n = n->next) {
    if (is_view(n)) continue;
    if (!is_pointwise(n)) HONE_TRY(add_core(m, n));
    else if (hone_cuda_pointwise_accepts(n)) HONE_TRY(add_pointwise(m, n));
    else return no_stages(n->op->name);
  }
  HONE_TRY(join_stages(m));
  HONE_TRY(settle_stages(m));
  return place_constants(m);
}

hone_status *hone_cuda_body_make(const hone_graph *graph, int sm, hone_cuda_way way,
                                 hone_arena *arena, hone_cuda_body **out) {
  maker m = {HONE_NEW(arena, hone_cuda_body), arena,
             HONE_NEW_ARRAY(arena, graph->next_id + 1, int)};
  if (!m.body || !m.stage_of) return hone_error_memory();
  m.body->graph = graph;
  m.body->sm = sm;
  m.body->way = way;
  if (!accepts_outputs(graph)) return no_stages("an output is an input");
  HONE_TRY(make_stages(&m));
  if (m.body->stage_count == 0) return no_stages("it computes nothing");
  *out = m.body;
  return NULL;
}
