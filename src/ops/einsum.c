/* einsum: sums of products by NumPy's equation, with repeated labels and ellipses. Room: ops. */
#include <string.h>

#include "ops/einsum.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *bad(const char *what) {
  return hone_error(HONE_INVALID_MODEL, "%s", what);
}

static int label_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Reads labels up to a comma, an arrow or the end. An ellipsis becomes `ellipsis` axes, the last
 * of the widest one's. */
static hone_status *read_term(const char **text, int ellipsis, int wide, hone_einsum_term *out) {
  out->rank = 0;
  for (bool had = false; **text && **text != ',' && **text != '-'; ++*text) {
    if (**text == ' ') continue;
    if (**text == '.') {
      if (had || strncmp(*text, "...", 3) != 0) return bad("a stray '.' in the equation");
      had = true;
      *text += 2;
      if (out->rank + ellipsis > HONE_MAX_RANK) return bad("a term of too many axes");
      for (int i = wide - ellipsis; i < wide; i++)
        out->label[out->rank++] = HONE_EINSUM_ELLIPSIS + i;
      continue;
    }
    int label = label_of(**text);
    if (label < 0) return bad("the equation holds a character that is no letter");
    if (out->rank == HONE_MAX_RANK) return bad("a term of too many axes");
    out->label[out->rank++] = label;
  }
  return NULL;
}

/* How many axes the ellipsis of the next term stands for in an operand of `rank`. */
static int ellipsis_axes(const char *text, int rank) {
  int letters = 0;
  bool has = false;
  for (; *text && *text != ',' && *text != '-'; text++) {
    letters += label_of(*text) >= 0;
    has |= *text == '.';
  }
  return has && rank > letters ? rank - letters : 0;
}

/* Without an arrow: the ellipsis, then the labels that come up once, in alphabetical order of
 * NumPy's: capitals first. */
static hone_status *implicit_result(hone_einsum *e) {
  e->out.rank = 0;
  for (int i = 0; i < e->wide; i++) e->out.label[e->out.rank++] = HONE_EINSUM_ELLIPSIS + i;
  for (int label = 0; label < HONE_EINSUM_ELLIPSIS; label++) {
    if (e->uses[label] != 1) continue;
    if (e->out.rank == HONE_MAX_RANK) return bad("a result of too many axes");
    e->out.label[e->out.rank++] = label;
  }
  return NULL;
}

static hone_status *take_operand(hone_einsum *e, const hone_einsum_term *t,
                                 const hone_shape *shape) {
  if (t->rank != shape->rank) return bad("a term and its operand differ in rank");
  for (int i = 0; i < t->rank; i++) {
    int label = t->label[i];
    hone_dim size = shape->dim[i];
    if (e->uses[label]++ == 0 || e->size[label] == 1)
      e->size[label] = size;
    else if (size != 1 && !hone_dim_unify(e->size[label], size, &e->size[label]))
      return bad("a label stands for axes of different sizes");
  }
  return NULL;
}

hone_status *hone_einsum_read(const hone_node *node, int operands, const hone_shape *const *shapes,
                              hone_einsum *e) {
  const char *text = hone_node_text(node, "equation"), *at = text;
  *e = (hone_einsum){.operands = operands};
  if (operands > HONE_EINSUM_OPERANDS) return bad("too many operands");
  for (int i = 0; i < operands; i++) {
    int axes = ellipsis_axes(at, shapes[i]->rank);
    if (axes > e->wide) e->wide = axes;
    at += strcspn(at, ",");
    if (*at) at++;
  }
  at = text;
  for (int i = 0; i < operands; i++) {
    if (i > 0 && *at++ != ',') return bad("fewer terms than operands");
    HONE_TRY(read_term(&at, ellipsis_axes(at, shapes[i]->rank), e->wide, &e->in[i]));
    HONE_TRY(take_operand(e, &e->in[i], shapes[i]));
  }
  if (*at == '\0') return implicit_result(e);
  if (strncmp(at, "->", 2) != 0) return bad("more terms than operands, or no arrow");
  at += 2;
  HONE_TRY(read_term(&at, e->wide, e->wide, &e->out));
  if (*at) return bad("text after the result's term");
  unsigned char seen[HONE_EINSUM_LABELS] = {0};
  for (int i = 0; i < e->out.rank; i++)
    if (!e->uses[e->out.label[i]] || seen[e->out.label[i]]++)
      return bad("a label of the result is in no operand, or comes twice");
  return NULL;
}

static hone_status *einsum_infer(hone_infer *infer) {
  const hone_shape *shapes[HONE_EINSUM_OPERANDS];
  if (infer->input_count < 1 || infer->input_count > HONE_EINSUM_OPERANDS)
    return hone_infer_fail(infer, "%d operands", infer->input_count);
  bool ranked = true;
  for (int i = 0; i < infer->input_count; i++) {
    if (!infer->in[i]) return hone_infer_fail(infer, "operand %d is absent", i);
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS | HONE_INTEGERS));
    HONE_TRY(hone_infer_same_dtype(infer, i));
    shapes[i] = &infer->in[i]->shape;
    ranked &= shapes[i]->rank >= 0;
  }
  infer->out[0] = hone_tensor_type(infer->in[0]->dtype, hone_shape_unknown());
  if (!ranked) return NULL;
  hone_einsum e;
  HONE_TRY(hone_einsum_read(infer->node, infer->input_count, shapes, &e));
  infer->out[0].shape.rank = e.out.rank;
  for (int i = 0; i < e.out.rank; i++) infer->out[0].shape.dim[i] = e.size[e.out.label[i]];
  return NULL;
}

/* The loops: the result's labels, then those summed over; how each operand steps along them. */
typedef struct nest {
  int depth, outer;
  int64_t size[HONE_EINSUM_LABELS];
  size_t stride[HONE_EINSUM_OPERANDS][HONE_EINSUM_LABELS]; /* by depth */
} nest;

static void build_nest(const hone_einsum *e, const hone_shape *const *shapes, nest *n) {
  int depth_of[HONE_EINSUM_LABELS];
  memset(n, 0, sizeof *n);
  for (int i = 0; i < HONE_EINSUM_LABELS; i++) depth_of[i] = -1;
  for (int i = 0; i < e->out.rank; i++) depth_of[e->out.label[i]] = n->depth++;
  n->outer = n->depth;
  for (int label = 0; label < HONE_EINSUM_LABELS; label++)
    if (e->uses[label] && depth_of[label] < 0) depth_of[label] = n->depth++;
  for (int label = 0; label < HONE_EINSUM_LABELS; label++)
    if (depth_of[label] >= 0) n->size[depth_of[label]] = e->size[label];
  for (int i = 0; i < e->operands; i++) {
    size_t stride = 1;
    for (int axis = e->in[i].rank - 1; axis >= 0; axis--) {
      if (shapes[i]->dim[axis] != 1) n->stride[i][depth_of[e->in[i].label[axis]]] += stride;
      stride *= (size_t)shapes[i]->dim[axis];
    }
  }
}

/* The product of the operands' elements at one position of all loops, added to y[to]. */
static void add_product(const nest *n, int operands, const hone_numbers *x, const int64_t *at,
                        hone_numbers *y, size_t to) {
  double real = 1;
  uint64_t integer = 1;
  for (int i = 0; i < operands; i++) {
    size_t offset = 0;
    for (int d = 0; d < n->depth; d++) offset += (size_t)at[d] * n->stride[i][d];
    if (y->whole)
      integer *= x[i].integer[offset];
    else
      real *= x[i].real[offset];
  }
  if (y->whole)
    y->integer[to] += integer;
  else
    y->real[to] += real;
}

static hone_status *einsum_reference(hone_reference *ref) {
  const hone_shape *shapes[HONE_EINSUM_OPERANDS];
  hone_numbers x[HONE_EINSUM_OPERANDS], y;
  int operands = ref->input_count;
  for (int i = 0; i < operands; i++) {
    shapes[i] = &ref->in[i]->shape;
    HONE_TRY(hone_operand(ref, i, &x[i]));
  }
  hone_einsum *e = HONE_NEW(ref->scratch, hone_einsum);
  nest *n = HONE_NEW(ref->scratch, nest);
  if (!e || !n) return hone_error_memory();
  HONE_TRY(hone_einsum_read(ref->node, operands, shapes, e));
  HONE_TRY(hone_result(ref, 0, &y));
  build_nest(e, shapes, n);
  bool empty = false;
  for (int d = 0; d < n->depth; d++) empty |= n->size[d] == 0;
  int64_t at[HONE_EINSUM_LABELS] = {0};
  for (size_t to = 0; !empty && to < y.count; to++) {
    do add_product(n, operands, x, at, &y, to);
    while (hone_step(n->depth - n->outer, n->size + n->outer, at + n->outer));
    hone_step(n->outer, n->size, at);
  }
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_einsum = {
    .name = "einsum",
    .inputs = "x*",
    .outputs = "y",
    .attrs = {{"equation", HONE_ATTR_TEXT, NULL, NULL}},
    .facts = HONE_HEAVY,
    .infer = einsum_infer,
    .reference = einsum_reference,
};
