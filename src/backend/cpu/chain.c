/* Compiling and running chains. Room: backend/cpu. */
#include "backend/cpu/chain.h"

#include <math.h>
#include <string.h>

#include "backend/cpu/body.h"

hone_chain_op *const *hone_chain_set_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return hone_chain_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return hone_chain_avx2;
#endif
  return hone_chain_plain;
}

/* ---- Compiling ---------------------------------------------------------------------------------- */

/* Which op of a chain a pointwise op is, and where its a and b come from. */
static const struct chain_row {
  const char *op;
  hone_chain_code code;
  const char *a, *b; /* attributes; "=text" is a number */
} chain_rows[] = {
#define SAME(name) {#name, HONE_CHAIN_##name, NULL, NULL},
    SAME(add) SAME(sub) SAME(mul) SAME(div) SAME(min) SAME(max) SAME(neg) SAME(abs) SAME(sqrt)
    SAME(rsqrt) SAME(reciprocal) SAME(exp) SAME(log) SAME(erf) SAME(tanh) SAME(sigmoid) SAME(relu)
    SAME(silu) SAME(hard_swish) SAME(prelu) SAME(select) SAME(less) SAME(less_equal) SAME(greater)
    SAME(greater_equal) SAME(equal) SAME(not_equal) SAME(not) SAME(and) SAME(or) SAME(xor)
    SAME(floor) SAME(ceil) SAME(round) SAME(trunc) SAME(sign) SAME(softplus) SAME(mish) SAME(pow)
    SAME(sin) SAME(cos) SAME(softsign)
#undef SAME
    {"identity", HONE_CHAIN_copy, NULL, NULL},
    {"swish", HONE_CHAIN_swish, "alpha", NULL},
    {"hard_sigmoid", HONE_CHAIN_hard_sigmoid, "alpha", "beta"},
    {"leaky_relu", HONE_CHAIN_leaky_relu, "alpha", NULL},
    {"elu", HONE_CHAIN_elu, "alpha", NULL},
    {"celu", HONE_CHAIN_celu, "alpha", NULL},
    {"selu", HONE_CHAIN_selu, "alpha", "gamma"},
    {"thresholded_relu", HONE_CHAIN_thresholded_relu, "alpha", NULL},
};

typedef struct compiler {
  const hone_graph *body;
  const hone_value *start;
  hone_arena *arena;
  hone_chain *chain;
  const hone_value *slot_of[HONE_CHAIN_REGISTERS + HONE_CHAIN_OPERANDS];
} compiler;

/* Types whose every value a float holds. */
static bool exact_in_f32(hone_dtype dtype) {
  switch (dtype) {
    case HONE_F32:
    case HONE_F16:
    case HONE_BF16:
    case HONE_BOOL:
    case HONE_U8:
    case HONE_S8: return true;
    default: return false;
  }
}

static int find_slot(const compiler *c, const hone_value *value) {
  for (int i = 0; i < c->chain->slot_count; i++)
    if (c->slot_of[i] == value) return i;
  return -1;
}

static int new_slot(compiler *c, const hone_value *value) {
  if (c->chain->slot_count == HONE_CHAIN_REGISTERS) return -1;
  c->slot_of[c->chain->slot_count] = value;
  return c->chain->slot_count++;
}

/* The slot of an operand; what comes from outside is entered when first met. */
static int operand_slot(compiler *c, const hone_value *value) {
  int slot = find_slot(c, value);
  if (slot >= 0) return slot;
  hone_chain *chain = c->chain;
  if (value->producer || chain->operand_count == HONE_CHAIN_OPERANDS) return -1;
  if (!exact_in_f32(value->type.dtype)) return -1;
  hone_chain_operand *operand = &chain->operands[chain->operand_count];
  *operand = (hone_chain_operand){.value = value, .input = -1, .dtype = value->type.dtype};
  if (value->constant) {
    operand->dtype = HONE_F32;
    if (c->arena) {
      size_t count;
      operand->floats = hone_body_floats(value, c->arena, &count);
      if (!operand->floats) return -1;
    }
  } else {
    operand->input = hone_body_input(c->body, value);
  }
  slot = new_slot(c, value);
  if (slot < 0) return -1;
  operand->slot = (uint8_t)slot;
  chain->operand_count++;
  return slot;
}

static bool scalar_constant(const hone_value *value, float *out) {
  size_t count;
  if (!value || !value->constant || !hone_shape_count(&value->type.shape, &count) || count != 1)
    return false;
  *out = (float)hone_load_real(value->type.dtype, value->constant, 0);
  return true;
}

/* clip with constant or missing limits takes them as attributes. */
static bool set_clip(const hone_node *node, hone_chain_step *step) {
  const hone_value *low = hone_node_in(node, 1), *high = hone_node_in(node, 2);
  step->code = HONE_CHAIN_clip_constant;
  step->a = -INFINITY;
  step->b = INFINITY;
  if (low && !scalar_constant(low, &step->a)) return false;
  return !high || scalar_constant(high, &step->b);
}

static bool set_code(const hone_node *node, hone_chain_step *step) {
  const char *name = node->op->name;
  if (strcmp(name, "clip") == 0) return set_clip(node, step);
  if (strcmp(name, "gelu") == 0) {
    bool tanh_form = strcmp(hone_node_text(node, "approximate"), "tanh") == 0;
    step->code = tanh_form ? HONE_CHAIN_gelu_tanh : HONE_CHAIN_gelu;
    return true;
  }
  if (strcmp(name, "mod") == 0) {
    step->code = HONE_CHAIN_mod;
    step->a = (float)hone_node_flag(node, "fmod");
    return true;
  }
  if (strcmp(name, "cast") == 0) {
    hone_dtype from = node->inputs[0].value->type.dtype, to = hone_node_dtype(node, "to");
    step->code = to == HONE_BOOL ? HONE_CHAIN_truth : HONE_CHAIN_copy;
    return to == HONE_BOOL || to == from || (to == HONE_F32 && exact_in_f32(from));
  }
  float exponent;
  if (strcmp(name, "pow") == 0 && scalar_constant(hone_node_in(node, 1), &exponent) &&
      exponent == 2) {
    step->code = HONE_CHAIN_square;
    return true;
  }
  for (size_t i = 0; i < sizeof chain_rows / sizeof *chain_rows; i++) {
    if (strcmp(chain_rows[i].op, name) != 0) continue;
    step->code = chain_rows[i].code;
    if (chain_rows[i].a) step->a = (float)hone_node_real(node, chain_rows[i].a);
    if (chain_rows[i].b) step->b = (float)hone_node_real(node, chain_rows[i].b);
    return true;
  }
  return false;
}

static bool compile_node(compiler *c, const hone_node *node) {
  hone_chain *chain = c->chain;
  hone_chain_step step = {.code = HONE_CHAIN_copy};
  bool pointwise = node->op->facts & HONE_POINTWISE || strcmp(node->op->name, "identity") == 0;
  if (!pointwise || chain->step_count == HONE_CHAIN_STEPS || !node->outputs[0]) return false;
  hone_dtype result = node->outputs[0]->type.dtype;
  if (result != HONE_F32 && result != HONE_BOOL) return false;
  if (!set_code(node, &step)) return false;
  bool clip = step.code == HONE_CHAIN_clip_constant;
  bool square = step.code == HONE_CHAIN_square;
  int slots[3] = {0, 0, 0};
  for (int i = 0; i < node->input_count && i < 3; i++) {
    if (i > 0 && (clip || square)) break;
    if (!node->inputs[i].value) return false;
    slots[i] = operand_slot(c, node->inputs[i].value);
    if (slots[i] < 0) return false;
  }
  step.x = (uint8_t)slots[0];
  step.y = (uint8_t)(node->input_count > 1 ? slots[1] : slots[0]);
  step.z = (uint8_t)(node->input_count > 2 ? slots[2] : slots[0]);
  int out = new_slot(c, node->outputs[0]);
  if (out < 0) return false;
  step.out = (uint8_t)out;
  chain->steps[chain->step_count++] = step;
  return true;
}

bool hone_chain_compile(const hone_graph *body, const hone_value *start, hone_arena *arena,
                        hone_chain *out) {
  memset(out, 0, sizeof *out);
  compiler c = {.body = body, .start = start, .arena = arena, .chain = out};
  /* Slot 0 is the start's; without one nobody reads it. */
  c.slot_of[0] = start;
  out->slot_count = 1;
  const hone_node *node = start ? start->producer->next : body->first;
  if (start && start->type.dtype != HONE_F32) return false;
  for (; node; node = node->next)
    if (find_slot(&c, hone_node_out(node, 0)) < 0 && !compile_node(&c, node)) return false;
  if (body->output_count > HONE_CHAIN_OPERANDS) return false;
  for (int i = 0; i < body->output_count; i++) {
    int slot = find_slot(&c, body->outputs[i].value);
    if (slot < 0) return false;
    out->results[i] = (uint8_t)slot;
    out->result_types[i] = body->outputs[i].value->type.dtype;
  }
  out->result_count = body->output_count;
  return true;
}

/* ---- Patterns ------------------------------------------------------------------------------------ */

bool hone_chain_pattern(const hone_shape *shape, const hone_shape *to, int inner,
                        hone_chain_rows *out) {
  int lead = to->rank - shape->rank;
  hone_dim dims[HONE_MAX_RANK];
  for (int i = 0; i < to->rank; i++) dims[i] = i < lead ? 1 : shape->dim[i - lead];
  int outer = to->rank - inner;
  size_t row = 1;
  bool all = true, none = true;
  for (int i = outer; i < to->rank; i++) {
    all = all && dims[i] == to->dim[i];
    none = none && dims[i] == 1;
    row *= (size_t)dims[i];
  }
  if (!all && !none) return false;
  *out = (hone_chain_rows){.period = 1, .count = 1, .stride = row, .step = all && row > 1};
  if (all && !none) out->step = 1;
  /* From the inside: dims it repeats over, then dims it has, then dims it repeats over. */
  int i = outer - 1;
  for (; i >= 0 && dims[i] == 1; i--) out->period *= (size_t)to->dim[i];
  for (; i >= 0 && dims[i] == to->dim[i]; i--) out->count *= (size_t)dims[i];
  for (; i >= 0; i--)
    if (dims[i] != 1) return false;
  if (out->period == 0) out->period = 1;
  if (out->count == 0) out->count = 1;
  return true;
}

bool hone_chain_tail_plan(const hone_chain *chain, const hone_type *types, const hone_shape *out,
                          hone_chain_tail *tail) {
  tail->chain = *chain;
  tail->set = hone_chain_set_here();
  for (int i = 0; i < chain->operand_count; i++)
    if (!hone_chain_pattern(&types[chain->operands[i].value->id].shape, out, 1, &tail->rows[i]))
      return false;
  return true;
}

/* ---- Running ------------------------------------------------------------------------------------- */

typedef struct block_space {
  _Alignas(64) float slots[HONE_CHAIN_REGISTERS][HONE_CHAIN_BLOCK];
} block_space;

static void load_block(const void *data, hone_dtype dtype, size_t at, int step, float *out,
                       size_t count) {
  if (step == 0) {
    float value = (float)hone_load_real(dtype, data, at);
    for (size_t i = 0; i < count; i++) out[i] = value;
    return;
  }
  for (size_t i = 0; i < count; i++) out[i] = (float)hone_load_real(dtype, data, at + i);
}

static void store_block(const float *from, hone_dtype dtype, void *out, size_t at, size_t count) {
  if (dtype == HONE_BOOL) {
    for (size_t i = 0; i < count; i++) ((unsigned char *)out)[at + i] = from[i] != 0;
    return;
  }
  if (from != (float *)out + at) memcpy((float *)out + at, from, count * sizeof *from);
}

/* One block: every slot has an address, of memory read in place or of a block. */
static void run_block(const hone_chain *chain, hone_chain_op *const *set, const float *start,
                      const void *const *data, const int *step, void *const *out, size_t at,
                      size_t count, block_space *space) {
  const float *slots[HONE_CHAIN_REGISTERS];
  float *to[HONE_CHAIN_REGISTERS];
  slots[0] = start ? start + at : space->slots[0];
  for (int s = 0; s < chain->slot_count; s++) to[s] = space->slots[s];
  for (int i = 0; i < chain->operand_count; i++) {
    const hone_chain_operand *operand = &chain->operands[i];
    if (step[i] && operand->dtype == HONE_F32) {
      slots[operand->slot] = (const float *)data[i] + at;
    } else {
      if (step[i] || at == 0)
        load_block(data[i], operand->dtype, step[i] ? at : 0, step[i], to[operand->slot], count);
      slots[operand->slot] = to[operand->slot];
    }
  }
  for (int i = 0; i < chain->result_count; i++)
    if (chain->result_types[i] == HONE_F32) to[chain->results[i]] = (float *)out[i] + at;
  for (int i = 0; i < chain->step_count; i++) {
    const hone_chain_step *s = &chain->steps[i];
    set[s->code](slots[s->x], slots[s->y], slots[s->z], to[s->out], count, s->a, s->b);
    slots[s->out] = to[s->out];
  }
  for (int i = 0; i < chain->result_count; i++)
    store_block(slots[chain->results[i]], chain->result_types[i], out[i], at, count);
}

void hone_chain_row(const hone_chain *chain, hone_chain_op *const *set, const float *start,
                    const void *const *data, const int *step, void *const *out, size_t count) {
  block_space space;
  for (size_t at = 0; at < count; at += HONE_CHAIN_BLOCK) {
    size_t size = count - at < HONE_CHAIN_BLOCK ? count - at : HONE_CHAIN_BLOCK;
    run_block(chain, set, start, data, step, out, at, size, &space);
  }
}

/* The address of row `row`, element `column`. */
static const void *row_address(const hone_chain_operand *operand, const hone_chain_rows *rows,
                               const hone_kernel_io *io, size_t row, size_t column) {
  size_t index = row / rows->period % rows->count * rows->stride + (rows->step ? column : 0);
  const char *base = operand->input < 0 ? (const char *)operand->floats : io->in[operand->input];
  return base + index * (hone_dtype_bits(operand->dtype) / 8);
}

void hone_chain_tile(const void *program, const hone_kernel_io *io, int part, float *x,
                     ptrdiff_t stride, size_t rows, size_t columns, size_t row, size_t column) {
  (void)part;
  const hone_chain_tail *tail = program;
  const void *data[HONE_CHAIN_OPERANDS];
  int step[HONE_CHAIN_OPERANDS];
  for (int i = 0; i < tail->chain.operand_count; i++) step[i] = tail->rows[i].step;
  for (size_t r = 0; r < rows; r++, x += stride) {
    for (int i = 0; i < tail->chain.operand_count; i++)
      data[i] = row_address(&tail->chain.operands[i], &tail->rows[i], io, row + r, column);
    void *out[1] = {x};
    hone_chain_row(&tail->chain, tail->set, x, data, step, out, columns);
  }
}
