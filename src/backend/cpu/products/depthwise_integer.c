/* Convolution of bytes with one channel a group. Room: backend/cpu/products.
 *
 * Up to 8 pixels at a time, block of channels by block; their sums wait in the part's scratch for
 * their finish. */
#include "backend/cpu/products/depthwise_integer.h"

#include <string.h>

#include "backend/cpu/products/conv_direct.h"
#include "base/pool.h"

enum { BLOCK = HONE_INTEGER_CHANNELS, PIXELS = HONE_TILE_ROWS };

typedef struct plan {
  hone_conv_integer c;
  size_t table_bytes, zero_bytes, part_scratch;
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

/* What a part works with in its scratch, one after the other. */
enum { SUMS = PIXELS * BLOCK * sizeof(int32_t) };

static size_t start_bytes(const hone_conv *conv) {
  return blocks_of(conv) * BLOCK * sizeof(int32_t);
}

/* The block of channels from `first` on of the pixels that the table tells. */
static void run_block(const plan *a, const hone_kernel_io *io, hone_integer_tile *tile,
                      hone_integer_block *block, size_t first) {
  const hone_conv *conv = &a->c.conv;
  const hone_integer_sweep *sweep = &a->c.sweep;
  size_t left = conv->out_channels - first;
  tile->weights = sweep->pack.weights + first / BLOCK * block_bytes(conv);
  tile->rows_offset = first;
  block->column = first;
  block->columns = left < BLOCK ? left : BLOCK;
  block->out =
      (char *)io->out[sweep->out] + (block->row * (size_t)conv->y_stride + first) *
                                        (hone_dtype_bits(sweep->finish.out) / 8);
  sweep->set->depthwise(tile, block->rows, block->columns);
  sweep->set->finish(&sweep->finish, io, block);
}

/* Some pixels at a time, all their channels: what they read lies together, and the weights of a layer
 * stay in the nearest cache. */
static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const plan *a = args;
  const hone_conv *conv = &a->c.conv;
  const hone_integer_pack *pack = &a->c.sweep.pack;
  char *scratch = (char *)io->scratch + (size_t)part * a->part_scratch;
  const void **table = (const void **)(void *)scratch;
  char *zeros = scratch + a->table_bytes;
  int zero = hone_integer_zero(&a->c.sweep, io);
  int32_t *sums = (int32_t *)(void *)(zeros + a->zero_bytes), *start = sums + PIXELS * BLOCK;
  size_t begin, end, count;
  memset(zeros, zero ^ (a->c.sweep.is_signed ? 0x80 : 0), a->zero_bytes);
  for (size_t c = 0; c < blocks_of(conv) * BLOCK; c++)
    start[c] = (int32_t)((uint32_t)pack->bias[c] - (uint32_t)zero * (uint32_t)pack->slope[c]);
  hone_integer_tile tile = {.rows = table,
                            .taps = hone_conv_taps(conv),
                            .is_signed = a->c.sweep.is_signed,
                            .sums = sums,
                            .sums_stride = BLOCK};
  hone_split(hone_conv_pixels(conv), 1, part, parts, &begin, &end);
  for (size_t row = begin; row < end; row += count) {
    count = end - row < PIXELS ? end - row : PIXELS;
    hone_conv_point(conv, (size_t)conv->x_stride, io->in[conv->x], row, count, zeros, table);
    hone_integer_block block = {.sums = sums,
                                .sums_stride = BLOCK,
                                .row = row,
                                .rows = count,
                                .out_stride = conv->y_stride};
    for (size_t first = 0; first < conv->out_channels; first += BLOCK) {
      tile.start = start + first;
      run_block(a, io, &tile, &block, first);
    }
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
  a->part_scratch = a->table_bytes + a->zero_bytes + SUMS + start_bytes(&in->conv);
  out->part_scratch = a->part_scratch;
  return NULL;
}
