/* Puts every device node into a group. A heavy node takes the pointwise nodes after it along, which
 * then cost no memory traffic: bias, residual, activation need no pattern. Attention and products take
 * the slices and transposes around them along, which kernels then read and write by strides, and
 * products on a device the norm before them, as transposes there take a rounding. Pointwise nodes that
 * are left chain up. Views cost nothing and stay outside, as do nodes on the host, with regions, on
 * objects, and those whose sizes only the run knows.
 *
 * A group has one result, which its last node makes; nothing inside is seen from outside. So a group
 * can stand where its last node stood: whatever it reads was made before, and no two groups wait for
 * each other. Room: passes. */
#include <string.h>

#include "ops/gate.h"
#include "passes/clusters.h"
#include "passes/rewrite.h"

enum { TRIED = 8, MOST_MOVES = 6 };

/* Whether the host makes it out of what it has: then planning computes it. */
static bool is_planned(const hone_value *value) {
  return value->place == HONE_PLACE_HOST && value->producer &&
         !(value->producer->op->facts & HONE_CROSSES);
}

/* Whether all that it reads is: then planning computes the node too. */
static bool reads_host_only(const hone_node *node) {
  bool any = false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input || input->constant) continue;
    if (!is_planned(input)) return false;
    any = true;
  }
  return any;
}

static bool is_groupable(const hone_node *node) {
  const uint32_t outside = HONE_HAS_REGIONS | HONE_OBJECTS | HONE_VIEW | HONE_SHAPE_ONLY;
  if (node->op->facts & outside) return false;
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    if (output && (output->place == HONE_PLACE_HOST || output->type.kind != HONE_KIND_TENSOR))
      return false;
  }
  return !reads_host_only(node);
}

static bool has_one_output(const hone_node *node) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i]) return false;
  return hone_node_out(node, 0) != NULL;
}

/* Element types that a processor has, or that fit into one it has. */
static bool is_plain(const hone_value *value) {
  hone_dtype_class class = hone_dtype_class_of(value->type.dtype);
  unsigned bits = hone_dtype_bits(value->type.dtype);
  if (class == HONE_CLASS_FLOAT) return bits >= 16;
  return class == HONE_CLASS_BOOLEAN ||
         ((class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED) && bits >= 8);
}

/* The uses of values from outside that the cluster would have with `joiner`. */
static int count_inputs(const cluster *c, const hone_node *joiner) {
  int count = 0;
  for (int i = 0; i <= c->count + c->tried; i++) {
    const hone_node *node = i < c->count + c->tried ? c->nodes[i] : joiner;
    for (int k = 0; k < node->input_count; k++) {
      const hone_value *input = node->inputs[k].value;
      count += input && !hone_cluster_has(c, input->producer);
    }
  }
  return count;
}

/* A cast that widens what a layer stored: it belongs to the convolution that reads it. */
static bool is_load(const hone_node *node) {
  if (node->op != &hone_op_cast || !hone_value_has_one_use(node->outputs[0])) return false;
  const hone_node *user = node->outputs[0]->uses->user;
  return node->inputs[0].value->type.dtype == HONE_BF16 && user && user->op == &hone_op_conv;
}

/* A pointwise node, free, over the elements that the cluster computes: it may join. */
static bool may_join(const cluster *c, const hone_node *node) {
  if (!node || node->mark || !(node->op->facts & HONE_POINTWISE)) return false;
  if (!is_groupable(node) || !has_one_output(node) || !is_plain(node->outputs[0])) return false;
  if (is_load(node)) return false;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value && !is_plain(node->inputs[i].value)) return false;
  const hone_shape *space = &c->nodes[0]->outputs[0]->type.shape;
  return hone_shape_equal(space, &node->outputs[0]->type.shape) &&
         count_inputs(c, node) <= HONE_CLUSTER_INPUTS;
}

/* The members that something outside reads, counted up to two; `*live` is one of them. */
static int count_live(const cluster *c, hone_node **live) {
  int count = 0;
  for (int i = 0; i < c->count + c->tried && count < 2; i++) {
    for (const hone_use *use = c->nodes[i]->outputs[0]->uses; use; use = use->next) {
      if (hone_cluster_has(c, use->user)) continue;
      *live = c->nodes[i];
      count++;
      break;
    }
  }
  return count;
}

static hone_node *find_joiner(const cluster *c) {
  for (int i = 0; i < c->count + c->tried; i++)
    for (const hone_use *use = c->nodes[i]->outputs[0]->uses; use; use = use->next)
      if (may_join(c, use->user)) return use->user;
  return NULL;
}

/* Adds pointwise users as long as some number of them brings the cluster back to one result. */
static void grow(cluster *c) {
  while (c->count + c->tried < HONE_CLUSTER_NODES && c->tried < TRIED) {
    hone_node *joiner = find_joiner(c), *live = NULL;
    if (!joiner) break;
    joiner->mark = c;
    c->nodes[c->count + c->tried++] = joiner;
    if (count_live(c, &live) != 1) continue;
    c->count += c->tried;
    c->tried = 0;
    c->last = live;
  }
  for (int i = 0; i < c->tried; i++) c->nodes[c->count + i]->mark = NULL;
  c->tried = 0;
}

/* Whether the pointwise nodes that end in `node` begin with a cast of bytes: sums of another product are
 * that one's to finish. */
static bool widens_bytes(const hone_node *node) {
  for (int i = 0; i < MOST_MOVES && node && (node->op->facts & HONE_POINTWISE); i++) {
    const hone_value *x = hone_node_in(node, 0);
    if (!x) return false;
    if (node->op == &hone_op_cast) return x->type.dtype == HONE_U8 || x->type.dtype == HONE_S8;
    node = x->producer;
  }
  return false;
}

/* Pointwise nodes that feed only the members from `first` on come along, or of them those that make
 * reals of bytes; the list grows while it is walked. */
static void take_feeders(cluster *c, int first, bool of_bytes) {
  for (int i = first; i < c->count; i++) {
    const hone_node *node = c->nodes[i];
    for (int k = 0; k < node->input_count && c->count < HONE_CLUSTER_NODES; k++) {
      hone_value *input = node->inputs[k].value;
      bool outside = false;
      if (!input || !may_join(c, input->producer)) continue;
      if (of_bytes && !widens_bytes(input->producer)) continue;
      for (const hone_use *use = input->uses; use; use = use->next)
        outside = outside || !hone_cluster_has(c, use->user);
      if (outside) continue;
      input->producer->mark = c;
      c->nodes[c->count++] = input->producer;
    }
  }
}

/* Casts that feed one member alone: a kernel converts while it packs, or adds. */
static void take_casts(cluster *c) {
  for (int k = 0, count = c->count; k < count; k++) {
    hone_node *node = c->nodes[k];
    for (int i = 0; i < node->input_count; i++) {
      hone_value *input = node->inputs[i].value;
      hone_node *maker = input ? input->producer : NULL;
      if (!maker || maker->op != &hone_op_cast || maker->mark || !is_groupable(maker)) continue;
      if (!hone_used_only_by(input, node) || c->count == HONE_CLUSTER_NODES) continue;
      maker->mark = c;
      c->nodes[c->count++] = maker;
    }
  }
}

/* What scales the channels of a convolution's input: its kernel scales weights or pixels instead. */
static void take_gate(cluster *c) {
  int x;
  const hone_node *found = hone_gate_of(c->nodes[0], &x);
  if (!found || found->mark || c->count == HONE_CLUSTER_NODES) return;
  hone_node *mul = found->outputs[0]->producer;
  if (!is_groupable(mul)) return;
  mul->mark = c;
  c->nodes[c->count++] = mul;
}

/* A view or a move that a kernel can look through: all that says how is known before the run. */
static bool is_transparent(const hone_node *node, bool transposes) {
  bool move = node && (node->op == &hone_op_slice || (transposes && node->op == &hone_op_transpose));
  if (!move && !(node && (node->op->facts & HONE_VIEW))) return false;
  for (int i = 1; i < node->input_count; i++) {
    const hone_value *how = node->inputs[i].value;
    if (how && !how->constant && !is_planned(how)) return false;
  }
  return !node->mark && node->outputs[0]->place == HONE_PLACE_DEVICE &&
         node->outputs[0]->type.kind == HONE_KIND_TENSOR;
}

/* The slices and transposes that make operand `index` for the first member alone, with the views
 * between them. */
static void take_moves_before(cluster *c, int index, bool transposes) {
  hone_node *user = c->nodes[0], *found[MOST_MOVES];
  hone_value *value = hone_node_in(user, index);
  int count = 0, kept = 0;
  if (value && hone_cluster_has(c, value->producer) && value->producer->op == &hone_op_cast) {
    user = value->producer;
    value = user->inputs[0].value;
  }
  while (value && count < MOST_MOVES && is_transparent(value->producer, transposes) &&
         hone_used_only_by(value, user)) {
    user = found[count++] = value->producer;
    value = user->inputs[0].value;
    if (!(user->op->facts & HONE_VIEW)) kept = count;
  }
  for (int i = 0; i < kept && c->count < HONE_CLUSTER_NODES; i++) {
    found[i]->mark = c;
    c->nodes[c->count++] = found[i];
  }
}

/* The transpose that alone reads the result, behind views at most. */
static void take_transpose_after(cluster *c) {
  hone_node *found[MOST_MOVES], *node = c->last;
  int count = 0;
  while (count < MOST_MOVES && hone_value_has_one_use(node->outputs[0])) {
    node = node->outputs[0]->uses->user;
    if (!is_transparent(node, true) || node->op == &hone_op_slice) return;
    found[count++] = node;
    if (node->op == &hone_op_transpose) break;
  }
  if (node->op != &hone_op_transpose || c->count + count > HONE_CLUSTER_NODES) return;
  for (int i = 0; i < count; i++) {
    found[i]->mark = c;
    c->nodes[c->count++] = found[i];
  }
  c->last = node;
}

/* A first layer: kernels copy what it reads, in any order. */
static bool has_few_channels(const hone_node *node) {
  enum { FEW = 8 };
  const hone_shape *weights = &node->inputs[1].value->type.shape;
  bool convolves = node->op == &hone_op_conv || node->op == &hone_op_conv_integer;
  return convolves && weights->rank > 2 && hone_node_int(node, "groups") == 1 &&
         weights->dim[weights->rank - 2] <= FEW;
}

/* What rounds the values that the moves before a first layer read: kernels round as they copy. */
static void take_rounding(cluster *c) {
  const hone_node *user = c->nodes[0];
  const hone_value *value = hone_node_in(user, 0);
  while (value && value->producer && hone_cluster_has(c, value->producer)) {
    user = value->producer;
    value = user->inputs[0].value;
  }
  hone_node *maker = value ? value->producer : NULL;
  if (!maker || maker->op != &hone_op_cast || maker->mark || !is_groupable(maker)) return;
  bool rounded = maker->inputs[0].value->type.dtype == HONE_F32 &&
                 hone_dtype_bits(value->type.dtype) == 16;
  if (!rounded || !hone_used_only_by(value, user) || c->count == HONE_CLUSTER_NODES) return;
  maker->mark = c;
  c->nodes[c->count++] = maker;
}

/* Attention takes any order of its operands' first three axes, a product of two computed operands any
 * order at all, as do convolutions of few channels, and what has constant weights rows that lie
 * apart; but not a device's kernels, where a slice by itself may be a place in what it cuts. */
static void take_moves(cluster *c, const hone_pass_context *context) {
  const hone_node *node = c->nodes[0];
  bool attends = node->op == &hone_op_attention, few = has_few_channels(node);
  if (!attends && !few && node->op != &hone_op_matmul && node->op != &hone_op_conv) return;
  bool transposes = attends || few || !hone_value_is_constant(node->inputs[1].value);
  if (!transposes && context->takes) return;
  for (int i = 0; i < (attends ? 3 : 2); i++) take_moves_before(c, i, transposes);
  if (attends && c->last == node) take_transpose_after(c);
  if (few) take_rounding(c);
}

/* On a device that stores 16 bits: a norm without scale and shift that a product by a constant matrix
 * alone reads. A kernel of the product may take it in; others follow the norm's. */
static void take_norm(cluster *c, const hone_pass_context *context) {
  const hone_node *product = c->nodes[0];
  hone_value *y = hone_node_in(product, 0);
  hone_node *norm = y ? y->producer : NULL;
  if (!context->takes || product->op != &hone_op_matmul || !norm || norm->mark ||
      (norm->op != &hone_op_layer_norm && norm->op != &hone_op_rms_norm))
    return;
  bool bare = !hone_node_in(norm, 1) && !hone_node_in(norm, 2) && has_one_output(norm);
  if (!bare || !is_groupable(norm) || !hone_used_only_by(y, product) || c->count == HONE_CLUSTER_NODES ||
      hone_dtype_bits(y->type.dtype) != 16 || !hone_value_is_constant(product->inputs[1].value) ||
      !context->takes(norm) || !context->takes(product))
    return;
  norm->mark = c;
  c->nodes[c->count++] = norm;
}

typedef struct fusion {
  hone_arena arena;
  const hone_pass_context *context;
  cluster *first;
} fusion;

static hone_status *seed(fusion *f, hone_node *node) {
  cluster *c = HONE_NEW(&f->arena, cluster);
  HONE_TRY_MEMORY(c);
  *c = (cluster){.nodes = {node}, .count = 1, .last = node, .next = f->first};
  f->first = c;
  node->mark = c;
  if (!has_one_output(node)) return NULL;
  bool heavy = node->op->facts & HONE_HEAVY;
  if (heavy || (node->op->facts & HONE_POINTWISE)) grow(c);
  if (heavy) {
    bool whole = node->op == &hone_op_conv_integer || node->op == &hone_op_matmul_integer;
    if (whole) take_feeders(c, 1, true); /* bytes that are added as reals */
    else take_casts(c);            /* what makes bytes makes them in its own group */
    take_moves(c, f->context);
    take_gate(c);
    take_norm(c, f->context);
  } else if (node->op->facts & HONE_POINTWISE) {
    take_feeders(c, 0, false);
  }
  return NULL;
}

/* On a device: what rounds f32 to 16 bits, views, and a transpose that leaves rows whole, each of which
 * the next alone reads. Its kernel rounds as it moves; what computes the f32 rounds by itself. */
static hone_status *seed_rounded(fusion *f, hone_node *node) {
  hone_node *found[MOST_MOVES], *user = node;
  size_t rank;
  int count = 0;
  const int64_t *perm = hone_node_ints(node, "perm", &rank);
  if (rank == 0 || perm[rank - 1] != (int64_t)rank - 1 || node->mark || !is_groupable(node))
    return NULL;
  hone_value *value = node->inputs[0].value;
  while (count + 1 < MOST_MOVES && value->producer && (value->producer->op->facts & HONE_VIEW) &&
         is_transparent(value->producer, false) && hone_used_only_by(value, user)) {
    user = found[count++] = value->producer;
    value = user->inputs[0].value;
  }
  hone_node *maker = value->producer;
  if (!maker || maker->op != &hone_op_cast || maker->mark || !is_groupable(maker) ||
      !hone_used_only_by(value, user) || hone_dtype_bits(value->type.dtype) != 16)
    return NULL;
  const hone_value *x = maker->inputs[0].value;
  if (x->type.dtype != HONE_F32 || (x->producer && (x->producer->op->facts & HONE_POINTWISE)))
    return NULL;
  found[count++] = maker;
  HONE_TRY(seed(f, node));
  for (int i = 0; i < count; i++) {
    cluster *c = node->mark;
    found[i]->mark = c;
    c->nodes[c->count++] = found[i];
  }
  return NULL;
}

static hone_status *seed_all_rounded(fusion *f, hone_graph *graph) {
  for (hone_node *node = graph->first; f->context->takes && node; node = node->next)
    if (node->op == &hone_op_transpose) HONE_TRY(seed_rounded(f, node));
  return NULL;
}

static hone_status *seed_all(fusion *f, hone_graph *graph, uint32_t facts) {
  for (hone_node *node = graph->first; node; node = node->next)
    if (!node->mark && is_groupable(node) && (!facts || (node->op->facts & facts)))
      HONE_TRY(seed(f, node));
  return NULL;
}

/* ---- Several layers in one group ------------------------------------------------------------- */

/* The cluster whose result the first member of `c` alone reads. */
static cluster *cluster_before(const cluster *c) {
  hone_value *x = hone_node_in(c->nodes[0], 0);
  cluster *before = x && x->producer ? x->producer->mark : NULL;
  if (!before || before == c || before->block || before->last != x->producer) return NULL;
  return hone_value_has_one_use(x) ? before : NULL;
}

static void absorb(cluster *c, const cluster *other) {
  for (int i = 0; i < other->count; i++) {
    other->nodes[i]->mark = c;
    c->nodes[c->count++] = other->nodes[i];
  }
}

/* So many clusters that the device may run faster as one; none is part of two such. */
static void take_block(cluster *last, int count, hone_pass_context *context) {
  hone_pass_blocks *blocks = context->blocks;
  cluster *parts[HONE_MOST_LAYERS];
  const hone_node *layers[HONE_MOST_LAYERS];
  int nodes = 0;
  for (int i = count - 1; i >= 0; i--) {
    parts[i] = i == count - 1 ? last : cluster_before(parts[i + 1]);
    if (!parts[i] || (i < count - 1 && parts[i] == last)) return;
    layers[i] = parts[i]->nodes[0];
    nodes += parts[i]->count;
  }
  if (blocks->count == HONE_MOST_BLOCKS || nodes > HONE_CLUSTER_NODES || !context->joins(layers, count))
    return;
  hone_pass_block *block = &blocks->at[blocks->count++];
  block->count = count;
  for (int i = 0; i < count; i++) {
    parts[i]->block = block;
    parts[i]->place = i;
  }
  if (!block->joined) return;
  for (int i = 0; i + 1 < count; i++) absorb(last, parts[i]);
  hone_pass_fired(context, count == 3 ? "three layers in one group" : "two layers in one group");
}

static void take_blocks(hone_graph *graph, int count, hone_pass_context *context) {
  if (!context->joins || !context->blocks) return;
  for (hone_node *node = graph->first; node; node = node->next) {
    cluster *c = node->mark;
    if (c && c->nodes[0] == node && !c->block) take_block(c, count, context);
  }
}

static hone_status *fuse_graph(hone_graph *graph, hone_pass_context *context) {
  fusion f = {.context = context};
  for (hone_node *node = graph->first; node; node = node->next) node->mark = NULL;
  hone_status *status = seed_all(&f, graph, HONE_HEAVY);
  if (!status) take_blocks(graph, 3, context);
  if (!status) status = seed_all_rounded(&f, graph);
  if (!status) status = seed_all(&f, graph, HONE_POINTWISE);
  if (!status) status = seed_all(&f, graph, 0);
  if (!status) take_blocks(graph, 2, context);
  if (!status) status = hone_group_clusters(graph, context);
  hone_arena_free(&f.arena);
  return status;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, fuse_graph);
}

const hone_pass hone_pass_fuse_groups = {"fuse_groups", run};
