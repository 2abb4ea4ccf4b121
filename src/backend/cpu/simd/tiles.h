/* Registers of whole tiles: AMX with INT8 and BF16. Room: backend/cpu/simd.
 *
 * Eight registers of up to 16 rows of up to 64 bytes, numbered by constants; Intel's Software
 * Developer's Manual, volume 1, chapter 18, and volume 2, TDPBF16PS and its neighbours. A tile of sums
 * has 16 columns of 32 bits; the rows of the right operand are steps of depth, four bytes for each of
 * 16 columns. HONE_TILES names a header that does the same in plain C, for tests on other machines. */
#ifndef HONE_BACKEND_CPU_SIMD_TILES_H
#define HONE_BACKEND_CPU_SIMD_TILES_H

#include <stdint.h>

#define TILE_COUNT 8
#define TILE_ROWS  16
#define TILE_BYTES 64 /* in a row */

/* What LDTILECFG reads. A register that is not used has neither rows nor bytes. */
typedef struct tile_shapes {
  uint8_t palette, start_row, reserved[14];
  uint16_t bytes[16];
  uint8_t rows[16];
} tile_shapes;
_Static_assert(sizeof(tile_shapes) == 64, "the size is the instruction's");

#if defined(HONE_TILES)
#include HONE_TILES
#else
#include <immintrin.h>
/* Compilers do not all know that these read memory. */
#define tile_written                  __asm__ volatile("" ::: "memory")
#define tile_shape(shapes)            (__extension__({ tile_written; _tile_loadconfig(shapes); }))
#define tile_load(t, first, stride)   (__extension__({ tile_written; _tile_loadd(t, first, stride); }))
#define tile_store(t, first, stride)  _tile_stored(t, first, stride)
#define tile_multiply_bf16(sum, a, b) _tile_dpbf16ps(sum, a, b)
#define tile_multiply_u8s8(sum, a, b) _tile_dpbusd(sum, a, b)
#define tile_multiply_s8s8(sum, a, b) _tile_dpbssd(sum, a, b)
#define tile_release()                _tile_release()
#endif

#endif
