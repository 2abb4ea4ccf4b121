/* Convolution: every kernel of the table that this processor runs and that accepts the problem,
 * against loops in double; odd sizes, strides of pixels, paddings, each split. */
#include "backend/cpu/products/conv.h"
#include "backend/cpu/products/winograd.h"

#include "cpu_places.h"

typedef struct problem {
  size_t batch, in[3], kernel[3], stride[3], dilation[3];
  ptrdiff_t pad[3], pad_end[3];
  size_t groups, in_channels, out_channels, slack; /* slack: floats between pixels of x and y */
} problem;

#define TWO(a, b) \
  { 1, a, b }
#define NONE \
  { 0, 0, 0 }
static const problem problems[] = {
    /* batch in kernel stride dilation pad pad_end groups in_channels out_channels slack */
    {1, TWO(7, 9), TWO(1, 1), TWO(1, 1), TWO(1, 1), NONE, NONE, 1, 5, 70, 3},
    {2, TWO(6, 5), TWO(1, 1), TWO(1, 1), TWO(1, 1), NONE, NONE, 3, 12, 9, 0},
    {1, TWO(9, 8), TWO(1, 1), TWO(2, 2), TWO(1, 1), NONE, NONE, 1, 17, 33, 1},
    {2, TWO(9, 11), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 1, 6, 20, 0},
    {1, TWO(14, 14), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 1, 35, 67, 2},
    {1, TWO(31, 30), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 0, 0}, {0, 0, 0}, 1, 16, 16, 0},
    {1, TWO(4, 3), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 2}, {0, 2, 1}, 1, 3, 8, 0},
    {1, TWO(13, 17), TWO(3, 3), TWO(2, 2), TWO(1, 1), {0, 1, 1}, {0, 0, 1}, 1, 3, 33, 0},
    {1, TWO(41, 38), TWO(3, 3), TWO(2, 2), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 1, 18, 37, 2},
    {2, TWO(9, 10), TWO(3, 3), TWO(2, 2), TWO(1, 1), {0, 0, 0}, {0, 1, 1}, 1, 33, 20, 0},
    {1, TWO(15, 12), TWO(7, 7), TWO(2, 2), TWO(1, 1), {0, 3, 3}, {0, 3, 3}, 1, 3, 64, 0},
    {1, TWO(12, 13), TWO(3, 5), TWO(2, 1), TWO(2, 3), {0, 2, 4}, {0, 1, 6}, 2, 8, 10, 1},
    {1, TWO(9, 9), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, -1, -2}, {0, 3, 4}, 1, 4, 5, 0},
    {1, TWO(1, 40), TWO(1, 9), TWO(1, 3), TWO(1, 1), {0, 0, 4}, {0, 0, 4}, 1, 2, 21, 0},
    {1, {5, 6, 7}, {3, 3, 3}, {1, 2, 1}, {1, 1, 2}, {1, 1, 2}, {1, 1, 2}, 1, 4, 18, 0},
    {1, {4, 5, 6}, {3, 2, 3}, {2, 1, 1}, {1, 1, 1}, {1, 0, 1}, {1, 1, 1}, 6, 6, 6, 0},
    {1, TWO(7, 7), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 40, 40, 40, 0},
    {2, TWO(10, 23), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 19, 19, 19, 5},
    {1, TWO(13, 16), TWO(3, 3), TWO(2, 2), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 33, 33, 33, 0},
    {1, TWO(9, 12), TWO(5, 5), TWO(1, 1), TWO(1, 1), {0, 2, 2}, {0, 2, 2}, 18, 18, 18, 0},
    {1, TWO(15, 11), TWO(5, 5), TWO(2, 2), TWO(1, 1), {0, 2, 2}, {0, 2, 2}, 16, 16, 16, 0},
    {1, TWO(6, 17), TWO(5, 5), TWO(2, 1), TWO(1, 1), {0, 2, 2}, {0, 2, 2}, 67, 67, 67, 3},
    {2, TWO(7, 19), TWO(5, 5), TWO(1, 2), TWO(1, 1), {0, 2, 2}, {0, 2, 2}, 64, 64, 64, 0},
    {1, TWO(12, 11), TWO(3, 2), TWO(1, 2), TWO(2, 3), {0, 2, 3}, {0, 2, 0}, 7, 7, 7, 2},
    {1, TWO(1, 30), TWO(1, 4), TWO(1, 1), TWO(1, 1), {0, 0, 3}, {0, 0, 0}, 24, 24, 24, 0},
    {1, TWO(5, 5), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 4, 4, 12, 0},
    {1, TWO(6, 6), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 8, 32, 32, 0},
    {1, TWO(9, 12), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 9, 36, 36, 1},
    {2, TWO(9, 13), TWO(3, 3), TWO(2, 2), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 11, 22, 22, 0},
    {1, TWO(8, 9), TWO(3, 3), TWO(1, 1), TWO(2, 2), {0, 2, 2}, {0, 2, 2}, 3, 48, 48, 2},
    {1, {4, 7, 6}, {2, 5, 3}, {1, 1, 2}, {1, 1, 1}, {1, 2, 1}, {0, 2, 1}, 5, 40, 40, 0},
    {2, TWO(37, 41), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 1, 8, 24, 0},
    {1, TWO(5, 9), TWO(1, 1), TWO(1, 1), TWO(1, 1), NONE, NONE, 1, 151, 41, 0},
    {1, TWO(6, 7), TWO(3, 3), TWO(1, 1), TWO(1, 1), {0, 1, 1}, {0, 1, 1}, 1, 96, 17, 0},
};

typedef struct data {
  hone_conv conv;
  float *x, *planar, *w, *bias, *residual;
  double *want, *size; /* before the activation; sums of magnitudes */
} data;

static size_t volume(const size_t *s) {
  return s[0] * s[1] * s[2];
}

/* x at a place, NULL outside. */
static const float *at(const data *d, size_t n, const ptrdiff_t *p) {
  const hone_conv *c = &d->conv;
  for (int i = 0; i < 3; i++) {
    if (p[i] < 0 || p[i] >= (ptrdiff_t)c->in[i]) return NULL;
  }
  size_t pixel =
      ((n * c->in[0] + (size_t)p[0]) * c->in[1] + (size_t)p[1]) * c->in[2] + (size_t)p[2];
  return d->x + pixel * (size_t)c->x_stride;
}

static void expect_pixel(data *d, size_t n, const size_t *o, size_t pixel) {
  const hone_conv *c = &d->conv;
  size_t taps = hone_conv_taps(c), in_group = c->in_channels / c->groups;
  for (size_t m = 0; m < c->out_channels; m++) {
    size_t group = m / (c->out_channels / c->groups);
    double sum = d->bias[m] + d->residual[pixel * (size_t)c->y_stride + m], size = 2;
    for (size_t t = 0; t < taps; t++) {
      size_t k[3] = {t / c->kernel[2] / c->kernel[1], t / c->kernel[2] % c->kernel[1],
                     t % c->kernel[2]};
      ptrdiff_t p[3];
      for (int i = 0; i < 3; i++)
        p[i] = (ptrdiff_t)(o[i] * c->stride[i] + k[i] * c->dilation[i]) - c->pad[i];
      const float *x = at(d, n, p);
      for (size_t q = 0; x && q < in_group; q++) {
        double product = (double)x[group * in_group + q] * d->w[(m * in_group + q) * taps + t];
        sum += product, size += fabs(product);
      }
    }
    d->want[pixel * c->out_channels + m] = sum;
    d->size[pixel * c->out_channels + m] = size;
  }
}

static void expect(data *d) {
  const hone_conv *c = &d->conv;
  size_t pixel = 0, o[3];
  for (size_t n = 0; n < c->batch; n++) {
    for (o[0] = 0; o[0] < c->out[0]; o[0]++) {
      for (o[1] = 0; o[1] < c->out[1]; o[1]++) {
        for (o[2] = 0; o[2] < c->out[2]; o[2]++) expect_pixel(d, n, o, pixel++);
      }
    }
  }
}

static data make(const problem *p) {
  data d = {.conv = {.batch = p->batch,
                     .groups = p->groups,
                     .in_channels = p->in_channels,
                     .out_channels = p->out_channels,
                     .x_stride = (ptrdiff_t)(p->in_channels + p->slack),
                     .y_stride = (ptrdiff_t)(p->out_channels + p->slack)}};
  hone_conv *c = &d.conv;
  for (int i = 0; i < 3; i++) {
    c->kernel[i] = p->kernel[i], c->stride[i] = p->stride[i], c->dilation[i] = p->dilation[i];
    c->in[i] = p->in[i], c->pad[i] = p->pad[i];
    ptrdiff_t room = (ptrdiff_t)p->in[i] + p->pad[i] + p->pad_end[i] -
                     (ptrdiff_t)(p->dilation[i] * (p->kernel[i] - 1)) - 1;
    c->out[i] = (size_t)room / p->stride[i] + 1;
  }
  size_t in = p->batch * volume(c->in), out = hone_conv_pixels(c);
  d.x = random_floats(in * (size_t)c->x_stride, 1);
  d.planar = floats(in * p->in_channels);
  for (size_t i = 0; i < in; i++) {
    for (size_t q = 0; q < p->in_channels; q++) {
      size_t n = i / volume(c->in), at = i % volume(c->in);
      d.planar[(n * p->in_channels + q) * volume(c->in) + at] = d.x[i * (size_t)c->x_stride + q];
    }
    for (size_t q = p->in_channels; q < (size_t)c->x_stride; q++)
      d.x[i * (size_t)c->x_stride + q] = NAN; /* must not be read */
  }
  d.w = random_floats(p->out_channels * p->in_channels / p->groups * hone_conv_taps(c), 2);
  d.bias = random_floats(p->out_channels, 3);
  d.residual = random_floats(out * (size_t)c->y_stride, 4);
  d.want = hone_alloc(out * p->out_channels * sizeof(double));
  d.size = hone_alloc(out * p->out_channels * sizeof(double));
  c->finish = (hone_finish){.bias = d.bias,
                            .residual = 1,
                            .residual_stride = c->y_stride,
                            .activation = {HONE_ACTIVATION_CLAMP, -0.5f, 6}};
  expect(&d);
  return d;
}

static void discard(data *d) {
  hone_free(d->x), hone_free(d->planar), hone_free(d->w), hone_free(d->bias);
  hone_free(d->residual), hone_free(d->want), hone_free(d->size);
}

/* How much larger than a plain sum's a kernel's error may be: Winograd's transforms add and
 * subtract larger numbers. */
static double error_factor(const hone_conv_kernel *kernel) {
  const char *name = kernel->name;
  return strstr(name, "winograd4")        ? bound("sum, 4x4 tiles", "fp32")
         : strstr(name, "winograd2_bf16") ? bound("sum, 2x2 tiles", "bf16")
         : strstr(name, "winograd2")      ? bound("sum, 2x2 tiles", "fp32")
                                          : 1;
}

/* `rounding`: relative error allowed beside that of the sums. */
static bool right(const data *d, const hone_conv_kernel *kernel, const float *y, double rounding) {
  const hone_conv *c = &d->conv;
  size_t terms = hone_conv_taps(c) * c->in_channels / c->groups;
  for (size_t pixel = 0; pixel < hone_conv_pixels(c); pixel++) {
    for (size_t m = 0; m < (size_t)c->y_stride; m++) {
      float got = y[pixel * (size_t)c->y_stride + m];
      if (m >= c->out_channels && isnan(got)) continue;
      double want = NAN, size = 0;
      if (m < c->out_channels) {
        want = activation_in_double(c->finish.activation, d->want[pixel * c->out_channels + m]);
        size = d->size[pixel * c->out_channels + m] * error_factor(kernel);
        if (fabs((double)got - want) <= rounding * fabs(want)) continue;
      }
      if (!close_enough(got, want, size, terms)) {
        fprintf(stderr, "%s pixel %zu channel %zu: %.9g, not %.9g\n", kernel->name, pixel, m,
                (double)got, want);
        return false;
      }
    }
  }
  return true;
}

static void check_kernel(const data *d, const hone_conv_kernel *kernel, const hone_conv *conv) {
  size_t size = kernel->pack_size(kernel, conv), taps = hone_conv_taps(conv);
  float *packed = floats(size);
  hone_conv_weights weights = {d->w, (ptrdiff_t)(conv->in_channels / conv->groups * taps),
                               (ptrdiff_t)taps, 1};
  kernel->pack(kernel, conv, weights, packed);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  hone_status *status = kernel->plan(kernel, conv, packed, &arena, &plan);
  if (status) {
    CHECK(hone_status_code(status) == HONE_UNSUPPORTED);
    hone_status_free(status);
  } else {
    const void *in[] = {conv->x_planar ? d->planar : d->x, d->residual};
    size_t count = hone_conv_pixels(conv) * (size_t)conv->y_stride;
    float *first = NULL;
    for (size_t i = 0; i < sizeof(test_parts) / sizeof(*test_parts); i++) {
      float *y = floats(count);
      size_t scratch = plan.shared_scratch + plan.part_scratch * (size_t)test_parts[i];
      run_parts(plan.phases, plan.phase_count, plan.args, in, y, scratch, test_parts[i]);
      if (first) {
        if (memcmp(first, y, count * sizeof(float)))
          fprintf(stderr, "%s: %d parts differ\n", kernel->name, test_parts[i]), check_failed++;
        hone_free(y);
      } else {
        first = y;
        CHECK(right(d, kernel, y, 0));
      }
    }
    hone_free(first);
  }
  hone_arena_free(&arena);
  hone_free(packed);
}

TEST(all_problems_on_all_kernels) {
  for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
    data d = make(&problems[i]);
    int failed = check_failed, kernels = 0;
    for (int variant = 0; variant < 4; variant++) {
      hone_conv conv = d.conv;
      conv.threads = 1 + variant / 2;
      conv.x_planar = variant % 2;
      for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++) {
        if (!hone_isa_runs(k->isa) || !k->accepts(&conv)) continue;
        check_kernel(&d, k, &conv);
        kernels++;
      }
    }
    CHECK(kernels > 0);
    if (check_failed != failed) fprintf(stderr, "in problem %zu\n", i);
    discard(&d);
  }
}

static uint16_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return (uint16_t)(bits >> 16);
}

/* Cuts numbers to bfloat16, so that nothing is rounded on the way in; returns them as such. */
static uint16_t *cut(float *x, size_t count) {
  uint16_t *cut_off = hone_alloc(count * sizeof(*cut_off) + 1);
  for (size_t i = 0; i < count; i++) {
    cut_off[i] = bits_of(x[i]);
    uint32_t bits = (uint32_t)cut_off[i] << 16;
    memcpy(&x[i], &bits, sizeof(bits));
  }
  return cut_off;
}

typedef struct bf16_data {
  data *d;
  uint16_t *x, *residual;
} bf16_data;

/* Products of f32 or bfloat16; f32 or bfloat16 in; f32 or bfloat16 out. */
static void check_bf16(const bf16_data *b, const hone_conv_kernel *kernel, bool products,
                       bool narrow_in, bool narrow_out) {
  hone_conv conv = b->d->conv;
  conv.bf16 = products, conv.x_bf16 = narrow_in;
  conv.y_bf16 = conv.finish.residual_bf16 = narrow_out;
  if (!kernel->accepts(&conv)) return;
  size_t taps = hone_conv_taps(&conv), count = hone_conv_pixels(&conv) * (size_t)conv.y_stride;
  float *packed = floats(kernel->pack_size(kernel, &conv)), *wide = floats(count);
  hone_conv_weights weights = {b->d->w, (ptrdiff_t)(conv.in_channels / conv.groups * taps),
                               (ptrdiff_t)taps, 1};
  kernel->pack(kernel, &conv, weights, packed);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  hone_status *status = kernel->plan(kernel, &conv, packed, &arena, &plan);
  const void *in[] = {narrow_in ? (void *)b->x : b->d->x,
                      narrow_out ? (void *)b->residual : b->d->residual};
  for (int parts = 1; !status && parts <= 3; parts += 2) {
    float *y = floats(count);
    memset(y, 0xff, count * sizeof(float)); /* NaN in both types */
    size_t scratch = plan.shared_scratch + plan.part_scratch * (size_t)parts;
    run_parts(plan.phases, plan.phase_count, plan.args, in, y, scratch, parts);
    for (size_t i = 0; narrow_out && i < count; i++) {
      uint32_t bits = (uint32_t)((uint16_t *)y)[i] << 16;
      memcpy(&wide[i], &bits, sizeof(bits));
    }
    /* half a bfloat16 more of error where the result is rounded to one */
    CHECK(right(b->d, kernel, narrow_out ? wide : y, narrow_out ? 0x1p-8 : 0));
    hone_free(y);
  }
  CHECK(!status || hone_status_code(status) == HONE_UNSUPPORTED);
  hone_status_free(status), hone_arena_free(&arena), hone_free(packed), hone_free(wide);
}

TEST(bfloat16) {
  for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
    data d = make(&problems[i]);
    size_t in = d.conv.batch * volume(d.conv.in) * (size_t)d.conv.x_stride;
    size_t w = d.conv.out_channels * d.conv.in_channels / d.conv.groups * hone_conv_taps(&d.conv);
    bf16_data b = {&d, cut(d.x, in),
                   cut(d.residual, hone_conv_pixels(&d.conv) * (size_t)d.conv.y_stride)};
    uint16_t *cut_w = cut(d.w, w);
    expect(&d);
    for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++) {
      for (int types = 0; types < 8 && hone_isa_runs(k->isa); types++)
        check_bf16(&b, k, types & 1, types & 2, types & 4);
    }
    hone_free(b.x), hone_free(b.residual), hone_free(cut_w);
    discard(&d);
  }
}

/* The finish that happens outside of registers. */
TEST(activation_after_the_tile) {
  data d = make(&problems[3]);
  d.conv.finish.activation = (hone_activation){HONE_ACTIVATION_SILU, 1, 0};
  for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++) {
    if (hone_isa_runs(k->isa) && k->accepts(&d.conv)) check_kernel(&d, k, &d.conv);
  }
  discard(&d);
}

TEST(programs_see_each_element_once) {
  for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
    data d = make(&problems[i]);
    for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++) {
      if (!hone_isa_runs(k->isa) || !k->accepts(&d.conv)) continue;
      check_places(&d.conv, d.x, k, 1);
      check_places(&d.conv, d.x, k, 3);
    }
    discard(&d);
  }
}

/* What a build judges layers by is what the page says. */
TEST(bound_of_winograd) {
  CHECK(bound("Winograd layer", "fp32") == HONE_WINOGRAD_ERROR);
  CHECK(bound("Winograd layer", "bf16") == HONE_WINOGRAD_ERROR_BF16);
}

int main(void) {
  RUN(programs_see_each_element_once);
  RUN(all_problems_on_all_kernels);
  RUN(activation_after_the_tile);
  RUN(bfloat16);
  RUN(bound_of_winograd);
  return check_report();
}
