/* The layers of hone/network.h, each by the op that it is. Room: engine. */
#include <stdio.h>
#include <string.h>

#include "engine/network.h"

/* A layer of one node and one output. */
static hone_status *one_node(hone_network *network, const char *name, const char *op,
                             hone_value *const *inputs, size_t count, const char *attributes,
                             hone_value **out) {
  return hone_network_add(network, name, op, inputs, count, attributes, out, 1);
}
#define ONE_NODE(op, attributes, ...)                             \
  one_node(network, name, op, (hone_value *const[]){__VA_ARGS__}, \
           sizeof((hone_value *const[]){__VA_ARGS__}) / sizeof(hone_value *), attributes, out)

static hone_status *give_one(hone_layer *layer, hone_value *value, hone_value **out) {
  return hone_layer_give(layer, &value, &out, 1);
}

/* ---- Windows, in either layout -------------------------------------------------------------- */

static hone_value *transpose(hone_layer *layer, hone_value *x, const int64_t *perm, int rank) {
  hone_node *node = hone_layer_node(layer, "transpose", &x, 1, 1);
  if (node) hone_layer_keep(layer, hone_node_set_ints(node, "perm", perm, (size_t)rank));
  return hone_layer_infer(layer, node);
}

/* The rank of a value over spatial axes; anything else fails the layer and gives 3. */
static int spatial_rank(hone_layer *layer, const hone_value *x, const char *what) {
  int rank = x && x->type.kind == HONE_KIND_TENSOR ? x->type.shape.rank : 0;
  if (rank >= 3) return rank;
  if (x && !layer->status)
    hone_layer_keep(layer, hone_error(HONE_INVALID_ARGUMENT,
                                      "%s has to have 3 dimensions or more, known here", what));
  return 3;
}

/* [n, c, s…] as [n, s…, c]. */
static hone_value *to_last(hone_layer *layer, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = spatial_rank(layer, x, "x");
  for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
  perm[rank - 1] = 1;
  return transpose(layer, x, perm, rank);
}

static hone_value *to_first(hone_layer *layer, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = spatial_rank(layer, x, "the result");
  for (int i = 2; i < rank; i++) perm[i] = i - 1;
  perm[1] = rank - 1;
  return transpose(layer, x, perm, rank);
}

/* [m, c / groups, k…] as [k…, c / groups, m]; a deconvolution's likewise. */
static hone_value *weights_last(hone_layer *layer, hone_value *w) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = spatial_rank(layer, w, "weights");
  for (int i = 0; i < rank - 2; i++) perm[i] = i + 2;
  perm[rank - 2] = 1;
  perm[rank - 1] = 0;
  return transpose(layer, w, perm, rank);
}

static hone_status *window(hone_network *network, const char *name, const char *op,
                           hone_layout layout, hone_value *x, hone_value *w, hone_value *b,
                           const char *attributes, hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *in[] = {hone_layer_value(&layer, x), hone_layer_value(&layer, w), b};
  if (layout == HONE_CHANNELS_FIRST) {
    in[0] = to_last(&layer, in[0]);
    if (w) in[1] = weights_last(&layer, in[1]);
  }
  hone_value *y = hone_layer_op(&layer, op, in, 3, attributes);
  if (layout == HONE_CHANNELS_FIRST) y = to_first(&layer, y);
  return give_one(&layer, y, out);
}

hone_status *hone_network_conv(hone_network *network, const char *name, hone_layout layout,
                               hone_value *x, hone_value *weights, hone_value *bias,
                               const char *attributes, hone_value **out) {
  return window(network, name, "conv", layout, x, weights, bias, attributes, out);
}

hone_status *hone_network_deconv(hone_network *network, const char *name, hone_layout layout,
                                 hone_value *x, hone_value *weights, hone_value *bias,
                                 const char *attributes, hone_value **out) {
  return window(network, name, "conv_transpose", layout, x, weights, bias, attributes, out);
}

hone_status *hone_network_pool(hone_network *network, const char *name, hone_layout layout,
                               hone_value *x, const char *attributes, hone_value **out) {
  return window(network, name, "pool", layout, x, NULL, NULL, attributes, out);
}

/* ---- Products ------------------------------------------------------------------------------- */

hone_status *hone_network_linear(hone_network *network, const char *name, hone_value *x,
                                 hone_value *weights, hone_value *bias, hone_value **out) {
  return ONE_NODE("matmul", "transpose_b=true", x, weights, bias);
}

hone_status *hone_network_matmul(hone_network *network, const char *name, hone_value *a,
                                 hone_value *b, const char *attributes, hone_value **out) {
  return ONE_NODE("matmul", attributes, a, b);
}

hone_status *hone_network_attention(hone_network *network, const char *name, hone_value *q,
                                    hone_value *k, hone_value *v, hone_value *mask,
                                    const char *attributes, hone_value **out) {
  return ONE_NODE("attention", attributes, q, k, v, mask);
}

/* ---- Pointwise ------------------------------------------------------------------------------ */

hone_status *hone_network_unary(hone_network *network, const char *name, const char *op,
                                hone_value *x, const char *attributes, hone_value **out) {
  return ONE_NODE(op, attributes, x);
}

hone_status *hone_network_binary(hone_network *network, const char *name, const char *op,
                                 hone_value *a, hone_value *b, const char *attributes,
                                 hone_value **out) {
  return ONE_NODE(op, attributes, a, b);
}

hone_status *hone_network_select(hone_network *network, const char *name, hone_value *condition,
                                 hone_value *a, hone_value *b, hone_value **out) {
  return ONE_NODE("select", NULL, condition, a, b);
}

hone_status *hone_network_cast(hone_network *network, const char *name, hone_value *x,
                               hone_dtype to, hone_value **out) {
  char attributes[40];
  snprintf(attributes, sizeof attributes, "to=%s", hone_dtype_text(to));
  return ONE_NODE("cast", attributes, x);
}

/* ---- Along axes ----------------------------------------------------------------------------- */

hone_status *hone_network_softmax(hone_network *network, const char *name, hone_value *x,
                                  int64_t axis, hone_value **out) {
  char attributes[40];
  snprintf(attributes, sizeof attributes, "axis=%lld", (long long)axis);
  return ONE_NODE("softmax", attributes, x);
}

hone_status *hone_network_reduce(hone_network *network, const char *name, const char *kind,
                                 hone_value *x, const int64_t *axes, size_t axis_count, bool keep,
                                 hone_value **out) {
  char attributes[80];
  hone_layer layer = hone_layer_begin(network, name);
  snprintf(attributes, sizeof attributes, "kind=%.40s, keep=%s", kind, keep ? "true" : "false");
  hone_value *over = axis_count ? hone_layer_ints(&layer, axes, axis_count) : NULL;
  return give_one(&layer, HONE_LAYER_OP(&layer, "reduce", attributes, x, over), out);
}

hone_status *hone_network_norm(hone_network *network, const char *name, const char *op,
                               hone_value *x, hone_value *scale, hone_value *bias, hone_value *mean,
                               hone_value *variance, const char *attributes, hone_value **out) {
  return ONE_NODE(op, attributes, x, scale, bias, mean, variance);
}

hone_status *hone_network_topk(hone_network *network, const char *name, hone_value *x, int64_t k,
                               const char *attributes, hone_value **values,
                               hone_value **positions) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *in[] = {x, hone_layer_ints(&layer, &k, 1)};
  hone_node *node = hone_layer_node(&layer, "topk", in, 2, 2);
  hone_layer_attributes(&layer, node, attributes);
  hone_value *out[] = {hone_layer_infer(&layer, node), NULL};
  if (!layer.status) out[1] = node->outputs[1];
  return hone_layer_give(&layer, out, (hone_value * *[]){values, positions}, 2);
}

/* ---- Movement ------------------------------------------------------------------------------- */

hone_status *hone_network_concat(hone_network *network, const char *name, hone_value *const *values,
                                 size_t count, int64_t axis, hone_value **out) {
  char attributes[40];
  snprintf(attributes, sizeof attributes, "axis=%lld", (long long)axis);
  return one_node(network, name, "concat", values, count, attributes, out);
}

hone_status *hone_network_gather(hone_network *network, const char *name, hone_value *x,
                                 hone_value *indices, int64_t axis, hone_value **out) {
  char attributes[40];
  snprintf(attributes, sizeof attributes, "axis=%lld", (long long)axis);
  return ONE_NODE("gather", attributes, x, indices);
}

hone_status *hone_network_shape(hone_network *network, const char *name, hone_value *x,
                                hone_value **out) {
  return ONE_NODE("shape", NULL, x);
}

hone_status *hone_network_slice(hone_network *network, const char *name, hone_value *x,
                                const int64_t *starts, const int64_t *ends, const int64_t *axes,
                                const int64_t *steps, size_t count, hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *from = hone_layer_ints(&layer, starts, count);
  hone_value *to = hone_layer_ints(&layer, ends, count);
  hone_value *along = hone_layer_ints(&layer, axes, count);
  hone_value *by = hone_layer_ints(&layer, steps, count);
  return give_one(&layer, HONE_LAYER_OP(&layer, "slice", NULL, x, from, to, along, by), out);
}

hone_status *hone_network_reshape(hone_network *network, const char *name, hone_value *x,
                                  const int64_t *dims, size_t count, hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *shape = hone_layer_ints(&layer, dims, count);
  return give_one(&layer, HONE_LAYER_OP(&layer, "reshape", NULL, x, shape), out);
}

hone_status *hone_network_transpose(hone_network *network, const char *name, hone_value *x,
                                    const int64_t *perm, size_t count, hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  if (count > HONE_MAX_RANK && !layer.status)
    hone_layer_keep(&layer, hone_error(HONE_INVALID_ARGUMENT, "more than %d axes", HONE_MAX_RANK));
  return give_one(&layer, transpose(&layer, x, perm, (int)count), out);
}

hone_status *hone_network_pad(hone_network *network, const char *name, hone_value *x,
                              const int64_t *pads, size_t count, const char *attributes,
                              hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *sizes = hone_layer_ints(&layer, pads, count);
  return give_one(&layer, HONE_LAYER_OP(&layer, "pad", attributes, x, sizes), out);
}

/* f32, as ONNX has scales. */
static hone_value *scales_of(hone_layer *layer, const double *scales, size_t count) {
  hone_value *out = NULL;
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  float values[HONE_MAX_RANK];
  if (!scales || layer->status) return NULL;
  if (count > HONE_MAX_RANK) {
    hone_layer_keep(layer, hone_error(HONE_INVALID_ARGUMENT, "more than %d axes", HONE_MAX_RANK));
    return NULL;
  }
  for (size_t i = 0; i < count; i++) values[i] = (float)scales[i];
  hone_layer_keep(layer, hone_graph_constant_copy(layer->network->graph, NULL, HONE_F32, shape,
                                                  values, count * sizeof *values, &out));
  return layer->status ? NULL : out;
}

hone_status *hone_network_resize(hone_network *network, const char *name, hone_value *x,
                                 const double *scales, const int64_t *sizes, size_t count,
                                 const char *attributes, hone_value **out) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_value *by = scales_of(&layer, scales, count), *to = hone_layer_ints(&layer, sizes, count);
  return give_one(&layer, HONE_LAYER_OP(&layer, "resize", attributes, x, NULL, by, to), out);
}

/* ---- Recurrent ------------------------------------------------------------------------------ */

/* A layer whose outputs may be unwanted: their pointers are NULL. */
static hone_status *recurrent(hone_layer *layer, const char *op, hone_value *const *in,
                              size_t in_count, const char *attributes, hone_value **const *outputs,
                              size_t count) {
  hone_value *values[3] = {NULL};
  hone_node *node = hone_layer_node(layer, op, in, in_count, count);
  hone_layer_attributes(layer, node, attributes);
  for (size_t i = 0; node && i < count; i++)
    if (!outputs[i]) hone_node_drop_output(node, (int)i);
  (void)hone_layer_infer(layer, node);
  for (size_t i = 0; node && !layer->status && i < count; i++) values[i] = node->outputs[i];
  return hone_layer_give(layer, values, outputs, count);
}

hone_status *hone_network_lstm(hone_network *network, const char *name, hone_value *x,
                               hone_value *w, hone_value *r, hone_value *b, hone_value *h0,
                               hone_value *c0, const char *attributes, hone_value **y,
                               hone_value **h, hone_value **c) {
  hone_layer layer = hone_layer_begin(network, name);
  return recurrent(&layer, "lstm", (hone_value *[]){x, w, r, b, NULL, h0, c0}, 7, attributes,
                   (hone_value * *[]){y, h, c}, 3);
}

hone_status *hone_network_gru(hone_network *network, const char *name, hone_value *x, hone_value *w,
                              hone_value *r, hone_value *b, hone_value *h0, const char *attributes,
                              hone_value **y, hone_value **h) {
  hone_layer layer = hone_layer_begin(network, name);
  return recurrent(&layer, "gru", (hone_value *[]){x, w, r, b, NULL, h0}, 6, attributes,
                   (hone_value * *[]){y, h}, 2);
}
