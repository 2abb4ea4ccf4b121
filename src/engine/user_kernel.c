/* Kernels that users bring along, as a backend: one candidate a group of one such node.
 * Room: engine. */
#include <string.h>

#include "engine/user_op.h"

/* The name of the candidate; engine files hold it. */
#define CANDIDATE "user"

enum { MOST_OPERANDS = 64 };

/* Where a node's operand is during a run: a port of the group, the pack, or nowhere. */
typedef struct operand {
  int port;        /* -1: not from a port */
  size_t constant; /* 1 + offset in the pack; 0: not from there */
} operand;

typedef struct prepared {
  const hone_user_op *op;
  const hone_node *node;
  int inputs, outputs; /* as the callbacks see them */
  operand in[MOST_OPERANDS], out[MOST_OPERANDS];
  size_t pack_size;
} prepared_op;

/* What a step's phases share. */
typedef struct step_args {
  const prepared_op *op;
  const unsigned char *pack;
  const void *plan;
} step_args;

static const hone_node *only_node(const hone_graph *body) {
  const hone_node *node = body->first;
  if (!node || node->next) return NULL;
  const hone_user_op *op = hone_user_op_of(node->op);
  bool good = op && op->definition.kernel && !(node->op->facts & HONE_DATA_SHAPED) &&
              hone_call_inputs(op, node->input_count) <= MOST_OPERANDS &&
              hone_call_outputs(op, node->output_count) <= MOST_OPERANDS;
  return good ? node : NULL;
}

const hone_backend *hone_backend_of(const hone_graph *body) {
  return only_node(body) ? &hone_backend_user : &hone_backend_cpu;
}

static size_t candidates(const hone_graph *body, hone_candidate *out, size_t room) {
  if (!only_node(body)) return 0;
  if (room) *out = (hone_candidate){.name = CANDIDATE};
  return 1;
}

static void find_operands(const hone_graph *body, prepared_op *op) {
  const hone_node *node = op->node;
  for (int i = 0; i < op->inputs; i++) {
    const hone_value *value = hone_node_in(node, i);
    op->in[i] = (operand){.port = value && !value->constant ? value->index : -1};
    if (!hone_value_is_constant(value)) continue;
    op->in[i].constant = 1 + op->pack_size;
    op->pack_size = hone_align_up(op->pack_size + value->constant_size, 64);
  }
  for (int i = 0; i < op->outputs; i++) {
    op->out[i] = (operand){.port = -1};
    for (int k = 0; k < body->output_count; k++)
      if (body->outputs[k].value == hone_node_out(node, i)) op->out[i].port = k;
  }
}

/* Constants move into the pack, aligned. */
static hone_status *take_pack(const prepared_op *op, const hone_pack *saved, int saved_count,
                              hone_arena *arena, hone_prepared *out) {
  if (op->pack_size == 0) return NULL;
  out->pack_count = 1;
  if (saved_count > 0) {
    out->packs[0] = saved[0];
    return saved_count == 1 && saved[0].size == op->pack_size
               ? NULL
               : hone_error(HONE_CORRUPT, "the constants of op %s have another size",
                            op->op->op.name);
  }
  unsigned char *bytes = hone_arena_zero(arena, op->pack_size);
  HONE_TRY_MEMORY(bytes);
  for (int i = 0; i < op->node->input_count; i++) {
    const hone_value *value = op->node->inputs[i].value;
    if (op->in[i].constant && value->constant_size)
      memcpy(bytes + op->in[i].constant - 1, value->constant, value->constant_size);
  }
  out->packs[0] = (hone_pack){bytes, op->pack_size};
  return NULL;
}

static hone_status *prepare(const hone_graph *body, const char *name, int variant,
                            const hone_pack *saved, int saved_count, const hone_tuning *tuning,
                            hone_arena *arena, hone_prepared *out) {
  const hone_node *node = only_node(body);
  (void)tuning;
  if (!node || strcmp(name, CANDIDATE) != 0)
    return hone_error(HONE_NOT_FOUND, "kernel '%s' does not take this group here", name);
  prepared_op *op = HONE_NEW(arena, prepared_op);
  HONE_TRY_MEMORY(op);
  op->op = hone_user_op_of(node->op);
  op->node = node;
  op->inputs = hone_call_inputs(op->op, node->input_count);
  op->outputs = hone_call_outputs(op->op, node->output_count);
  find_operands(body, op);
  *out =
      (hone_prepared){.backend = &hone_backend_user, .body = body, .variant = variant, .state = op};
  return take_pack(op, saved, saved_count, arena, out);
}

/* ---- Planning ---------------------------------------------------------------------------------
 */

typedef struct plan_call {
  hone_plan_call call; /* first */
  hone_arena *arena;
} plan_call;

void *hone_plan_memory(hone_plan_call *call, size_t size) {
  return hone_arena_zero(((plan_call *)call)->arena, size);
}

static hone_status *describe(const hone_prepared *prepared, const hone_group_view *view,
                             hone_arena *arena, plan_call *out) {
  const prepared_op *op = prepared->state;
  const hone_node *node = op->node;
  const unsigned char *pack = prepared->packs[0].bytes;
  hone_call_tensors in, to;
  HONE_TRY(hone_call_tensors_make(arena, op->inputs, &in));
  HONE_TRY(hone_call_tensors_make(arena, op->outputs, &to));
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    const hone_datum *known = op->in[i].port >= 0 ? view->known[op->in[i].port] : NULL;
    const void *data = op->in[i].constant ? pack + op->in[i].constant - 1
                       : known            ? known->data
                                          : NULL;
    if (value) hone_call_tensor_set(&in, i, &view->types[value->id], data);
  }
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) hone_call_tensor_set(&to, i, &view->types[node->outputs[i]->id], NULL);
  *out = (plan_call){.call = {.struct_size = sizeof out->call,
                              .node = node,
                              .input_count = (size_t)op->inputs,
                              .output_count = (size_t)op->outputs,
                              .inputs = (const hone_tensor *const *)in.pointers,
                              .outputs = (const hone_tensor *const *)to.pointers,
                              .threads = view->threads,
                              .parts = view->threads,
                              .phases = 1},
                     .arena = arena};
  return NULL;
}

/* One part of a phase: the operands as the node has them. */
static void run_phase(const void *arguments, const hone_kernel_io *io, int phase, int part,
                      int parts) {
  const step_args *args = arguments;
  const prepared_op *op = args->op;
  const void *in[MOST_OPERANDS];
  void *out[MOST_OPERANDS];
  for (int i = 0; i < op->inputs; i++)
    in[i] = op->in[i].port >= 0  ? io->in[op->in[i].port]
            : op->in[i].constant ? args->pack + op->in[i].constant - 1
                                 : NULL;
  for (int i = 0; i < op->outputs; i++)
    out[i] = op->out[i].port >= 0 ? io->out[op->out[i].port] : NULL;
  hone_kernel_call call = {.struct_size = sizeof call,
                           .plan = args->plan,
                           .inputs = in,
                           .outputs = out,
                           .scratch = io->scratch,
                           .phase = phase,
                           .part = part,
                           .parts = parts};
  op->op->definition.kernel(op->op->definition.user, &call);
}

/* A phase does not know its number: one function each. */
#define PHASES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define PHASE(number)                                                                           \
  static void phase_##number(const void *args, const hone_kernel_io *io, int part, int parts) { \
    run_phase(args, io, number, part, parts);                                                   \
  }
PHASES(PHASE)
#define PHASE_NAME(number) phase_##number,
static hone_kernel_phase *const phases[] = {PHASES(PHASE_NAME)};
_Static_assert(sizeof phases / sizeof *phases == HONE_MAX_PHASES, "a function for every phase");

static hone_status *plan(const hone_prepared *prepared, const hone_group_view *view,
                         hone_arena *arena, hone_step *out) {
  const prepared_op *op = prepared->state;
  const hone_op_definition *definition = &op->op->definition;
  plan_call c;
  step_args *args = HONE_NEW(arena, step_args);
  HONE_TRY_MEMORY(args);
  HONE_TRY(describe(prepared, view, arena, &c));
  HONE_TRY(definition->plan(definition->user, &c.call));
  if (c.call.phases < 1 || c.call.phases > HONE_MAX_PHASES)
    return hone_error(HONE_INVALID_ARGUMENT, "op %s plans %d phases", op->op->op.name,
                      c.call.phases);
  *args = (step_args){op, prepared->packs[0].bytes, c.call.plan};
  *out = (hone_step){.phase_count = c.call.phases, .args = args, .scratch = c.call.scratch};
  for (int i = 0; i < c.call.phases; i++) out->phases[i] = phases[i];
  out->parts = c.call.parts < 1 ? 1 : c.call.parts < view->threads ? c.call.parts : view->threads;
  return NULL;
}

const hone_backend hone_backend_user = {
    .name = "user", .candidates = candidates, .prepare = prepare, .plan = plan};
