/* Binding a body's stages to shapes, and running them. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/body_reads.h"

/* Where a stage finds an operand at run. */
typedef enum place_kind { PLACE_NONE, PLACE_IN, PLACE_OUT, PLACE_SCRATCH, PLACE_PACK } place_kind;

typedef struct place {
  place_kind kind;
  size_t at;         /* which input or output, or where in scratch */
  const void *bytes; /* PACK */
  size_t offset;     /* bytes from there on */
} place;

typedef struct bound_stage {
  const hone_node *node; /* NULL for a formula */
  place *in, *out;
  int in_count, out_count;
  size_t scratch_at;
} bound_stage;

typedef struct bound_phase {
  hone_kernel_phase *run;
  const void *args;
  size_t repeats;
  const bound_stage *stage;
} bound_phase;

typedef struct bound_body {
  bound_phase phases[HONE_MAX_PHASES];
  int phase_count;
} bound_body;

/* ---- At run --------------------------------------------------------------------------------- */

static void *address(const place *p, const hone_kernel_io *io) {
  switch (p->kind) {
    case PLACE_IN:
      return (char *)io->in[p->at] + p->offset;
    case PLACE_OUT:
      return (char *)io->out[p->at] + p->offset;
    case PLACE_SCRATCH:
      return (char *)io->scratch + p->at + p->offset;
    case PLACE_PACK:
      return (void *)(uintptr_t)((const char *)p->bytes + p->offset);
    case PLACE_NONE:
      break;
  }
  return NULL;
}

static void run_phase(const void *args, const hone_kernel_io *io, int part, int parts, int index) {
  const bound_phase *phase = &((const bound_body *)args)->phases[index];
  const bound_stage *stage = phase->stage;
  void *in[HONE_NODE_INPUTS], *out[HONE_NODE_OUTPUTS], *dims[HONE_NODE_OUTPUTS];
  for (int i = 0; i < stage->in_count; i++) in[i] = address(&stage->in[i], io);
  for (int i = 0; i < stage->out_count; i++) out[i] = address(&stage->out[i], io);
  for (int i = 0; io->dims && i < stage->out_count; i++)
    dims[i] = stage->out[i].kind == PLACE_OUT ? io->dims[stage->out[i].at] : NULL;
  char *scratch = (char *)io->scratch + stage->scratch_at;
  hone_kernel_io own = {in, out, scratch, io->dims ? dims : NULL, io->fault, io->turn};
  phase->run(phase->args, &own, part, parts);
  if (io->fault && io->fault->what && !io->fault->node) io->fault->node = stage->node;
}

#define PHASE(index)                                                                         \
  static void run_##index(const void *args, const hone_kernel_io *io, int part, int parts) { \
    run_phase(args, io, part, parts, index);                                                 \
  }
PHASE(0)
PHASE(1)
PHASE(2)
PHASE(3)
PHASE(4)
PHASE(5) PHASE(6) PHASE(7)
#undef PHASE

    static hone_kernel_phase *const numbered[HONE_MAX_PHASES] = {run_0, run_1, run_2, run_3,
                                                                 run_4, run_5, run_6, run_7};

/* ---- At plan -------------------------------------------------------------------------------- */

typedef struct planner {
  const hone_body *body;
  const void *pack;
  const hone_group_view *view;
  hone_arena *arena;
  hone_stage_reads *reads; /* by stage */
  place *places;           /* by value id of roots */
  size_t scratch;          /* bytes given out so far */
  bound_body *bound;
  double work;
} planner;

/* Bytes of scratch that grow without bound are the caller's error to hear of. */
static hone_status *take_scratch(planner *p, size_t bytes, size_t *at) {
  *at = p->scratch;
  if (bytes > SIZE_MAX / 2 || !hone_add(p->scratch, hone_align_up(bytes, 64), &p->scratch))
    return hone_error(HONE_LIMIT, "the scratch of a group is too large");
  return NULL;
}

static hone_status *place_value(planner *p, const hone_value *value) {
  const hone_type *type = &p->view->types[value->id];
  size_t bytes;
  if (!hone_shape_bytes(&type->shape, type->dtype, &bytes))
    return hone_error(HONE_LIMIT, "the size of '%s' overflows", value->name);
  p->places[value->id].kind = PLACE_SCRATCH;
  return take_scratch(p, bytes, &p->places[value->id].at);
}

static hone_status *place_results(planner *p, int index) {
  const hone_body_stage *s = &p->body->stages[index];
  int count = s->node ? s->node->output_count : s->formula->result_count;
  for (int k = 0; k < count; k++) {
    const hone_value *value = s->node ? s->node->outputs[k] : s->formula->results[k];
    if (s->node && k == 0) value = p->reads[index].out.base ? p->reads[index].out.base : s->result;
    if (value && p->places[value->id].kind == PLACE_NONE) HONE_TRY(place_value(p, value));
  }
  return NULL;
}

static hone_status *place_values(planner *p) {
  const hone_graph *graph = p->body->graph;
  p->places = HONE_NEW_ARRAY(p->arena, graph->next_id + 1, place);
  HONE_TRY_MEMORY(p->places);
  for (int i = 0; i < graph->input_count; i++)
    p->places[graph->inputs[i]->id] = (place){.kind = PLACE_IN, .at = (size_t)i};
  for (int i = 0; i < graph->output_count; i++)
    p->places[hone_body_root(graph->outputs[i].value)->id] =
        (place){.kind = PLACE_OUT, .at = (size_t)i};
  for (int i = 0; i < p->body->constant_count; i++) {
    const hone_body_constant *c = &p->body->constants[i];
    p->places[c->value->id] = (place){.kind = PLACE_PACK, .bytes = (const char *)p->pack + c->at};
  }
  for (int i = 0; i < p->body->stage_count; i++)
    if (p->reads[i].runs) HONE_TRY(place_results(p, i));
  return NULL;
}

static place place_of(const planner *p, const hone_value *value) {
  if (!value) return (place){.kind = PLACE_NONE};
  return p->places[hone_body_root(value)->id];
}

/* Elements of a value that are known before the run. */
static const hone_datum *known(const planner *p, const hone_value *value) {
  if (!value) return NULL;
  if (!value->producer && !value->constant) return p->view->known[value->index];
  if (!value->constant) return NULL;
  hone_datum *datum = HONE_NEW(p->arena, hone_datum);
  if (datum) *datum = hone_value_datum(value);
  return datum;
}

static hone_status *add_phases(planner *p, bound_stage *stage, const hone_kernel_plan *plan,
                               size_t extra) {
  size_t parts = (size_t)p->view->threads, own, all;
  if (!hone_mul(plan->part_scratch, parts, &own) || !hone_add(own, plan->shared_scratch, &all) ||
      !hone_add(all, extra, &all))
    return hone_error(HONE_LIMIT, "the scratch of a group is too large");
  HONE_TRY(take_scratch(p, all, &stage->scratch_at));
  bound_body *b = p->bound;
  if (b->phase_count + plan->phase_count > HONE_MAX_PHASES)
    return hone_error(HONE_UNSUPPORTED, "the group takes too many phases");
  for (int i = 0; i < plan->phase_count; i++)
    b->phases[b->phase_count++] =
        (bound_phase){plan->phases[i], plan->args, plan->repeats[i], stage};
  return NULL;
}

static hone_status *new_stage(planner *p, bound_stage **out) {
  bound_stage *stage = HONE_NEW(p->arena, bound_stage);
  HONE_TRY_MEMORY(stage);
  stage->in = HONE_NEW_ARRAY(p->arena, HONE_NODE_INPUTS, place);
  stage->out = HONE_NEW_ARRAY(p->arena, HONE_NODE_OUTPUTS, place);
  if (!stage->in || !stage->out) return hone_error_memory();
  *out = stage;
  return NULL;
}

static hone_status *plan_formula(planner *p, const hone_body_stage *s) {
  bound_stage *stage;
  hone_kernel_plan plan;
  size_t count = 0;
  HONE_TRY(new_stage(p, &stage));
  HONE_TRY(hone_formula_plan(s->formula, p->view->types, p->arena, &plan));
  stage->in_count = s->formula->stream_count;
  stage->out_count = s->formula->result_count;
  for (int i = 0; i < stage->in_count; i++) stage->in[i] = place_of(p, s->formula->streams[i]);
  for (int i = 0; i < stage->out_count; i++) stage->out[i] = place_of(p, s->formula->results[i]);
  hone_shape_count(&p->view->types[s->formula->results[0]->id].shape, &count);
  p->work += (double)count * (s->formula->cost + 0.1 * stage->in_count);
  return add_phases(p, stage, &plan, 0);
}

/* The registers' share of the tail; the operands that it takes are appended to the node's. */
static hone_status *plan_finish(planner *p, const hone_body_stage *s, bound_stage *stage,
                                hone_finish *finish) {
  const hone_type *types = p->view->types, *type = &types[s->node->outputs[0]->id];
  *finish = (hone_finish){.residual = -1, .activation = s->activation};
  if (s->bias) finish->bias = place_of(p, s->bias).bytes;
  if (s->residual) {
    const hone_shape *shape = &type->shape;
    if (!hone_shape_equal(&types[s->residual->id].shape, shape))
      return hone_error(HONE_UNSUPPORTED, "a residual turned out to broadcast");
    finish->residual = stage->in_count;
    finish->residual_bf16 = types[s->residual->id].dtype == HONE_BF16;
    finish->residual_stride = (ptrdiff_t)shape->dim[shape->rank - 1];
    stage->in[stage->in_count++] = place_of(p, s->residual);
  }
  return NULL;
}

/* The program of a kernel of sums; its operands follow the node's. */
static hone_status *plan_integer(planner *p, const hone_body_stage *s, bound_stage *stage,
                                 hone_integer_finish *finish) {
  const hone_type *types = p->view->types;
  const hone_shape *shape = &types[s->node->outputs[0]->id].shape;
  *finish = s->tail->finish;
  finish->columns = shape->rank > 0 ? (size_t)shape->dim[shape->rank - 1] : 1;
  for (int i = 0; i < finish->count; i++) {
    const hone_value *value = s->tail->values[i];
    if (!value) continue;
    bool like = finish->steps[i].kind == HONE_INTEGER_ADD_LIKE;
    if (like && !hone_shape_equal(&types[value->id].shape, shape))
      return hone_error(HONE_UNSUPPORTED, "what is added to sums turned out to broadcast");
    finish->steps[i].operand = stage->in_count;
    stage->in[stage->in_count++] = place_of(p, value);
  }
  return NULL;
}

/* The tile program, once the kernel's scratch is known. Streams follow the node's operands. */
static hone_status *bind_tile(planner *p, const hone_body_stage *s, bound_stage *stage,
                              size_t scratch_at, hone_finish *finish) {
  const hone_type *types = p->view->types;
  const hone_shape *shape = &types[s->node->outputs[0]->id].shape;
  if (!hone_shape_equal(shape, &types[s->formula->results[0]->id].shape))
    return hone_error(HONE_UNSUPPORTED, "the tail of a kernel turned out to broadcast");
  int first = stage->in_count;
  for (int i = 0; i < s->formula->stream_count; i++)
    if (i != s->own) stage->in[stage->in_count++] = place_of(p, s->formula->streams[i]);
  finish->program = hone_formula_tile;
  return hone_formula_tile_plan(s->formula, types, shape, s->own, first, scratch_at, p->arena,
                                &finish->program_state);
}

/* The operand's place, and its layout where it is strided. */
static place strided_place(const planner *p, const hone_strided *strided,
                           const hone_layout **layout) {
  place found = place_of(p, strided->base);
  unsigned bits = hone_dtype_bits(p->view->types[strided->base->id].dtype);
  found.offset = (size_t)strided->layout.at * (bits / 8);
  *layout = &strided->layout;
  return found;
}

static int at_least(int count) {
  return count < HONE_NODE_LEAST ? HONE_NODE_LEAST : count;
}

static void fill_view(planner *p, const hone_body_stage *s, bound_stage *stage,
                      hone_node_view *view) {
  const hone_node *node = s->node;
  const hone_stage_reads *reads = &p->reads[s - p->body->stages];
  stage->node = node;
  *view = (hone_node_view){.node = node, .threads = p->view->threads};
  stage->in_count = at_least(node->input_count);
  stage->out_count = at_least(node->output_count);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = hone_node_operand(node, i);
    stage->in[i] = place_of(p, in);
    if (i < HONE_NODE_STRIDED && reads->in[i].base)
      stage->in[i] = strided_place(p, &reads->in[i], &view->in_layout[i]);
    if (i == 0 && s->gate) stage->in[i] = place_of(p, s->scaled);
    if (in) view->in[i] = &p->view->types[in->id];
    view->known[i] = known(p, in);
    bool outside = in && !in->producer && !in->constant && in->index < 64 && i < 64;
    if (outside && (p->view->in_place >> in->index & 1)) view->in_place |= (uint64_t)1 << i;
    if (stage->in[i].kind == PLACE_PACK)
      view->constant[i] = (const char *)stage->in[i].bytes + stage->in[i].offset;
  }
  if (s->gate) {
    view->gate = stage->in_count;
    view->gate_pictures = (size_t)p->view->types[s->gate->id].shape.dim[0];
    stage->in[stage->in_count++] = place_of(p, s->gate);
  }
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *out = node->outputs[i];
    stage->out[i] = place_of(p, i == 0 ? s->result : out);
    if (out) view->out[i] = &p->view->types[i == 0 ? s->result->id : out->id];
  }
  if (reads->out.base) stage->out[0] = strided_place(p, &reads->out, &view->out_layout);
  if (s->kernel->functions->pack_size) view->packed = (const char *)p->pack + s->pack_at;
}

/* A kernel with a tile program is planned twice: the first time tells where the program's scratch
 * can begin. */
static hone_status *plan_kernel(planner *p, const hone_body_stage *s) {
  bound_stage *stage;
  hone_node_view view;
  hone_finish finish;
  hone_node_plan plan = {0};
  size_t extra = 0;
  HONE_TRY(new_stage(p, &stage));
  fill_view(p, s, stage, &view);
  if (s->kernel->functions->finishes) {
    HONE_TRY(plan_finish(p, s, stage, &finish));
    if (s->formula) finish.program = hone_formula_tile; /* blocking, and so scratch, depend on it */
    view.finish = &finish;
  }
  hone_integer_finish integer;
  if (s->tail) {
    HONE_TRY(plan_integer(p, s, stage, &integer));
    view.integer = &integer;
  }
  HONE_TRY(s->kernel->functions->plan(s->kernel, &view, p->arena, &plan));
  if (s->formula) {
    size_t parts = (size_t)p->view->threads, begin;
    if (!hone_mul(plan.kernel.part_scratch, parts, &begin) ||
        !hone_add(begin, plan.kernel.shared_scratch, &begin))
      return hone_error(HONE_LIMIT, "the scratch of a group is too large");
    extra = hone_formula_scratch(s->formula) * parts;
    HONE_TRY(bind_tile(p, s, stage, begin, &finish));
    HONE_TRY(s->kernel->functions->plan(s->kernel, &view, p->arena, &plan));
  }
  p->work += plan.work;
  return add_phases(p, stage, &plan.kernel, extra);
}

/* Nanoseconds that a part should have to do, against the few hundred of a barrier. Lines that change
 * cores speak for many parts: what one thread makes alone, the others have to fetch. */
#define LEAST_WORK 1200.0

static int worth_parts(double work, int threads) {
  double parts = work / LEAST_WORK;
  return parts >= threads ? threads : parts < 1 ? 1 : (int)parts;
}

hone_status *hone_body_plan(const hone_body *body, const void *pack, const hone_group_view *view,
                            hone_arena *arena, hone_step *out) {
  planner p = {.body = body, .pack = pack, .view = view, .arena = arena};
  p.bound = HONE_NEW(arena, bound_body);
  p.reads = HONE_NEW_ARRAY(arena, HONE_BODY_STAGES, hone_stage_reads);
  if (!p.bound || !p.reads) return hone_error_memory();
  hone_body_choose_reads(body, view, p.reads);
  HONE_TRY(place_values(&p));
  for (int i = 0; i < body->stage_count; i++) {
    const hone_body_stage *s = &body->stages[i];
    if (!p.reads[i].runs) continue;
    if (s->node)
      HONE_TRY(plan_kernel(&p, s));
    else
      HONE_TRY(plan_formula(&p, s));
  }
  *out = (hone_step){.phase_count = p.bound->phase_count, .args = p.bound, .scratch = p.scratch};
  out->parts = worth_parts(p.work, view->threads);
  out->finds = body->graph->first->op->facts & HONE_DATA_SHAPED;
  for (int i = 0; i < p.bound->phase_count; i++) {
    out->phases[i] = numbered[i];
    out->repeats[i] = p.bound->phases[i].repeats;
  }
  return NULL;
}
