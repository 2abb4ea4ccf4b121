/* What nodes with a window over weights share: conv, conv_transpose, conv_integer.
 * Room: backend/cpu/nodes. */
#ifndef HONE_BACKEND_CPU_NODES_CONV_H
#define HONE_BACKEND_CPU_NODES_CONV_H

#include "backend/cpu/products/conv.h"
#include "backend/cpu/nodes/node.h"

/* Fills in what attributes and the shape of the weights say; false where that is not known, or no
 * convolution.
 * Paddings count as 1 where there is any: at_sizes knows them. */
bool hone_conv_geometry(const hone_node *node, hone_conv *out);
/* Then what the sizes say. */
hone_status *hone_conv_at_sizes(const hone_node_view *view, hone_conv *out);
/* Weights of a conv or conv_transpose node that lie dense at `data`. */
hone_conv_weights hone_conv_weights_of(const hone_node *node, const float *data);
/* Nanoseconds on one thread, guessed. */
double hone_conv_work(const hone_conv *conv);

#endif
