/* Random nodes of every op: a node either is refused, or its shape rule in a graph and its result
 * agree. Most are nonsense on purpose; nothing may crash, overflow or run away. */
#include "ops/harness.h"

enum { TRIES = 400 };

static uint64_t state = 88172645463325252u;

/* Marsaglia's xorshift64. */
static uint32_t below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 33) % limit;
}

static hone_datum random_tensor(hone_arena *arena, hone_dtype dtype) {
  static const uint8_t sizes[] = {1, 1, 2, 2, 3, 3, 4, 0};
  hone_shape shape = {.rank = (int)below(5)};
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = sizes[below(8)];
  hone_datum out = make(arena, dtype, shape, NULL);
  size_t count = hone_datum_count(&out);
  for (size_t i = 0; i < count; i++) {
    double value = (double)below(9) - 3;
    if (dtype == HONE_STR)
      ((hone_string *)out.data)[i] = (hone_string){"text", below(5)};
    else if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT)
      hone_store_real(dtype, out.data, i, below(30) ? value / 2 : 1e30);
    else
      hone_store_int(dtype, out.data, i, below(60) ? (int64_t)value : INT64_MAX);
  }
  return out;
}

/* Small vectors of s64: what shapes, axes and indices mostly are. */
static hone_datum random_integers(hone_arena *arena) {
  hone_datum out = make(arena, HONE_S64, SHAPE(1 + below(4)), NULL);
  if (below(3) == 0) out.shape.rank = 0;
  for (size_t i = 0; i < hone_datum_count(&out); i++)
    hone_store_int(HONE_S64, out.data, i, below(40) ? (int64_t)below(6) - 2 : INT64_MIN);
  return out;
}

static void random_attr(hone_node *node, const hone_attr_def *def) {
  int64_t integers[4];
  double reals[4];
  size_t count = below(5);
  char choice[64];
  for (size_t i = 0; i < count; i++) reals[i] = (double)(integers[i] = (int64_t)below(6) - 2);
  if (def->fallback && below(2)) return;
  switch (def->kind) {
    case HONE_ATTR_INT:
      CHECK_OK(hone_node_set_int(node, def->name, (int64_t)below(8) - 3));
      break;
    case HONE_ATTR_FLAG:
      CHECK_OK(hone_node_set_int(node, def->name, below(2)));
      break;
    case HONE_ATTR_REAL:
      CHECK_OK(hone_node_set_real(node, def->name, below(5) / 2.0));
      break;
    case HONE_ATTR_DTYPE:
      CHECK_OK(hone_node_set_int(node, def->name, below(HONE_DTYPE_COUNT)));
      break;
    case HONE_ATTR_INTS:
      CHECK_OK(hone_node_set_ints(node, def->name, integers, count));
      break;
    case HONE_ATTR_REALS:
      CHECK_OK(hone_node_set_reals(node, def->name, reals, count));
      break;
    case HONE_ATTR_CHOICE: {
      const char *at = def->choices;
      for (uint32_t skip = below(4); skip && strchr(at, '|'); skip--) at = strchr(at, '|') + 1;
      snprintf(choice, sizeof choice, "%.*s", (int)strcspn(at, "|"), at);
      CHECK_OK(hone_node_set_text(node, def->name, choice));
      break;
    }
    default:
      break;
  }
}

/* Whether what the graph says of an output holds for what came out. */
static bool agrees(const hone_op *op, const hone_type *said, const hone_datum *got) {
  if (said->dtype && said->dtype != got->dtype) return false;
  if (said->shape.rank < 0) return true;
  if (said->shape.rank != got->shape.rank) return false;
  for (int d = 0; d < said->shape.rank; d++) {
    hone_dim dim = said->shape.dim[d];
    if (hone_dim_known(dim) && dim != got->shape.dim[d] && !(op->facts & HONE_DATA_SHAPED))
      return false;
  }
  return true;
}

/* Types the graph is told: some dimensions become symbols. */
static hone_type blurred(hone_graph *graph, const hone_datum *x) {
  hone_type type = hone_tensor_type(x->dtype, x->shape);
  for (int d = 0; d < type.shape.rank; d++)
    if (below(3) == 0) CHECK_OK(hone_graph_symbol(graph, NULL, &type.shape.dim[d]));
  return type;
}

/* True when the node ran. */
static bool try_node(const hone_op *op) {
  hone_arena arena = {0};
  hone_datum data[8], out[8] = {{0}};
  const hone_datum *in[8] = {0};
  hone_value *values[8] = {0};
  hone_graph *graph = NULL;
  hone_node *node = NULL;
  int least, most, outputs, all;
  hone_op_arity(op->inputs, &least, &most);
  hone_op_arity(op->outputs, &outputs, &all);
  int inputs = most > 8 ? 1 + (int)below(3) : least + (int)below((uint32_t)(most - least + 1));
  if (all > outputs && below(2)) outputs = all > 4 ? 2 : all;
  hone_dtype common = (hone_dtype)(1 + below(below(2) ? 2 : HONE_STR));
  CHECK_OK(hone_graph_new("random", &graph));
  for (int i = 0; i < inputs; i++) {
    bool whole = op->shape_inputs >> i & 1 || (i && below(3) == 0);
    hone_dtype dtype = below(9) ? common : HONE_BOOL;
    data[i] = whole ? random_integers(&arena) : random_tensor(&arena, dtype);
    size_t bytes = 0;
    (void)hone_shape_bytes(&data[i].shape, data[i].dtype, &bytes);
    if (i >= least && below(4) == 0) continue;
    in[i] = &data[i];
    if (whole && below(2))
      CHECK_OK(hone_graph_constant(graph, NULL, data[i].dtype, data[i].shape, data[i].data, bytes,
                                   &values[i]));
    else
      CHECK_OK(hone_graph_input(graph, NULL, blurred(graph, &data[i]), &values[i]));
  }
  CHECK_OK(hone_node_new(graph, NULL, op, values, inputs, outputs, &node));
  for (int i = 0; i < HONE_MAX_ATTRS && op->attrs[i].name; i++) random_attr(node, &op->attrs[i]);
  hone_status *status = hone_node_infer(node);
  if (!status) status = hone_evaluate(node, in, out, &arena);
  bool ran = !status;
  hone_status_free(status);
  for (int i = 0; ran && i < outputs; i++) {
    if (agrees(op, &node->outputs[i]->type, &out[i])) continue;
    hone_text text = {0};
    CHECK_OK(hone_graph_output(graph, node->outputs[i]));
    CHECK_OK(hone_graph_print(graph, 64, NULL, NULL, &text));
    fprintf(stderr, "output %d came out as %s of rank %d:", i, hone_dtype_name(out[i].dtype),
            out[i].shape.rank);
    for (int d = 0; d < out[i].shape.rank; d++)
      fprintf(stderr, " %lld", (long long)out[i].shape.dim[d]);
    fprintf(stderr, "\n%s", text.data ? text.data : "");
    hone_text_free(&text);
    CHECK(!"the rule agrees with the result");
  }
  hone_graph_free(graph);
  hone_arena_free(&arena);
  return ran;
}

TEST(rules_agree_with_results) {
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  for (size_t i = 0; i < count; i++) {
    if (ops[i]->facts & (HONE_OBJECTS | HONE_HAS_REGIONS)) continue;
    int ran = 0;
    for (int n = 0; n < TRIES; n++) ran += try_node(ops[i]);
    if (getenv("VERBOSE")) printf("%-24s %d of %d ran\n", ops[i]->name, ran, TRIES);
  }
}

int main(void) {
  RUN(rules_agree_with_results);
  return check_report();
}
