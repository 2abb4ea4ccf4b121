/* Portions of a batch: how many, and running them. Room: engine. */
#include "engine/portions.h"

#include <limits.h>
#include <pthread.h>

#include "base/cpu.h"
#include "base/pool.h"
#include "engine/frame_run.h"

/* What one thread runs portions with. */
typedef struct hone_lane {
  _Alignas(64) hone_run_state run;
  hone_frame *frame;
  hone_datum *inputs;
  hone_tensor *bound;
  hone_status *status; /* of portion `failed`, the first of its own that failed; NULL: none did */
  int failed;
  _Atomic bool busy;
} hone_lane;

static _Atomic size_t limit;
void hone_portions_limit(size_t bytes) {
  atomic_store(&limit, bytes);
}

static bool has_rows(const hone_program *program, int input) {
  const hone_shape *shape = &program->graph->inputs[input]->type.shape;
  return program->batch && shape->rank > 0 && shape->dim[0] == program->batch;
}

size_t hone_batch_rows(const hone_program *program, const hone_datum *inputs) {
  size_t rows = 0;
  for (int i = 0; i < program->graph->input_count; i++) {
    if (!has_rows(program, i)) continue;
    if (inputs[i].dtype == HONE_STR || hone_dtype_bits(inputs[i].dtype) % 8) return 0;
    rows = (size_t)inputs[i].shape.dim[0];
  }
  return rows;
}

/* Where row `first` of a tensor of known shape begins. */
static void *row_at(const hone_datum *datum, size_t first) {
  size_t elements = hone_shape_span(&datum->shape, 1, datum->shape.rank);
  return (char *)datum->data + first * elements * (hone_dtype_bits(datum->dtype) / 8);
}

void hone_batch_cut(const hone_program *program, const hone_datum *inputs, size_t first,
                    size_t count, hone_datum *out) {
  for (int i = 0; i < program->graph->input_count; i++) {
    out[i] = inputs[i];
    if (!has_rows(program, i)) continue;
    out[i].data = row_at(&inputs[i], first);
    out[i].shape.dim[0] = (hone_dim)count;
  }
}

/* ---- How many -------------------------------------------------------------------------------- */

/* Whether this stage makes all outputs, and their rows are whole bytes. */
static bool is_whole(const hone_plan *plan) {
  const hone_program *program = plan->program;
  bool whole = plan->next_unit == program->unit_count;
  for (int i = 0; whole && i < program->graph->output_count; i++) {
    const hone_planned *out = &plan->values[program->graph->outputs[i].value->id];
    whole = out->typed && out->type.kind == HONE_KIND_TENSOR && out->type.dtype != HONE_STR &&
            hone_dtype_bits(out->type.dtype) % 8 == 0;
  }
  return whole;
}

static size_t value_bytes(const hone_plan *plan, const hone_value *value) {
  size_t bytes;
  if (!value || value->constant) return 0;
  const hone_planned *planned = &plan->values[value->id];
  bool told = planned->typed && planned->type.kind == HONE_KIND_TENSOR &&
              hone_shape_bytes(&planned->type.shape, planned->type.dtype, &bytes);
  return told ? bytes : 0;
}

/* The most that a unit reads and writes. */
static size_t layer_bytes(const hone_plan *plan) {
  size_t most = 1;
  for (size_t u = 0; u < plan->program->unit_count; u++) {
    const hone_unit *unit = &plan->program->units[u];
    const hone_node *node = unit->node;
    size_t bytes = 0;
    for (int i = 0; i < node->input_count; i++) bytes += value_bytes(plan, node->inputs[i].value);
    for (int i = 0; i < node->output_count; i++) bytes += value_bytes(plan, node->outputs[i]);
    if (unit->kind != HONE_UNIT_VIEW && bytes > most) most = bytes;
  }
  return most;
}

static size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

/* At once what the shared cache holds; else portions for a core's own one, as many for every thread,
 * unless that leaves threads without work for longer than it gains. */
int hone_portion_count(const hone_plan *plan, size_t rows, int threads) {
  size_t given = atomic_load(&limit), parts = (size_t)threads, bytes = layer_bytes(plan);
  size_t shared = given ? given : hone_cpu_cache(3) / 2, own = given ? given : hone_cpu_cache(2);
  if (rows < 2 || parts < 1 || bytes <= shared || !is_whole(plan)) return 1;
  size_t most = own / divide_up(bytes, rows);
  size_t count = divide_up(divide_up(rows, most ? most : 1), parts) * parts;
  if (count > rows) count = rows;
  if (count > HONE_MOST_PARTS) count = HONE_MOST_PARTS;
  size_t longest = divide_up(count, parts) * divide_up(rows, count);
  return longest * parts > rows + rows / 8 ? 1 : (int)count;
}

/* Says in context->portions how the batch is taken, anew where the inputs have other shapes; then the
 * frame's plan is that of all rows. */
static hone_status *divide(hone_context *context) {
  hone_portions *p = &context->portions;
  hone_frame *frame = context->frame;
  const hone_graph *graph = frame->program->graph;
  bool same = true;
  for (int i = 0; same && i < graph->input_count; i++)
    same = hone_shape_equal(&p->shapes[i], &context->inputs[i].shape);
  if (same) return NULL;
  p->shapes[0].rank = -1; /* until all is known */
  p->ready = false;
  p->rows = hone_batch_rows(frame->program, context->inputs);
  p->count = 1;
  if (p->rows > 1) {
    for (int i = 0; i < graph->input_count; i++)
      frame->data[graph->inputs[i]->id] = context->inputs[i];
    HONE_TRY(hone_frame_stage(frame, 0));
    p->count = hone_portion_count(frame->plan, p->rows, context->run.threads);
  }
  for (int i = 0; i < graph->input_count; i++) p->shapes[i] = context->inputs[i].shape;
  return NULL;
}

/* ---- Running --------------------------------------------------------------------------------- */

hone_status *hone_portions_new(hone_arena *memory, const hone_graph *graph, hone_portions *out) {
  out->shapes = HONE_NEW_ARRAY(memory, graph->input_count + 1, hone_shape);
  out->all = HONE_NEW_ARRAY(memory, graph->output_count + 1, hone_datum);
  if (!out->shapes || !out->all) return hone_error_memory();
  for (int i = 0; i < graph->input_count; i++) out->shapes[i].rank = -1;
  return NULL;
}

void hone_portions_free(hone_portions *p) {
  for (int i = 0; i < p->lane_count; i++) hone_frame_free(p->lanes[i].frame);
  p->lane_count = 0;
}

size_t hone_portions_memory(const hone_portions *p) {
  size_t total = 0;
  for (int i = 0; i < p->lane_count; i++) total += hone_frame_memory(p->lanes[i].frame);
  return total;
}

static hone_status *make_lane(hone_context *context, hone_lane *lane) {
  hone_program *program = context->engine->program;
  const hone_graph *graph = program->graph;
  lane->inputs = HONE_NEW_ARRAY(&context->memory, graph->input_count + 1, hone_datum);
  lane->bound = HONE_NEW_ARRAY(&context->memory, graph->output_count + 1, hone_tensor);
  if (!lane->inputs || !lane->bound) return hone_error_memory();
  HONE_TRY(hone_frame_new(&lane->run, program, 0, &lane->frame));
  lane->frame->bound = lane->bound;
  lane->frame->callers.inputs = context->input_memory;
  return NULL;
}

static hone_status *make_lanes(hone_context *context) {
  hone_portions *p = &context->portions;
  int threads = context->run.threads;
  if (!p->lanes) p->lanes = HONE_NEW_ARRAY(&context->memory, threads, hone_lane);
  HONE_TRY_MEMORY(p->lanes);
  for (; p->lane_count < threads; p->lane_count++) {
    HONE_TRY(make_lane(context, &p->lanes[p->lane_count]));
    p->ready = false;
  }
  return NULL;
}

/* Memory for all rows of the outputs: the caller's, or the frame's. */
static hone_status *place_outputs(hone_context *context) {
  hone_frame *frame = context->frame;
  const hone_graph *graph = frame->program->graph;
  for (int i = 0; i < graph->output_count; i++) {
    hone_datum *all = &context->portions.all[i];
    const hone_type *type = &frame->plan->values[graph->outputs[i].value->id].type;
    *all = (hone_datum){.kind = HONE_KIND_TENSOR, .dtype = type->dtype, .shape = type->shape};
    size_t bytes;
    if (!hone_shape_bytes(&type->shape, type->dtype, &bytes))
      return hone_error(HONE_LIMIT, "output '%s' does not fit in memory",
                        graph->outputs[i].value->name);
    if (frame->run->give) frame->bound[i].data = NULL;
    HONE_TRY(hone_frame_output_memory(frame, i, type->dtype, &type->shape, bytes, &all->data));
  }
  return NULL;
}

/* The lane reads and writes rows [first, first + count). */
static void take_rows(const hone_context *context, hone_lane *lane, size_t first, size_t count) {
  hone_program *program = context->engine->program;
  for (int i = 0; i < program->graph->output_count; i++) {
    const hone_datum *all = &context->portions.all[i];
    hone_tensor *bound = &lane->bound[i];
    *bound = (hone_tensor){.struct_size = sizeof *bound, .data = row_at(all, first)};
    bound->size = (size_t)((char *)row_at(all, first + count) - (char *)bound->data);
  }
  hone_batch_cut(program, context->inputs, first, count, lane->inputs);
}

/* Plans and memory of every lane for portions of these sizes: which lanes come to run differs from run
 * to run, and no later one may have to allocate. */
static hone_status *ready_lanes(hone_context *context) {
  hone_portions *p = &context->portions;
  size_t least = p->rows / (size_t)p->count, most = divide_up(p->rows, (size_t)p->count);
  for (int i = 0; !p->ready && i < p->lane_count; i++)
    for (size_t count = least; count <= most; count++) {
      take_rows(context, &p->lanes[i], 0, count);
      HONE_TRY(hone_frame_ready(p->lanes[i].frame, p->lanes[i].inputs));
    }
  p->ready = true;
  return NULL;
}

/* One portion in a lane that nobody has: as many as threads, but one that comes late from an earlier
 * team may be one too many for a moment. */
typedef struct portioned_run {
  hone_context *context;
  pthread_t caller; /* who may ask its poll */
} portioned_run;

static hone_lane *take_lane(hone_portions *p) {
  for (int i = 0;; i = (i + 1) % p->lane_count)
    if (!atomic_exchange(&p->lanes[i].busy, true)) return &p->lanes[i];
}

/* Of several that fail the first portion is told, whoever comes when: none before it is left out. */
static void note_failure(hone_context *context, hone_lane *lane, int part, hone_status *status) {
  hone_portions *p = &context->portions;
  int least = atomic_load(&p->failed);
  while (part < least && !atomic_compare_exchange_weak(&p->failed, &least, part))
    ;
  if (hone_status_code(status) == HONE_CANCELLED) atomic_store(&context->run.cancelled, true);
  if (lane->status && lane->failed < part) {
    hone_status_free(status);
    return;
  }
  hone_status_free(lane->status);
  lane->status = status;
  lane->failed = part;
}

static void run_portion(void *argument, int part, int parts) {
  const portioned_run *r = argument;
  hone_context *context = r->context;
  hone_portions *p = &context->portions;
  size_t begin, end;
  if (part > atomic_load(&p->failed)) return;
  hone_lane *lane = take_lane(p);
  hone_split(p->rows, 1, part, parts, &begin, &end);
  lane->run.poll = pthread_equal(pthread_self(), r->caller) ? context->run.poll : NULL;
  take_rows(context, lane, begin, end - begin);
  hone_status *status = hone_frame_run(lane->frame, lane->inputs);
  if (status) note_failure(context, lane, part, status);
  atomic_store(&lane->busy, false);
}

/* A lane runs as the context does, on one thread. */
static void start_lanes(hone_context *context) {
  hone_portions *p = &context->portions;
  const hone_run_state *run = &context->run;
  atomic_store(&p->failed, INT_MAX);
  for (int i = 0; i < p->lane_count; i++)
    p->lanes[i].run = (hone_run_state){.threads = 1,
                                       .whole = run,
                                       .number = run->number,
                                       .memory_limit = run->memory_limit / (size_t)p->lane_count,
                                       .deadline = run->deadline,
                                       .next_poll = run->next_poll,
                                       .poll_argument = run->poll_argument};
}

/* The status of the first portion that failed. */
static hone_status *take_failure(hone_portions *p) {
  hone_status *first = NULL;
  for (int i = 0; i < p->lane_count; i++) {
    hone_lane *lane = &p->lanes[i];
    bool is_first = lane->status && lane->failed == atomic_load(&p->failed);
    if (is_first)
      first = lane->status;
    else
      hone_status_free(lane->status);
    lane->status = NULL;
  }
  return first;
}

static hone_status *run_portions(hone_context *context) {
  hone_portions *p = &context->portions;
  const hone_graph *graph = context->frame->program->graph;
  portioned_run run = {context, pthread_self()};
  hone_team team;
  HONE_TRY(make_lanes(context));
  HONE_TRY(place_outputs(context));
  start_lanes(context);
  HONE_TRY(ready_lanes(context));
  hone_team_open(&team, p->lane_count);
  hone_team_run(&team, p->count, run_portion, &run);
  hone_team_close(&team);
  HONE_TRY(take_failure(p));
  for (int i = 0; i < graph->output_count; i++)
    context->frame->data[graph->outputs[i].value->id] = p->all[i];
  return NULL;
}

hone_status *hone_portions_run(hone_context *context) {
  const hone_run_state *run = &context->run;
  if (context->frame->program->batch && !run->device && !run->watch.call && !run->profiled) {
    HONE_TRY(divide(context));
    if (context->portions.count > 1) return run_portions(context);
  }
  return hone_frame_run(context->frame, context->inputs);
}
