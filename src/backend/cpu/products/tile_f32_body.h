/* fp32 tiles for one instruction set: included by tile_f32*.c with HEIGHT and PANEL defined.
 * Room: backend/cpu/products.
 *
 * On AVX-512 the multiply-add is a line of assembler, because compilers otherwise spend a register
 * on the broadcast operand, and 28 accumulators and 4 weights fill all 32. */
#include "backend/cpu/products/pack_body.h"
#include "backend/cpu/products/tile.h"

#define OPERAND_BYTES sizeof(float)
typedef float operand;
typedef vf weight_vector;

HONE_INLINE weight_vector load_weights(const operand *p) {
  return vf_load(p);
}

#if defined(__AVX512F__)
#define MULTIPLY_ADD(sum, weight, x) \
  __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weight), "m"(x))
#else
#define MULTIPLY_ADD(sum, weight, x) (sum) = vf_fma(vf_set(x), weight, sum)
#endif

static void scale_panel(const float *panel, const float *by, size_t depth, size_t width,
                        float *to) {
  for (size_t k = 0; k < depth; k++) {
    vf factor = vf_set(by[k]);
    for (size_t j = 0; j < width; j += VF_LANES, panel += VF_LANES, to += VF_LANES)
      vf_store(to, vf_mul(vf_load(panel), factor));
  }
}

#include "backend/cpu/products/thin_body.h"
#include "backend/cpu/products/tile_body.h"
