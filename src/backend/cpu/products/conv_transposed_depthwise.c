/* Depthwise transposed convolution. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_transposed_depthwise.h"

#include "backend/cpu/products/conv_transposed_lines.h"

bool hone_transposed_depthwise_accepts(const hone_conv *conv) {
  return hone_depthwise_accepts(conv) && hone_conv_is_f32(conv);
}

/* Of one remainder: [channels / lanes][taps][lanes]. */
static float *pack_one(const hone_conv_kernel *kernel, const hone_conv *conv, hone_conv_weights w,
                       const size_t *r, float *packed) {
  const hone_depthwise_set *set = kernel->functions;
  size_t lanes = (size_t)set->lanes;
  for (size_t first = 0; first < conv->in_channels; first += lanes) {
    for (size_t t = 0; t < hone_conv_taps(conv); t++) {
      if (!hone_transposed_serves(conv, t, r)) continue;
      const float *from = w.data + (ptrdiff_t)t * w.tap;
      for (size_t c = first; c < first + lanes; c++)
        *packed++ = c < conv->in_channels ? from[(ptrdiff_t)c * w.in_channel] : 0;
    }
  }
  return packed;
}

void hone_transposed_depthwise_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                                    hone_conv_weights weights, float *packed) {
  hone_transposed_pack(kernel, conv, weights, pack_one, packed);
}

static void make(const hone_transposed_worker *w, const hone_transposed_run *run, size_t first,
                 size_t count) {
  const hone_conv *conv = &w->a->conv;
  const hone_finish *finish = &conv->finish;
  const hone_depthwise_set *set = w->a->kernel->functions;
  size_t lanes = (size_t)set->lanes, channel = w->share.column * lanes;
  size_t end = w->share.column_end * lanes, pixel = hone_transposed_pixel(conv, run, first);
  size_t step = conv->stride[HONE_CONV_WIDTH];
  if (end > conv->in_channels) end = conv->in_channels;
  float *out = (float *)w->io->out[conv->y] + (ptrdiff_t)pixel * conv->y_stride + channel;
  hone_depthwise_tile tile = {.window = w->table,
                              .lines = run->taps,
                              .window_step = HONE_TILE_ROWS,
                              .channels = end - channel,
                              .weights = run->weights + channel * run->taps,
                              .weights_step = run->taps * lanes,
                              .group = 1,
                              .window_offset = channel,
                              .bias = finish->bias ? finish->bias + channel : NULL,
                              .out = out,
                              .residual_stride = (ptrdiff_t)step * finish->residual_stride,
                              .out_stride = (ptrdiff_t)step * conv->y_stride,
                              .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                              .low = finish->activation.a,
                              .high = finish->activation.b};
  if (finish->residual >= 0)
    tile.residual = (const float *)w->io->in[finish->residual] +
                    (ptrdiff_t)pixel * finish->residual_stride + channel;
  set->run[HONE_WINDOW_1][count](&tile);
  bool after = finish->program || finish->activation.kind > HONE_ACTIVATION_CLAMP;
  for (size_t i = 0; after && i < count; i++) /* pixels are not neighbours */
    hone_finish_after(finish, w->a->kernel->isa, w->io, w->part,
                      out + (ptrdiff_t)i * tile.out_stride, conv->y_stride, 1, tile.channels,
                      pixel + i * step, channel);
}

hone_status *hone_transposed_depthwise_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                            const float *packed, hone_arena *arena,
                                            hone_kernel_plan *out) {
  const hone_depthwise_set *set = kernel->functions;
  size_t padded = hone_align_up(conv->in_channels, (size_t)set->lanes);
  hone_transposed form = {.conv = *conv,
                          .kernel = kernel,
                          .weights = packed,
                          .height = (size_t)set->pixels,
                          .columns = padded / (size_t)set->lanes,
                          .grain = 1,
                          .tap_floats = padded,
                          .make = make};
  return hone_transposed_plan(&form, arena, out);
}
