/* Convolution of bytes with one channel a group. Room: backend/cpu/products.
 *
 * A block of channels at a time goes over all pixels of a part, so that its weights stay in
 * registers' reach; the sums of up to 8 pixels wait in the part's scratch for their finish. */
#include "backend/cpu/products/depthwise_integer.h"

#include <string.h>

#include "backend/cpu/products/conv_direct.h"
#include "base/pool.h"

enum { BLOCK = HONE_INTEGER_CHANNELS, PIXELS = HONE_TILE_ROWS };

typedef struct plan {
  hone_conv_integer c;
  size_t table_bytes, zero_bytes;
} plan;

bool hone_depthwise_integer_accepts(const hone_conv *conv) {
  return conv->groups > 1 && conv->in_channels == conv->groups &&
         conv->out_channels == conv->groups;
}

static size_t blocks_of(const hone_conv *conv) {
  return (conv->out_channels + BLOCK - 1) / BLOCK;
}
static size_t block_bytes(const hone_conv *conv) {
  return hone_align_up(hone_conv_taps(conv), HONE_INTEGER_STEP) * BLOCK;
}

size_t hone_depthwise_integer_pack_size(const hone_conv *conv) {
  size_t weights, sums;
  if (!hone_mul(block_bytes(conv), blocks_of(conv), &weights) ||
      !hone_mul(blocks_of(conv), 2 * BLOCK * sizeof(int32_t), &sums) ||
      !hone_add(weights, sums, &weights))
    return 0;
  return weights;
}

hone_integer_pack hone_depthwise_integer_unpack(const hone_conv *conv, const void *pack) {
  const int32_t *rows = (const void *)((const char *)pack + block_bytes(conv) * blocks_of(conv));
  return (hone_integer_pack){
      .weights = pack, .bias = rows, .slope = rows + blocks_of(conv) * BLOCK};
}

void hone_depthwise_integer_pack(const hone_integer_set *set, const hone_conv *conv,
                                 const hone_integer_weights *w, void *to) {
  hone_integer_pack pack = hone_depthwise_integer_unpack(conv, to);
  memset(to, 0, hone_depthwise_integer_pack_size(conv));
  for (size_t c = 0; c < conv->out_channels; c++) {
    int8_t *block = (int8_t *)to + c / BLOCK * block_bytes(conv);
    const int16_t *from = w->data + (ptrdiff_t)c * w->strides.group;
    int32_t sum = 0;
    for (size_t t = 0; t < w->taps; t++) {
      int16_t weight = from[(ptrdiff_t)t * w->strides.tap];
      block[set->depthwise_place(t, c % BLOCK)] = (int8_t)weight;
      sum += weight;
    }
    ((int32_t *)(uintptr_t)pack.slope)[c] = sum;
    if (w->bias) ((int32_t *)(uintptr_t)pack.bias)[c] = w->bias[c];
  }
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Pixels begin..end of the block of channels from `first` on. */
static void run_block(const plan *a, const hone_kernel_io *io, hone_integer_tile *tile,
                      size_t first, const void *zeros, const void **table, size_t begin,
                      size_t end) {
  const hone_conv *conv = &a->c.conv;
  const hone_integer_sweep *sweep = &a->c.sweep;
  size_t left = conv->out_channels - first, channels = left < BLOCK ? left : BLOCK, count;
  hone_integer_block block = {.sums = tile->sums,
                              .sums_stride = tile->sums_stride,
                              .columns = channels,
                              .column = first,
                              .out_stride = conv->y_stride};
  for (size_t row = begin; row < end; row += count) {
    count = end - row < PIXELS ? end - row : PIXELS;
    hone_conv_point(conv, (size_t)conv->x_stride, io->in[conv->x], row, count, zeros, table);
    sweep->set->depthwise(tile, count, channels);
    block.row = row;
    block.rows = count;
    block.out = (char *)io->out[sweep->out] +
                (row * (size_t)conv->y_stride + first) * (hone_dtype_bits(sweep->finish.out) / 8);
    sweep->set->finish(&sweep->finish, io, &block);
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  enum { SUMS = PIXELS * BLOCK * sizeof(int32_t), START = BLOCK * sizeof(int32_t) };
  const plan *a = args;
  const hone_conv *conv = &a->c.conv;
  char *scratch =
      (char *)io->scratch + (size_t)part * (a->table_bytes + a->zero_bytes + SUMS + START);
  const void **table = (const void **)(void *)scratch;
  char *zeros = scratch + a->table_bytes;
  int zero = hone_integer_zero(&a->c.sweep, io);
  memset(zeros, zero ^ (a->c.sweep.is_signed ? 0x80 : 0), a->zero_bytes);
  int32_t *start = (int32_t *)(void *)(zeros + a->zero_bytes);
  hone_integer_tile tile = {.rows = table,
                            .taps = hone_conv_taps(conv),
                            .start = start,
                            .is_signed = a->c.sweep.is_signed,
                            .sums = start + BLOCK,
                            .sums_stride = BLOCK};
  size_t begin, end;
  hone_split(hone_conv_pixels(conv), 1, part, parts, &begin, &end);
  for (size_t first = 0; first < conv->out_channels; first += BLOCK) {
    for (size_t c = 0; c < BLOCK; c++)
      start[c] = (int32_t)((uint32_t)a->c.sweep.pack.bias[first + c] -
                           (uint32_t)zero * (uint32_t)a->c.sweep.pack.slope[first + c]);
    tile.weights = a->c.sweep.pack.weights + first / BLOCK * block_bytes(conv);
    tile.rows_offset = first;
    run_block(a, io, &tile, first, zeros, table, begin, end);
  }
}

hone_status *hone_depthwise_integer_plan(const hone_conv_integer *in, hone_arena *arena,
                                         hone_kernel_plan *out) {
  plan *a = HONE_NEW(arena, plan);
  HONE_TRY_MEMORY(a);
  *a = (plan){.c = *in,
              .table_bytes = hone_conv_taps(&in->conv) * HONE_TILE_ROWS * sizeof(void *),
              .zero_bytes = hone_align_up(in->conv.in_channels, 64)};
  *out = (hone_kernel_plan){.phases = {run}, .phase_count = 1, .args = a};
  out->part_scratch = a->table_bytes + a->zero_bytes + (PIXELS + 1) * BLOCK * sizeof(int32_t);
  return NULL;
}
