/* Tiles in plain C, and a processor that says it has them. The sums are added as Intel's manual says:
 * products of bfloat16 in two chains a tile, of the even and of the odd places. */
#include "backend/cpu/simd/tiles.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static _Thread_local tile_shapes shapes;
static _Thread_local uint8_t registers[TILE_COUNT][TILE_ROWS][TILE_BYTES];

static void refuse(const char *why) {
  fprintf(stderr, "tiles: %s\n", why);
  abort();
}

static void clear_from(int t, int row) {
  for (int i = 0; i < TILE_ROWS; i++) {
    int kept = i < row ? shapes.bytes[t] : 0;
    memset(registers[t][i] + kept, 0, (size_t)(TILE_BYTES - kept));
  }
}

void stand_in_shape(const tile_shapes *of) {
  if (of->palette != 1 || of->start_row) refuse("no such palette");
  for (int t = 0; t < 16; t++) {
    bool used = of->rows[t] || of->bytes[t];
    if (used && (t >= TILE_COUNT || !of->rows[t] || !of->bytes[t])) refuse("a shape of no area");
    if (of->rows[t] > TILE_ROWS || of->bytes[t] > TILE_BYTES || of->bytes[t] % 4)
      refuse("a shape that is too large");
  }
  shapes = *of;
  memset(registers, 0, sizeof registers);
}

static void check_used(int t) {
  if (shapes.palette != 1) refuse("used without shapes");
  if (!shapes.rows[t]) refuse("a register without a shape");
}

void stand_in_load(int t, const void *first, size_t stride) {
  check_used(t);
  for (int i = 0; i < shapes.rows[t]; i++)
    memcpy(registers[t][i], (const char *)first + (size_t)i * stride, shapes.bytes[t]);
  clear_from(t, shapes.rows[t]);
}

void stand_in_store(int t, void *first, size_t stride) {
  check_used(t);
  for (int i = 0; i < shapes.rows[t]; i++)
    memcpy((char *)first + (size_t)i * stride, registers[t][i], shapes.bytes[t]);
}

static void check_product(int sum, int a, int b) {
  check_used(sum), check_used(a), check_used(b);
  if (sum == a || sum == b || a == b) refuse("a product of one register with itself");
  if (shapes.rows[sum] != shapes.rows[a] || shapes.bytes[sum] != shapes.bytes[b] ||
      shapes.bytes[a] / 4 != shapes.rows[b])
    refuse("shapes that do not multiply");
}

static float wide(const uint8_t *p) {
  uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void stand_in_multiply_bf16(int sum, int a, int b) {
  check_product(sum, a, b);
  for (int m = 0; m < shapes.rows[sum]; m++) {
    for (int n = 0; n < shapes.bytes[sum]; n += 4) {
      float even = 0, odd = 0, x;
      for (int k = 0; k < shapes.rows[b]; k++) {
        even = fmaf(wide(registers[a][m] + 4 * k), wide(registers[b][k] + n), even);
        odd = fmaf(wide(registers[a][m] + 4 * k + 2), wide(registers[b][k] + n + 2), odd);
      }
      memcpy(&x, registers[sum][m] + n, sizeof x);
      x += even + odd;
      memcpy(registers[sum][m] + n, &x, sizeof x);
    }
  }
  clear_from(sum, shapes.rows[sum]);
}

void stand_in_multiply_bytes(int sum, int a, int b, int a_signed) {
  check_product(sum, a, b);
  for (int m = 0; m < shapes.rows[sum]; m++) {
    for (int n = 0; n < shapes.bytes[sum]; n += 4) {
      uint32_t x;
      memcpy(&x, registers[sum][m] + n, sizeof x);
      for (int k = 0; k < shapes.bytes[a]; k++) {
        int left = registers[a][m][k], right = (int8_t)registers[b][k / 4][n + k % 4];
        x += (uint32_t)((a_signed ? (int8_t)left : left) * right);
      }
      memcpy(registers[sum][m] + n, &x, sizeof x);
    }
  }
  clear_from(sum, shapes.rows[sum]);
}

void stand_in_release(void) {
  memset(&shapes, 0, sizeof shapes);
}

/* Kernels around the tiles are made of AVX-512 with BF16 and VNNI, which no plain C stands in for. */
__attribute__((constructor)) static void pretend(void) {
  uint32_t isa = hone_cpu_isa();
  uint32_t needs = HONE_ISA_AVX512 | HONE_ISA_BF16 | HONE_ISA_VNNI;
  if ((isa & needs) != needs) {
    printf("SKIP: tiles stand on AVX-512 with BF16 and VNNI, which this processor has not\n");
    exit(77); /* what the test run counts as skipped */
  }
  hone_cpu_pretend(HONE_ISA_AMX);
}
