/* Compiling pointwise nodes to steps over registers. Room: backend/cpu. */
#include "backend/cpu/formula.h"

#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/formula_step.h"

static bool knows_dtype(hone_dtype dtype) {
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  return hone_dtype_bits(dtype) >= 8 && klass != HONE_CLASS_NONE && klass != HONE_CLASS_STRING &&
         klass != HONE_CLASS_COMPLEX;
}

bool hone_formula_accepts(const hone_node *node) {
  const hone_op *op = node->op;
  if (!(op->facts & HONE_POINTWISE) || node->input_count > 3 || !hone_node_out(node, 0))
    return false;
  if (!knows_dtype(node->outputs[0]->type.dtype)) return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && !knows_dtype(in->type.dtype)) return false;
  }
  return op == &hone_op_cast || op == &hone_op_select || op == &hone_op_byte_table ||
         hone_pointwise_meaning_of(op);
}

/* ---- Compiling ------------------------------------------------------------------------------ */

typedef struct maker {
  hone_formula *formula;
  const hone_node *const *nodes;
  int count;
  int *last;     /* by value id: the node that reads it last; `count` for results */
  int *place;    /* by value id: register + 1 */
  uint64_t free; /* registers to use again */
  uint64_t *fills;
  hone_arena *arena;
} maker;

static int fresh_register(maker *m) {
  return m->formula->register_count < HONE_FORMULA_REGISTERS ? m->formula->register_count++ : -1;
}

static int take_register(maker *m) {
  if (!m->free) return fresh_register(m);
  int found = __builtin_ctzll(m->free);
  m->free &= m->free - 1;
  return found;
}

static hone_status *too_large(void) {
  return hone_error(HONE_UNSUPPORTED, "a pointwise group is too large for one formula");
}

static hone_status *stream_of(maker *m, const hone_value *value, int *out) {
  hone_formula *f = m->formula;
  if (m->place[value->id] == 0) {
    int found = fresh_register(m);
    if (found < 0 || f->stream_count == HONE_FORMULA_STREAMS) return too_large();
    f->streams[f->stream_count] = value;
    f->stream_register[f->stream_count++] = found;
    m->place[value->id] = found + 1;
  }
  *out = m->place[value->id] - 1;
  return NULL;
}

/* A register that holds what stands for clip's absent limits: infinities, the type's extremes. */
static hone_status *limit_register(maker *m, hone_dtype dtype, bool highest, int *out) {
  hone_dtype type = hone_register_type(dtype);
  hone_dtype_class klass = hone_dtype_class_of(type);
  int found = fresh_register(m);
  if (found < 0) return too_large();
  unsigned spare = 64 - hone_dtype_bits(type);
  int64_t most = klass == HONE_CLASS_SIGNED ? INT64_MAX >> spare : (int64_t)(UINT64_MAX >> spare);
  int64_t least = klass == HONE_CLASS_SIGNED ? -most - 1 : 0;
  if (klass == HONE_CLASS_FLOAT)
    hone_store_real(type, &m->fills[found], 0, highest ? INFINITY : -INFINITY);
  else
    hone_store_int(type, &m->fills[found], 0, highest ? most : least);
  m->formula->filled |= UINT64_C(1) << found;
  *out = found;
  return NULL;
}

/* x to a constant power that has an op of its own. */
static hone_lane lane_of_power(const hone_node *node) {
  const hone_value *power = node->inputs[1].value;
  if (!power->constant || power->type.dtype != HONE_F32 || power->constant_size != sizeof(float))
    return HONE_LANE_pow;
  double value = hone_load_real(HONE_F32, power->constant, 0);
  if (value == 2) return HONE_LANE_mul;
  if (value == 0.5) return HONE_LANE_sqrt;
  if (value == -0.5) return HONE_LANE_rsqrt;
  if (value == 3) return HONE_LANE_mul_mul;
  return value == -1 ? HONE_LANE_reciprocal : HONE_LANE_pow;
}

static hone_status *choose_kind(const hone_node *node, hone_formula_step *s) {
  if (!hone_formula_step_choose(node->op, s))
    return hone_error(HONE_UNSUPPORTED, "%s has no vector form", node->op->name);
  if (s->kind != HONE_STEP_LANE || node->op != &hone_op_pow) return NULL;
  s->lane = lane_of_power(node);
  if (s->lane != HONE_LANE_pow) s->in[1] = s->in[0]; /* x x, and unused by roots */
  return NULL;
}

static hone_status *make_inputs(maker *m, const hone_node *node, hone_formula_step *s) {
  for (int i = 0; i < 3; i++) {
    const hone_value *in = hone_node_in(node, i);
    if (in)
      HONE_TRY(stream_of(m, in, &s->in[i]));
    else if (i < node->input_count || node->op == &hone_op_clip)
      HONE_TRY(limit_register(m, s->from, i == 2, &s->in[i]));
    else
      s->in[i] = s->in[0];
  }
  return NULL;
}

/* What a step has besides operands: attributes as numbers, a table. */
static hone_status *make_attrs(const hone_node *node, hone_arena *arena, hone_formula_step *s) {
  if (s->kind == HONE_STEP_CAST || s->kind == HONE_STEP_NARROW) {
    s->attrs[0] = hone_node_flag(node, "saturate");
    s->attrs[1] = hone_node_text(node, "round")[0];
  } else if (s->kind == HONE_STEP_LOOKUP) {
    uint8_t *table = HONE_NEW_ARRAY(arena, HONE_BYTE_TABLE, uint8_t);
    HONE_TRY_MEMORY(table);
    hone_byte_table(node, table);
    s->table = table;
    s->look_up = hone_lookup_here(table);
  } else {
    hone_pointwise_attrs(node, s->attrs);
  }
  return NULL;
}

static double cost_of(const hone_formula_step *s) {
  if (s->kind == HONE_STEP_TYPED) return s->from == HONE_F64 ? 2 : 0.2;
  if (s->kind != HONE_STEP_LANE) return s->kind == HONE_STEP_NARROW ? 1 : 0.2;
  if (s->lane == HONE_LANE_pow) return 5;
  bool function = s->lane == HONE_LANE_exp || s->lane == HONE_LANE_gelu ||
                  (s->lane >= HONE_LANE_tanh && s->lane <= HONE_LANE_atanh);
  return function ? 0.4 : 0.06;
}

static bool number_of(const hone_value *value, double *out) {
  if (!value || !value->constant || value->type.dtype != HONE_F32 ||
      value->constant_size != sizeof(float))
    return false;
  *out = hone_load_real(HONE_F32, value->constant, 0);
  return true;
}

/* A cast to bytes of what a clip has brought into their range: nothing wraps. */
static bool casts_clipped(const hone_node *node) {
  double low, high;
  if (node->op != &hone_op_cast) return false;
  const hone_value *x = node->inputs[0].value;
  hone_dtype to = node->outputs[0]->type.dtype;
  const hone_node *clip = x ? x->producer : NULL;
  return clip && clip->op == &hone_op_clip && clip->input_count == 3 && x->type.dtype == HONE_F32 &&
         (to == HONE_U8 || to == HONE_S8) && number_of(clip->inputs[1].value, &low) &&
         number_of(clip->inputs[2].value, &high) && low >= (to == HONE_S8 ? -128 : 0) &&
         high <= (to == HONE_S8 ? 127 : 255);
}

/* A cast of floats to halves that nothing here reads: storing rounds by itself. */
static bool is_stored_alone(const maker *m, const hone_node *node) {
  const hone_value *result = node->outputs[0], *x = node->inputs[0].value;
  hone_dtype to = result->type.dtype;
  bool alone = node->op == &hone_op_cast && x && (to == HONE_F16 || to == HONE_BF16) &&
               hone_register_type(x->type.dtype) == HONE_F32 && m->last[result->id] == m->count;
  for (const hone_use *use = result->uses; alone && use; use = use->next)
    for (int i = 0; use->user && i < m->count; i++) alone = alone && m->nodes[i] != use->user;
  return alone;
}

static void widen(hone_formula *f, hone_dtype dtype) {
  size_t bytes = hone_register_bytes(dtype);
  if (bytes > f->widest) f->widest = bytes;
}

static hone_status *make_step(maker *m, int index) {
  const hone_node *node = m->nodes[index];
  const hone_value *x = node->inputs[0].value;
  hone_formula *f = m->formula;
  if (x && is_stored_alone(m, node)) { /* its register is not used again */
    int found = 0;
    HONE_TRY(stream_of(m, x, &found));
    m->place[node->outputs[0]->id] = found + 1;
    m->last[x->id] = m->count;
    return NULL;
  }
  hone_formula_step *s = &f->steps[f->step_count++];
  const hone_value *result = node->outputs[0];
  const hone_value *first = node->op == &hone_op_select ? node->inputs[1].value : x;
  if (!first) return hone_error(HONE_INTERNAL, "a pointwise node without its first input");
  s->from = first->type.dtype;
  s->to = result->type.dtype;
  HONE_TRY(make_inputs(m, node, s));
  HONE_TRY(choose_kind(node, s));
  if (casts_clipped(node)) s->kind = HONE_STEP_BYTES;
  HONE_TRY(make_attrs(node, m->arena, s));
  bool is_result = m->last[result->id] == m->count;
  /* Only vector forms may write over an operand, and over one as wide as what they write. */
  uint64_t done = 0, alike = 0;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    bool made_here = in && in->producer && m->last[in->id] == index;
    for (int k = 0; made_here && k < f->stream_count; k++) made_here = f->streams[k] != in;
    if (!made_here) continue;
    uint64_t place = UINT64_C(1) << (m->place[in->id] - 1);
    done |= place;
    if (hone_register_bytes(in->type.dtype) == hone_register_bytes(s->to)) alike |= place;
  }
  if (s->kind == HONE_STEP_LANE) m->free |= alike;
  s->out = is_result ? fresh_register(m) : take_register(m);
  if (s->out < 0) return too_large();
  m->free |= done & ~(UINT64_C(1) << s->out);
  m->place[result->id] = s->out + 1;
  widen(f, s->from);
  widen(f, s->to);
  f->cost += cost_of(s);
  return NULL;
}

static hone_status *make_all(maker *m, const hone_value *const *results, int result_count) {
  hone_formula *f = m->formula;
  for (int i = 0; i < m->count; i++)
    for (int k = 0; k < m->nodes[i]->input_count; k++)
      if (m->nodes[i]->inputs[k].value) m->last[m->nodes[i]->inputs[k].value->id] = i;
  for (int i = 0; i < result_count; i++) m->last[results[i]->id] = m->count;
  for (int i = 0; i < m->count; i++) HONE_TRY(make_step(m, i));
  for (int i = 0; i < result_count; i++) {
    f->results[i] = results[i];
    f->result_register[i] = m->place[results[i]->id] - 1;
  }
  f->result_count = result_count;
  for (int i = 0; i < f->stream_count; i++)
    widen(f, f->streams[i]->type.dtype);
  return NULL;
}

hone_status *hone_formula_make(const hone_node *const *nodes, int count,
                               const hone_value *const *results, int result_count,
                               hone_arena *arena, hone_formula **out) {
  if (result_count > HONE_FORMULA_RESULTS) return too_large();
  hone_formula *f = HONE_NEW(arena, hone_formula);
  size_t values = (size_t)nodes[0]->graph->next_id + 1;
  HONE_TRY_MEMORY(f);
  f->steps = HONE_NEW_ARRAY(arena, count, hone_formula_step);
  maker m = {.formula = f, .nodes = nodes, .count = count, .arena = arena};
  m.last = HONE_NEW_ARRAY(arena, values, int);
  m.place = HONE_NEW_ARRAY(arena, values, int);
  m.fills = HONE_NEW_ARRAY(arena, HONE_FORMULA_REGISTERS, uint64_t);
  if (!f->steps || !m.last || !m.place || !m.fills) return hone_error_memory();
  f->fills = m.fills;
  HONE_TRY(make_all(&m, results, result_count));
  hone_formula_pair_steps(f);
  *out = f;
  return NULL;
}
