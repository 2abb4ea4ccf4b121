/* Making stages of a body, at build. Room: backend/cpu. */
#include "backend/cpu/body.h"

#include <math.h>
#include <string.h>

#include "ops/gate.h"

static bool is_pointwise(const hone_node *node) {
  return node->op->facts & HONE_POINTWISE;
}
static bool is_view(const hone_node *node) {
  return node->op->facts & HONE_VIEW;
}

const hone_value *hone_body_root(const hone_value *value) {
  while (value->producer && is_view(value->producer)) value = value->producer->inputs[0].value;
  return value;
}

const hone_node *hone_body_core(const hone_graph *graph) {
  const hone_node *found = NULL;
  for (const hone_node *n = graph->first; n; n = n->next) {
    if (is_pointwise(n) || is_view(n)) continue;
    if (n->op->facts & HONE_HEAVY) return n;
    if (!found) found = n;
  }
  return found;
}

/* No output is somebody else's memory, and no two are the same. */
static bool accepts_outputs(const hone_graph *graph) {
  for (int i = 0; i < graph->output_count; i++) {
    const hone_value *root = hone_body_root(graph->outputs[i].value);
    if (!root->producer) return false;
    for (int k = 0; k < i; k++)
      if (hone_body_root(graph->outputs[k].value) == root) return false;
  }
  return graph->output_count > 0;
}

static bool accepts_node(const hone_node *node) {
  if (is_pointwise(node)) return hone_formula_accepts(node);
  if (is_view(node)) return true;
  /* What follows a data-shaped node has no size yet. */
  bool alone = node->graph->first == node && !node->next;
  return (alone || !(node->op->facts & HONE_DATA_SHAPED)) &&
         node->input_count <= HONE_NODE_INPUTS && node->output_count <= HONE_NODE_OUTPUTS &&
         hone_cpu_kernel_next(node, NULL);
}

bool hone_body_accepts(const hone_graph *graph) {
  bool computes = false;
  for (const hone_node *n = graph->first; n; n = n->next) {
    if (!accepts_node(n)) return false;
    if (!is_view(n)) computes = true;
  }
  return computes && accepts_outputs(graph);
}

/* ---- Stages --------------------------------------------------------------------------------- */

typedef struct maker {
  hone_body *body;
  hone_arena *arena;
  hone_bytes saved;        /* the pack, where it is made already; else none */
  int *stage_of;           /* by value id: 1 + the stage that makes it; 0: there at the start */
  const hone_node **nodes; /* of formulas: all pointwise nodes by stage, in order */
  int *node_stage;
  int node_count;
} maker;

static hone_status *too_long(void) {
  return hone_error(HONE_UNSUPPORTED, "the group takes too many stages");
}

/* A cast of a bf16 input for one pointwise node alone: it stands beside that node, and so may
 * become the residual of a kernel that takes bf16. */
static bool waits_for_user(const hone_node *node) {
  const hone_value *out = node->outputs[0], *in = node->inputs[0].value;
  if (node->op != &hone_op_cast || in->type.dtype != HONE_BF16 || out->type.dtype != HONE_F32 ||
      in->producer || in->constant || !hone_value_has_one_use(out) || !out->uses->user)
    return false;
  const hone_node *user = out->uses->user;
  return is_pointwise(user) && hone_shape_equal(&out->type.shape, &user->outputs[0]->type.shape);
}

static const hone_node *waiting_cast(const hone_value *value) {
  return value && value->producer && waits_for_user(value->producer) ? value->producer : NULL;
}

/* The first stage at which all inputs of the node are there. A pointwise node may stand in the
 * stage that makes its input, where both are of one shape. */
static int ready_at(const maker *m, const hone_node *node, bool pointwise) {
  int ready = 0;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = hone_node_operand(node, i);
    if (!in) continue;
    const hone_value *root = hone_body_root(in);
    int stage = m->stage_of[root->id];
    if (stage == 0) continue;
    const hone_body_stage *made = &m->body->stages[stage - 1];
    bool joins = pointwise && !made->node && root == in &&
                 hone_shape_equal(&in->type.shape, &node->outputs[0]->type.shape);
    if (stage - joins > ready) ready = stage - joins;
  }
  return ready;
}

static hone_status *add_stage(maker *m, int *out) {
  if (m->body->stage_count == HONE_BODY_STAGES) return too_long();
  *out = m->body->stage_count++;
  m->body->stages[*out] = (hone_body_stage){0};
  return NULL;
}

static int count_nodes(const maker *m, int stage) {
  int count = 0;
  for (int i = 0; i < m->node_count; i++) count += m->node_stage[i] == stage;
  return count;
}

static void put_node(maker *m, const hone_node *node, int stage) {
  m->stage_of[node->outputs[0]->id] = stage + 1;
  m->nodes[m->node_count] = node;
  m->node_stage[m->node_count++] = stage;
}

/* With the casts that wait for it. */
static hone_status *add_pointwise(maker *m, const hone_node *node) {
  hone_body *body = m->body;
  int stage = ready_at(m, node, true), more = 0;
  for (int i = 0; i < node->input_count; i++) more += waiting_cast(node->inputs[i].value) != NULL;
  const hone_shape *shape = &node->outputs[0]->type.shape;
  while (stage < body->stage_count &&
         (body->stages[stage].node || count_nodes(m, stage) + more >= HONE_FORMULA_NODES ||
          !hone_shape_equal(&body->stages[stage].result->type.shape, shape)))
    stage++;
  if (stage == body->stage_count) {
    HONE_TRY(add_stage(m, &stage));
    body->stages[stage].result = node->outputs[0];
  }
  for (int i = 0; i < node->input_count; i++) {
    const hone_node *cast = waiting_cast(node->inputs[i].value);
    if (cast) put_node(m, cast, stage);
  }
  put_node(m, node, stage);
  return NULL;
}

static hone_status *add_kernel(maker *m, const hone_node *node, const hone_cpu_kernel *kernel) {
  int stage;
  HONE_TRY(add_stage(m, &stage));
  hone_body_stage *s = &m->body->stages[stage];
  s->node = node;
  s->kernel = kernel ? kernel : hone_cpu_kernel_next(node, NULL);
  s->result = node->outputs[0];
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) m->stage_of[node->outputs[i]->id] = stage + 1;
  return s->kernel ? NULL : hone_error(HONE_NOT_FOUND, "no kernel computes %s", node->op->name);
}

/* ---- Tails ---------------------------------------------------------------------------------- */

static bool scalar_of(const hone_value *value, double *out) {
  if (!value || !value->constant || value->type.dtype != HONE_F32 ||
      value->constant_size != sizeof(float))
    return false;
  *out = hone_load_real(HONE_F32, value->constant, 0);
  return true;
}

static bool clamp_of(const hone_node *node, hone_activation *out) {
  double low = -INFINITY, high = INFINITY;
  const hone_value *least = hone_node_in(node, 1), *most = hone_node_in(node, 2);
  if ((least && !scalar_of(least, &low)) || (most && !scalar_of(most, &high))) return false;
  *out = (hone_activation){HONE_ACTIVATION_CLAMP, (float)low, (float)high};
  return true;
}

/* The activation that a node is, if finish.h has it. */
static bool activation_of(const hone_node *node, hone_activation *out) {
  const hone_op *op = node->op;
  if (op == &hone_op_clip) return clamp_of(node, out);
  static const struct {
    const hone_op *op;
    hone_activation_kind kind;
    const char *a, *b;
  } rows[] = {
      {&hone_op_leaky_relu, HONE_ACTIVATION_LEAKY_RELU, "alpha", NULL},
      {&hone_op_elu, HONE_ACTIVATION_ELU, "alpha", NULL},
      {&hone_op_sigmoid, HONE_ACTIVATION_SIGMOID, NULL, NULL},
      {&hone_op_tanh, HONE_ACTIVATION_TANH, NULL, NULL},
      {&hone_op_swish, HONE_ACTIVATION_SILU, "alpha", NULL},
      {&hone_op_silu, HONE_ACTIVATION_SILU, NULL, NULL},
      {&hone_op_hard_sigmoid, HONE_ACTIVATION_HARD_SIGMOID, "alpha", "beta"},
      {&hone_op_hard_swish, HONE_ACTIVATION_HARD_SWISH, NULL, NULL},
      {&hone_op_gelu, HONE_ACTIVATION_GELU_ERF, NULL, NULL},
      {&hone_op_relu, HONE_ACTIVATION_CLAMP, NULL, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].op != op) continue;
    *out = (hone_activation){rows[i].kind, 1, 0};
    if (rows[i].a) out->a = (float)hone_node_real(node, rows[i].a);
    if (rows[i].b) out->b = (float)hone_node_real(node, rows[i].b);
    if (op == &hone_op_relu) *out = (hone_activation){HONE_ACTIVATION_CLAMP, 0, INFINITY};
    if (op == &hone_op_gelu && strcmp(hone_node_text(node, "approximate"), "tanh") == 0)
      out->kind = HONE_ACTIVATION_GELU_TANH;
    return true;
  }
  return false;
}

/* One number for each element of the last axis of `of`, and nothing else. */
static bool is_row(const hone_value *value, const hone_shape *of) {
  size_t count;
  const hone_shape *shape = &value->type.shape;
  return value->constant && value->type.dtype == HONE_F32 && of->rank > 0 && shape->rank > 0 &&
         shape->rank <= of->rank && hone_shape_count(shape, &count) &&
         shape->dim[shape->rank - 1] == of->dim[of->rank - 1] &&
         count == (size_t)shape->dim[shape->rank - 1];
}

/* The formula's node that alone reads `value`; NULL if there is none. */
static const hone_node *only_user(const maker *m, const hone_value *value, int stage) {
  if (!hone_value_has_one_use(value) || !value->uses->user) return NULL;
  const hone_node *user = value->uses->user;
  for (int i = 0; i < m->node_count; i++)
    if (m->nodes[i] == user) return m->node_stage[i] == stage ? user : NULL;
  return NULL;
}

/* A result that is widened is f32 at once. */
static bool absorbs_cast(const hone_body_stage *s, const hone_node *cast) {
  hone_dtype from = s->result->type.dtype, to = cast->outputs[0]->type.dtype;
  if (from == HONE_BF16 && to == HONE_F32) return true;
  return from == HONE_F32 && to == HONE_BF16 && s->kernel->functions->stores_bf16;
}

static void drop_node(maker *m, const hone_node *node) {
  int to = 0;
  for (int i = 0; i < m->node_count; i++) {
    if (m->nodes[i] == node) continue;
    m->nodes[to] = m->nodes[i];
    m->node_stage[to++] = m->node_stage[i];
  }
  m->node_count = to;
}

/* Takes what is added into the registers: a bias, or a residual. */
static bool absorb_add(maker *m, hone_body_stage *s, const hone_node *node) {
  const hone_shape *shape = &s->result->type.shape;
  const hone_value *other = node->inputs[node->inputs[0].value == s->result].value;
  bool has_bias = s->bias || hone_node_in(s->node, 2);
  if (is_row(other, shape) && !has_bias && !s->residual) {
    s->bias = other;
    return true;
  }
  const hone_node *cast = s->kernel->functions->stores_bf16 ? waiting_cast(other) : NULL;
  const hone_value *from = cast ? cast->inputs[0].value : other;
  int made = m->stage_of[hone_body_root(from)->id];
  if (other->constant || s->residual || other->type.dtype != HONE_F32 ||
      made > (int)(s - m->body->stages) || !hone_shape_equal(shape, &other->type.shape))
    return false;
  s->residual = from;
  if (cast) drop_node(m, cast);
  return true;
}

/* Takes one node of the tail into the registers of the kernel, if it can be. */
static bool absorb(maker *m, hone_body_stage *s, const hone_node *node) {
  const hone_shape *shape = &s->result->type.shape;
  if (node->op == &hone_op_cast) return absorbs_cast(s, node);
  if (node->outputs[0]->type.dtype != HONE_F32 ||
      !hone_shape_equal(shape, &node->outputs[0]->type.shape) ||
      s->activation.kind != HONE_ACTIVATION_NONE)
    return false;
  if (s->result->type.dtype != HONE_F32) return false;
  if (node->op == &hone_op_add) return absorb_add(m, s, node);
  return activation_of(node, &s->activation);
}

/* The nodes of a formula stage, in their order. */
static int nodes_of(const maker *m, int stage, const hone_node **out) {
  int count = 0;
  for (int i = 0; i < m->node_count; i++)
    if (m->node_stage[i] == stage) out[count++] = m->nodes[i];
  return count;
}

/* The values that a formula has to write: read by another stage, or outputs of the body. */
static hone_status *results_of(const hone_node *const *nodes, int count, const hone_value **out,
                               int *result_count) {
  *result_count = 0;
  for (int i = 0; i < count; i++) {
    const hone_value *value = nodes[i]->outputs[0];
    bool outside = false;
    for (const hone_use *use = value->uses; use; use = use->next) {
      bool inside = false;
      for (int k = 0; use->user && k < count; k++) inside |= nodes[k] == use->user;
      outside |= !inside;
    }
    if (!outside) continue;
    if (*result_count == HONE_FORMULA_RESULTS) return too_long();
    out[(*result_count)++] = value;
  }
  return NULL;
}

static hone_status *make_formula(maker *m, int stage, hone_formula **out) {
  const hone_node **nodes = HONE_NEW_ARRAY(m->arena, m->node_count + 1, const hone_node *);
  const hone_value *results[HONE_FORMULA_RESULTS];
  int result_count;
  HONE_TRY_MEMORY(nodes);
  int count = nodes_of(m, stage, nodes);
  *out = NULL;
  if (count == 0) return NULL;
  HONE_TRY(results_of(nodes, count, results, &result_count));
  if (result_count == 0) return NULL;
  return hone_formula_make(nodes, count, results, result_count, m->arena, out);
}

/* Whether the formula can run on the kernel's tiles; then `own` is the tile's stream. */
static bool runs_on_tiles(const hone_body_stage *s, const hone_formula *f, int *own) {
  const hone_shape *shape = &s->result->type.shape;
  if (s->result->type.dtype != HONE_F32 || f->result_count != 1 ||
      f->results[0]->type.dtype != HONE_F32 || shape->rank < 1 ||
      !hone_shape_equal(shape, &f->results[0]->type.shape))
    return false;
  for (int i = 0; i < f->stream_count; i++) {
    if (f->streams[i] != s->result) continue;
    *own = i;
    /* All its uses are in the formula, or somebody else needs it in memory. */
    for (const hone_use *use = s->result->uses; use; use = use->next)
      if (!use->user || !is_pointwise(use->user)) return false;
    return s->node->input_count + f->stream_count < HONE_NODE_INPUTS - HONE_NODE_LEAST;
  }
  return false;
}

#define OUTSIDE (-1) /* no stage */

/* The place among the nodes of the one that rounds the formula's result to bf16; negative: none. */
static int final_cast(const maker *m, int stage) {
  for (int i = m->node_count - 1; i >= 0; i--) {
    const hone_node *node = m->nodes[i];
    if (m->node_stage[i] != stage) continue;
    const hone_value *in = node->inputs[0].value;
    bool casts = node->op == &hone_op_cast && in->type.dtype == HONE_F32 &&
                 node->outputs[0]->type.dtype == HONE_BF16 && hone_value_has_one_use(in);
    return casts && m->stage_of[in->id] == stage + 1 ? i : -1;
  }
  return -1;
}

/* Makes the formula stage that follows the kernel its program, if it can be. */
static hone_status *make_program(maker *m, int stage, bool *taken) {
  hone_body_stage *s = &m->body->stages[stage];
  hone_formula *formula;
  *taken = false;
  HONE_TRY(make_formula(m, stage + 1, &formula));
  if (!formula || !runs_on_tiles(s, formula, &s->own)) return NULL;
  for (int i = 0; i < formula->stream_count; i++) /* made by nobody later than this stage */
    if (i != s->own && m->stage_of[hone_body_root(formula->streams[i])->id] > stage) return NULL;
  for (const hone_use *use = s->result->uses; use; use = use->next)
    for (int i = 0; i < m->node_count; i++)
      if (m->nodes[i] == use->user && m->node_stage[i] != stage + 1) return NULL;
  s->formula = formula;
  for (int i = m->node_count - 1; i >= 0; i--)
    if (m->node_stage[i] == stage + 1) drop_node(m, m->nodes[i]);
  s->result = formula->results[0];
  m->stage_of[s->result->id] = stage + 1;
  *taken = true;
  return NULL;
}

/* Moves the tail of a finishing kernel out of the formula stage that follows it. */
static hone_status *make_tail(maker *m, int stage) {
  hone_body_stage *s = &m->body->stages[stage];
  if (stage + 1 >= m->body->stage_count || m->body->stages[stage + 1].node) return NULL;
  for (const hone_node *user; (user = only_user(m, s->result, stage + 1)) && absorb(m, s, user);) {
    drop_node(m, user);
    m->stage_of[user->outputs[0]->id] = stage + 1;
    s->result = user->outputs[0];
  }
  int rounding = final_cast(m, stage + 1);
  bool rounds = rounding >= 0 && s->kernel->functions->stores_bf16, taken;
  if (rounds) m->node_stage[rounding] = OUTSIDE;
  const hone_node *cast = rounds ? m->nodes[rounding] : NULL;
  HONE_TRY(make_program(m, stage, &taken));
  if (cast && taken) {
    drop_node(m, cast);
    s->result = cast->outputs[0];
    m->stage_of[s->result->id] = stage + 1;
  } else if (cast) {
    m->node_stage[rounding] = stage + 1;
  }
  return NULL;
}

/* Whether the nodes beside the last step are formulas' nodes, and what it reads is there in time.
 */
static bool may_commit(const maker *m, int stage, const hone_integer_tail *tail, int steps) {
  for (int i = 0; i < tail->beside_count; i++) {
    bool pending = false;
    for (int k = 0; k < m->node_count; k++) pending |= m->nodes[k] == tail->beside[i];
    if (!pending) return false;
  }
  for (int i = steps; i < tail->finish.count; i++) {
    const hone_value *value = tail->values[i];
    if (value && m->stage_of[hone_body_root(value)->id] > stage) return false;
  }
  return true;
}

/* Moves the tail of a kernel of sums out of the formula stage that follows it. */
static hone_status *make_integer_tail(maker *m, int stage) {
  hone_body_stage *s = &m->body->stages[stage];
  s->tail = HONE_NEW(m->arena, hone_integer_tail);
  HONE_TRY_MEMORY(s->tail);
  s->tail->finish.out = HONE_S32;
  if (stage + 1 >= m->body->stage_count || m->body->stages[stage + 1].node) return NULL;
  for (const hone_node *user; (user = only_user(m, s->result, stage + 1));) {
    hone_integer_tail longer = *s->tail;
    if (!hone_integer_tail_take(&longer, user, s->result) ||
        !may_commit(m, stage, &longer, s->tail->finish.count))
      break;
    *s->tail = longer;
    for (int i = 0; i < longer.beside_count; i++) drop_node(m, longer.beside[i]);
    drop_node(m, user);
    m->stage_of[user->outputs[0]->id] = stage + 1;
    s->result = user->outputs[0];
  }
  return NULL;
}

/* ---- What is packed ------------------------------------------------------------------------- */

static hone_status *need_constant(maker *m, const hone_value *value) {
  hone_body *body = m->body;
  if (!value) return NULL;
  value = hone_body_root(value);
  if (!value->constant) return NULL;
  for (int i = 0; i < body->constant_count; i++)
    if (body->constants[i].value == value) return NULL;
  body->constants[body->constant_count++] = (hone_body_constant){value, body->pack_size};
  size_t room;
  if (!hone_add(value->constant_size, 127, &room) ||
      !hone_add(body->pack_size, room & ~(size_t)63, &body->pack_size))
    return hone_error(HONE_LIMIT, "a group's constants are too large");
  return NULL;
}

/* The bytes of a stage's pack, which begins at `at`. */
static size_t pack_bytes(const maker *m, const hone_body_stage *s, size_t at) {
  const hone_node_functions *f = s->kernel->functions;
  if (!m->saved.data || !f->saved_size) return f->pack_size(s->kernel, s->node);
  if (at >= m->saved.size) return 0;
  return f->saved_size(s->kernel, s->node, (const char *)m->saved.data + at, m->saved.size - at);
}

static hone_status *need_pack(maker *m, hone_body_stage *s) {
  if (!s->kernel->functions->pack_size) return NULL;
  s->pack_at = m->body->pack_size;
  size_t size = pack_bytes(m, s, s->pack_at);
  if (size == 0 && m->saved.data)
    return hone_error(HONE_CORRUPT, "the packed weights of '%s' are not its kernel's",
                      hone_node_label(s->node));
  if (size == 0 || size > SIZE_MAX / 2 ||
      !hone_add(s->pack_at, hone_align_up(size, 64), &m->body->pack_size))
    return hone_error(HONE_LIMIT, "the weights of '%s' are too large", hone_node_label(s->node));
  return NULL;
}

static hone_status *lay_out_pack(maker *m) {
  hone_body *body = m->body;
  body->constants = HONE_NEW_ARRAY(m->arena, body->graph->constant_count + 1, hone_body_constant);
  HONE_TRY_MEMORY(body->constants);
  for (int i = 0; i < body->stage_count; i++) {
    hone_body_stage *s = &body->stages[i];
    for (int k = 0; s->node && k < s->node->input_count; k++) {
      uint32_t bit = k < 32 ? 1u << k : 0;
      if (s->kernel->functions->packed_inputs & bit) continue;
      HONE_TRY(need_constant(m, hone_node_operand(s->node, k)));
    }
    HONE_TRY(need_constant(m, s->bias));
    for (int k = 0; s->tail && k < s->tail->finish.count; k++)
      HONE_TRY(need_constant(m, s->tail->values[k]));
    for (int k = 0; s->formula && k < s->formula->stream_count; k++)
      HONE_TRY(need_constant(m, s->formula->streams[k]));
    if (s->node) HONE_TRY(need_pack(m, s));
  }
  return NULL;
}

hone_status *hone_body_pack(const hone_body *body, void *to) {
  memset(to, 0, body->pack_size);
  for (int i = 0; i < body->constant_count; i++) {
    const hone_value *value = body->constants[i].value;
    memcpy((char *)to + body->constants[i].at, value->constant, value->constant_size);
  }
  for (int i = 0; i < body->stage_count; i++) {
    const hone_body_stage *s = &body->stages[i];
    if (s->node && s->kernel->functions->pack_size)
      HONE_TRY(s->kernel->functions->pack(s->kernel, s->node, (char *)to + s->pack_at));
  }
  return NULL;
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* Forgets formula stages that their kernels have taken in. */
static void drop_empty(hone_body *body) {
  int to = 0;
  for (int i = 0; i < body->stage_count; i++)
    if (body->stages[i].node || body->stages[i].formula) body->stages[to++] = body->stages[i];
  body->stage_count = to;
}

/* A cast that the only node that reads it does by itself. */
static bool is_taken_in(const hone_node *node) {
  const hone_value *out = node->outputs[0];
  if (node->op != &hone_op_cast || !hone_value_has_one_use(out) || !out->uses->user) return false;
  const hone_node *user = out->uses->user;
  for (int i = 0; i < user->input_count; i++)
    if (user->inputs[i].value == out) return hone_node_operand(user, i) != out;
  return false;
}

/* The node whose gates the kernel of the core applies itself. */
static const hone_node *gating(const hone_node *core, const hone_cpu_kernel *kernel) {
  int x;
  if (!core || !kernel || !kernel->functions->gates) return NULL;
  return kernel->functions->gates(kernel, core) ? hone_gate_of(core, &x) : NULL;
}

static void set_gate(hone_body_stage *s) {
  int x;
  const hone_node *mul = hone_gate_of(s->node, &x);
  s->scaled = mul->inputs[x].value;
  s->gate = mul->inputs[1 - x].value;
}

static hone_status *make_stages(maker *m, const hone_cpu_kernel *kernel) {
  const hone_graph *graph = m->body->graph;
  const hone_node *core = hone_body_core(graph), *gates = gating(core, kernel);
  for (const hone_node *n = graph->first; n; n = n->next) {
    if (is_view(n) || is_taken_in(n) || waits_for_user(n) || n == gates) continue;
    if (is_pointwise(n))
      HONE_TRY(add_pointwise(m, n));
    else
      HONE_TRY(add_kernel(m, n, n == core ? kernel : NULL));
    if (n == core && gates) set_gate(&m->body->stages[m->body->stage_count - 1]);
  }
  for (int i = 0; i < m->body->stage_count;
       i++) { /* before formulas of the stages that they empty */
    const hone_body_stage *s = &m->body->stages[i];
    if (s->node && s->kernel->functions->finishes_integers) HONE_TRY(make_integer_tail(m, i));
  }
  for (int i = 0; i < m->body->stage_count; i++) {
    hone_body_stage *s = &m->body->stages[i];
    if (s->node && s->kernel->functions->finishes) HONE_TRY(make_tail(m, i));
    if (!s->node) HONE_TRY(make_formula(m, i, &s->formula));
  }
  drop_empty(m->body);
  return lay_out_pack(m);
}

hone_status *hone_body_make(const hone_graph *graph, const hone_cpu_kernel *kernel, hone_bytes saved,
                            hone_arena *arena, hone_body **out) {
  size_t values = (size_t)graph->next_id + 1, nodes = 1;
  for (const hone_node *n = graph->first; n; n = n->next) nodes++;
  maker m = {.body = HONE_NEW(arena, hone_body), .arena = arena, .saved = saved};
  m.stage_of = HONE_NEW_ARRAY(arena, values, int);
  m.nodes = HONE_NEW_ARRAY(arena, nodes, const hone_node *);
  m.node_stage = HONE_NEW_ARRAY(arena, nodes, int);
  if (!m.body || !m.stage_of || !m.nodes || !m.node_stage) return hone_error_memory();
  m.body->graph = graph;
  HONE_TRY(make_stages(&m, kernel));
  *out = m.body;
  return NULL;
}
