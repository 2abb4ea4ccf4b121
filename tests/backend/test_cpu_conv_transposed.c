/* Transposed convolution: every kernel of the table that this processor runs, against a scatter in
 * double; strides with and without gaps, dilation, cuts, groups, 1-D and 3-D, every split. */
#include "backend/cpu/products/conv_transposed.h"

#include "cpu_places.h"

typedef struct problem {
  size_t batch, in[3], kernel[3], stride[3], dilation[3];
  ptrdiff_t pad[3], end[3]; /* cut before and after; negative adds */
  size_t groups, in_channels, out_channels;
} problem;

static const problem problems[] = {
    {1, {1, 5, 7}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, 1, 24, 24},
    {2, {1, 4, 5}, {1, 3, 3}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 0, 1}, 1, 5, 70},
    {1, {1, 6, 6}, {1, 4, 4}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 2, 6, 10},
    {1, {1, 4, 4}, {1, 3, 3}, {1, 1, 1}, {1, 2, 3}, {0, 2, 0}, {0, 0, 1}, 1, 3, 4},
    {1, {1, 3, 4}, {1, 2, 1}, {1, 3, 4}, {1, 1, 1}, {0, 0, 0}, {0, 0, -3}, 1, 4, 1},
    {1, {1, 1, 9}, {1, 1, 5}, {1, 1, 3}, {1, 1, 2}, {0, 0, 2}, {0, 0, 1}, 3, 9, 9},
    {1, {1, 9, 11}, {1, 2, 2}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, 1, 6, 1},
    {2, {1, 3, 8}, {1, 4, 4}, {1, 4, 4}, {1, 1, 1}, {0, 1, 2}, {0, 3, -5}, 1, 5, 7},
    {1, {2, 3, 5}, {2, 3, 3}, {2, 3, 3}, {1, 1, 1}, {1, 0, 4}, {0, 1, 0}, 1, 3, 3},
    {1, {2, 3, 4}, {2, 3, 2}, {2, 1, 2}, {1, 1, 1}, {1, 0, 0}, {0, 1, 0}, 1, 7, 17},
    {1, {1, 5, 7}, {1, 9, 5}, {1, 4, 3}, {1, 1, 1}, {0, 4, 2}, {0, 1, 0}, 1, 6, 1},
    {2, {2, 4, 5}, {3, 2, 3}, {2, 1, 3}, {1, 2, 2}, {1, 0, 3}, {0, 1, -2}, 1, 3, 5},
    {2, {1, 5, 9}, {1, 4, 4}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, 19, 19, 19},
    {1, {1, 4, 3}, {1, 2, 3}, {1, 3, 2}, {1, 1, 2}, {0, 0, 2}, {0, -1, 1}, 33, 33, 33},
};

typedef struct data {
  hone_conv conv;
  float *x, *w, *bias, *residual;
  double *want, *size;
} data;

/* `slack`: floats between pixels. */
static data make(const problem *p, ptrdiff_t slack) {
  data d = {.conv = {.batch = p->batch,
                     .groups = p->groups,
                     .in_channels = p->in_channels,
                     .out_channels = p->out_channels,
                     .x_stride = (ptrdiff_t)p->in_channels + slack,
                     .y_stride = (ptrdiff_t)p->out_channels + slack}};
  hone_conv *c = &d.conv;
  size_t in = p->batch;
  for (int i = 0; i < 3; i++) {
    c->in[i] = p->in[i], c->kernel[i] = p->kernel[i], c->stride[i] = p->stride[i];
    c->dilation[i] = p->dilation[i], c->pad[i] = p->pad[i];
    c->out[i] = (size_t)((ptrdiff_t)((p->in[i] - 1) * p->stride[i] +
                                     (p->kernel[i] - 1) * p->dilation[i] + 1) -
                         p->pad[i] - p->end[i]);
    in *= p->in[i];
  }
  size_t out = hone_conv_pixels(c);
  d.x = random_floats(in * (size_t)c->x_stride, 1);
  d.w = random_floats(p->in_channels * p->out_channels / p->groups * hone_conv_taps(c), 2);
  d.bias = random_floats(p->out_channels, 3);
  d.residual = random_floats(out * (size_t)c->y_stride, 4);
  d.want = hone_alloc_zero(out * p->out_channels * sizeof(double));
  d.size = hone_alloc_zero(out * p->out_channels * sizeof(double));
  c->finish = (hone_finish){.bias = d.bias,
                            .residual = 1,
                            .residual_stride = c->y_stride,
                            .activation = {HONE_ACTIVATION_HARD_SWISH, 0, 0}};
  return d;
}

/* Adds what input pixel `at` gives through tap t. */
static void scatter(data *d, size_t n, const size_t *at, size_t pixel, size_t t) {
  const hone_conv *c = &d->conv;
  size_t k[3] = {t / c->kernel[2] / c->kernel[1], t / c->kernel[2] % c->kernel[1],
                 t % c->kernel[2]};
  size_t to = n, in_group = c->in_channels / c->groups, out_group = c->out_channels / c->groups;
  for (int i = 0; i < 3; i++) {
    ptrdiff_t o = (ptrdiff_t)(at[i] * c->stride[i] + k[i] * c->dilation[i]) - c->pad[i];
    if (o < 0 || o >= (ptrdiff_t)c->out[i]) return;
    to = to * c->out[i] + (size_t)o;
  }
  for (size_t q = 0; q < c->in_channels; q++) {
    for (size_t m = 0; m < out_group; m++) {
      size_t where = to * c->out_channels + q / in_group * out_group + m;
      double product = (double)d->x[pixel * (size_t)c->x_stride + q] *
                       d->w[(q * out_group + m) * hone_conv_taps(c) + t];
      d->want[where] += product, d->size[where] += fabs(product);
    }
  }
}

static void expect(data *d) {
  const hone_conv *c = &d->conv;
  size_t pixel = 0, at[3];
  for (size_t n = 0; n < c->batch; n++) {
    for (at[0] = 0; at[0] < c->in[0]; at[0]++) {
      for (at[1] = 0; at[1] < c->in[1]; at[1]++) {
        for (at[2] = 0; at[2] < c->in[2]; at[2]++, pixel++) {
          for (size_t t = 0; t < hone_conv_taps(c); t++) scatter(d, n, at, pixel, t);
        }
      }
    }
  }
}

static bool right(const data *d, const char *name, const float *y) {
  const hone_conv *c = &d->conv;
  size_t terms = hone_conv_taps(c) * c->in_channels / c->groups;
  for (size_t i = 0; i < hone_conv_pixels(c); i++) {
    for (size_t m = 0; m < c->out_channels; m++) {
      double sum =
          d->want[i * c->out_channels + m] + d->bias[m] + d->residual[i * (size_t)c->y_stride + m];
      double want = activation_in_double(c->finish.activation, sum);
      double size = (d->size[i * c->out_channels + m] + 2) * (1 + fabs(sum));
      if (!close_enough(y[i * (size_t)c->y_stride + m], want, size, terms)) {
        fprintf(stderr, "%s pixel %zu channel %zu: %.9g, not %.9g\n", name, i, m,
                (double)y[i * (size_t)c->y_stride + m], want);
        return false;
      }
    }
    for (size_t m = c->out_channels; m < (size_t)c->y_stride; m++) {
      if (!isnan(y[i * (size_t)c->y_stride + m])) return false;
    }
  }
  return true;
}

static void check_kernel(const data *d, const hone_conv_kernel *kernel) {
  const hone_conv *c = &d->conv;
  size_t taps = hone_conv_taps(c);
  float *packed = floats(kernel->pack_size(kernel, c)), *first = NULL;
  hone_conv_weights weights = {d->w, (ptrdiff_t)taps,
                               (ptrdiff_t)(c->out_channels / c->groups * taps), 1};
  kernel->pack(kernel, c, weights, packed);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  CHECK_OK(kernel->plan(kernel, c, packed, &arena, &plan));
  const void *in[] = {d->x, d->residual};
  size_t count = hone_conv_pixels(c) * (size_t)c->y_stride;
  for (size_t i = 0; i < sizeof(test_parts) / sizeof(*test_parts); i++) {
    float *y = floats(count);
    run_parts(plan.phases, plan.phase_count, plan.args, in, y,
              plan.shared_scratch + plan.part_scratch * (size_t)test_parts[i], test_parts[i]);
    if (first) {
      CHECK(!memcmp(first, y, count * sizeof(float)));
      hone_free(y);
    } else {
      first = y;
      CHECK(right(d, kernel->name, y));
    }
  }
  hone_free(first), hone_free(packed), hone_arena_free(&arena);
}

TEST(all_problems_on_all_kernels) {
  size_t count = sizeof(problems) / sizeof(*problems);
  for (size_t n = 0; n < 2 * count; n++) {
    size_t i = n / 2;
    data d = make(&problems[i], n % 2 ? 2 : 0);
    expect(&d);
    int failed = check_failed;
    for (const hone_conv_kernel *k = hone_conv_transposed_kernels; k->name; k++) {
      if (hone_isa_runs(k->isa) && k->accepts(&d.conv)) check_kernel(&d, k);
    }
    if (check_failed != failed) fprintf(stderr, "in problem %zu\n", i);
    hone_free(d.x), hone_free(d.w), hone_free(d.bias), hone_free(d.residual);
    hone_free(d.want), hone_free(d.size);
  }
}

TEST(programs_see_each_element_once) {
  for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
    data d = make(&problems[i], 1);
    for (const hone_conv_kernel *k = hone_conv_transposed_kernels; k->name; k++) {
      if (!hone_isa_runs(k->isa) || !k->accepts(&d.conv)) continue;
      check_places(&d.conv, d.x, k, 1);
      check_places(&d.conv, d.x, k, 3);
    }
    hone_free(d.x), hone_free(d.w), hone_free(d.bias), hone_free(d.residual);
    hone_free(d.want), hone_free(d.size);
  }
}

int main(void) {
  RUN(programs_see_each_element_once);
  RUN(all_problems_on_all_kernels);
  return check_report();
}
