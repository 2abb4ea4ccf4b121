/* Windows as kernels take them. Room: backend/cuda. */
#include "backend/cuda/windows.h"

hone_spatial hone_cuda_two_axes(const hone_spatial *w) {
  hone_spatial two = {.rank = 2, .in = {1, 1}, .kernel = {1, 1}, .stride = {1, 1},
                      .dilation = {1, 1}, .out = {1, 1}};
  for (int i = 0; i < w->rank; i++) {
    int to = 2 - w->rank + i;
    two.in[to] = w->in[i];
    two.kernel[to] = w->kernel[i];
    two.stride[to] = w->stride[i];
    two.dilation[to] = w->dilation[i];
    two.before[to] = w->before[i];
    two.after[to] = w->after[i];
    two.out[to] = w->out[i];
  }
  return two;
}

hone_status *hone_cuda_window(const hone_node *node, const hone_shape *x, const hone_dim *kernel,
                              bool ceil, hone_spatial *out) {
  hone_spatial window;
  HONE_TRY(hone_spatial_window(node, x->rank - 2, x->dim + 1, kernel, ceil, &window));
  *out = hone_cuda_two_axes(&window);
  return NULL;
}

int64_t hone_cuda_along(const hone_node *node, const char *name, int axis) {
  size_t count;
  const int64_t *list = hone_node_ints(node, name, &count);
  return (size_t)axis < count ? list[axis] : 1;
}

void hone_cuda_put_window(const hone_spatial *w, long long *n) {
  for (int i = 0; i < 2; i++) {
    n[i] = w->in[i];
    n[2 + i] = w->out[i];
    n[4 + i] = w->kernel[i];
    n[6 + i] = w->stride[i];
    n[8 + i] = w->dilation[i];
    n[10 + i] = w->before[i];
  }
}

void hone_cuda_define_first(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[0].value->type.dtype, out);
}
