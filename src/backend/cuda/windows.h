/* Windows over one or two axes, channels last, as kernels take them. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_WINDOWS_H
#define HONE_BACKEND_CUDA_WINDOWS_H

#include "backend/cuda/rows.h"
#include "ops/spatial.h"

static inline bool hone_cuda_has_two_axes(const hone_value *x) {
  return x->type.shape.rank >= 3 && x->type.shape.rank <= 4;
}
/* A window over at most two axes as one over two: a missing axis has size 1. */
hone_spatial hone_cuda_two_axes(const hone_spatial *window);
/* The window of a convolution or pooling of `x`. */
HONE_MUST_USE hone_status *hone_cuda_window(const hone_node *node, const hone_shape *x,
                                            const hone_dim *kernel, bool ceil, hone_spatial *out);
/* Along one of the axes, of an attribute such as strides; 1 where the node does not say. */
int64_t hone_cuda_along(const hone_node *node, const char *name, int axis);
/* Twelve numbers: sizes of x, of y, of the window; strides, dilations, pads before. */
void hone_cuda_put_window(const hone_spatial *w, long long *n);
/* The types of input 0: T and R. */
void hone_cuda_define_first(const hone_node *node, hone_text *out);

#endif
