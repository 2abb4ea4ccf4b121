/* Matrix multiplication with packed weights. Room: backend/cpu/products. */
#include "backend/cpu/products/gemm.h"

static void fill_rows(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                      const void *zeros, const void **table) {
  (void)zeros;
  const hone_gemm *gemm = args;
  const float *a = (const float *)io->in[gemm->a] + (ptrdiff_t)row * gemm->a_stride;
  for (size_t i = 0; i < count; i++) table[i] = a + (ptrdiff_t)i * gemm->a_stride;
}

void hone_gemm_run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const hone_gemm *gemm = args;
  char *scratch = (char *)io->scratch + (size_t)part * hone_sweep_scratch(&gemm->sweep);
  hone_sweep_run(&gemm->sweep, fill_rows, gemm, io, scratch, part, parts);
}
