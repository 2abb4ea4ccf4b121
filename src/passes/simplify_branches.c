/* Branches over the pieces of one tensor that are joined again: frameworks without grouped convolutions
 * spell them so (AlexNet, ResNeXt). Room: passes. */
#include "passes/simplify.h"

enum { X, W, BIAS };
enum { MOST_BRANCHES = 64 };

typedef struct branches {
  const hone_node *convs[MOST_BRANCHES];
  const hone_value *weights[MOST_BRANCHES], *biases[MOST_BRANCHES];
  int64_t filters[MOST_BRANCHES];
  hone_value *whole; /* what they read pieces of */
  int count;
} branches;

/* Whether `piece` is the channels from `begin` to `end` of a tensor, which is the answer. */
static hone_value *whole_of(const hone_value *piece, int64_t begin, int64_t end) {
  const hone_node *slice = piece->producer;
  int64_t cut[4] = {0, 0, 0, 1};
  size_t count;
  int axis;
  if (!slice || slice->op != &hone_op_slice) return NULL;
  for (int i = 0; i < 4; i++) {
    const hone_value *list = hone_node_in(slice, i + 1);
    if (list ? !hone_constant_ints(list, &cut[i], 1, &count) || count != 1 : i < 3) return NULL;
  }
  hone_value *x = slice->inputs[0].value;
  const hone_shape *shape = &x->type.shape;
  if (!hone_axis(cut[2], shape->rank, &axis) || axis != shape->rank - 1) return NULL;
  bool to_end = end == shape->dim[axis] && cut[1] >= end;
  return cut[0] == begin && (cut[1] == end || to_end) && cut[3] == 1 ? x : NULL;
}

static bool is_plain_constant(const hone_value *value, int rank) {
  return hone_value_is_constant(value) && value->type.shape.rank == rank &&
         hone_dtype_bits(value->type.dtype) >= 8;
}

/* The convolution that makes `value` for the join alone, over the next piece. */
static bool add_branch(branches *b, const hone_value *value) {
  const hone_node *conv = value->producer;
  if (!conv || conv->op != &hone_op_conv || !hone_value_has_one_use(value)) return false;
  const hone_value *w = conv->inputs[W].value, *bias = hone_node_in(conv, BIAS);
  int rank = value->type.shape.rank;
  const hone_value *piece = conv->inputs[X].value;
  int64_t channels = piece->type.shape.dim[rank - 1];
  if (!is_plain_constant(w, rank) || (bias && !is_plain_constant(bias, 1))) return false;
  if (!hone_dim_known(channels)) return false;
  hone_value *whole = whole_of(piece, b->count * channels, (b->count + 1) * channels);
  if (!whole || (b->count && (whole != b->whole || !hone_same_type(w, b->weights[0]) ||
                              !hone_same_attrs(conv, b->convs[0]) || !bias != !b->biases[0])))
    return false;
  b->whole = whole;
  b->convs[b->count] = conv;
  b->weights[b->count] = w;
  b->biases[b->count] = bias;
  b->filters[b->count++] = w->type.shape.dim[rank - 1];
  return true;
}

static hone_status *make_grouped(hone_node *node, const branches *b, hone_value **to) {
  int rank = b->weights[0]->type.shape.rank;
  hone_value *inputs[3] = {b->whole};
  hone_node *conv;
  HONE_TRY(hone_join_constants(node->graph, b->weights, b->filters, b->count, b->weights[0],
                               rank - 1, &inputs[W]));
  if (b->biases[0])
    HONE_TRY(hone_join_constants(node->graph, b->biases, b->filters, b->count, b->biases[0], 0,
                                 &inputs[BIAS]));
  HONE_TRY(hone_node_start(node, &hone_op_conv, inputs, b->biases[0] ? 3 : 2, &conv));
  hone_copy_attrs(conv, b->convs[0]);
  HONE_TRY(hone_node_set_int(conv, "groups", hone_node_int(conv, "groups") * b->count));
  for (int i = 0; i < b->count; i++) HONE_TRY(hone_node_add_sources(conv, b->convs[i]));
  return hone_node_finish(conv, to);
}

/* concat of convolutions over all pieces of a tensor, in order, is one grouped convolution. */
static hone_status *join_groups(hone_node *node, const hone_pass_context *context,
                                hone_value **to) {
  branches b = {.count = 0};
  int rank = node->outputs[0]->type.shape.rank, axis;
  if (node->input_count < 2 || node->input_count > MOST_BRANCHES || rank < 3 ||
      !hone_axis(hone_node_int(node, "axis"), rank, &axis) || axis != rank - 1)
    return NULL;
  size_t bytes = 0;
  for (int i = 0; i < node->input_count; i++) {
    if (!add_branch(&b, node->inputs[i].value)) return NULL;
    bytes += b.weights[i]->constant_size;
  }
  int64_t piece = b.convs[0]->inputs[X].value->type.shape.dim[rank - 1];
  if (b.whole->type.shape.dim[rank - 1] != piece * b.count || bytes > context->fold_limit)
    return NULL;
  return make_grouped(node, &b, to);
}

const hone_simplify_rule hone_late_branch_rules[] = {
    {"join groups", &hone_op_concat, join_groups}, {0}};
