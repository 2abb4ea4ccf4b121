/* The pointwise tail of an integer product as a program. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/integer_tail.h"

#include <math.h>

#include "ops/ops.h"

static bool add_step(hone_integer_tail *tail, hone_integer_step step, const hone_value *value) {
  hone_integer_finish *f = &tail->finish;
  if (f->count == HONE_INTEGER_STEPS) return false;
  tail->values[f->count] = value;
  f->steps[f->count++] = step;
  return true;
}

static bool scalar_of(const hone_value *value, double *out) {
  size_t count;
  if (!value || !value->constant || value->type.dtype != HONE_F32 ||
      !hone_shape_count(&value->type.shape, &count) || count != 1)
    return false;
  *out = hone_load_real(HONE_F32, value->constant, 0);
  return true;
}

/* One number for all, or one a column, in f32; known or not. */
static bool is_row(const hone_value *value, const hone_shape *of, bool *single) {
  const hone_shape *shape = &value->type.shape;
  size_t count;
  if (value->type.dtype != HONE_F32 || of->rank < 1 || shape->rank > of->rank ||
      !hone_shape_count(shape, &count))
    return false;
  *single = count == 1;
  return count == 1 || (shape->rank > 0 && count == (size_t)shape->dim[shape->rank - 1] &&
                        shape->dim[shape->rank - 1] == of->dim[of->rank - 1]);
}

/* By or plus one number, or one a column. */
static bool take_row(hone_integer_tail *tail, const hone_node *node, const hone_value *other,
                     hone_integer_step_kind row, hone_integer_step_kind scalar) {
  double number;
  bool single;
  if (scalar_of(other, &number))
    return add_step(tail, (hone_integer_step){.kind = scalar, .a = (float)number}, NULL);
  if (!is_row(other, &node->outputs[0]->type.shape, &single)) return false;
  return add_step(tail, (hone_integer_step){.kind = row, .single = single}, other);
}

/* The input of `value`'s maker, a node of `op` that nobody else reads and whose second operand,
 * where `number` is given, is one constant. */
static const hone_value *peel(hone_integer_tail *tail, const hone_value *value, const hone_op *op,
                              double *number) {
  const hone_node *node = value->producer;
  if (!node || node->op != op || !value->uses || value->uses->next) return NULL;
  if (number && !scalar_of(node->inputs[1].value, number)) return NULL;
  tail->beside[tail->beside_count++] = node;
  return node->inputs[0].value;
}

/* Plus (bytes - zero) * scale, or plus floats, of the output's shape. */
static bool take_like(hone_integer_tail *tail, const hone_node *node, const hone_value *other) {
  hone_integer_step step = {.kind = HONE_INTEGER_ADD_LIKE, .b = 1, .dtype = HONE_F32};
  double scale = 1, zero = 0;
  if (other->constant || other->type.dtype != HONE_F32 ||
      !hone_shape_equal(&other->type.shape, &node->outputs[0]->type.shape))
    return false;
  const hone_value *scaled = peel(tail, other, &hone_op_mul, &scale), *bytes = NULL;
  if (scaled) {
    const hone_value *whole = peel(tail, scaled, &hone_op_sub, &zero);
    bytes = peel(tail, whole ? whole : scaled, &hone_op_cast, NULL);
  }
  if (bytes && (bytes->type.dtype == HONE_U8 || bytes->type.dtype == HONE_S8)) {
    step.a = (float)zero, step.b = (float)scale, step.dtype = bytes->type.dtype;
    return add_step(tail, step, bytes);
  }
  tail->beside_count = 0;
  return add_step(tail, step, other);
}

static bool take_clip(hone_integer_tail *tail, const hone_node *node) {
  double low = -INFINITY, high = INFINITY;
  if (node->op == &hone_op_relu)
    low = 0;
  else if ((hone_node_in(node, 1) && !scalar_of(node->inputs[1].value, &low)) ||
           (hone_node_in(node, 2) && !scalar_of(node->inputs[2].value, &high)))
    return false;
  return add_step(tail,
                  (hone_integer_step){.kind = HONE_INTEGER_CLIP, .a = (float)low, .b = (float)high},
                  NULL);
}

static const hone_integer_step *last_step(const hone_integer_finish *f, int back) {
  return f->count > back ? &f->steps[f->count - 1 - back] : NULL;
}

static bool is_whole(float x) {
  return x == rintf(x);
}

/* To bytes, after round, zero point and clip: storing does these, but for a clip to less than all
 * bytes, which moves before the rounding. */
static bool take_bytes(hone_integer_tail *tail, hone_dtype to) {
  hone_integer_finish *f = &tail->finish;
  float least = to == HONE_S8 ? -128 : 0, most = to == HONE_S8 ? 127 : 255, zero = 0;
  const hone_integer_step *clip = last_step(f, 0), *before = last_step(f, 1);
  if (!clip || clip->kind != HONE_INTEGER_CLIP || !before || clip->a < least || clip->b > most ||
      !is_whole(clip->a) || !is_whole(clip->b))
    return false;
  bool shifted = before->kind == HONE_INTEGER_ADD && is_whole(before->a) && fabsf(before->a) <= 255;
  if (shifted) zero = before->a, before = last_step(f, 2);
  if (!before || before->kind != HONE_INTEGER_ROUND) return false;
  hone_integer_step rest = {.kind = HONE_INTEGER_CLIP, .a = clip->a - zero, .b = clip->b - zero};
  bool all = clip->a == least && clip->b == most;
  f->count -= shifted ? 3 : 2;
  const hone_integer_step *first = last_step(f, 0); /* a clip that the rest does again */
  if (first && first->kind == HONE_INTEGER_CLIP && first->a <= rest.a && first->b >= rest.b)
    f->count--;
  f->out = to;
  f->zero = (int)zero;
  return all || add_step(tail, rest, NULL);
}

static bool take_cast(hone_integer_tail *tail, const hone_node *node, const hone_value *result) {
  hone_dtype to = node->outputs[0]->type.dtype;
  if (result->type.dtype == HONE_F32)
    return (to == HONE_U8 || to == HONE_S8) && take_bytes(tail, to);
  tail->finish.out = HONE_F32;
  return to == HONE_F32;
}

/* Bytes once through a table; a second one is the table of the first's entries. */
static bool take_lookup(hone_integer_tail *tail, const hone_node *node) {
  hone_integer_finish *f = &tail->finish;
  uint8_t table[HONE_BYTE_TABLE];
  if (f->out != HONE_U8 && f->out != HONE_S8) return false;
  hone_byte_table(node, table);
  for (int i = 0; i < HONE_BYTE_TABLE; i++)
    f->table[i] = table[f->looks_up ? f->table[i] : i];
  f->looks_up = true;
  return true;
}

bool hone_integer_tail_take(hone_integer_tail *tail, const hone_node *node,
                            const hone_value *result) {
  const hone_op *op = node->op;
  double number;
  tail->beside_count = 0;
  if (op == &hone_op_byte_table) return take_lookup(tail, node);
  if (tail->finish.out == HONE_U8 || tail->finish.out == HONE_S8 ||
      !hone_shape_equal(&node->outputs[0]->type.shape, &result->type.shape))
    return false;
  if (op == &hone_op_cast) return take_cast(tail, node, result);
  if (tail->finish.out != HONE_F32) return false;
  if (op == &hone_op_relu || op == &hone_op_clip) return take_clip(tail, node);
  if (op == &hone_op_round)
    return add_step(tail, (hone_integer_step){.kind = HONE_INTEGER_ROUND}, NULL);
  bool first = node->inputs[0].value == result;
  const hone_value *other = hone_node_in(node, first);
  if (op == &hone_op_mul)
    return take_row(tail, node, other, HONE_INTEGER_MUL_ROW, HONE_INTEGER_MUL);
  if (op == &hone_op_add)
    return take_row(tail, node, other, HONE_INTEGER_ADD_ROW, HONE_INTEGER_ADD) ||
           take_like(tail, node, other);
  if (op == &hone_op_div && first && scalar_of(other, &number))
    return add_step(tail, (hone_integer_step){.kind = HONE_INTEGER_DIV, .a = (float)number}, NULL);
  return false;
}
