/* Networks: a model built call by call instead of read from a file.
 *
 *   hone_network *net; hone_value *x, *w, *y; hone_model *model;
 *   hone_network_new("net", &net);
 *   hone_network_input(net, "x", "f32[n, 1, 28, 28]", &x);
 *   hone_network_constant(net, "w", &weights, &w);
 *   hone_network_conv(net, "conv1", HONE_CHANNELS_FIRST, x, w, NULL, "pads=[2, 2, 2, 2]", &x);
 *   hone_network_unary(net, "relu1", "relu", x, NULL, &y);
 *   hone_network_output(net, y, "y");
 *   hone_network_finish(net, &model);               a model like any other: hone_build(model, …)
 *   hone_network_free(net);
 *
 * Each call adds a layer and checks it at once: what it gives has its element type and its shape
 * (hone_value_describe). A call that fails names the layer and leaves the network as it was.
 * `layer` is the user's name of the layer, which errors, profiles and reports speak of; it need
 * not be unique.
 *
 * `attributes` is text, "axis=1, keep=false, pads=[1, 1, 1, 1]", as docs/graph.md writes it between
 * the braces of a node; NULL or "": every attribute at its default. hone_ops_text lists the ops
 * with their inputs, outputs, attributes and defaults. Sizes are in elements, axes count from 0 and
 * negative ones from the end.
 *
 * Values are lent by the network and live as long as it does. A value of another network is
 * refused, but a body (of if, loop) may read any value of the network around it.
 * A network serves one thread at a time.
 */
#ifndef HONE_NETWORK_H
#define HONE_NETWORK_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hone_network hone_network;
typedef struct hone_value hone_value;

HONE_API hone_status *hone_network_new(const char *name, hone_network **out);
HONE_API void hone_network_free(hone_network *network);
/* Makes the model. Afterwards the network and its values are only to be freed. It is refused, and
 * the network stays, where there is no output, or a body is not closed. */
HONE_API hone_status *hone_network_finish(hone_network *network, hone_model **out);

/* Every op, a line each, in the form "conv(x, w, b?) -> (y) {strides: ints = [], …}": ? optional,
 * * any number, no "=" where there is no default. Free with hone_text_release. */
HONE_API hone_status *hone_ops_text(char **out);

/* ---- Values --------------------------------------------------------------------------------- */

/* Name, element type, shape: rank -1 where unknown, dims -1 where any size goes, which dim_names
 * then names; equal names are equal sizes. */
HONE_API void hone_value_describe(const hone_value *value, hone_port *out);

/* An input. `type` is text: "f32[n, 3, h, w]" has three sizes that only a run tells, "f32[]" is a
 * scalar; "seq(f32[n])" and "opt(f32[n])" are a sequence and an optional. Names are unique. */
HONE_API hone_status *hone_network_input(hone_network *network, const char *name, const char *type,
                                         hone_value **out);
/* A constant; its bytes are copied. `name` is what hone_weight_set knows it by. */
HONE_API hone_status *hone_network_constant(hone_network *network, const char *name,
                                            const hone_tensor *tensor, hone_value **out);
/* The same without a copy: the bytes must stay as they are until `release` (may be NULL) is called
 * with `argument`: once, when the model and all engines built from it are gone, or when the network
 * is freed unfinished. Not for strings. After a failure it is not called. */
HONE_API hone_status *hone_network_lend(hone_network *network, const char *name,
                                        const hone_tensor *tensor, void (*release)(void *),
                                        void *argument, hone_value **out);
/* The next output. `name` NULL: it keeps the value's. */
HONE_API hone_status *hone_network_output(hone_network *network, hone_value *value,
                                          const char *name);

/* ---- Layers --------------------------------------------------------------------------------- */

/* Any op of the table, the user's own included (hone/op.h, as "domain/Name"). NULL among `inputs`
 * stands for an absent optional one. `outputs` gets `output_count` values. Spatial ops (conv,
 * pool, …) take channels last here. */
HONE_API hone_status *hone_network_add(hone_network *network, const char *layer, const char *op,
                                       hone_value *const *inputs, size_t input_count,
                                       const char *attributes, hone_value **outputs,
                                       size_t output_count);

/* Where the channels are. First: x [n, c, spatial…]; weights of a convolution [m, c / groups,
 * kernel…], of a deconvolution [c, m / groups, kernel…], as frameworks store them. Last, the native
 * layout: x [n, spatial…, c]; weights [kernel…, c / groups, m] and [kernel…, m / groups, c]. */
typedef enum hone_layout { HONE_CHANNELS_LAST = 0, HONE_CHANNELS_FIRST = 1 } hone_layout;

/* Convolution over 1 to 6 spatial axes; bias [m] or NULL. Attributes: strides, dilations, pads
 * (before each axis, then after each), padding, groups. */
HONE_API hone_status *hone_network_conv(hone_network *network, const char *layer,
                                        hone_layout layout, hone_value *x, hone_value *weights,
                                        hone_value *bias, const char *attributes, hone_value **out);
/* Transposed convolution. Attributes: as above, with output_padding and output_shape. */
HONE_API hone_status *hone_network_deconv(hone_network *network, const char *layer,
                                          hone_layout layout, hone_value *x, hone_value *weights,
                                          hone_value *bias, const char *attributes,
                                          hone_value **out);
/* Attributes: kind=max|avg|lp and window=[…], both needed; strides, pads, padding, ceil,
 * count_pads, p. */
HONE_API hone_status *hone_network_pool(hone_network *network, const char *layer,
                                        hone_layout layout, hone_value *x, const char *attributes,
                                        hone_value **out);
/* Fully connected: x [rows…, k], weights [m, k], bias [m] or NULL, out [rows…, m]. */
HONE_API hone_status *hone_network_linear(hone_network *network, const char *layer, hone_value *x,
                                          hone_value *weights, hone_value *bias, hone_value **out);
/* NumPy's product with batch broadcasting. Attributes: transpose_a, transpose_b, alpha. */
HONE_API hone_status *hone_network_matmul(hone_network *network, const char *layer, hone_value *a,
                                          hone_value *b, const char *attributes, hone_value **out);

/* Pointwise ops by name: "relu", "gelu", "sqrt", "not" …; "add", "max", "less" … with NumPy's
 * broadcasting. */
HONE_API hone_status *hone_network_unary(hone_network *network, const char *layer, const char *op,
                                         hone_value *x, const char *attributes, hone_value **out);
HONE_API hone_status *hone_network_binary(hone_network *network, const char *layer, const char *op,
                                          hone_value *a, hone_value *b, const char *attributes,
                                          hone_value **out);
/* a where the condition (bool) holds, b elsewhere; all three broadcast. */
HONE_API hone_status *hone_network_select(hone_network *network, const char *layer,
                                          hone_value *condition, hone_value *a, hone_value *b,
                                          hone_value **out);
HONE_API hone_status *hone_network_cast(hone_network *network, const char *layer, hone_value *x,
                                        hone_dtype to, hone_value **out);

HONE_API hone_status *hone_network_softmax(hone_network *network, const char *layer, hone_value *x,
                                           int64_t axis, hone_value **out);
/* `kind`: "sum", "mean", "max", "min", "prod", "l1", "l2", "log_sum", "log_sum_exp", "sum_square".
 * No axes: all of them. `keep`: reduced axes stay as 1. */
HONE_API hone_status *hone_network_reduce(hone_network *network, const char *layer,
                                          const char *kind, hone_value *x, const int64_t *axes,
                                          size_t axis_count, bool keep, hone_value **out);
/* `op`: "batch_norm" (needs scale, bias, mean, variance, each [c]), "instance_norm", "group_norm"
 * (scale and bias [c] or NULL), "layer_norm" (scale and bias of the normalised axes or NULL),
 * "rms_norm" (no bias), "lp_norm", "lrn". Attributes: epsilon, groups, axis: that of the channels,
 * -1 for channels last (the default) and 1 for channels first; for layer_norm and rms_norm the
 * first that is normalised. */
HONE_API hone_status *hone_network_norm(hone_network *network, const char *layer, const char *op,
                                        hone_value *x, hone_value *scale, hone_value *bias,
                                        hone_value *mean, hone_value *variance,
                                        const char *attributes, hone_value **out);

HONE_API hone_status *hone_network_concat(hone_network *network, const char *layer,
                                          hone_value *const *values, size_t count, int64_t axis,
                                          hone_value **out);
/* Elements starts[i] to ends[i] - 1 of axes[i], every steps[i]th (NULL: every one); what lies
 * beyond the end is cut, negative places count from it. */
HONE_API hone_status *hone_network_slice(hone_network *network, const char *layer, hone_value *x,
                                         const int64_t *starts, const int64_t *ends,
                                         const int64_t *axes, const int64_t *steps, size_t count,
                                         hone_value **out);
/* A dim of 0 is x's own, one of -1 is whatever is left. */
HONE_API hone_status *hone_network_reshape(hone_network *network, const char *layer, hone_value *x,
                                           const int64_t *dims, size_t count, hone_value **out);
/* Axis i of the result is axis perm[i] of x. */
HONE_API hone_status *hone_network_transpose(hone_network *network, const char *layer,
                                             hone_value *x, const int64_t *perm, size_t count,
                                             hone_value **out);
HONE_API hone_status *hone_network_gather(hone_network *network, const char *layer, hone_value *x,
                                          hone_value *indices, int64_t axis, hone_value **out);
/* The k largest along an axis (attributes: axis, largest, sorted); `positions` s64, may be NULL. */
HONE_API hone_status *hone_network_topk(hone_network *network, const char *layer, hone_value *x,
                                        int64_t k, const char *attributes, hone_value **values,
                                        hone_value **positions);
/* To `sizes`, or by `scales`, one for each of x's axes; the other is NULL. Attributes: mode,
 * coordinates, nearest, cubic_a, antialias. */
HONE_API hone_status *hone_network_resize(hone_network *network, const char *layer, hone_value *x,
                                          const double *scales, const int64_t *sizes, size_t count,
                                          const char *attributes, hone_value **out);
/* `pads`: one before each of x's axes, then one after each, so `count` is twice the rank; negative
 * ones cut. Attributes: mode. The value is 0. */
HONE_API hone_status *hone_network_pad(hone_network *network, const char *layer, hone_value *x,
                                       const int64_t *pads, size_t count, const char *attributes,
                                       hone_value **out);
/* x's dims as s64 [rank]. */
HONE_API hone_status *hone_network_shape(hone_network *network, const char *layer, hone_value *x,
                                         hone_value **out);

/* x [steps, batch, k], w [directions, 4 h, k], r [directions, 4 h, h], gates in the order i, o, f,
 * c; b [directions, 8 h] (w's, then r's), h0 and c0 [directions, batch, h]: each may be NULL.
 * Outputs (each may be NULL): y [steps, directions, batch, h], the last h, the last c. Attributes:
 * direction, activations, clip. With lengths or peepholes: hone_network_add. */
HONE_API hone_status *hone_network_lstm(hone_network *network, const char *layer, hone_value *x,
                                        hone_value *w, hone_value *r, hone_value *b, hone_value *h0,
                                        hone_value *c0, const char *attributes, hone_value **y,
                                        hone_value **h, hone_value **c);
/* The same with w [directions, 3 h, k], r [directions, 3 h, h], gates z, r, h; b [directions, 6 h].
 * Attributes: linear_before_reset too. */
HONE_API hone_status *hone_network_gru(hone_network *network, const char *layer, hone_value *x,
                                       hone_value *w, hone_value *r, hone_value *b, hone_value *h0,
                                       const char *attributes, hone_value **y, hone_value **h);
/* softmax(scale q kᵀ + mask) v: q [b, heads, s, d], k [b, heads / n, t, d], v [b, heads / n, t, e];
 * mask (added, or bool: true looks) broadcasts to [b, heads, s, t], or NULL; out [b, heads, s, e].
 * Attributes: scale (0: 1 / sqrt(d)), causal, softcap, left, right. */
HONE_API hone_status *hone_network_attention(hone_network *network, const char *layer,
                                             hone_value *q, hone_value *k, hone_value *v,
                                             hone_value *mask, const char *attributes,
                                             hone_value **out);

/* ---- Control flow --------------------------------------------------------------------------- */

/* Bodies are networks inside: add layers and outputs to them, then close them, which makes the
 * layer. They are lent by the network around them, read its values freely, have no inputs of their
 * own but those named here, and may hold bodies again. */

/* One of two bodies, by a condition (bool, one element). Both give as many outputs, of the same
 * element types; where shapes differ, the result's are unknown. */
HONE_API hone_status *hone_network_if(hone_network *network, const char *layer,
                                      hone_value *condition, hone_network **then_body,
                                      hone_network **else_body);
/* A body run again and again: at most `trips` (s64, one element; NULL: no bound) times, and while
 * `condition` (bool; NULL: true) and then the body's first output hold. `carried` are the first
 * values of what goes from turn to turn. The body's inputs (hone_network_body_input): 0 the turn
 * (s64), 1 the condition, 2 and on the carried values. Its outputs: whether to go on, the carried
 * values, then any number of tensors that are stacked over the turns along a new first axis. The
 * layer gives the last carried values, then the stacks. A carried value keeps its element type and,
 * unless they are said to be `changing`, its sizes; of changing ones only the rank is known inside.
 */
HONE_API hone_status *hone_network_loop(hone_network *network, const char *layer, hone_value *trips,
                                        hone_value *condition, hone_value *const *carried,
                                        size_t carried_count, bool changing, hone_network **body);
/* Input `index` of a loop's body; NULL where there is none. */
HONE_API hone_value *hone_network_body_input(hone_network *body, size_t index);
/* Closes the body of a loop, or both of an if (either is given), and gives the layer's outputs, as
 * many as there are. */
HONE_API hone_status *hone_network_close(hone_network *body, hone_value **outputs,
                                         size_t output_count);

#ifdef __cplusplus
}
#endif
#endif
