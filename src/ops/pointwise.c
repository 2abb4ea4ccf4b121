/* The pointwise ops: schema, shape rule and reference of each row of pointwise.def. Room: ops.
 *
 * The reference works in blocks: loads up to BLOCK elements of each input as double or 64-bit
 * integer, computes the row's expression in a plain loop, stores the block with one rounding.
 */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/ops.h"
#include "ops/pointwise.h"
#include "ops/pointwise_math.h"

enum { BLOCK = HONE_BLOCK, MAX_INPUTS = 3 };
enum { F = 1u << HONE_CLASS_FLOAT, S = 1u << HONE_CLASS_SIGNED, U = 1u << HONE_CLASS_UNSIGNED,
       B = 1u << HONE_CLASS_BOOLEAN };
enum { SAME = 0, TRUTH = 1 };

typedef hone_block block;
typedef hone_block_loop block_loop;
typedef hone_pointwise_meaning meaning;

#define LOOP(name, suffix, type, member, expression)                                               \
  static void name##_##suffix(size_t count, const block *in_x, const block *in_y,                  \
                              const block *in_z, const double *attrs, block *out) {                \
    const double a = attrs[0], b = attrs[1];                                                       \
    (void)a, (void)b;                                                                              \
    for (size_t i = 0; i < count; i++) {                                                           \
      type x = in_x->member[i], y = in_y->member[i], z = in_z->member[i];                          \
      (void)x, (void)y, (void)z;                                                                   \
      out->member[i] = (type)(expression);                                                         \
    }                                                                                              \
  }

static hone_status *pointwise_infer(hone_infer *infer, unsigned classes, int result);
static hone_status *pointwise_run(hone_reference *ref, const meaning *row);

#define ATTRS(...) __VA_ARGS__
#define POINTWISE(name_, inputs_, classes_, facts_, result_, attrs_, real_, signed_, unsigned_)    \
  LOOP(name_, real, double, real, real_)                                                           \
  LOOP(name_, signed, int64_t, integer, signed_)                                                   \
  LOOP(name_, unsigned, uint64_t, natural, unsigned_)                                              \
  static hone_status *name_##_infer(hone_infer *infer) {                                           \
    return pointwise_infer(infer, classes_, result_);                                           \
  }                                                                                                \
  static const meaning name_##_meaning = {classes_, name_##_real, name_##_signed,                  \
                                          name_##_unsigned};                                       \
  static hone_status *name_##_run(hone_reference *ref) {                                           \
    return pointwise_run(ref, &name_##_meaning);                                                   \
  }                                                                                                \
  const hone_op hone_op_##name_ = {.name = #name_, .inputs = inputs_, .outputs = "out",            \
                                   .attrs = {attrs_}, .facts = HONE_POINTWISE | (facts_),          \
                                   .infer = name_##_infer, .reference = name_##_run};
#include "ops/pointwise.def"
#undef POINTWISE
#undef LOOP

/* Whether strings are compared: only those two ops take them. */
static bool compares_text(const hone_node *node, hone_dtype dtype) {
  return dtype == HONE_STR && (node->op == &hone_op_equal || node->op == &hone_op_not_equal);
}

static hone_status *pointwise_infer(hone_infer *infer, unsigned classes, int result) {
  HONE_TRY(hone_infer_broadcast(infer));
  hone_type *out = &infer->out[0];
  if (out->dtype && !(classes >> hone_dtype_class_of(out->dtype) & 1) &&
      !compares_text(infer->node, out->dtype))
    return hone_infer_fail(infer, "does not take %s", hone_dtype_name(out->dtype));
  if (result == TRUTH) out->dtype = HONE_BOOL;
  return NULL;
}

const hone_pointwise_meaning *hone_pointwise_meaning_of(const hone_op *op) {
  static const struct {
    const hone_op *op;
    const meaning *meaning;
  } rows[] = {
#define POINTWISE(name, inputs, classes, facts, result, attributes, real, integer, natural)        \
  {&hone_op_##name, &name##_meaning},
#include "ops/pointwise.def"
#undef POINTWISE
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].op == op) return rows[i].meaning;
  return NULL;
}

void hone_pointwise_attrs(const hone_node *node, double *out) {
  out[0] = out[1] = 0;
  for (int i = 0; i < 2 && node->op->attrs[i].name; i++) {
    const hone_attr_def *def = &node->op->attrs[i];
    const hone_attr *attr = &node->attrs[i];
    out[i] = def->kind == HONE_ATTR_REAL ? attr->real : (double)attr->integer;
    if (def->kind == HONE_ATTR_CHOICE) {
      const char *at = strstr(def->choices, attr->text);
      for (const char *c = def->choices; at && c < at; c++) out[i] += *c == '|';
    }
  }
}

/* Fills a block with one value: an element, or what stands for an absent input. */
static void block_fill(block *out, size_t count, const hone_datum *in, int index,
                       hone_dtype_class klass, int64_t at) {
  if (klass == HONE_CLASS_FLOAT) {
    double value = in ? hone_load_real(in->dtype, in->data, (size_t)at)
                      : index == 1 ? -INFINITY : INFINITY;
    for (size_t i = 0; i < count; i++) out->real[i] = value;
    return;
  }
  int64_t lowest = klass == HONE_CLASS_SIGNED ? INT64_MIN : 0;
  int64_t highest = klass == HONE_CLASS_SIGNED ? INT64_MAX : -1;
  int64_t value = in ? hone_load_int(in->dtype, in->data, (size_t)at)
                     : index == 1 ? lowest : highest;
  for (size_t i = 0; i < count; i++) out->integer[i] = value;
}

static void block_load(block *out, size_t count, const hone_datum *in, hone_dtype_class klass,
                       int64_t at, int64_t stride) {
  bool real = klass == HONE_CLASS_FLOAT;
  if (stride == 1 && real) hone_load_reals(in->dtype, in->data, (size_t)at, count, out->real);
  else if (stride == 1) hone_load_ints(in->dtype, in->data, (size_t)at, count, out->integer);
  else
    for (size_t i = 0; i < count; i++, at += stride) {
      if (real) out->real[i] = hone_load_real(in->dtype, in->data, (size_t)at);
      else out->integer[i] = hone_load_int(in->dtype, in->data, (size_t)at);
    }
}

/* One row of the walk, block by block. */
static void run_row(const hone_datum *y, const hone_datum *const *data, const meaning *row,
                    const hone_walk *walk, size_t to, const double *attrs, block *in, block *out) {
  hone_dtype_class klass = hone_dtype_class_of(data[0]->dtype);
  for (size_t begin = 0; begin < walk->row; begin += BLOCK) {
    size_t count = walk->row - begin < BLOCK ? walk->row - begin : BLOCK;
    for (int i = 0; i < walk->inputs; i++) {
      int64_t stride = walk->row_stride[i], at = walk->at[i] + (int64_t)begin * stride;
      if (!data[i] || stride == 0) {
        if (begin == 0) block_fill(&in[i], count, data[i], i, klass, at);
      } else {
        block_load(&in[i], count, data[i], klass, at, stride);
      }
    }
    if (klass == HONE_CLASS_FLOAT) {
      row->real(count, &in[0], &in[1], &in[2], attrs, out);
      hone_store_reals(y->dtype, y->data, to + begin, count, out->real);
    } else {
      block_loop *loop = klass == HONE_CLASS_SIGNED ? row->integer : row->natural;
      loop(count, &in[0], &in[1], &in[2], attrs, out);
      hone_store_ints(y->dtype, y->data, to + begin, count, out->integer);
    }
  }
}

static hone_string text_at(const hone_datum *in, int64_t index) {
  hone_string text;
  memcpy(&text, (const char *)in->data + index * (int64_t)sizeof text, sizeof text);
  return text;
}

static void compare_text(hone_reference *ref, hone_walk *walk) {
  bool wanted = ref->node->op == &hone_op_equal;
  uint8_t *out = ref->out[0]->data;
  while (hone_walk_next(walk))
    for (size_t i = 0; i < walk->row; i++) {
      hone_string x = text_at(ref->in[0], walk->at[0] + (int64_t)i * walk->row_stride[0]);
      hone_string y = text_at(ref->in[1], walk->at[1] + (int64_t)i * walk->row_stride[1]);
      bool same = x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);
      *out++ = same == wanted;
    }
}

static hone_status *pointwise_run(hone_reference *ref, const meaning *row) {
  /* An input that is not even in the list is absent like one that is NULL. */
  const hone_datum *in[MAX_INPUTS] = {0};
  double attrs[2] = {0, 0};
  hone_walk walk;
  block *blocks = HONE_NEW_ARRAY(ref->scratch, MAX_INPUTS + 1, block);
  HONE_TRY_MEMORY(blocks);
  hone_pointwise_attrs(ref->node, attrs);
  for (int i = 0; i < ref->input_count && i < MAX_INPUTS; i++) in[i] = ref->in[i];
  hone_walk_start(&walk, &ref->out[0]->shape, in, MAX_INPUTS);
  if (compares_text(ref->node, in[0]->dtype)) return compare_text(ref, &walk), NULL;
  for (size_t to = 0; hone_walk_next(&walk); to += walk.row)
    run_row(ref->out[0], in, row, &walk, to, attrs, blocks, &blocks[MAX_INPUTS]);
  return NULL;
}
