/* Random graphs through the whole pipeline: they must compute what they did, keep their outputs'
 * names, and come out of the text form as they went in. */
#include "rewrites.h"

enum { GRAPHS = 600, MOST_VALUES = 64 };

typedef struct maker {
  hone_graph *graph;
  hone_value *values[MOST_VALUES];
  int count;
  uint32_t state;
} maker;

static uint32_t draw(maker *m, uint32_t below) {
  m->state = m->state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)(m->state >> 8) * below >> 24);
}

static hone_value *pick(maker *m) {
  return m->values[draw(m, (uint32_t)m->count)];
}

static hone_value *floats(maker *m, int rank, const hone_dim *dims) {
  float data[4096];
  hone_shape shape = hone_shape_of(rank, dims);
  hone_value *value = NULL;
  size_t count = 0;
  if (!hone_shape_count(&shape, &count) || count > 4096) return NULL;
  for (size_t i = 0; i < count; i++) data[i] = (float)(draw(m, 2001) / 1000.0 - 1);
  CHECK_OK(hone_graph_constant_copy(m->graph, NULL, HONE_F32, shape, data, count * sizeof *data,
                                    &value));
  return value;
}

static hone_value *number(maker *m, double value) {
  hone_value *out = NULL;
  CHECK_OK(hone_graph_real(m->graph, NULL, HONE_F32, value, &out));
  return out;
}

static hone_value *ints(maker *m, const int64_t *values, size_t count) {
  hone_value *out = NULL;
  CHECK_OK(hone_graph_ints(m->graph, NULL, 1, values, count, &out));
  return out;
}

static hone_node *start(maker *m, const hone_op *op, hone_value **in, int count, int outputs) {
  hone_node *node = NULL;
  CHECK_OK(hone_node_new(m->graph, NULL, op, in, count, outputs, &node));
  return node;
}

/* Keeps the node if its shape rule and the limits of this test agree, else takes it back. */
static void finish(maker *m, hone_node *node) {
  hone_status *status = hone_node_check(node);
  if (!status) status = hone_node_infer(node);
  bool fine = !status && m->count + node->output_count <= MOST_VALUES;
  for (int i = 0; fine && i < node->output_count; i++) {
    const hone_shape *shape = &node->outputs[i]->type.shape;
    double size = 1;
    fine = shape->rank >= 0 && shape->rank <= 6;
    for (int k = 0; k < shape->rank; k++) size *= shape->dim[k] < 0 ? 4 : (double)shape->dim[k];
    fine = fine && size <= 20000 && size > 0;
  }
  hone_status_free(status);
  for (int i = 0; fine && i < node->output_count; i++) m->values[m->count++] = node->outputs[i];
  if (!fine) hone_node_remove(node);
}

static void simple(maker *m, const hone_op *op, hone_value **in, int count) {
  for (int i = 0; i < count; i++)
    if (!in[i]) return;
  finish(m, start(m, op, in, count, 1));
}

static void unary(maker *m) {
  static const hone_op *const ops[] = {&hone_op_relu, &hone_op_sigmoid, &hone_op_tanh,
                                       &hone_op_neg,  &hone_op_abs,     &hone_op_identity,
                                       &hone_op_erf,  &hone_op_silu};
  hone_value *x = pick(m);
  simple(m, ops[draw(m, 8)], &x, 1);
}

/* With a number, a constant of lower rank, or a value of any shape that broadcasts. */
static void binary(maker *m) {
  static const hone_op *const ops[] = {&hone_op_add, &hone_op_sub, &hone_op_mul, &hone_op_min,
                                       &hone_op_max, &hone_op_add, &hone_op_mul};
  static const double numbers[] = {0, 1, 2, 0.5, -1, 3};
  hone_value *in[2] = {pick(m), NULL};
  const hone_shape *shape = &in[0]->type.shape;
  uint32_t kind = draw(m, 4);
  if (kind == 0) {
    in[1] = number(m, numbers[draw(m, 6)]);
  } else if (kind == 1 && shape->rank > 0) {
    int rank = 1 + (int)draw(m, (uint32_t)shape->rank);
    hone_dim dims[HONE_MAX_RANK];
    for (int i = 0; i < rank; i++) {
      hone_dim dim = shape->dim[shape->rank - rank + i];
      dims[i] = dim < 0 || draw(m, 2) ? 1 : dim;
    }
    in[1] = floats(m, rank, dims);
  } else {
    in[1] = pick(m);
  }
  if (draw(m, 2)) {
    hone_value *swap = in[0];
    in[0] = in[1];
    in[1] = swap;
  }
  simple(m, ops[draw(m, 7)], in, 2);
}

static void turn(maker *m) {
  hone_value *x = pick(m);
  int rank = x->type.shape.rank;
  int64_t perm[HONE_MAX_RANK];
  for (int i = 0; i < rank; i++) {
    uint32_t at = draw(m, (uint32_t)i + 1);
    perm[i] = perm[at];
    perm[at] = i;
  }
  if (rank == 4 && draw(m, 2)) {
    static const int64_t known[2][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
    memcpy(perm, known[draw(m, 2)], sizeof known[0]);
  }
  hone_node *node = start(m, &hone_op_transpose, &x, 1, 1);
  CHECK_OK(hone_node_set_ints(node, "perm", perm, (size_t)rank));
  finish(m, node);
}

/* Merges two neighbours, splits one axis, or puts in an axis of one element. */
static void view(maker *m) {
  hone_value *in[2] = {pick(m)};
  const hone_shape *shape = &in[0]->type.shape;
  int64_t dims[HONE_MAX_RANK + 1];
  int rank = 0, at = shape->rank ? (int)draw(m, (uint32_t)shape->rank) : 0;
  uint32_t kind = draw(m, 3);
  for (int i = 0; i < shape->rank; i++) {
    int64_t dim = shape->dim[i];
    if (i == at && kind == 0 && i + 1 < shape->rank && dim > 0 && shape->dim[i + 1] > 0) {
      dims[rank++] = dim * shape->dim[++i];
    } else if (i == at && kind == 1 && dim > 0 && dim % 2 == 0) {
      dims[rank++] = 2;
      dims[rank++] = dim / 2;
    } else {
      if (i == at && kind == 2) dims[rank++] = 1;
      dims[rank++] = dim < 0 ? -1 : dim;
    }
  }
  if (rank > HONE_MAX_RANK) return;
  in[1] = ints(m, dims, (size_t)rank);
  simple(m, &hone_op_reshape, in, 2);
}

static void reduce(maker *m) {
  static const char *const kinds[] = {"sum", "mean", "max", "min"};
  hone_value *in[2] = {pick(m)};
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  int rank = in[0]->type.shape.rank;
  for (int i = 0; i < rank; i++)
    if (draw(m, 3) == 0) axes[count++] = draw(m, 2) ? i : i - rank;
  if (count == 0) return;
  in[1] = ints(m, axes, count);
  hone_node *node = start(m, &hone_op_reduce, in, 2, 1);
  CHECK_OK(hone_node_set_text(node, "kind", kinds[draw(m, 4)]));
  CHECK_OK(hone_node_set_int(node, "keep", draw(m, 2)));
  finish(m, node);
}

static void on_axis(maker *m) {
  hone_value *in[2] = {pick(m), pick(m)};
  int rank = in[0]->type.shape.rank;
  if (rank == 0) return;
  uint32_t kind = draw(m, 3);
  const hone_op *op = kind == 0 ? &hone_op_softmax : kind == 1 ? &hone_op_concat : &hone_op_split;
  hone_node *node = start(m, op, in, kind == 1 ? 2 : 1, kind == 2 ? 2 : 1);
  CHECK_OK(
      hone_node_set_int(node, "axis", (int64_t)draw(m, (uint32_t)rank) - (draw(m, 2) ? rank : 0)));
  if (kind == 2) CHECK_OK(hone_node_set_int(node, "parts", 2));
  finish(m, node);
}

static void slice_or_pad(maker *m) {
  hone_value *in[4] = {pick(m)};
  int rank = in[0]->type.shape.rank;
  if (rank == 0) return;
  int64_t axis = draw(m, (uint32_t)rank), low = draw(m, 3), high = draw(m, 3);
  if (in[0]->type.shape.dim[axis] < 3) return;
  if (draw(m, 2)) {
    in[1] = ints(m, &low, 1);
    high = draw(m, 2) ? INT64_MAX : -1;
    in[2] = ints(m, &high, 1);
    in[3] = ints(m, &axis, 1);
    simple(m, &hone_op_slice, in, 4);
    return;
  }
  in[1] = ints(m, (int64_t[]){low, high}, 2);
  in[3] = ints(m, &axis, 1);
  finish(m, start(m, &hone_op_pad, in, 4, 1));
}

static void product(maker *m) {
  hone_value *in[2] = {pick(m), pick(m)};
  const hone_shape *shape = &in[0]->type.shape;
  if (shape->rank < 2) return;
  hone_dim depth = shape->dim[shape->rank - 1];
  if (depth > 0 && draw(m, 4)) in[1] = floats(m, 2, (hone_dim[]){depth, 1 + draw(m, 6)});
  if (in[1]->type.shape.rank < 2) return;
  hone_node *node = start(m, &hone_op_matmul, in, 2, 1);
  if (draw(m, 4) == 0) CHECK_OK(hone_node_set_int(node, "transpose_b", 1));
  finish(m, node);
}

/* As an importer of channels-first models writes it. */
static void convolution(maker *m) {
  hone_value *x = pick(m), *weights;
  const hone_shape *shape = &x->type.shape;
  if (shape->rank != 4 || shape->dim[1] <= 0) return;
  hone_dim filters = 1 + draw(m, 6);
  weights = floats(m, 4, (hone_dim[]){3, 3, shape->dim[1], filters});
  if (!weights) return;
  hone_node *in = start(m, &hone_op_transpose, &x, 1, 1);
  CHECK_OK(hone_node_set_ints(in, "perm", (int64_t[]){0, 2, 3, 1}, 4));
  CHECK_OK(hone_node_infer(in));
  hone_node *conv = start(m, &hone_op_conv, (hone_value *[]){in->outputs[0], weights}, 2, 1);
  CHECK_OK(hone_node_set_ints(conv, "pads", (int64_t[]){1, 1, 1, 1}, 4));
  hone_status *status = hone_node_infer(conv);
  if (!status) {
    hone_node *out = start(m, &hone_op_transpose, conv->outputs, 1, 1);
    CHECK_OK(hone_node_set_ints(out, "perm", (int64_t[]){0, 3, 1, 2}, 4));
    finish(m, out);
  }
  hone_status_free(status);
}

static void norm(maker *m) {
  hone_value *in[5] = {pick(m)};
  const hone_shape *shape = &in[0]->type.shape;
  if (shape->rank < 2 || shape->dim[1] <= 0) return;
  for (int i = 1; i < 5; i++) in[i] = floats(m, 1, &shape->dim[1]);
  if (!in[4]) return;
  float variance[4096];
  size_t bytes = in[4]->constant_size;
  for (size_t i = 0; i < bytes / sizeof *variance; i++) variance[i] = 0.5f + (float)i / 8;
  CHECK_OK(hone_graph_constant_copy(m->graph, NULL, HONE_F32, in[4]->type.shape, variance, bytes,
                                    &in[4]));
  hone_node *node = start(m, &hone_op_batch_norm, in, 5, 1);
  CHECK_OK(hone_node_set_int(node, "axis", 1));
  finish(m, node);
}

static void make_graph(maker *m) {
  static void (*const steps[])(maker *) = {unary,  binary,  binary,       turn,    view,
                                           reduce, on_axis, slice_or_pad, product, convolution,
                                           norm,   unary,   turn};
  hone_dim n, dims[4];
  CHECK_OK(hone_graph_symbol(m->graph, "n", &n));
  for (int i = 0; i < 2; i++) {
    bool symbolic = draw(m, 2);
    for (int k = 0; k < 4; k++) dims[k] = 1 + (hone_dim)draw(m, 3) * 2;
    dims[0] = symbolic ? n : 2;
    dims[1] = 4;
    CHECK_OK(hone_graph_input(m->graph, NULL, hone_tensor_type(HONE_F32, hone_shape_of(4, dims)),
                              &m->values[m->count++]));
  }
  uint32_t count = 5 + draw(m, 25);
  for (uint32_t i = 0; i < count && m->count < MOST_VALUES - 4; i++) steps[draw(m, 13)](m);
  CHECK_OK(hone_graph_output(m->graph, m->values[m->count - 1]));
  if (draw(m, 2)) CHECK_OK(hone_graph_output(m->graph, pick(m)));
  CHECK_OK(hone_graph_verify(m->graph));
}

static void check_text(const hone_graph *graph) {
  hone_text once = {0}, twice = {0};
  hone_graph *again = NULL;
  CHECK_OK(hone_graph_print(graph, (size_t)-1, NULL, NULL, &once));
  CHECK_OK(hone_graph_parse(once.data, once.size, hone_op_find, (hone_bytes){"", 0}, &again));
  if (again) CHECK_OK(hone_graph_print(again, (size_t)-1, NULL, NULL, &twice));
  CHECK(twice.data && strcmp(once.data, twice.data) == 0);
  hone_text_free(&once);
  hone_text_free(&twice);
  hone_graph_free(again);
}

/* Whether the sizes that the symbols take fit each other. */
static bool runs(const hone_graph *graph) {
  hone_arena arena = {0};
  hone_datum out[2];
  hone_status *status = rewrite_run(graph, out, &arena);
  bool fine = status == NULL;
  hone_status_free(status);
  hone_arena_free(&arena);
  return fine;
}

static void check_graph(uint32_t seed) {
  maker m = {.state = seed * 2654435761u + 1};
  hone_graph *after = NULL;
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log = {.count = 0};
  int failed = check_failed;
  context.log = &log;
  CHECK_OK(hone_graph_new("random", &m.graph));
  make_graph(&m);
  CHECK_OK(hone_graph_copy(m.graph, &after));
  if (after) {
    CHECK_OK(hone_run_passes(after, &context));
    CHECK_OK(hone_graph_verify(after));
    if (check_failed == failed && runs(m.graph))
      rewrite_compare(m.graph, after, bound("rewritten random graph", "fp32"));
    check_text(after);
  }
  if (check_failed != failed) {
    fprintf(stderr, "seed %u\n%s", seed, rewrite_print(m.graph));
    if (after) fprintf(stderr, "%s", rewrite_print(after));
  }
  hone_graph_free(after);
  hone_graph_free(m.graph);
}

TEST(random_graphs) {
  for (uint32_t seed = 0; seed < GRAPHS && !check_failed; seed++) check_graph(seed);
}

int main(void) {
  RUN(random_graphs);
  return check_report();
}
