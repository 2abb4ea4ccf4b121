/* Einsum: a matrix product between transposes where the equation is one, else the einsum op.
 * Room: import. */
#include <stdio.h>
#include <string.h>

#include "import/onnx/map.h"

enum { MOST_OPERANDS = 16, LEFT = 0, RIGHT = 1, RESULT = 2 };

/* What a label does in a product of two operands. */
typedef enum role { BATCH, ROW, SUM, COLUMN, ROLES } role;

/* The equation "ab,bc->ac" as its three terms, and their labels sorted by role. */
typedef struct equation {
  char term[3][HONE_MAX_RANK + 1];
  char labels[ROLES][HONE_MAX_RANK + 1];
} equation;

/* Copies the letters up to one of `ends`; false with anything but letters, each once. */
static bool read_term(const char **text, const char *ends, char *term) {
  size_t count = 0;
  for (; **text && !strchr(ends, **text); ++*text) {
    char c = **text;
    if (c == ' ') continue;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter || count == HONE_MAX_RANK || memchr(term, c, count)) return false;
    term[count++] = c;
  }
  term[count] = 0;
  return true;
}

static bool has(const char *term, char label) {
  return strchr(term, label) != NULL;
}

/* Sorts the labels of one operand; false where the product is none of matrices. */
static bool sort_labels(equation *e, int side) {
  const char *other = e->term[side == LEFT ? RIGHT : LEFT];
  for (const char *at = e->term[side]; *at; at++) {
    bool shared = has(other, *at), kept = has(e->term[RESULT], *at);
    if (!shared && !kept) return false;
    if (shared && side == RIGHT) continue; /* the left operand brought it */
    role r = shared ? kept ? BATCH : SUM : side == LEFT ? ROW : COLUMN;
    size_t count = strlen(e->labels[r]);
    e->labels[r][count] = *at;
    e->labels[r][count + 1] = 0;
  }
  return true;
}

/* Whether the equation is a product of matrices: two operands, an arrow, something to sum over. */
static bool read_equation(const char *text, equation *e) {
  memset(e, 0, sizeof *e);
  if (!read_term(&text, ",", e->term[LEFT]) || *text++ != ',') return false;
  if (!read_term(&text, "-", e->term[RIGHT]) || strncmp(text, "->", 2) != 0) return false;
  text += 2;
  if (!read_term(&text, "", e->term[RESULT])) return false;
  if (!sort_labels(e, LEFT) || !sort_labels(e, RIGHT) || !*e->labels[SUM]) return false;
  size_t known = strlen(e->labels[BATCH]) + strlen(e->labels[ROW]) + strlen(e->labels[COLUMN]);
  return strlen(e->term[RESULT]) == known && known + 2 <= HONE_MAX_RANK;
}

/* Where `label` lies in an operand. */
static int64_t place(const char *term, char label) {
  return strchr(term, label) - term;
}

/* Appends the places of a role's labels to a permutation. */
static size_t add_places(const char *term, const char *labels, int64_t *perm, size_t count) {
  for (; *labels; labels++) perm[count++] = place(term, *labels);
  return count;
}

/* The dims of x that a role's labels stand for, as one vector. */
static hone_value *dims_of(hone_call *call, hone_value *x, const char *term,
                           const char *labels) {
  hone_value *parts[HONE_MAX_RANK];
  int count = 0;
  for (; *labels; labels++) {
    int at = (int)place(term, *labels);
    parts[count++] = hone_emit_dims(call, x, at, at + 1);
  }
  if (count == 0) return NULL;
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return hone_emit_end(call, node);
}

static hone_value *reshape(hone_call *call, hone_value *x, hone_value *const *dims,
                           int count) {
  hone_value *parts[4];
  int given = 0;
  for (int i = 0; i < count; i++)
    if (dims[i]) parts[given++] = dims[i];
  hone_node *node = hone_emit_begin(call, "concat", parts, given, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "reshape", x, hone_emit_end(call, node));
}

/* The product of a role's dims, as a vector of one; 1 for no label. */
static hone_value *merged(hone_call *call, hone_value *x, const char *term,
                          const char *labels) {
  hone_value *product = NULL;
  for (; *labels; labels++) {
    int at = (int)place(term, *labels);
    hone_value *dim = hone_emit_dims(call, x, at, at + 1);
    product = product ? HONE_EMIT(call, "mul", product, dim) : dim;
  }
  return product ? product : hone_emit_ints(call, (int64_t[]){1}, 1);
}

/* An operand as [batch…, first, second], the labels of each of the last two merged into one axis.
 */
static hone_value *as_matrices(hone_call *call, hone_value *x, const equation *e, int side) {
  const char *term = e->term[side], *first = e->labels[side == LEFT ? ROW : SUM];
  const char *second = e->labels[side == LEFT ? SUM : COLUMN];
  int64_t perm[HONE_MAX_RANK];
  size_t count = add_places(term, e->labels[BATCH], perm, 0);
  count = add_places(term, first, perm, count);
  count = add_places(term, second, perm, count);
  hone_value *dims[] = {dims_of(call, x, term, e->labels[BATCH]), merged(call, x, term, first),
                        merged(call, x, term, second)};
  x = hone_emit_transpose(call, x, (int)count, perm);
  if (strlen(first) == 1 && strlen(second) == 1) return x;
  return reshape(call, x, dims, 3);
}

/* Whether every shared label stands for the same size on both sides, as far as is known: what
 * broadcasts is the op's business. */
static bool sizes_agree(const equation *e, hone_value *const *x) {
  for (int side = LEFT; side <= RIGHT; side++)
    if (x[side]->type.shape.rank != (int)strlen(e->term[side])) return false;
  for (const char *at = e->term[LEFT]; *at; at++) {
    if (!has(e->term[RIGHT], *at)) continue;
    hone_dim left = x[LEFT]->type.shape.dim[place(e->term[LEFT], *at)];
    if (left != x[RIGHT]->type.shape.dim[place(e->term[RIGHT], *at)]) return false;
  }
  return true;
}

static hone_status *multiply(hone_call *call, const equation *e, hone_value *const *x) {
  hone_value *y = HONE_EMIT(call, "matmul", as_matrices(call, x[LEFT], e, LEFT),
                            as_matrices(call, x[RIGHT], e, RIGHT));
  if (strlen(e->labels[ROW]) != 1 || strlen(e->labels[COLUMN]) != 1) {
    hone_value *dims[] = {dims_of(call, x[LEFT], e->term[LEFT], e->labels[BATCH]),
                          dims_of(call, x[LEFT], e->term[LEFT], e->labels[ROW]),
                          dims_of(call, x[RIGHT], e->term[RIGHT], e->labels[COLUMN])};
    bool scalar = !dims[0] && !dims[1] && !dims[2];
    y = scalar ? hone_emit_reshape(call, y, NULL, 0) : reshape(call, y, dims, 3);
  }
  char order[HONE_MAX_RANK + 1];
  snprintf(order, sizeof order, "%s%s%s", e->labels[BATCH], e->labels[ROW], e->labels[COLUMN]);
  int64_t perm[HONE_MAX_RANK];
  size_t rank = add_places(order, e->term[RESULT], perm, 0);
  hone_onnx_return(call, 0, hone_emit_transpose(call, y, (int)rank, perm));
  return NULL;
}

static hone_status *import_einsum(hone_call *call) {
  hone_value *inputs[MOST_OPERANDS];
  int count = hone_onnx_input_count(call);
  const char *text = hone_onnx_text(call, "equation", "");
  equation e;
  if (count < 1 || count > MOST_OPERANDS)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%d operands are more than %d", count,
                          MOST_OPERANDS);
  for (int i = 0; i < count; i++) inputs[i] = hone_onnx_need(call, i);
  if (count == 2 && read_equation(text, &e) && sizes_agree(&e, inputs))
    return multiply(call, &e, inputs);
  hone_node *node = hone_emit_begin(call, "einsum", inputs, count, 1);
  hone_emit_set_text(call, node, "equation", text);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_einsum[] = {{"", "Einsum", 12, 0, .import = import_einsum}, {0}};
