/* The text of a stage's kernel: the tail's nodes as CUDA C, from the same table that gives the ops
 * their meaning. Room: backend/cuda. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/cuda/code.h"
#include "backend/cuda/embed.h"
#include "backend/cuda/stage.h"
#include "base/text.h"
#include "ops/pointwise.h"

const char *hone_cuda_type(hone_dtype dtype) {
  switch (dtype) {
    case HONE_F32: return "float";
    case HONE_F64: return "double";
    case HONE_F16: return "f16";
    case HONE_BF16: return "bf16";
    case HONE_S8: return "s8";
    case HONE_S16: return "s16";
    case HONE_S32: return "s32";
    case HONE_S64: return "s64";
    case HONE_U8: return "u8";
    case HONE_U16: return "u16";
    case HONE_U32: return "u32";
    case HONE_U64: return "u64";
    case HONE_BOOL: return "truth";
    default: return NULL;
  }
}

/* The table's expressions as text, one for each class. */
typedef struct expression {
  const hone_op *op;
  const char *real, *whole, *natural;
} expression;

static const expression *expression_of(const hone_op *op) {
  static const expression rows[] = {
#define POINTWISE(name, inputs, classes, facts, result, attributes, real, whole, natural) \
  {&hone_op_##name, #real, #whole, #natural},
#include "ops/pointwise.def"
#undef POINTWISE
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].op == op) return &rows[i];
  return NULL;
}

bool hone_cuda_pointwise_accepts(const hone_node *node) {
  const hone_op *op = node->op;
  if (!(op->facts & HONE_POINTWISE) || node->input_count > 3 || node->output_count != 1) return false;
  if (!node->outputs[0] || !hone_cuda_type(node->outputs[0]->type.dtype)) return false;
  if (node->outputs[0]->type.shape.rank < 0) return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && (!hone_cuda_type(in->type.dtype) || in->type.shape.rank < 0)) return false;
  }
  return op == &hone_op_cast || op == &hone_op_select || op == &hone_op_byte_table || expression_of(op);
}

/* The register of a value in the kernel's text, by its place in the stage: bodies that are alike
 * have the same text, and so one compiled kernel. */
static int number_of(const hone_cuda_stage *stage, const hone_value *value) {
  if (stage->core && stage->core->outputs[0] == value) return 0;
  for (int i = 0; i < stage->stream_count; i++)
    if (!stage->streams[i].joins && stage->streams[i].value == value) return 1 + i;
  for (int i = 0; i < stage->tail_count; i++)
    if (stage->tail[i]->outputs[0] == value) return 1 + HONE_CUDA_STREAMS + i;
  return -1;
}

/* An expression's numbers with a point become R's, so that f32 is not computed as f64. */
static void put_expression(hone_text *out, const char *text) {
  while (*text) {
    size_t size = 0;
    bool begins = isdigit((unsigned char)*text);
    while (begins && (isalnum((unsigned char)text[size]) || text[size] == '.')) size++;
    if (size == 0 && (isalpha((unsigned char)*text) || *text == '_'))
      while (isalnum((unsigned char)text[size]) || text[size] == '_') size++;
    if (size == 0) size = 1;
    bool real = begins && memchr(text, '.', size);
    hone_text_printf(out, real ? "R(%.*s)" : "%.*s", (int)size, text);
    text += size;
  }
}

static void put_real(hone_text *out, double value) {
  if (isinf(value)) hone_text_puts(out, value < 0 ? "-INFINITY" : "INFINITY");
  else hone_text_printf(out, "%.17g", value);
}

/* Input `index` of a node: the register that holds it, or what stands for an absent one. */
static void put_input(hone_text *out, const hone_cuda_stage *stage, const hone_node *node, int index,
                      hone_dtype_class klass) {
  const hone_value *value = hone_node_in(node, index);
  if (value) hone_text_printf(out, "v%d", number_of(stage, value));
  else if (klass == HONE_CLASS_FLOAT) hone_text_puts(out, index == 1 ? "-INFINITY" : "INFINITY");
  else if (klass == HONE_CLASS_SIGNED)
    hone_text_puts(out, index == 1 ? "-0x7fffffffffffffffll - 1" : "0x7fffffffffffffffll");
  else hone_text_puts(out, index == 1 ? "0ull" : "~0ull");
}

static void put_row(hone_text *out, const hone_cuda_stage *stage, const hone_node *node) {
  const expression *row = expression_of(node->op);
  hone_dtype_class klass = hone_dtype_class_of(node->inputs[0].value->type.dtype);
  double attrs[2];
  int to = number_of(stage, node->outputs[0]);
  hone_pointwise_attrs(node, attrs);
  hone_text_printf(out, "  Element<%s>::R v%d;\n  {\n    typedef Element<%s>::R R;\n",
                   hone_cuda_type(node->outputs[0]->type.dtype), to,
                   hone_cuda_type(node->inputs[0].value->type.dtype));
  for (int i = 0; i < 3; i++) {
    if (i >= node->input_count && node->op != &hone_op_clip) break;
    hone_text_printf(out, "    const R %c = ", "xyz"[i]);
    put_input(out, stage, node, i, klass);
    hone_text_puts(out, ";\n");
  }
  for (int i = 0; i < 2 && node->op->attrs[i].name; i++) {
    hone_text_printf(out, "    const %s %c = ", klass == HONE_CLASS_FLOAT ? "R" : "double", "ab"[i]);
    put_real(out, attrs[i]);
    hone_text_puts(out, ";\n");
  }
  if (node->op == &hone_op_gelu && hone_dtype_bits(node->outputs[0]->type.dtype) == 16)
    hone_text_puts(out, "    const auto erfc = [](R x) { return short_erfc(x); };\n");
  hone_text_printf(out, "    v%d = ", to);
  const char *text = klass == HONE_CLASS_FLOAT ? row->real
                     : klass == HONE_CLASS_SIGNED ? row->whole : row->natural;
  bool wraps = klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED;
  if (wraps) hone_text_printf(out, "as<%s>(", hone_cuda_type(node->outputs[0]->type.dtype));
  put_expression(out, text);
  hone_text_puts(out, wraps ? ");\n  }\n" : ";\n  }\n");
}

static bool is_below_32_bits(const hone_value *value) {
  size_t count;
  if (!value || !value->constant || !hone_shape_count(&value->type.shape, &count) || count != 1)
    return false;
  return fabs(hone_load_real(value->type.dtype, value->constant, 0)) < 0x1p31;
}

/* Limits of 32 bits around the value: converting floats to 64 bits takes four times as long. */
static bool is_clipped(const hone_value *value) {
  const hone_node *node = value->producer;
  return node && node->op == &hone_op_clip && is_below_32_bits(hone_node_in(node, 1)) &&
         is_below_32_bits(hone_node_in(node, 2));
}

static void put_cast(hone_text *out, const hone_cuda_stage *stage, const hone_node *node) {
  const hone_value *from = node->inputs[0].value, *to = node->outputs[0];
  int x = number_of(stage, from);
  const char *type = hone_cuda_type(to->type.dtype);
  bool real = hone_dtype_class_of(from->type.dtype) == HONE_CLASS_FLOAT;
  hone_text_printf(out, "  const auto v%d = as<%s>(", number_of(stage, to), type);
  if (to->type.dtype == HONE_BOOL) hone_text_printf(out, "v%d != 0", x);
  else if (real && hone_dtype_class_of(to->type.dtype) != HONE_CLASS_FLOAT && is_clipped(from))
    hone_text_printf(out, "(Element<%s>::R)(s32)v%d", type, x);
  else if (hone_dtype_class_of(to->type.dtype) == HONE_CLASS_UNSIGNED && real)
    hone_text_printf(out, "v%d < 0 ? (u64)(s64)v%d : (u64)v%d", x, x, x);
  else hone_text_printf(out, "(Element<%s>::R)v%d", type, x);
  hone_text_puts(out, ");\n");
}

static void put_node(hone_text *out, const hone_cuda_stage *stage, int index) {
  const hone_node *node = stage->tail[index];
  if (node->op == &hone_op_cast) {
    put_cast(out, stage, node);
  } else if (node->op == &hone_op_byte_table) {
    hone_text_printf(out, "  const auto v%d = load<%s>(a.p[%d], (u8)v%d);\n",
                     number_of(stage, node->outputs[0]),
                     hone_cuda_type(node->outputs[0]->type.dtype), stage->tables[index],
                     number_of(stage, node->inputs[0].value));
  } else if (node->op == &hone_op_select) {
    hone_text_printf(out, "  const auto v%d = v%d ? v%d : v%d;\n", number_of(stage, node->outputs[0]),
                     number_of(stage, node->inputs[0].value),
                     number_of(stage, node->inputs[1].value),
                     number_of(stage, node->inputs[2].value));
  } else {
    put_row(out, stage, node);
  }
}

/* What is loaded or stored of an operand at once; FIXED: one element, constants of a column before. */
typedef enum at_once { ONE_ELEMENT, EIGHT, FIXED } at_once;

/* Whether a stream is a constant, the same for every element of a column. */
static bool is_fixed(const hone_cuda_stream *s) {
  return (s->reach == HONE_CUDA_ONE || s->reach == HONE_CUDA_COLUMN) &&
         hone_cuda_root(s->value)->constant;
}

static bool loads_eight(const hone_cuda_stream *s, at_once number) {
  return number == EIGHT && s->reach != HONE_CUDA_ONE && s->reach != HONE_CUDA_ANY;
}

/* Where a stream's element is that stands `after` i. */
static void put_place(hone_text *out, const hone_cuda_stage *stage, const hone_cuda_stream *s,
                      const char *after) {
  switch (s->reach) {
    case HONE_CUDA_EQUAL: hone_text_puts(out, "i"); break;
    case HONE_CUDA_ONE: hone_text_puts(out, "0"); break;
    case HONE_CUDA_COLUMN: hone_text_puts(out, "column"); break;
    case HONE_CUDA_ROWS:
    case HONE_CUDA_ANY:
      hone_text_printf(out, "place<%d>(a, %d, %d, i%s)", stage->shape->type.shape.rank,
                       stage->sizes, s->strides, after);
  }
}

/* The loads of eight elements, before the loop over them. */
static void put_streams(hone_text *out, const hone_cuda_stage *stage) {
  hone_text_puts(out, "struct Streams {\n");
  for (int i = 0; i < stage->stream_count; i++)
    if (loads_eight(&stage->streams[i], EIGHT))
      hone_text_printf(out, "  Eight<%s> s%d;\n",
                       hone_cuda_type(stage->streams[i].value->type.dtype), i);
  hone_text_puts(out, "};\n__device__ __forceinline__ Streams load_streams(const Args &a, s64 i, "
                      "s64 column) {\n  Streams s;\n");
  for (int i = 0; i < stage->stream_count; i++) {
    const hone_cuda_stream *s = &stage->streams[i];
    if (!loads_eight(s, EIGHT)) continue;
    hone_text_printf(out, "  s.s%d = load_eight<%s>(a.p[%d], ", i,
                     hone_cuda_type(s->value->type.dtype), s->pointer);
    put_place(out, stage, s, "");
    hone_text_puts(out, ");\n");
  }
  hone_text_puts(out, "  return s;\n}\n");
}

static void put_stream(hone_text *out, const hone_cuda_stage *stage, int index, at_once number) {
  const hone_cuda_stream *s = &stage->streams[index];
  const char *type = hone_cuda_type(s->value->type.dtype);
  if (s->joins) hone_text_printf(out, "  core = core %c ", s->joins);
  else hone_text_printf(out, "  const auto v%d = ", number_of(stage, s->value));
  if (loads_eight(s, number)) {
    hone_text_printf(out, "Element<%s>::value(s.s%d.at[e]);\n", type, index);
    return;
  }
  if (number == FIXED && is_fixed(s)) {
    hone_text_printf(out, "s.s%d;\n", index);
    return;
  }
  hone_text_printf(out, "load<%s>(a.p[%d], ", type, s->pointer);
  put_place(out, stage, s, number == EIGHT ? " + e" : "");
  hone_text_puts(out, ");\n");
}

/* Whether it counts where rows of the last axis begin. */
static bool reads_rows(const hone_cuda_stage *stage) {
  for (int i = 0; i < stage->stream_count; i++)
    if (stage->streams[i].reach == HONE_CUDA_COLUMN || stage->streams[i].reach == HONE_CUDA_ROWS)
      return true;
  return false;
}

/* What the core makes; 16 bits stay in f32 until they are stored. */
static void put_core(hone_text *out, const hone_cuda_stage *stage) {
  const hone_value *y = stage->core->outputs[0];
  bool narrow = y->type.dtype == HONE_F16 || y->type.dtype == HONE_BF16;
  hone_text_printf(out, "  const auto v0 = as<%s>(core);\n",
                   narrow ? "float" : hone_cuda_type(y->type.dtype));
}

/* One element through the tail: streams, nodes. */
static void put_element(hone_text *out, const hone_cuda_stage *stage, at_once number) {
  for (int i = 0; i < stage->stream_count; i++) put_stream(out, stage, i, number);
  if (stage->core) put_core(out, stage);
  for (int i = 0; i < stage->tail_count; i++) put_node(out, stage, i);
}

/* What the tail reads of constants at a column, as `type`, and `load`, which loads it once. */
static void put_fixed(hone_text *out, const hone_cuda_stage *stage, const char *type,
                      const char *load) {
  hone_text_printf(out, "struct %s {\n", type);
  for (int i = 0; i < stage->stream_count; i++)
    if (is_fixed(&stage->streams[i]))
      hone_text_printf(out, "  Element<%s>::R s%d;\n",
                       hone_cuda_type(stage->streams[i].value->type.dtype), i);
  hone_text_printf(out,
                   "};\n__device__ __forceinline__ %s %s(const Args &a, s64 column) {\n  %s s;\n",
                   type, load, type);
  for (int i = 0; i < stage->stream_count; i++) {
    const hone_cuda_stream *s = &stage->streams[i];
    if (!is_fixed(s)) continue;
    hone_text_printf(out, "  s.s%d = load<%s>(a.p[%d], ", i, hone_cuda_type(s->value->type.dtype),
                     s->pointer);
    put_place(out, stage, s, "");
    hone_text_puts(out, ");\n");
  }
  hone_text_puts(out, "  return s;\n}\n");
}

/* Of a stage within another's kernel: what its tail reads at a column, loaded once, and the tail of an
 * element. */
static void put_inner(hone_text *out, const hone_cuda_stage *stage, int index) {
  char type[16], load[24];
  snprintf(type, sizeof type, "Inner%d", index);
  snprintf(load, sizeof load, "load_inner%d", index);
  put_fixed(out, stage, type, load);
  hone_text_printf(out, "__device__ __forceinline__ R inner%d(const Inner%d &s, R core) {\n", index,
                   index);
  for (int i = 0; i < stage->stream_count; i++) {
    const hone_cuda_stream *s = &stage->streams[i];
    if (s->joins) hone_text_printf(out, "  core = core %c s.s%d;\n", s->joins, i);
    else hone_text_printf(out, "  const auto v%d = s.s%d;\n", number_of(stage, s->value), i);
  }
  put_core(out, stage);
  for (int i = 0; i < stage->tail_count; i++) put_node(out, stage, i);
  hone_text_printf(out, "  return v%d;\n}\n", number_of(stage, stage->results[0].value));
}

/* The end of `finish`: one element through the tail, and the stores. */
static void put_finished(hone_text *out, const hone_cuda_stage *stage, at_once number) {
  put_element(out, stage, number);
  for (int i = 0; i < stage->result_count; i++)
    hone_text_printf(out, "  store<%s>(a.p[%d], i, v%d);\n",
                     hone_cuda_type(stage->results[i].value->type.dtype), stage->results[i].pointer,
                     number_of(stage, stage->results[i].value));
  hone_text_puts(out, "}\n");
}

/* What the kernel calls for each element of the core: the tail, and the stores. */
static void put_finish(hone_text *out, const hone_cuda_stage *stage) {
  int last = stage->shape->type.shape.rank - 1;
  if (reads_rows(stage))
    hone_text_printf(out, "#define COLUMN(i) remainder_of(i, a.n[%d])\n#define ROW(count) a.n[%d]\n",
                     stage->sizes + last, stage->sizes + last);
  else
    hone_text_puts(out, "#define COLUMN(i) 0\n#define ROW(count) (count)\n");
  hone_text_printf(out,
                   "__device__ __forceinline__ void finish(const Args &a, s64 i, s64 column, "
                   "%s core) {\n",
                   stage->core ? "R" : "int");
  put_finished(out, stage, ONE_ELEMENT);
}

/* The same with the constants loaded before. */
static void put_finish_fixed(hone_text *out, const hone_cuda_stage *stage) {
  put_fixed(out, stage, "Fixed", "load_fixed");
  hone_text_puts(out, "__device__ __forceinline__ void finish_fixed(const Args &a, s64 i, s64 column, "
                      "R core, const Fixed &s) {\n");
  put_finished(out, stage, FIXED);
}

/* The same for eight neighbours of one row, whose streams are loaded before; and IS_WIDE, which says
 * whether rows of `row` elements allow it. */
static void put_finish_eight(hone_text *out, const hone_cuda_stage *stage) {
  hone_text_puts(out, "#define IS_WIDE(a, row) ((row) % 8 == 0 && ((0");
  for (int i = 0; i < stage->stream_count; i++)
    if (loads_eight(&stage->streams[i], EIGHT))
      hone_text_printf(out, " | (u64)a.p[%d]", stage->streams[i].pointer);
  for (int i = 0; i < stage->result_count; i++)
    hone_text_printf(out, " | (u64)a.p[%d]", stage->results[i].pointer);
  hone_text_puts(out, ") & 15) == 0)\n");
  put_streams(out, stage);
  hone_text_printf(out,
                   "__device__ __forceinline__ void finish_eight(const Args &a, s64 i, s64 column, "
                   "const %s *cores, const Streams &s) {\n",
                   stage->core ? "R" : "void");
  for (int i = 0; i < stage->result_count; i++)
    hone_text_printf(out, "  Eight<%s> r%d;\n",
                     hone_cuda_type(stage->results[i].value->type.dtype), i);
  hone_text_puts(out, "#pragma unroll\n  for (int e = 0; e < 8; e++) {\n");
  if (stage->core) hone_text_puts(out, "  R core = cores[e];\n");
  put_element(out, stage, EIGHT);
  for (int i = 0; i < stage->result_count; i++)
    hone_text_printf(out, "  r%d.at[e] = Element<%s>::element(v%d);\n", i,
                     hone_cuda_type(stage->results[i].value->type.dtype),
                     number_of(stage, stage->results[i].value));
  hone_text_puts(out, "  }\n");
  for (int i = 0; i < stage->result_count; i++)
    hone_text_printf(out, "  store_eight(a.p[%d], i, r%d);\n", stage->results[i].pointer, i);
  hone_text_printf(out,
                   "}\n__device__ __forceinline__ void finish_eight(const Args &a, s64 i, s64 "
                   "column, const %s *cores) {\n"
                   "  finish_eight(a, i, column, cores, load_streams(a, i, column));\n}\n",
                   stage->core ? "R" : "void");
}

bool hone_cuda_has_form(const hone_cuda_stage *stage, int form, int sm) {
  const hone_cuda_form *f = &stage->kernel->forms[form];
  if (stage->within || (stage->kernel->form_a_variant && form != stage->variant - 1)) return false;
  if (!f->text || !(f->boxed || f->alone)) return f->text != NULL;
  return sm == 90 && (f->alone || stage->kernel->order ||
                      hone_dtype_bits(stage->core->inputs[0].value->type.dtype) == 16);
}

void hone_cuda_stage_text(const hone_cuda_stage *stage, int form, hone_text *out) {
  const hone_cuda_kernel *kernel = stage->kernel;
  const hone_cuda_form *f = &kernel->forms[form];
  if (f->boxed || f->alone) hone_text_puts(out, HONE_CUDA_ALONE_90);
  hone_text_puts(out, hone_cuda_text_common);
  if (kernel->define) kernel->define(stage->core, out);
  if (kernel->define_span) kernel->define_span(stage, out);
  for (int i = 0; i + 1 < HONE_CUDA_SPAN; i++)
    if (stage->inner[i]) put_inner(out, stage->inner[i], i);
  if (kernel->finishes) put_finish(out, stage);
  if (kernel->widely) put_finish_eight(out, stage);
  if (kernel->fixes) put_finish_fixed(out, stage);
  if (f->choices) hone_text_puts(out, f->choices);
  if (kernel->on_tensor_cores) hone_text_puts(out, hone_cuda_text_tensor);
  if (f->boxed) hone_text_puts(out, hone_cuda_text_hopper);
  if (f->before) hone_text_puts(out, f->before);
  hone_text_puts(out, f->text);
}
