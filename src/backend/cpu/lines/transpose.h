/* Transposing small blocks of elements. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_TRANSPOSE_H
#define HONE_BACKEND_CPU_LINES_TRANSPOSE_H

#include <stddef.h>

/* Edge of the blocks of a transposition, in elements: a block of 4-byte elements is 16 cache lines
 * read and 16 written. */
#define HONE_TRANSPOSE_BLOCK 16

/* to[j][i] = from[i][j] for rows i of `from` at from_stride and rows j of `to` at to_stride,
 * strides in bytes; at most HONE_TRANSPOSE_BLOCK rows and columns. */
void hone_transpose_block(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                          ptrdiff_t from_stride, size_t rows, size_t columns);

#endif
