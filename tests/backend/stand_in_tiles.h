/* Registers of tiles in plain C, in the place of AMX's: what simd/tiles.h asks for as HONE_TILES. A use
 * that the processor would refuse ends the program. */
#ifndef HONE_TESTS_STAND_IN_TILES_H
#define HONE_TESTS_STAND_IN_TILES_H

#include <stddef.h>

#include "base/cpu.h"

void stand_in_shape(const tile_shapes *shapes);
void stand_in_load(int t, const void *first, size_t stride);
void stand_in_store(int t, void *first, size_t stride);
void stand_in_multiply_bf16(int sum, int a, int b);
void stand_in_multiply_bytes(int sum, int a, int b, int a_signed);
void stand_in_release(void);

#define tile_shape(shapes)            stand_in_shape(shapes)
#define tile_load(t, first, stride)   stand_in_load(t, first, stride)
#define tile_store(t, first, stride)  stand_in_store(t, first, stride)
#define tile_multiply_bf16(sum, a, b) stand_in_multiply_bf16(sum, a, b)
#define tile_multiply_u8s8(sum, a, b) stand_in_multiply_bytes(sum, a, b, 0)
#define tile_multiply_s8s8(sum, a, b) stand_in_multiply_bytes(sum, a, b, 1)
#define tile_release()                stand_in_release()

#endif
