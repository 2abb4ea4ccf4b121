/* Bytes through a table of 256. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_LOOKUP_H
#define HONE_BACKEND_CPU_LINES_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "ops/byte_table.h"

/* x[i][j] = table[x[i][j]] for i < rows, j < columns; rows lie `stride` bytes apart. */
typedef void hone_lookup_function(const uint8_t *table, uint8_t *x, ptrdiff_t stride, size_t rows,
                                  size_t columns);

hone_lookup_function hone_lookup_plain;
#if defined(__x86_64__)
hone_lookup_function hone_lookup_avx512vbmi, hone_lookup_avx2;
#endif
/* The fastest that runs here. It wants a table of its own: `table` becomes that. hone_lookup_avx2's has
 * each entry but the first 16 of each half xor the one 16 before. */
hone_lookup_function *hone_lookup_here(uint8_t table[HONE_BYTE_TABLE]);

#endif
