/* Whether the program of a convolution's finish sees each element once, and where it is told that it
 * is: what the tests of convolution kernels share. */
#ifndef HONE_TESTS_CPU_PLACES_H
#define HONE_TESTS_CPU_PLACES_H

#include "backend/cpu/products/conv.h"
#include "cpu_kernels.h"

/* `y` as weights of zero leave it, so that only the program's numbers stand there. */
static inline void run_places(const hone_conv *conv, const void *x, const hone_conv_kernel *kernel,
                              const hone_kernel_plan *plan) {
  size_t pixels = hone_conv_pixels(conv), stride = (size_t)conv->y_stride;
  float *y = floats(pixels * stride);
  run_parts(plan->phases, plan->phase_count, plan->args, &x, y,
            plan->shared_scratch + plan->part_scratch * (size_t)conv->threads, conv->threads);
  size_t bad = misplaced(y, pixels, conv->out_channels, stride);
  if (bad) fprintf(stderr, "%s: %zu places wrong\n", kernel->name, bad);
  CHECK(bad == 0);
  hone_free(y);
}

/* In so many parts; a kernel may refuse to be planned. */
static inline void check_places(const hone_conv *problem, const void *x,
                                const hone_conv_kernel *kernel, int parts) {
  static const float zero;
  hone_conv conv = *problem;
  conv.threads = parts;
  conv.finish = (hone_finish){.residual = -1, .program = add_place};
  float *packed = floats(kernel->pack_size(kernel, &conv));
  kernel->pack(kernel, &conv, (hone_conv_weights){&zero, 0, 0, 0}, packed);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  hone_status *status = kernel->plan(kernel, &conv, packed, &arena, &plan);
  if (!status) run_places(&conv, x, kernel, &plan);
  CHECK(!status || hone_status_code(status) == HONE_UNSUPPORTED);
  hone_status_free(status), hone_arena_free(&arena), hone_free(packed);
}

#endif
