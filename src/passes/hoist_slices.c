/* Few rows of a result that nothing else reads: only they are computed. A classifier reads one
 * token of a transformer's last layer, so that its norm, its last products and their residuals need
 * one row of an image's 197. The slice goes before whatever computes rows one by one: norms and
 * softmax along other axes, products, the pointwise work between them.
 *
 * From a slice of at most a quarter of an axis those nodes are found that only what it leaves
 * reads; they keep their places and get smaller, and slices of what they read from outside take the
 * place of the one. It stops before a convolution or attention, whose own pointwise work stays with
 * it. Room: passes. */
#include "passes/passes.h"
#include "passes/reading.h"

enum { MOST_MEMBERS = 64, LEAST_SHARE = 4 };
enum { WHOLE = -1, UNFIT = -2 }; /* of an input: it has no such axis; it cannot be cut */

typedef struct member {
  hone_node *node;
  int axis; /* of its output, that is cut */
} member;

typedef struct cone {
  hone_node *slice;
  int axis;           /* of what it reads */
  int64_t begin, end; /* the rows, as a slice says them */
  hone_dim rows;
  member members[MOST_MEMBERS]; /* a member's readers before it */
  int count;
} cone;

/* ---- The slice --------------------------------------------------------------------------------
 */

/* Entry `index` of the list at input `input`, or `otherwise` where there is no list. */
static bool entry(const hone_node *node, int input, size_t index, int64_t otherwise, int64_t *out) {
  int64_t list[HONE_MAX_RANK];
  size_t count;
  const hone_value *value = hone_node_in(node, input);
  *out = otherwise;
  if (!value) return true;
  if (!hone_constant_ints(value, list, HONE_MAX_RANK, &count) || index >= count) return false;
  *out = list[index];
  return true;
}

/* The one axis that the slice cuts; false where there are several, steps, or bounds that the run
 * tells. */
static bool find_cut(hone_node *slice, cone *c) {
  enum { STARTS = 1, ENDS, AXES, STEPS };
  const hone_shape *x = &slice->inputs[0].value->type.shape;
  const hone_shape *y = &slice->outputs[0]->type.shape;
  int64_t starts[HONE_MAX_RANK], axis, step, begin, end;
  size_t count;
  int found = 0;
  if (x->rank < 1 || y->rank != x->rank ||
      !hone_constant_ints(hone_node_in(slice, STARTS), starts, HONE_MAX_RANK, &count))
    return false;
  *c = (cone){.slice = slice};
  for (size_t i = 0; i < count; i++) {
    int at;
    if (!entry(slice, ENDS, i, 0, &end) || !entry(slice, AXES, i, (int64_t)i, &axis) ||
        !entry(slice, STEPS, i, 1, &step) || !hone_axis(axis, x->rank, &at) || step != 1)
      return false;
    begin = starts[i];
    if (x->dim[at] == y->dim[at]) continue;
    found++;
    c->axis = at, c->begin = begin, c->end = end, c->rows = y->dim[at];
  }
  hone_dim all = x->dim[c->axis];
  return found == 1 && hone_dim_known(c->rows) && c->rows > 0 &&
         (!hone_dim_known(all) || all / LEAST_SHARE >= c->rows);
}

/* ---- What only it reads -----------------------------------------------------------------------
 */

/* Axis `axis` of the result in an input that broadcasts to it. */
static int broadcast_axis(const hone_shape *in, const hone_shape *out, int axis) {
  if (in->rank < 0 || in->rank > out->rank) return UNFIT;
  int own = axis - (out->rank - in->rank);
  if (own < 0 || in->dim[own] == 1) return WHOLE;
  return in->dim[own] == out->dim[axis] ? own : UNFIT;
}

static int matmul_axis(const hone_node *node, int input, int axis) {
  enum { A, B };
  const hone_shape *a = &node->inputs[A].value->type.shape;
  const hone_shape *y = &node->outputs[0]->type.shape;
  bool by_rows = node->inputs[B].value->type.shape.rank == 2 && a->rank == y->rank &&
                 axis < y->rank - 1 && !hone_node_flag(node, "transpose_a");
  if (!by_rows) return UNFIT;
  if (input == A) return axis;
  return input == B ? WHOLE : broadcast_axis(&node->inputs[input].value->type.shape, y, axis);
}

static int transpose_axis(const hone_node *node, int axis) {
  size_t count;
  const int64_t *perm = hone_node_ints(node, "perm", &count);
  return count ? (int)perm[axis] : node->outputs[0]->type.shape.rank - 1 - axis;
}

/* The axis of an input along which rows of the result along `axis` are cut. */
static int input_axis(const hone_node *node, int input, int axis) {
  const hone_shape *y = &node->outputs[0]->type.shape;
  const hone_value *value = node->inputs[input].value;
  int own;
  if (!value) return WHOLE;
  if (node->op == &hone_op_matmul) return matmul_axis(node, input, axis);
  if (node->op == &hone_op_transpose) return transpose_axis(node, axis);
  if (node->op == &hone_op_softmax || node->op == &hone_op_log_softmax) {
    bool other = hone_axis(hone_node_int(node, "axis"), y->rank, &own) && own != axis;
    return other ? axis : UNFIT;
  }
  if (node->op == &hone_op_layer_norm || node->op == &hone_op_rms_norm) {
    if (!hone_axis(hone_node_int(node, "axis"), y->rank, &own) || own <= axis) return UNFIT;
    return broadcast_axis(&value->type.shape, y, axis);
  }
  return node->op->facts & HONE_POINTWISE ? broadcast_axis(&value->type.shape, y, axis) : UNFIT;
}

static const member *member_of(const cone *c, const hone_node *node) {
  for (int i = 0; node && i < c->count; i++)
    if (c->members[i].node == node) return &c->members[i];
  return NULL;
}

/* The axis along which all that reads the value reads some rows alone; UNFIT: not all does. */
static int axis_read(const cone *c, const hone_value *value) {
  int axis = UNFIT;
  for (const hone_use *use = value->uses; use; use = use->next) {
    const member *reader = member_of(c, use->user);
    int own = UNFIT;
    int input = use->user ? (int)(use - use->user->inputs) : 0;
    if (use->user == c->slice)
      own = input == 0 ? c->axis : UNFIT;
    else if (reader)
      own = input_axis(reader->node, input, reader->axis);
    if (own < 0 || (axis >= 0 && own != axis)) return UNFIT;
    axis = own;
  }
  return axis;
}

static bool has_one_output(const hone_node *node) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i]) return false;
  return hone_node_out(node, 0) != NULL;
}

/* Takes the maker of `value` in, where it makes rows one by one and nobody else reads them. */
static bool take(cone *c, const hone_value *value) {
  hone_node *maker = value ? value->producer : NULL;
  const uint32_t never = HONE_IMPURE | HONE_HAS_REGIONS | HONE_OBJECTS | HONE_DATA_SHAPED;
  if (!maker || c->count == MOST_MEMBERS || member_of(c, maker) || (maker->op->facts & never) ||
      !has_one_output(maker) || maker->outputs[0]->type.shape.rank < 1)
    return false;
  int axis = axis_read(c, value);
  bool fits = axis >= 0;
  for (int i = 0; fits && i < maker->input_count; i++) fits = input_axis(maker, i, axis) != UNFIT;
  if (fits) c->members[c->count++] = (member){maker, axis};
  return fits;
}

/* A node with two readers is taken when the second is there. */
static void find_members(cone *c) {
  bool more = take(c, c->slice->inputs[0].value);
  while (more) {
    more = false;
    for (int i = 0; i < c->count; i++)
      for (int k = 0; k < c->members[i].node->input_count; k++)
        more = take(c, c->members[i].node->inputs[k].value) || more;
  }
}

/* Whether some input is cut that no member makes, and is computed. */
static int count_outside(const cone *c, const member *m, bool *inside) {
  int count = 0;
  for (int i = 0; i < m->node->input_count; i++) {
    const hone_value *in = m->node->inputs[i].value;
    if (!in || in->constant || input_axis(m->node, i, m->axis) == WHOLE) continue;
    if (member_of(c, in->producer))
      *inside = true;
    else
      count++;
  }
  return count;
}

static bool computes_rows(const hone_node *node) {
  return !(node->op->facts & HONE_POINTWISE) && node->op != &hone_op_transpose;
}

/* Pointwise work and transposes that no member feeds stay whole, with what makes their input. */
static void drop_edge(cone *c) {
  for (int i = c->count - 1; i >= 0; i--) {
    bool inside = false;
    (void)count_outside(c, &c->members[i], &inside);
    if (inside || computes_rows(c->members[i].node)) continue;
    c->count--;
    for (int k = i; k < c->count; k++) c->members[k] = c->members[k + 1];
    i = c->count;
  }
}

/* A product or a norm gets smaller, and of slices there are no more, or a product pays for them. */
static bool is_worth(const cone *c) {
  bool rows = false, heavy = false, inside;
  int slices = 0;
  for (int i = 0; i < c->count; i++) {
    const hone_node *node = c->members[i].node;
    rows = rows || computes_rows(node);
    heavy = heavy || (node->op->facts & HONE_HEAVY);
    slices += count_outside(c, &c->members[i], &inside);
  }
  return rows && (heavy || slices <= 1);
}

/* ---- Cutting ----------------------------------------------------------------------------------- */

static hone_status *cut_inputs(const cone *c, const member *m) {
  for (int i = 0; i < m->node->input_count; i++) {
    hone_value *in = m->node->inputs[i].value, *part;
    int axis = in ? input_axis(m->node, i, m->axis) : WHOLE;
    if (axis == WHOLE || member_of(c, in->producer)) continue;
    HONE_TRY(hone_make_slice(m->node, in, axis, c->begin, c->end, &part));
    part->type.shape.dim[axis] = c->rows;
    HONE_TRY(hone_node_add_sources(part->producer, c->slice));
    hone_node_set_input(m->node, i, part);
  }
  return NULL;
}

/* The members' values are no source node's any more, so that they lose their names. */
static hone_status *cut(cone *c) {
  for (int i = 0; i < c->count; i++) HONE_TRY(cut_inputs(c, &c->members[i]));
  for (int i = 0; i < c->count; i++) {
    hone_value *y = c->members[i].node->outputs[0];
    y->type.shape.dim[c->members[i].axis] = c->rows;
    HONE_TRY(hone_value_rename(y, ""));
  }
  return hone_substitute(c->slice, 0, c->slice->inputs[0].value);
}

static hone_status *hoist(hone_node *node, hone_pass_context *context) {
  cone c;
  if (node->op != &hone_op_slice || !hone_node_out(node, 0) || !find_cut(node, &c)) return NULL;
  find_members(&c);
  drop_edge(&c);
  if (!is_worth(&c)) return NULL;
  hone_pass_fired(context, "compute only rows that are read");
  return cut(&c);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, hoist);
}

const hone_pass hone_pass_hoist_slices = {"hoist_slices", run};
