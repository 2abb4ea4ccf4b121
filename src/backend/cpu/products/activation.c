/* Activations in plain C, and the choice of the variant. Room: backend/cpu/products. */
#define ACTIVATE hone_activate_plain
#include "backend/cpu/products/activation_body.h"

void hone_activate(uint32_t isa, hone_activation activation, float *x, ptrdiff_t stride,
                   size_t rows, size_t columns) {
  hone_activate_function *function = hone_activate_plain;
#if defined(__x86_64__)
  if (isa & HONE_ISA_AVX512)
    function = hone_activate_avx512;
  else if (isa & HONE_ISA_AVX2)
    function = hone_activate_avx2;
#else
  (void)isa;
#endif
  function(activation, x, stride, rows, columns);
}
