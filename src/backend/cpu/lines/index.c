/* Reporting an index that is outside. Room: backend/cpu/lines. */
#include "backend/cpu/lines/index.h"

size_t hone_index_outside(const hone_kernel_io *io, int input, size_t element, int64_t value,
                          size_t size) {
  hone_kernel_fail(io, &(hone_kernel_fault){.what = "index",
                                            .where = "a dimension",
                                            .input = input,
                                            .element = element,
                                            .value = value,
                                            .bound = (int64_t)size});
  return 0;
}
